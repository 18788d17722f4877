# Shared by the scripts of this folder; sourced, not run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc)
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1 # a copy of the tree in here shares what was compiled

# Debian 12 packages.
build_packages=(g++ cmake ninja-build pkg-config libdnnl-dev libcli11-dev nlohmann-json3-dev libssl-dev zlib1g-dev
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libjpeg-dev libwebp-dev)
test_packages=(libgtest-dev libbenchmark-dev libfmt-dev libboost-context-dev)
check_packages=(clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev libomp-14-dev)
speed_packages=(ccache mold) # builds use them where they are found

say() { printf '== %s\n' "$*"; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# quietly LOG COMMAND...: runs it with its output in LOG, whose end is shown when it fails.
quietly() {
  local log=$1 status=0
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 || status=$?
  if ((status != 0)); then
    printf 'failed (%d): %s\n' "$status" "$*" >&2
    tail -n 60 "$log" >&2
    printf 'all of it: %s\n' "$log" >&2
  fi
  return "$status"
}

is_installed() { [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# False where apt knows no version of a package, as on a machine whose package lists were never fetched.
is_listed() { apt-cache policy "$1" 2>/dev/null | grep 'Candidate: [^(]' >/dev/null; }

# ensure_packages PACKAGE...: installs those that are missing.
ensure_packages() {
  local package missing=() command as_root=() log=$root/build/log/apt.log
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "not a Debian system: taking it that the equivalents of these packages are installed: $*"
    return
  fi
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  if (($(id -u) != 0)); then
    command -v sudo >/dev/null || die "packages are missing; as root, run: apt-get install -y ${missing[*]}"
    as_root=(sudo)
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  command=("${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}")

  mkdir -p "$(dirname "$log")"
  say "installing ${missing[*]}"
  local updated=
  for package in "${missing[@]}"; do
    is_listed "$package" && continue
    quietly "$log" "${as_root[@]}" apt-get update -qq || die "apt-get update failed"
    updated=yes
    break
  done
  if [[ ! $updated ]]; then # the lists may be older than the archive
    "${command[@]}" >"$log" 2>&1 && return
    quietly "$log" "${as_root[@]}" apt-get update -qq || die "apt-get update failed"
  fi
  quietly "$log" "${command[@]}" || die "could not install the packages; by hand: apt-get install -y ${missing[*]}"
}
