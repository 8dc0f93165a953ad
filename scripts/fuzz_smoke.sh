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
failed=0
for target in "${targets[@]}"; do
    mkdir -p "$build/corpus/$target"
    # Inputs of at most 64 KiB; one that takes over 10 seconds or 1 GiB is a finding, too. libmatio asks for as much memory
    # as a .mat file says, at once: such calls fail.
    limits=(-rss_limit_mb=1024 -malloc_limit_mb=700) asan=''
    if [ "$target" = mat ]; then
        limits=(-rss_limit_mb=2048 -malloc_limit_mb=1000000) asan=allocator_may_return_null=1:max_allocation_size_mb=256
    fi
    if ASAN_OPTIONS=$asan "$build/fuzz_$target" -max_total_time="$seconds" -max_len=65536 -timeout=10 "${limits[@]}" \
        -print_final_stats=1 -artifact_prefix="$build/findings/$target-" "$build/corpus/$target" "$build/seeds/$target" \
        >"$build/fuzz_$target.log" 2>&1; then
        echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/fuzz_$target.log") inputs, nothing found"
    else
        failed=$((failed + 1))
        echo "$target: found something; $build/fuzz_$target.log ends with"
        grep -vE '^(stat::|#[0-9]+.(NEW|REDUCE|pulse))' "$build/fuzz_$target.log" | head -n 30
    fi
done
echo "$((${#targets[@]} - failed)) targets found nothing, $failed found something"
[ $failed = 0 ]
