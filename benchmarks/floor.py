"""What a LeNet step costs, operation by operation, and how near it is to its floor: ``python benchmarks/floor.py``.

The floor is what no implementation on these matrices gets around: the step's matrix products and its passes of `exp`,
as they were in a recorded step, with the same shapes and memory orders, into arrays that are
there already. The profile is the time that threads spend in the `forward` of each operation; a backward is made of
operations too. What is left is the engine and Python itself.
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

WITH_PRODUCTS = "MatMul", "Linear", "Convolve", "FilterGradient", "ConvolveTransposed"  # operations that call matmul
WITH_EXP = "Sigmoid", "CrossEntropy", "CrossEntropyGradient"  # and exp
STEP, FLOOR, PRODUCTS, EXP = "step", "floor", "products alone", "exp alone"
UNROLLED = "products alone, by whole column matrices"


def recorded_calls(n):
    """The calls of `matmul` and `exp` in a forward and backward of n images, with their arguments.

    Those of `exp` are copied, since it writes into them; those of `matmul` may be views whose parts overlap in memory.
    """
    net, loss = mt.models.LeNet(), mt.nn.CrossEntropyLoss()
    x, y = (mt.tensor(array) for array in lenet.batch(n))
    calls = []

    def recording(function):
        def call(*arrays, **options):
            copied = [array.copy(order="K") if function is np.exp else array for array in arrays]
            calls.append((function, copied))
            return function(*arrays, **options)

        return call

    with mock.patch("numpy.matmul", recording(np.matmul)), mock.patch("numpy.exp", recording(np.exp)):
        loss(net(x), y).backward()
    return calls


def unrolled(calls):
    """The same calls, but those of convolutions as one product with the column matrix of all rows."""
    return [(np.matmul, whole(*arrays) if arrays[0].ndim > 2 else arrays) for f, arrays in calls if f is np.matmul]


def whole(a, b):
    """The factors of one product, for those of one for each row of the output, of an array for one group."""
    a, b = (x.reshape(1, -1, *x.shape[-2:]) for x in (a, b))  # a product may be cut into parts of its columns
    if a.shape[1] == 1:  # filters (1, 1, O, K), columns or gradients (1, OH, K, L)
        return [a[0, 0], np.concatenate(b[0], axis=1)]
    return [np.concatenate(a[0], axis=1), np.concatenate(b[0], axis=0)]  # columns (1, OH, K, L), (1, OH, L, O)


def floor_step(calls, *functions):
    """A step that makes these calls and nothing else."""
    calls = [(function, arrays, function(*arrays)) for function, arrays in calls if function in functions]

    def step():
        for function, arrays, out in calls:
            function(*arrays, out=out)

    return step


def measure_floor(batch, turns, seconds):
    """Time of the step, of the floor and of its two parts, with ratios to the floor."""
    calls = recorded_calls(batch)
    step, check = ours.lenet(batch)
    check()
    steps = {
        FLOOR: floor_step(calls, np.matmul, np.exp),
        STEP: step,
        PRODUCTS: floor_step(calls, np.matmul),
        EXP: floor_step(calls, np.exp),
        UNROLLED: floor_step(unrolled(calls), np.matmul),
    }
    measured = {name: [] for name in steps}
    for _ in range(turns):
        for name in steps:
            measured[name].append(turn(steps[name], seconds))
    return compare({name: np.array(values) for name, values in measured.items()}, FLOOR)


def profile(batch, steps):
    """Thread time of each operation and shape in a step, the dearest first, and that of the whole step, in seconds."""
    step, check = ours.lenet(batch)
    check()
    begun = time.process_time()
    for _ in range(steps):
        step()
    total = (time.process_time() - begun) / steps
    spent, lock, going_back = defaultdict(lambda: [0, 0.0]), threading.Lock(), threading.local()

    def timed(forward):
        def call(self, *arrays):
            begun = time.thread_time()
            y = forward(self, *arrays)
            seconds = time.thread_time() - begun
            shapes = ", ".join("×".join(map(str, np.shape(a))) or "()" for a in arrays[:2])
            key = type(self).__name__, shapes, "backward" if getattr(going_back, "on", False) else "forward"
            with lock:
                spent[key][0] += 1
                spent[key][1] += seconds
            return y

        return call

    def marked(gradients):
        def call(self, dy):
            going_back.on = True
            try:
                return gradients(self, dy)
            finally:
                going_back.on = False

        return call

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(Function, "gradients", marked(Function.gradients)))
        for operation in operations(Function):
            if "forward" in vars(operation):
                stack.enter_context(mock.patch.object(operation, "forward", timed(operation.forward)))
        for _ in range(steps):
            step()
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
    lines = [*table(["", "ms", "its time / floor (quartiles)"], rows), ""]
    total = results["total"]
    head = ["operation", "shapes in a shard", "", "calls per step", "ms of thread time", "share"]
    rows, rest = results["profile"][:most], results["profile"][most:]
    cells = [[name, shapes, way, f"{n:g}", f"{s * 1e3:.2f}", f"{s / total:.1%}"] for name, shapes, way, n, s in rows]
    others = sum(row[-1] for row in rest)
    engine = total - others - sum(row[-1] for row in rows)
    cells.append(
        [
            f"{len(rest)} others",
            "",
            "",
            f"{sum(row[3] for row in rest):g}",
            f"{others * 1e3:.2f}",
            f"{others / total:.1%}",
        ]
    )
    cells.append(["engine, optimizer, Python", "", "", "", f"{engine * 1e3:.2f}", f"{engine / total:.1%}"])
    return [*lines, *table(head, cells)]


def plot(results, most=18):
    """The dearest operations, those of the floor in another color."""
    rows = results["profile"][:most]
    fig, (ax,) = figure(9, 0.27 * len(rows) + 1)
    colors = ["C0" if row[0] in (*WITH_PRODUCTS, *WITH_EXP) else "C7" for row in rows]
    ax.barh(range(len(rows)), [row[-1] * 1e3 for row in rows], 0.7, color=colors)
    ax.set_yticks(range(len(rows)), [f"{row[0]}  {row[1]}  ({row[2]})" for row in rows], fontsize=7)
    ax.set(
        ylim=(len(rows) - 0.4, -0.6),
        xlabel=f"thread time in one step of batch {results['settings']['batch']} (ms)",
    )
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
