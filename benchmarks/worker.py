"""One contender: ``python worker.py MODULE:FUNCTION OPTIONS``, told through a pipe to take its turns.

The function is given the options, a JSON object, and returns ``step, check``: a step is what is measured, and
``check()`` returns numbers that all contenders must agree on. A first line of JSON goes out with these and with
versions. Then each line that comes in is a number of seconds, and is answered by the seconds per step of one turn.

It runs in the environment of its contender, so that nothing but the standard library is imported here.
"""

import ctypes
import gc
import importlib
import json
import os
import platform
import sys
import time
from importlib import metadata


def main(factory, options, measure_memory):
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    module, _, function = factory.partition(":")
    make = getattr(importlib.import_module(module), function)
    if measure_memory:
        print(json.dumps({"peak": peak_memory(make, options)}), file=answers, flush=True)
        return
    step, check = make(**options)
    print(json.dumps({"check": check(), "versions": versions()}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(turn(step, float(line))), file=answers, flush=True)


def turn(step, seconds):
    """Seconds per step, after one step that brings data back into the caches."""
    step()
    count, begun = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - begun < seconds:
        step()
        count += 1
    return (time.perf_counter() - begun) / count


def peak_memory(make, options):
    """MiB that two steps add at their peak to the resident memory, as Linux counts it.

    The system's own count sees what any library allocates, in whatever way. A first step compiles, loads code and
    starts threads, which is no memory of a step; what it frees goes back to the system, so as to count again.
    """
    try:
        step, _ = make(**options)
        step()
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        before = resident("VmRSS")
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak starts anew, from what is resident now
        step()
        step()
        return round((resident("VmHWM") - before) / 1024, 1)
    except (OSError, AttributeError):
        return None


def resident(field):
    """A line of /proc/self/status, in KiB."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field))


def versions():
    """Python, the libraries that are loaded, and the kernels that they chose for this processor."""
    names = {"minitorch_cnn": "minitorch_cnn", "torch": "PyTorch", "jax": "JAX", "dezero": "DeZero"}
    names |= {"mygrad": "MyGrad", "autograd": "autograd", "numpy": "NumPy"}
    texts = [f"{text} {version(name)}" for name, text in names.items() if name in sys.modules]
    if "torch" in sys.modules:
        import torch

        texts.append(f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads")
    elif "jax" not in sys.modules:  # these two bring their own arithmetic
        texts.append(blas())
    return ", ".join([*texts, f"Python {platform.python_version()}"])


def version(name):
    return getattr(sys.modules[name], "__version__", None) or metadata.version(name)


def blas():
    """The matrix library that NumPy calls, and which of its kernels."""
    import threadpoolctl

    found = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"]
    info = max(found, key=lambda info: "numpy" in info["filepath"])  # SciPy may have loaded another one
    return f"{info['internal_api']} {info['version']} {info.get('architecture', '')}, {info['num_threads']} threads"


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), "--memory" in sys.argv)
