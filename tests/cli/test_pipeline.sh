#!/usr/bin/env bash
# The whole way on a handful of synthetic pictures: `qmtcnn run`, then every command by itself on what it made.
set -uo pipefail
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
cd "$tap_work" || exit 1

batch=64 steps=60 rnet_steps=40 onet_steps=10 rounding=adaptive
if is_sanitized; then batch=16 steps=20 rnet_steps=4 onet_steps=1 rounding=nearest; fi
cat >tiny.yaml <<YAML
run: {workdir: work, threads: 2}
synth: {images: 24, val_images: 4, width: 320, height: 240, max_face: 160}
prepare: {max_negatives: 1000, max_positives: 300, max_parts: 300, max_landmarks: 300, shard_samples: 1024}
train: {epochs: 3, batch: $batch, steps_per_epoch: $steps, log_steps: 20, rnet: {steps_per_epoch: $rnet_steps}, onet: {steps_per_epoch: $onet_steps}}
quantize: {calibration_batches: 2, ptq_samples: 32, rounding: $rounding}
evaluate: {bootstrap: 20, min_retention: 0, thresholds: [0.3, 0.3, 0.1]}
detect: {max_proposals: 100, min_face: 24}
YAML
models=work/models/mtcnn_qat
# So little training finds next to nothing at the usual scores.
low=(--thresholds "0.1,0.1,0.05" --max-proposals 50)

# ---- run ------------------------------------------------------------------------------------------

first_run() {
    exits 0 qmtcnn run tiny.yaml && test -s work/report/index.html && is_json work/report/report.json &&
        ls work/models/mtcnn_{fp32,ptq,qat}/{pnet,rnet,onet}.onnx work/logs/*/events.out.tfevents.* &&
        grep -q 'epochs: 3' work/config.yaml
}
second_run() {
    local before after
    before=$(find work -type f ! -name config.yaml -printf '%p %s %T@\n' | sort)
    exits 0 qmtcnn run tiny.yaml >again.txt 2>&1 || return 1
    after=$(find work -type f ! -name config.yaml -printf '%p %s %T@\n' | sort)
    [ "$(grep -c 'done already' again.txt)" = 9 ] && [ "$before" = "$after" ]
}
changed_run() {
    exits 0 qmtcnn run tiny.yaml --evaluate.bootstrap 10 >again.txt 2>&1 &&
        [ "$(grep -c 'done already' again.txt)" = 8 ] && ! has 'report: done already' again.txt
}
ok "run: samples, training, export, validation, report" first_run
ok "run: the second time nothing is left to do" second_run
ok "run: another setting of the report makes only the report again" changed_run

val=(work/data/WIDER_val/images/*/*.jpg)

# ---- info -----------------------------------------------------------------------------------------

