#!/usr/bin/env bash
# Style that a machine can check: formatting, headers that compile alone, names, lengths, shellcheck, clang-tidy.
# Usage: scripts/check_style.sh BUILD_FOLDER (for its compile_commands.json and generated headers)
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=${1:-build/release}
bad=0
complain() { echo "check_style: $*"; bad=1; }

mapfile -t sources < <(git ls-files "*.c" "*.h" 2>/dev/null | grep . || find src include tests examples -name "*.[ch]" | sort)

if command -v clang-format >/dev/null; then
    unformatted=$(clang-format --dry-run "${sources[@]}" 2>&1 | sed -n 's/^\([^:]*\):[0-9].*warning.*/\1/p' | sort -u)
    [ -n "$unformatted" ] && complain "run clang-format -i on: ${unformatted//$'\n'/ }"
fi

read -r -a libraries < <(pkg-config --cflags cairo jansson yaml-0.1 libprotobuf-c libpng)
while IFS= read -r header; do
    flags=("${libraries[@]}" -std=c11 -Wall -Wextra -Werror -Isrc -Iinclude -Itests "-I$build/generated")
    printf '#include "%s"\n' "${header#*/}" | clang "${flags[@]}" -fsyntax-only -x c - 2>/dev/null ||
        complain "$header does not compile alone"
done < <(find src include tests -name '*.h' | sort)
printf '#include "qmtcnn/qmtcnn.h"\nint main() { return 0; }\n' | clang++ -std=c++11 -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c++ - ||
    complain "include/qmtcnn/qmtcnn.h does not compile as C++"

long=$(wc -l "${sources[@]}" | awk '$2 != "total" && $1 > ($2 ~ /^tests/ ? 700 : 600) {print $2 " (" $1 " lines)"}')
[ -n "$long" ] && complain "too long (600 lines; tests 700): ${long//$'\n'/ }"

words=$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${sources[@]}" || true)
[ -n "$words" ] && complain "unfinished by its own word: $words"

# A folder includes only those that stand before it.
check_order() { # LIBRARY FOLDER...
    local library=$1 i j up
    shift
    for ((i = 1; i <= $#; i++)); do
        for ((j = i + 1; j <= $#; j++)); do
            up=$(grep -rln "#include \"$library/${!j}/" "src/$library/${!i}" || true)
            [ -n "$up" ] && complain "$library/${!i} includes $library/${!j}: ${up//$'\n'/ }"
        done
    done
}
check_order runtime base model kernels detect
check_order toolkit base image config log quant data net train deploy evaluate report pipeline
up=$(grep -rln '#include "toolkit/\|#include "cli/' src/runtime || true)
[ -n "$up" ] && complain "the runtime includes the toolkit: ${up//$'\n'/ }"

if command -v shellcheck >/dev/null; then
    shellcheck -x -S warning scripts/*.sh bench/*.sh tests/*/*.sh .ci/run || complain "shellcheck found the above"
fi

if [ -z "${QMT_NO_TIDY:-}" ] && command -v clang-tidy >/dev/null && [ -f "$build/compile_commands.json" ]; then
    find src -name '*.c' | sort | xargs -P 2 -n 8 clang-tidy -p "$build" --quiet >"$build/tidy.log" 2>/dev/null
    if grep -qE '(warning|error):' "$build/tidy.log"; then
        grep -E '(warning|error):' "$build/tidy.log" | sort -u | head -n 30
        complain "clang-tidy found the above (whole log: $build/tidy.log)"
    fi
fi
exit $bad
