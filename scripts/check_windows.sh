#!/usr/bin/env bash
# Cross-compiles libqmtcnn and its C example for Windows with MinGW-w64 (gcc-mingw-w64-x86-64), warnings as errors, and,
# where Wine is installed (wine64), compares what the example finds there with what it finds here.
# PROTOBUF_C: a folder with protobuf-c's source, whose one C file has no package for MinGW on Debian.
# Usage: scripts/check_windows.sh PROTOBUF_C BUILD MODELS PICTURE.ppm (BUILD: a native build folder, with the examples)
set -euo pipefail
source=${1:?usage: check_windows.sh PROTOBUF_C BUILD MODELS PICTURE.ppm} native=$(realpath "${2:?}") models=$(realpath "${3:?}")
picture=$(realpath "${4:?}") root=$(cd "$(dirname "$0")/.." && pwd) compiler=x86_64-w64-mingw32-gcc
source=$(realpath "$source")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/protobuf/lib/pkgconfig"
$compiler -O2 -I "$source" -c "$source/protobuf-c/protobuf-c.c" -o "$work/protobuf-c.o"
x86_64-w64-mingw32-ar rcs "$work/protobuf/lib/libprotobuf-c.a" "$work/protobuf-c.o"
printf 'Name: libprotobuf-c\nDescription: protobuf-c\nVersion: 1\nLibs: -L%s -lprotobuf-c\nCflags: -I%s\n' "$work/protobuf/lib" \
    "$source" >"$work/protobuf/lib/pkgconfig/libprotobuf-c.pc"
printf 'set(CMAKE_SYSTEM_NAME Windows)\nset(CMAKE_C_COMPILER %s)\n' $compiler >"$work/toolchain.cmake"

# The examples want C++ as well; the one in C is built by hand, as a program outside the tree would be.
PKG_CONFIG_LIBDIR="$work/protobuf/lib/pkgconfig" cmake -S "$root" -B "$work/build" -G Ninja -DQMT_WERROR=ON -DQMT_EXAMPLES=OFF \
    -DCMAKE_TOOLCHAIN_FILE="$work/toolchain.cmake" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
cmake --build "$work/build" >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; exit 1; }
$compiler -O2 -Wall -Wextra -Werror -I "$root/include" "$root/examples/detect.c" -o "$work/detect.exe" -L "$work/build" -lqmtcnn \
    -L "$work/protobuf/lib" -lprotobuf-c -lpthread -static
echo "built: libqmtcnn.a ($(stat -c %s "$work/build/libqmtcnn.a") bytes) and detect.exe for Windows"

wine=$(command -v wine64 || command -v wine || ls /usr/lib/wine/wine64 2>/dev/null || true)
if [ -z "$wine" ]; then
    echo "not run: there is no Wine"
    exit 0
fi
export WINEPREFIX="$work/wine" WINEDEBUG=-all
"$wine" "$work/detect.exe" "Z:$models" "Z:$picture" 2>/dev/null | tr -d '\r' >"$work/there.txt"
"$native/example_detect" "$models" "$picture" >"$work/here.txt"
cmp "$work/there.txt" "$work/here.txt"
echo "run in Wine: the same $(wc -l <"$work/here.txt") boxes as here"
