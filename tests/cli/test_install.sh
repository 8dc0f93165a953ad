#!/usr/bin/env bash
# What a program that uses the library does: install, find_package, pkg-config, run the examples.
set -u
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

if is_sanitized; then
    skip "install" "a sanitized library needs its sanitizer in every program"
    done_testing
    exit
fi
prefix=$tap_work/prefix build=$tap_work/build
printf 'P6 64 48 255\n' >"$tap_work/picture.ppm"
head -c 9216 /dev/zero | tr '\0' 'q' >>"$tap_work/picture.ppm"

with_pkg_config() {
    local flags
    flags=$(PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name qmtcnn.pc)") pkg-config --cflags --libs --static qmtcnn) ||
        return 1
    # shellcheck disable=SC2086
    cc -std=c11 "$QMT_ROOT/examples/detect.c" -o "$tap_work/by_hand" $flags
}
runs() { # PROGRAM: finds its models and exits with 0; and without models says so and exits with 1
    "$1" "$tap_work/models" "$tap_work/picture.ppm" && exits 1 "$1" "$tap_work/nowhere" "$tap_work/picture.ppm"
}

ok "cmake --install" cmake --install "$QMT_BUILD" --prefix "$prefix"
ok "random models" "$QMT_BUILD/tests/tools/make_models" "$tap_work/models"
ok "find_package: configure" cmake -S "$QMT_ROOT/examples" -B "$build" -DCMAKE_PREFIX_PATH="$prefix"
ok "find_package: build" cmake --build "$build"
ok "example in C" runs "$build/example_detect"
ok "example in C with threads" runs "$build/example_detect_threads"
ok "example in C++" runs "$build/example_detect_cpp"
ok "pkg-config: build" with_pkg_config
ok "pkg-config: run" runs "$tap_work/by_hand"
ok "installed tool" "$prefix/bin/qmtcnn" --version
done_testing
