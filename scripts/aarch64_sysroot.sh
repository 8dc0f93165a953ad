#!/usr/bin/env bash
# Debian's arm64 libraries in a folder of their own, for cross-building and qemu-aarch64. Installs nothing on this system.
# Usage: scripts/aarch64_sysroot.sh [FOLDER] (build/aarch64-sysroot)
# Then: cmake -S . -B build/aarch64 -G Ninja -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake -DQMT_SYSROOT=FOLDER -DQMT_MPI=OFF
# Needs apt-get (Debian or Ubuntu), and to build and run: gcc-aarch64-linux-gnu qemu-user protobuf-c-compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
sysroot=${1:-build/aarch64-sysroot}
packages=(libc6-dev libprotobuf-c-dev libcmocka-dev libjpeg62-turbo-dev libpng-dev libjansson-dev libcairo2-dev
    libyaml-dev libxxhash-dev zlib1g-dev)

if [ -f "$sysroot/complete" ]; then
    echo "$sysroot is there already"
    exit 0
fi
mkdir -p "$sysroot"
sysroot=$(cd "$sysroot" && pwd)
apt=$sysroot/apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
: >"$apt/status" # as if nothing were installed: every library that is needed is fetched
options=(-qq -y -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$apt" -o "Dir::State::status=$apt/status"
    -o "Dir::Cache=$apt" -o "APT::Sandbox::User=$(id -un)")
apt-get "${options[@]}" update
apt-get "${options[@]}" --no-install-recommends --download-only install "${packages[@]}"

mkdir -p "$sysroot/usr/lib" "$sysroot/usr/bin" "$sysroot/usr/sbin"
for folder in lib bin sbin; do ln -sfn "usr/$folder" "$sysroot/$folder"; done
for package in "$apt"/archives/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x -C "$sysroot" --keep-directory-symlink --no-same-owner; done
rm -rf "$apt"
touch "$sysroot/complete"
echo "$sysroot: $(du -sh "$sysroot" | cut -f1)"
