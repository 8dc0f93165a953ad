#!/usr/bin/env bash
# Installs what a build of qmtcnn needs (and, with --test or --all, what its tests need). Skips what is there.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/setup_environment.sh [--test | --all]

  (nothing)   compiler, CMake and the libraries that qmtcnn links: libjpeg-turbo, libpng, libyaml, jansson, zlib,
              Cairo, protobuf-c, xxHash
  --test      the same and what scripts/test.sh needs: both compilers, sanitizers, cmocka, MPI, clang-format
  --all       the same and what scripts/test.sh --all needs: Chromium, cross compilers, Wine, and a Python environment with
              PyTorch, ONNX, ONNX Runtime, TensorBoard and facenet-pytorch in build/python (about 6 GB)
TEXT
}

test_tools=no all_tools=no
for argument in "$@"; do
    case "$argument" in
    --test) test_tools=yes ;;
    --all) test_tools=yes all_tools=yes ;;
    --help | -h) usage; exit 0 ;;
    *) echo "setup_environment.sh: unknown option '$argument'" >&2; usage >&2; exit 2 ;;
    esac
done

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        echo "setup_environment.sh: run this as root, or install sudo, to install packages: $*" >&2
        exit 1
    fi
}

install_packages() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        echo "installing: ${missing[*]}"
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
}

install_debian() {
    local wanted=(clang ninja-build cmake pkg-config libc6-dev make libjpeg-dev libpng-dev libyaml-dev libjansson-dev
        libcairo2-dev libprotobuf-c-dev protobuf-c-compiler libxxhash-dev zlib1g-dev fonts-dejavu-core)
    if [ $test_tools = yes ]; then
        wanted+=(gcc g++ libcmocka-dev libopenmpi-dev openmpi-bin clang-format clang-tidy libsimde-dev python3 shellcheck)
    fi
    if [ $all_tools = yes ]; then
        wanted+=(chromium gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user gcc-mingw-w64-x86-64 wine64 python3-venv time
            curl)
    fi
    install_packages "${wanted[@]}"
    # The sanitizers' runtime carries clang's version in its name, so clang comes first.
    if [ $test_tools = yes ]; then install_packages "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"; fi
}

install_fedora() {
    as_root dnf install -y -q clang gcc ninja-build cmake pkgconf libjpeg-turbo-devel libpng-devel libyaml-devel \
        jansson-devel zlib-devel cairo-devel protobuf-c-devel protobuf-c-compiler xxhash-devel dejavu-sans-fonts
    if [ $test_tools = yes ]; then
        as_root dnf install -y -q libcmocka-devel openmpi-devel clang-tools-extra compiler-rt libasan libubsan python3 ShellCheck
    fi
}

install_macos() {
    brew install cmake ninja pkg-config jpeg-turbo libpng libyaml jansson zlib cairo protobuf-c xxhash
    if [ $test_tools = yes ]; then brew install cmocka open-mpi clang-format llvm shellcheck; fi
}

if command -v apt-get >/dev/null; then install_debian
elif command -v dnf >/dev/null; then install_fedora
elif command -v brew >/dev/null; then install_macos
else
    echo "setup_environment.sh: none of apt-get, dnf, brew is here. Install by hand: a C11 compiler, CMake, Ninja," >&2
    echo "pkg-config, libjpeg-turbo, libpng, libyaml, jansson, zlib, cairo, protobuf-c, xxHash (with headers)." >&2
    exit 1
fi

# protobuf-c's one C file, which has no package for MinGW: as Debian's archive has it, kept by its hash.
fetch_protobuf_c() {
    local folder=$1 version=1.4.1 hash=4cc4facd508172f3e0a4d3a8736225d472418aee35b4ad053384b137b220339f
    [ -s "$folder/protobuf-c/protobuf-c.c" ] && return
    mkdir -p "$folder"
    curl -fsS -o "$folder/source.tar.gz" "http://deb.debian.org/debian/pool/main/p/protobuf-c/protobuf-c_$version.orig.tar.gz"
    echo "$hash  $folder/source.tar.gz" | sha256sum --check --quiet
    tar -xzf "$folder/source.tar.gz" -C "$folder" --strip-components=1
}

if [ $all_tools = yes ]; then
    fetch_protobuf_c "$(cd "$(dirname "$0")/.." && pwd)/build/protobuf-c"
    folder="$(cd "$(dirname "$0")/.." && pwd)/build/python"
    if [ ! -x "$folder/bin/python" ]; then python3 -m venv "$folder"; fi
    "$folder/bin/pip" install -q numpy pillow scipy onnx onnxruntime tensorboard torch onnxscript opencv-python-headless
    # facenet-pytorch pins an old torch that it doesn't need.
    "$folder/bin/pip" install -q --no-deps facenet-pytorch torchvision
    "$folder/bin/pip" install -q requests tqdm
fi
echo "setup_environment.sh: all there"
