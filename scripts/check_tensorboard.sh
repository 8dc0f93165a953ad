#!/usr/bin/env bash
# Opens event files in TensorBoard: checks that it reads losses by task, learning rate, samples a second, gradient norms,
# ranges and saturation by layer, histograms, and pictures of samples and detections; then that Chromium draws them, with
# a screenshot of each page. Usage: scripts/check_tensorboard.sh PYTHON LOGS FOLDER_FOR_SCREENSHOTS
set -euo pipefail
python=${1:?usage: check_tensorboard.sh PYTHON LOGS FOLDER} logs=${2:?} folder=${3:?}
port=$((20000 + RANDOM % 20000))
profile=$(mktemp -d)
mkdir -p "$folder"
"$(dirname "$python")/tensorboard" --logdir "$logs" --port $port --host 127.0.0.1 >/dev/null 2>&1 &
server=$!
chromium --headless --no-sandbox --disable-gpu --user-data-dir="$profile" --remote-allow-origins='*' \
    --remote-debugging-port=$((port + 1)) about:blank >/dev/null 2>&1 &
browser=$!
trap 'kill $server $browser 2>/dev/null || true; wait 2>/dev/null; rm -rf "$profile"' EXIT
"$python" - "$port" <<'PYTHON'
import json, sys, time, urllib.parse, urllib.request
base = f"http://127.0.0.1:{sys.argv[1]}/data/plugin"
def get(path):
    with urllib.request.urlopen(base + path, timeout=5) as reply:
        return json.load(reply)
def tags(kind):
    return {tag for run in get(f"/{kind}/tags").values() for tag in run}
wanted = {"scalars": ["loss/total", "loss/class", "loss/box", "loss/landmark", "train/learning_rate", "train/gradient_norm",
                      "speed/samples_per_second", "quant/conv1/input_range", "quant/conv1/input_saturation",
                      "quant/conv2/weight_range", "validation/fp32/score", "validation/int8/score"],
          "histograms": ["weights/conv1.weight", "weights/conv2.weight"],
          "images": ["samples", "detections/1"]}
deadline = time.time() + 90
while True:
    try:
        missing = [tag for kind, names in wanted.items() for tag in names if tag not in tags(kind)]
        if not missing:
            break
    except OSError:
        missing = ["everything: TensorBoard does not answer"]
    if time.time() > deadline:
        sys.exit(f"TensorBoard does not show: {', '.join(missing)}")
    time.sleep(1)
run = next(name for name, tags in get("/scalars/tags").items() if "loss/total" in tags)
points = get(f"/scalars/scalars?run={urllib.parse.quote(run)}&tag=loss/total")
assert len(points) > 1, "one point is no curve"
print(f"{len(tags('scalars'))} scalars, {len(tags('histograms'))} histograms, {len(tags('images'))} pictures; "
      f"{len(points)} points of loss/total")
PYTHON
"$python" "$(dirname "$0")/check_tensorboard.py" $port $((port + 1)) "$folder"
