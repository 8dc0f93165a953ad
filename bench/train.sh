#!/usr/bin/env bash
# Training samples a second. Usage: bench/train.sh TOOL [THREADS]
set -euo pipefail
tool=${1:?usage: bench/train.sh TOOL [THREADS]} threads=${2:-2}
for net in pnet rnet onet; do
    for mode in fp32 qat; do
        "$tool" bench train --net $net --mode $mode --threads "$threads" --seconds 5 --format json
    done
done
