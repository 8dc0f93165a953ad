#!/usr/bin/env bash
# The self-test, and what `bench detect` says of stages, layers and energy.
set -u
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

models=$tap_work/models out=$tap_work/out sysfs=$tap_work/sys
small=(--size 160x120 --rnet-crops 2 --onet-crops 2 --seconds 0.01)

selftest_passes() { qmtcnn selftest --models "$models" >"$out" && has "passed: kernels" "$out" && has "conv3" "$out"; }
selftest_json() {
    qmtcnn selftest --kernels c --format json >"$out" && is_json "$out" && has '"passed": true' "$out" &&
        has '"first_difference": null' "$out"
}
same_hashes() { # of all kernels, on the built-in networks
    qmtcnn selftest | grep '  right$' >"$tap_work/best" && qmtcnn selftest --kernels c | grep '  right$' | cmp - "$tap_work/best"
}
profile_text() {
    qmtcnn bench detect --models "$models" --profile "${small[@]}" >"$out" && has "P-Net, all levels" "$out" &&
        has "GMAC/s" "$out" && has "normalize" "$out" && has "NMS" "$out"
}
profile_json() {
    qmtcnn bench detect --models "$models" --profile "${small[@]}" --format json >"$out" && is_json "$out" &&
        has '"stages": [' "$out" && has '"name": "conv2"' "$out" && has '"peak_fraction"' "$out"
}
no_meter() {
    mkdir -p "$sysfs" && qmtcnn bench detect --models "$models" --energy --sysfs "$sysfs" "${small[@]}" >"$out" &&
        has "not measured here: no RAPL" "$out" &&
        qmtcnn bench detect --models "$models" --energy --sysfs "$sysfs" --format json "${small[@]}" >"$out" &&
        is_json "$out" && has '"energy": null' "$out"
}
power_meter() { # 10 V x 500 mA
    local chip=$sysfs/class/hwmon/hwmon0
    mkdir -p "$chip" && echo ina3221 >"$chip/name" && echo VDD_IN >"$chip/in1_label" && echo 10000 >"$chip/in1_input" &&
        echo 500 >"$chip/curr1_input" &&
        qmtcnn bench detect --models "$models" --energy --sysfs "$sysfs" --format json "${small[@]}" >"$out" &&
        is_json "$out" && has '"source": "INA3221 VDD_IN"' "$out" && grep -qE '"watts": (5\.0|4\.999|5\.000)' "$out" && has '"ratio": ' "$out"
}

mkdir -p "$models"
ok "random models" "$QMT_BUILD/tests/tools/make_models" "$models"
ok "selftest with models" selftest_passes
ok "selftest as JSON" selftest_json
ok "selftest: the same hashes from the best kernels and plain C" same_hashes
ok "selftest: kernels that are not there" exits 2 qmtcnn selftest --kernels abacus
ok "selftest: models that are not there" exits 1 qmtcnn selftest --models "$tap_work/nowhere"
ok "bench detect --profile" profile_text
ok "bench detect --profile as JSON" profile_json
ok "bench detect --energy without a meter" no_meter
ok "bench detect --energy with a power meter" power_meter
ok "export: engine scripts are TensorRT's" exits 2 qmtcnn export --checkpoint x --out y --target onnxruntime --generate-trt-script
ok "export: weights of 6 bits" exits 2 qmtcnn export --checkpoint x --out y --target onnxruntime --weight-bits 6
done_testing
