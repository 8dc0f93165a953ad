#!/usr/bin/env bash
# Damaged and hostile files, given to every command that reads them: it must end with 0 or 1 within a minute, with one
# line that names the file where it fails, and leave no partial output. Thousands more go straight to the readers in
# the tests in C and in fuzz/.
set -uo pipefail
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
cd "$tap_work" || exit 1
RANDOM=11
# Each takes well under a second; a minute is a hang, also on a slow machine that is busy.
tool_seconds=60
rounds=8 # and four files that are nothing
if is_sanitized; then rounds=3 tool_seconds=180; fi
rounds=${QMT_HOSTILE_ROUNDS:-$rounds}
official=$QMT_ROOT/../shared/data/wider_official

# ---- Sound files to damage --------------------------------------------------------------------------

small=(--prepare.mine false --prepare.max_negatives 96 --prepare.max_positives 32 --prepare.max_parts 32
    --prepare.max_landmarks 32 --prepare.negatives_per_picture 10)
short=(--train.epochs 1 --train.batch 16 --train.steps_per_epoch 2 --quantize.qat false --quantize.calibration_batches 1 --quantize.ptq_samples 16 --quantize.rounding nearest
    --augment.mirror 0)
make_files() {
    local net tool_seconds=1200
    qmtcnn synth --out data --images 4 --val-images 1 --synth.width 200 --synth.height 160 --synth.max_face 120 || return 1
    for net in pnet rnet onet; do
        qmtcnn prepare --data data --net $net --out samples/$net "${small[@]}" || return 1
        qmtcnn train --model $net --samples samples --checkpoints checkpoints --logs logs "${short[@]}" || return 1
    done
    qmtcnn export --checkpoint checkpoints --variant ptq --out models
}
if ! make_files >"$tap_log" 2>&1; then
    tap_report 1 "files to damage"
    done_testing
    exit 1
fi
tap_report 0 "files to damage"
picture=$(find data/WIDER_val -name '*.jpg' | head -n 1)

# ---- Damage -----------------------------------------------------------------------------------------

# Writes a damaged copy; the same for the same seed. Early bytes, where headers are, are changed more often.
damage() { # FILE COPY ROUND
    local size at changes
    size=$(stat -c %s "$1")
    case $(($3 % 6)) in
    0) head -c $(((RANDOM * 32768 + RANDOM) % size)) "$1" >"$2" ;;
    1) { cat "$1"; head -c $((1 + RANDOM % 400)) "$1"; } >"$2" ;;
    2) tr '0-9' '9999999999' <"$1" >"$2" ;;
    *)
        cat "$1" >"$2"
        for ((changes = 1 + RANDOM % 6; changes > 0; changes--)); do
            at=$(((RANDOM * 32768 + RANDOM) % (RANDOM % 2 && size > 300 ? 300 : size)))
            # shellcheck disable=SC2059 # the format is the byte
            printf "\\x$(printf %x $((RANDOM % 256)))" | dd of="$2" bs=1 seek=$at conv=notrunc status=none
        done
        ;;
    esac
}
# Files that are nothing: empty, zeros, all bits set, one long line.
nothing() { # COPY ROUND
    case $2 in
    0) : >"$1" ;;
    1) head -c 5000 /dev/zero >"$1" ;;
    2) head -c 5000 /dev/zero | tr '\0' '\377' >"$1" ;;
    *) head -c 70000 /dev/zero | tr '\0' '7' >"$1" ;;
    esac
}

# Runs a command on what was damaged. It may pass: not all damage shows. Its output may not stay behind a failure.
judge() { # NAME OUTPUT COMMAND...: NAME is in the message; OUTPUT '' for none
    local name=$1 output=$2 status
    shift 2
    rm -rf out
    qmtcnn "$@" >out.txt 2>err.txt </dev/null
    status=$?
    if [ $status = 0 ]; then return 0; fi
    if [ $status != 1 ]; then
        echo "exit status $status: $*"
    elif [ "$(grep -ac '^qmtcnn ' err.txt)" != 1 ] || ! grep -a "^qmtcnn " err.txt | grep -aqF -- "$name"; then
        echo "no single message that names $name: $*"
    elif grep -qE 'Sanitizer|runtime error' err.txt; then
        echo "a sanitizer's finding: $*"
    elif [ -n "$output" ] && [ -e "$output" ]; then
        echo "$output was left behind: $*"
    elif [ -n "$(find . -name '*.tmp*' -print -quit)" ]; then
        echo "a temporary file was left behind: $*"
    else
        return 0
    fi
    cat err.txt
    cp "$name" "/tmp/qmtcnn-hostile-$name" 2>/dev/null
    return 1
}

