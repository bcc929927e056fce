"""Activation functions."""

from __future__ import annotations

import warnings

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.types import DType
from minitorch_cnn.ops import classification, elementwise
from minitorch_cnn.ops.elementwise import sigmoid, tanh

__all__ = ["log_softmax", "relu", "sigmoid", "softmax", "tanh"]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), element by element.

    Parameters
    ----------
    input : Tensor
    inplace : bool
        Whether to write the result into `input`.
    """
    return input._update(elementwise.relu) if inplace else elementwise.relu(input)


def softmax(input: Tensor, dim: int | None = None, dtype: DType = None) -> Tensor:
    """exp(x) / Σ exp(x) along a dimension: positive numbers that sum to one.

    Parameters
    ----------
    input : Tensor
    dim : int
        The dimension along which the numbers sum to one. Leaving it out is deprecated, as in PyTorch.
    dtype : dtype, optional
        The type to compute in, by default that of `input`.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> softmax(mt.tensor([10000.0, 10000.0]), dim=0).tolist()
    [0.5, 0.5]
    """
    dim = _implicit_dim("softmax", input.ndim) if dim is None else dim
    return classification.softmax(input, dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, dtype: DType = None) -> Tensor:
    """The logarithm of `softmax`, which is exact where that one has underflowed to zero.

    Parameters
    ----------
    input : Tensor
    dim : int
    dtype : dtype, optional
        The type to compute in, by default that of `input`.
    """
    dim = _implicit_dim("log_softmax", input.ndim) if dim is None else dim
    return classification.log_softmax(input, dim, dtype)


def _implicit_dim(name, ndim):
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=3,
    )
    return 0 if ndim in (0, 1, 3) else 1
