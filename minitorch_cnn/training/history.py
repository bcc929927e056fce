"""What a training run measured: a table, and its three curves."""

from __future__ import annotations

import csv
import io
import math
import time
from typing import TYPE_CHECKING, NamedTuple

from minitorch_cnn.inspection import figures
from minitorch_cnn.inspection.notebooks import LivePicture
from minitorch_cnn.inspection.tables import table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Epoch", "History", "LiveCurves"]

CURVES = {"train loss": "o-", "train acc": "s--", "test acc": "^-."}


class Epoch(NamedTuple):
    """What one epoch measured."""

    epoch: int  #: counted from 1
    loss: float  #: mean over the epoch's examples, while the weights were changing
    train_acc: float  #: share of right answers, over the same examples; nan if there are no classes
    test_acc: float  #: share of right answers on the test data, after the epoch; nan likewise
    examples_per_sec: float  #: of the training steps alone, without loading data and without evaluation
    seconds: float  #: wall clock of the epoch: loading, training and evaluation

    def __str__(self) -> str:
        accuracies = {"train acc": self.train_acc, "test acc": self.test_acc}
        counted = (f", {name} {value:.3f}" for name, value in accuracies.items() if not math.isnan(value))
        return f"loss {self.loss:.3f}" + "".join(counted)


class History(list[Epoch]):
    """The epochs of a run, in order: a list of `Epoch` that knows how to be a table and a picture.

    Examples
    --------
    >>> history = History([Epoch(1, 2.303, 0.102, 0.1, 9000.0, 7.5), Epoch(2, 1.2, 0.52, 0.6, 9000.0, 7.5)])
    >>> print(history[-1])
    loss 1.200, train acc 0.520, test acc 0.600
    >>> History.from_csv(history.to_csv()) == history
    True
    """

    @property
    def best(self) -> Epoch | None:
        """The epoch of the highest test accuracy, or of the lowest loss where there are no accuracies; None of none.

        Of equal ones, it is the first.
        """
        return max(self, key=lambda row: -row.loss if math.isnan(row.test_acc) else row.test_acc, default=None)

    @property
    def examples_per_sec(self) -> float:
        """Speed over all epochs, of equal length: examples divided by the seconds spent in training steps."""
        return len(self) / sum(1 / row.examples_per_sec for row in self)

    @property
    def seconds(self) -> float:
        """Wall clock of all epochs together."""
        return sum(row.seconds for row in self)

    def to_csv(self) -> str:
        """Return the table as CSV text: the names of the columns, then one line for each epoch."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([Epoch._fields, *self])
        return text.getvalue()

    @classmethod
    def from_csv(cls, text: str) -> History:
        """Read the table that `to_csv` wrote.

        Raises
        ------
        ValueError
            If the columns are other ones, or a field is no number.
        """
        header, *rows = csv.reader(io.StringIO(text))
        if tuple(header) != Epoch._fields:
            raise ValueError(f"a history has the columns {','.join(Epoch._fields)}; got {','.join(header)}")
        return cls(Epoch(int(row[0]), *map(float, row[1:])) for row in rows)

    def figure(self, *, dark: bool = False) -> Figure:
        """Draw train loss, train accuracy and test accuracy over the epochs, as in the chapter.

        Parameters
        ----------
        dark : bool, default False
            For a page with a dark ground.

        Returns
        -------
        matplotlib.figure.Figure
            Made without ``pyplot``: it needs no screen and changes no global state.
        """
        epochs = [row.epoch for row in self]
        points = {name: (epochs, values) for name, values in zip(CURVES, zip(*(row[1:4] for row in self)))}
        title = f"epoch {self[-1].epoch}: {self[-1]}" if self else None
        return _figure_of(points, title, (epochs[0] - 0.5, epochs[-1] + 0.5) if self else None, dark)

    def to_png(self) -> bytes:
        """Return `figure` as the bytes of a PNG picture."""
        return figures.to_png(self.figure())

    def _repr_png_(self):
        return self.to_png()

    def __repr__(self) -> str:
        header = [name.replace("_", " ").replace("per sec", "/ s") for name in Epoch._fields]
        cells = [
            [f"{row.epoch}", *(f"{value:.3f}" for value in row[1:4]), f"{row[4]:,.0f}", f"{row[5]:.1f}"] for row in self
        ]
        return table(header, cells, ">" * len(header))


class LiveCurves:
    """Curves that grow while a network is trained: ``train(..., on_report=LiveCurves())``.

    A notebook shows them below the cell, and anew about once a second. Elsewhere they are only gathered.

    Parameters
    ----------
    epochs : int, optional
        How far the axis of the epochs goes; by default it follows the curves.

    Examples
    --------
    >>> curves = LiveCurves()
    >>> curves(0.5, 2.3, 0.1, None)
    >>> curves(1.0, 1.2, 0.5, None)
    >>> curves(1.0, None, None, 0.6)
    >>> [line.get_ydata().tolist() for line in curves.figure().axes[0].lines]
    [[2.3, 1.2], [0.1, 0.5], [0.6]]
    """

    def __init__(self, epochs: int | None = None) -> None:
        self.epochs = epochs
        self.points = {name: ([], []) for name in CURVES}
        self._picture, self._drawn_at = LivePicture(), -math.inf

    def __call__(self, epoch: float, *values: float | None) -> None:
        """Add what a report says: the epochs so far, and train loss, train accuracy and test accuracy or None."""
        for (xs, ys), value in zip(self.points.values(), values, strict=True):
            if value is not None:
                xs.append(epoch)
                ys.append(value)
        if values[-1] is not None or time.monotonic() - self._drawn_at > 1:
            self._picture.show(self.figure)
            self._drawn_at = time.monotonic()

    def figure(self) -> Figure:
        """Return the curves as a matplotlib figure."""
        return _figure_of(self.points, None, self.epochs and (0, self.epochs))


def _figure_of(points, title, limits, dark=False):
    """The figure of some curves, ``{name: (epochs, values)}``."""
    with figures.picture(width=7, height=4.5, dark=dark) as figure:
        from matplotlib.ticker import MaxNLocator

        axes = figure.add_subplot(xlabel="epoch", ylabel="loss, accuracy")
        for name, (epochs, values) in points.items():
            if not all(map(math.isnan, values)):  # no accuracies without classes
                axes.plot(epochs, values, CURVES[name], label=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if limits:
            axes.set_xlim(limits)
        if title:
            axes.set_title(title)
        if axes.lines:
            axes.legend()
        axes.set_ylim(bottom=0)
        axes.grid()
    return figure
