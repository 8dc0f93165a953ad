#!/usr/bin/env bash
# `qmtcnn run` as scripts use it: its exit status, other pictures, a data set of real pictures, and results that hold the
# settings they were made with.
set -uo pipefail
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
cd "$tap_work" || exit 1

# The least that goes the whole way: what the networks learn does not matter here.
cat >least.yaml <<'YAML'
run: {workdir: work, threads: 2}
synth: {images: 4, val_images: 2, width: 160, height: 120, max_face: 80, min_face: 30}
prepare: {max_negatives: 200, max_positives: 60, max_parts: 60, max_landmarks: 60, negatives_per_picture: 10}
train: {epochs: 2, batch: 16, steps_per_epoch: 4, log_steps: 2, holdout: 0.3, onet: {steps_per_epoch: 1}}
quantize: {calibration_batches: 1, ptq_samples: 16, rounding: nearest}
evaluate: {bootstrap: 5, min_retention: 0, thresholds: [0.01, 0.01, 0]}
detect: {max_proposals: 30, min_face: 30}
YAML
count_done() { grep -c 'done already' "$1"; }

first_run() {
    exits 0 qmtcnn run least.yaml >first.txt && has 'not measured' first.txt && has 'was not measured' work/report/index.html &&
        has '"configuration": {' work/report/report.json && has '"real_data": null' work/report/report.json
}
# At an IoU of 1 nothing is found, and where FP32 finds nothing there is nothing to keep.
failing_run() {
    for _ in 1 2; do
        exits 1 qmtcnn run least.yaml --min-retention 1 --evaluate.iou 1 >failed.out 2>failed.txt || return 1
        has 'all steps are done' failed.txt && has work/report/index.html failed.txt && test -s work/report/index.html || return 1
    done
    [ "$(count_done failed.txt)" = 9 ] && [ "$(grep -c '^qmtcnn run: ' failed.txt)" = 1 ]
}
real_run() {
    exits 0 qmtcnn run least.yaml --real-data work/data >real.txt 2>real.err && has 'On real pictures' real.txt &&
        has 'On real pictures' work/report/index.html && has '"real_data": {' work/report/report.json && [ "$(count_done real.err)" = 8 ]
}
real_missing() { exits 1 qmtcnn run least.yaml --real-data nowhere 2>wrong.txt && has nowhere wrong.txt; }
# A copy of the same data with new times is the same data; a picture that changed within its old size is not: the samples
# of all networks are made anew, and all that comes from them. Drawing is not.
touched() {
    touch -d '2020-02-02' work/data/WIDER_train/images/*/*_000001.jpg
    exits 0 qmtcnn run least.yaml >touched.txt 2>touched.err && [ "$(count_done touched.err)" = 8 ]
}
moved() {
    cp -r work/data moved-data && mkdir -p elsewhere && mv moved-data elsewhere/data &&
        exits 0 qmtcnn run least.yaml --workdir moved --data work/data >moved.txt 2>&1 &&
        exits 0 qmtcnn run least.yaml --workdir moved --data elsewhere/data >moved.txt 2>moved.err && ! has 'set aside' moved.err &&
        [ "$(count_done moved.err)" = 7 ] # all but the report, which names the folder
}
edited() {
    local before pictures=(work/data/WIDER_train/images/*/*_000001.jpg)
    before=$(cksum work/samples/pnet/shard-00000.safetensors)
    printf '\002' | dd of="${pictures[0]}" bs=1 seek=13 conv=notrunc 2>/dev/null # the unit of JFIF's resolution: dots per cm
    exits 0 qmtcnn run least.yaml >edited.txt 2>edited.err && [ "$(count_done edited.err)" = 1 ] && has 'synth: done already' edited.err &&
        [ "$before" = "$(cksum work/samples/pnet/shard-00000.safetensors)" ] # the same pixels, the same bytes
}
relabeled() { # an annotation that changed gives other samples
    local before list=work/data/wider_face_split/wider_face_train_bbx_gt.txt
    before=$(cksum work/samples/pnet/shard-00000.safetensors)
    awk 'NF > 4 && !done { $1 += 3; done = 1 } { print }' $list >moved.txt && mv moved.txt $list
    exits 0 qmtcnn run least.yaml >relabeled.txt 2>relabeled.err && [ "$(count_done relabeled.err)" = 1 ] &&
        [ "$before" != "$(cksum work/samples/pnet/shard-00000.safetensors)" ]
}
# A program without MPI that mpirun starts twice would do everything twice, in one folder.
if qmtcnn info | grep -q 'mpi *none'; then
    without_mpi() { OMPI_COMM_WORLD_SIZE=2 exits 1 qmtcnn run least.yaml --workdir twice 2>mpi.txt && has 'built without MPI' mpi.txt && [ ! -e twice/data ]; }
    ok "run: under mpirun, without MPI" without_mpi
