#!/usr/bin/env python3
"""PyTorch's training speed on the three networks, for bench/train.sh: samples a second in FP32, in FP32 with channels
last, and in quantization-aware training by TensorRT's rules (weights a scale a channel, activations one a tensor).
Batches, layers, losses and optimizer are those of `qmtcnn train`; the samples are random and already in memory.

    python bench/train_torch.py [--threads N] [--seconds S]     (pip install torch)

Prints one JSON line a network.
"""
import argparse
import json
import time
import warnings

import torch
import torch.nn.functional as functional

# Side of the input, batch, then the trunk: (output channels, kernel, pool kernel or 0) of each convolution; the pools'
# stride is 2. Fully connected layers are convolutions over all that is left.
NETWORKS = {
    "pnet": (12, 512, [(10, 3, 2), (16, 3, 0), (32, 3, 0)]),
    "rnet": (24, 512, [(28, 3, 3), (48, 3, 3), (64, 2, 0), (128, 3, 0)]),
    "onet": (48, 256, [(32, 3, 3), (64, 3, 3), (64, 3, 2), (128, 2, 0), (256, 3, 0)]),
}
HEADS = 2 + 4 + 10  # face or not, box, landmarks


def make_network(trunk):
    layers, inputs = [], 3
    for outputs, kernel, pool in trunk:
        layers += [torch.nn.Conv2d(inputs, outputs, kernel, bias=False), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU()]
        if pool:
            layers.append(torch.nn.MaxPool2d(pool, 2, ceil_mode=True))
        inputs = outputs
    return torch.nn.Sequential(*layers, torch.nn.Conv2d(inputs, HEADS, 1), torch.nn.Flatten()).train()


def make_qat_network(trunk, side):
    from torch.ao import quantization
    from torch.ao.quantization.quantize_fx import prepare_qat_fx

    activations = quantization.FakeQuantize.with_args(
        observer=quantization.MovingAverageMinMaxObserver, quant_min=-128, quant_max=127, dtype=torch.qint8,
        qscheme=torch.per_tensor_symmetric)
    weights = quantization.FakeQuantize.with_args(
        observer=quantization.MovingAveragePerChannelMinMaxObserver, quant_min=-127, quant_max=127, dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric)
    mapping = quantization.QConfigMapping().set_global(quantization.QConfig(activation=activations, weight=weights))
    return prepare_qat_fx(make_network(trunk), mapping, (torch.zeros(1, 3, side, side),))


def total_loss(outputs, face, target):
    """Cross-entropy on the hardest 70 % (OHEM), and squared errors of boxes and landmarks."""
    entropy = functional.cross_entropy(outputs[:, :2], face, reduction="none")
    hardest = entropy.topk(int(0.7 * len(entropy))).values.mean()
    box = functional.mse_loss(outputs[:, 2:6], target[:, :4])
    landmarks = functional.mse_loss(outputs[:, 6:], target[:, 4:])
    return hardest + 0.5 * box + 0.5 * landmarks


def samples_per_second(network, side, batch, seconds):
    pixels = torch.randn(batch, 3, side, side)
    face, target = torch.randint(0, 2, (batch,)), torch.randn(batch, HEADS - 2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    warm_up, steps, start = 3, 0, 0.0
    while steps <= warm_up or time.perf_counter() - start < seconds:
        if steps == warm_up:
            start = time.perf_counter()
        optimizer.zero_grad()
        total_loss(network(pixels), face, target).backward()
        optimizer.step()
        steps += 1
    return round(batch * (steps - warm_up) / (time.perf_counter() - start))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore")
    for net, (side, batch, trunk) in NETWORKS.items():
        channels_last = make_network(trunk).to(memory_format=torch.channels_last)
        row = {"net": net, "threads": args.threads, "batch": batch,
               "fp32": samples_per_second(make_network(trunk), side, batch, args.seconds),
               "fp32_channels_last": samples_per_second(channels_last, side, batch, args.seconds),
               "qat": samples_per_second(make_qat_network(trunk, side), side, batch, args.seconds)}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
