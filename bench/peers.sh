#!/usr/bin/env bash
# Our runtime beside ONNX Runtime, OpenVINO, ncnn and facenet-pytorch, in one run on this machine: speed of the networks and of whole
# pictures, and where the engines' INT8 differs from exact arithmetic. Prints Markdown tables.
# Usage: bench/peers.sh TOOL CHECKPOINTS [PICTURE [THREADS]]
# TOOL is the qmtcnn command, CHECKPOINTS a folder of trained networks, PICTURE a photo. The engines come from PyPI into
# build/peers (about 1 GB, and 1 GB more with a picture: facenet-pytorch needs PyTorch); QMT_PYTHON names a Python that has them already.
set -euo pipefail
tool=$(realpath "${1:?usage: bench/peers.sh TOOL CHECKPOINTS [PICTURE [THREADS]]}") checkpoints=$(realpath "${2:?}")
picture=${3:-} threads=${4:-1}
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python=${QMT_PYTHON:-}
if [ -z "$python" ]; then
    python=$here/build/peers/bin/python
    if [ ! -x "$python" ]; then
        python3 -m venv "$here/build/peers"
        "$python" -m pip install --quiet --upgrade pip
        "$python" -m pip install --quiet numpy pillow onnx onnxruntime openvino ncnn
    fi
    if [ -n "$picture" ] && ! "$python" -c "import facenet_pytorch" 2>/dev/null; then
        "$python" -m pip install --quiet torch torchvision --index-url https://download.pytorch.org/whl/cpu ||
            "$python" -m pip install --quiet torch torchvision
        "$python" -m pip install --quiet --no-deps facenet-pytorch
        "$python" -m pip install --quiet requests tqdm
    fi
fi

"$tool" export --checkpoint "$checkpoints" --out "$work/fp32" --variant fp32 2>/dev/null
"$tool" export --checkpoint "$checkpoints" --out "$work/int8" 2>/dev/null
"$tool" export --checkpoint "$checkpoints" --out "$work/uint8" --target onnxruntime 2>/dev/null
"$tool" export --checkpoint "$checkpoints" --out "$work/uint8-7bit" --target onnxruntime --weight-bits 7 2>/dev/null

options=(--onnxruntime "$work/uint8,$work/uint8-7bit" --threads "$threads")
[ -n "$picture" ] && options+=(--picture "$picture")
"$python" "$here/bench/peers.py" "$tool" "$work/fp32" "$work/int8" "${options[@]}"
echo
echo "INT8 of single layers, as the engines fuse them, against exact arithmetic"
echo
folder=()
[ -n "$picture" ] && folder=(--pictures "$(dirname "$picture")" --count 2)
"$python" "$here/bench/exactness.py" "$work/int8" "$work/uint8" "$work/uint8-7bit" "${folder[@]}"