fi
ok "run: the report says that real pictures were not measured" first_run
ok "run: exit status 1 where INT8 keeps too little, again when nothing is left to do" failing_run
ok "run --real-data: figures of real pictures" real_run
ok "run --real-data: a folder that is not there" real_missing
ok "run: pictures with new times are the same pictures" touched
ok "run: a copy of the data set in another folder is the same data" moved
ok "run: a picture that changed within its size makes the samples anew" edited
ok "run: an annotation that changed makes other samples" relabeled

# Faults that show only after hours of training are named before it.
refused() { # TEXT OPTION...
    local text=$1
    shift
    rm -rf refused && exits 1 qmtcnn run least.yaml --workdir refused "$@" >/dev/null 2>refused.txt && has "$text" refused.txt && [ ! -e refused/samples ]
}
early() {
    refused "'train.pnet.epochs' is 1" --train.epochs 1 && refused "'train.pnet.holdout' is 0" --calibrate.scores true --train.holdout 0 &&
        refused "no layer 'pnet/conv9'" --quantize.keep_fp32 pnet/conv1,pnet/conv9 && refused "'synth.val_images' is 0" --synth.val_images 0 &&
        refused nowhere --real-data nowhere && refused 'none of the labeled faces' --evaluate.min_face 900 --data work/data
}
# A training that other settings began is set aside before the new one counts as begun, so that nothing of it is resumed
# after a start that failed.
set_aside() {
    local shard=start/samples/pnet/shard-00000.safetensors
    exits 0 qmtcnn run least.yaml --workdir start --data work/data >/dev/null 2>&1 && mv $shard hidden &&
        exits 1 qmtcnn run least.yaml --workdir start --data work/data --train.learning_rate 0.003 >/dev/null 2>&1 && mv hidden $shard &&
        exits 0 qmtcnn run least.yaml --workdir start --data work/data --train.learning_rate 0.003 >/dev/null 2>start.txt
}
# What mining takes of the detector's settings makes the samples that it finds anew; how often training logs, nothing.
mining() {
    exits 0 qmtcnn run least.yaml --workdir start --data work/data --train.learning_rate 0.003 --train.log_steps 1 >/dev/null 2>logged.txt &&
        [ "$(count_done logged.txt)" = 8 ] &&
        exits 0 qmtcnn run least.yaml --workdir start --data work/data --train.learning_rate 0.003 --detect.nms 0.4,0.6,0.7,0.7 >/dev/null 2>mined.txt &&
        [ "$(count_done mined.txt)" = 2 ] && has 'train-pnet: done already' mined.txt
}
# Calibrated networks mine where there are none of QAT; and no scripts of TensorRT stand beside what it can't take.
calibrated_only() {
    rm -rf start && exits 0 qmtcnn run least.yaml --workdir start --data work/data --quantize.qat false --prepare.mine_precision int8 \
        --export.target onnxruntime >/dev/null 2>only.txt && [ -s start/models/mtcnn_ptq/onet.onnx ] && [ ! -e start/models/mtcnn_ptq/build_tensorrt_engines.sh ]
}
whole_network_in_fp32() {
    exits 0 qmtcnn quantize --models work/models/mtcnn_fp32 --data work/data --out kept --keep pnet/conv1,pnet/conv2,pnet/conv3,pnet/heads --samples 16 >/dev/null &&
        exits 0 qmtcnn validate --data work/data --fp32 work/models/mtcnn_fp32 --int8 kept --min-retention 0 --evaluate.bootstrap 5 >/dev/null &&
        exits 1 qmtcnn validate --data work/data --fp32 work/models/mtcnn_fp32 --int8 work/models/mtcnn_fp32 --min-retention 0 2>none.txt >/dev/null &&
        has 'none of the networks has INT8 layers' none.txt &&
        exits 1 qmtcnn quantize --models work/models/mtcnn_fp32 --data work/data --out kept --keep pnet/conv9 2>none.txt && has "no layer 'pnet/conv9'" none.txt &&
        exits 1 qmtcnn quantize --models kept --data work/data --out ./kept 2>none.txt && has 'another folder' none.txt
}
ok "run: what would fail after training is refused before it" early
ok "run: a training of other settings is set aside before the new one begins" set_aside
ok "run: mining's settings count, logging's do not" mining
ok "run: without QAT, mining in INT8, for ONNX Runtime" calibrated_only
ok "validate and quantize: networks and layers in FP32" whole_network_in_fp32

