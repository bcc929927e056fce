"""The linear layer as a function."""

from __future__ import annotations

import math

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn.functional.checks import check_linear
from minitorch_cnn.ops.linalg import Linear

__all__ = ["linear"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x Wᵀ + b: every output is a weighted sum of all inputs.

    Parameters
    ----------
    input : Tensor
        (…, in_features)
    weight : Tensor
        (out_features, in_features), or (in_features,) for a single output.
    bias : Tensor, optional
        (out_features,), or () for one number that is added to all.

    Returns
    -------
    Tensor
        (…, out_features)

    Raises
    ------
    TypeError
        If `input` is not a tensor.
    RuntimeError
        If the last dimension of `input` is not that of `weight`, or a type or the shape of `bias` is another.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> linear(mt.ones(4, 3), mt.ones(2, 3)).tolist()
    [[3.0, 3.0], [3.0, 3.0], [3.0, 3.0], [3.0, 3.0]]
    """
    check_linear(input, weight, bias)
    if weight.ndim == 1:
        output = input @ weight  # (…,)
        return output if bias is None else output + bias
    if input.ndim != 2:
        rows = input.reshape(math.prod(input.shape[:-1]), input.shape[-1])  # (N, in_features)
        return linear(rows, weight, bias).reshape(*input.shape[:-1], len(weight))  # (…, out_features)
    return Linear()(input, weight, bias)  # (N, out_features)