info_text() { exits 0 qmtcnn info "$@" >info.txt && test -s info.txt; }
info_json() { exits 0 qmtcnn info "$@" --format json >info.json && is_json info.json; }
info_both() { info_text "$@" && info_json "$@"; }
info_config() { info_both tiny.yaml && has 'workdir: ' info.json && qmtcnn info tiny.yaml >whole.yaml && exits 0 qmtcnn info whole.yaml; }
info_rules() {
    local file
    for file in work/models/*/*.onnx; do
        exits 0 qmtcnn info --check tensorrt "$file" >info.txt || return 1
        grep -qE '^errors +0$' info.txt || return 1
    done
    info_json --check tensorrt $models
}
ok "info: this build" info_both
ok "info: a network" info_both $models/pnet.onnx
ok "info: a folder of networks" info_both work/models/mtcnn_fp32
ok "info: a checkpoint" info_both work/checkpoints/pnet/qat.safetensors
ok "info: samples" info_both work/samples/rnet --decode
ok "info: a data set" info_both work/data --decode --threads 2
ok "info: a configuration reads back" info_config
ok "info --check tensorrt: all files" info_rules

# ---- eval and validate ----------------------------------------------------------------------------

eval_data() { exits 0 qmtcnn eval --config tiny.yaml --data work/data "$@"; }
eval_json() {
    eval_data --models $models --precision int8 --threads 1 --limit 3 --format json >eval.json && is_json eval.json &&
        has '"ap_by_size"' eval.json && has '"pictures": 3' eval.json
}
eval_text() { eval_data --models work/models/mtcnn_fp32 --precision fp32 >eval.txt && has Protocol eval.txt; }
eval_html() { eval_data --models $models --format html --out eval.html && has '</html>' eval.html; }
eval_stage() {
    local net
    for net in pnet rnet onet; do
        eval_data --models $models --stage $net --min-face 24 --split train --limit 4 --format json >stage.json &&
            is_json stage.json && has "\"$net\"" stage.json || return 1
    done
}
eval_save() {
    eval_data --models $models --thresholds 0.3,0.3,0.1 --save-detections submission &&
        [ "$(find submission -name '*.txt' | wc -l)" = 4 ]
}
eval_official() {
    mkdir -p official/0--Parade
    printf '0_Parade_marchingband_1_465.jpg\n1\n345 211 4 4 0.9\n' >official/0--Parade/0_Parade_marchingband_1_465.txt
    exits 1 qmtcnn eval --predictions submission --ground-truth "$truth" 2>wrong.txt && has 0--Parade wrong.txt || return 1
    exits 0 qmtcnn eval --predictions official --ground-truth "$truth" --format json >official.json &&
        is_json official.json && has '"ap_easy"' official.json
}
ok "eval: JSON" eval_json
ok "eval: text" eval_text
ok "eval: a page" eval_html
ok "eval --stage: each network" eval_stage
ok "eval --save-detections" eval_save
truth=$QMT_ROOT/../shared/data/wider_official
if [ -d "$truth" ]; then
    ok "eval --predictions" eval_official
else
    skip "eval --predictions" "no official ground truth"
fi

validate() { qmtcnn validate --config tiny.yaml --data work/data --fp32 work/models/mtcnn_fp32 --int8 "$@"; }
# Small batches may teach too little for a comparison; the tool says so, then.
validates() {
    local status
    validate "$@" 2>validate.err
    status=$?
    cat validate.err >&2
    [ $status = 0 ] || { [ $status = 1 ] && is_sanitized && has 'nothing to keep' validate.err; }
}
validate_json() {
    validates $models --ptq work/models/mtcnn_ptq --stages --threads 2 --format json >validate.json &&
        is_json validate.json && has '"retention"' validate.json
}
validate_text() { validates $models --limit 2 --min-retention 0 >validate.txt && has 'worst first' validate.txt; }
validate_html() { validates $models --format html --out validate.html && has '</html>' validate.html; }
validate_wrong() { exits 1 validate work/nothing 2>wrong.txt && has work/nothing wrong.txt; }
ok "validate --stages: JSON" validate_json
ok "validate: text" validate_text
ok "validate: a page" validate_html
ok "validate: a folder that is not there" validate_wrong

# ---- detect ---------------------------------------------------------------------------------------

detect() { qmtcnn detect --models $models "${low[@]}" "$@"; }
faces() { grep -o '"score"' found.json | wc -l; }
detect_json() { exits 0 detect work/data/WIDER_val >found.json && is_json --lines found.json && [ "$(wc -l <found.json)" = 4 ]; }
detect_csv() { exits 0 detect --format csv "${val[@]}" >found.csv && [ $(($(wc -l <found.csv) - 1)) = "$(faces)" ]; }
detect_wider() {
    exits 0 detect --format wider --threads 1 --clip image --min-face 20 --max-face 0 --scale-factor 0.709 "${val[@]}" \
        >found.txt && [ "$(wc -l <found.txt)" = $(($(faces) + 8)) ]
}
detect_annotate() { exits 0 detect --annotate drawn "${val[@]}" && [ "$(find drawn -name '*.jpg' | wc -l)" = 4 ] && exits 0 detect drawn; }
detect_stdin() { # the same faces as from the file
    exits 0 detect - <"${val[0]}" >stdin.json && is_json stdin.json && head -n 1 found.json | sed 's/.*"faces"/"faces"/' >want.txt &&
        sed 's/.*"faces"/"faces"/' stdin.json | cmp - want.txt
}
detect_bad() { # the others go on
    head -c 2000 "${val[0]}" >cut.jpg
    exits 1 detect "${val[0]}" cut.jpg none.jpg "${val[1]}" >some.json 2>bad.txt && [ "$(wc -l <some.json)" = 2 ] &&
        has cut.jpg bad.txt && has none.jpg bad.txt && [ "$(wc -l <bad.txt)" = 2 ]
}
detect_precision() { exits 0 qmtcnn detect --models work/models/mtcnn_fp32 --precision fp32 "${low[@]}" "${val[0]}" >fp32.json && is_json fp32.json; }
ok "detect: JSON" detect_json
ok "detect: CSV" detect_csv
ok "detect: WIDER" detect_wider
ok "detect --annotate" detect_annotate
ok "detect: standard input" detect_stdin
ok "detect: bad pictures are named, the others go on" detect_bad
ok "detect --precision" detect_precision

# ---- export and bench -----------------------------------------------------------------------------

export_again() { # as `run` did, to the same bytes
    exits 0 qmtcnn export --config tiny.yaml --checkpoint work/checkpoints --out exported --generate-trt-script &&
        cmp exported/onet.onnx $models/onet.onnx && bash -n exported/build_tensorrt_engines.sh &&
        test -s exported/build_tensorrt_engines.bat
}
export_options() {
    exits 0 qmtcnn export --checkpoint work/checkpoints --out caffe --variant fp32 --profile caffe --target tensorrt --opset 17 \
        --thresholds 0.5,0.6,0.7 && exits 0 qmtcnn info --check tensorrt caffe && exits 0 qmtcnn detect --models caffe "${val[0]}"
}
bench_detect() {
    exits 0 qmtcnn bench detect --models $models --precision int8 --size 160x120 --min-face 20 --rnet-crops 8 --onet-crops 2 \
        --threads 1 --image "${val[0]}" --seconds 0.01 --format json >bench.json && is_json bench.json && has '"picture_ms"' bench.json
}
bench_train() {
    exits 0 qmtcnn bench train --net pnet --mode qat --threads 2 --seconds 0.1 --format json >bench.json && is_json bench.json &&
        has '"samples_per_second"' bench.json
}
quantize_again() { # FP32 files to INT8 ones: all rules kept, the same bytes for any number of threads
    local net
    exits 0 qmtcnn quantize --config tiny.yaml --models work/models/mtcnn_fp32 --data work/data --out quantized \
        --samples 64 --detect.min_face 20 --evaluate.thresholds 0.05,0.02,0.1 --keep onet/conv1 --threads 1 >quantized.txt &&
        exits 0 qmtcnn quantize --config quantized/config.yaml --models work/models/mtcnn_fp32 --data work/data \
            --out quantized2 --threads 3 && has 'SQNR' quantized.txt && grep -q '^onet  conv1 *fp32' quantized.txt || return 1
    for net in pnet rnet onet; do
        cmp quantized/$net.onnx quantized2/$net.onnx && exits 0 qmtcnn info --check tensorrt quantized/$net.onnx || return 1
    done
    qmtcnn detect --models quantized --precision int8 "${low[@]}" "${val[0]}" >found.json && is_json found.json
}
quantize_wrong() {
    exits 1 qmtcnn quantize --models quantized --data work/data --out x 2>wrong.txt && has 'INT8 already' wrong.txt &&
        exits 1 qmtcnn quantize --models work/models/mtcnn_fp32 --data nowhere --out x 2>wrong.txt && has nowhere wrong.txt &&
        exits 1 qmtcnn quantize --models nowhere --data work/data --out x 2>wrong.txt && has nowhere/pnet.onnx wrong.txt &&
        exits 2 qmtcnn quantize --models nowhere --data work/data && exits 2 qmtcnn quantize --models a --data b --out c --samples 3 &&
        [ ! -e x ]
}
ok "quantize: INT8 without training" quantize_again
ok "quantize: wrong use" quantize_wrong
ok "export --generate-trt-script" export_again
ok "export: names, opset, thresholds" export_options
ok "bench detect" bench_detect
ok "bench train" bench_train

# ---- synth, prepare, train ------------------------------------------------------------------------

synth() { # the pictures of `run`, on one thread
    exits 0 qmtcnn synth --config tiny.yaml --images 24 --val-images 4 --seed 1 --threads 1 --out drawn-again &&
        diff -r work/data/WIDER_train drawn-again/WIDER_train
}
prepare() {
    local options=(--config tiny.yaml --data work/data --net pnet --split train)
    exits 0 qmtcnn prepare "${options[@]}" --out samples --threads 1 && exits 0 qmtcnn prepare "${options[@]}" --out samples-2 --threads 2 &&
        diff -r samples samples-2 && exits 0 qmtcnn prepare "${options[@]}" --out samples-2 --resume && diff -r samples samples-2
}
prepare_mined() {
    exits 0 qmtcnn prepare --config tiny.yaml --data work/data --net onet --models $models --limit 6 --seed 4 --out mined &&
        info_json mined
}
train_done() {
    exits 0 qmtcnn train --config tiny.yaml --model all --samples work/samples --checkpoints work/checkpoints --logs work/logs --resume \
        2>train.txt && [ "$(grep -c 'already trained' train.txt)" = 3 ]
}
train_tuned() {
    exits 0 qmtcnn train --config tiny.yaml --model rnet --num_epochs 2 --seed 3 --threads 1 --samples work/samples/rnet --checkpoints tuned \
        --logs tuned-logs --finetune $models && info_both tuned/rnet/qat.safetensors
}
train_missing() { exits 1 qmtcnn train --model pnet --samples nowhere 2>wrong.txt && has 'qmtcnn prepare' wrong.txt; }
ok "synth: the same pictures again" synth
ok "prepare: the same samples from 1 and 2 threads, and left alone by --resume" prepare
ok "prepare: mining" prepare_mined
ok "train --resume: nothing left to do" train_done
ok "train --finetune" train_tuned
ok "train: missing samples, and how to make them" train_missing

# ---- Ctrl-C ---------------------------------------------------------------------------------------

# Interrupts a command as soon as there is a file; its status and message must say that it was stopped. On a busy machine
# the command may be done before the signal comes: then once more from nothing.
interrupted() { # PATTERN COMMAND...
    local pattern=$1 process status tries
    shift
    for tries in 1 2 3 4 5; do
        rm -rf "${pattern%%/*}"
        "$QMT_TOOL" "$@" >stopped.out 2>stopped.txt &
        process=$!
        until compgen -G "$pattern" >/dev/null || ! kill -0 $process 2>/dev/null; do sleep 0.01; done
        kill -INT $process 2>/dev/null
        wait $process
        status=$?
        if [ $status != 0 ]; then break; fi
        echo "try $tries: the command ended before the signal"
    done
    cat stopped.txt
    [ $status = 1 ] && has stopped stopped.txt && has --resume stopped.txt
}
long=(--data work/data --net pnet --prepare.negatives_per_picture 3000 --prepare.max_negatives 0)
stop_prepare() {
    interrupted 'stopped-samples/parts/*' prepare "${long[@]}" --out stopped-samples && [ ! -e stopped-samples/manifest.json ] &&
        exits 0 qmtcnn prepare "${long[@]}" --out stopped-samples --resume && exits 0 qmtcnn prepare "${long[@]}" --out whole-samples &&
        diff -r stopped-samples whole-samples
}
epochs=(--config tiny.yaml --model pnet --samples work/samples --train.epochs 4 --train.steps_per_epoch 150)
stop_train() {
    interrupted 'stopped/pnet/step-*' train "${epochs[@]}" --checkpoints stopped --logs stopped-logs && [ ! -e stopped/pnet/qat.safetensors ] &&
        exits 0 qmtcnn train "${epochs[@]}" --checkpoints stopped --logs stopped-logs --resume &&
        exits 0 qmtcnn train "${epochs[@]}" --checkpoints whole --logs whole-logs && cmp stopped/pnet/qat.safetensors whole/pnet/qat.safetensors
}
ok "Ctrl-C in prepare, and on to the same samples" stop_prepare
ok "Ctrl-C in train, and on to the same network" stop_train

# ---- Exit statuses --------------------------------------------------------------------------------

statuses() {
    exits 2 qmtcnn && exits 2 qmtcnn detect && exits 2 qmtcnn eval && exits 2 qmtcnn prepare --net pnet --out x &&
        exits 2 qmtcnn detect --min-face 0 "${val[0]}" && exits 2 qmtcnn bench detect --size 1x1 && exits 2 qmtcnn train --model unet &&
        exits 1 qmtcnn run none.yaml && exits 1 qmtcnn detect --models nowhere "${val[0]}" &&
        exits 1 qmtcnn eval --data nowhere --models $models && exits 1 qmtcnn export --checkpoint nowhere --out x
}
full_disk() { exits 1 detect "${val[0]}" >/dev/full && exits 1 qmtcnn info >/dev/full; }
ok "exit statuses: 1 failed, 2 wrong use" statuses
if [ -w /dev/full ]; then ok "a full disk is a failure" full_disk; else skip "a full disk is a failure" "no /dev/full"; fi

done_testing
