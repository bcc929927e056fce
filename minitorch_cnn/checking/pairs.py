"""Checking a forward and a backward that are plain functions of arrays: NumPy's, CuPy's, or what NumPy can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import asarray, to_numpy
from minitorch_cnn.checking.check import report_on
from minitorch_cnn.checking.errors import GradcheckError
from minitorch_cnn.checking.report import GradcheckReport

__all__ = ["check_pair"]


def check_pair(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    *arrays: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
    sweep: bool = True,
    progress: bool = False,
) -> GradcheckReport:
    """Compare what a function `backward` gives with difference quotients of a function `forward`.

    Neither needs a tensor of this library: both take and return arrays, or what NumPy makes arrays of. Further
    parameters are those of `gradcheck_report`.

    Parameters
    ----------
    forward : callable
        ``forward(*arrays)`` returns an array, a number, or a tuple of them.
    backward : callable
        ``backward(dy, *arrays)``, where `dy` has the form of what `forward` returns, gives the gradient with respect to
        each array, in a tuple if there is more than one; None for what has none. Arrays of integers, such as labels,
        may be left out.
    *arrays : array_like
        What to call them with; floating-point numbers are checked, and must be float64. They are left as they are.

    Returns
    -------
    GradcheckReport
        ``report.ok`` says whether all is well; print it for the rest.

    Raises
    ------
    GradcheckError
        If the pair cannot be checked: it draws random numbers, changes its inputs or `dy` in place, or its shapes vary.
    TypeError
        If inputs are not float64, or if something else than arrays comes back.

    See Also
    --------
    assert_gradients : the same as an assertion, for tests

    Examples
    --------
    >>> import numpy as np
    >>> from minitorch_cnn.checking import check_pair
    >>> report = check_pair(np.sin, lambda dy, x: dy * np.cos(x), np.array([0.5, 2.0]))
    >>> report.ok, [(row.name, row.verdict) for row in report.rows]
    (True, [('input 0', 'ok')])
    """
    tensors = {f"input {i}": _input(i, x) for i, x in enumerate(arrays)}
    wanted = {name: x for name, x in tensors.items() if x.requires_grad}
    if not wanted:
        raise ValueError(
            "check_pair expected at least one array of float64 to check, got "
            f"{', '.join(str(x.dtype) for x in tensors.values()) or 'none'}; array.astype(float) makes one"
        )

    def outputs():
        return _outputs(forward(*_values(tensors)))

    def gradients(ys, weights):
        dys = [asarray(np.array(w), y.device, y.dtype) for w, y in zip(weights, ys, strict=True)]
        given = [dy.copy() for dy in dys]
        dxs = backward(tuple(given) if len(given) > 1 else given[0], *_values(tensors))
        if not all(np.array_equal(to_numpy(a), to_numpy(b)) for a, b in zip(dys, given)):
            raise GradcheckError("backward changes dy in place, which others may read too. Let it work on a copy")
        return _given_gradients(dxs, tensors, wanted)

    settings = {"eps": eps, "atol": atol, "rtol": rtol, "nondet_tol": nondet_tol, "fast_mode": fast_mode}
    return report_on(outputs, gradients, None, wanted, tensors, sweep=sweep, progress=progress, **settings)


def _input(i, x):
    """An input as a tensor, which requires grad if it is to be checked."""
    if isinstance(x, Tensor):
        raise TypeError(f"check_pair takes arrays, got a Tensor as input {i}; gradcheck takes functions of tensors")
    array = _as_array(x, f"input {i}")
    if array.dtype.kind == "f" and array.dtype != np.float64:
        raise TypeError(
            f"check_pair needs float64, but input {i} is {array.dtype}: a difference quotient in {array.dtype} is "
            "mostly rounding error. Convert it by .astype(float)"
        )
    return Tensor(array, requires_grad=array.dtype.kind == "f")


def _outputs(ys):
    """What `forward` returns, as tensors."""
    ys = [Tensor(_as_array(y, "what forward returns")) for y in (ys if isinstance(ys, tuple) else (ys,))]
    if not ys or not all(y.is_floating_point() for y in ys):
        types = ", ".join(str(y.dtype) for y in ys) or "nothing"
        raise ValueError(f"check_pair needs a forward that returns floating-point numbers, got {types}")
    return ys


def _given_gradients(dxs, tensors, wanted):
    """What `backward` returns, as one NumPy array for each input that is checked."""
    single = len(tensors) == 1 and not isinstance(dxs, tuple)
    dxs = (dxs,) if single or not isinstance(dxs, (tuple, list)) else tuple(dxs)
    names = list(tensors if len(dxs) == len(tensors) else wanted)
    if len(dxs) != len(names):
        raise TypeError(
            f"backward must return one gradient for each of {len(names)} inputs, in a tuple, None where there is none; "
            f"got {len(dxs)}"
        )
    found = []
    for name, dx in zip(names, dxs, strict=True):
        if name in wanted:
            x = wanted[name]
            dx = np.zeros(x.shape) if dx is None else to_numpy(_as_array(dx, f"the gradient with respect to {name}"))
            if dx.shape != x.shape or dx.dtype != np.float64:
                raise GradcheckError(
                    f"backward gives a gradient of shape {dx.shape} and type {dx.dtype} for {name}, of shape {x.shape} "
                    "and type float64"
                )
            found.append(np.array(dx))
    return found


def _values(tensors):
    return [x.array for x in tensors.values()]


def _as_array(x, what):
    """An array of numbers, NumPy's or CuPy's."""
    try:
        array = x if hasattr(x, "get") and hasattr(x, "strides") else np.asarray(x)
    except ValueError:  # lists of unequal length
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"check_pair needs arrays of real numbers, but {what} is of type {type(x).__name__}: pick the arrays, as "
            "in lambda *xs: forward(*xs)[0]"
        )
    return array
