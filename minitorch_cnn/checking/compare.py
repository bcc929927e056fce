"""The comparison for one tensor: element by element, or along random directions."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minitorch_cnn.backend import asarray
from minitorch_cnn.checking.diagnosis import SCALE, Tolerance, dependence, diagnose, resemblance
from minitorch_cnn.checking.line import Line, Outputs
from minitorch_cnn.checking.report import Row

DIRECTIONS = 3
MANY_KINKS = 5  # in one direction: then it is left at that


@dataclass
class Problem:
    """What the checks of all tensors have in common."""

    outputs: Outputs  #: of the function
    eps: float
    tolerance: Tolerance
    sweep: bool  #: whether to vary the step where all is well, too
    bar: Any = None  #: shows the progress

    def element(self, x, dx, index):
        """The line that moves one element."""
        return Line(self.outputs, x.array, index, 1.0, dx[index])

    def direction(self, x, dx, u):
        """The line that moves all elements."""
        with np.errstate(all="ignore"):
            slope = (dx * u).sum()
        return Line(self.outputs, x.array, ..., asarray(u, x.device), slope)

    def advance(self, elements):
        """Show that so many more elements are done."""
        if self.bar is not None:
            self.bar.update(elements)

    def quotient(self, line):
        """The central difference quotient."""
        return float(np.mean(line.slopes(self.eps)))

    def relative(self, analytic, numeric):
        """The error relative to the larger of both values; relative to atol where they are smaller."""
        with np.errstate(all="ignore"):
            size = np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), self.tolerance.atol or 1e-300)
            return np.abs(analytic - numeric) / size


def each_element(problem, name, x, dx):
    """Move each element of a tensor by itself."""
    below, above = np.zeros(x.shape), np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        below[index], above[index] = problem.element(x, dx, index).slopes(problem.eps)
        problem.advance(1)
    with np.errstate(all="ignore"):
        numeric = (below + above) / 2
    excess = problem.tolerance.excess(dx, numeric)
    row = _row(problem, name, x, "elements", excess, dx, numeric)
    if not excess.size:
        row.verdict = "empty"
        return row
    mistaken = (excess > 1) & ~problem.tolerance.fits_a_kink(dx, below, above)  # a kink shall not hide a mistake
    worst = np.unravel_index(np.argmax(np.where(mistaken, excess, -1) if mistaken.any() else excess), x.shape)
    index = tuple(int(i) for i in worst)
    row.failed = int(mistaken.sum()) or row.failed
    row.index, row.analytic, row.numeric = index, float(dx[index]), float(numeric[index])
    row = _judged(problem, row, problem.element(x, dx, index))
    if row.verdict == "wrong":
        row.explanation = f"{row.explanation} {resemblance(dx, numeric)}".strip()
    return _noted(problem, row, dx, numeric)


def some_directions(problem, name, x, dx):
    """Move all elements of a tensor at once, each to a random side: a few derivatives in place of one per element."""
    rng = np.random.default_rng(0x5EED)
    signs = [rng.choice([-1.0, 1.0], x.shape) for _ in range(DIRECTIONS)]
    lines = [problem.direction(x, dx, u) for u in signs]
    analytic, numeric = np.array([line.slope for line in lines]), np.array([problem.quotient(line) for line in lines])
    problem.advance(dx.size)
    excess = problem.tolerance.excess(analytic, numeric)
    row = _row(problem, name, x, "directions", excess, analytic, numeric)
    worst = int(np.argmax(excess))
    row.analytic, row.numeric = float(analytic[worst]), float(numeric[worst])
    if row.failed:
        return _located(problem, row, x, dx, signs[worst])
    return _noted(problem, _judged(problem, row, lines[worst]), analytic, numeric)


def _noted(problem, row, analytic, numeric):
    """The row with a note, if all values are too small to be compared."""
    if row.verdict == "ok" and 0 < max(np.abs(analytic).max(), np.abs(numeric).max()) <= problem.tolerance.atol:
        row.explanation = f"But no value exceeds atol={problem.tolerance.atol:g}: pass a smaller one to compare them."
    return row


def need_linear(problem, row, dx, scaled):
    """The row of a gradient that agrees; unless SCALE times the gradient of the result does not scale it likewise."""
    if row.verdict not in ("ok", "kink"):
        return row
    excess = problem.tolerance.excess(scaled, SCALE * dx)
    if not (excess > 1).any():
        return row
    row = _row(problem, row.name, dx, "elements", excess, scaled, SCALE * dx)
    row.index = tuple(int(i) for i in np.unravel_index(np.argmax(excess), dx.shape))
    row.analytic, row.numeric = float(scaled[row.index]), float(SCALE * dx[row.index])
    row.verdict, row.explanation = "not linear", dependence(dx, scaled)
    return row


def _row(problem, name, x, unit, excess, analytic, numeric):
    with np.errstate(all="ignore"):
        errors = np.abs(analytic - numeric), problem.relative(analytic, numeric)
    largest = [float(np.where(np.isnan(e), np.inf, e).max(initial=0)) for e in errors]
    return Row(name, x.shape, unit, excess.size, int((excess > 1).sum()), *largest, None, 0.0, 0.0)


def _judged(problem, row, line):
    """The row with its verdict, from what the step size does to the error along a line."""
    if row.failed or problem.sweep:
        row.sweep = line.sweep()
    if row.failed:
        row.verdict, row.explanation = diagnose(row.sweep, problem.eps, problem.tolerance)
    return row


def _located(problem, row, x, dx, u):
    """The row of a direction that disagrees, with an element that is to blame; elements at kinks are set aside."""
    found = None
    for _ in range(MANY_KINKS):
        line = problem.direction(x, dx, u)
        if problem.tolerance.excess(line.slope, problem.quotient(line)) <= 1:
            return found  # but for the kinks, all is well
        index = _element_to_blame(problem, x, dx, u)
        line = problem.element(x, dx, index)
        numeric = problem.quotient(line)
        if problem.tolerance.excess(line.slope, numeric) <= 1:  # the error is spread over many
            return found or _judged(problem, row, problem.direction(x, dx, u))
        found = _judged(problem, replace(row, index=index, analytic=line.slope, numeric=numeric), line)
        if found.verdict != "kink":
            return found
        u = u.copy()
        u[index] = 0.0
    return found


def _element_to_blame(problem, x, dx, u):
    """Halve the elements again and again, and go on with the half whose error is larger."""
    blamed = np.flatnonzero(u)
    while len(blamed) > 1:
        halves = np.array_split(blamed, 2)
        errors = []
        for half in halves:
            part = np.zeros(u.size)
            part[half] = u.reshape(-1)[half]
            line = problem.direction(x, dx, part.reshape(u.shape))
            errors.append(abs(line.slope - problem.quotient(line)))
        blamed = halves[0] if not errors[1] > errors[0] else halves[1]
    return tuple(int(i) for i in np.unravel_index(blamed[0], u.shape))
