"""Python's operators on tensors: each is a function of `minitorch_cnn`."""

from __future__ import annotations

from collections.abc import Callable

# The one import cycle of the package: a tensor's methods call operations, and operations make tensors. The names
# behind `mt.` are looked up when a method runs, and by then the package is complete.
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

import minitorch_cnn as mt
from minitorch_cnn.backend.annotations import F, TensorLike

if TYPE_CHECKING:
    from minitorch_cnn.autograd.tensor import Tensor


def or_by(method: str) -> Callable[[F], F]:
    """An operator that leaves what it does not know to the other operand, if that has a method for it."""

    def decorate(operator):
        @wraps(operator)
        def decorated(self, other):
            try:
                return operator(self, other)
            except TypeError:
                if _can_answer(other, method, self):
                    return NotImplemented
                raise

        return decorated

    return decorate


def _can_answer(other, method, tensor):
    """Whether a stranger answers to an operator; for a list by repeating it, if the tensor is one whole number."""
    if isinstance(other, (list, tuple, str, bytes)):
        return method == "__rmul__" and tensor.numel() == 1 and not tensor.is_floating_point()
    if mt.ops.operands.is_operand(other) or isinstance(other, np.generic) or hasattr(other, "detach"):
        return False
    return getattr(type(other), method, None) not in (None, getattr(object, method, None))


class Operators:
    """``a + b``, ``a @ b``, ``a < b``, ``a[i]``, ...: the operators of `Tensor`."""

    __slots__ = ()

    # --- arithmetic --------------------------------------------------------------------------------------

    @or_by("__radd__")
    def __add__(self, other: TensorLike) -> Tensor:
        return mt.add(self, other)

    def __radd__(self, other: TensorLike) -> Tensor:
        return mt.add(other, self)

    @or_by("__rsub__")
    def __sub__(self, other: TensorLike) -> Tensor:
        return mt.sub(self, other)

    def __rsub__(self, other: TensorLike) -> Tensor:
        return mt.sub(other, self)

    @or_by("__rmul__")
    def __mul__(self, other: TensorLike) -> Tensor:
        return mt.mul(self, other)

    @or_by("__rmul__")
    def __rmul__(self, other: TensorLike) -> Tensor:
        return mt.mul(other, self)

    @or_by("__rtruediv__")
    def __truediv__(self, other: TensorLike) -> Tensor:
        return mt.div(self, other)

    def __rtruediv__(self, other: TensorLike) -> Tensor:
        return mt.div(other, self)

    @or_by("__rfloordiv__")
    def __floordiv__(self, other: TensorLike) -> Tensor:
        return mt.floor_divide(self, other)

    def __rfloordiv__(self, other: TensorLike) -> Tensor:
        return mt.floor_divide(other, self)

    @or_by("__rmod__")
    def __mod__(self, other: TensorLike) -> Tensor:
        return mt.remainder(self, other)

    def __rmod__(self, other: TensorLike) -> Tensor:
        return mt.remainder(other, self)

    @or_by("__rpow__")
    def __pow__(self, other: TensorLike) -> Tensor:
        return mt.pow(self, other)

    def __rpow__(self, other: TensorLike) -> Tensor:
        return mt.pow(other, self)

    @or_by("__rmatmul__")
    def __matmul__(self, other: TensorLike) -> Tensor:
        return mt.matmul(self, other)

    def __rmatmul__(self, other: TensorLike) -> Tensor:
        return mt.matmul(other, self)

    def __neg__(self) -> Tensor:
        return mt.neg(self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return mt.abs(self)

    # --- comparison and logic ----------------------------------------------------------------------------

    def __eq__(self, other: object) -> Tensor:
        return mt.eq(self, other) if mt.ops.operands.is_operand(other) else NotImplemented

    def __ne__(self, other: object) -> Tensor:
        return mt.ne(self, other) if mt.ops.operands.is_operand(other) else NotImplemented

    __hash__ = None  # Tensor restores it: a tensor is its own key

    @or_by("__gt__")
    def __lt__(self, other: TensorLike) -> Tensor:
        return mt.lt(self, other)

    @or_by("__ge__")
    def __le__(self, other: TensorLike) -> Tensor:
        return mt.le(self, other)

    @or_by("__lt__")
    def __gt__(self, other: TensorLike) -> Tensor:
        return mt.gt(self, other)

    @or_by("__le__")
    def __ge__(self, other: TensorLike) -> Tensor:
        return mt.ge(self, other)

    @or_by("__rand__")
    def __and__(self, other: TensorLike) -> Tensor:
        return mt.bitwise_and(self, other)

    __rand__ = __and__

    @or_by("__ror__")
    def __or__(self, other: TensorLike) -> Tensor:
        return mt.bitwise_or(self, other)

    __ror__ = __or__

    @or_by("__rxor__")
    def __xor__(self, other: TensorLike) -> Tensor:
        return mt.bitwise_xor(self, other)

    __rxor__ = __xor__

    def __invert__(self) -> Tensor:
        return mt.bitwise_not(self)

    # --- indexing ----------------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Tensor:
        return mt.ops.indexing.getitem(self, index)
