#!/usr/bin/env python3
"""Compares training steps of this project with PyTorch's.

    test_net_dump FOLDER               (build/.../tests) writes the steps
    check_pytorch.py FOLDER            compares them; exit 1 if one is too far off

FP32: outputs within 1e-5, parameters after one SGD step within 1e-4. QAT: trunk convolutions are
torch.ao.nn.intrinsic.qat.ConvBnReLU2d, so folding, its gradient and its rule on batch statistics (weights are scaled with the
running variance, normalization uses the batch's) are PyTorch's own; outputs and the step within 1e-4.
Whole-number sums often tie: values between two steps, and pools with two winners; in FP32 the last bit now and then decides
about a pool, or about a sum's sign before a ReLU. At ties either choice is right, so ours are counted, checked to be within rounding of PyTorch's, and then used, with PyTorch's gradient.
Differences are measured against the largest value (outputs) or the norm (arrays). Needs torch and numpy.
"""
import glob
import json
import os
import sys

import numpy
import torch
import torch.ao.nn.intrinsic.qat as intrinsic_qat
import torch.nn.functional as F
from torch.ao.quantization import FakeQuantize, PerChannelMinMaxObserver, QConfig

RATE = 0.01


def read_safetensors(path):
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        data = file.read()
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        values = numpy.frombuffer(data[start:end], dtype=numpy.float32).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return metadata, tensors


def read_table(text):
    """[(name, out channels, kernel, batch norm, activation, pool kernel, pool stride)]"""
    return [(f[0], *map(int, f[1:])) for f in (part.split() for part in text.split(";")[1:])]


def weight_quantizer():
    return FakeQuantize.with_args(observer=PerChannelMinMaxObserver, quant_min=-127, quant_max=127, dtype=torch.qint8,
                                  qscheme=torch.per_channel_symmetric, ch_axis=0)


def quantize_input(x, scale, ours, ties):
    y = torch.fake_quantize_per_tensor_affine(x, float(scale), 0, -127, 127)
    apart = (y.detach() - ours).abs() > 0.5 * float(scale)
    off = (x.detach()[apart] / float(scale)) % 1 - 0.5
    if apart.any() and float(off.abs().max()) > 1e-3:
        raise SystemExit(f"quantized values differ {float(off.abs().max())} steps from a tie")
    ties["quantized"] += int(apart.sum())
    return ours + (y - y.detach())


def pool_as(x, kernel, stride, ours, ties):
    y = F.max_pool2d(x, kernel, stride, ceil_mode=True)
    side, out = x.shape[3], y.shape[3]
    place = ours.long()
    rows = torch.arange(out).view(1, 1, out, 1) * stride + place // kernel
    columns = torch.arange(out).view(1, 1, 1, out) * stride + place % kernel
    won = x.flatten(2).gather(2, (rows * side + columns).flatten(2)).view_as(y)
    short = float((y.clamp_min(0) - won.clamp_min(0)).detach().abs().max())  # where none is positive, any may win
    if short > 1e-5 * float(y.detach().abs().max()):
        raise SystemExit(f"a pool's winner is {short} under the largest")
    ties["pools"] += int(((y != won) & (y > 0)).sum())
    return won


def relu_as(x, ours, ties):
    """In FP32 a sum may be positive in one program and not in the other, by the last bit."""
    positive = ours > 0
    apart = positive != (x.detach() > 0)
    if apart.any() and float(x.detach()[apart].abs().max()) > 1e-5 * float(x.detach().abs().max()):
        raise SystemExit("a ReLU differs where its input isn't near 0")
    ties["signs"] += int(apart.sum())
    return x * positive


def quantize_weight(w):
    scale = w.detach().abs().amax(dim=(1, 2, 3)) / 127
    return torch.fake_quantize_per_channel_affine(w, scale, torch.zeros(len(scale), dtype=torch.int32), 0, -127, 127)


