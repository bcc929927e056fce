"""Clipping of gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

from minitorch_cnn.autograd import no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.ops.creation import tensor
from minitorch_cnn.ops.elementwise import clamp
from minitorch_cnn.ops.reduce import max, min
from minitorch_cnn.ops.shape import stack

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


@no_grad()
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients by one factor, so that together they are not longer than `max_norm`.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient are passed over.
    max_norm : float
    norm_type : float
        The p of the norm; ``inf`` for the largest absolute value, ``-inf`` for the smallest, 0 for how many are not 0.
    error_if_nonfinite : bool
        Whether to raise an error if a gradient is infinite or not a number. This reads the norm on the host.

    Returns
    -------
    Tensor
        The norm of all gradients, as if they were one vector, before scaling.

    Raises
    ------
    RuntimeError
        If `error_if_nonfinite` and the norm is not finite.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> w = mt.tensor([0.0, 0.0], requires_grad=True)
    >>> w.grad = mt.tensor([30.0, 40.0])
    >>> clip_grad_norm_(w, 5.0).item()
    50.0
    >>> [round(dw, 4) for dw in w.grad.tolist()]
    [3.0, 4.0]
    """
    gradients = _gradients_of(parameters)
    if not gradients:
        return tensor(0.0)
    p = float(norm_type)
    if math.isinf(p):
        largest = max if p > 0 else min
        total = largest(stack([largest(gradient.abs()) for gradient in gradients if gradient.numel()] or [tensor(0.0)]))
    elif p == 0:
        total = stack([(gradient != 0).to(gradient.dtype).sum() for gradient in gradients]).sum()
    else:
        total = stack([(gradient.abs() ** p).sum() for gradient in gradients]).sum() ** (1 / p)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    factor = clamp(max_norm / (total + 1e-6), max=1.0)
    for gradient in gradients:
        gradient.mul_(factor)
    return total


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Hold every element of every gradient between ``-clip_value`` and ``clip_value``.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
    clip_value : float
    """
    for gradient in _gradients_of(parameters):
        gradient.clamp_(-float(clip_value), float(clip_value))


def _gradients_of(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
