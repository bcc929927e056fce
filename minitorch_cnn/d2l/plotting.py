"""Pictures in a notebook or a script: functions, images, and curves that grow. From the chapter on calculus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.inspection import figures
from minitorch_cnn.inspection.notebooks import LivePicture, in_notebook

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Animator", "plot", "set_axes", "set_figsize", "show_images", "use_svg_display"]

Limits: TypeAlias = "Sequence[float] | None"  # of an axis: (low, high), or what the curves need

STYLES = ("-", "--", "-.", ":")
LEGEND = {"frameon": True, "edgecolor": "none"}  # what lies behind it shines through faintly


def pyplot():
    """Return ``matplotlib.pyplot``, which is `d2l.plt`; it is imported when first asked for."""
    figures.new_figure()  # imports matplotlib, whatever MPLBACKEND says
    from matplotlib import pyplot as plt

    return plt


def use_svg_display() -> None:
    """Have a notebook show its figures as SVG, which stay sharp. Elsewhere it changes nothing."""
    if in_notebook():
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg")


def set_figsize(figsize: Sequence[float] = (3.5, 2.5)) -> None:
    """Set the width and height, in inches, of the figures that `plt` makes from now on."""
    use_svg_display()
    pyplot().rcParams["figure.figsize"] = figsize


def set_axes(
    axes: Axes,
    xlabel: str | None,
    ylabel: str | None,
    xlim: Limits,
    ylim: Limits,
    xscale: str,
    yscale: str,
    legend: Sequence[str] | None,
) -> None:
    """Set the names, limits and scales of matplotlib's axes, a grid, and the names of the curves, if there are any.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    xlabel, ylabel : str or None
    xlim, ylim : (float, float) or None
        None lets them follow the curves.
    xscale, yscale : str
        ``"linear"`` or ``"log"``.
    legend : list of str or None
    """
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
    if xlim is not None and xlim[0] != xlim[1]:
        axes.set_xlim(xlim)
    if ylim is not None:
        axes.set_ylim(ylim)
    if legend and axes.lines:
        axes.legend(legend, **LEGEND)
    look = figures.Look()
    axes.grid(True, color=look.quiet, alpha=look["grid.alpha"])


def plot(
    X: Any,
    Y: Any = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    legend: Sequence[str] | None = None,
    xlim: Limits = None,
    ylim: Limits = None,
    xscale: str = "linear",
    yscale: str = "linear",
    fmts: Sequence[str] = STYLES,
    figsize: Sequence[float] = (3.5, 2.5),
    axes: Axes | None = None,
) -> None:
    """Draw curves on the axes of `plt`, which a notebook shows below the cell. A script saves or shows them itself.

    Parameters
    ----------
    X : Tensor, array or sequence of numbers, or a list of such
        Where the points are, for all curves or for each. Without `Y`, it is how high they are, at 0, 1, 2, ...
    Y : the same, optional
        How high, for each curve.
    xlabel, ylabel, legend, xlim, ylim, xscale, yscale :
        As in `set_axes`.
    fmts : sequence of str
        Matplotlib's format of each curve, taken in turn.
    figsize : (float, float)
        In inches.
    axes : matplotlib.axes.Axes, optional
        Where to draw instead.

    Raises
    ------
    ValueError
        If there is no point, there are neither points for all curves nor for each, or a curve has other numbers of x
        and of y.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> from minitorch_cnn import d2l
    >>> x = mt.arange(0.0, 3.0, 0.1)
    >>> d2l.plot(x, [x**2, 2 * x], "x", "f(x)", legend=["f", "its derivative"])
    >>> len(d2l.plt.gca().lines)
    2
    >>> d2l.plt.close()
    """
    if Y is None:
        Y = _curves(X)
        X = [np.arange(len(y)) for y in Y]
    X, Y = _curves(X), _curves(Y)
    if len(X) not in (1, len(Y)):
        raise ValueError(f"plot expects one X for all curves or one for each, got {len(X)} for {len(Y)} curves")
    X = X * len(Y) if len(X) == 1 else X
    with figures.Look().on():
        if axes is None:
            pyplot().rcParams["figure.figsize"] = figsize
            axes = pyplot().gca()
            axes.figure.set_layout_engine("constrained")
        axes.cla()
        for i, (x, y) in enumerate(zip(X, Y)):
            if len(x) != len(y):
                raise ValueError(f"plot expects as many x as y, got {len(x)} and {len(y)} in curve {i}")
            axes.plot(x, y, fmts[i % len(fmts)])
        set_axes(axes, xlabel, ylabel, xlim, ylim, xscale, yscale, legend)


def _curves(values):
    """A list of arrays, one for each curve, of one curve or several."""
    if not hasattr(values, "__len__") or len(values) == 0:
        raise ValueError(f"plot expects one point or more, as numbers in a sequence, got {values!r}")
    curves = [values] if np.ndim(_array(values[0])) == 0 else values
    return [np.asarray([_number(v) for v in c] if isinstance(c, list | tuple) else _array(c)) for c in curves]


def _array(values):
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else values


def _number(value):
    return value.item() if isinstance(value, Tensor) else value


def show_images(
    imgs: Tensor | Sequence[Any], num_rows: int, num_cols: int, titles: Sequence[str] | None = None, scale: float = 1.5
) -> np.ndarray:
    """Show images in rows, with a title above each.

    Parameters
    ----------
    imgs : sequence
        Tensors or arrays of shape (H, W), or (H, W, 3) in colour; or PIL's images.
    num_rows, num_cols : int
        How many there are below and beside each other.
    titles : sequence of str, optional
    scale : float
        Inches that an image is wide and high.

    Returns
    -------
    numpy.ndarray
        The axes, one for each image.
    """
    plt, size = pyplot(), (num_cols * scale, num_rows * scale)
    with figures.Look().on():
        axes = plt.subplots(num_rows, num_cols, figsize=size, squeeze=False, layout="constrained")[1].ravel()
        for i, (place, image) in enumerate(zip(axes, imgs)):
            figures.show_image(place, _array(image), titles[i] if titles else None, vmin=None, vmax=None)
    return axes


class Animator:
    """Curves to which points are added. A notebook shows them anew after each point.

    Parameters
    ----------
    xlabel, ylabel : str, optional
        Names of the axes.
    legend : list of str, optional
        Names of the curves.
    xlim, ylim : (float, float), optional
        Limits of the axes; by default they follow the points.
    xscale, yscale : str, default "linear"
        ``"linear"`` or ``"log"``.
    fmts : tuple of str
        Matplotlib's format of each curve.
    nrows, ncols : int, default 1
        Subplots; the curves go to the first one.
    figsize : (float, float)
        Width and height in inches.

    Attributes
    ----------
    fig : matplotlib.figure.Figure
        ``animator.fig.savefig("curves.png")`` needs no screen.
    X, Y : list of list of float
        The points of each curve.

    Examples
    --------
    >>> animator = Animator(xlabel="epoch", legend=["train loss", "test acc"])
    >>> animator.add(1, (2.3, None))
    >>> animator.add(2, (0.9, 0.7))
    >>> [len(line.get_xdata()) for line in animator.axes[0].lines]
    [2, 1]
    """

    def __init__(
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        legend: Sequence[str] | None = None,
        xlim: Limits = None,
        ylim: Limits = None,
        xscale: str = "linear",
        yscale: str = "linear",
        fmts: Sequence[str] = STYLES,
        nrows: int = 1,
        ncols: int = 1,
        figsize: Sequence[float] = (3.5, 2.5),
    ) -> None:
        with figures.picture(width=figsize[0], height=figsize[1]) as self.fig:
            self.axes = self.fig.subplots(nrows, ncols, squeeze=False).ravel()
            set_axes(self.axes[0], xlabel, ylabel, xlim, ylim, xscale, yscale, None)
        self.legend, self.fmts = legend or [], fmts
        self.X, self.Y, self._picture = [], [], LivePicture()

    def add(self, x: float | Sequence[float], y: Tensor | float | Sequence[Tensor | float | None] | None) -> None:
        """Add a point to each curve.

        Parameters
        ----------
        x : float, or list or tuple of float
            Where; one for all curves, or one for each.
        y : float or None, or list or tuple of these
            How high; None leaves a curve as it is.
        """
        y = y if isinstance(y, list | tuple) else [y]
        x = x if isinstance(x, list | tuple) else [x] * len(y)
        axes = self.axes[0]
        while len(self.Y) < len(y):
            n = len(self.Y)
            with self.fig.look.on():
                axes.plot([], [], self.fmts[n % len(self.fmts)], label=self.legend[n] if n < len(self.legend) else None)
                if self.legend:
                    axes.legend(**LEGEND)
            self.X.append([])
            self.Y.append([])
        for i, (a, b) in enumerate(zip(x, y)):
            if a is not None and b is not None:
                self.X[i].append(float(a))
                self.Y[i].append(float(b))
                axes.lines[i].set_data(self.X[i], self.Y[i])
        axes.relim()
        axes.autoscale_view()
        self._picture.show(lambda: self.fig)
