"""LeNet on a GPU, side by side with PyTorch: ``make bench-gpu``, or ``python benchmarks/gpu.py``.

One step at several batch sizes, the kernels that it starts, and ten epochs with data and evaluation. Contenders are
processes of their own that take turns, as in `lenet_step.py`; so that no one waits for the host in between, a step is
measured as one of a block, and the wait for the GPU comes after the block. It needs CuPy and a GPU, and measures
against PyTorch where it is installed. Nothing is downloaded: without Fashion-MNIST, images are random.
"""

import argparse
import contextlib
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

import numpy as np
from shown import announce, save, table, times
from turns import Worker, compare, significant, take_turns

import minitorch_cnn as mt
from minitorch_cnn import backend, data

CONTENDERS = {  # what stands first is what the others are compared with
    "minitorch_cnn, captured": ("ours", {"captured": True}),
    "minitorch_cnn": ("ours", {}),
    "PyTorch": ("pytorch", {}),
    "PyTorch, compiled": ("pytorch", {"mode": "compiled"}),
    "PyTorch, CUDA graph": ("pytorch", {"mode": "graph"}),
}
EPOCHS = {
    "minitorch_cnn, captured": ("our_epochs", {"captured": True}),
    "minitorch_cnn": ("our_epochs", {}),
    "PyTorch": ("pytorch_epochs", {}),
    "PyTorch, CUDA graph": ("pytorch_epochs", {"mode": "graph"}),
}
STEPS = 50  # in a block


def start(stack, contenders, required, **options):
    """A worker for each contender. One that cannot start is left out; its own messages have said why."""

    def worker(contender):
        function, own = contender
        try:
            return Worker(f"contenders.on_gpu:{function}", {**options, **own})
        except RuntimeError as error:
            return error

    with ThreadPoolExecutor() as threads:  # they compile for a while
        started = dict(zip(contenders, threads.map(worker, contenders.values())))
    for name, result in started.items():
        if isinstance(result, Exception):
            print(f"without {name}: {result}", file=sys.stderr)
        else:
            stack.enter_context(result)
    workers = {name: result for name, result in started.items() if not isinstance(result, Exception)}
    if required not in workers:
        raise RuntimeError(f"{required} itself could not be started")
    return workers


def check(losses, ours):
    """Nobody is to be measured on something else: the losses of five steps from equal weights are equal."""
    for name, values in losses.items():
        if not np.allclose(values, losses[ours], rtol=0, atol=1e-3):
            raise RuntimeError(f"{name} computes something else: losses {values}, ours {losses[ours]}")


def measure_steps(contenders, batch, turns, seconds, steps=STEPS, **options):
    """Seconds per step and ratios at one batch size."""
    ours = next(iter(contenders))
    with contextlib.ExitStack() as stack:
        workers = start(stack, contenders, ours, batch=batch, steps=steps, **options)
        check({name: worker.greeting["check"] for name, worker in workers.items()}, ours)
        measured = take_turns(workers, turns, seconds)
    rows = compare({name: values / steps for name, values in measured.items()}, ours)
    for row in rows.values():
        row["images per second"] = significant(batch / row["seconds"], 3)
    return rows


def count_kernels(contenders, batch, steps=10, **options):
    """Kernels and copies of one step, in a process that does nothing else; None where they cannot be counted."""
    counts = {}
    for name, (library, own) in contenders.items():
        try:
            with Worker(
                "contenders.on_gpu:counted", {"library": library, "batch": batch, "steps": steps, **own, **options}
            ) as worker:
                kernels, copies = worker.greeting["check"]
            counts[name] = [kernels, copies] if kernels else None  # no kernels: the profiler saw nothing
        except RuntimeError as error:
            print(f"not counted for {name}: {error}", file=sys.stderr)
            counts[name] = None
    return counts


def measure_epochs(contenders, epochs, turns, folder, **options):
    """Wall clock of ten epochs with an evaluation after each, data on the GPU, after ten that do not count."""
    ours = next(iter(contenders))
    with contextlib.ExitStack() as stack:
        workers = start(stack, contenders, ours, epochs=epochs, folder=folder, **options)
        rows = compare(take_turns(workers, turns, seconds=0), ours)
        for name, worker in workers.items():
            rows[name]["loss"] = significant(worker.greeting["check"][0], 3)
    return rows


