# Which packages of Debian (12 and 13) are needed, and how they get installed; sourced by lib.sh.

build_packages=(g++ cmake ninja-build pkg-config libdnnl-dev libcli11-dev nlohmann-json3-dev libssl-dev zlib1g-dev
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libjpeg-dev libwebp-dev
  ocl-icd-opencl-dev) # oneDNN's CMake package looks for OpenCL
benchmark_packages=(libbenchmark-dev libfmt-dev)
test_packages=("${benchmark_packages[@]}" libgtest-dev libboost-context-dev)
check_packages=(clang clang-tidy clang-format libclang-rt-dev libomp-dev)
root_packages=(debootstrap debian-archive-keyring wget)
speed_packages=(ccache mold) # builds use them where they are found
parallel_packages=(libopenmpi-dev openmpi-bin) # likewise; their tests are skipped elsewhere

is_installed() { [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# False where apt knows no version of a package, as on a machine whose package lists were never fetched.
is_listed() { apt-cache policy "$1" 2>/dev/null | grep 'Candidate: [^(]' >/dev/null; }

# patiently COMMAND...: runs it, output in $apt_log; while another process uses apt, waits and tries again.
patiently() {
  local began=$SECONDS said= status
  for (( ; ; )); do
    status=0
    "$@" >>"$apt_log" 2>&1 || status=$?
    ((status != 0)) && tail -n 5 "$apt_log" | grep -qE 'Could not get lock|Unable to (acquire|lock)' || return "$status"
    ((SECONDS - began < apt_patience)) ||
      die "another process has been installing packages for $apt_patience seconds; try again when it has ended (see $apt_log)"
    [[ $said ]] || say "waiting for another process that installs packages"
    said=yes
    sleep 3
  done
}
apt_patience=300

# What apt's output means, as far as a sentence helps.
explain_apt() {
  local pattern sentence
  while IFS=: read -r pattern sentence; do
    if grep -qE "$pattern" "$apt_log"; then say "${sentence# }"; fi
  done <<'END'
dpkg was interrupted: an earlier installation was cut off half way; as root, run dpkg --configure -a
[Uu]nmet dependencies: the installed packages do not fit together; as root, run apt-get --fix-broken install
resolving|Failed to fetch|Could not connect: the archive cannot be reached; is there a network, or a proxy to be set?
No space left|enough free space: there is no space left on the disk
Unable to locate package: this system's archive lacks a package; those of Debian 12 and 13 have them all
END
}

# ensure_packages PACKAGE...: installs those that are missing.
ensure_packages() {
  local package missing=() install as_root=() apt_log=$root/build/log/apt.log
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
  as_root+=(env DEBIAN_FRONTEND=noninteractive LC_ALL=C)
  install=("${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}")

  mkdir -p "$(dirname "$apt_log")"
  : >"$apt_log"
  say "installing ${missing[*]}"
  local updated=
  for package in "${missing[@]}"; do
    is_listed "$package" && continue
    updated=yes
    break
  done
  # The lists are fetched first if they lack a package, else where they turn out older than the archive.
  [[ ! $updated ]] || patiently "${as_root[@]}" apt-get update -qq || apt_failed
  patiently "${install[@]}" && return
  if [[ ! $updated ]]; then
    patiently "${as_root[@]}" apt-get update -qq && patiently "${install[@]}" && return
  fi
  apt_failed
}

apt_failed() {
  tail -n 30 "$apt_log" >&2
  explain_apt >&2
  die "could not install the packages; by hand, as root: apt-get install -y ${missing[*]} (all of apt's output: $apt_log)"
}
