#!/usr/bin/env bash
# Measures peak memory (resident set) and fails where a limit is passed:
#   - `prepare`, `train` and `validate` on a data set with as many pictures and faces as WIDER FACE has: 2 GB; train: 1 GB
#   - `detect` on a picture of 12 megapixels: 300 MB
#   - INT8 networks: half of the FP32 networks' bytes
# Pictures are few and small, under 12,880 names; memory depends on numbers of pictures, faces and samples, and on the
# largest picture, of which there are some. Usage: scripts/check_memory.sh TOOL [PICTURES]
set -euo pipefail
tool=$(realpath "${1:?usage: check_memory.sh TOOL [PICTURES]}") pictures=${2:-12880}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
bad=0

# Runs a command, prints the most memory that it ever had, and compares it with the limit.
measure() { # NAME LIMIT_MB COMMAND...
    local name=$1 limit=$2 start=$SECONDS kib
    shift 2
    if ! command time -f '%M' -o peak "$@" >out 2>err; then
        tail -n 5 err
        echo "failed: $name: $*"
        exit 1
    fi
    kib=$(tail -n 1 peak)
    printf '%-44s %7.1f MB of %d MB (%d s)\n' "$name" "$(awk -v k="$kib" 'BEGIN {print k * 1024 / 1e6}')" "$limit" $((SECONDS - start))
    if [ $((kib * 1024)) -gt $((limit * 1000000)) ]; then
        bad=1
        echo "too much: $name"
    fi
}

# A data set in WIDER FACE's layout: NUMBER names for the pictures of SOURCE's train split, with 12 or 13 faces each, and
# 1,968 on one (the most on any picture of WIDER FACE). Landmarks for each face that was drawn.
multiply() { # SOURCE SPLIT NUMBER
    local source=$1 split=$2 number=$3
    mkdir -p "big/WIDER_$split/images/0--Many" big/wider_face_split
    awk -v split_name="$split" -v number="$number" -v source="$source" '
        BEGIN { srand(5) }
        FNR == NR { rows[$1] = rows[$1] $0 "\n"; next } # landmarks: file x y w h points
        /\.jpg/ { name[++count] = $1; getline faces; next_box = 0
            for (i = 0; i < (faces > 0 ? faces : 1); i++) { getline row; if (faces > 0) box[count, ++boxes[count]] = row } }
        END {
            list = "big/wider_face_split/wider_face_" split_name "_bbx_gt.txt"
            points = "big/landmarks_" split_name ".txt"
            for (i = 0; i < number; i++) {
                k = i % count + 1
                file = sprintf("0--Many/0_Many_%06d.jpg", i)
                print name[k] "\t" file > "big/links"
                want = i == 7 ? 1968 : 12 + (i % 3 == 0)
                printf "%s\n%d\n", file, want > list
                for (j = 1; j <= want; j++) {
                    if (j <= boxes[k]) print box[k, j] > list
                    else { side = 20 + int(rand() * 40)
                        printf "%d %d %d %d 0 0 0 0 0 0\n", rand() * 250, rand() * 170, side, side * 1.2 > list }
                }
                n = split(rows[name[k]], line, "\n")
                for (j = 1; j < n; j++) { sub(/^[^ ]+/, file, line[j]); print line[j] > points }
            }
        }' "$source/landmarks_train.txt" "$source/wider_face_split/wider_face_train_bbx_gt.txt"
    while IFS=$'\t' read -r from to; do
        ln "$source/WIDER_train/images/$from" "big/WIDER_$split/images/$to"
    done <big/links
    rm big/links
}

quiet() { "$@" >out 2>err || { tail -n 5 err; exit 1; }; }
quiet "$tool" synth --out few --images 40 --val-images 0 --synth.width 320 --synth.height 240 --synth.max_face 120 --seed 3
# Some of the largest pictures that WIDER FACE has.
quiet "$tool" synth --out large --images 2 --val-images 0 --synth.width 1024 --synth.height 2600 --seed 4
multiply few train "$pictures"
multiply few val $((pictures / 4))
for i in 100 200 300 400; do
    ln -f large/WIDER_train/images/0--Synthetic/0_Synthetic_00000$((i / 100 % 2)).jpg "big/WIDER_train/images/0--Many/0_Many_000$i.jpg"
done
faces=$(awk 'NF == 10 {n++} END {print n}' big/wider_face_split/wider_face_train_bbx_gt.txt)
echo "$pictures pictures, $faces faces"

# As many samples as the configuration for WIDER FACE takes, but for O-Net a fifth of them, and of no shrunk copies: they are
# 7 KB each, and as many as that of all pictures take tens of GB on the way.
config=(--config "$root/configs/wider.yaml")
# Enough training for P-Net and R-Net to let little through when the next network's samples are mined.
declare -A steps=([pnet]=100 [rnet]=20 [onet]=3)
fewer=(--prepare.shrunk_copies 0 --prepare.max_negatives 60000 --prepare.max_positives 30000 --prepare.max_parts 30000 --prepare.max_landmarks 30000)
for net in pnet rnet onet; do
    options=(--net "$net" --out "samples/$net")
    if [ $net != pnet ]; then options+=(--models models --prepare.mine_precision int8); fi
    if [ $net = onet ]; then options+=("${fewer[@]}" --detect.max_proposals 1000); fi
    measure "prepare --net $net" 2000 "$tool" prepare --data big "${config[@]}" "${options[@]}"
    samples=$(awk -F'[:,]' '/"samples":/ {n += $2} END {print n}' "samples/$net/manifest.json")
    measure "train --model $net, $samples samples" 1000 \
        "$tool" train --model $net --samples samples --checkpoints checkpoints --logs logs "${config[@]}" --train.epochs 3 \
        --train.steps_per_epoch "${steps[$net]}" --train.warmup_steps 10 --quantize.calibration_batches 4
    quiet "$tool" export --checkpoint checkpoints --variant qat --out models
    rm -rf "samples/$net"
done
quiet "$tool" export --checkpoint checkpoints --variant fp32 --out models-fp32
# So little training finds next to nothing: low scores to pass, so that there is something to count.
measure "validate, $((pictures / 4)) pictures" 2000 "$tool" validate --data big "${config[@]}" --fp32 models-fp32 --int8 models \
    --min-retention 0 --evaluate.bootstrap 100 --evaluate.thresholds 0.3,0.2,0.1 --detect.max_proposals 60 --format json
network_bytes() { sed -n "s/.*\"$1_network_bytes\": *\([0-9]*\).*/\1/p" out | head -n 1; }
fp32_bytes=$(network_bytes fp32) int8_bytes=$(network_bytes int8)
awk -v a="$fp32_bytes" -v b="$int8_bytes" 'BEGIN {
    printf "networks: FP32 %d bytes, INT8 %d: %.3f of it, at most 0.5\n", a, b, b / a; exit !(b > 0 && b <= a / 2) }' || bad=1

quiet "$tool" synth --out photo --images 1 --val-images 0 --synth.width 4000 --synth.height 3000 --synth.max_face 1500 --seed 6
photo=(photo/WIDER_train/images/*/*.jpg)
for precision in fp32 int8; do
    folder=models
    if [ $precision = fp32 ]; then folder=models-fp32; fi
    for min_face in 20 12; do
        measure "detect, 4000 x 3000 pixels, $precision, faces from $min_face" 300 "$tool" detect --models $folder \
            --precision $precision --min-face $min_face "${photo[0]}"
    done
done
if [ $bad = 0 ]; then echo "memory: within all limits"; else echo "memory: too much"; fi
exit $bad
