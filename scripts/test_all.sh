#!/usr/bin/env bash
# What `scripts/test.sh --all` adds: other frameworks as witnesses, kill and resume, ranks, a browser.
# Usage: scripts/test_all.sh BUILD_FOLDER. Needs scripts/setup_environment.sh --all. Writes docs/test_results.md.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${1:?usage: test_all.sh BUILD_FOLDER}")
python=${QMT_PYTHON:-$PWD/build/python/bin/python}
tool=$build/qmtcnn
work=$PWD/build/all
shared=../shared
mkdir -p "$work"
results=$work/results.md
passed=0 failed=0 skipped=0
: >"$results"

check() { # NAME COMMAND...
    local name=$1 log
    shift
    log="$work/$(echo "$name" | tr -c 'a-zA-Z0-9\n' '_').log"
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "| $name | passed | $(tail -n 1 "$log" | tr '|' '/' | cut -c1-140) |" >>"$results"
        echo "passed: $name"
    else
        failed=$((failed + 1))
        echo "| $name | FAILED | $(tail -n 1 "$log" | tr '|' '/' | cut -c1-140) |" >>"$results"
        echo "failed: $name"
        tail -n 20 "$log"
    fi
}
skip() {
    skipped=$((skipped + 1))
    echo "| $1 | skipped | $2 |" >>"$results"
    echo "skipped: $1 ($2)"
}

synthetic_faces() {
    "$tool" synth --out "$work/faces" --images 100 --val-images 0 --seed 11 2>/dev/null &&
        "$python" scripts/check_synthetic_faces.py "$work/faces" train 100
}
demo() { "$tool" run configs/demo.yaml --workdir "$work/demo" && test -s "$work/demo/report/index.html"; }
onnx_checker() {
    "$python" - "$work"/demo/models/*/*.onnx <<'PYTHON'
import sys, onnx
for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=True)
print(f"{len(sys.argv) - 1} files pass onnx.checker's full check")
PYTHON
}
pytorch() {
    mkdir -p "$work/steps" && "$build/tests/test_net_dump" "$work/steps" &&
        "$python" scripts/check_pytorch.py "$work/steps"
}

check "synthetic faces: facenet-pytorch finds them" synthetic_faces
check "demo" demo
check "onnx.checker" onnx_checker
if [ -f scripts/check_onnxruntime.py ]; then
    pictures=$work/demo/data/WIDER_val/images
    [ -d $shared/data/WIDER_val/images ] && pictures=$shared/data/WIDER_val/images
    check "ONNX Runtime, every layer" "$python" scripts/check_onnxruntime.py "$build" "$work/demo/models" "$pictures"
fi
check "PyTorch: forward, SGD step, folded QAT step" pytorch
check "TensorBoard" scripts/check_tensorboard.sh "$python" "$work/demo/logs" "$work/tensorboard.png"
check "fuzz smoke, 5 seconds a target" scripts/fuzz_smoke.sh "$PWD/build/fuzz" 5
check "kill and resume" scripts/check_kill.sh "$tool" 20
check "threads and ranks" scripts/check_ranks.sh "$tool"
if [ ! -d $shared/data ]; then skip "real pictures" "no $shared/data"; fi

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
{
    echo "# Last result of scripts/test.sh --all"
    echo
    echo "$(date -u +%Y-%m-%d), commit $commit, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores."
    echo
    echo "| check | result | last line |"
    echo "| --- | --- | --- |"
    cat "$results"
} >docs/test_results.md
if [ -n "${QMT_COUNT:-}" ]; then echo "$passed $failed $skipped" >>"$QMT_COUNT"; fi
echo "all: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
