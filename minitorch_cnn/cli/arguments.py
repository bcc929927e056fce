"""The types of command-line options: each converts a text, or says what was expected."""

import argparse
import math


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


def png(text):
    """Convert to the name of a PNG file."""
    if not text.lower().endswith(".png"):
        raise argparse.ArgumentTypeError(f"expected a name that ends in .png, got {text!r}")
    return text


def png_or_svg(text):
    """Convert to the name of a PNG or an SVG file."""
    if not text.lower().endswith((".png", ".svg")):
        raise argparse.ArgumentTypeError(f"expected a name that ends in .png or .svg, got {text!r}")
    return text


def name_of(text):
    """Convert to the name of a file or a folder; an empty one, as of a variable that is not set, is refused."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got an empty one")
    return text
