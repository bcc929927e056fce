"""A function along a line through the point where its gradient is checked."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_cnn.checking.errors import ShapeChanged

STEPS = 10.0 ** -np.arange(1, 12)  # of a sweep: 1e-1, 1e-2, ..., 1e-11


@dataclass
class Outputs:
    """All outputs of a function as one vector, and how they are summed.

    Differences are taken of each output before the sum: a large one, even if it is constant, does not drown the others.
    """

    values: Any  #: returns the vector of what the function gives at present
    center: np.ndarray  #: that vector where nothing is moved
    weights: np.ndarray
    resolution: np.ndarray  #: of each output's type: the relative distance between neighbouring numbers

    def difference(self, above, below):
        """The sum of the differences; NaN where infinities meet."""
        with np.errstate(all="ignore"):
            return float(((above - below) * self.weights).sum())

    def rounding(self, moved):
        """How coarse the sum is, of the outputs that a move has changed; of all, if it is lost in each."""
        with np.errstate(all="ignore"):
            coarse = np.abs(self.center * self.weights) * self.resolution
        changed = moved != self.center
        return float(coarse[changed].sum() if changed.any() else coarse.sum())


class Line:
    """The function t → f(x + t u): of one element of a tensor (u is 1 there), or of a direction through all of them.

    Parameters
    ----------
    outputs : Outputs
        f.
    array : numpy.ndarray or cupy.ndarray
        The values, x. They are moved in place, and put back.
    where : tuple of int or Ellipsis
        The element, or all.
    direction : float or array
        u.
    slope : float
        What `backward` says of the derivative at t = 0.
    """

    def __init__(self, outputs, array, where, direction, slope):
        self.outputs, self.array, self.where, self.direction = outputs, array, where, direction
        self.slope = float(slope)

    def at(self, t):
        """f(x + t u), all its outputs."""
        before = self.array[self.where].copy()
        self.array[self.where] = before + t * self.direction
        try:
            return self.outputs.values()
        finally:
            self.array[self.where] = before

    def slopes(self, eps):
        """The difference quotients to either side: ``(f(0) - f(-eps)) / eps`` and ``(f(eps) - f(0)) / eps``."""
        below, center, above = self.at(-eps), self.outputs.center, self.at(eps)
        return self.outputs.difference(center, below) / eps, self.outputs.difference(above, center) / eps

    def sweep(self):
        """The quotients for every step from 1e-1 to 1e-11."""
        return Sweep(self.slope, np.array([self._slopes_if_any(eps) for eps in STEPS]), self.rounding())

    def _slopes_if_any(self, eps):
        """The quotients; no numbers where so large a step changes the shape of the result."""
        try:
            return self.slopes(eps)
        except ShapeChanged:
            return np.nan, np.nan

    def rounding(self):
        """By how much the difference of two values is off, as outputs and inputs have so many digits only."""
        largest = float(abs(self.array[self.where]).max())
        try:
            moved = self.at(STEPS[0])
        except ShapeChanged:
            moved = self.outputs.center  # no output is known to be changed: take all
        return self.outputs.rounding(moved) + abs(self.slope) * largest * np.finfo(float).eps


class Sweep:
    """Difference quotients for steps from 1e-1 to 1e-11, and how far they are from what `backward` says.

    Attributes
    ----------
    steps : numpy.ndarray
    below, above : numpy.ndarray
        The quotients to either side.
    central : numpy.ndarray
        Their mean, ``(f(x + eps) - f(x - eps)) / (2 eps)``.
    error : numpy.ndarray
        The distance of `central` from `slope`.
    slope : float
        What `backward` says.
    rounding : float
        How coarse the function's values are: an error below ``rounding / steps`` says nothing.
    """

    steps = STEPS

    def __init__(self, slope, slopes, rounding):
        self.slope, self.rounding = slope, rounding
        self.below, self.above = slopes.T
        with np.errstate(invalid="ignore"):
            self.central = slopes.mean(1)
            self.error = np.abs(self.central - slope)

    @property
    def best(self):
        """The step with the least error."""
        return int(np.argmin(np.where(np.isnan(self.error), np.inf, self.error)))