# What a user gave is never written over.
kept() {
    local picture
    picture=$(ls work/data/WIDER_train/images/*/*_000001.jpg)
    mkdir -p a b && cp "$picture" a/x.jpg && cp "$picture" b/x.jpg && sums=$(cksum a/x.jpg) &&
        exits 1 qmtcnn detect --models work/models/mtcnn_qat --annotate a a >/dev/null 2>kept.txt && has 'another folder' kept.txt && [ "$sums" = "$(cksum a/x.jpg)" ] &&
        exits 0 qmtcnn detect --models work/models/mtcnn_qat --annotate drawn a b "$PWD/a/x.jpg" >/dev/null && [ -s drawn/x.jpg ] && [ -s drawn/x-2.jpg ] && [ -s drawn/x-3.jpg ] &&
        cp -r work/data given && rm given/synth.json && exits 1 qmtcnn synth --out given --images 1 2>kept.txt && has 'not drawn here' kept.txt
}
useless() { # options that would change nothing are refused
    exits 2 qmtcnn eval --data work/data --models work/models/mtcnn_qat --thresholds 2,2,2 2>useless.txt && has '0 to 0.999999' useless.txt &&
        exits 1 qmtcnn info --check tensorrt work/data 2>useless.txt && has 'a data set' useless.txt &&
        exits 1 qmtcnn info --check tensorrt least.yaml 2>useless.txt && exits 1 qmtcnn info work/report/report.json 2>useless.txt && has 'manifest.json' useless.txt &&
        exits 2 qmtcnn bench detect --models work/models/mtcnn_qat --profile --kernels c 2>useless.txt
}
ok "detect, synth: nothing that was given is written over" kept
ok "eval, info, bench: what has no effect is refused" useless

# Calibrated scores are in the models that are shipped, and in none that others learn from: what is done again after
# them comes out as in a new folder.
# The networks must find faces, so they learn a little.
sed 's/images: 4,/images: 40,/; s/steps_per_epoch: 4/steps_per_epoch: 30/; s/holdout: 0.3/holdout: 0.5/
    s/^detect: {max_proposals: 30/detect: {fusion: 0.5, max_proposals: 300/' least.yaml >scores.yaml
echo 'calibrate: {scores: true}' >>scores.yaml
sums() { (cd "$1" && cksum samples/*/*.safetensors checkpoints/scores.json models/*/*.onnx); }
calibrated() {
    exits 0 qmtcnn run scores.yaml --workdir one >/dev/null 2>one.txt && has '"pnet"' one/checkpoints/scores.json && has 'logit times' one.txt &&
        qmtcnn info one/models/mtcnn_qat/rnet.onnx >info.txt && has 'qmtcnn.score' info.txt &&
        qmtcnn info one/models/mtcnn_qat/onet.onnx >info.txt && has 'qmtcnn.fusion' info.txt &&
        exits 0 qmtcnn run scores.yaml --workdir one >/dev/null 2>again.txt && [ "$(count_done again.txt)" = 10 ]
}
calibrated_again() {
    exits 0 qmtcnn run scores.yaml --workdir one --train.onet.steps_per_epoch 2 >/dev/null 2>again.txt &&
        [ "$(count_done again.txt)" = 6 ] && # what O-Net's training does not touch: the pictures, P- and R-Net, and all samples
        exits 0 qmtcnn run scores.yaml --workdir two --train.onet.steps_per_epoch 2 >/dev/null 2>&1 && [ "$(sums one)" = "$(sums two)" ] &&
        rm -r one/models/mtcnn_fp32/onet.onnx one/samples/onet && exits 0 qmtcnn run scores.yaml --workdir one --train.onet.steps_per_epoch 2 >/dev/null 2>&1 &&
        [ "$(sums one)" = "$(sums two)" ]
}
if ! is_sanitized; then # too long there; what is new in it has tests of its own
    ok "run: scores are calibrated on what is held out" calibrated
    ok "run: what is made again after calibration is as in a new folder" calibrated_again
fi

settings_of() { # FILE: of the settings beside a result, read back by the tool
    exits 0 qmtcnn info "$1.config.yaml" >/dev/null && has 'max_proposals: 30' "$1.config.yaml"
}
results() {
    local format command
    for format in json html text; do
        exits 0 qmtcnn eval --config least.yaml --data work/data --models work/models/mtcnn_qat --format $format --out eval.$format &&
            settings_of eval.$format || return 1
        qmtcnn validate --config least.yaml --data work/data --fp32 work/models/mtcnn_fp32 --int8 work/models/mtcnn_qat --format $format \
            --out validate.$format
        settings_of validate.$format || return 1
    done
    for command in eval validate; do
        is_json $command.json && has '"configuration": {' $command.json && has '"max_proposals": 30' $command.json &&
            has 'max_proposals: 30' $command.html || return 1
    done
}
stage() {
    exits 0 qmtcnn eval --config least.yaml --data work/data --models work/models/mtcnn_qat --stage pnet --format json >stage.json &&
        has '"configuration": {' stage.json
}
others() {
    exits 0 qmtcnn prepare --config least.yaml --data work/data --net pnet --out samples && has 'negatives_per_picture: 10' samples/config.yaml &&
        exits 0 qmtcnn export --config least.yaml --checkpoint work/checkpoints --out exported --opset 15 && has 'opset: 15' exported/config.yaml &&
        has 'epochs: 2' work/checkpoints/pnet/config.yaml
}
shown() { # whole pictures in the event files, and training goes on where they are missing
    grep -aq 'detections/1' work/logs/onet/events.out.tfevents.* &&
        exits 0 qmtcnn train --config least.yaml --model pnet --samples work/samples --data nowhere --checkpoints again --logs again-logs \
            2>again.txt && has 'no pictures with detections' again.txt
}
ok "eval and validate: settings in JSON and HTML, and beside every file" results
ok "eval --stage: settings in JSON" stage
ok "prepare, export and train: settings beside" others
ok "train: pictures with detections" shown

done_testing
