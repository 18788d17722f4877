# Shared by the scripts of this folder; sourced, not run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1 # a copy of the tree in here shares what was compiled

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
    if grep -q 'No space left on device' "$log"; then say "there is no space left on the disk" >&2; fi
  fi
  return "$status"
}

# The files of this tree, without results and history, each name ended by a NUL.
tree_files() { (cd "$root" && find . \( -path ./build -o -path ./.git \) -prune -o -type f -print0); }

# sample N: N of the lines on standard input, chosen by the commit: the same for everyone who tests it, others for the
# next one.
sample() {
  local commit line
  commit=$(git -C "$root" rev-parse --verify --quiet 'HEAD^{tree}' 2>/dev/null) ||
    commit=$(cd "$root" && tree_files | sort -z | xargs -0 sha256sum | sha256sum)
  while IFS= read -r line; do
    printf '%s %s\n' "$(sha256sum <<<"$commit $line" | cut -c 1-16)" "$line"
  done | sort | sed -n "1,${1}p" | cut -d ' ' -f 2-
}

source "$root/scripts/packages.sh"
source "$root/scripts/build_tree.sh"