def tables(results):
    """One table for each batch size, one of kernels, one of epochs."""
    lines = []
    for batch, rows in results["batches"].items():
        lines += table_of_steps(batch, rows)
    lines += ["", "What a step makes the GPU do:", ""]
    counts = {name: [f"{n:g}" for n in counts] if counts else ["-", "-"] for name, counts in results["kernels"].items()}
    lines += table(["", "kernels", "copies"], [[name, *cells] for name, cells in counts.items()])
    settings = results["settings"]
    lines += ["", f"{settings['epochs']} epochs of batch 256 with evaluation, on {settings['data']}:", ""]
    lines += table(
        ["", "s", "its time / ours (quartiles)", "loss of the last"],
        [
            [name, f"{row['seconds']:.2f}", times(row["ratio"]), f"{row['loss']:.3f}"]
            for name, row in results["epochs"].items()
        ],
    )
    return lines[1:]


def table_of_steps(batch, rows):
    """The contenders at one batch size."""
    head = ["", "ms per step", "images/s", "its time / ours (quartiles)"]
    cells = [
        [name, f"{row['seconds'] * 1e3:.3f}", f"{row['images per second']:,.0f}", times(row["ratio"])]
        for name, row in rows.items()
    ]
    return ["", f"Batch {batch}:", "", *table(head, cells)]


def find_data(folder):
    """The folder of Fashion-MNIST, given or the usual one, and what to call the data; (None, ...) if it has none."""
    usual = data.fashion_mnist.cache_folder()
    for place in [folder] if folder else [usual, data.fashion_mnist.DEBIAN_FOLDER]:
        with contextlib.suppress(RuntimeError):
            data.FashionMNIST(place, train=False, download=False)
            return str(place), "Fashion-MNIST"
    if folder:
        raise RuntimeError(f"{folder} does not hold Fashion-MNIST")
    return None, "random images and labels of Fashion-MNIST's size, which was not found here"


def versions():
    """CuPy and PyTorch, and the CUDA that each was built for or finds."""
    runtime = backend.devices.cupy().cuda.runtime
    cuda = "CUDA {}.{}, driver {}.{}".format(
        *(part for version in (runtime.runtimeGetVersion(), runtime.driverGetVersion())
          for part in (version // 1000, version % 1000 // 10))
    )  # fmt: skip
    ours = f"minitorch_cnn {mt.__version__}, CuPy {backend.devices.cupy().__version__}, {cuda}, NumPy {np.__version__}"
    try:
        return {"minitorch_cnn": ours, "PyTorch": metadata.version("torch")}
    except metadata.PackageNotFoundError:
        return {"minitorch_cnn": ours}


def results_name(device):
    """``"NVIDIA H100 80GB HBM3"`` as part of the name of a file."""
    return "gpu_" + re.sub(r"\W+", "_", device).strip("_").lower()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 512, 1024, 2048, 4096], metavar="N")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.1, help="of one turn (default: 0.1)")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--data-dir", help="folder of Fashion-MNIST (default: where it usually is, or random images)")
    args = parser.parse_args()
    if reason := backend.devices.unavailable_reason():
        sys.exit(f"benchmarks/gpu.py measures on a GPU, but {reason}")

    device, used = mt.cuda.get_device_name(), versions()
    contenders = {name: c for name, c in CONTENDERS.items() if c[0] == "ours" or "PyTorch" in used}
    epochs = {name: c for name, c in EPOCHS.items() if c[0] == "our_epochs" or "PyTorch" in used}
    announce(f"LeNet on {device}: forward, cross-entropy, backward, SGD; float32 without TF32", used)
    if "PyTorch" not in used:
        print("without PyTorch: it is not installed")
    folder, found = find_data(args.data_dir)
    settings = {"device": device, "turns": args.turns, "seconds per turn": args.seconds, "steps per block": STEPS}
    settings |= {"epochs": args.epochs, "data": found}

    results = {"batches": {}, "kernels": {}, "epochs": {}}
    for batch in args.batches:
        results["batches"][batch] = measure_steps(contenders, batch, args.turns, args.seconds)
        print("\n".join(table_of_steps(batch, results["batches"][batch])), flush=True)
    results["kernels"] = count_kernels(contenders, args.batches[0])
    results["epochs"] = measure_epochs(epochs, args.epochs, max(3, args.turns // 5), folder)
    print("\n".join(["", *tables({"settings": settings, **results, "batches": {}}), ""]))
    save(results_name(device), settings, used, **results)


if __name__ == "__main__":
    main()
