#!/usr/bin/env bash
# Installs what the tests need, builds with gcc and clang (warnings are errors) and under sanitizers, and runs all tests.
# Names the cases that were skipped, then ends with a line "N passed, N failed". See --help.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

usage() {
    cat <<'TEXT'
Usage: scripts/test.sh [--quick | --all]

  (nothing)   release build with clang and with gcc, all tests; the same under ASan + UBSan; threaded tests under TSan;
              style checks. At most 25 minutes on 2 cores.
  --quick     release build with clang, all tests. For work in between.
  --all       also what needs a large install or hours: PyTorch, ONNX Runtime, TensorBoard in Chromium, facenet-pytorch
              on synthetic faces, kill and resume, ranks. Writes docs/test_results.md.
TEXT
}

mode=normal
case "${1:-}" in
'') ;;
--quick) mode=quick ;;
--all) mode=all ;;
--help | -h) usage; exit 0 ;;
*) echo "test.sh: unknown option '$1'" >&2; usage >&2; exit 2 ;;
esac

if [ $mode = all ]; then scripts/setup_environment.sh --all || exit 1; else scripts/setup_environment.sh --test || exit 1; fi

QMT_COUNT=$(mktemp)
export QMT_COUNT
start=$(date +%s)

targets=() # what `build` makes; none: all
build() { # NAME COMPILER [CMAKE OPTION]...
    local name=$1 compiler=$2
    shift 2
    echo "== $name ($(($(date +%s) - start)) s)"
    cmake -S . -B "build/$name" -G Ninja -DCMAKE_C_COMPILER="$compiler" -DQMT_WERROR=ON "$@" >"build/$name.cmake.log" 2>&1 ||
        { cat "build/$name.cmake.log"; echo "0 1 0" >>"$QMT_COUNT"; return 1; }
    # What failed, not the hundreds of lines around it.
    cmake --build "build/$name" -- -k 0 "${targets[@]}" >"build/$name.build.log" 2>&1 ||
        { grep -E "error|FAILED|warning:" "build/$name.build.log" | head -n 60; echo "0 1 0" >>"$QMT_COUNT"; return 1; }
}

check() { # NAME COMMAND...: one test case that is a script
    local name=$1
    shift
    echo "== $name ($(($(date +%s) - start)) s)"
    if "$@"; then echo "1 0 0" >>"$QMT_COUNT"; else echo "failed: $name"; echo "0 1 0" >>"$QMT_COUNT"; fi
}

mkdir -p build
build test-clang clang -DCMAKE_BUILD_TYPE=Release && scripts/run_tests.sh build/test-clang
if [ $mode != quick ]; then
    check "style" scripts/check_style.sh build/test-clang
    # Whole runs on the command line are clang's and the sanitizers' part: they say little of a compiler, and take minutes.
    build test-gcc gcc -DCMAKE_BUILD_TYPE=Release &&
        scripts/run_tests.sh build/test-gcc 'test_[a-z0-9_]+$|test_(hostile|install|selftest)\.sh$'
    build test-asan clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DQMT_SANITIZE=address,undefined -DQMT_MPI=OFF &&
        ASAN_OPTIONS=detect_leaks=1 scripts/run_tests.sh build/test-asan
    threaded='test_(threads|cascade|api|net|train|loader|prepare|progress|synth|check)'
    mapfile -t targets < <(find tests -name 'test_*.c' -printf '%f\n' | sed 's/\.c$//' | grep -E "$threaded")
    build test-tsan clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DQMT_SANITIZE=thread -DQMT_MPI=OFF &&
        scripts/run_tests.sh build/test-tsan "$threaded"
fi
if [ $mode = all ]; then scripts/test_all.sh build/test-clang; fi

read -r passed failed skipped < <(awk '/^[0-9]/ {p += $1; f += $2; s += $3} END {print p + 0, f + 0, s + 0}' "$QMT_COUNT")
grep '^skipped' "$QMT_COUNT"
rm -f "$QMT_COUNT"
echo "took $(($(date +%s) - start)) s; $skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
