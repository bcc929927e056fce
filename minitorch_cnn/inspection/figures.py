"""Pictures in one look, without a screen: matplotlib's figures, and PNG files of them, without pyplot's global state.

Light by default, dark on request. The colours are those of Okabe and Ito (2008), which the colour-blind can tell apart,
a little lighter on dark ground; images are grey, and what has a sign runs from orange through the ground to blue.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_cnn.backend.annotations import FilePath
from minitorch_cnn.data.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "mosaic", "new_figure", "outline", "picture", "show_image", "show_map", "show_numbers", "show_signed", "to_png",
    "to_svg",
]  # fmt: skip

#: What to draw with, in this order; by name where a colour means something.
BLUE, ORANGE, GREEN, PINK, SKY, GOLD = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"
_ON_DARK = {BLUE: "#5cb3e8", ORANGE: "#ff8a4c", GREEN: "#3fcf9f", PINK: "#e8a3c8", SKY: "#8fd0f5", GOLD: "#f2bd4a"}


class Look(dict):
    """The settings of matplotlib that make one look, light or dark.

    Parameters
    ----------
    dark : bool, optional
        For a page with a dark ground.

    Attributes
    ----------
    ground, ink, quiet : str
        The colours of the ground, of text, and of what is to stand back: grids, frames, notes.
    """

    def __init__(self, dark=False):
        self.ground, self.ink, self.quiet = (
            ("#16181d", "#e8e6e1", "#8b9099") if dark else ("#fdfcf9", "#22252b", "#767b85")
        )
        self.dark = dark
        super().__init__({
            "figure.facecolor": self.ground, "axes.facecolor": self.ground, "savefig.facecolor": self.ground,
            "text.color": self.ink, "axes.labelcolor": self.ink, "axes.titlecolor": self.ink,
            "xtick.color": self.quiet, "ytick.color": self.quiet,
            "xtick.labelcolor": self.ink, "ytick.labelcolor": self.ink,
            "axes.edgecolor": self.quiet, "axes.spines.top": False, "axes.spines.right": False,
            "axes.grid": False, "grid.color": self.quiet, "grid.alpha": 0.25,
            "font.size": 11.0, "axes.titlesize": 11.5, "axes.labelsize": 11.0, "figure.titlesize": 13.0,
            "xtick.labelsize": 10.0, "ytick.labelsize": 10.0, "legend.fontsize": 10.5, "legend.frameon": False,
            "lines.linewidth": 2.0, "lines.markersize": 5.0, "figure.dpi": 120.0, "image.interpolation": "nearest",
        })  # fmt: skip

    def colour(self, colour):
        """One of the colours above as it is to be on this ground."""
        return _ON_DARK[colour] if self.dark else colour

    @contextlib.contextmanager
    def on(self):
        """While a picture is made and drawn, these settings are matplotlib's."""
        import matplotlib
        from cycler import cycler

        colours = [self.colour(colour) for colour in _ON_DARK]
        with matplotlib.rc_context({**self, "axes.prop_cycle": cycler(color=colours)}):
            yield self
            interactive = matplotlib.is_interactive()
        matplotlib.interactive(interactive)  # what a notebook's backend has set, on its first use, stays


