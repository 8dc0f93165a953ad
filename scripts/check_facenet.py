#!/usr/bin/env python3
"""facenet-pytorch's MTCNN (the original weights) on a data set, as WIDER FACE submission files with
five points a face, so that `qmtcnn eval` judges it by the same rules as our detector.

    python scripts/check_facenet.py DATA OUT [--split val] [--thresholds .3 .3 .1] [--min-face 20] [--limit N]
"""
import argparse
import pathlib
import sys

from facenet_pytorch import MTCNN
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "bench"))
from degrade import read_annotation  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--thresholds", type=float, nargs=3, default=[0.3, 0.3, 0.1])
    parser.add_argument("--min-face", type=int, default=20)
    parser.add_argument("--limit", type=int, default=0)
    args = parser.parse_args()
    detector = MTCNN(keep_all=True, min_face_size=args.min_face, thresholds=args.thresholds, post_process=False)
    folder = args.data / f"WIDER_{args.split}" / "images"
    names = [name for name, _ in read_annotation(args.data / "wider_face_split" / f"wider_face_{args.split}_bbx_gt.txt")]
    for name in names[: args.limit or None]:
        try:
            boxes, scores, points = detector.detect(Image.open(folder / name).convert("RGB"), landmarks=True)
        except (RuntimeError, ValueError, TypeError):  # it fails on pictures without any proposal
            boxes = None
        rows = [] if boxes is None else list(zip(boxes, scores, points))
        path = args.out / pathlib.Path(name).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"{name}\n{len(rows)}\n")
            for (x1, y1, x2, y2), score, five in rows:
                marks = " ".join(f"{x:.4f} {y:.4f}" for x, y in five)
                out.write(f"{x1:.4f} {y1:.4f} {x2 - x1:.4f} {y2 - y1:.4f} {score:.8f} {marks}\n")


if __name__ == "__main__":
    main()
