#!/usr/bin/env bash
# Training samples a second of each network, FP32 and QAT. With a Python that has PyTorch, SCRIPT (bench/train_torch.py)
# runs in between and the ratios are printed. Another SCRIPT prints a JSON line a network with "net", "fp32",
# "fp32_channels_last" and "qat" (samples a second). Usage: bench/train.sh TOOL [THREADS [PYTHON [SCRIPT [SECONDS]]]]
set -euo pipefail
tool=${1:?usage: bench/train.sh TOOL [THREADS [PYTHON [SCRIPT [SECONDS]]]]}
threads=${2:-2} python=${3:-} script=${4:-$(dirname "$0")/train_torch.py} seconds=${5:-5}
ours=$(mktemp) theirs=$(mktemp)
trap 'rm -f "$ours" "$theirs"' EXIT
measure() {
    for net in pnet rnet onet; do
        for mode in fp32 qat; do
            "$tool" bench train --net $net --mode $mode --threads "$threads" --seconds "$seconds" --format json
        done
    done | tee -a "$ours"
}
measure
[ -n "$python" ] || exit 0
"$python" "$script" --threads "$threads" --seconds "$seconds" | tee "$theirs"
measure # before and after PyTorch: the mean of both, since machines drift
"$python" - "$ours" "$theirs" <<'END'
import json
import sys

ours = {}
for line in open(sys.argv[1]):
    row = json.loads(line)
    ours.setdefault((row["net"], row["mode"]), []).append(row["samples_per_second"])
for line in open(sys.argv[2]):
    row = json.loads(line)
    fp32, qat = (sum(ours[row["net"], mode]) / len(ours[row["net"], mode]) for mode in ("fp32", "qat"))
    best = max(row["fp32"], row["fp32_channels_last"])
    print(f"{row['net']}: QAT over PyTorch's QAT {qat / row['qat']:.2f}, over its best FP32 {qat / best:.2f}; "
          f"FP32 over its best FP32 {fp32 / best:.2f}; QAT takes {fp32 / qat:.2f} of FP32's time")
END