# Damages FILE in place, round by round, runs the command on it each time, and puts it back.
suffer() { # FILE NAME OUTPUT COMMAND...
    local file=$1 result=0 round
    shift
    cp "$file" sound.bin
    for ((round = 0; round < rounds + 4; round++)); do
        if [ $round -lt 4 ]; then nothing "$file" $round; else damage sound.bin "$file" $((round - 4)); fi
        judge "$@" || {
            result=1
            break
        }
    done
    cp sound.bin "$file"
    return $result
}
hostile() { # NAME FILE PART OUTPUT COMMAND...: a case; PART of the path is in each message
    local name=$1
    shift
    ok "$name" suffer "$@"
}

# ---- Pictures ---------------------------------------------------------------------------------------

mkdir faces
cp "$picture" faces/hurt.jpg
cp samples/pnet/part.png faces/hurt.png
hostile "detect: JPEG" faces/hurt.jpg hurt.jpg out detect --models models --annotate out faces/hurt.jpg
hostile "detect: PNG" faces/hurt.png hurt.png out detect --models models --annotate out faces/hurt.png
from_stdin() {
    local round
    for ((round = 0; round < rounds; round++)); do
        damage "$picture" cut.jpg $round
        qmtcnn detect --models models - <cut.jpg >out.txt 2>err.txt
        case $? in
        0) ;;
        1) has "standard input" err.txt && [ "$(wc -l <err.txt)" = 1 ] || return 1 ;;
        *) return 1 ;;
        esac
    done
}
ok "detect: standard input" from_stdin
# Bad files among good ones: a line for each, all good ones done, and 1 at the end.
among_others() {
    local name
    rm -rf mixed
    mkdir -p mixed/empty.jpg mixed/below
    cp "$picture" mixed/a.jpg
    cp "$picture" mixed/below/z.jpg
    cp samples/pnet/part.png mixed/m.png
    head -c 300 "$picture" >mixed/cut.jpg
    : >mixed/nothing.png
    echo "no picture" >mixed/text.jpg
    head -c 70000 /dev/zero >mixed/zeros.png
    ln -s /nowhere mixed/link.jpg
    mkfifo mixed/pipe.jpg
    echo "not looked at" >mixed/note.txt
    exits 1 qmtcnn detect --models models mixed >out.txt 2>err.txt || return 1
    for name in cut.jpg nothing.png text.jpg zeros.png link.jpg pipe.jpg; do
        [ "$(grep -acF "mixed/$name" err.txt)" = 1 ] || { echo "not one line on $name"; cat err.txt; return 1; }
    done
    for name in a.jpg below/z.jpg m.png; do has "mixed/$name" out.txt || return 1; done
    [ "$(wc -l <out.txt)" = 3 ] && [ "$(grep -ac '^qmtcnn ' err.txt)" = 6 ]
}
ok "detect: bad files among good ones" among_others

# ---- Networks ---------------------------------------------------------------------------------------

for command in "info models/pnet.onnx" "detect --models models $picture" "bench detect --models models --seconds 0 --size 48x48" \
    "eval --data data --models models"; do
    # shellcheck disable=SC2086 # words
    hostile "${command%% *}: ONNX" models/pnet.onnx pnet.onnx '' $command
done
lint() { # findings are no failure of the file
    local round
    for ((round = 0; round < rounds; round++)); do
        damage models/rnet.onnx cut.onnx $round
        qmtcnn info --check tensorrt cut.onnx >out.txt 2>err.txt
        case $? in
        0) ;;
        1) grep -q '^errors' out.txt || has cut.onnx err.txt || return 1 ;;
        *) return 1 ;;
        esac
    done
}
ok "info --check tensorrt: ONNX" lint

# ---- Annotations ------------------------------------------------------------------------------------

