#!/usr/bin/env bash
# scripts/gpu_check with programs that only pretend: what it runs, what it makes of failures, and what it leaves behind.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# program FILE LINE...: a program of these lines of bash.
program() {
  local file=$1
  shift
  mkdir -p "$(dirname "$file")"
  printf '%s\n' '#!/usr/bin/env bash' "$@" >"$file"
  chmod +x "$file"
}
bin=$work/bin build=$work/build out=$work/out wheel=$work/site/nvidia/cudnn
program "$bin/cmake" "echo \"\$*\" >>$work/cmake.log"
program "$bin/ctest" "echo \"\$*\" >$work/ctest.log; [[ ! -e $work/hang ]] || sleep 60"
program "$bin/nvcc" 'echo "release 13.0"'
program "$bin/nvidia-smi" 'echo "GPU 0: pretended"'
program "$bin/ncu" 'echo SpeedOfLight'
program "$bin/compute-sanitizer" "[[ \$2 != racecheck || ! -e $work/race ]] || exit 9"
program "$bin/python3" "case \$2 in *site*) echo $work/site ;; *torch*) exit 1 ;; esac"
program "$build/benchmarks/gpu/gpu_benchmark" 'echo "bf16  30 views 1 ms 30 views/s; $*"' \
  "while ((\$#)); do [[ \$1 != --json ]] || echo '{}' >\"\$2\"; shift; done" "[[ ! -e $work/wrong ]]"
program "$build/tests/cuda_primitives/dump_primitives" 'echo "{}" >"$1"'
for test in cuda_primitives/cuda_primitives_test kernels/cuda_ops_test kernels/cuda_conv3d_test; do
  program "$build/tests/$test" 'exit 0'
done
mkdir -p "$wheel/lib" "$wheel/include"
touch "$wheel/lib/libcudnn.so.9" "$wheel/include/cudnn_graph.h"

check() { PATH=$bin:$PATH "$root/scripts/gpu_check" --build "$build" --out "$out" "$@" >"$work/log" 2>&1; }
status_of() { grep -o "\"$1\": {\"status\": \"[a-z ]*\"" "$out/report.json" | cut -d'"' -f6; }
expect() { [[ $(status_of "$1") == "$2" ]] || fail "$1 $(status_of "$1"), not $2: $(cat "$work/log")"; }

check --call 1 || fail "the first call: $(cat "$work/log")"
for part in build primitives tests; do expect "$part" passed; done
expect bench "not run"
grep -- '--target cuda_primitives_test dump_primitives tpn_gpu' "$work/cmake.log" >/dev/null || fail "wrong targets"
grep -- '--timeout 60' "$work/ctest.log" >/dev/null || fail "tests may hang"
grep "$wheel/lib/libcudnn.so.9" "$out/report.md" >/dev/null || fail "cuDNN of a Python package was not found"
[[ -s $out/primitives.json ]] || fail "no primitives"

check --call 2 || fail "the second call: $(cat "$work/log")"
expect bench passed
expect peers skipped # there is no PyTorch
expect tests passed  # of the call before

touch "$work/race"
check --call 3 && fail "findings of the sanitizer were passed over"
expect sanitize failed
expect precisions passed
expect profile passed
grep 'racecheck cuda_ops_test: FINDINGS' "$out/report.md" >/dev/null || fail "the report has no findings"
(($(find "$out" -type f | wc -l) <= 8)) || fail "too many files: $(ls "$out")"
python=$(command -v python3 || true)
[[ ! $python ]] || "$python" -m json.tool "$out/report.json" >/dev/null || fail "report.json is no JSON"

touch "$work/wrong"
check --only bench && fail "wrong logits were passed over"
expect bench failed
grep 'bench-bf16' "$out/report.md" >/dev/null || fail "what was timed is lost"

touch "$work/hang"
SECONDS=0
check --only tests --minutes 0.05 && fail "a test that hangs was passed over"
((SECONDS < 30)) || fail "the time limit was not kept"
expect tests failed
tar -tzf "$out/logs.tar.gz" | grep tests.log >/dev/null || fail "no logs"

check --call 4 && fail "a call that there is not"
check --only nothing && fail "a part that there is not"
echo "gpu_check does what it says"
