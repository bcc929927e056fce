"""Compare gradients with difference quotients, for every tensor that requires grad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.autograd.walk import grad
from minitorch_cnn.backend import to_numpy
from minitorch_cnn.backend.annotations import Tensors
from minitorch_cnn.checking import subject
from minitorch_cnn.checking.compare import Problem, each_element, need_linear, some_directions
from minitorch_cnn.checking.diagnosis import SCALE, Tolerance
from minitorch_cnn.checking.errors import GradcheckError, ShapeChanged
from minitorch_cnn.checking.line import Outputs
from minitorch_cnn.checking.operations import mistaken, noted
from minitorch_cnn.checking.report import GradcheckReport
from minitorch_cnn.nn.state import unchanged

__all__ = ["gradcheck", "gradcheck_report", "gradgradcheck", "gradgradcheck_report"]

LARGE = 100  # in fast mode, tensors of more elements are checked along random directions


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
    allow_kinks: bool = False,
) -> bool:
    """Compare the gradients of a function with central differences, for every input that requires grad.

    Each element x of an input is moved by `eps` to both sides; ``(f(x + eps) - f(x - eps)) / (2 eps)`` is what the
    gradient should be. If `func` returns more than one number, what is checked is their sum with random weights. Where
    the two disagree, the step size is varied, to tell a wrong formula from rounding and from a kink. Where they agree,
    -1000 times the gradient of the result must give -1000 times the gradients, and each operation that `func` calls is
    checked by itself with a random gradient: behind a sum, one that forgets or averages it would not be seen.

    Parameters
    ----------
    func : callable or Module
        Takes the inputs and returns a tensor or several. The parameters of a module are checked as well.
    inputs : Tensor or sequence
        What to call it with; tensors that require grad must be float64.
    eps : float
        How far to move, in units of x. The error of the quotient is of order eps² from the formula and
        1e-16 / eps from rounding.
    atol, rtol : float
        The gradients agree where ``|analytic - numeric| <= atol + rtol * |numeric|``.
    raise_exception : bool
        Whether to raise where they do not, or to return False.
    nondet_tol : float
        By how much two calls with the same inputs may differ, in outputs and gradients.
    fast_mode : bool
        Whether to compare, for a tensor of more than 100 elements, derivatives along three random directions in
        place of one per element. A mistake in a single element is seen in tensors of up to some 100,000.
    allow_kinks : bool
        Whether to tolerate a disagreement at a kink, such as relu at 0 or two equal entries of a max.

    Returns
    -------
    bool
        True if all gradients agree.

    Raises
    ------
    GradcheckError
        Naming each tensor, the worst index with both values, and the reason. Also if `func` draws random numbers,
        changes its inputs in place, or returns another shape when they are moved.
    TypeError
        If an input that requires grad is not float64: in float32 the quotient is mostly rounding error. If `func`
        returns anything but a tensor, or a tuple or list of them: it would not be checked.
    ValueError
        If no input requires grad, elements of one share their memory, no output is of a floating-point type, there
        are no elements to check, as in an empty batch, or `eps` is not positive.

    See Also
    --------
    gradcheck_report : the same, as a table

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([0.5, -1.0], dtype=mt.float64, requires_grad=True)
    >>> gradcheck(mt.sigmoid, x)
    True
    >>> y = mt.tensor([0.5, 0.0], dtype=mt.float64, requires_grad=True)
    >>> gradcheck(mt.relu, y, raise_exception=False), gradcheck(mt.relu, y, allow_kinks=True)
    (False, True)
    """
    settings = {"eps": eps, "atol": atol, "rtol": rtol, "nondet_tol": nondet_tol, "fast_mode": fast_mode}
    return _verdict(lambda: gradcheck_report(func, inputs, sweep=False, **settings), raise_exception, allow_kinks)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensors | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
    allow_kinks: bool = False,
) -> bool:
    """`gradcheck` of the gradients of a function: its second derivatives.

    Parameters and errors are those of `gradcheck`, and:

    Parameters
    ----------
    grad_outputs : Tensor or sequence of Tensor, optional
        The gradients with respect to the outputs that the walk back begins with; random ones by default.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([0.5, -1.0], dtype=mt.float64, requires_grad=True)
    >>> gradgradcheck(mt.sigmoid, x)
    True
    """
    settings = {"eps": eps, "atol": atol, "rtol": rtol, "nondet_tol": nondet_tol, "fast_mode": fast_mode}
    return _verdict(
        lambda: gradgradcheck_report(func, inputs, grad_outputs, sweep=False, **settings), raise_exception, allow_kinks
    )


def gradcheck_report(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
    sweep: bool = True,
    progress: bool = False,
) -> GradcheckReport:
    """`gradcheck`, tensor by tensor: a table that does not stop at the first mistake.

    Parameters are those of `gradcheck`, and:

    Parameters
    ----------
    sweep : bool
        Whether to vary the step size for every tensor, not only for those that disagree.
    progress : bool
        Whether to show, in a terminal or a notebook, how much is done and the time left.

    Returns
    -------
    GradcheckReport
        Print it; ``report.rows`` holds the numbers, ``report.figure()`` draws the error against the step size.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([0.5, -1.0], dtype=mt.float64, requires_grad=True)
    >>> report = gradcheck_report(mt.sigmoid, x)
    >>> report.ok, [(row.name, row.verdict) for row in report.rows]
    (True, [('input 0', 'ok')])
    """
    inputs = subject.as_tuple(inputs)
    tensors = subject.tensors_of(func, inputs)
    settings = {"eps": eps, "atol": atol, "rtol": rtol, "nondet_tol": nondet_tol, "fast_mode": fast_mode}
    wanted = subject.checked(tensors)
    return report_on(
        lambda: subject.outputs_of(func, inputs), lambda ys, weights: _analytic(ys, wanted, weights), func, wanted,
        tensors, sweep=sweep, progress=progress, **settings,
    )  # fmt: skip


def gradgradcheck_report(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensors | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
    sweep: bool = True,
) -> GradcheckReport:
    """`gradgradcheck`, tensor by tensor: the gradients of the gradients; see `gradcheck_report`."""
    inputs = subject.as_tuple(inputs)
    tensors = subject.tensors_of(func, inputs)
    wanted = subject.checked(tensors)
    with unchanged(func), subject.Copies(tensors):
        outputs = [y for y in subject.outputs_of(func, inputs) if y.requires_grad]
    if not outputs:
        raise ValueError("gradgradcheck has nothing to check: no output depends on an input that requires grad")
    subject.need_elements("output", outputs)
    shapes = [y.shape for y in outputs]
    if grad_outputs is None:
        rng = np.random.default_rng(1)
        dys = [subject.like(rng.standard_normal(y.shape), y).requires_grad_() for y in outputs]
    else:
        dys = subject.as_tuple(grad_outputs)

    def first_derivatives():
        ys = [y for y in subject.outputs_of(func, inputs) if y.requires_grad]
        subject.need_shapes(shapes, ys)
        dxs = grad(ys, list(wanted.values()), dys, create_graph=True, allow_unused=True)
        return [dx for dx in dxs if dx is not None]

    named = {f"gradient of output {i}": dy for i, dy in enumerate(dys)}
    both = wanted | {name: dy for name, dy in named.items() if dy.requires_grad}
    settings = {"eps": eps, "atol": atol, "rtol": rtol, "nondet_tol": nondet_tol, "fast_mode": fast_mode}
    return report_on(
        first_derivatives, lambda ys, weights: _analytic(ys, both, weights), func, both, tensors | named, sweep=sweep,
        **settings,
    )  # fmt: skip


# --- what is checked, and how ----------------------------------------------------------------------------


def _verdict(check, raise_exception, allow_kinks):
    """True, or an error, or False in place of it."""
    try:
        report = check()
        if not report.passes(allow_kinks):
            raise GradcheckError(report.message(), report)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def report_on(
    function, gradients_of, func, tensors, everything, *, eps, atol, rtol, nondet_tol, fast_mode, sweep, progress=False
):
    """The report on some of the tensors that a function is given.

    Parameters
    ----------
    function : callable
        Returns the outputs, as tensors.
    gradients_of : callable
        Takes outputs, and weights of their elements, and returns the gradient of their weighted sum with respect to
        each of `tensors`, as NumPy arrays.
    func : callable or Module
        If it is a module, its buffers are put back in the end.
    tensors : dict
        By name, those that are checked.
    everything : dict
        By name, all that the function is given. They, too, are put back.
    """
    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps}: it is how far each element is moved")
    tolerance = Tolerance(atol, rtol)
    with unchanged(func), subject.Copies(everything) as copies:
        with noted() as calls:
            outputs = function()
        subject.need_elements("input", tensors.values())
        subject.need_elements("output", outputs)
        weights = _weights(outputs)
        gradients = gradients_of(outputs, weights)
        scaled = gradients_of(outputs, [SCALE * w for w in weights])
        copies.need_unchanged()
        walked_again = gradients_of(outputs, weights)
        subject.need_same("the gradients of one graph", gradients, walked_again, nondet_tol)
        again = function()
        subject.need_same("the outputs", subject.arrays_of(outputs), subject.arrays_of(again), nondet_tol)
        subject.need_same("the gradients", gradients, gradients_of(again, weights), nondet_tol)

        shapes = [y.shape for y in outputs]

        def values():
            ys = function()
            subject.need_shapes(shapes, ys)
            return _vector(subject.arrays_of(ys))

        resolution = _vector([np.full(y.shape, np.finfo(y.dtype).eps) for y in outputs])
        vectors = Outputs(values, values(), _vector(weights), resolution)
        rows = []
        total = sum(x.numel() for x in tensors.values())
        with _bar(total) if progress else nullcontext() as bar:
            problem = Problem(vectors, eps, tolerance, sweep, bar)
            for (name, x), dx, dx_scaled in zip(tensors.items(), gradients, scaled, strict=True):
                row_of = some_directions if fast_mode and x.numel() > LARGE else each_element
                try:
                    rows.append(need_linear(problem, row_of(problem, name, x, dx), dx, dx_scaled))
                except ShapeChanged as change:
                    raise GradcheckError(f"the gradient with respect to {name} cannot be checked: {change}") from None
        copies.need_unchanged()
        if not any(row.failed for row in rows) and not any(dx.any() for dx in gradients):
            subject.need_no_empty(everything)
        if all(row.verdict in ("ok", "empty", "kink", "not linear") for row in rows):
            rows += mistaken(calls, eps, tolerance)
    return GradcheckReport(rows, eps, atol, rtol)


def _weights(outputs):
    """1 for a single number; else random ones, so that mistakes do not cancel in the sum of the outputs."""
    if len(outputs) == 1 and outputs[0].numel() == 1:
        return [np.ones(outputs[0].shape)]
    rng = np.random.default_rng(0x5EED)  # no seed that inputs are drawn from: weights equal to them could hide a slip
    return [rng.standard_normal(y.shape) for y in outputs]


def _analytic(outputs, tensors, weights):
    """What `backward` says, as NumPy arrays; zeros where no gradient arrives. The graph stays."""
    ys = [y for y in outputs if y.requires_grad]
    dys = [subject.like(w, y) for w, y in zip(weights, outputs, strict=True) if y.requires_grad]
    dxs = grad(ys, list(tensors.values()), dys, retain_graph=True, allow_unused=True)
    return [
        np.zeros(x.shape) if dx is None else np.array(to_numpy(dx.array))
        for x, dx in zip(tensors.values(), dxs, strict=True)
    ]


def _vector(arrays):
    return np.concatenate([array.reshape(-1) for array in arrays])


def _bar(elements):
    """The bar of a check, imported when it is shown: see report.py."""
    from minitorch_cnn.inspection.notebooks import progress_bar

    return progress_bar(elements, desc="gradcheck", unit=" elements")
