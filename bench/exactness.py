#!/usr/bin/env python3
"""Where ONNX Runtime's and OpenVINO's fused INT8 differs from exact arithmetic on this processor, and by how much.

    python bench/exactness.py MODELS... [--pictures DIR] [--count 4] [--engines onnxruntime,openvino] [--json]

Each folder in MODELS holds pnet.onnx, rnet.onnx and onet.onnx with Q/DQ, in either form of `qmtcnn export`. Every convolution is
run by itself, as the engine fuses it by default, on the quantized input that the network really has there for some pictures (noise
without --pictures), and its quantized output is compared with sums in whole numbers. One line for each engine, model and kind of
layer: how many outputs are wrong, and the largest difference in steps. One step in a few outputs of a million is another rounding
of ties; more is saturation inside the engine.
"""
import argparse
import json
import pathlib
import platform

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

SIDES = {"pnet": None, "rnet": 24, "onet": 48}


def cpu_name():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def cpu_int8():
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return "?"
    return next((name for name in ("avx512_vnni", "avx_vnni", "asimddp", "avx2", "asimd") if name in flags), "?")


class Network:
    """A Q/DQ network and its quantized convolutions of the trunk."""

    def __init__(self, path):
        self.model = onnx.load(path)
        graph = self.model.graph
        self.constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        self.maker = {name: node for node in graph.node for name in node.output}
        self.users = {}
        for node in graph.node:
            for name in node.input:
                self.users.setdefault(name, []).append(node)
        self.extractor = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(self.model))
        self.layers = [self.layer(n) for n in graph.node if n.op_type == "Conv" and self.is_int8(n)]
        self.layers = [layer for layer in self.layers if layer]

    def is_int8(self, conv):
        return conv.input[0] in self.maker and self.maker[conv.input[0]].op_type == "DequantizeLinear"

    def layer(self, conv):
        """Everything about one convolution up to the quantizer behind it; None for heads, which end in FP32."""
        quantize = self.maker[self.maker[conv.input[0]].input[0]]
        end, relu, pool = conv.output[0], False, None
        while True:
            node = next((n for n in self.users.get(end, []) if n.op_type in ("Relu", "MaxPool", "QuantizeLinear")), None)
            if node is None:
                return None
            if node.op_type == "QuantizeLinear":
                break
            relu = relu or node.op_type == "Relu"
            pool = node if node.op_type == "MaxPool" else pool
            end = node.output[0]
        result = next(n for n in self.users[node.output[0]] if n.op_type == "DequantizeLinear").output[0]
        weight, weight_scale = self.dequantized(conv.input[1])
        bias, _ = self.dequantized(conv.input[2])
        scale, zero = self.quantizer(quantize)
        out_scale, out_zero = self.quantizer(node)
        sum_scale = (scale * weight_scale).astype(np.float32)
        return {"name": conv.name, "start": quantize.input[0], "quantized": quantize.output[0], "result": result, "weight": weight,
                "bias": np.round(bias.astype(np.float64) / sum_scale), "sum_scale": sum_scale, "scale": scale, "zero": zero,
                "out_scale": out_scale, "out_zero": out_zero, "relu": relu or out_zero == 0 and node_type(self, node) == np.uint8,
                "low": np.iinfo(node_type(self, node)).min, "high": np.iinfo(node_type(self, node)).max, "pool": window(pool)}

    def quantizer(self, node):
        return np.float32(self.constants[node.input[1]]), int(self.constants[node.input[2]])

    def dequantized(self, name):
        """Integers (or FP32 biases) and scales of a constant behind Q/DQ, DQ, or nothing."""
        if name in self.constants:
            return self.constants[name], None
        node = self.maker[name]
        scale = self.constants[node.input[1]]
        if node.input[0] in self.constants:
            values = self.constants[node.input[0]]
            return (values * scale if values.dtype == np.int32 else values.astype(np.int64)), scale
        real = self.constants[self.maker[node.input[0]].input[0]]
        shape = (-1,) + (1,) * (real.ndim - 1)
        return np.clip(np.round(real / scale.reshape(shape)), -127, 127).astype(np.int64), scale

    def inputs(self, picture):
        """The quantized input of every layer, from ONNX Runtime without optimization."""
        names = [layer["quantized"] for layer in self.layers]
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.output[:]
        model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return dict(zip(names, session.run(None, {session.get_inputs()[0].name: picture})))

    def piece(self, layer):
        """The layer by itself, from its real input to its dequantized output: nothing inside is an output that would hinder fusion."""
        return self.extractor.extract_model([layer["start"]], [layer["result"]])


def node_type(network, node):
    return network.constants[node.input[2]].dtype


def window(pool):
    if pool is None:
        return None
    values = {a.name: list(a.ints) for a in pool.attribute if a.ints}
    return values["kernel_shape"][0], values["strides"][0]


