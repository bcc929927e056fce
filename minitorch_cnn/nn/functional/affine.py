"""The linear map."""

import math

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.ops.linalg import Linear

__all__ = ["linear"]


def linear(input, weight, bias=None):
    """Y = x Wᵀ + b: every output is a weighted sum of all inputs.

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
    if not isinstance(input, Tensor):
        raise TypeError(f"Linear expects a Tensor, got {type(input).__name__}; make one first: tensor(data)")
    if weight.ndim not in (1, 2):
        raise RuntimeError(f"Linear expects a weight of shape (out_features, in_features), got {weight.shape}")
    expected = weight.shape[-1]
    if input.ndim == 0 or input.shape[-1] != expected:
        came = input.shape[-1] if input.ndim else "none"
        mend = f"or change in_features to {came}" if input.ndim else "the input has no dimension at all"
        raise RuntimeError(
            f"Linear expects {expected} input features, {came} came (input shape {input.shape}). "
            f"Look for the layer before that made this shape, {mend}"
        )
    if input.dtype != weight.dtype:
        raise RuntimeError(
            f"Linear expects an input of the type of its weight, {weight.dtype}, got {input.dtype}; "
            f"convert it: input.to(weight.dtype)"
        )
    if bias is not None and bias.shape not in (weight.shape[:-1], ()):
        raise RuntimeError(
            f"Linear expects a bias of shape {weight.shape[:-1]}, one for each output feature, got {bias.shape}"
        )
    if bias is not None and bias.dtype != weight.dtype:
        raise RuntimeError(
            f"Linear expects a bias of the type of its weight, {weight.dtype}, got {bias.dtype}; "
            f"convert it: bias.to(weight.dtype)"
        )
    if weight.ndim == 1:
        output = input @ weight  # (…,)
        return output if bias is None else output + bias
    rows = input if input.ndim == 2 else input.reshape(math.prod(input.shape[:-1]), expected)
    output = Linear()(rows, weight, bias)
    return output if input.ndim == 2 else output.reshape(*input.shape[:-1], len(weight))  # (…, out_features)
