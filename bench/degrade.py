#!/usr/bin/env python3
"""The val split of a data set in WIDER FACE's layout, made worse in one way, as a data set of its own, so that any
detector can be judged on pictures that are harder than those it was trained on. The same seed gives the same pictures.

    python bench/degrade.py DATA OUT small|blur|dark|jpeg [--seed 1]

small   each picture shrunk (area averaging) so that its median face has a side drawn from 12 to 40 pixels, uniform in
        the logarithm; pictures whose faces are smaller already, or that have none, shrink by a draw from 0.3 to 1
blur    a Gaussian of 1 to 3 pixels
dark    linear light times 0.04 to 0.2, with the noise of a sensor, and 8 bits again
jpeg    quality 5 to 20
"""
import argparse
import io
import pathlib
import random
import statistics

import numpy
from PIL import Image, ImageFilter


def read_annotation(path):
    """[(name, [row as list of text])] of WIDER FACE's text annotation; pictures without faces have no rows."""
    entries = []
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    at = 0
    while at < len(lines):
        name, count = lines[at].strip(), int(lines[at + 1])
        at += 2
        entries.append((name, [line.split() for line in lines[at : at + count]]))
        at += count
        if count == 0 and at < len(lines) and len(lines[at].split()) > 1 and not set(lines[at].split()) - {"0"}:
            at += 1  # WIDER FACE puts a row of zeros where there is no face; other lists put none
    return entries


def side(row):
    return min(float(row[2]), float(row[3]))


def is_face(row):
    return len(row) < 8 or row[7] == "0"


def shrink_factor(rows, draw):
    sides = [side(row) for row in rows if is_face(row) and side(row) > 0]
    target = 12 * (40 / 12) ** draw.random()
    if sides and statistics.median(sides) > target:
        return target / statistics.median(sides)
    return 0.3 + 0.7 * draw.random()


def shrink(image, factor):
    width, height = (max(24, round(length * factor)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def darken(image, draw):
    pixels = numpy.asarray(image, dtype=numpy.float64) / 255
    light = pixels**2.2 * (0.04 + 0.16 * draw.random())
    noise = numpy.random.default_rng(draw.getrandbits(64))
    light += noise.normal(size=light.shape) * numpy.sqrt(1e-5 + light * 2e-4)
    return Image.fromarray(numpy.uint8(numpy.clip(light, 0, 1) ** (1 / 2.2) * 255 + 0.5))


def compress(image, draw):
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=draw.randint(5, 20))
    return Image.open(io.BytesIO(memory.getvalue())).convert("RGB")


def degrade(image, kind, rows, draw):
    """The picture, and the factor by which it was shrunk in x and y."""
    if kind == "small":
        small = shrink(image, shrink_factor(rows, draw))
        return small, small.width / image.width, small.height / image.height
    if kind == "blur":
        return image.filter(ImageFilter.GaussianBlur(1 + 2 * draw.random())), 1, 1
    if kind == "dark":
        return darken(image, draw), 1, 1
    return compress(image, draw), 1, 1


def scale_row(row, x, y):
    values = [float(row[0]) * x, float(row[1]) * y, float(row[2]) * x, float(row[3]) * y]
    rest = row[4:] if len(row) > 4 else []
    return " ".join([f"{value:.3f}" for value in values] + rest)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("kind", choices=["small", "blur", "dark", "jpeg"])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    split = pathlib.Path("wider_face_split") / "wider_face_val_bbx_gt.txt"
    (args.out / "wider_face_split").mkdir(parents=True, exist_ok=True)
    with open(args.out / split, "w", encoding="utf-8") as annotation:
        for name, rows in read_annotation(args.data / split):
            image = Image.open(args.data / "WIDER_val" / "images" / name).convert("RGB")
            image, x, y = degrade(image, args.kind, rows, random.Random(f"{args.seed} {args.kind} {name}"))
            path = (args.out / "WIDER_val" / "images" / name).with_suffix(".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
            kept = [scale_row(row, x, y) for row in rows] or ["0 0 0 0 0 0 0 0 0 0"]
            annotation.write(f"{pathlib.Path(name).with_suffix('.png')}\n{len(rows)}\n" + "\n".join(kept) + "\n")


if __name__ == "__main__":
    main()
