"""Piecewise constant functions, whose derivative is 0: sign, floor, division to whole numbers; and the remainder."""

from __future__ import annotations

from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.backend.annotations import TensorLike
from minitorch_cnn.ops.operands import need_tensor, promoted, refuse_bool

__all__ = ["floor", "floor_divide", "remainder", "sign"]


class Step(Function):
    """y = a function that is constant but for its steps;  dx = 0."""

    reads = {}

    def backward(self, dy, y, *xs):
        zero = Tensor(get_array_module(dy.array).zeros_like(dy.array))
        return (zero,) * len(xs)


class Sign(Step):
    """y = -1, 0 or 1, by the sign of x;  dx = 0."""

    def forward(self, x):
        xp = get_array_module(x)
        return xp.where(x > 0, 1, xp.where(x < 0, -1, 0)).astype(x.dtype)  # xp.sign would keep NaN, PyTorch's does not


class Floor(Step):
    """y = ⌊x⌋;  dx = 0."""

    def forward(self, x):
        return get_array_module(x).floor(x)


class FloorDivide(Step):
    """y = ⌊a / b⌋;  da = db = 0."""

    def forward(self, a, b):
        return a // b


class TruncDivide(Step):
    """y = a / b without what follows the point;  da = db = 0."""

    def forward(self, a, b):
        y = a // b
        if y.dtype.kind == "f":
            return get_array_module(y).trunc(a / b)
        return y + ((y < 0) & (y * b != a))


class Remainder(Function):
    """y = a - b ⌊a / b⌋;  da = dy,  db = -dy ⌊a / b⌋."""

    reads = {"db": "a b"}

    def forward(self, a, b):
        return a % b

    def backward(self, dy, y, a, b):
        return dy, -dy * floor_divide(a, b) if wants_grad(b) else None


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1 by the sign of each element."""
    return Sign()(input)


def floor(input: Tensor) -> Tensor:
    """The largest whole number not above each element."""
    return Floor()(input) if refuse_bool("floor", input).is_floating_point() else input.clone()


def floor_divide(input: TensorLike, other: TensorLike) -> Tensor:
    """``floor(input / other)``, in the type of the operands."""
    return FloorDivide()(*divisible("floor division", input, other))


def remainder(input: TensorLike, other: TensorLike) -> Tensor:
    """``input - other * floor(input / other)``: the sign is that of `other`."""
    need_tensor("remainder", input, other)
    return Remainder()(*divisible("the remainder", input, other))


def divisible(name, input, other):
    """Two operands in their common type, to be divided with a whole quotient.

    Raises
    ------
    RuntimeError
        If one of some integers would be divided by 0.
    NotImplementedError
        If both are booleans.
    """
    a, b = promoted(input, other)
    dtype = refuse_bool(name, a if isinstance(a, Tensor) else b).dtype
    if dtype.kind in "iu" and (bool((b.array == 0).any()) if isinstance(b, Tensor) else b == 0 and a.numel()):
        raise RuntimeError(f"ZeroDivisionError: {name} of integers by 0; convert them with .float() to get inf or nan")
    return a, b
