#!/usr/bin/env bash
# Runs each fuzz target for some seconds from seeds that it makes, and fails where one finds something.
# Usage: scripts/fuzz_smoke.sh BUILD_FOLDER [SECONDS [TARGET...]]. Builds the targets there first (clang).
# Inputs that broke something stay in BUILD_FOLDER/findings; give one to BUILD_FOLDER/fuzz_TARGET to see it again.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=${1:?usage: fuzz_smoke.sh BUILD_FOLDER [SECONDS [TARGET...]]} seconds=${2:-5}
shift $(($# > 2 ? 2 : $#))

mkdir -p "$build/findings" "$build/corpus"
cmake -S . -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DQMT_FUZZ=ON -DQMT_TESTS=OFF \
    -DQMT_MPI=OFF >"$build/cmake.log" 2>&1 || { tail -n 20 "$build/cmake.log"; exit 1; }
cmake --build "$build" --target fuzz >"$build/build.log" 2>&1 || { tail -n 40 "$build/build.log"; exit 1; }
build=$(realpath "$build")
rm -rf "$build/seeds"
ASAN_OPTIONS=detect_leaks=0 "$build/fuzz_seeds" "$build/seeds" || exit 1

targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for target in fuzz/target_*.c; do targets+=("$(basename "$target" .c | sed 's/^target_//')"); done
fi
run_one() { # TARGET: one line on what it found
    mkdir -p "$build/corpus/$1"
    # Inputs of at most 64 KiB; one that takes over 10 seconds or 1 GiB is a finding, too.
    if "$build/fuzz_$1" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=700 \
        -print_final_stats=1 -artifact_prefix="$build/findings/$1-" "$build/corpus/$1" "$build/seeds/$1" \
        >"$build/fuzz_$1.log" 2>&1; then
        echo "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/fuzz_$1.log") inputs, nothing found"
    else
        touch "$build/failed/$1"
        echo "$1: found something; $build/fuzz_$1.log ends with"
        grep -vE '^(stat::|#[0-9]+.(NEW|REDUCE|pulse))' "$build/fuzz_$1.log" | head -n 30
    fi
}
export -f run_one
export build seconds
rm -rf "$build/failed"
mkdir -p "$build/failed"
# shellcheck disable=SC2016 # the inner shell expands
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc 2>/dev/null || echo 2)" -I '{}' bash -c 'run_one "$1"' _ '{}'
failed=$(find "$build/failed" -type f | wc -l)
echo "$((${#targets[@]} - failed)) targets found nothing, $failed found something"
[ "$failed" = 0 ]
