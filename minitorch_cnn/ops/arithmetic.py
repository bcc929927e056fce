"""Sums, products and powers, element by element."""

from __future__ import annotations

import numbers
import operator
from typing import Literal

import numpy as np

from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import get_array_module, in_memory_order
from minitorch_cnn.backend.annotations import TensorLike
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.backend.dtypes import bool_, fitted, wrapped
from minitorch_cnn.ops.elementwise import log, where
from minitorch_cnn.ops.operands import need_tensor, operand_like, promoted, refuse_bool
from minitorch_cnn.ops.steps import FloorDivide, TruncDivide, divisible

__all__ = ["add", "div", "mul", "neg", "pow", "square", "sub"]


class Add(Function):
    """y = a + b;  da = dy,  db = dy."""

    reads = {}

    def forward(self, a, b):
        return a + b

    def backward(self, dy, y, a, b):
        return dy, dy


class Sub(Function):
    """y = a - b;  da = dy,  db = -dy."""

    reads = {}

    def forward(self, a, b):
        return a - b

    def backward(self, dy, y, a, b):
        return dy, -dy if wants_grad(b) else None


class Mul(Function):
    """y = a b;  da = dy b,  db = dy a."""

    reads = {"da": "b", "db": "a"}

    def forward(self, a, b):
        return a * b

    def backward(self, dy, y, a, b):
        return dy * b if wants_grad(a) else None, dy * a if wants_grad(b) else None


class Div(Function):
    """y = a / b;  da = dy / b,  db = -dy y / b."""

    reads = {"da": "b", "db": "y b"}

    def forward(self, a, b):
        return a / b

    def backward(self, dy, y, a, b):
        return dy / b if wants_grad(a) else None, -dy * y / b if wants_grad(b) else None


class Scale(Function):
    """y = k x or x / k for a number k;  dx = k dy or dy / k. No array is kept for it."""

    reads = {"dx": "k"}

    def __init__(self, times_or_by):
        self.times_or_by = times_or_by

    def forward(self, x, k):
        return in_memory_order(self.times_or_by, x, k)

    def backward(self, dy, y, x, k):
        return Scale(self.times_or_by)(dy, k), None


class Neg(Function):
    """y = -x;  dx = -dy."""

    reads = {}

    def forward(self, x):
        return -x

    def backward(self, dy, y, x):
        return (-dy,)


class Pow(Function):
    """y = a^b;  da = dy b a^(b-1), but 0 where b = 0;  db = dy y log a, but 0 where a = 0 and b >= 0."""

    reads = {"da": "a b", "db": "y a b"}

    def forward(self, a, b):
        if a.dtype.kind == "f":
            return a**b
        if isinstance(b, int):
            return a**b
        xp = get_array_module(a)
        is_root = b < 0
        return xp.where(is_root & (xp.absolute(a) != 1), 0, a ** xp.where(is_root, b & 1, b))  # 1/2 is 0 as a whole one

    def backward(self, dy, y, a, b):
        da = db = None
        if wants_grad(a):
            if isinstance(b, Tensor):
                da = where(b == 0, 0.0, dy * (b * pow(a, b - 1)))
            else:
                da = dy * (b * pow(a, b - 1)) if b else Tensor(get_array_module(dy.array).zeros_like(dy.array))
        if wants_grad(b):
            db = dy * where((a == 0) & (b >= 0), 0.0, y * log(a))
        return da, db


def add(input: TensorLike, other: TensorLike, *, alpha: float = 1) -> Tensor:
    """``input + alpha * other``, broadcast."""
    a, b = promoted(input, other)
    return Add()(a, b if type(alpha) is int and alpha == 1 else _scaled(b, alpha, a))


def sub(input: TensorLike, other: TensorLike, *, alpha: float = 1) -> Tensor:
    """``input - alpha * other``, broadcast; booleans cannot be subtracted."""
    if any(isinstance(x, bool) or getattr(x, "dtype", None) == bool_ for x in (input, other)):
        raise RuntimeError("subtraction with booleans is not supported: use ^ or logical_not, or convert them")
    a, b = promoted(input, other)
    return Sub()(a, b if type(alpha) is int and alpha == 1 else _scaled(b, alpha, a))


def _scaled(b, alpha, a):
    """``alpha * b`` in the type in which a and b have met: `alpha` has no say in it."""
    if isinstance(alpha, Tensor) and not alpha.ndim:
        alpha = alpha.item()
    if not isinstance(alpha, (numbers.Real, np.bool_)):
        raise TypeError(f"alpha must be a number, got {described(alpha)}")
    dtype = (a if isinstance(a, Tensor) else b).dtype
    if dtype.kind != "f" and isinstance(alpha, (float, np.floating)):
        raise RuntimeError(f"for integral input tensors, alpha must not be a floating point number, got {alpha}")
    if dtype.kind != "b" and isinstance(alpha, (bool, np.bool_)):
        raise RuntimeError(f"a boolean alpha is for booleans, and the result is {dtype}; got {alpha}")
    alpha = fitted(alpha, dtype)
    return mul(b, alpha) if isinstance(b, Tensor) else wrapped(b * alpha, dtype)


def mul(input: TensorLike, other: TensorLike) -> Tensor:
    """``input * other``, broadcast."""
    a, b = promoted(input, other)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return Mul()(a, b)
    return Scale(operator.mul)(*((a, b) if isinstance(a, Tensor) else (b, a)))


def div(input: TensorLike, other: TensorLike, *, rounding_mode: Literal["trunc", "floor"] | None = None) -> Tensor:
    """``input / other``, broadcast; of integers in float32.

    Parameters
    ----------
    input, other : Tensor or number
    rounding_mode : {None, "trunc", "floor"}
        Round the quotient towards zero, or down; of integers, it is an integer then.
    """
    if rounding_mode not in (None, "trunc", "floor"):
        raise RuntimeError(f"div expected rounding_mode to be None, 'trunc' or 'floor', got {rounding_mode!r}")
    if rounding_mode is not None:
        a, b = divisible("div with a rounding_mode", input, other)
        return {"trunc": TruncDivide, "floor": FloorDivide}[rounding_mode]()(a, b)
    a, b = promoted(input, other, floating=True)
    return Div()(a, b) if isinstance(b, Tensor) else Scale(operator.truediv)(a, b)


def neg(input: Tensor) -> Tensor:
    """``-input``; of booleans there is none."""
    return Neg()(refuse_bool("negation", input))


def pow(input: TensorLike, exponent: TensorLike) -> Tensor:
    """``input ** exponent``, broadcast.

    Raises
    ------
    RuntimeError
        If `input` holds integers and `exponent` is a negative integer.
    """
    need_tensor("pow", input, exponent)
    a, b = promoted(input, exponent, number=fitted if isinstance(input, Tensor) else wrapped)
    refuse_bool("the power", a if isinstance(a, Tensor) else b)
    if isinstance(b, int) and exponent < 0:
        raise RuntimeError(f"integers to negative integer powers are not allowed, got {exponent}; use .float()")
    return Pow()(a if isinstance(a, Tensor) else operand_like(a, b), b)


def square(input: Tensor) -> Tensor:
    """Each element times itself."""
    return pow(input, 2)
