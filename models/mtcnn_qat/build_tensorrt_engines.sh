#!/bin/sh
# Builds TensorRT engines from pnet.onnx, rnet.onnx and onet.onnx in this folder, on the machine that will run them.
# For TensorRT 8.5 to 11, on x86 and Jetson. Options are chosen by trtexec's version, after its published option tables;
# this script was tested with a stand-in for trtexec, and not run against TensorRT itself.
set -eu

usage() {
    cat <<'END'
Usage: build_tensorrt_engines.sh [OPTION]...

Builds an engine from each of pnet.onnx, rnet.onnx and onet.onnx that lies beside this script. An engine works only with
the TensorRT version and the GPU type that it was built with; both are in its name.

  --out DIR         where engines go (default: beside the ONNX files)
  --models DIR      where the ONNX files are (default: beside this script)
  --fp16-fallback   layers that are not INT8 may run in FP16 (TensorRT 8 and 10)
  --fp32            build FP32 files (exported with --variant fp32); a file with Q/DQ nodes is refused
  --workspace MIB   most scratch memory while building (default 256)
  --trtexec FILE    trtexec to use (default: $TRTEXEC, then the PATH, then /usr/src/tensorrt/bin)
  --version X.Y.Z   TensorRT's version, where it can't be found out
  --dry-run         print the commands and run nothing
  --help            show this text
END
}

fail() {
    echo "build_tensorrt_engines.sh: $1" >&2
    exit "${2:-1}"
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
models=$here
out=
workspace=256
version=
fp16=no
fp32=no
dry_run=no
trtexec=${TRTEXEC:-}

while [ $# -gt 0 ]; do
    option=$1
    case $option in
    --out | --models | --workspace | --trtexec | --version)
        [ $# -ge 2 ] || fail "option $option needs a value" 2
        case $option in
        --out) out=$2 ;;
        --models) models=$2 ;;
        --workspace) workspace=$2 ;;
        --trtexec) trtexec=$2 ;;
        --version) version=$2 ;;
        esac
        shift
        ;;
    --fp16-fallback) fp16=yes ;;
    --fp32) fp32=yes ;;
    --dry-run) dry_run=yes ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) fail "unknown option $option; --help lists all" 2 ;;
    esac
    shift
done
out=${out:-$models}
case $workspace in
'' | *[!0-9]*) fail "--workspace takes a number of MiB; got '$workspace'" 2 ;;
esac
if [ "$fp16" = yes ] && [ "$fp32" = yes ]; then
    fail "--fp16-fallback and --fp32 exclude each other" 2
fi

# ---- trtexec, its version, the GPU's name ----
find_trtexec() {
    if [ -n "$trtexec" ]; then
        [ -x "$trtexec" ] || command -v "$trtexec" >/dev/null 2>&1 || fail "there is no program $trtexec"
        return
    fi
    trtexec=$(command -v trtexec || true)
    if [ -z "$trtexec" ] && [ -x /usr/src/tensorrt/bin/trtexec ]; then
        trtexec=/usr/src/tensorrt/bin/trtexec
    fi
    if [ -z "$trtexec" ] && [ "$dry_run" = no ]; then
        fail "trtexec is not in the PATH, nor in /usr/src/tensorrt/bin. It comes with TensorRT's Debian packages (libnvinfer-bin), its \
tar file and JetPack, not with the Python wheels. Install it, or name it with --trtexec FILE or TRTEXEC=FILE."
    fi
    trtexec=${trtexec:-trtexec}
}

