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

# Runs a command again and again, each time killed after a random part of SECONDS, until $kills kills have struck. Whenever
# it ends by itself, and at last when no more kills are due, its result must be SAME; then it starts from nothing.
run_killed() { # SECONDS SAME FOLDER COMMAND...
    local whole=$1 same=$2 folder=$3 killed=0 finished=0 process
    shift 3
    while :; do
        "$@" >>log 2>&1 &
        process=$!
        if [ $killed -lt "$kills" ]; then
            sleep "$(awk -v r=$RANDOM -v w="$whole" 'BEGIN {printf "%.3f", 0.02 + r / 32768 * w}')"
            if kill -9 $process 2>/dev/null; then killed=$((killed + 1)); fi
            if ! wait $process 2>/dev/null; then continue; fi
        else
            wait $process
        fi
        $same
        finished=$((finished + 1))
        if [ $killed -ge "$kills" ]; then break; fi
        rm -rf "$folder"
    done
    echo "$killed kills, $finished runs came to their end"
}
same_samples() { diff -r samples-whole samples-killed; }
same_checkpoints() {
    local file
    for file in whole/pnet/*.safetensors; do
        cmp "$file" "killed/pnet/$(basename "$file")" || return 1
    done
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
run_killed "$(awk -v s="$seconds" 'BEGIN {print s * 0.8}')" same_samples samples-killed \
    "$tool" prepare --data data --net pnet --out samples-killed --seed 5 --resume
echo "prepare: the same bytes"

seconds=$(timed "$tool" train --model pnet --samples samples-whole --checkpoints whole --logs logs1 "${small[@]}")
echo "train takes $seconds s"
run_killed "$(awk -v s="$seconds" 'BEGIN {print s * 0.5}')" same_checkpoints killed \
    "$tool" train --model pnet --samples samples-whole --checkpoints killed --logs logs2 --resume "${small[@]}"
echo "train: the same bytes"
