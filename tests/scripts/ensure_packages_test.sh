#!/usr/bin/env bash
# Runs ensure_packages of scripts/lib.sh against a made-up package manager and compares what it called and said.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# The only programs that the function sees: real tools, and these five.
mkdir "$work/bin"
for tool in bash basename cat cut dirname env grep mkdir nproc sed sleep sort tail; do
  ln -s "$(command -v "$tool")" "$work/bin/$tool"
done
fake() {
  { echo '#!/usr/bin/env bash'; cat; } >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}
fake id <<<'cat "$STATE/uid"'
fake sudo <<<'echo "sudo $*" >>"$STATE/calls"; exec "$@"'
fake dpkg-query <<<'grep -qx "${@: -1}" "$STATE/installed" && printf installed'
fake apt-cache <<<'if [[ -e $STATE/lists ]]; then echo "  Candidate: 1.0"; else echo "  Candidate: (none)"; fi'
fake apt-get <<'END'
echo "apt-get $*" >>"$STATE/calls"
[[ $DEBIAN_FRONTEND == noninteractive ]] || exit 9
[[ $LC_ALL == C ]] || exit 9
if [[ -s $STATE/locked ]]; then # as often as the file has lines
  sed -i 1d "$STATE/locked"
  echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt-get)" >&2
  exit 100
fi
case $1 in
  update) echo fresh >"$STATE/lists" ;;
  install)
    if [[ -e $STATE/broken ]]; then
      cat "$STATE/broken" >&2
      exit 100
    fi
    [[ $(cat "$STATE/lists") == fresh ]] || { echo "E: Unable to locate package" >&2; exit 100; }
    ;;
esac
END

# start: a machine where root runs the script, apt's lists are fresh, and only g++ is installed.
start() {
  export STATE=$work/state
  rm -rf "$STATE"
  mkdir "$STATE"
  echo 0 >"$STATE/uid"
  echo fresh >"$STATE/lists"
  echo g++ >"$STATE/installed"
  : >"$STATE/calls"
}

# expect NAME STATUS CALLS OUTPUT-PATTERN PACKAGE...: runs ensure_packages PACKAGE...
expect() {
  local name=$1 status=$2 calls=$3 pattern=$4 found=0 output
  shift 4
  output=$(PATH=$work/bin bash -c 'source "$1"; root=$2; apt_patience=2; shift 2; ensure_packages "$@"' demo \
    "$here/../../scripts/lib.sh" "$work/root" "$@" 2>&1) || found=$?
  if [[ $found != "$status" || $(cat "$STATE/calls") != "$calls" || ! $output =~ $pattern ]]; then
    printf 'FAILED %s\n  status %s, expected %s\n  calls:\n%s\n  output:\n%s\n' "$name" "$found" "$status" \
      "$(cat "$STATE/calls")" "$output" >&2
    failures=$((failures + 1))
  fi
}

install='apt-get install -y -qq --no-install-recommends'

start
expect "nothing is missing" 0 "" '^$' g++

start
expect "only what is missing is installed" 0 "$install cmake zlib1g-dev" '^== installing cmake zlib1g-dev$' \
  cmake g++ zlib1g-dev

start
rm "$STATE/lists"
expect "lists were never fetched" 0 "apt-get update -qq"$'\n'"$install cmake" '^== installing cmake$' g++ cmake

start
echo stale >"$STATE/lists"
expect "lists are older than the archive" 0 "$install cmake"$'\n'"apt-get update -qq"$'\n'"$install cmake" \
  '^== installing cmake$' cmake

tries="$install cmake"$'\n'"apt-get update -qq"$'\n'"$install cmake"
# broken SENTENCE-OF-APT: a machine whose package lists are fine and where installing fails.
broken() {
  start
  echo "$1" >"$STATE/broken"
}

broken "E: Failed to fetch http://deb.debian.org/debian/pool/main/c/cmake/cmake.deb"
expect "the archive cannot be reached" 1 "$tries" \
  'Failed to fetch.*the archive cannot be reached.*by hand, as root: apt-get install -y cmake' cmake

broken "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."
expect "an installation was cut off" 1 "$tries" '== an earlier .* cut off half way; as root, run dpkg --configure -a' cmake

broken "E: You don't have enough free space in /var/cache/apt/archives/."
expect "the disk is full" 1 "$tries" '== there is no space left on the disk' cmake

start
printf '1\n' >"$STATE/locked"
expect "another process uses apt for a while" 0 "$install cmake"$'\n'"$install cmake" \
  '^== installing cmake.== waiting for another process that installs packages$' cmake

start
printf '1\n2\n3\n4\n' >"$STATE/locked"
expect "another process uses apt for too long" 1 "$install cmake"$'\n'"$install cmake" \
  'another process has been installing packages for 2 seconds; try again' cmake

start
echo 1000 >"$STATE/uid"
expect "another user than root, with sudo" 0 \
  "sudo env DEBIAN_FRONTEND=noninteractive LC_ALL=C $install cmake"$'\n'"$install cmake" '^== installing cmake$' cmake

start
echo 1000 >"$STATE/uid"
rm "$work/bin/sudo"
expect "another user than root, without sudo" 1 "" 'as root, run: apt-get install -y cmake ccache$' cmake g++ ccache

start
rm "$work/bin/apt-get"
expect "another system" 0 "" 'not a Debian system.*: g\+\+ cmake$' g++ cmake

((failures == 0)) && echo "12 cases passed"