gt=data/wider_face_split/wider_face_train_bbx_gt.txt
points=data/landmarks_train.txt
# `info` tells of rows on standard output; a data set may lack a split, so it names a bad file and goes on.
hostile "prepare: annotations" $gt bbx_gt.txt out/manifest.json prepare --data data --net pnet --out out "${small[@]}"
hostile "prepare: landmarks" $points landmarks_train.txt out/manifest.json prepare --data data --net pnet --out out "${small[@]}"
cp $points list.txt
hostile "prepare: another landmark list" list.txt list.txt out/manifest.json prepare --data data --net pnet --out out \
    --data.landmarks list.txt "${small[@]}"
annotations_info() {
    local round
    cp $gt sound.txt
    for ((round = 0; round < rounds; round++)); do
        damage sound.txt $gt $round
        qmtcnn info data >out.txt 2>err.txt
        case $? in
        0) ;;
        1) has bbx_gt out.txt || has bbx_gt err.txt || return 1 ;;
        *) return 1 ;;
        esac
    done
    cp sound.txt $gt
}
ok "info: annotations" annotations_info

if [ -d "$official" ]; then
    mkdir -p matlab/WIDER_val/images matlab/wider_face_split truth/set predictions/0--Parade
    cp "$official"/wider_face_val.mat matlab/wider_face_split/wider_face_val.mat
    cp "$official"/wider_{easy,medium,hard}_val.mat truth
    chmod -R u+w matlab truth
    printf '0_Parade_marchingband_1_465.jpg\n1\n345 211 4 4 0.9\n' >predictions/0--Parade/0_Parade_marchingband_1_465.txt
    hostile "eval: annotations (.mat)" matlab/wider_face_split/wider_face_val.mat matlab '' eval --data matlab --models models --limit 1
    hostile "eval: ground truth (.mat)" truth/wider_hard_val.mat truth '' eval --predictions predictions --ground-truth truth
    hostile "eval: submission" predictions/0--Parade/0_Parade_marchingband_1_465.txt predictions '' eval --predictions predictions \
        --ground-truth truth
else
    skip "eval: MATLAB files and submissions" "no official ground truth"
fi

# ---- Samples and checkpoints ------------------------------------------------------------------------

hostile "info: manifest" samples/pnet/manifest.json samples/pnet '' info --decode samples/pnet
hostile "train: manifest" samples/pnet/manifest.json samples/pnet out/pnet/fp32.safetensors train --model pnet --samples samples \
    --checkpoints out --logs out/logs "${short[@]}"
shard=$(find samples/pnet -name 'shard-*' | head -n 1)
hostile "info: shard" "$shard" samples/pnet '' info --decode samples/pnet
hostile "train: shard" "$shard" samples/pnet out/pnet/fp32.safetensors train --model pnet --samples samples --checkpoints out \
    --logs out/logs "${short[@]}"
hostile "info: checkpoint" checkpoints/pnet/ptq.safetensors ptq.safetensors '' info checkpoints/pnet/ptq.safetensors
hostile "export: checkpoint" checkpoints/pnet/ptq.safetensors ptq.safetensors out/pnet.onnx export --checkpoint checkpoints \
    --variant ptq --out out
hostile "train --finetune: checkpoint" checkpoints/pnet/fp32.safetensors fp32.safetensors out/pnet/fp32.safetensors train --model pnet \
    --samples samples --finetune checkpoints --checkpoints out --logs out/logs "${short[@]}"

# ---- Settings ---------------------------------------------------------------------------------------

qmtcnn info data/../models/../samples >/dev/null 2>&1 # a folder that is none of ours: only that it ends
cat >hurt.yaml <<'YAML'
run: {workdir: "x", threads: 2, seed: 3}
train:
  epochs: 12
  ratio: [3, 1, 1, 2]
  pnet: {batch: 64}
YAML
printf 'input: data\nface: [a, b, c]\nbox: box\nlandmarks: points\nlandmark_order: planar\n' >names.yaml
hostile "info: YAML" hurt.yaml hurt.yaml '' info hurt.yaml
hostile "info --config: YAML" hurt.yaml hurt.yaml '' info --config hurt.yaml
hostile "export --profile: YAML" names.yaml names.yaml out/pnet.onnx export --checkpoint checkpoints --variant ptq --profile names.yaml --out out

done_testing
