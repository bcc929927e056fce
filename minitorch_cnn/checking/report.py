"""What a gradient check found: in words, as a table and as a picture.

What draws is imported when it is first needed, for `import minitorch_cnn` brings the checks.
"""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minitorch_cnn.checking.diagnosis import SCALE, VERDICTS
from minitorch_cnn.checking.line import Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["GradcheckReport"]

HEADER = [
    "tensor", "shape", "checked", "abs error", "rel error", "worst at", "backward", "quotient", "least at eps",
    "verdict",
]  # fmt: skip
ALIGN = "<<>>><>><<"
NARROW = [0, 2, 3, 4, 5, 6, 7, 9]  # what of it fits a terminal


@dataclass
class Row:
    """What was found for one tensor, or for an operation that is wrong by itself."""

    name: str  #: "input 0", or "parameter " and its path, or "operation " and its class
    shape: tuple  #: of an operation: that of its output
    unit: str  #: what was compared: "elements", or "directions"
    checked: int  #: how many of them
    failed: int  #: how many disagree
    abs_error: float  #: the largest ``|analytic - numeric|``
    rel_error: float  #: the largest, relative to the larger of both values, or to atol where they are smaller
    index: tuple | None  #: where the error is worst for the tolerance; None if only a direction is known
    analytic: float  #: what `backward` says there
    numeric: float  #: what the difference quotient says there
    verdict: str = "ok"  #: "ok", or "empty" where there is no element, or one of `diagnosis.VERDICTS`
    explanation: str = ""
    sweep: Sweep | None = None  #: the quotients there for every step size

    @property
    def place(self) -> str:
        """Where the worst error is."""
        return "along a random direction" if self.index is None else f"at index {self.index}"

    @property
    def is_mistake(self) -> bool:
        """Whether something is wrong here: more than a kink."""
        return self.verdict not in ("ok", "empty", "kink")

    @property
    def is_operation(self) -> bool:
        """Whether this is about an operation, called by itself."""
        return self.name.startswith("operation ")

    def __str__(self) -> str:
        if self.is_operation:
            return f"the {self.name}, called by itself for a result of shape {self.shape}, {self.explanation}"
        what = f"the gradient with respect to {self.name}, of shape {self.shape},"
        if self.verdict == "ok":
            return f"{what} is right. {self.explanation}".strip()
        if self.verdict == "empty":
            return f"{what} has no elements: nothing was checked."
        inside = "in" if self.unit == "elements" else "along"
        values = f"backward gives {self.analytic:.9g}, the difference quotient {self.numeric:.9g}."
        if self.verdict == "not linear":
            values = (
                f"where the gradient of the result is {SCALE} times as large, backward gives {self.analytic:.9g}, "
                f"not {self.numeric:.9g}."
            )
        return (
            f"{what} {VERDICTS[self.verdict]} {inside} "
            f"{self.failed} of {self.checked} {self.unit}. The worst is {self.place}: {values} {self.explanation}"
        )

    def cells(self, digits: int) -> list[str]:
        """The row of the table, its values with so many digits."""
        least = ""
        if self.sweep is not None:
            least = f"{self.sweep.error[self.sweep.best]:.0e} at {self.sweep.steps[self.sweep.best]:.0e}"
        return [
            self.name.removeprefix("parameter "), str(self.shape), f"{self.checked} {self.unit}",
            f"{self.abs_error:.1e}", f"{self.rel_error:.1e}",
            "-" if self.index is None else ",".join(map(str, self.index)),
            f"{self.analytic:.{digits}g}", f"{self.numeric:.{digits}g}", least, self.verdict,
        ]  # fmt: skip


