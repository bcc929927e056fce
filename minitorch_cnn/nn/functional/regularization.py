"""Dropout."""

from __future__ import annotations

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn.functional.checks import check_dropout
from minitorch_cnn.ops.creation import rand_like

__all__ = ["dropout"]


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability p and scale the others by 1 / (1 - p), so that the mean stays.

    Parameters
    ----------
    input : Tensor
    p : float
        From 0 to 1.
    training : bool
        False: nothing is done.
    inplace : bool
        Whether to write the result into `input`.

    References
    ----------
    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> set(dropout(mt.ones(100), p=0.5).tolist()) == {0.0, 2.0}
    True
    """
    check_dropout(p, input)
    if not training or p == 0:
        return input
    kept = (rand_like(input, requires_grad=False) >= p).to(input.dtype)
    factor = kept * (1 / (1 - p) if p < 1 else 0.0)
    return input.mul_(factor) if inplace else input * factor
