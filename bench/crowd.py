#!/usr/bin/env python3
"""What faces cost: the time of a picture with many faces over that of the same picture with all but one blurred away.

    python bench/crowd.py TOOL MODELS DATA [--faces 18 24] [-- BENCH OPTION...]

Takes the pictures of DATA (WIDER FACE's layout) that hold so many faces once they are scaled to fit 640 x 480, and prints
a line for each and the median. Options after -- go to `qmtcnn bench detect`. Needs Pillow and NumPy.
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile

from degrade import read_annotation
from PIL import Image, ImageFilter

WIDTH, HEIGHT = 640, 480


def labeled(data, split):
    """(path, boxes) of each picture; a box is (left, top, width, height)."""
    for name, rows in read_annotation(data / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt"):
        yield data / f"WIDER_{split}" / "images" / name, [[float(value) for value in row[:4]] for row in rows]


def fitted(path, boxes):
    """The picture on a gray canvas, and its boxes there."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    scale = min(WIDTH / picture.width, HEIGHT / picture.height)
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (WIDTH, HEIGHT), (128, 128, 128))
    left, top = (WIDTH - small.width) // 2, (HEIGHT - small.height) // 2
    canvas.paste(small, (left, top))
    return canvas, [(x * scale + left, y * scale + top, w * scale, h * scale) for x, y, w, h in boxes]


def without(canvas, boxes):
    """All but the largest face become a blur of what surrounds them."""
    result = canvas.copy()
    largest = max(boxes, key=lambda box: box[2] * box[3])
    for x, y, width, height in boxes:
        if (x, y, width, height) == largest:
            continue
        area = [round(v) for v in (x - 0.2 * width, y - 0.2 * height, x + 1.2 * width, y + 1.2 * height)]
        area = [max(area[0], 0), max(area[1], 0), min(area[2], WIDTH), min(area[3], HEIGHT)]
        if area[0] < area[2] and area[1] < area[3]:
            result.paste(canvas.crop(area).filter(ImageFilter.GaussianBlur(max(width, height) / 2)), area[:2])
    return result


def milliseconds(args, picture, options):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "picture.png"
        picture.save(file)
        command = [args.tool, "bench", "detect", "--models", args.models, "--image", str(file), "--seconds", "0.3", *options]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        faces = subprocess.run([args.tool, "detect", "--models", args.models, "--format", "csv", str(file)], check=True,
                               capture_output=True, text=True).stdout.splitlines()
    line = next(line for line in answer.splitlines() if line.startswith("picture"))
    return float(line.split()[1]), max(len(faces) - 1, 0)


def main():
    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        split = arguments.index("--")
        arguments, options = arguments[:split], arguments[split + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("models")
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--faces", nargs=2, type=int, default=[18, 24])
    args = parser.parse_args(arguments)
    ratios = []
    for split in ("val", "train"):
        for path, boxes in labeled(args.data, split):
            if len(boxes) < args.faces[0]:
                continue
            canvas, boxes = fitted(path, boxes)
            large = sum(min(box[2], box[3]) >= 20 for box in boxes)
            if not args.faces[0] <= large <= args.faces[1]:
                continue
            many, found_many = milliseconds(args, canvas, options)
            one, found_one = milliseconds(args, without(canvas, boxes), options)
            ratios.append(many / one)
            print(f"{path.name}: {many:.2f} ms with {found_many} faces found, {one:.2f} ms with {found_one}: {many / one:.2f}",
                  flush=True)
    if not ratios:
        sys.exit(f"no picture of {args.data} has {args.faces[0]} to {args.faces[1]} faces of 20 pixels and more at 640 x 480")
    print(f"median of {len(ratios)}: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
