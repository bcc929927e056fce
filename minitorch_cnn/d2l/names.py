"""What the book calls ``d2l.ones``, ``d2l.reduce_sum`` and so on: names that mean the same in every framework."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_cnn import (  # isort: skip
    Tensor, abs, arange, cos, exp, eye, float32, float64, int32, int64, linspace, log, matmul, meshgrid, normal, ones,
    ones_like, rand, randn, reshape, sigmoid, sin, stack, tanh, tensor, zeros, zeros_like,
)  # fmt: skip
from minitorch_cnn import cat as concat
from minitorch_cnn.backend.annotations import DType

__all__ = [
    "abs", "arange", "argmax", "astype", "concat", "cos", "exp", "eye", "float32", "float64", "int32", "int64",
    "linspace", "log", "matmul", "meshgrid", "normal", "numpy", "ones", "ones_like", "rand", "randn", "reduce_mean",
    "reduce_sum", "reshape", "sigmoid", "sin", "size", "stack", "tanh", "tensor", "to", "transpose", "zeros",
    "zeros_like",
]  # fmt: skip


def argmax(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return ``x.argmax(...)``."""
    return x.argmax(*args, **kwargs)


def astype(x: Tensor, dtype: DType) -> Tensor:
    """Return `x` with another type of elements."""
    return x.type(dtype)


def numpy(x: Tensor) -> np.ndarray:
    """Return `x` as a NumPy array, without its graph."""
    return x.detach().cpu().numpy()


def reduce_mean(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return ``x.mean(...)``."""
    return x.mean(*args, **kwargs)


def reduce_sum(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return ``x.sum(...)``."""
    return x.sum(*args, **kwargs)


def size(x: Tensor) -> int:
    """Return how many elements `x` has."""
    return x.numel()


def to(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return ``x.to(...)``: on another device, or of another type."""
    return x.to(*args, **kwargs)


def transpose(x: Tensor) -> Tensor:
    """Return the transpose of a matrix."""
    return x.t()