@dataclass(repr=False)
class GradcheckReport:
    """What a gradient check found, tensor by tensor. Its text is a table, with an explanation of each disagreement."""

    rows: list[Row]
    eps: float
    atol: float
    rtol: float

    @property
    def ok(self) -> bool:
        """Whether every gradient agrees with its difference quotient."""
        return all(row.verdict in ("ok", "empty") for row in self.rows)

    @property
    def has_mistakes(self) -> bool:
        """Whether a gradient disagrees for any other reason than a kink."""
        return any(row.is_mistake for row in self.rows)

    def passes(self, allow_kinks: bool = False) -> bool:
        """Whether the gradients agree: everywhere, or everywhere but at kinks."""
        return not self.has_mistakes if allow_kinks else self.ok

    def message(self) -> str:
        """A sentence or two for each gradient that disagrees, mistakes first."""
        found = [row for row in self.rows if row.verdict not in ("ok", "empty")]
        found.sort(key=lambda row: list(VERDICTS).index(row.verdict))
        return "\n".join(map(str, found))

    def table(self) -> str:
        """A line of text for each tensor; a notebook shows more columns."""
        from minitorch_cnn.inspection.tables import table

        header, align = [HEADER[i] for i in NARROW], "".join(ALIGN[i] for i in NARROW)
        cells = [row.cells(digits=3) for row in self.rows]
        return f"{self._settings()}\n{table(header, [[row[i] for i in NARROW] for row in cells], align)}"

    def __str__(self) -> str:
        return "\n\n".join([self.table(), *self._notes()])

    __repr__ = __str__

    def _repr_html_(self):
        from minitorch_cnn.inspection.tables import html_table

        picture = base64.b64encode(self.to_png()).decode() if any(row.sweep is not None for row in self.rows) else ""
        return "".join([
            f"<p>{html.escape(self._settings())}</p>",
            html_table(HEADER, [row.cells(digits=6) for row in self.rows], ALIGN),
            *(f"<p>{html.escape(note)}</p>" for note in self._notes()),
            f"<img src='data:image/png;base64,{picture}' alt='the error against the step size'>" if picture else "",
        ])  # fmt: skip

    def _settings(self):
        return f"eps {self.eps:g}, allowed error {self.atol:g} + {self.rtol:g} |quotient|"

    def _notes(self):
        """What there is to say of some rows, and then of all."""
        return [*(str(row) for row in self.rows if row.verdict != "ok" or row.explanation), self._summary()]

    def _summary(self):
        checked = [row for row in self.rows if not row.is_operation and row.verdict != "empty"]
        agree = sum(row.verdict == "ok" for row in checked)
        text = f"{agree} of {len(checked)} gradients agree with their difference quotients."
        mistaken = [row.name.removeprefix("operation ") for row in self.rows if row.is_operation]
        if mistaken:
            text += f" Wrong by itself: {', '.join(mistaken)}."
        if self.ok and all(row.sweep is not None for row in checked):
            text += (
                " The small differences left come from rounding and from the size of the step: no mistake was found."
            )
        return text

    def figure(self) -> Figure:
        """Draw the error at the worst place of every tensor against the step size.

        A right gradient's error falls like eps² and rises like 1 / eps; a wrong one's stays.

        Returns
        -------
        matplotlib.figure.Figure
            Made without ``pyplot``: it needs no screen and changes no global state.
        """
        from minitorch_cnn.inspection import figures

        with figures.picture(width=9, height=5) as figure:
            axes = figure.add_subplot(xlabel="step size eps", ylabel="|backward - difference quotient|")
            axes.set(xscale="log", yscale="log", title="error of the gradient against the step size")
            for i, row in enumerate(row for row in self.rows if row.sweep is not None):
                name = row.name.removeprefix("parameter ")
                axes.plot(
                    row.sweep.steps, row.sweep.error.clip(1e-17), f"C{i % 6}{'os^vD'[i % 5]}",
                    linestyle=("-", "--", ":")[i // 6 % 3], linewidth=1.2 if row.verdict == "ok" else 3,
                    markersize=4, label=f"{name}: {row.verdict}",
                )  # fmt: skip
            axes.axvline(self.eps, color=figure.look.quiet, linewidth=1)
            axes.annotate(" this check's eps", (self.eps, 0.01), xycoords=("data", "axes fraction"))
            axes.axhline(self.atol, color=figure.look.quiet, linewidth=1)
            axes.annotate("atol ", (1, self.atol), xycoords=("axes fraction", "data"), ha="right", va="bottom")
            axes.grid()
            figure.legend(loc="outside right upper", fontsize="small")
        return figure

    def to_png(self) -> bytes:
        """Return `figure` as the bytes of a PNG picture."""
        from minitorch_cnn.inspection import figures

        return figures.to_png(self.figure())
