#!/usr/bin/env bash
# Usage: use_installed.sh BUILD_DIR CMAKE CXX VERSION LIBDIR GENERATOR
# Installs BUILD_DIR, moves the result elsewhere (so that no path of the first place may matter), builds the program in
# consumer/ against it once through the CMake package and once through pkg-config, and runs both on a model.
set -euo pipefail
build=$1 cmake=$2 cxx=$3 version=$4 libdir=$5 generator=$6
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/prefix"
prefix=$work/prefix

for file in bin/tpn_convert bin/tpn_infer bin/tpn_eval include/tpn/tpn.h include/tpn/export.h include/tpn/kernels/precision.h "$libdir/libtpn.so" \
  "$libdir/libtpn.so.${version%.*}" "$libdir/libtpn.so.$version" "$libdir/pkgconfig/tpn.pc" \
  "$libdir/cmake/tpn/tpn-config.cmake" share/doc/tpn/LICENSE share/doc/tpn/README.md; do
  [[ -e $prefix/$file ]] || { echo "cmake --install gave no $file" >&2; exit 1; }
done
if leaked=$(grep -rlI "$build\|$work/first" "$prefix/include" "$prefix/$libdir"); then
  echo "paths of the build are left in: $leaked" >&2
  exit 1
fi
# Anything else exported could clash with what the user's program links.
exported=$(nm -DC --defined-only "$prefix/$libdir/libtpn.so" | cut -d' ' -f3-)
if foreign=$(grep -v 'tpn::' <<<"$exported"); then
  echo "libtpn.so exports more than its own names:" "$foreign" >&2
  exit 1
fi

"$prefix/bin/tpn_convert" --random "$here/tiny.json" --seed 1 "$work/tiny.safetensors" >"$work/convert.log"

"$cmake" -S "$here/consumer" -B "$work/build" -G "$generator" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_BUILD_TYPE=Release >"$work/configure.log"
"$cmake" --build "$work/build" >"$work/build.log" || { cat "$work/build.log" >&2; exit 1; }
from_cmake=$("$work/build/consumer" "$work/tiny.safetensors")

export PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig
[[ $(pkg-config --modversion tpn) == "$version" ]]
read -ra flags < <(pkg-config --cflags --libs tpn)
"$cxx" -std=c++20 "$here/consumer/main.cpp" "${flags[@]}" -Wl,-rpath,"$prefix/$libdir" -o "$work/from_pkg_config"
from_pkg_config=$("$work/from_pkg_config" "$work/tiny.safetensors")

expected="6 classes, 0 labels"
if [[ $from_cmake != "$expected" || $from_pkg_config != "$expected" ]]; then
  echo "expected '$expected', found '$from_cmake' and '$from_pkg_config'" >&2
  exit 1
fi
echo "$from_cmake, through the CMake package and through pkg-config"
