"""One LeNet training step, side by side with PyTorch: ``python benchmarks/lenet_step.py``.

All contenders take turns within one run, so that what else the machine does slows all of them; what counts is the
median of the ratios of neighbouring turns, with its quartiles. Each has all cores. The data are random: an epoch's
arithmetic does not depend on them.
"""

import argparse
import os
import platform
import time

import numpy as np

import minitorch_cnn as mt
from minitorch_cnn.training.shards import SHARDS, backward_in_shards


def our_step(x, y):
    """Our step in shards, as the training loop takes it."""
    net, loss = mt.models.LeNet(), mt.nn.CrossEntropyLoss()
    optimizer = mt.optim.SGD(net.parameters(), lr=0.9)
    x, y = mt.tensor(x), mt.tensor(y)

    def step():
        optimizer.zero_grad()
        backward_in_shards(net, loss, x, y)
        optimizer.step()

    return step


def our_plain_step(x, y):
    """Our step as the chapter writes it: the batch whole, and cores used inside of BLAS alone."""
    net, loss = mt.models.LeNet(), mt.nn.CrossEntropyLoss()
    optimizer = mt.optim.SGD(net.parameters(), lr=0.9)
    x, y = mt.tensor(x), mt.tensor(y)

    def step():
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()

    return step


def torch_step(x, y, channels_last=False, compiled=False):
    """PyTorch's step."""
    import torch
    from torch import nn

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    net = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip
    loss, x, y = nn.CrossEntropyLoss(), torch.tensor(x), torch.tensor(y)
    if channels_last:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    forward = torch.compile(net) if compiled else net
    optimizer = torch.optim.SGD(net.parameters(), lr=0.9)

    def step():
        optimizer.zero_grad()
        loss(forward(x), y).backward()
        optimizer.step()

    return step


def measure(contenders, turns):
    """Seconds per step of each contender, taking turns."""
    for step in contenders.values():
        for _ in range(3):
            step()
    seconds = {name: [] for name in contenders}
    for _ in range(turns):
        for name, step in contenders.items():
            begun = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - begun)
    return {name: np.array(values) for name, values in seconds.items()}


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--compile", action="store_true", help="measure torch.compile as well; it needs a C++ compiler")
    args = parser.parse_args()

    import torch

    mt.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.random((args.batch_size, 1, 28, 28), dtype=np.float32)
    y = rng.integers(0, 10, args.batch_size)
    contenders = {
        "PyTorch eager": torch_step(x, y),
        "PyTorch eager, channels_last": torch_step(x, y, channels_last=True),
        f"minitorch_cnn, {SHARDS} shards": our_step(x, y),
        "minitorch_cnn, batch whole": our_plain_step(x, y),
    }
    if args.compile:
        contenders["PyTorch compiled"] = torch_step(x, y, compiled=True)
    seconds = measure(contenders, args.turns)

    print(f"LeNet, forward + backward + SGD, batch {args.batch_size}, float32, {args.turns} turns")
    print(
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}"
    )
    print(f"{'':<30} {'ms/step':>8}   PyTorch eager's time / this (quartiles)")
    for name, values in seconds.items():
        low, ratio, high = np.percentile(seconds["PyTorch eager"] / values, [25, 50, 75])
        print(f"{name:<30} {np.median(values) * 1e3:8.1f}   {ratio:.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
