"""Pictures without a screen: matplotlib's figures, and PNG files of them, without the global state of pyplot."""

import contextlib
import io
import os
import sys


def new_figure(**settings):
    """Return a matplotlib Figure, whatever the environment variable MPLBACKEND says.

    To draw a file no backend is needed. But Jupyter hands the name of its own to the programs that it starts, and a
    name that matplotlib cannot find makes its import fail.
    """
    if "matplotlib" not in sys.modules:
        chosen = os.environ.pop("MPLBACKEND", "")
        try:
            import matplotlib
        finally:
            os.environ.update({"MPLBACKEND": chosen} if chosen else {})
        with contextlib.suppress(ValueError):  # what matplotlib itself would have done, for whoever uses pyplot later
            matplotlib.rcParams.update({"backend": chosen} if chosen else {})
    from matplotlib.figure import Figure

    return Figure(**settings)


def to_png(figure):
    """Return a figure as the bytes of a PNG picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    return picture.getvalue()
