#!/usr/bin/env python3
"""Other engines beside ours on the same networks, in one run on this machine: ONNX Runtime, OpenVINO, ncnn, facenet-pytorch.

    python bench/peers.py TOOL FP32 INT8 [--onnxruntime DIR,...] [--picture FILE] [--threads 1] [--rounds 3] [--seconds 0.3]

TOOL is the qmtcnn command. FP32 and INT8 are folders with pnet.onnx, rnet.onnx and onet.onnx, as `qmtcnn export` writes them (INT8
with Q/DQ); --onnxruntime names folders of `export --target onnxruntime`. Engines whose Python package is missing are left out, and
said so. Networks run on one VGA frame: P-Net on all levels of the pyramid for 20-pixel faces, 64 crops of R-Net, 16 of O-Net. Each
round times every engine once for --seconds a network, so that a machine that drifts drifts for all; the best round of each counts.
With --picture, whole detections (decoded RGB to boxes) of that picture are timed too, ours beside facenet-pytorch's.
"""
import argparse
import importlib.util
import json
import math
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np

NETS = ("pnet", "rnet", "onet")
MIN_FACE, CROPS = 20, {"rnet": 64, "onet": 16}


def have(module):
    return importlib.util.find_spec(module) is not None


def frame():
    """Inputs of one VGA frame: P-Net's levels, R-Net's and O-Net's batches."""
    rng, width, height, scale = np.random.default_rng(1), 640, 480, 12 / MIN_FACE
    levels = []
    while min(width, height) * scale >= 12:
        levels.append((math.ceil(height * scale), math.ceil(width * scale)))
        scale *= 0.709
    draw = lambda *shape: rng.uniform(-1, 1, shape).astype("f")
    return {"pnet": [draw(1, 3, h, w) for h, w in levels], "rnet": [draw(CROPS["rnet"], 3, 24, 24)],
            "onet": [draw(CROPS["onet"], 3, 48, 48)]}


def milliseconds(call, inputs, seconds):
    for x in inputs:
        call(x)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        for x in inputs:
            call(x)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


# ---- Engines: each makes a function that runs one input -------------------------------------------------------------------------


def onnxruntime_call(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})


def openvino_call(path, threads):
    """FP32 is forced: left alone, OpenVINO computes FP32 models in BF16 where the processor has it."""
    import openvino
    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(str(path), "CPU", options).create_infer_request()
    return lambda x: request.infer({0: x})


def ncnn_call(path, threads):
    """ncnn takes one picture at a time; its files are written here from the ONNX ones."""
    import ncnn
    with tempfile.TemporaryDirectory() as folder:
        outputs = write_ncnn(path, pathlib.Path(folder))
        net = ncnn.Net()
        net.opt.use_vulkan_compute, net.opt.num_threads = False, threads
        if net.load_param(f"{folder}/net.param") != 0 or net.load_model(f"{folder}/net.bin") != 0:
            raise RuntimeError(f"ncnn can't load {path}")

    def call(x):
        results = []
        for picture in x:
            extractor = net.create_extractor()
            extractor.input("input", ncnn.Mat(np.ascontiguousarray(picture)))
            results.append([np.array(extractor.extract(name)[1]) for name in outputs])
        return results
    return call


ENGINES = {"onnxruntime": onnxruntime_call, "openvino": openvino_call, "ncnn": ncnn_call}

# ---- ncnn's files ---------------------------------------------------------------------------------------------------------------


class NcnnWriter:
    """net.param (a layer a line) and net.bin (their numbers), by ncnn's documented format: param 8 of a layer tells INT8, whose
    scales multiply where ONNX's divide."""

    def __init__(self):
        self.lines, self.data, self.blobs = [], [], 1
        self.lines.append("Input input 0 1 input")

    def add(self, kind, name, inputs, outputs, **parameters):
        words = " ".join(f"{key[1:]}={value}" for key, value in parameters.items())
        self.lines.append(f"{kind} {name} {len(inputs)} {len(outputs)} {' '.join(inputs + outputs)} {words}".rstrip())
        self.blobs += len(outputs)

    def weights(self, layer):
        if layer["weight_int8"] is None:
            self.data.append(struct.pack("<I", 0) + layer["weight"].astype("<f4").tobytes())
        else:
            raw = layer["weight_int8"].astype(np.int8).tobytes()
            self.data.append(struct.pack("<I", 0x000D4B38) + raw + bytes(-len(raw) % 4))
        self.data.append(layer["bias"].astype("<f4").tobytes())
        if layer["weight_int8"] is not None:
            self.data.append((1 / layer["weight_scale"]).astype("<f4").tobytes())
            self.data.append(np.float32(1 / layer["scale"]).astype("<f4").tobytes())
            if layer["next_scale"]:
                self.data.append(np.float32(1 / layer["next_scale"]).astype("<f4").tobytes())

    def save(self, folder):
        text = f"7767517\n{len(self.lines)} {self.blobs}\n" + "\n".join(self.lines) + "\n"
        (folder / "net.param").write_text(text)
        (folder / "net.bin").write_bytes(b"".join(self.data))


