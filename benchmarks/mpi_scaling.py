"""LeNet's training step on one process and on several: ``mpiexec -n 2 python benchmarks/mpi_scaling.py``.

All contenders take turns within one run, so that what else the machine does slows all of them. While the first
process works alone, the others sleep. What counts is the median over the turns, with quartiles. The data are random:
an epoch's arithmetic does not depend on them.
"""

import argparse
import time

import numpy as np
from shown import CORES, announce, table, times

import minitorch_cnn as mt
from minitorch_cnn import training
from minitorch_cnn.backend import parallel

STEPS = 5  # in a turn, after one to warm up
QUARTER, MESSAGE = "1 process, 1 thread, a quarter of the batch", "the sum of a step alone"


def lenet_step(group, batch, threads):
    """A step as the training loop takes it, of this process's part of a batch."""
    rng = np.random.default_rng(0)
    whole = mt.tensor(rng.random((batch, 1, 28, 28), dtype=np.float32)), mt.tensor(rng.integers(0, 10, batch))
    net, loss = mt.models.LeNet(), mt.nn.CrossEntropyLoss()
    optimizer = mt.optim.SGD(net.parameters(), lr=0.1)
    batches, loss, optimizer = group.prepare(net, [whole], loss, optimizer)
    ((x, y),) = batches

    def step():
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()

    return step, threads


def sum_alone(group):
    """The message of a step without its computation."""
    flat = np.zeros(sum(p.numel() for p in mt.models.LeNet().parameters()) + 14, np.float32)
    total = np.empty_like(flat)
    return lambda: group.world.Allreduce(flat, total), 1


def doze(world):
    """Wait for the others without using a core."""
    request = world.Ibarrier()
    while not request.Test():
        time.sleep(0.0005)


def measure(group, contenders, turns):
    """Seconds per step of each contender, taking turns; one that stands alone is measured on the first process."""
    seconds = {name: [] for name in contenders}
    for _ in range(turns):
        for name, (alone, (step, threads)) in contenders.items():
            doze(group.world)
            if group.rank and alone:
                continue
            parallel.use_threads(threads)
            step()
            if not alone:
                group.world.Barrier()
            begun = time.perf_counter()
            for _ in range(STEPS):
                step()
            seconds[name].append((time.perf_counter() - begun) / STEPS)
    doze(group.world)
    return {name: np.array(values) for name, values in seconds.items()}


def report(seconds, images):
    """Print the table, and what the model of docs/scaling.md needs."""
    first = next(iter(images))
    rows, speeds = [], {}
    for name, count in images.items():
        speeds[name] = count / seconds[name]
        low, ratio, high = np.percentile(speeds[name] / speeds[first], [25, 50, 75])
        middle = np.median(seconds[name])
        rows.append([name, f"{middle * 1e3:.1f}", f"{count / middle:,.0f}", times((low, ratio, high))])
    print(*table(["", "ms per step", "images/s", "speed, as a multiple of the first (quartiles)"], rows), sep="\n")
    few, many = (np.median(seconds[name]) for name in (QUARTER, first))
    image = (many - few) / (images[first] - images[first] // 4)
    fixed = many - images[first] * image
    message = np.median(seconds[MESSAGE])
    print(f"\nOn one core {fixed * 1e3:.2f} ms a step, {image * 1e6:.0f} µs an image; {message * 1e3:.3f} ms a sum.")


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--turns", type=int, default=40)
    args = parser.parse_args()
    batch = args.batch_size

    with training.join() as group:
        if group.size == 1:
            parser.error("start it with mpiexec -n 2")
        alone, size = training.Group(), group.size
        images = {
            "1 process, 1 thread": batch,
            f"1 process, {CORES} threads": batch,
            f"{size} processes, {group.threads} thread(s) each, {batch} images in all": batch,
            f"{size} processes, {group.threads} thread(s) each, {batch} images each": batch * size,
        }
        one, all_cores, strong, weak = images
        contenders = {
            one: (True, lenet_step(alone, batch, 1)),
            QUARTER: (True, lenet_step(alone, batch // 4, 1)),
            all_cores: (True, lenet_step(alone, batch, CORES)),
            strong: (False, lenet_step(group, batch, group.threads)),
            weak: (False, lenet_step(group, batch * size, group.threads)),
            MESSAGE: (False, sum_alone(group)),
        }
        seconds = measure(group, contenders, args.turns)
        if group.rank == 0:
            from mpi4py import MPI

            announce(
                f"LeNet, forward + backward + SGD, float32, {args.turns} turns of {STEPS} steps",
                {"NumPy": np.__version__, "MPI": MPI.Get_library_version().splitlines()[0]},
            )
            report(seconds, images)


if __name__ == "__main__":
    main()
