#!/usr/bin/env bash
# Kills `prepare` and `train` of each network with SIGKILL at random times and checks that the resumed runs end with the same
# bytes as runs that were never stopped. R-Net and O-Net mine with the INT8 networks before them.
# Usage: scripts/check_kill.sh TOOL [KILLS [NET...]]
set -euo pipefail
tool=$(realpath "${1:?usage: check_kill.sh TOOL [KILLS [NET...]]}") kills=${2:-20}
shift $(($# > 2 ? 2 : $#))
nets=("$@")
if [ ${#nets[@]} = 0 ]; then nets=(pnet rnet onet); fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
RANDOM=7
start=$SECONDS
say() { echo "[$((SECONDS - start)) s] $*"; }
must() { "$@" >log 2>&1 || { tail -n 40 log; echo "failed: $*"; exit 1; }; }

# Runs a command again and again, each time killed after a random part of SECONDS, until $kills kills have struck. Whenever
# it ends by itself, and at last when no more kills are due, its result must be SAME; then it starts from nothing.
run_killed() { # SECONDS SAME FOLDER COMMAND...
    local whole=$1 same=$2 folder=$3 killed=0 finished=0 process status
    shift 3
    while :; do
        status=0
        "$@" >log 2>&1 &
        process=$!
        if [ $killed -lt "$kills" ]; then
            sleep "$(awk -v r=$RANDOM -v w="$whole" 'BEGIN {printf "%.3f", 0.02 + r / 32768 * w}')"
            kill -9 $process 2>/dev/null || true
        fi
        wait $process 2>/dev/null || status=$?
        if [ $status = 137 ]; then
            killed=$((killed + 1))
            continue
        fi
        if [ $status != 0 ]; then
            tail -n 5 log
            echo "failed after $killed kills: $*"
            exit 1
        fi
        $same || exit 1
        finished=$((finished + 1))
        if [ $killed -ge "$kills" ]; then break; fi
        rm -rf "$folder"
    done
    say "$killed kills, $finished runs came to their end with the same bytes"
}
same_samples() { diff -r "samples/$net" samples-killed; }
same_checkpoints() {
    local file
    for file in "checkpoints/$net"/*.safetensors; do
        cmp "$file" "killed/$net/$(basename "$file")" || return 1
    done
}
timed() { # COMMAND...: its seconds, in $seconds
    local begin
    begin=$(date +%s.%N)
    must "$@"
    seconds=$(awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN {printf "%.2f", b - a}')
}

must "$tool" synth --out data --images 40 --val-images 0 --synth.width 480 --synth.height 360 --seed 3
declare -A batch=([pnet]=128 [rnet]=64 [onet]=32) steps=([pnet]=60 [rnet]=30 [onet]=20)
for net in pnet rnet onet; do
    prepare=(prepare --data data --net "$net" --seed 5 --prepare.shard_samples 2048 --prepare.max_negatives 2000 --prepare.max_parts 1500 --detect.max_proposals 200)
    if [ $net != pnet ]; then prepare+=(--models models --prepare.mine_precision int8); fi
    train=(train --model "$net" --samples samples --train.epochs 4 --train.batch "${batch[$net]}" --train.checkpoint_seconds 1
        --train.steps_per_epoch "${steps[$net]}" --quantize.calibration_batches 4)

    timed "$tool" "${prepare[@]}" --out "samples/$net"
    if [[ " ${nets[*]} " == *" $net "* ]]; then
        say "prepare --net $net takes $seconds s"
        run_killed "$(awk -v s="$seconds" 'BEGIN {print s * 0.8}')" same_samples samples-killed \
            "$tool" "${prepare[@]}" --out samples-killed --resume
        rm -rf samples-killed
    fi
    timed "$tool" "${train[@]}" --checkpoints checkpoints --logs logs
    if [[ " ${nets[*]} " == *" $net "* ]]; then
        say "train --model $net takes $seconds s"
        run_killed "$(awk -v s="$seconds" 'BEGIN {print s * 0.5}')" same_checkpoints killed \
            "$tool" "${train[@]}" --checkpoints killed --logs logs-killed --resume
        rm -rf killed logs-killed
    fi
    # For mining.
    must "$tool" export --checkpoint checkpoints --variant qat --out models
done
echo "kill: prepare and train of ${nets[*]}, $kills kills each, the same bytes"
