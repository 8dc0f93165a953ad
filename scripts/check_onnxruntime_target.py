#!/usr/bin/env python3
"""What `export --target onnxruntime` is worth: fusion, accuracy and speed in ONNX Runtime on this machine.

    python scripts/check_onnxruntime_target.py TOOL CHECKPOINTS DATA [--limit 60] [--seconds 0.5] [--thresholds .3 .3 .1]

Exports the checkpoints (FP32, INT8 for TensorRT, INT8 for ONNX Runtime with weights of 8 and 7 bits) and demands (exit status 1
otherwise): every file of the form passes onnx.checker, and ONNX Runtime's optimizer turns every convolution of its trunk into
QLinearConv. Reports, on the first --limit pictures of DATA's val split: AP of the whole cascade run by ONNX Runtime with each set of
files, beside our runtime on the same files (exact arithmetic); the share of outputs that saturate inside ONNX Runtime; and
milliseconds for one VGA frame.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "bench"))
import exactness
import peers

SIDES = {"pnet": None, "rnet": 24, "onet": 48}


def session(path, optimized=None):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def check_fusion(path, folder):
    """Convolutions and QLinearConvs after optimization."""
    onnx.checker.check_model(str(path), full_check=True)
    session(path, folder / "optimized.onnx")
    kinds = [node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node]
    return kinds.count("QLinearConv"), sum(node.op_type == "Conv" for node in onnx.load(path).graph.node) - 3


class Cascade:
    """The whole of MTCNN on ONNX Runtime: pyramid, three networks, suppression, as our runtime does it."""

    def __init__(self, folder, thresholds):
        self.nets = {net: session(folder / f"{net}.onnx") for net in SIDES}
        self.thresholds = thresholds

    def run(self, net, pixels):
        x = (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(128)
        values = self.nets[net].run(None, {self.nets[net].get_inputs()[0].name: np.ascontiguousarray(x.transpose(0, 3, 1, 2))})
        by_channels = {v.shape[1]: v for v in values}
        return by_channels[2][:, 1], by_channels[4]

    def detect(self, image):
        boxes = self.proposals(image)
        for net, limit, smaller in (("rnet", 0.7, False), ("onet", 0.7, True)):
            if len(boxes) == 0:
                break
            side = SIDES[net]
            parts = []
            squares = square(boxes)
            crops = np.stack([crop(image, box[:4], side) for box in squares])
            for at in range(0, len(crops), 256):
                face, offsets = self.run(net, crops[at:at + 256])
                parts.append((face.reshape(-1), offsets.reshape(-1, 4)))
            face, offsets = (np.concatenate(p) for p in zip(*parts))
            keep = face > self.thresholds[list(SIDES).index(net)]
            boxes = suppress(regress(np.column_stack([squares[:, :4], face])[keep], offsets[keep]), limit, smaller)
        return boxes

    def proposals(self, image):
        width, height = image.size
        scale, found = 12 / 20, []
        while min(width, height) * scale >= 12:
            size = int(width * scale + 0.5), int(height * scale + 0.5)
            face, offsets = self.run("pnet", np.asarray(image.resize(size, Image.BOX if scale <= 1 else Image.BILINEAR))[None])
            rows, columns = np.nonzero(face[0] > self.thresholds[0])
            corner = np.column_stack([2 * columns, 2 * rows]).astype(np.float64)
            ratio = np.array([width / size[0], height / size[1]])
            level = np.column_stack([corner * ratio, (corner + 12) * ratio, face[0][rows, columns]])
            keep, level = suppress(level, 0.5, False, True)
            found.append(np.column_stack([level, offsets[0][:, rows, columns].T[keep]]))
            scale *= 0.709
        found = np.concatenate(found) if found else np.zeros((0, 9))
        keep, _ = suppress(found[:, :5], 0.7, False, True)
        return regress(found[keep, :5], found[keep, 5:])


def regress(boxes, offsets):
    sides = np.column_stack([boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]])
    return np.column_stack([boxes[:, :4] + offsets * np.column_stack([sides, sides]), boxes[:, 4]])


def square(boxes):
    center = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])[:, None] / 2
    return np.column_stack([center - half, center + half, boxes[:, 4]])


def crop(image, box, side):
    """A square, black outside the picture."""
    x, y = int(np.floor(box[0])), int(np.floor(box[1]))
    size = max(1, int(np.ceil(box[2])) - x)
    part = image.crop((x, y, x + size, y + size))
    return np.asarray(part.resize((side, side), Image.BOX if size >= side else Image.BILINEAR))


def suppress(boxes, limit, smaller, indices=False):
    order = np.argsort(-boxes[:, 4], kind="stable")
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    keep = []
    while len(order):
        first, order = order[0], order[1:]
        keep.append(first)
        inside = np.maximum(0, np.minimum(boxes[first, 2], boxes[order, 2]) - np.maximum(boxes[first, 0], boxes[order, 0]))
        inside = inside * np.maximum(0, np.minimum(boxes[first, 3], boxes[order, 3]) - np.maximum(boxes[first, 1], boxes[order, 1]))
        whole = np.minimum(area[first], area[order]) if smaller else area[first] + area[order] - inside
        order = order[inside <= limit * whole]
    keep = np.array(keep, int)
    return (keep, boxes[keep]) if indices else boxes[keep]


def names(data):
    with open(data / "wider_face_split" / "wider_face_val_bbx_gt.txt", encoding="utf-8") as lines:
        for name in lines:
            for _ in range(max(int(next(lines)), 1)):
                next(lines)
            yield name.strip()


def write_submission(cascade, data, chosen, out):
    for name in chosen:
        boxes = cascade.detect(Image.open(data / "WIDER_val" / "images" / name).convert("RGB"))
        path = out / pathlib.Path(name).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [f"{x1:.3f} {y1:.3f} {x2 - x1:.3f} {y2 - y1:.3f} {score:.7f}\n" for x1, y1, x2, y2, score in boxes]
        path.write_text(f"{name}\n{len(rows)}\n" + "".join(rows), encoding="utf-8")


def evaluate(tool, data, limit, *options):
    command = [tool, "eval", "--data", str(data), "--limit", str(limit), "--format", "json", *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["ap"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("checkpoints")
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--thresholds", type=float, nargs=3, default=[0.3, 0.3, 0.1])
    args = parser.parse_args()
    sets = {"FP32": ["--variant", "fp32"], "INT8 for TensorRT": [], "INT8, 8-bit weights": ["--target", "onnxruntime"],
            "INT8, 7-bit weights": ["--target", "onnxruntime", "--weight-bits", "7"]}
    with tempfile.TemporaryDirectory() as temporary:
        work, good = pathlib.Path(temporary), True
        folders = {name: work / str(i) for i, name in enumerate(sets)}
        for name, options in sets.items():
            subprocess.run([args.tool, "export", "--checkpoint", args.checkpoints, "--out", str(folders[name]), *options], check=True,
                           stderr=subprocess.DEVNULL)
        for name in list(sets)[2:]:
            for net in SIDES:
                fused, wanted = check_fusion(folders[name] / f"{net}.onnx", work)
                good = good and fused == wanted
                print(f"{name}, {net}: {fused} of {wanted} convolutions of the trunk become QLinearConv")
        print(f"\n{exactness.cpu_name()} ({exactness.cpu_int8()}), ONNX Runtime {onnxruntime.__version__}, {args.limit} pictures\n")
        print("| files | AP in ONNX Runtime | AP in our runtime | outputs wrong in ONNX Runtime | ms a VGA frame |\n| --- | --- | --- | --- | --- |")
        inputs, chosen = peers.frame(), list(names(args.data))[:args.limit]
        for name, folder in folders.items():
            write_submission(Cascade(folder, args.thresholds), args.data, chosen, work / f"{name} boxes")
            theirs = evaluate(args.tool, args.data, args.limit, "--predictions", str(work / f"{name} boxes"))
            ours = evaluate(args.tool, args.data, args.limit, "--models", str(folder), "--thresholds", ",".join(map(str, args.thresholds)))
            wrong = values = 0
            for net, side in SIDES.items() if name != "FP32" else ():
                pictures = exactness.pictures_for(side, args.data / "WIDER_val" / "images", 2)
                for row in exactness.measure(folder / f"{net}.onnx", ["onnxruntime"], pictures).values():
                    wrong, values = wrong + row["wrong"], values + row["values"]
            took = sum(peers.milliseconds(peers.onnxruntime_call(folder / f"{net}.onnx", 1), inputs[net], args.seconds) for net in SIDES)
            share = f"{100 * wrong / values:.3f} %" if values else ""
            print(f"| {name} | {theirs:.4f} | {ours:.4f} | {share} | {took:.1f} |", flush=True)
        print("\nall fused" if good else "\nnot all fused")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
