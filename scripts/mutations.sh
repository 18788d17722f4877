# For scripts that plant bugs in a copy of the sources, one at a time; sourced after lib.sh, not run.

copy=$root/build/mutants/source
log=$root/build/log/mutants

# What may be copied: everything but results and history, each name ended by a NUL.
sources() { (cd "$root" && find . \( -path ./build -o -path ./.git \) -prune -o -type f -print0); }

# Makes the copy what the checkout is, also where an interrupted run left a bug.
copy_sources() {
  mkdir -p "$copy" "$log"
  exec 8>"$root/build/mutants/lock"
  flock --nonblock 8 || die "build/mutants is in use"
  cd "$root"
  while IFS= read -r -d '' file; do
    cmp --silent "$file" "$copy/$file" || cp --parents "$file" "$copy"
  done < <(sources)
}

# put_back FILE: its mutation ends; the time tells the next build.
put_back() {
  cp "$root/$1" "$copy/$1"
  touch "$copy/$1"
}

# sample N: N of the lines on standard input, chosen by the commit: the same for everyone who tests it, others for the
# next one.
sample() {
  local commit line
  commit=$(git -C "$root" rev-parse --verify --quiet 'HEAD^{tree}' 2>/dev/null) ||
    commit=$(cd "$root" && sources | sort -z | xargs -0 sha256sum | sha256sum)
  while IFS= read -r line; do
    printf '%s %s\n' "$(sha256sum <<<"$commit $line" | cut -c 1-16)" "$line"
  done | sort | sed -n "1,${1}p" | cut -d ' ' -f 2-
}
