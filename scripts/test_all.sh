#!/usr/bin/env bash
# What `scripts/test.sh --all` adds: other frameworks as witnesses, real pictures, kill and resume, ranks, memory, fuzzing, a
# browser. Needs scripts/setup_environment.sh --all. Real pictures lie in ../shared/data, or are left out.
# Usage: scripts/test_all.sh BUILD_FOLDER [PATTERN]. Without PATTERN it writes docs/test_results.md; with one it runs only the
# checks whose names match, on what an earlier run left in build/all.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${1:?usage: test_all.sh BUILD_FOLDER [PATTERN]}") pattern=${2:-}
python=${QMT_PYTHON:-$PWD/build/python/bin/python}
sanitized=${QMT_SANITIZED_BUILD:-$PWD/build/test-asan}
tool=$build/qmtcnn
work=$PWD/build/all
data=${QMT_DATA:-$PWD/../shared/data}
mkdir -p "$work"
results=$work/results.md
passed=0 failed=0 skipped=0 start=$SECONDS
: >"$results"

result() { # NAME RESULT SECONDS LINE
    echo "| $1 | $2 | $3 s | $(tr '|' '/' <<<"${4//$PWD\//}" | cut -c1-160) |" >>"$results"
    echo "[$((SECONDS - start)) s] $2: $1 ($3 s) $4"
}

# Runs a check with its output in a log. Long ones tell once a minute how far they are.
check() { # NAME COMMAND...
    local name=$1 log process begin=$SECONDS next=60 status=0
    shift
    if [ -n "$pattern" ] && ! grep -qE "$pattern" <<<"$name"; then return; fi
    log="$work/$(tr -c 'a-zA-Z0-9\n' '_' <<<"$name").log"
    "$@" >"$log" 2>&1 &
    process=$!
    while kill -0 $process 2>/dev/null; do
        sleep 0.5
        if [ $((SECONDS - begin)) -ge $next ]; then
            echo "  $name: $next s, $(tail -n 1 "$log" | cut -c1-120)"
            next=$((next + 60))
        fi
    done
    wait $process || status=$?
    if [ $status = 0 ]; then
        passed=$((passed + 1))
        result "$name" passed $((SECONDS - begin)) "$(tail -n 1 "$log")"
    else
        failed=$((failed + 1))
        result "$name" FAILED $((SECONDS - begin)) "$(tail -n 1 "$log")"
        tail -n 20 "$log" | sed 's/^/    /'
    fi
}
skip() { # NAME REASON
    if [ -n "$pattern" ] && ! grep -qE "$pattern" <<<"$1"; then return; fi
    skipped=$((skipped + 1))
    result "$1" skipped 0 "$2"
    if [ -n "${QMT_COUNT:-}" ]; then echo "skipped: $1: $2" >>"$QMT_COUNT"; fi
}

# ---- Synthetic faces and the demo ---------------------------------------------------------------------

synthetic_faces() {
    "$tool" synth --out "$work/faces" --images 100 --val-images 0 --seed 11 2>/dev/null &&
        "$python" scripts/check_synthetic_faces.py "$work/faces" train 100
}
demo() {
    "$tool" run configs/demo.yaml --workdir "$work/demo" && test -s "$work/demo/report/index.html" &&
        "$python" - "$work/demo/report/report.json" <<'PYTHON'
import json, sys
report = json.load(open(sys.argv[1], encoding="utf-8"))
ap, retention = report["int8"]["ap"], report["comparison"]["retention"]
print(f"AP of INT8 {ap:.4f} (at least 0.90), of FP32 {report['fp32']['ap']:.4f}; retention {retention:.4f} (at least 0.98)")
sys.exit(ap < 0.90 or retention < 0.98)
PYTHON
}
check "synthetic faces: facenet-pytorch finds them" synthetic_faces
check "demo: accuracy" demo

# ---- ONNX -----------------------------------------------------------------------------------------------

onnx_checker() {
    "$python" - "$work"/demo/models/*/*.onnx <<'PYTHON'
import sys, onnx
for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=True)
print(f"{len(sys.argv) - 1} files pass onnx.checker's full check")
PYTHON
}
pictures=$work/demo/data/WIDER_val/images kind=synthetic
if [ -d "$data/WIDER_val/images" ]; then pictures=$data/WIDER_val/images kind=real; fi
check "onnx.checker" onnx_checker
check "ONNX Runtime, every layer, plain C, $kind pictures" "$python" scripts/check_onnxruntime.py "$build" "$work/demo/models" "$pictures"
if grep -qw avx2 /proc/cpuinfo; then
    check "ONNX Runtime, every layer, AVX2, $kind pictures" "$python" scripts/check_onnxruntime.py "$build" "$work/demo/models" "$pictures" 12 avx2
fi
check "ONNX Runtime, P-Net on every pyramid level of 50 $kind pictures" "$python" scripts/check_onnxruntime.py "$build" \
    "$work/demo/models" "$pictures" 1 c --levels 50
check "ONNX Runtime's own form" "$python" scripts/check_onnxruntime_target.py "$tool" "$work/demo/checkpoints" \
    "$(dirname "$(dirname "$pictures")")" --limit 20
windows() {
    "$python" -c "from PIL import Image; import sys; Image.open(sys.argv[1]).convert('RGB').save(sys.argv[2])" \
        "$(find "$pictures" -name '*.jpg' | sort | head -n 1)" "$work/picture.ppm" &&
        scripts/check_windows.sh "$PWD/build/protobuf-c" "$build" "$work/demo/models/mtcnn_qat" "$work/picture.ppm"
}
check "other architectures, 200 pictures" scripts/check_architectures.sh "$build" "$work/demo/models/mtcnn_qat" "$pictures" 200
if command -v x86_64-w64-mingw32-gcc >/dev/null && [ -d build/protobuf-c ]; then
    check "Windows: libqmtcnn by MinGW, run in Wine" windows
else
    skip "Windows" "no MinGW or no build/protobuf-c: scripts/setup_environment.sh --all"
fi

# ---- Training -------------------------------------------------------------------------------------------

pytorch() {
    mkdir -p "$work/steps" && "$build/tests/test_net_dump" "$work/steps" &&
        "$python" scripts/check_pytorch.py "$work/steps"
}
check "PyTorch: forward, SGD step, fake quantization, folded QAT step" pytorch
check "TensorBoard" scripts/check_tensorboard.sh "$python" "$work/demo/logs" "$work/tensorboard"
check "threads and ranks" scripts/check_ranks.sh "$tool"
check "kill and resume, 20 kills each" scripts/check_kill.sh "$tool" 20
check "memory" scripts/check_memory.sh "$tool"

# ---- Real pictures ----------------------------------------------------------------------------------------

# Both judged by our evaluator; on this data an independent one gave facenet-pytorch's MTCNN 0.856 and 0.833.
accuracy() { # MODELS
    bench/accuracy.sh "$tool" "$python" "$data" "$1" >"$work/accuracy.txt" && "$python" - "$work/accuracy.txt" <<'PYTHON'
import json, sys
rows = open(sys.argv[1], encoding="utf-8").read().splitlines()
names = [r for r in rows if not r.startswith("{")]
values = [json.loads(r) for r in rows if r.startswith("{")]
for name, value in zip(names, values):
    sizes = ", ".join(f"{k}: {v:.3f}" for k, v in value["ap_by_size"].items() if v is not None)
    print(f"{name}: AP {value['ap']:.4f} on {value['pictures']} pictures ({sizes})")
print("AP with thresholds .3 .3 .1: facenet-pytorch {:.3f}, ours {:.3f}; with .6 .7 .7: {:.3f}, {:.3f}".format(*(v["ap"] for v in values)))
if values[0]["pictures"] == 422: # the set that the independent figures are for
    sys.exit(abs(values[0]["ap"] - 0.856) > 0.01 or abs(values[2]["ap"] - 0.833) > 0.01)
PYTHON
}
if [ -d "$data/WIDER_val" ]; then
    check "real pictures: the demo's models beside facenet-pytorch" accuracy "$work/demo/models/mtcnn_qat"
    check "real pictures: the models in models/ beside facenet-pytorch" accuracy "$PWD/models/mtcnn_qat"
else
    skip "real pictures" "no $data"
fi

# ---- Damaged and hostile files ------------------------------------------------------------------------------

hostile() {
    QMT_HOSTILE_ROUNDS=100 QMT_TOOL=$sanitized/qmtcnn QMT_BUILD=$sanitized QMT_ROOT=$PWD \
        tests/cli/test_hostile.sh
}
if [ -x "$sanitized/qmtcnn" ]; then
    check "damaged files, 100 of each a command, under sanitizers" hostile
else
    skip "damaged files under sanitizers" "no build in $sanitized: scripts/test.sh makes it"
fi
check "fuzzing, a minute a target" scripts/fuzz_smoke.sh "$PWD/build/fuzz" 60

if [ -z "$pattern" ]; then
    commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    {
        echo "# Last result of scripts/test.sh --all"
        echo
        echo "$(date -u +%Y-%m-%d), commit $commit, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores."
        if [ -n "${QMT_COUNT:-}" ]; then
            echo
            awk '/^[0-9]/ {p += $1; f += $2; s += $3}
                END {printf "Test cases with clang, gcc, ASan + UBSan and TSan, and style: %d passed, %d failed, %d skipped.\n", p, f, s}' "$QMT_COUNT"
        fi
        echo
        echo "| check | result | time | last line |"
        echo "| --- | --- | --- | --- |"
        cat "$results"
    } >docs/test_results.md
fi
if [ -n "${QMT_COUNT:-}" ]; then echo "$passed $failed $skipped" >>"$QMT_COUNT"; fi
echo "all: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