def exact(layer, quantized):
    """The layer in whole numbers, then one FP32 product and rounding half to even: integers of the output."""
    x = quantized.astype(np.float64) - layer["zero"]
    out, _, kernel_height, kernel_width = layer["weight"].shape
    views = np.lib.stride_tricks.sliding_window_view(x, (kernel_height, kernel_width), axis=(2, 3))
    sums = np.einsum("nchwij,ocij->nohw", views, layer["weight"].astype(np.float64), optimize=True) + layer["bias"].reshape(1, out, 1, 1)
    factor = (layer["sum_scale"] / layer["out_scale"]).astype(np.float32).reshape(1, out, 1, 1)
    steps = np.round(sums.astype(np.float32) * factor)
    if layer["relu"]:
        steps = np.maximum(steps, 0)
    steps = np.clip(steps + layer["out_zero"], layer["low"], layer["high"])
    return pooled(steps, *layer["pool"]) if layer["pool"] else steps


def pooled(x, kernel, stride):
    height, width = (-(-(size - kernel) // stride) + 1 for size in x.shape[2:])
    full = np.full(x.shape[:2] + ((height - 1) * stride + kernel, (width - 1) * stride + kernel), -np.inf)
    full[:, :, : x.shape[2], : x.shape[3]] = x[:, :, : full.shape[2], : full.shape[3]]
    views = np.lib.stride_tricks.sliding_window_view(full, (kernel, kernel), axis=(2, 3))
    return views[:, :, ::stride, ::stride].max(axis=(4, 5))


def run_onnxruntime(model, name, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {name: x})[0]


def run_openvino(model, name, x):
    import openvino
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model.SerializeToString(), b""), "CPU", {"INFERENCE_NUM_THREADS": 1})
    return next(iter(compiled({0: x}).values()))


ENGINES = {"onnxruntime": run_onnxruntime, "openvino": run_openvino}


def kind(layer, first):
    name = f"{layer['weight'].shape[2]}x{layer['weight'].shape[3]} convolution"
    return ("first " if first else "") + name + (" + pool" if layer["pool"] else "")


def pictures_for(side, folder, count):
    rng = np.random.default_rng(3)
    if folder is None:
        shape = (side, side, 3) if side else (120, 160, 3)
        images = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]
    else:
        from PIL import Image
        paths = sorted(path for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        if not paths:
            raise SystemExit(f"{folder} holds no JPEG or PNG pictures")
        paths = paths[:: max(1, len(paths) // count)][:count]
        images = []
        for path in paths:
            image = Image.open(path).convert("RGB")
            image.thumbnail((320, 320))
            images.append(np.asarray(image.resize((side, side)) if side else image))
    return [((i.astype(np.float32) - np.float32(127.5)) / np.float32(128)).transpose(2, 0, 1)[None] for i in images]


def measure(path, engines, pictures):
    network = Network(path)
    rows = {}
    for picture in pictures:
        inputs = network.inputs(picture)
        for index, layer in enumerate(network.layers):
            quantized = inputs[layer["quantized"]]
            real = ((quantized.astype(np.float32) - layer["zero"]) * layer["scale"]).astype(np.float32)
            right = exact(layer, quantized)
            for engine in engines:
                steps = np.round(ENGINES[engine](network.piece(layer), layer["start"], real) / layer["out_scale"]) + layer["out_zero"]
                apart = np.abs(steps - right)
                row = rows.setdefault((engine, kind(layer, index == 0)), {"values": 0, "wrong": 0, "far": 0, "largest": 0})
                row["values"] += apart.size
                row["wrong"] += int((apart > 0).sum())
                row["far"] += int((apart > 1).sum())
                row["largest"] = max(row["largest"], int(apart.max()))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--pictures", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--engines", default="onnxruntime,openvino")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    engines = args.engines.split(",")
    if not args.json:
        print(f"{cpu_name()}, {cpu_int8()}")
        print("| engine | models | layer | outputs | wrong | by more than a step | largest, steps |\n| --- | --- | --- | --- | --- | --- | --- |")
    for folder in args.models:
        for net, side in SIDES.items():
            rows = measure(folder / f"{net}.onnx", engines, pictures_for(side, args.pictures, args.count))
            for (engine, layer), row in rows.items():
                if args.json:
                    print(json.dumps({"engine": engine, "models": str(folder), "net": net, "layer": layer, **row}))
                else:
                    share = 100 / row["values"]
                    print(f"| {engine} | {folder.name}/{net} | {layer} | {row['values']} | {share * row['wrong']:.4f} % | "
                          f"{share * row['far']:.4f} % | {row['largest']} |")


if __name__ == "__main__":
    main()
