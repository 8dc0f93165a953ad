#!/usr/bin/env bash
# Kills `prepare` and `train` with SIGKILL at random times and checks that the resumed runs end with the same bytes as
# runs that were never stopped. Usage: scripts/check_kill.sh TOOL [KILLS]
set -euo pipefail
tool=$(realpath "${1:?usage: check_kill.sh TOOL [KILLS]}") kills=${2:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
RANDOM=7

"$tool" synth --out data --images 60 --val-images 4 --seed 3 2>/dev/null
small=(--train.epochs 4 --train.steps_per_epoch 60 --train.batch 128 --train.checkpoint_seconds 1 --quantize.calibration_batches 4)

# Runs a command until it ends by itself; the first $kills times it is killed after a random part of $1 seconds.
run_killed() {
    local whole=$1 killed=0
    shift
    while :; do
        "$@" >>log 2>&1 &
        local process=$!
        if [ $killed -lt "$kills" ]; then
            sleep "$(awk -v r=$RANDOM -v w="$whole" 'BEGIN {printf "%.3f", 0.02 + r / 32768 * w}')"
            if kill -9 $process 2>/dev/null; then killed=$((killed + 1)); fi
            wait $process 2>/dev/null || true
        else
            wait $process
            break
        fi
    done
    echo "$killed kills"
}
timed() {
    local start end
    start=$(date +%s.%N)
    "$@" >>log 2>&1
    end=$(date +%s.%N)
    awk -v a="$start" -v b="$end" 'BEGIN {printf "%.2f", b - a}'
}

seconds=$(timed "$tool" prepare --data data --net pnet --out samples-whole --seed 5)
echo "prepare takes $seconds s"
run_killed "$(awk -v s="$seconds" 'BEGIN {print s * 0.8}')" "$tool" prepare --data data --net pnet --out samples-killed --seed 5 --resume
diff -r samples-whole samples-killed
echo "prepare: the same bytes"

seconds=$(timed "$tool" train --model pnet --samples samples-whole --checkpoints whole --logs logs1 "${small[@]}")
echo "train takes $seconds s"
run_killed "$(awk -v s="$seconds" 'BEGIN {print s * 0.5}')" \
    "$tool" train --model pnet --samples samples-whole --checkpoints killed --logs logs2 --resume "${small[@]}"
for file in whole/pnet/*.safetensors; do
    cmp "$file" "killed/pnet/$(basename "$file")"
done
echo "train: the same bytes"