def new_figure(**settings: Any) -> Figure:
    """Return a matplotlib Figure, whatever the environment variable MPLBACKEND says. A notebook shows it by itself.

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
    return _figure_class()(**settings)


@functools.cache
def _figure_class():
    from matplotlib import figure

    class Figure(figure.Figure):
        def _repr_png_(self):
            return to_png(self)

    return Figure


@contextlib.contextmanager
def picture(
    path: FilePath | None = None,
    *,
    width: float = 8.0,
    height: float = 4.5,
    dark: bool = False,
    title: str | None = None,
    layout: str = "constrained",
) -> Iterator[Figure]:
    """Make a picture: a figure to draw on, which takes the one look, and is written to a file at the end.

    Parameters
    ----------
    path : str or Path, optional
        The PNG file to write, whole or not at all; by default none is written.
    width, height : float, optional
        In inches; a picture has 120 pixels to the inch, so that 8 of them fill a page of text.
    dark : bool, optional
        For a page with a dark ground.
    title : str, optional
        What the picture shows, in a sentence.
    layout : str, optional
        matplotlib's layout engine.

    Yields
    ------
    matplotlib.figure.Figure
        Its `look` holds the colours: ``figure.look.colour(BLUE)``.

    Examples
    --------
    >>> with picture(height=3) as figure:
    ...     _ = figure.subplots().plot([1, 2, 3], [3, 1, 2])
    >>> to_png(figure)[1:4]
    b'PNG'
    """
    new_figure()  # imports matplotlib
    look = Look(dark)
    with look.on():
        figure = new_figure(figsize=(width, height), layout=layout)
        figure.look = look
        if title:
            figure.suptitle(title)
        yield figure
        if path is not None:
            png = to_png(figure)
            with atomic_file(path) as file:
                file.write(png)


def show_image(axes: Any, image: Any, title: str | None = None, **settings: Any) -> Any:
    """Draw an image (H, W) of numbers in grey, 0 black and 1 white, without ticks."""
    return _show(axes, image, title, {"cmap": "gray", "vmin": 0, "vmax": 1, **settings})


def show_signed(axes: Any, image: Any, title: str | None = None, limit: float | None = None, **settings: Any) -> Any:
    """Draw an array (H, W) of numbers with signs: orange below 0, the ground at 0, blue above.

    `limit` is the size at which the colours are full, by default that of the largest entry.
    """
    from matplotlib.colors import LinearSegmentedColormap

    look = axes.figure.look
    colours = LinearSegmentedColormap.from_list("signed", [look.colour(ORANGE), look.ground, look.colour(BLUE)])
    limit = limit or max(float(abs(image).max()), 1e-12)
    return _show(axes, image, title, {"cmap": colours, "vmin": -limit, "vmax": limit, **settings})


def show_map(axes: Any, image: Any, title: str | None = None, **settings: Any) -> Any:
    """Draw an array (H, W) of numbers from near the ground, for the smallest, over blue to ink."""
    from matplotlib.colors import LinearSegmentedColormap

    look = axes.figure.look
    dark, light = ["#222a35", "#2f6488", "#8fd0f5", "#fbf3df"], ["#e6eef3", "#8cc5ea", BLUE, "#0b2239"]
    return _show(
        axes, image, title, {"cmap": LinearSegmentedColormap.from_list("map", dark if look.dark else light), **settings}
    )


def mosaic(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Put images beside each other as one, with gaps of NaN between them, which are drawn as the ground.

    Parameters
    ----------
    images : numpy.ndarray
        Of shape (N, H, W), or (rows, columns, H, W), which says where each one goes.
    columns : int, optional
        How many stand beside each other; by default about as many as below each other.

    Returns
    -------
    numpy.ndarray
        Of shape (rows * (H + gap) - gap, columns * (W + gap) - gap); the gap is a tenth of an image's width, at least
        one pixel.

    Examples
    --------
    >>> mosaic(np.arange(3.0).reshape(3, 1, 1), columns=2)
    array([[ 0., nan,  1.],
           [nan, nan, nan],
           [ 2., nan, nan]])
    """
    if images.ndim == 3:
        columns = columns or int(np.ceil(np.sqrt(len(images))))
        rows = -(-len(images) // columns)
        images = np.concatenate([images, np.full((rows * columns - len(images), *images.shape[1:]), np.nan)])
        images = images.reshape(rows, columns, *images.shape[1:])
    rows, columns, h, w = images.shape
    gap = max(1, round(w / 10))
    whole = np.full((rows, h + gap, columns, w + gap), np.nan)
    whole[:, :h, :, :w] = images.transpose(0, 2, 1, 3)
    return whole.reshape(rows * (h + gap), columns * (w + gap))[:-gap, :-gap]


def show_numbers(
    axes: Any, array: Any, title: str | None = None, limit: float | None = None, text: str = "{:.3g}", **settings: Any
) -> Any:
    """Draw a small array (H, W) as a table: each number in its cell, on a tint of its sign's colour.

    `limit` is the size at which the tint is deepest, by default that of the largest entry; `text` is the format of a
    number. The other settings are those of the text, such as ``fontsize=8``.
    """
    limit = limit or max(float(abs(array).max()), 1e-12)
    shown = show_signed(axes, array, title, limit=2 * limit)  # half of the colours' strength: text stays legible
    for (row, column), number in np.ndenumerate(array):
        axes.text(column, row, text.format(number), ha="center", va="center", **settings)
    return shown


def outline(
    axes: Any, row: float, column: float, height: float, width: float, colour: str = ORANGE, **settings: Any
) -> Any:
    """Draw a frame around the pixels of an image from (row, column) on, so many down and across."""
    from matplotlib.patches import Rectangle

    look = {"fill": False, "edgecolor": axes.figure.look.colour(colour), "linewidth": 2.5, "clip_on": False}
    return axes.add_patch(Rectangle((column - 0.5, row - 0.5), width, height, **{**look, **settings}))


def _show(axes, image, title, settings):
    shown = axes.imshow(image, **settings)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.6)
    if title:
        axes.set_title(title)
    return shown


def to_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    png = io.BytesIO()
    look = getattr(figure, "look", None)
    with look.on() if look else contextlib.nullcontext():  # the ticks are made when they are drawn
        FigureCanvasAgg(figure).print_png(png)
    return png.getvalue()


def to_svg(figure: Figure) -> bytes:
    """Return a figure as the bytes of an SVG picture, the same for equal figures."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    svg = io.BytesIO()
    look = getattr(figure, "look", None)
    with look.on() if look else contextlib.nullcontext(), matplotlib.rc_context({"svg.hashsalt": "minitorch_cnn"}):
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None})
    return svg.getvalue()
