# For scripts that plant bugs in a copy of the sources, one at a time; sourced after lib.sh, not run.

copy=$root/build/mutants/source
log=$root/build/log/mutants

# Makes the copy what the checkout is, also where an interrupted run left a bug.
copy_sources() {
  mkdir -p "$copy" "$log"
  exec 8>"$root/build/mutants/lock"
  flock --nonblock 8 || die "build/mutants is in use"
  cd "$root"
  while IFS= read -r -d '' file; do
    cmp --silent "$file" "$copy/$file" || cp --parents "$file" "$copy"
  done < <(tree_files)
}

# put_back FILE: its mutation ends; the time tells the next build.
put_back() {
  cp "$root/$1" "$copy/$1"
  touch "$copy/$1"
}
