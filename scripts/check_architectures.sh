#!/usr/bin/env bash
# INT8 detections must be the same bytes on every processor: plain C, AVX2, AVX-VNNI, AVX-512 VNNI, Arm with and without
# dot products. What this processor lacks is emulated: x86 instructions by SIMDe (the kernels' own sources), Arm by
# qemu-aarch64 (a cross-built qmtcnn).
# Usage: scripts/check_architectures.sh BUILD_FOLDER [MODELS [PICTURES [COUNT]]]
# MODELS: a folder with INT8 models (random ones); PICTURES: a folder (WIDER FACE's validation pictures, else synthetic ones);
# COUNT: 200. QMT_MIN_FACE: the smallest face (60; emulation is slow). QMT_ARM_BUILD: a cross-build folder to use or make.
# Needs: libsimde-dev when BUILD_FOLDER was made; for Arm: gcc-aarch64-linux-gnu qemu-user.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${1:?usage: check_architectures.sh BUILD_FOLDER [MODELS [PICTURES [COUNT]]]}")
models=${2:-}
folder=${3:-}
count=${4:-200}
face=${QMT_MIN_FACE:-60}
arm=${QMT_ARM_BUILD:-$PWD/build/aarch64}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
bad=0 compared=0

if [ -z "$models" ]; then
    models=$work/models
    mkdir "$models"
    "$build/tests/tools/make_models" "$models" >"$log" 2>&1 || { cat "$log"; exit 1; }
fi
if [ -z "$folder" ]; then
    folder=../shared/data/WIDER_val/images
    if [ ! -d "$folder" ]; then
        "$build/qmtcnn" synth --out "$work/synth" --images "$count" --val-images 0 --seed 5 >"$log" 2>&1 || { cat "$log"; exit 1; }
        folder=$work/synth
    fi
fi
# Spread over the folder, always the same ones.
mapfile -t pictures < <(find "$folder" -name '*.jpg' -o -name '*.png' | LC_ALL=C sort |
    awk -v n="$count" '{line[NR] = $0} END {step = NR > n ? NR / n : 1; for (i = 1; int(i) <= NR; i += step) print line[int(i)]}' | head -n "$count")
[ "${#pictures[@]}" -gt 0 ] || { echo "no pictures in $folder"; exit 1; }

result() { # NAME FILE: against the C kernels' on this processor
    compared=$((compared + 1))
    if cmp -s "$work/c.json" "$2"; then
        echo "same bytes: $1"
    else
        bad=$((bad + 1))
        echo "DIFFERS: $1"
        diff "$work/c.json" "$2" | head -n 4 | cut -c1-300
    fi
}
native() { # KERNELS
    "$build/tests/tools/detect_kernels" "$1" "$models" "$face" "${pictures[@]}" >"$work/$1.json" 2>"$log"
    case $? in
    0) return 0 ;;
    3) echo "not here: $1" && return 1 ;;
    *) echo "FAILED: $1: $(tail -n 1 "$log")" && bad=$((bad + 1)) && return 1 ;;
    esac
}

native c || exit 1
faces=$(grep -o '"score"' "$work/c.json" | wc -l)
echo "plain C: $faces faces in ${#pictures[@]} pictures"
[ "$faces" -gt 0 ] || echo "no face was found: the comparison is weak"
for kernels in avx2 avxvnni avx512vnni emulated-avxvnni emulated-avx512vnni neon neondot; do
    native $kernels && result "$kernels" "$work/$kernels.json"
done
"$build/qmtcnn" detect --models "$models" --precision int8 --min-face "$face" "${pictures[@]}" 2>"$log" |
    sed 's/"milliseconds":[^,]*,//' >"$work/tool.json"
result "qmtcnn detect, $("$build/qmtcnn" info | sed -n 's/^kernels_used *//p')" "$work/tool.json"

if [ "$(uname -m)" != aarch64 ] && command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; then
    if [ ! -f "$arm/build.ninja" ]; then
        scripts/aarch64_sysroot.sh "$arm/sysroot" >"$log" 2>&1 &&
            cmake -S . -B "$arm" -G Ninja -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake -DQMT_SYSROOT="$arm/sysroot" \
                -DQMT_MPI=OFF >"$log" 2>&1 || { tail -n 5 "$log"; exit 1; }
    fi
    ninja -C "$arm" -j "$(nproc)" qmtcnn-tool test_kernels >"$log" 2>&1 || { tail -n 20 "$log"; exit 1; }
    sysroot=$(sed -n 's/^QMT_SYSROOT:[A-Z]*=//p' "$arm/CMakeCache.txt")
    for pair in max:neondot cortex-a57:neon max:c; do
        emulator=(qemu-aarch64 -cpu "${pair%:*}" -L "$sysroot")
        "${emulator[@]}" "$arm/qmtcnn" detect --models "$models" --precision int8 --min-face "$face" --kernels "${pair#*:}" \
            "${pictures[@]}" 2>"$log" | sed 's/"milliseconds":[^,]*,//' >"$work/arm.json"
        result "aarch64 (qemu -cpu ${pair%:*}): ${pair#*:}" "$work/arm.json"
        if [ "${pair#*:}" != c ]; then
            "${emulator[@]}" "$arm/tests/test_kernels" --rounds 150 --table "${pair#*:}" >"$log" 2>&1
            passed=$?
            grep ' shapes' "$log"
            [ $passed = 0 ] || { bad=$((bad + 1)); echo "FAILED: test_kernels on aarch64, ${pair#*:}"; tail -n 5 "$log"; }
        fi
    done
else
    echo "not here: aarch64 (needs gcc-aarch64-linux-gnu and qemu-user)"
fi
echo "$compared ways to the same $faces faces in ${#pictures[@]} pictures; $bad differ or fail"
[ "$bad" = 0 ]
