#!/usr/bin/env bash
# Network and picture times of one VGA frame. Usage: bench/detect.sh TOOL MODELS_FP32 MODELS_INT8 [PICTURE]
set -euo pipefail
tool=${1:?usage: bench/detect.sh TOOL MODELS_FP32 MODELS_INT8 [PICTURE]} fp32=${2:?} int8=${3:?} picture=${4:-}
options=(--size 640x480 --min-face 20 --rnet-crops 64 --onet-crops 16 --format json)
[ -n "$picture" ] && options+=(--image "$picture")
for threads in 1 2; do
    "$tool" bench detect --models "$fp32" --precision fp32 --threads $threads "${options[@]}"
    "$tool" bench detect --models "$int8" --precision int8 --threads $threads "${options[@]}"
done