def fused_layer(tensors, name, kernel, frozen):
    before = {key: tensors[f"before.{name}.{key}"] for key in ("weight", "bn.gamma", "bn.beta", "bn.mean", "bn.variance")}
    out_channels, in_channels = before["weight"].shape[:2]
    qconfig = QConfig(activation=torch.nn.Identity, weight=weight_quantizer())
    module = intrinsic_qat.ConvBnReLU2d(in_channels, out_channels, kernel, bias=False, eps=1e-5, momentum=0.1,
                                        freeze_bn=frozen, qconfig=qconfig)
    module.train()
    if frozen:
        module.freeze_bn_stats()
    with torch.no_grad():
        module.weight.copy_(before["weight"])
        module.bn.weight.copy_(before["bn.gamma"])
        module.bn.bias.copy_(before["bn.beta"])
        module.bn.running_mean.copy_(before["bn.mean"])
        module.bn.running_var.copy_(before["bn.variance"])
    arrays = {f"{name}.weight": module.weight, f"{name}.bn.gamma": module.bn.weight, f"{name}.bn.beta": module.bn.bias,
              f"{name}.bn.mean": module.bn.running_mean, f"{name}.bn.variance": module.bn.running_var}
    return module, arrays


def step(metadata, tensors):
    """Outputs, all arrays after one SGD step, gradients, and how many ties went another way."""
    qat, frozen = metadata["mode"] == "qat", metadata["frozen"] == "yes"
    x, arrays, ties = tensors["input"], {}, {"quantized": 0, "pools": 0, "signs": 0}
    for name, _, kernel, norm, activation, pool, stride in read_table(metadata["table"]):
        if qat:
            x = quantize_input(x, tensors[f"scale.{name}"], tensors[f"quantized.{name}"], ties)
        if qat and norm:
            module, own = fused_layer(tensors, name, kernel, frozen)
            arrays.update(own)
            x = module(x)
        else:
            own = {key[7:]: tensors[key].clone() for key in tensors if key.startswith(f"before.{name}.")}
            for key, value in own.items():
                value.requires_grad_(not key.endswith((".mean", ".variance")))
            arrays.update(own)
            weight = own[f"{name}.weight"]
            x = F.conv2d(x, quantize_weight(weight) if qat else weight, own.get(f"{name}.bias"))
            if norm:
                x = F.batch_norm(x, own[f"{name}.bn.mean"], own[f"{name}.bn.variance"], own[f"{name}.bn.gamma"],
                                 own[f"{name}.bn.beta"], training=not frozen, momentum=0.1, eps=1e-5)
            if activation == 1 and f"active.{name}" in tensors:
                # The pool of the sums, then the ReLU, is the same as the ReLU, then the pool.
                if pool:
                    x = pool_as(x, pool, stride, tensors[f"winner.{name}"], ties)
                x = relu_as(x, tensors[f"active.{name}"], ties)
                continue
            if activation == 1:
                x = F.relu(x)
            elif activation == 2:
                x = F.prelu(x, own[f"{name}.slope"])
        if pool:
            x = pool_as(x, pool, stride, tensors[f"winner.{name}"], ties)
    outputs = x.flatten(1)
    outputs.backward(tensors["output_gradient"])
    after = {}
    for name, value in arrays.items():
        after[name] = (value - RATE * value.grad if value.grad is not None else value).detach()
    gradients = {name: value.grad for name, value in arrays.items() if value.grad is not None}
    return outputs.detach(), after, gradients, ties


def distance(a, b):
    return float((a - b).norm() / b.norm().clamp_min(1e-12))


def check(path):
    metadata, tensors = read_safetensors(path)
    outputs, after, gradients, ties = step(metadata, tensors)
    output_error = float((outputs - tensors["output"]).abs().max() / outputs.abs().max())
    step_error, gradient_error, worst = 0.0, 0.0, ""
    for name, expected in after.items():
        got = tensors[f"after.{name}"]
        if name in gradients:
            got = got - RATE * tensors[f"gradient.{name}"]
            error = distance(tensors[f"gradient.{name}"], gradients[name])
            if error > gradient_error:
                gradient_error, worst = error, name
        step_error = max(step_error, distance(got, expected))
    limit = 1e-4 if metadata["mode"] == "qat" else 1e-5
    good = output_error <= limit and step_error <= 1e-4
    print(f"{os.path.basename(path):26} outputs {output_error:.1e} (<= {limit:.0e})  step {step_error:.1e} (<= 1e-04)  "
          f"gradients {gradient_error:.1e} at most, {worst}  "
          f"ties {ties['quantized']} + {ties['pools']} + {ties['signs']}  {'ok' if good else 'TOO FAR'}")
    return good


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "*.safetensors")))
    if not paths:
        print(f"{sys.argv[1]}: no .safetensors files; run test_net_dump {sys.argv[1]} first", file=sys.stderr)
        return 1
    torch.manual_seed(0)
    results = [check(path) for path in paths]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
