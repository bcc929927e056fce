"""Dropout."""

from __future__ import annotations

import warnings

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn.functional.checks import check_dropout
from minitorch_cnn.ops.creation import rand

__all__ = ["dropout", "dropout2d"]


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
    return _dropped(input, input.shape, p, training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each channel of each image with probability p, the whole of it, and scale the others by 1 / (1 - p).

    Parameters
    ----------
    input : Tensor
        (N, C, H, W), or any (N, C, …).
    p : float
        From 0 to 1.
    training : bool
        False: nothing is done.
    inplace : bool
        Whether to write the result into `input`.

    Warns
    -----
    UserWarning
        If the input has no four dimensions: as in PyTorch, the first of three is a batch, not the channels.

    References
    ----------
    Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.
    """
    check_dropout(p, input)
    if input.ndim != 4:
        warnings.warn(
            f"dropout2d expects (N, C, H, W), got shape {input.shape}: its first two dimensions are taken as N and C",
            stacklevel=2,
        )
    return _dropped(input, input.shape[:2] + (1,) * (input.ndim - 2), p, training, inplace)


def _dropped(input, shape, p, training, inplace):
    """The input times a random mask of a shape, scaled so that the mean stays."""
    if not training or p == 0:
        return input
    kept = (rand(shape, dtype=input.dtype, device=input.device) >= p).to(input.dtype)
    factor = kept * (1 / (1 - p) if p < 1 else 0.0)
    return input.mul_(factor) if inplace else input * factor
