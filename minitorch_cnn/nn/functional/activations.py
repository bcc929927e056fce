"""Activation functions."""

from __future__ import annotations

import math
import warnings

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import DType
from minitorch_cnn.nn.functional.checks import refuse_integers
from minitorch_cnn.ops import classification, elementwise
from minitorch_cnn.ops.elementwise import LogSigmoid, NormalCDF, sigmoid, tanh, where

__all__ = ["gelu", "leaky_relu", "log_softmax", "logsigmoid", "relu", "sigmoid", "softmax", "tanh"]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), element by element.

    Parameters
    ----------
    input : Tensor
    inplace : bool
        Whether to write the result into `input`.
    """
    return input._update(elementwise.relu) if inplace else elementwise.relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where it is positive, else negative_slope · x; at 0, the derivative is that slope.

    Parameters
    ----------
    input : Tensor
    negative_slope : float
    inplace : bool
        Whether to write the result into `input`.
    """

    def function(x):
        return where(x > 0, x, x * negative_slope)

    return input._update(function) if inplace else function(refuse_integers("leaky_relu", input))


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """x · Φ(x), where Φ(x) is the share of normal numbers below x: `relu` with a smooth bend.

    Parameters
    ----------
    input : Tensor
    approximate : {"none", "tanh"}
        "tanh" puts (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2 in the place of Φ(x).

    References
    ----------
    Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh, got {approximate!r}")
    x = refuse_integers("gelu", input)
    if approximate == "none":
        return x * NormalCDF()(x)
    return x * (0.5 + 0.5 * tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def logsigmoid(input: Tensor) -> Tensor:
    """The logarithm of `sigmoid`, which is exact where that one has underflowed to zero."""
    return LogSigmoid()(refuse_integers("logsigmoid", input))


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
