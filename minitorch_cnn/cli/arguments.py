"""The types of command-line options: each converts a text, or says what was expected."""

import argparse
import math
import os
from pathlib import Path


def at_least(smallest):
    """Make a converter to whole numbers from `smallest` on."""

    def convert(text):
        if not text.strip().isdecimal() or int(text) < smallest:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {smallest}, got {text!r}")
        return int(text)

    return convert


def positive(text):
    """Convert to a positive number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return number


def one_of(names):
    """Make a converter that takes these names alone."""

    def convert(text):
        if text not in names:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, got {text!r}")
        return text

    return convert


def shape(text):
    """Convert sizes with commas between them, as in ``2,1,28,28``, to a tuple."""
    sizes = text.strip("() ").split(",")
    if not all(size.strip().isdecimal() and int(size) for size in sizes):
        raise argparse.ArgumentTypeError(f"expected sizes such as 2,1,28,28, got {text!r} (at least 1 each)")
    return tuple(map(int, sizes))


def file_to_write(*endings):
    """Make a converter to the name of a file with one of these endings, in a folder that is there.

    So that what is wrong with it is said before the work.
    """

    def convert(text):
        if not text.lower().endswith(endings):
            raise argparse.ArgumentTypeError(f"expected a name that ends in {' or '.join(endings)}, got {text!r}")
        folder = Path(text).absolute().parent
        if not folder.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {str(folder)!r} to write {text!r} to")
        if not os.access(folder, os.W_OK):
            raise argparse.ArgumentTypeError(f"the folder {str(folder)!r} cannot be written to")
        return text

    return convert


def name_of(text):
    """Convert to the name of a file or a folder; an empty one, as of a variable that is not set, is refused."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got an empty one")
    return text
