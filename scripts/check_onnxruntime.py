#!/usr/bin/env python3
"""Our runtime against ONNX Runtime, layer by layer, each layer fed our runtime's own input to it.

    python scripts/check_onnxruntime.py BUILD MODELS PICTURES [COUNT] [KERNELS] [--levels N]

With --levels, INT8 P-Net is also compared on every pyramid level (20-pixel faces) of N pictures. MODELS holds mtcnn_fp32/ and mtcnn_qat/; PICTURES is searched for *.jpg. Demands (exit status 1 otherwise): INT8 values at
most one step apart, in fewer than 0.1 % of all values (ONNX Runtime keeps biases in FP32), each within 1e-3 of a tie; FP32
values within 1e-4 of the largest value of their layer. ONNX Runtime runs without graph optimization: with it, it computes
other arithmetic.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from PIL import Image

SIDES = {"pnet": None, "rnet": 24, "onet": 48}
TYPES = {"I8": np.int8, "U8": np.uint8, "F32": np.float32}


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(data[8 + size + begin : 8 + size + end], TYPES[entry["dtype"]])
            tensors[name] = values.reshape(entry["shape"])
    return tensors


def session(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class Network:
    """One ONNX file, cut into a piece for each layer: from the layer's real-valued input to its output."""

    def __init__(self, path):
        self.path, self.model = path, onnx.load(path)
        graph = self.model.graph
        self.scales = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
        self.maker = {name: node for node in graph.node for name in node.output}
        self.users = {}
        for node in graph.node:
            for name in node.input:
                self.users.setdefault(name, []).append(node)
        self.extractor = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(self.model))
        self.pieces = {}
        for conv in (n for n in graph.node if n.op_type == "Conv"):
            self.pieces[conv.name] = self.piece(conv)

    def piece(self, conv):
        """(session, input, input's scale or None, output's scale or None): the output ends after activation and pool, and after
        the quantizer where there is one."""
        source = conv.input[0]
        quantized = source in self.maker and self.maker[source].op_type == "DequantizeLinear"
        start = self.maker[self.maker[source].input[0]].input[0] if quantized else source
        scale = self.scales[self.maker[source].input[1]] if quantized else None
        end, out_scale = conv.output[0], None
        while True:
            following = [n for n in self.users.get(end, []) if n.op_type in ("Relu", "PRelu", "MaxPool", "QuantizeLinear")]
            if not following:
                break
            node = following[0]
            if node.op_type == "QuantizeLinear":
                out_scale = self.scales[node.input[1]]
                break
            end = node.output[0]
        outputs = [end] if out_scale is None else [end, node.output[0]]
        return session(self.extractor.extract_model([start], outputs)), start, scale, out_scale


def dump(build, path, precision, pixels, kernels):
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as out:
        height, width = pixels.shape[:2]
        subprocess.run([f"{build}/tests/tools/dump_layers", str(path), precision, str(width), str(height), kernels, out.name],
                       input=pixels.tobytes(), check=True)
        return read_safetensors(out.name)


def compare(network, pixels, ours, totals):
    picture = (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(128)
    heads = list(network.pieces)[-3:]
    previous = None  # the trunk's layer before
    for name, (run, start, scale, out_scale) in network.pieces.items():
        value = picture if previous is None else ours[previous].astype(np.float32)
        if previous is not None and ours[previous].dtype == np.int8:
            value = value * scale
        theirs = run.run(None, {start: value.transpose(2, 0, 1)[None]})
        mine = ours[name]
        if mine.dtype == np.int8:
            real, steps = (t.reshape(-1, *mine.shape[:2]).transpose(1, 2, 0) for t in theirs)
            apart = np.abs(mine.astype(int) - steps.astype(int))
            totals["values"] += apart.size
            totals["differ"] += int((apart > 0).sum())
            totals["steps"] = max(totals["steps"], int(apart.max()))
            if apart.any():
                exact = real[apart > 0].astype(np.float64) / out_scale
                totals["tie"] = max(totals["tie"], float(np.abs(np.abs(exact - np.floor(exact)) - 0.5).max()))
        else:
            real = theirs[0].reshape(-1, *mine.shape[:2]).transpose(1, 2, 0)
            error = np.abs(mine - real).max() / max(1.0, np.abs(real).max())
            totals["fp32"] = max(totals["fp32"], float(error))
        if name not in heads:
            previous = name


def levels(image):
    """A picture at every size of the pyramid for faces from 20 pixels."""
    scale = 12 / 20
    while min(image.size) * scale >= 12:
        yield np.asarray(image.resize(tuple(math.ceil(side * scale) for side in image.size), Image.BILINEAR))
        scale *= 0.709


def spread(pictures, count):
    return pictures[:: max(1, len(pictures) // count)][:count]


def verdict(what, totals):
    share = totals["differ"] / max(totals["values"], 1)
    passed = totals["steps"] <= 1 and share < 1e-3 and totals["tie"] <= 1e-3 and totals["fp32"] <= 1e-4
    print(f"{what} {'ok' if passed else 'BAD'}: {totals['differ']} of {totals['values']} INT8 values differ "
          f"({100 * share:.5f} %), at most {totals['steps']} step, at most {totals['tie']:.1e} from a tie; FP32 within "
          f"{totals['fp32']:.1e}", flush=True)
    return passed


def new_totals():
    return {"values": 0, "differ": 0, "steps": 0, "tie": 0.0, "fp32": 0.0}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("count", nargs="?", type=int, default=12)
    parser.add_argument("kernels", nargs="?", default="c")
    parser.add_argument("--levels", type=int, default=0)
    args = parser.parse_args()
    build, models, kernels = args.build, args.models, args.kernels
    every = sorted(args.folder.rglob("*.jpg"))
    pictures = spread(every, args.count)
    good = bool(pictures)
    for net, side in SIDES.items():
        for precision, sub in (("fp32", "mtcnn_fp32"), ("int8", "mtcnn_qat")):
            network = Network(models / sub / f"{net}.onnx")
            totals = new_totals()
            for path in pictures:
                image = Image.open(path).convert("RGB")
                pixels = np.asarray(image.resize((side, side)) if side else image)
                compare(network, pixels, dump(build, network.path, precision, pixels, kernels), totals)
            good = verdict(f"{net} {precision}", totals) and good
    if args.levels:
        network, totals, number, chosen = Network(models / "mtcnn_qat" / "pnet.onnx"), new_totals(), 0, spread(every, args.levels)
        for path in chosen:
            for pixels in levels(Image.open(path).convert("RGB")):
                compare(network, pixels, dump(build, network.path, "int8", pixels, kernels), totals)
                number += 1
        good = verdict(f"pnet int8, all {number} pyramid levels of {len(chosen)} pictures,", totals) and good
    print(f"{len(pictures)} pictures, kernels {kernels}: {'agrees' if good else 'does not agree'} with ONNX Runtime "
          f"{onnxruntime.__version__}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
