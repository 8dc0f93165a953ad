#!/usr/bin/env bash
# O-Net trained with other settings, behind the P- and R-Net of a finished run: three lines of a Markdown table for each CONFIG, FP32, PTQ and QAT.
# Usage: bench/ablation.sh TOOL DATA RUN CONFIG...
# RUN is the working folder of a finished `qmtcnn run` with its samples; networks go to RUN/ablation/NAME, where a training that was stopped goes on
# and a finished one with the same settings stays (minutes: since the last start). Scores of P- and R-Net as the run calibrated them, O-Net's as trained.
set -euo pipefail
tool=$(realpath "${1:?usage: bench/ablation.sh TOOL DATA RUN CONFIG...}") data=$(realpath "${2:?}") run=$(realpath "${3:?}")
shift 3
echo "| O-Net | | held out: score, box IoU, landmark error | AP, O-Net's score alone | AP | 20-40 | 40-80 | 80-160 | R at 0.1 | R at 1 | NME | minutes |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
for config in "$@"; do
    name=$(basename "$config" .yaml) out=$run/ablation/$(basename "$config" .yaml)
    mkdir -p "$out/checkpoints"
    for net in pnet rnet scores.json; do ln -sfn "../../../checkpoints/$net" "$out/checkpoints/$net"; done
    start=$SECONDS
    settings=$("$tool" info "$config" | cksum)
    if [ "$(cat "$out/settings" 2>/dev/null)" != "$settings" ]; then
        rm -rf "$out/checkpoints/onet" "$out/done"
        echo "$settings" >"$out/settings"
    fi
    if [ ! -e "$out/done" ]; then
        "$tool" train --model onet --config "$config" --samples "$run/samples/onet" --checkpoints "$out/checkpoints" \
            --logs "$out/logs" --resume >>"$out/log.txt" 2>&1
        echo $(((SECONDS - start + 30) / 60)) >"$out/done"
    fi
    for variant in fp32 ptq qat; do
        "$tool" export --config "$config" --checkpoint "$out/checkpoints" --out "$out/models/$variant" --variant $variant >>"$out/log.txt" 2>&1
        for fusion in 0 0.5; do
            "$tool" eval --config "$config" --data "$data" --models "$out/models/$variant" --thresholds .3,.3,.01 --fuse $fusion \
                --format json >"$out/$variant-$fusion.json" 2>>"$out/log.txt"
        done
    done
    python3 - "$name" "$out" "$(cat "$out/done")" <<'PYTHON'
import json, sys
name, out, minutes = sys.argv[1:]
history = json.load(open(f"{out}/checkpoints/onet/history.json"))
best = {variant: history["epochs"][history["best"][variant]["epoch"]]["validation"] for variant in ("fp32", "qat")}
figures = {"fp32": best["fp32"]["fp32"], "ptq": history["ptq"]["validation"]["int8"], "qat": best["qat"]["int8"]}
for variant, figure in figures.items():
    held_out = ", ".join(f"{figure[key]:.3f}" for key in ("score", "box_iou", "landmark_error"))
    alone, found = (json.load(open(f"{out}/{variant}-{fusion}.json")) for fusion in ("0", "0.5"))
    sizes, rates = found["ap_by_size"], found["froc"]
    row = [alone["ap"], found["ap"], sizes["20-40"], sizes["40-80"], sizes["80-160"], rates["0.1"], rates["1"], found["landmark_error"]]
    print(f"| {name} | {variant} | {held_out} | " + " | ".join(f"{value:.3f}" for value in row) + f" | {minutes} |")
    name = minutes = ""
PYTHON
done
