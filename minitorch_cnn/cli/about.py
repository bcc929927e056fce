"""What this machine has: the command ``info``; and ``--print-completion``, which completes commands in a shell."""

import argparse
import os
import platform
import textwrap
from pathlib import Path

import numpy as np

import minitorch_cnn
from minitorch_cnn import backend, cuda
from minitorch_cnn.backend import parallel
from minitorch_cnn.cli.arguments import name_of
from minitorch_cnn.data import fashion_mnist
from minitorch_cnn.inspection.tables import WIDTH

PACKAGES = {  # beside NumPy: those that setup.cfg names
    "needs": ["matplotlib", "requests", "tqdm", "safetensors", "threadpoolctl"],
    "can use": ["cupy-cuda12x", "cupy-cuda13x", "mpi4py", "pillow", "shtab"],
}
NAMES = 10  # characters of the column of names


def info(arguments):
    """Tell what there is: versions, threads, the GPU or why there is none, and whether the data are there and whole."""
    _print(
        "version",
        f"minitorch_cnn {minitorch_cnn.__version__}, NumPy {np.__version__}",
        f"Python {platform.python_version()}, {platform.platform(aliased=True, terse=True)}",
    )
    _print("package", Path(minitorch_cnn.__file__).parent)
    cores = len(parallel.available_cores())
    _print("threads", f"{parallel.thread_count()} share the work of an operation, on {cores} cores")
    _print("BLAS", *_blas())
    reason = backend.unavailable_reason()
    _print("GPU", f"none: {reason}" if reason else cuda.get_device_name())
    _print("data", *_data(arguments.data_dir))
    for kind, names in PACKAGES.items():
        _print(kind, ", ".join(f"{name} {_version(name)}" for name in names))


def add_info(commands):
    """Add the command ``info``."""
    parser = commands.add_parser(
        "info", help="versions, threads, GPU, and where the data are", description=info.__doc__
    )
    parser.set_defaults(command=info)
    parser.add_argument(
        "--data-dir", type=name_of, metavar="DIR", help="folder of Fashion-MNIST (default: the user's cache)"
    )


def add_completion(parser):
    """Add the option ``--print-completion``."""
    parser.add_argument(
        "--print-completion", action=_PrintCompletion, choices=["bash", "zsh", "tcsh"],
        help="print what makes that shell complete this command (needs the extra: completion)",
    )  # fmt: skip


class _PrintCompletion(argparse.Action):
    def __call__(self, parser, namespace, shell, option_string=None):
        try:
            import shtab
        except ImportError:
            parser.error("--print-completion needs shtab: pip install 'minitorch_cnn[completion]'")
        print(shtab.complete(parser, shell))
        parser.exit()


def _print(name, *texts):
    """Print a row of the table, each text on lines of its own."""
    room = WIDTH - NAMES - 2
    lines = [
        line
        for text in texts
        for line in textwrap.wrap(str(text), room, break_long_words=False, break_on_hyphens=False)
    ]
    print(f"{name:<{NAMES}}  " + f"\n{'':{NAMES + 2}}".join(lines))


def _blas():
    """A text for each library that multiplies matrices."""
    from threadpoolctl import ThreadpoolController

    libraries = ThreadpoolController().select(user_api="blas").info()
    if not libraries:
        return ["none that threadpoolctl knows: its threads cannot be limited, so ours do not share the work"]
    return [
        f"{library['internal_api']} {library['version']} ({library.get('architecture', 'any processor')}), "
        f"{library['num_threads']} threads, in {Path(library['filepath']).name}"
        for library in libraries
    ]


def _data(root):
    """A text for each folder in which the data are looked for, up to the one that they are taken from."""
    try:
        for folder, failure in fashion_mnist.places(root):
            yield f"Fashion-MNIST in {folder}: {failure or 'whole, and verified'}"
            if failure is None:
                return
    except RuntimeError as error:  # no home folder
        yield str(error)
    offline = os.environ.get("MINITORCH_CNN_OFFLINE", "0") not in ("", "0")
    yield "MINITORCH_CNN_OFFLINE forbids to fetch them" if offline else "they will be fetched when they are needed"


def _version(name):
    from importlib import metadata  # it takes a while, and `train` has no need of it

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"
