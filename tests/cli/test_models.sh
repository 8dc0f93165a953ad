#!/usr/bin/env bash
# The models that the repository ships: they keep TensorRT's rules, say how they want to be used, and find faces.
set -uo pipefail
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
models="$(cd "$(dirname "$0")/../.." && pwd)/models"
cd "$tap_work" || exit 1

rules() {
    for folder in mtcnn_fp32 mtcnn_qat; do
        for net in pnet rnet onet; do exits 0 qmtcnn info --check tensorrt "$models/$folder/$net.onnx" >/dev/null || return 1; done
    done
}
advice() {
    exits 0 qmtcnn info "$models/mtcnn_qat/onet.onnx" >info.txt && has 'qmtcnn.fusion' info.txt && has 'qmtcnn.vote' info.txt && has 'qmtcnn.last_nms' info.txt
}
# The path of a machine or of a person's folder would travel with every copy.
no_paths() { ! grep -aE '/(home|root|tmp|work|Users)/' "$models"/*/*.onnx; }
# Drawn faces are unlike all that these models were trained on; most of them are found nevertheless.
faces() {
    local precision found=0
    exits 0 qmtcnn synth --out drawn --images 0 --val-images 6 --seed 3 >/dev/null 2>&1 || return 1
    for precision in fp32 int8; do
        local folder=mtcnn_fp32
        [ $precision = int8 ] && folder=mtcnn_qat
        exits 0 qmtcnn eval --data drawn --models "$models/$folder" --precision $precision --format json >"$precision.json" 2>/dev/null || return 1
        found=$(sed -n 's/.*"1": \([0-9.]*\).*/\1/p' "$precision.json" | head -n 1)
        echo "# $precision: recall at 1 false alarm a picture: $found"
        awk -v found="$found" 'BEGIN { exit !(found > 0.5) }' || return 1
    done
}
# Suppression that is told is the same as by default, or changes what is found; it takes three numbers from 0 to 1.
suppression() {
    local pictures=(drawn/WIDER_val/images/*/*)
    exits 0 qmtcnn detect --models "$models/mtcnn_qat" --format csv "${pictures[@]}" >default.csv &&
        exits 0 qmtcnn detect --models "$models/mtcnn_qat" --format csv --nms .5,.7,.7 "${pictures[@]}" | cmp -s - default.csv &&
        exits 0 qmtcnn detect --models "$models/mtcnn_qat" --format csv --nms .1,.1,.1 "${pictures[@]}" >strict.csv &&
        ! cmp -s strict.csv default.csv && exits 2 qmtcnn detect --nms .5,.7 "${pictures[0]}" && exits 2 qmtcnn detect --nms 2,.7,.7 "${pictures[0]}"
}
ok "models: TensorRT's rules hold" rules
ok "models: the files say how the cascade is meant" advice
ok "models: no file holds a path of the machine that made it" no_paths
ok "models: FP32 and INT8 find drawn faces" faces
ok "detect --nms" suppression
done_testing
