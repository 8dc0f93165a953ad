# shellcheck shell=bash
# For test_*.sh beside it: test cases in TAP, a working folder, and the tool with a time limit.
# run_tests.sh sets QMT_TOOL (the tool), QMT_BUILD (its build folder) and QMT_ROOT (the sources).

: "${QMT_TOOL:?path of the qmtcnn tool}" "${QMT_BUILD:?its build folder}" "${QMT_ROOT:?the root of the sources}"
QMT_TOOL=$(realpath "$QMT_TOOL") QMT_BUILD=$(realpath "$QMT_BUILD") # tests change folders
tap_count=0 tap_failed=0
tap_work=$(mktemp -d)
trap 'rm -rf "$tap_work"' EXIT
trap 'exit 130' INT TERM
tap_log=$tap_work/tap.log # what the running case prints, shown where it fails

tap_report() { # STATUS NAME
    tap_count=$((tap_count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $tap_count - $2"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $2"
        tail -n 12 "$tap_log" | cut -c1-300 | sed 's/^/# /'
    fi
}

ok() { # NAME COMMAND...: a case that passes where the command succeeds
    local name=$1
    shift
    "$@" >"$tap_log" 2>&1
    tap_report $? "$name"
}

skip() { # NAME REASON
    tap_count=$((tap_count + 1))
    echo "ok $tap_count # SKIP $1: $2"
}

done_testing() {
    echo "1..$tap_count"
    [ $tap_failed = 0 ]
}

# The tool; no case may hang. The limit is far above any case's need, also on a slow machine that is busy.
qmtcnn() {
    timeout -k 5 "$tool_seconds" "$QMT_TOOL" "$@"
}

exits() { # STATUS COMMAND...: does it end with this status?
    local wanted=$1 status
    shift
    "$@"
    status=$?
    if [ $status != "$wanted" ]; then
        echo "exit status $status, not $wanted: $*"
        return 1
    fi
}

# Is it JSON, one value a line where --lines is given? Without Python only whether there is something.
is_json() { # [--lines] FILE
    local lines=()
    if [ "$1" = --lines ]; then
        lines=(--json-lines)
        shift
    fi
    if [ ! -s "$1" ]; then
        echo "$1 is empty"
        return 1
    fi
    if ! command -v python3 >/dev/null; then return 0; fi
    python3 -m json.tool ${lines[@]+"${lines[@]}"} "$1" /dev/null || {
        echo "not JSON: $(head -c 300 "$1")"
        return 1
    }
}

has() { # TEXT FILE
    grep -aqF -- "$1" "$2" || {
        echo "'$1' is not in $2:"
        tail -n 5 "$2"
        return 1
    }
}

# Was the tool built with sanitizers? It is several times slower then.
is_sanitized() {
    grep -q '^QMT_SANITIZE:[A-Z]*=.' "$QMT_BUILD/CMakeCache.txt" 2>/dev/null
}

tool_seconds=300
if is_sanitized; then tool_seconds=1200; fi
