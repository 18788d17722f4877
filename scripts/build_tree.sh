# Folders of builds: whether one can be made, and when what is in one is of no use any more; sourced by lib.sh.

# Fails with a sentence where nothing can be built: in folders that cannot be written to, or whose programs do not run.
ensure_build_folder() {
  local probe=$root/build/log/probe.$$
  if ! mkdir -p "$root/build/log" 2>/dev/null || ! printf '#!/bin/sh\n' 2>/dev/null >"$probe"; then
    rm -f "$probe" 2>/dev/null || true
    die "$root/build cannot be written to: it belongs to another user, its file system is read-only, or the disk is full"
  fi
  chmod +x "$probe"
  if ! "$probe" 2>/dev/null; then
    rm -f "$probe"
    die "programs in $root/build cannot be run (its file system is mounted noexec): copy the sources to another place"
  fi
  rm -f "$probe"
}

# What a build depends on and neither CMake nor ninja notices when it changes: the place of the sources, the system, the
# compilers, the GPUs.
build_identity() {
  local program
  echo "$root"
  sed -n -E 's/^(ID|VERSION_ID)=//p' /etc/os-release 2>/dev/null || true
  for program in c++ clang++ nvcc; do
    command -v "$program" || continue
    "$program" --version || true
  done
  nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null || true
}

# is_configured BUILD: the last configuration came to its end, and with what is here now. Not so that BUILD/CMakeCache.txt
# exists, which CMake also leaves behind when it fails.
is_configured() { [[ -e $1/configured_with && $(<"$1/configured_with") == "$(build_identity)" ]]; }

# configure_tree SOURCE BUILD LOG ARGUMENT...: cmake -S SOURCE -B BUILD ARGUMENT...; begins anew where BUILD was made with
# something else, and where CMake refuses what is there (a cache that was cut off, or that belongs to another folder).
# A new tree compiles several sources as one, which is quicker the first time; CMAKE_UNITY_BUILD among the arguments, or
# set later, says otherwise.
configure_tree() {
  local source=$1 build=$2 log=$3
  shift 3
  local command=(cmake -S "$source" -B "$build")
  local new_command=("${command[@]}" -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 "$@")
  command+=("$@")
  if [[ -e $build/configured_with ]] && ! is_configured "$build"; then
    say "the compiler, the system or the place of the sources has changed: building anew in $build"
    find "$build" -mindepth 1 -delete
  fi
  rm -f "$build/configured_with"
  if [[ ! -e $build/CMakeCache.txt ]]; then
    quietly "$log" "${new_command[@]}" || return
  elif ! "${command[@]}" >"$log" 2>&1; then
    rm -rf "$build/CMakeCache.txt" "$build/CMakeFiles"
    quietly "$log" "${new_command[@]}" || return
  fi
  build_identity >"$build/configured_with"
}

# build_programs NAME [-DNAME:BOOL=ON...] TARGET...: release builds of programs, without tests, in build/release; NAME is for
# the logs. What the targets need is switched on, also in a tree that was configured without it.
build_programs() {
  local name=$1 build=$root/build/release options=() needed=() option
  shift
  while [[ $1 == -D* ]]; do
    needed+=("$1")
    shift
  done
  say "building in $build"
  if ! is_configured "$build"; then
    options=(-DTPN_BUILD_TESTS=OFF -DTPN_BUILD_BENCHMARKS=OFF)
    # For this machine's GPU, if it has one: for all kinds it would take minutes.
    if nvidia-smi --query-gpu=compute_cap --format=csv,noheader >/dev/null 2>&1; then
      options+=(-DTPN_CUDA_ARCHITECTURES=native)
    else
      options+=(-DTPN_CUDA=OFF)
    fi
  fi
  for option in "${needed[@]}"; do
    if ((${#options[@]})) || ! grep -qxF "${option#-D}" "$build/CMakeCache.txt"; then options+=("$option"); fi
  done
  if ((${#options[@]})); then
    configure_tree "$root" "$build" "$root/build/log/$name-configure.log" --preset release "${options[@]}"
  fi
  quietly "$root/build/log/$name-build.log" cmake --build "$build" --target "$@"
}

# Runs a command and shows it, names of the tree's files as they are below its root.
run() {
  printf '$'
  printf ' %q' "${@/#"$root/"/}"
  printf '\n'
  "$@"
}
