"""Where the pictures of these scripts go: ``python examples/06_padding.py [folder] [--dark]``."""

import argparse
import contextlib
import sys
from pathlib import Path

import numpy as np

from minitorch_cnn.inspection import figures


@contextlib.contextmanager
def drawing(**settings):
    """`figures.picture` in a file named after the script that runs; say at the end where it is."""
    path, dark = _asked()
    with figures.picture(path, dark=dark, **settings) as figure:
        yield figure
    print(f"The picture is {path}.")


def save(draw, *arguments, **settings):
    """Call one of the library's functions that draw, and save its figure likewise."""
    path, dark = _asked()
    path.write_bytes(figures.to_png(draw(*arguments, dark=dark, **settings)))
    print(f"The picture is {path}.")


def _asked():
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("folder", nargs="?", default="pictures", type=Path, help="for the picture (default: pictures)")
    parser.add_argument("--dark", action="store_true", help="for a page with a dark ground")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    return arguments.folder / f"{Path(sys.argv[0]).stem}{'-dark' if arguments.dark else ''}.png", arguments.dark


def colourful():
    """An image (3, 32, 32) of numbers from 0 to 1 in red, green and blue: a sun over a meadow, in a sky."""
    row, column = np.mgrid[:32, :32]
    sun, meadow = (row - 10) ** 2 + (column - 21) ** 2 < 40, row > 22 + 2 * np.sin(column / 4)
    image = np.stack([0.45 + row / 80, 0.65 + row / 100, 0.95 - row / 200])
    image[:, meadow] = np.array([0.25, 0.6, 0.2])[:, None]
    image[:, sun & ~meadow] = np.array([1.0, 0.75, 0.1])[:, None]
    return image.astype(np.float32)


_asked()  # now: --help, and a wrong argument, do not wait for the script's work
print(sys.modules["__main__"].__doc__)
