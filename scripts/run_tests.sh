#!/usr/bin/env bash
# Runs every test of a build folder, two at a time, and counts single test cases.
# Usage: scripts/run_tests.sh BUILD_FOLDER [PATTERN]. Adds "PASSED FAILED SKIPPED" and the names of skipped cases to the file
# $QMT_COUNT, if that is set.
set -uo pipefail
build=${1:?usage: run_tests.sh BUILD_FOLDER [PATTERN]} pattern=${2:-}
logs="$build/test-logs"
root=$(cd "$(dirname "$0")/.." && pwd)
rm -rf "$logs"
mkdir -p "$logs"

run_one() {
    local test=$1 logs=$2 name start=$SECONDS
    name=$(basename "$test")
    # Far above the need of the slowest program under a sanitizer, also on a busy machine: only a hang takes so long.
    CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 2700 "$test" >"$logs/$name.log" 2>&1 </dev/null
    local status=$?
    echo "$((SECONDS - start)) $name" >>"$logs/seconds"
    # A crash or a time-out ends a program before its last case: count it as a failed case.
    local planned seen
    planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$logs/$name.log" | head -n 1)
    seen=$(grep -cE '^(not )?ok [0-9]+' "$logs/$name.log")
    if [ $status -gt 1 ] && { [ -z "$planned" ] || [ "$seen" -lt "$planned" ]; }; then
        echo "not ok 999 - $name ended early with status $status" >>"$logs/$name.log"
    elif [ $status -ne 0 ] && ! grep -E '^not ok' "$logs/$name.log" | grep -qv '# SKIP'; then
        echo "not ok 999 - $name ended with status $status" >>"$logs/$name.log"
    fi
}
export -f run_one

export QMT_TOOL="$build/qmtcnn" QMT_BUILD="$build" QMT_ROOT="$root"
# shellcheck disable=SC2016 # the inner shell expands
{
    find "$build/tests" -maxdepth 1 -type f -perm -u+x -name 'test_*'
    [ -x "$build/qmtcnn" ] && find "$root/tests" -name 'test_*.sh'
} | { if [ -n "$pattern" ]; then grep -E "$pattern"; else cat; fi; } | sort |
    xargs -P 2 -I '{}' bash -c 'run_one "$1" "$2"' _ '{}' "$logs"

skipped=$(cat "$logs"/*.log | grep -cE '^(not )?ok [0-9]+ # SKIP')
passed=$(cat "$logs"/*.log | grep -E '^ok [0-9]+' | grep -cv '# SKIP')
failed=$(cat "$logs"/*.log | grep -E '^not ok [0-9]+' | grep -cv '# SKIP')
for log in "$logs"/*.log; do
    if grep -E '^not ok' "$log" | grep -qv '# SKIP'; then
        echo "---- $(basename "$log" .log)"
        grep -vE '^ok ' "$log" | tail -n 40
    fi
done
slowest=$(sort -rn "$logs/seconds" | awk 'NR <= 3 && $1 > 0 {printf("%s%s %d s", (NR > 1 ? ", " : ""), $2, $1)}')
echo "$(basename "$build"): $passed passed, $failed failed, $skipped skipped${slowest:+; slowest: $slowest}"
if [ -n "${QMT_COUNT:-}" ]; then
    echo "$passed $failed $skipped" >>"$QMT_COUNT"
    grep -hE '# SKIP' "$logs"/*.log | sed -E "s/^(not )?ok [0-9]+ # SKIP/skipped in $(basename "$build"):/" | sort >>"$QMT_COUNT"
else
    grep -hE '# SKIP' "$logs"/*.log | sed -E 's/^(not )?ok [0-9]+ # SKIP/skipped:/' | sort
fi
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
