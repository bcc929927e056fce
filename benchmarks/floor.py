"""What a LeNet step costs, operation by operation, and how near it is to its floor: ``python benchmarks/floor.py``.

The floor is what the step cannot do without: its matrix products and its passes of `exp`. They are recorded in one step
and then made again, alone: of the same shapes and memory orders, in the same parts on the same threads, into arrays
that are there already. The profile is the time that passes in the `forward` of each operation, its threads' included; a
backward is made of operations too. What is left is the engine, the optimizer and Python itself.
"""

import argparse
import contextlib
import threading
import time
from collections import defaultdict
from unittest import mock

import numpy as np
from contenders import lenet, ours
from shown import announce, figure, load, save, save_figure, table, times
from turns import compare, significant
from worker import turn, versions

import minitorch_cnn as mt
from minitorch_cnn.autograd import Function
from minitorch_cnn.backend import parallel

STEP, FLOOR, PRODUCTS, EXP = "step", "floor", "products alone", "exp alone"
WITH_PRODUCTS_OR_EXP = (
    "MatMul", "Linear", "Convolve", "FilterGradient", "ConvolveTransposed", "Sigmoid", "CrossEntropy",
    "CrossEntropyGradient",
)  # fmt: skip


def recorded(n):
    """The calls of `matmul` and of `exp` in a forward and backward of n images.

    Returns
    -------
    list of list of list
        For each region of work on threads, and for each of its parts: the calls, as function, arrays and result. What
        is called outside of a region is one by itself, of one part.
    """
    net, loss = mt.models.LeNet(), mt.nn.CrossEntropyLoss()
    x, y = (mt.tensor(array) for array in lenet.batch(n))
    regions, here = [], threading.local()

    def recording(function):
        def call(*arrays, out=None):
            copies = [array.copy(order="K") for array in arrays] if function is np.exp else arrays  # it may go in place
            result = function(*arrays, out=out)
            part = getattr(here, "part", None)
            if part is None:
                regions.append([part := []])
            part.append((function, copies, np.empty_like(result)))
            return result

        return call

    def run(function, parts):
        if getattr(here, "part", None) is not None:  # within a part
            return [function(part) for part in parts]
        regions.append(calls := [[] for _ in parts])

        def compute(i):
            here.part = calls[i]
            try:
                return function(parts[i])
            finally:
                here.part = None

        return on_threads(compute, range(len(parts)))

    on_threads = parallel.run
    with (
        mock.patch("numpy.matmul", recording(np.matmul)),
        mock.patch("numpy.exp", recording(np.exp)),
        mock.patch.object(parallel, "run", run),
    ):
        loss(net(x), y).backward()
    return regions


def replay(regions, *functions):
    """A step that makes those recorded calls that are of these functions, and nothing else."""
    regions = [[[call for call in part if call[0] in functions] for part in parts] for parts in regions]

    def compute(part):
        for function, arrays, out in part:
            function(*arrays, out=out)

    def step():
        for parts in regions:
            parallel.run(compute, parts)

    regions = [parts for parts in regions if any(parts)]
    return step


def measure_floor(batch, turns, seconds):
    """Time of the step, of the floor and of its two parts, with ratios to the floor."""
    regions = recorded(batch)
    step, check = ours.lenet(batch)
    check()
    steps = {
        FLOOR: replay(regions, np.matmul, np.exp),
        STEP: step,
        PRODUCTS: replay(regions, np.matmul),
        EXP: replay(regions, np.exp),
    }
    measured = {name: [] for name in steps}
    for _ in range(turns):
        for name in steps:
            measured[name].append(turn(steps[name], seconds))
    return compare({name: np.array(values) for name, values in measured.items()}, FLOOR)


def profile(batch, steps):
    """Seconds in each operation and shape in a step, the dearest first, and in the step as a whole."""
    step, check = ours.lenet(batch)
    check()
    spent, is_backward = defaultdict(lambda: [0, 0.0]), False

    def timed(forward):
        def call(self, *arrays):
            begun = time.perf_counter()
            y = forward(self, *arrays)
            seconds = time.perf_counter() - begun
            shapes = ", ".join("×".join(map(str, np.shape(a))) or "()" for a in arrays[:2])
            total = spent[type(self).__name__, shapes, "backward" if is_backward else "forward"]
            total[0] += 1
            total[1] += seconds
            return y

        return call

    def marked(gradients):
        def call(self, dy):
            nonlocal is_backward
            is_backward = True
            try:
                return gradients(self, dy)
            finally:
                is_backward = False

        return call

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(Function, "gradients", marked(Function.gradients)))
        for operation in operations(Function):
            if "forward" in vars(operation):
                stack.enter_context(mock.patch.object(operation, "forward", timed(operation.forward)))
        begun = time.perf_counter()
        for _ in range(steps):
            step()
        total = (time.perf_counter() - begun) / steps
    rows = [[*key, calls / steps, significant(seconds / steps)] for key, (calls, seconds) in spent.items()]
    return sorted(rows, key=lambda row: -row[-1]), significant(total)


def operations(base):
    """All classes below this one."""
    for operation in base.__subclasses__():
        yield operation
        yield from operations(operation)


def tables(results, most=20):
    """The floor, then the dearest operations."""
    rows = [[name, f"{row['seconds'] * 1e3:.2f}", times(row["ratio"])] for name, row in results["floor"].items()]
    total, rest = results["total"], results["profile"][most:]
    others = ["", "", sum(row[-2] for row in rest), sum(row[-1] for row in rest)]
    engine = ["", "", 1, total - sum(row[-1] for row in results["profile"])]
    profile = [*results["profile"][:most], [f"{len(rest)} others", *others], ["engine, optimizer, Python", *engine]]
    cells = [[name, shapes, way, f"{n:g}", f"{s * 1e3:.2f}", f"{s / total:.1%}"] for name, shapes, way, n, s in profile]
    return [
        *table(["", "ms", "its time / floor (quartiles)"], rows), "",
        *table(["operation", "shapes", "", "calls per step", "ms", "share"], cells),
    ]  # fmt: skip


def plot(results, most=18):
    """The dearest operations, those with products or exp in another color."""
    rows = results["profile"][:most]
    fig, (ax,) = figure(9, 0.27 * len(rows) + 1)
    colors = ["C0" if row[0] in WITH_PRODUCTS_OR_EXP else "C7" for row in rows]
    ax.barh(range(len(rows)), [row[-1] * 1e3 for row in rows], 0.7, color=colors)
    ax.set_yticks(range(len(rows)), [f"{row[0]}  {row[1]}  ({row[2]})" for row in rows], fontsize=7)
    ax.set(ylim=(len(rows) - 0.4, -0.6), xlabel=f"time in one step of batch {results['settings']['batch']} (ms)")
    ax.set_title("blue: what holds the products and the exp", fontsize=8, loc="right")
    save_figure(fig, "floor")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.1, help="of one turn (default: 0.1)")
    args = parser.parse_args()

    used = {"minitorch_cnn": versions()}
    announce(f"LeNet, batch {args.batch}: the step and its floor", used)
    floor = measure_floor(args.batch, args.turns, args.seconds)
    rows, total = profile(args.batch, steps=max(args.turns, 10))
    settings = {"batch": args.batch, "turns": args.turns, "seconds per turn": args.seconds}
    print("\n".join(["", *tables({"floor": floor, "profile": rows, "total": total})]))
    save("floor", settings, used, floor=floor, profile=rows, total=total)
    plot(load("floor"))


if __name__ == "__main__":
    main()
