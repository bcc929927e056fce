"""Checking a gradient by its definition: the difference quotient."""

import numpy as np

from minitorch_cnn import autograd
from minitorch_cnn.backend import asarray, to_numpy
from minitorch_cnn.tensor import Tensor


class GradcheckError(RuntimeError):
    """A gradient and its difference quotient disagree."""


def gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    """Compare the gradients of a function with central differences, for every input that requires grad.

    Each element x of an input is moved by `eps` to both sides; ``(f(x + eps) - f(x - eps)) / (2 eps)`` is what the
    gradient should be. A function of many outputs is checked through random weights for them, one sum at a time.

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

    Returns
    -------
    bool
        True if all gradients agree.

    Raises
    ------
    GradcheckError
        Naming the tensor, the index and both values.
    TypeError
        If an input that requires grad is not float64: in float32 the quotient is mostly rounding error.
    ValueError
        If no input requires grad.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([0.5, -1.0], dtype=mt.float64, requires_grad=True)
    >>> gradcheck(mt.sigmoid, x)
    True
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = _checked_tensors(func, inputs)
    outputs = _outputs(func, inputs)
    rng = np.random.default_rng(0x5EED)  # no seed that inputs are drawn from: weights equal to them could hide a slip
    weights = [rng.standard_normal(y.shape) for y in outputs]
    analytic = autograd.grad(
        [y for y in outputs if y.requires_grad],
        list(checked.values()),
        [_like(w, y) for w, y in zip(weights, outputs, strict=True) if y.requires_grad],
        allow_unused=True,
    )
    for (name, x), dx in zip(checked.items(), analytic, strict=True):
        dx = np.zeros(x.shape) if dx is None else to_numpy(dx.array)
        numeric = _difference_quotients(lambda: _weighted_sum(_outputs(func, inputs), weights), x, eps)
        error = np.abs(dx - numeric)
        wrong = ~(error <= atol + rtol * np.abs(numeric))
        if wrong.any():
            if raise_exception:
                raise GradcheckError(_report(name, dx, numeric, error, wrong))
            return False
    return True


def gradgradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    """`gradcheck` of the gradients of a function: its second derivatives.

    Parameters and errors are those of `gradcheck`.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([0.5, -1.0], dtype=mt.float64, requires_grad=True)
    >>> gradgradcheck(mt.sigmoid, x)
    True
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    rng = np.random.default_rng(1)
    outputs = [y for y in _outputs(func, inputs) if y.requires_grad]
    gradients = [_like(rng.standard_normal(y.shape), y).requires_grad_() for y in outputs]

    def first_derivatives(*arguments):
        arguments, dys = arguments[: len(inputs)], arguments[len(inputs) :]
        ys = [y for y in _outputs(func, arguments) if y.requires_grad]
        dxs = autograd.grad(ys, checked, dys, create_graph=True, allow_unused=True)
        return tuple(dx for dx in dxs if dx is not None)

    kwargs = {"eps": eps, "atol": atol, "rtol": rtol, "raise_exception": raise_exception}
    return gradcheck(first_derivatives, (*inputs, *gradients), **kwargs)


def _checked_tensors(func, inputs):
    """The tensors whose gradients are checked, by name."""
    named = {f"input {i}": x for i, x in enumerate(inputs) if isinstance(x, Tensor)}
    if hasattr(func, "named_parameters"):
        named |= {f"parameter {name!r}": parameter for name, parameter in func.named_parameters()}
    named = {name: x for name, x in named.items() if x.requires_grad}
    if not named:
        raise ValueError("gradcheck expected at least one input that requires grad; got none")
    for name, x in named.items():
        if x.dtype != np.float64:
            raise TypeError(
                f"gradcheck needs float64, but {name} is {x.dtype}: a difference quotient in float32 is mostly "
                "rounding error. Convert inputs, and modules, with .double()"
            )
    return named


def _outputs(func, inputs):
    outputs = func(*inputs)
    return [outputs] if isinstance(outputs, Tensor) else [y for y in outputs if isinstance(y, Tensor)]


def _like(array, tensor):
    return Tensor(asarray(array, tensor.device, tensor.dtype))


def _weighted_sum(outputs, weights):
    return sum(float((to_numpy(y.array) * w).sum()) for y, w in zip(outputs, weights, strict=True))


def _difference_quotients(value, x, eps):
    """(value(x + eps) - value(x - eps)) / (2 eps) for each element of x, which is moved in place."""
    quotients = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        before = x.array[index].copy()
        x.array[index] = before + eps
        above = value()
        x.array[index] = before - eps
        below = value()
        x.array[index] = before
        quotients[index] = (above - below) / (2 * eps)
    return quotients


def _report(name, analytic, numeric, error, wrong):
    worst = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), error.shape)
    index = tuple(int(i) for i in worst)
    return (
        f"the gradient with respect to {name}, of shape {error.shape}, is wrong in {int(wrong.sum())} of {error.size} "
        f"elements. The worst is at index {index}: backward gives {analytic[worst]:.9g}, the difference quotient "
        f"{numeric[worst]:.9g}"
    )
