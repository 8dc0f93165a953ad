#!/usr/bin/env bash
# Our models beside facenet-pytorch's MTCNN (original weights) on a data set's val split, judged by the same rules.
# Usage: bench/accuracy.sh TOOL PYTHON DATA MODELS
set -euo pipefail
tool=${1:?usage: bench/accuracy.sh TOOL PYTHON DATA MODELS} python=${2:?} data=${3:?} models=${4:?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$(cd "$(dirname "$0")/.." && pwd)
for thresholds in "0.3 0.3 0.1" "0.6 0.7 0.7"; do
    # shellcheck disable=SC2086
    "$python" "$here/scripts/check_facenet.py" "$data" "$work/facenet" --thresholds $thresholds >&2
    echo "facenet-pytorch, thresholds $thresholds"
    "$tool" eval --predictions "$work/facenet" --data "$data" --format json
    echo "$models, thresholds $thresholds"
    "$tool" eval --data "$data" --models "$models" --thresholds "${thresholds// /,}" --format json
done
