"""Drives headless Chromium over TensorBoard's pages (for scripts/check_tensorboard.sh): waits until plots and pictures
are really drawn, and takes a screenshot of each page. Usage: check_tensorboard.py TENSORBOARD_PORT BROWSER_PORT FOLDER"""
import base64, io, json, os, socket, struct, sys, time, urllib.parse, urllib.request

from PIL import Image

board, browser, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
WAIT = 240  # seconds for each page; a busy machine is slow


class Browser:
    """Just enough of the DevTools protocol: a WebSocket client with masked text frames (RFC 6455)."""

    def __init__(self, port):
        deadline = time.time() + WAIT
        while True:
            try:
                pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5))
                url = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
                break
            except (OSError, StopIteration):
                if time.time() > deadline:
                    sys.exit("Chromium does not answer")
                time.sleep(0.5)
        path = urllib.parse.urlparse(url).path
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        assert b" 101 " in head, head
        self.number = 0

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                sys.exit("Chromium closed the connection")
            data += part
        return data

    def receive(self):
        text = b""
        while True:
            first, second = self.read(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(self.read(2 if size == 126 else 8), "big")
            text += self.read(size)
            if first & 128:
                return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        data = json.dumps({"id": self.number, "method": method, "params": parameters}).encode()
        size = bytes([128 | len(data)]) if len(data) < 126 else bytes([128 | 126]) + struct.pack(">H", len(data))
        mask = os.urandom(4)
        self.socket.sendall(b"\x81" + size + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(data)))
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                return answer["result"]

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")


def screenshot(chromium):
    return base64.b64decode(chromium.call("Page.captureScreenshot", format="png")["data"])


def curves(chromium):
    """Charts in which a curve is to be seen: it has a color, grid and words are gray."""
    boxes = json.loads(chromium.evaluate(charts) or "[]")
    picture = Image.open(io.BytesIO(screenshot(chromium))).convert("RGB") if boxes else None
    seen = 0
    for box in boxes:
        data = picture.crop([int(side) for side in box]).tobytes()
        seen += sum(max(pixel) - min(pixel) > 28 for pixel in zip(data[::3], data[1::3], data[2::3])) > 100
    return seen


# What stands on each page: a filter for tags, words that must be there, and how many drawings of which kind.
charts = ("JSON.stringify([...document.querySelectorAll('scalar-card line-chart')].map(c => c.getBoundingClientRect())"
          ".map(r => [r.left, r.top, r.right, r.bottom]))")
bars = "[...document.querySelectorAll('histogram-card svg path')].filter(p => (p.getAttribute('d') || '').length > 40).length"
pictures = "[...document.images].filter(i => i.complete && i.naturalWidth > 200).length"
losses = ["loss/total", "loss/class", "loss/box", "loss/landmark"]
pages = [("losses", "^loss/", losses, None, 4),
         ("training", "^(train|speed)/", ["train/learning_rate", "train/gradient_norm", "speed/samples_per_second"], None, 3),
         ("quantization", "^quant/conv2", ["quant/conv2/input_range", "quant/conv2/input_saturation"], None, 2),
         ("histograms", "^weights/conv1.weight", ["weights/conv1.weight"], bars, 3),
         ("samples", "^samples", ["samples"], pictures, 1),
         ("detections", "^detections/1", ["detections/1"], pictures, 1)]

chromium = Browser(browser)
chromium.call("Emulation.setDeviceMetricsOverride", width=1500, height=1150, deviceScaleFactor=1, mobile=False)
for name, tags, words, count, least in pages:
    query = urllib.parse.quote(tags, safe="")
    chromium.call("Page.navigate", url=f"http://127.0.0.1:{board}/?tagFilter={query}&page={name}#timeseries")
    deadline = time.time() + WAIT
    while True:
        time.sleep(1)
        # A title is cut into several elements: without white space it is whole.
        text = chromium.evaluate("document.body ? document.body.textContent.replace(/\\s+/g, '') : ''") or ""
        drawn = chromium.evaluate(count) or 0 if count else curves(chromium)
        if all(word in text for word in words) and drawn >= least:
            break
        if time.time() > deadline:
            sys.exit(f"page {name}: {drawn} drawings of at least {least}; missing: {[w for w in words if w not in text]}")
    time.sleep(1)
    path = os.path.join(folder, f"tensorboard-{name}.png")
    with open(path, "wb") as file:
        file.write(screenshot(chromium))
    print(f"{name}: {drawn} drawings; {path}")