def read_layers(path):
    """Convolutions of one of our ONNX files (FP32, or Q/DQ for TensorRT), trunk first; each head has the name of its output."""
    import onnx
    from onnx import numpy_helper
    model = onnx.load(path)
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    maker = {name: node for node in model.graph.node for name in node.output}
    users = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    layers = []
    for conv in (n for n in model.graph.node if n.op_type == "Conv"):
        layer = {"name": conv.name, "relu": False, "pool": None, "softmax": False, "output": None, "weight_int8": None, "scale": None,
                 "weight_scale": None, "next_scale": None, "bias": constants[conv.input[2]]}
        if conv.input[1] in constants:
            layer["weight"] = constants[conv.input[1]]
        else:
            dequantize = maker[conv.input[1]]
            layer["weight"] = constants[maker[dequantize.input[0]].input[0]]
            layer["weight_scale"] = constants[dequantize.input[1]]
            shape = (-1,) + (1,) * (layer["weight"].ndim - 1)
            layer["weight_int8"] = np.clip(np.round(layer["weight"] / layer["weight_scale"].reshape(shape)), -127, 127)
            layer["scale"] = float(constants[maker[conv.input[0]].input[1]])
        end = conv.output[0]
        while users.get(end):
            node = users[end][0]
            if node.op_type == "Relu":
                layer["relu"] = True
            elif node.op_type == "MaxPool":
                values = {a.name: list(a.ints) for a in node.attribute if a.ints}
                layer["pool"] = values["kernel_shape"][0], values["strides"][0]
            elif node.op_type == "Softmax":
                layer["softmax"] = True
            elif node.op_type != "Flatten":
                break
            end = node.output[0]
        layer["output"] = end if not users.get(end) else None
        layers.append(layer)
    trunk, heads = [l for l in layers if not l["output"]], [l for l in layers if l["output"]]
    for layer, following in zip(trunk, trunk[1:] + heads[:1]):
        if layer["scale"] and following["scale"] and not layer["pool"] and following not in heads:
            layer["next_scale"] = following["scale"]
    side = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    return trunk, heads, side


