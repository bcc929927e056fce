"""Activation functions as layers."""

from __future__ import annotations

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn import functional as F
from minitorch_cnn.nn.module import Module

__all__ = ["GELU", "LeakyReLU", "LogSoftmax", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ), element by element."""

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent, element by element."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class ReLU(Module):
    """max(x, 0), element by element.

    Parameters
    ----------
    inplace : bool
        Whether to write the result into the input.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, inplace=self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module):
    """x where it is positive, else negative_slope · x, element by element.

    Parameters
    ----------
    negative_slope : float
    inplace : bool
        Whether to write the result into the input.
    """

    receptive_field = "same"

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class GELU(Module):
    """x · Φ(x), element by element, for Φ(x) the share of normal numbers below x.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        See `minitorch_cnn.nn.functional.gelu`.
    """

    receptive_field = "same"

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softmax(Module):
    """exp(x) / Σ exp(x) along a dimension: positive numbers that sum to one.

    Parameters
    ----------
    dim : int
    """

    receptive_field = "same"

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """The logarithm of `Softmax`, which is exact where that one has underflowed to zero.

    Parameters
    ----------
    dim : int
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)
