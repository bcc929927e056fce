"""The linear layer, and those without parameters that reshape: Flatten, Unflatten, Identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import DeviceLike, DType
from minitorch_cnn.backend.arguments import whole
from minitorch_cnn.nn import functional as F
from minitorch_cnn.nn import init
from minitorch_cnn.nn.module import Module
from minitorch_cnn.nn.parameter import Parameter
from minitorch_cnn.ops.creation import empty
from minitorch_cnn.ops.shape import flatten

__all__ = ["Flatten", "Identity", "Linear", "Unflatten"]


class Linear(Module):
    """y = x Wᵀ + b: every output is a weighted sum of all inputs. (…, in_features) → (…, out_features).

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Whether there is a b.
    device, dtype
        Of the parameters.

    Raises
    ------
    TypeError
        If a size is not a whole number.

    Attributes
    ----------
    weight : Parameter
        (out_features, in_features), drawn from U(-k, k), k = 1 / √in_features.
    bias : Parameter or None
        (out_features,), drawn from the same.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> Linear(3, 2)(mt.zeros(5, 3)).shape
    (5, 2)
    """

    receptive_field = "all"

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: DeviceLike = None, dtype: DType = None
    ) -> None:
        super().__init__()
        self.in_features = whole("in_features", in_features)
        self.out_features = whole("out_features", out_features)
        self.weight = Parameter(empty(self.out_features, self.in_features, device=device, dtype=dtype))
        self.bias = Parameter(empty(self.out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight and the bias again."""
        init.default_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def multiply_adds(self, input: Tensor, output: Tensor) -> int:
        return output.numel() * self.in_features

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    """Its input, unchanged; arguments are ignored."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Flatten(Module):
    """Merge a range of dimensions into one. (N, C, H, W) → (N, C·H·W) with the defaults.

    Parameters
    ----------
    start_dim, end_dim : int
        The first and the last dimension to merge.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split one dimension into several: the inverse of `Flatten`.

    Parameters
    ----------
    dim : int
        The dimension to split.
    unflattened_size : sequence of int
        What it becomes; one of them may be -1.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> Unflatten(1, (2, 3))(mt.zeros(5, 6)).shape
    (5, 2, 3)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