def write_ncnn(path, folder):
    """Returns the names of the outputs."""
    trunk, heads, side = read_layers(path)
    writer, blob = NcnnWriter(), "input"
    for layer in trunk:
        out, channels, kernel, _ = layer["weight"].shape
        inner = side != 0 and side == kernel
        blob = add_convolution(writer, layer, blob, f"{layer['name']}_out", inner)
        side = side - kernel + 1 if side else 0
        if layer["pool"]:
            size, stride = layer["pool"]
            writer.add("Pooling", f"{layer['name']}_pool", [blob], [f"{layer['name']}_pooled"], _0=0, _1=size, _2=stride, _5=0)
            blob = f"{layer['name']}_pooled"
            side = -(-(side - size) // stride) + 1 if side else 0
    parts = [f"split_{i}" for i in range(len(heads))]
    writer.add("Split", "split", [blob], parts)
    for layer, part in zip(heads, parts):
        last = f"{layer['name']}_logits" if layer["softmax"] else layer["output"]
        add_convolution(writer, layer, part, last, side == 1)
        if layer["softmax"]:
            writer.add("Softmax", "softmax", [last], [layer["output"]], _0=0, _1=1)
    writer.save(folder)
    return [layer["output"] for layer in heads]


def add_convolution(writer, layer, source, target, inner):
    out, _, kernel, _ = layer["weight"].shape
    int8 = {"_8": 102 if layer["next_scale"] and not inner else 2} if layer["weight_int8"] is not None else {}
    if inner:
        layer["next_scale"] = None
        writer.add("InnerProduct", layer["name"], [source], [target], _0=out, _1=1, _2=layer["weight"].size, _9=int(layer["relu"]), **int8)
    else:
        writer.add("Convolution", layer["name"], [source], [target], _0=out, _1=kernel, _5=1, _6=layer["weight"].size,
                   _9=int(layer["relu"]), **int8)
    writer.weights(layer)
    return target


# ---- Ours -----------------------------------------------------------------------------------------------------------------------


def run_ours(tool, models, precision, args):
    command = [tool, "bench", "detect", "--models", str(models), "--precision", precision, "--size", "640x480", "--min-face", str(MIN_FACE),
               "--rnet-crops", str(CROPS["rnet"]), "--onet-crops", str(CROPS["onet"]), "--threads", str(args.threads), "--seconds",
               str(args.seconds), "--format", "json"]
    if args.picture:
        command += ["--image", str(args.picture)]
    line = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {**{net: line[f"{net}_ms"] for net in NETS}, "picture": line["picture_ms"], "peak_mb": line["peak_mb"]}


# ---- Whole pictures -------------------------------------------------------------------------------------------------------------


def facenet_call(args):
    import torch
    from facenet_pytorch import MTCNN
    from PIL import Image
    torch.set_num_threads(args.threads)
    detector = MTCNN(min_face_size=MIN_FACE, keep_all=True, device="cpu")
    picture = np.asarray(Image.open(args.picture).convert("RGB").resize((640, 480)))
    return lambda _: detector.detect(picture)


# ---- The table ------------------------------------------------------------------------------------------------------------------


def candidates(args):
    """(name, engine, folder) of everything to time."""
    for engine in ENGINES:
        if not have(engine):
            print(f"left out: {engine} (not installed)", file=sys.stderr)
            continue
        yield f"{engine} FP32", engine, args.fp32
        yield f"{engine} INT8", engine, args.int8
        for folder in args.onnxruntime if engine != "ncnn" else []:
            yield f"{engine} INT8, {folder.name}", engine, folder


def best(old, new):
    """The best of rounds: the one with the least sum."""
    return new if old is None or sum(new[n] for n in NETS) < sum(old[n] for n in NETS) else old


def check_same(calls, inputs):
    """ncnn's files are our own writing: its FP32 face probabilities must be those of ONNX Runtime."""
    for net in NETS:
        x = inputs[net][-1][:1]
        mine, theirs = calls[("ncnn FP32", net)](x)[0], calls[("onnxruntime FP32", net)](x)
        for a, b in zip(mine, theirs):
            if np.abs(a.reshape(-1) - b.reshape(-1)).max() > 1e-3:
                raise SystemExit(f"bench/peers.py: ncnn computes {net} otherwise than ONNX Runtime; its figures would mean nothing")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("fp32", type=pathlib.Path)
    parser.add_argument("int8", type=pathlib.Path)
    parser.add_argument("--onnxruntime", type=lambda text: [pathlib.Path(p) for p in text.split(",")], default=[])
    parser.add_argument("--picture", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    inputs, calls, results, whole = frame(), {}, {}, []
    peers = list(candidates(args))
    for name, engine, folder in peers:
        for net in NETS:
            calls[name, net] = ENGINES[engine](folder / f"{net}.onnx", args.threads)
    if ("ncnn FP32", "pnet") in calls and ("onnxruntime FP32", "pnet") in calls:
        check_same(calls, inputs)
    facenet = facenet_call(args) if args.picture and have("facenet_pytorch") else None
    for _ in range(args.rounds):
        for name, precision, folder in (("qmtcnn INT8", "int8", args.int8), ("qmtcnn FP32", "fp32", args.fp32)):
            results[name] = best(results.get(name), run_ours(args.tool, folder, precision, args))
        for name, _, _ in peers:
            results[name] = best(results.get(name), {net: milliseconds(calls[name, net], inputs[net], args.seconds) for net in NETS})
        if facenet:
            whole.append(milliseconds(facenet, [None], args.seconds))
    report(results, min(whole, default=None), args)


def report(results, facenet, args):
    ours8, ours32 = (sum(results[f"qmtcnn {p}"][n] for n in NETS) for p in ("INT8", "FP32"))
    if args.json:
        for name, row in results.items():
            print(json.dumps({"engine": name, "threads": args.threads, **{n: round(v, 3) for n, v in row.items()}}))
        if facenet:
            print(json.dumps({"engine": "facenet-pytorch", "threads": args.threads, "picture": round(facenet, 2)}))
        return
    print(f"One VGA frame, faces from {MIN_FACE} pixels, {CROPS['rnet']} + {CROPS['onet']} crops, {args.threads} thread(s), milliseconds\n")
    print("| engine | P-Net | R-Net | O-Net | sum | over our INT8 | over our FP32 |\n| --- | --- | --- | --- | --- | --- | --- |")
    for name, row in results.items():
        total = sum(row[n] for n in NETS)
        print(f"| {name} | {row['pnet']:.2f} | {row['rnet']:.2f} | {row['onet']:.2f} | {total:.2f} | {total / ours8:.2f} | {total / ours32:.2f} |")
    if args.picture:
        print(f"\nWhole picture ({args.picture.name} at 640 x 480, decoded RGB to boxes), milliseconds\n\n| detector | picture | over our INT8 |\n| --- | --- | --- |")
        for name in ("qmtcnn INT8", "qmtcnn FP32"):
            print(f"| {name} | {results[name]['picture']:.2f} | {results[name]['picture'] / results['qmtcnn INT8']['picture']:.2f} |")
        if facenet:
            print(f"| facenet-pytorch (its own weights) | {facenet:.2f} | {facenet / results['qmtcnn INT8']['picture']:.2f} |")


if __name__ == "__main__":
    main()
