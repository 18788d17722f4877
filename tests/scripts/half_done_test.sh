#!/usr/bin/env bash
# Runs scripts/demo with made-up tools, each time after something was cut off or has changed, and compares which steps it
# took again and what it said: nothing half done may be taken for done.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
cases=0

# The only programs that the script sees: real tools, and these. Each notes its call, and fails where the state says so.
mkdir "$work/bin"
for tool in bash basename cat chmod date dirname env find grep mkdir nproc rm sed tail touch; do
  ln -s "$(command -v "$tool")" "$work/bin/$tool"
done
fake() {
  { echo '#!/usr/bin/env bash'; cat; } >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}
fake dpkg-query <<<'printf installed'
fake apt-get <<<'exit 9'
fake c++ <<<'cat "$STATE/compiler"'
fake cmake <<'END'
if [[ $1 == --build ]]; then
  echo build >>"$STATE/calls"
  [[ ! -e $STATE/build_fails ]] || { cat "$STATE/build_fails"; exit 1; }
  cp "$STATE/../program" "$2/apps/tpn_convert" && cp "$STATE/../program" "$2/apps/tpn_infer"
  exit
fi
source=$2 build=$4 # cmake -S source -B build
[[ " $* " == *" -DTPN_CUDA=OFF "* ]] || exit 9
echo configure >>"$STATE/calls"
mkdir -p "$build/apps"
owner=$(cat "$build/CMakeCache.txt" 2>/dev/null || echo "$source")
echo "$source" >"$build/CMakeCache.txt"
[[ $owner == "$source" ]] || { echo "CMake Error: the cache belongs to $owner"; echo "$owner" >"$build/CMakeCache.txt"; exit 1; }
[[ ! -e $STATE/configure_fails ]] || exit 1
[[ ! -e $STATE/configure_dies ]] || kill -KILL "$PPID" "$$"
END
ln -s "$(command -v cp)" "$work/bin/cp"
cat >"$work/program" <<'END'
#!/usr/bin/env bash
echo "$(basename "$0") ${*##*/}" >>"$STATE/calls"
[[ ! -e $STATE/convert_fails || $0 != *convert ]]
END
chmod +x "$work/program"

# start: sources whose programs were built once.
start() {
  export STATE=$work/state
  rm -rf "$STATE" "$work/source" "$work/moved"
  mkdir -p "$STATE" "$work/source/tests/data/video"
  cp -r "$here/../../scripts" "$work/source/scripts"
  touch "$work/source/tests/data/video/demo.mp4" "$work/trained.pth"
  source=$work/source
  echo "c++ 12.2" >"$STATE/compiler"
  demo >/dev/null
}
demo() {
  : >"$STATE/calls"
  PATH=$work/bin "$source/scripts/demo" --model "$work/trained.pth" 2>&1
}

# expect NAME STATUS STEPS OUTPUT-PATTERN: runs the demo.
expect() {
  local found=0 output steps
  output=$(demo) || found=$?
  steps=$(cut -d' ' -f1 "$STATE/calls" | paste -sd' ')
  cases=$((cases + 1))
  if [[ $found != "$2" || $steps != "$3" || ! $output =~ $4 ]]; then
    printf 'FAILED %s\n  status %s, expected %s\n  steps: %s\n  output:\n%s\n' "$1" "$found" "$2" "$steps" "$output" >&2
    failures=$((failures + 1))
  fi
}

start
expect "nothing has changed" 0 "build tpn_convert tpn_infer" '== building'

start
rm -rf "$source/build/release"
touch "$STATE/configure_fails"
expect "configuring fails" 1 configure 'failed \(1\): cmake'
rm "$STATE/configure_fails"
expect "and is done the next time" 0 "configure build tpn_convert tpn_infer" ''

start
rm -rf "$source/build/release"
touch "$STATE/configure_dies"
expect "configuring is cut off" 137 configure ''
rm "$STATE/configure_dies"
expect "and is done the next time" 0 "configure build tpn_convert tpn_infer" ''

start
echo "No space left on device" >"$STATE/build_fails"
expect "building fails" 1 build 'failed \(1\): cmake.*== there is no space left on the disk'
rm "$STATE/build_fails"
expect "and is done the next time" 0 "build tpn_convert tpn_infer" ''

start
touch "$STATE/convert_fails"
expect "converting fails" 1 "build tpn_convert" ''
rm "$STATE/convert_fails"
expect "and is done the next time" 0 "build tpn_convert tpn_infer" ''

start
echo "c++ 14.2" >"$STATE/compiler"
touch "$source/build/release/old_object"
expect "another compiler" 0 "configure build tpn_convert tpn_infer" '== the compiler, the system or the place.* has changed'
[[ ! -e $source/build/release/old_object ]] || { echo "FAILED another compiler: old objects are left" >&2; failures=1; }

start
rm "$work/bin/c++"
expect "no compiler any more" 0 "configure build tpn_convert tpn_infer" '== the compiler, the system or the place.* has changed'
fake c++ <<<'cat "$STATE/compiler"'

start
mv "$source" "$work/moved"
source=$work/moved
expect "the folder was moved" 0 "configure build tpn_convert tpn_infer" '== the compiler, the system or the place.* has changed'

start
rm "$source/build/release/configured_with"
echo "/another/place" >"$source/build/release/CMakeCache.txt"
expect "CMake refuses the cache" 0 "configure configure build tpn_convert tpn_infer" ''

start
rm -rf "$source/build"
touch "$source/build"
expect "no folder can be made" 1 "" "$source/build cannot be written to"

start
rm "$work/bin/chmod" # stands for a file system whose programs do not run
fake chmod <<<''
expect "programs cannot be run" 1 "" "programs in $source/build cannot be run"

((failures == 0)) && echo "$cases cases passed"
