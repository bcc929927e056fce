"""A function along a line through the point where its gradient is checked."""

from contextlib import contextmanager

import numpy as np

STEPS = 10.0 ** -np.arange(1, 12)  # of a sweep: 1e-1, 1e-2, ..., 1e-11


class Line:
    """The function t → f(x + t u): of one element of a tensor (u is 1 there), or of a direction through all of them.

    Parameters
    ----------
    value : callable
        Returns f at the present values of the tensor, as a float.
    array : numpy.ndarray or cupy.ndarray
        The values, x. They are moved in place, and put back.
    where : tuple of int or Ellipsis
        The element, or all.
    direction : float or array
        u.
    center : float
        f(x).
    slope : float
        What `backward` says of the derivative at t = 0.
    """

    def __init__(self, value, array, where, direction, center, slope):
        self.value, self.array, self.where, self.direction = value, array, where, direction
        self.center, self.slope = center, float(slope)

    def at(self, t):
        """f(x + t u)."""
        before = self.array[self.where].copy()
        self.array[self.where] = before + t * self.direction
        try:
            return self.value()
        finally:
            self.array[self.where] = before

    def slopes(self, eps):
        """The difference quotients to either side: ``(f(0) - f(-eps)) / eps`` and ``(f(eps) - f(0)) / eps``."""
        return one_sided(self.at(-eps), self.center, self.at(eps), eps)

    def sweep(self):
        """The quotients for every step from 1e-1 to 1e-11."""
        return Sweep(self.slope, np.array([self.slopes(eps) for eps in STEPS]))


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
    """

    steps = STEPS

    def __init__(self, slope, slopes):
        self.slope = slope
        self.below, self.above = slopes.T
        with np.errstate(invalid="ignore"):
            self.central = slopes.mean(1)
            self.error = np.abs(self.central - slope)

    @property
    def best(self):
        """The step with the least error."""
        return int(np.argmin(np.where(np.isnan(self.error), np.inf, self.error)))


def one_sided(below, center, above, eps):
    """Both one-sided quotients of a function's values, NaN where infinities meet."""
    with np.errstate(all="ignore"):
        return (np.float64(center) - below) / eps, (np.float64(above) - center) / eps


@contextmanager
def unchanged(tensors):
    """Put the values of some tensors back at the end of a ``with`` block."""
    before = [(x.array, x.array.copy()) for x in tensors]
    try:
        yield
    finally:
        for array, values in before:
            array[...] = values
