#!/usr/bin/env bash
# Checks that 1, 2 and 3 threads and 2 MPI ranks give the same bytes in `prepare` and `train` of each network. R-Net and
# O-Net mine with the INT8 networks before them. Usage: scripts/check_ranks.sh TOOL
set -euo pipefail
tool=$(realpath "${1:?usage: check_ranks.sh TOOL}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
must() { "$@" >log 2>&1 || { tail -n 40 log; echo "failed: $*"; exit 1; }; }
must "$tool" synth --out data --images 30 --val-images 0 --synth.width 480 --synth.height 360 --seed 3
declare -A batch=([pnet]=128 [rnet]=64 [onet]=32) steps=([pnet]=40 [rnet]=15 [onet]=8)
others=(2 3)
ranks=(mpirun -np 2 --oversubscribe --allow-run-as-root)
if command -v mpirun >/dev/null; then others+=(ranks); else echo "no mpirun: ranks are left out"; fi

for net in pnet rnet onet; do
    prepare=(prepare --data data --net "$net" --seed 5 --prepare.shard_samples 2048 --prepare.max_negatives 2000 --prepare.max_parts 1500 --detect.max_proposals 200)
    if [ $net != pnet ]; then prepare+=(--models models --prepare.mine_precision int8); fi
    train=(train --model "$net" --samples samples-1 --train.epochs 3 --train.batch "${batch[$net]}"
        --train.steps_per_epoch "${steps[$net]}" --quantize.calibration_batches 4)
    for other in 1 "${others[@]}"; do
        run=("$tool") threads=$other
        if [ "$other" = ranks ]; then run=("${ranks[@]}" "$tool") threads=1; fi
        must "${run[@]}" "${prepare[@]}" --out "samples-$other/$net" --threads "$threads"
        must "${run[@]}" "${train[@]}" --checkpoints "train-$other" --logs "logs-$other" --threads "$threads"
        if [ "$other" = 1 ]; then continue; fi
        diff -r "samples-1/$net" "samples-$other/$net"
        for file in "train-1/$net"/*.safetensors; do
            cmp "$file" "train-$other/$net/$(basename "$file")"
        done
        if [ "$other" = ranks ]; then other="2 ranks"; else other="$other threads"; fi
        echo "$net: 1 thread and $other: the same samples and checkpoints"
    done
    must "$tool" export --checkpoint train-1 --variant qat --out models
done
echo "ranks and threads: the same bytes"