# trtexec starts with "&&&& RUNNING TensorRT.trtexec [TensorRT v8502]"; from version 10 on the number is v100300.
find_version() {
    [ -z "$version" ] || return 0
    number=$("$trtexec" --help 2>&1 | sed -n 's/.*\[TensorRT v\([0-9][0-9]*\)\].*/\1/p' | head -n 1 || true)
    if [ -z "$number" ]; then
        version=$(dpkg-query -W -f '${Version}\n' libnvinfer-bin 2>/dev/null | sed -n 's/^\([0-9.]*\).*/\1/p' | head -n 1 || true)
    elif [ ${#number} -ge 6 ]; then
        version=$((number / 10000)).$((number / 100 % 100)).$((number % 100))
    else
        version=$((number / 1000)).$((number / 100 % 10)).$((number % 100))
    fi
    [ -n "$version" ] || fail "can't find out TensorRT's version; give it with --version X.Y.Z"
}

find_gpu() {
    gpu=
    if [ -r /proc/device-tree/model ]; then # Jetson
        gpu=$(tr -d '\000' </proc/device-tree/model)
    elif command -v nvidia-smi >/dev/null 2>&1; then
        gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1 || true)
    fi
    gpu=$(printf '%s' "${gpu:-gpu}" | tr -c 'A-Za-z0-9.-' '_')
}

find_trtexec
find_version
find_gpu
major=${version%%.*}
rest=${version#*.}
minor=${rest%%.*}
case $major$minor in
'' | *[!0-9]*) fail "'$version' is no version; give --version X.Y.Z" 2 ;;
esac
if [ "$major" -lt 8 ] || { [ "$major" -eq 8 ] && [ "$minor" -lt 5 ]; }; then
    fail "TensorRT $version is too old: 8.5 or later is needed (JetPack 5.1 or later)"
fi
if [ "$major" -ge 11 ] && [ "$fp16" = yes ]; then
    fail "TensorRT $major takes every type from the file, so --fp16-fallback can't be had; leave it out, or make an FP16 file with \
NVIDIA's ModelOpt AutoCast"
fi

# ---- One engine ----
has_quantizers() {
    LC_ALL=C grep -q QuantizeLinear "$1"
}

# Precision and build-only options of this version, for one file.
options_for() {
    precision=int8
    has_quantizers "$1" || precision=fp32
    if [ "$fp32" = yes ] && [ "$precision" = int8 ]; then
        fail "$1 has Q/DQ nodes, which can't be built as FP32; export with --variant fp32"
    fi
    options=
    if [ "$major" -le 8 ]; then
        [ "$precision" = fp32 ] || options="--int8"
        [ "$fp16" = no ] || options="$options --fp16"
        options="$options --buildOnly"
    elif [ "$major" -le 10 ]; then
        if [ "$fp16" = yes ]; then
            [ "$precision" = fp32 ] || options="--int8"
            options="$options --fp16"
        elif [ "$precision" = int8 ]; then
            options="--stronglyTyped"
        fi
        options="$options --skipInference"
    else
        options="--skipInference"
    fi
}

run() {
    if [ "$dry_run" = yes ]; then
        printf '%s' "$1"
        shift
        [ $# -eq 0 ] || printf " '%s'" "$@"
        printf '\n'
    else
        "$@"
    fi
}

built=0
build() { # NET MIN OPT MAX
    onnx=$models/$1.onnx
    if [ ! -f "$onnx" ]; then
        echo "build_tensorrt_engines.sh: $1 is skipped: there is no $onnx" >&2
        return 0
    fi
    options_for "$onnx"
    suffix=$precision
    [ "$fp16" = no ] || suffix=${precision}_fp16
    engine=$out/$1_${suffix}_trt${version}_${gpu}.engine
    echo "$1: TensorRT $version, $precision, $engine" >&2
    # The options hold no spaces, and are to be split.
    # shellcheck disable=SC2086
    run "$trtexec" --onnx="$onnx" --saveEngine="$engine.part" --memPoolSize=workspace:"$workspace" \
        --minShapes="$2" --optShapes="$3" --maxShapes="$4" $options || {
        rm -f "$engine.part"
        fail "trtexec could not build $1 (see above). Check the file first: qmtcnn info --check tensorrt $onnx"
    }
    if [ "$dry_run" = no ]; then
        [ -s "$engine.part" ] || fail "trtexec said that it was done, but there is no $engine.part"
        mv "$engine.part" "$engine"
        printf '%s\n' "$engine"
    fi
    built=$((built + 1))
}

[ "$dry_run" = yes ] || mkdir -p "$out"
build pnet input:1x3x12x12 input:1x3x648x1152 input:1x3x1080x1920
build rnet input:1x3x24x24 input:64x3x24x24 input:256x3x24x24
build onet input:1x3x48x48 input:16x3x48x48 input:256x3x48x48
[ "$built" -gt 0 ] || fail "$models holds none of pnet.onnx, rnet.onnx and onet.onnx"
