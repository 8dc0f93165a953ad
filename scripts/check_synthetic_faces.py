#!/usr/bin/env python3
"""Do synthetic faces look like faces to a detector that never saw them?

Runs facenet-pytorch's MTCNN (trained on real faces) on pictures that `qmtcnn synth` made, and prints which share of the
frontal, unoccluded faces of 40 pixels and more it finds. Exit status 1 if that is less than half.

    qmtcnn synth --out faces --images 100 --val-images 0
    python scripts/check_synthetic_faces.py faces [SPLIT] [PICTURES]
"""
import os
import sys

from facenet_pytorch import MTCNN
from PIL import Image

SMALLEST = 40
NEEDED = 0.5
SIZES = (20, 40, 80, 160, 10000)


def read_faces(path):
    """Yields (picture name, list of rows) of WIDER FACE's text annotation."""
    with open(path, encoding="utf-8") as lines:
        for name in lines:
            count = int(next(lines))
            rows = [[float(v) for v in next(lines).split()] for _ in range(max(count, 1))]
            yield name.strip(), rows[:count]


def iou(row, box):
    x1, y1, w, h = row[:4]
    x2, y2 = x1 + w, y1 + h
    width = min(x2, box[2]) - max(x1, box[0])
    height = min(y2, box[3]) - max(y1, box[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (w * h + (box[2] - box[0]) * (box[3] - box[1]) - both)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    split = sys.argv[2] if len(sys.argv) > 2 else "train"
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    detector = MTCNN(keep_all=True, min_face_size=20, thresholds=[0.6, 0.7, 0.7], device="cpu")
    annotation = os.path.join(folder, "wider_face_split", f"wider_face_{split}_bbx_gt.txt")
    found, total, alarms = dict.fromkeys(SIZES, 0), dict.fromkeys(SIZES, 0), 0
    frontal_found = frontal = 0
    for number, (name, rows) in enumerate(read_faces(annotation)):
        if number == limit:
            break
        picture = Image.open(os.path.join(folder, f"WIDER_{split}", "images", name)).convert("RGB")
        boxes, _ = detector.detect(picture)
        boxes = [] if boxes is None else list(boxes)
        alarms += sum(1 for box in boxes if all(iou(row, box) < 0.3 for row in rows))
        for row in rows:
            invalid, occlusion, pose = row[7], row[8], row[9]
            if invalid or occlusion == 2:
                continue
            hit = any(iou(row, box) >= 0.5 for box in boxes)
            side = next(size for size in SIZES if min(row[2], row[3]) < size)
            total[side] += 1
            found[side] += hit
            if occlusion == 0 and pose == 0 and min(row[2], row[3]) >= SMALLEST:
                frontal += 1
                frontal_found += hit
    for size in SIZES:
        print(f"faces under {size:5d} pixels: {found[size]} of {total[size]} found")
    print(f"false alarms: {alarms}")
    recall = frontal_found / frontal if frontal else 0.0
    print(f"frontal faces of {SMALLEST} pixels and more: {frontal_found} of {frontal} found, recall {recall:.3f} (needed {NEEDED})")
    return 0 if recall >= NEEDED else 1


if __name__ == "__main__":
    sys.exit(main())
