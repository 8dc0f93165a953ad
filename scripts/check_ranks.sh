#!/usr/bin/env bash
# Checks that 1, 2 and 3 threads and 2 MPI ranks give the same bytes in `prepare` and `train`.
# Usage: scripts/check_ranks.sh TOOL
set -euo pipefail
tool=$(realpath "${1:?usage: check_ranks.sh TOOL}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$tool" synth --out data --images 40 --val-images 4 --seed 3 2>/dev/null
small=(--train.epochs 3 --train.steps_per_epoch 40 --train.batch 128 --quantize.calibration_batches 4)
ranks=()
if command -v mpirun >/dev/null; then ranks=(mpirun -np 2 --oversubscribe --allow-run-as-root); else echo "no mpirun: ranks skipped"; fi

for threads in 1 2 3; do
    "$tool" prepare --data data --net pnet --out "samples-$threads" --seed 5 --threads $threads 2>>log
    "$tool" train --model pnet --samples samples-1 --checkpoints "train-$threads" --logs "logs-$threads" --threads $threads "${small[@]}" 2>>log
done
others=(2 3)
if [ ${#ranks[@]} -gt 0 ]; then
    "${ranks[@]}" "$tool" prepare --data data --net pnet --out samples-ranks --seed 5 --threads 1 2>>log
    "${ranks[@]}" "$tool" train --model pnet --samples samples-1 --checkpoints train-ranks --logs logs-ranks --threads 1 "${small[@]}" 2>>log
    others+=(ranks)
fi
for other in "${others[@]}"; do
    diff -r samples-1 "samples-$other"
    for file in train-1/pnet/*.safetensors; do
        cmp "$file" "train-$other/pnet/$(basename "$file")"
    done
    echo "1 thread and $other: the same bytes"
done
