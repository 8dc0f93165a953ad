#!/usr/bin/env bash
# Opens event files in TensorBoard, checks that it reads scalars, histograms and pictures, and takes a screenshot of the
# page in headless Chromium. Usage: scripts/check_tensorboard.sh PYTHON LOGS SCREENSHOT.png
set -euo pipefail
python=${1:?usage: check_tensorboard.sh PYTHON LOGS SCREENSHOT} logs=${2:?} picture=${3:?}
port=$((20000 + RANDOM % 20000))
"$(dirname "$python")/tensorboard" --logdir "$logs" --port $port --host 127.0.0.1 >/dev/null 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
"$python" - "$port" <<'PYTHON'
import json, sys, time, urllib.request
base = f"http://127.0.0.1:{sys.argv[1]}/data/plugin"
def get(path):
    with urllib.request.urlopen(base + path, timeout=5) as reply:
        return json.load(reply)
deadline = time.time() + 90
while True:
    try:
        scalars, histograms, images = get("/scalars/tags"), get("/histograms/tags"), get("/images/tags")
        if scalars and any(images.values()):
            break
    except OSError:
        pass
    if time.time() > deadline:
        sys.exit("TensorBoard shows no scalars or no pictures")
    time.sleep(1)
run, tags = next(iter(scalars.items()))
points = get(f"/scalars/scalars?run={run}&tag={next(iter(tags))}")
print(f"{sum(map(len, scalars.values()))} scalars, {sum(map(len, histograms.values()))} histograms, "
      f"{sum(map(len, images.values()))} pictures in {len(scalars)} runs; {len(points)} points in the first")
assert len(points) > 1 and any(histograms.values())
PYTHON
chromium --headless --no-sandbox --disable-gpu --window-size=1400,1000 --virtual-time-budget=20000 \
    --screenshot="$picture" "http://127.0.0.1:$port/#timeseries" >/dev/null 2>&1
# An empty page compresses to a few kilobytes; one with plots does not.
[ "$(stat -c %s "$picture")" -gt 30000 ]
echo "screenshot: $picture"
