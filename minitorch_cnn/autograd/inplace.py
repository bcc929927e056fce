"""What changes a tensor in place: assignment to elements, and the methods whose names end in an underscore.

Each bumps the version of the memory, so that `backward` can refuse to use values which it remembered and which are
gone. A change that must be recorded gives the tensor a new place in the graph; if it is a view, it gives one to its
root, which becomes "what it was, with the part that the view shows replaced".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import minitorch_cnn as mt  # the names behind `mt.` are looked up when a method runs: see operators.py
from minitorch_cnn.autograd.operators import or_by
from minitorch_cnn.autograd.views import View
from minitorch_cnn.backend import can_write
from minitorch_cnn.backend.annotations import Self, TensorLike
from minitorch_cnn.backend.random import Generator

if TYPE_CHECKING:
    from minitorch_cnn.autograd.function import Function
    from minitorch_cnn.autograd.tensor import Tensor


class InPlace:
    """The methods of `Tensor` that change it."""

    __slots__ = ()

    def __setitem__(self, index: Any, value: Any) -> None:
        value = mt.ops.operands.operand_like(value, self)
        if self._is_recorded(value):
            self._assign(index, value)
        else:
            mt.ops.indexing.SetItem(index).forward(self.array, value.array)
        self.bump_version()

    @or_by("__radd__")
    def __iadd__(self, other: TensorLike) -> Self:
        return self.add_(other)

    @or_by("__rsub__")
    def __isub__(self, other: TensorLike) -> Self:
        return self.sub_(other)

    @or_by("__rmul__")
    def __imul__(self, other: TensorLike) -> Self:
        return self.mul_(other)

    @or_by("__rtruediv__")
    def __itruediv__(self, other: TensorLike) -> Self:
        return self.div_(other)

    @or_by("__rfloordiv__")
    def __ifloordiv__(self, other: TensorLike) -> Self:
        return self.floor_divide_(other)

    @or_by("__rmod__")
    def __imod__(self, other: TensorLike) -> Self:
        return self.remainder_(other)

    @or_by("__rpow__")
    def __ipow__(self, other: TensorLike) -> Self:
        return self.pow_(other)

    @or_by("__rand__")
    def __iand__(self, other: TensorLike) -> Self:
        return self._update(lambda old: mt.bitwise_and(old, other), other)

    @or_by("__ror__")
    def __ior__(self, other: TensorLike) -> Self:
        return self._update(lambda old: mt.bitwise_or(old, other), other)

    @or_by("__rxor__")
    def __ixor__(self, other: TensorLike) -> Self:
        return self._update(lambda old: mt.bitwise_xor(old, other), other)

    def add_(self, other: TensorLike, *, alpha: float = 1) -> Self:
        """Add ``alpha * other``."""
        return self._update(lambda old: mt.add(old, other, alpha=alpha), other)

    def sub_(self, other: TensorLike, *, alpha: float = 1) -> Self:
        """Subtract ``alpha * other``."""
        return self._update(lambda old: mt.sub(old, other, alpha=alpha), other)

    def mul_(self, other: TensorLike) -> Self:
        """Multiply by `other`."""
        return self._update(lambda old: mt.mul(old, other), other)

    def div_(self, other: TensorLike, *, rounding_mode: Literal["trunc", "floor"] | None = None) -> Self:
        """Divide by `other`."""
        return self._update(lambda old: mt.div(old, other, rounding_mode=rounding_mode), other)

    def floor_divide_(self, other: TensorLike) -> Self:
        """Divide by `other` and round down."""
        return self._update(lambda old: mt.floor_divide(old, other), other)

    def remainder_(self, other: TensorLike) -> Self:
        """Take the remainder of the division by `other`."""
        return self._update(lambda old: mt.remainder(old, other), other)

    def pow_(self, exponent: TensorLike) -> Self:
        """Raise each element to the power of `exponent`."""
        return self._update(lambda old: mt.pow(old, exponent), exponent)

    def clamp_(self, min: TensorLike | None = None, max: TensorLike | None = None) -> Self:
        """Hold each element between `min` and `max`."""
        return self._update(lambda old: mt.clamp(old, min, max))

    def copy_(self, source: Any) -> Self:
        """Take over the elements of `source`, broadcast and converted."""
        return self.fill_(mt.ops.operands.convert(mt.as_tensor(source), self.device, self.dtype))

    def scatter_(self, dim: int, index: Tensor, src: TensorLike | None = None, *, value: float | None = None) -> Self:
        """Write along `dim` at the places that `index` names: the element of `src` that stands there, or one number."""
        value = src if value is None else value
        if value is None:
            raise TypeError("scatter_ expected src, a tensor or a number, or value=, a number; got neither")
        if isinstance(value, mt.Tensor) and value.ndim:
            value = value[tuple(map(slice, index.shape))]
        self[mt.ops.indexing.along(self, dim, index)] = value
        return self

    def zero_(self) -> Self:
        """Set every element to 0."""
        return self.fill_(0)

    def fill_(self, value: TensorLike) -> Self:
        """Set every element to `value`."""
        self[...] = value
        return self

    def uniform_(self, low: float = 0.0, high: float = 1.0, *, generator: Generator | None = None) -> Self:
        """Draw each element from the uniform distribution on [low, high)."""
        return self.fill_(mt.rand_like(self, generator=generator) * (high - low) + low)

    def normal_(self, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Self:
        """Draw each element from a normal distribution."""
        return self.fill_(mt.normal(mean, std, self.shape, generator=generator, dtype=self.dtype, device=self.device))

    # --- how ---------------------------------------------------------------------------------------------

    @property
    def _version(self):  # PyTorch's name
        return self._memory.version

    def bump_version(self) -> None:
        """Note that the elements were changed: backward then refuses to use what it remembered of them."""
        self._memory.version += 1

    def become_view(self, base: Tensor, function: Function, is_copy: bool = False) -> None:
        """Note whose memory this tensor shows, and which function made it of that: see `View`."""
        self._view = View(base, function, is_copy)
        if not is_copy:
            self._memory = base._memory
            self._memory.is_shown = True

    def as_result(self) -> Self:
        """This tensor as the result of an operation: no view for the user, whatever it is inside."""
        self._view = None
        self._memory.is_shown = False
        return self

    def _is_recorded(self, *others):
        """Whether a change by `others` belongs into the graph.

        Raises
        ------
        RuntimeError
            If this is a leaf that requires grad, or a view of one: the graph could not tell its value before from that
            after. If it cannot be written to.
        """
        view = self._view
        if view is not None and view.is_copy:
            raise RuntimeError(
                f"a change of this tensor, of shape {self.shape}, would be lost to the one that it was taken from: "
                "it had to be copied, because the elements lie in memory in another order. Change a clone() of it"
            )
        if not can_write(self.array):
            raise RuntimeError(
                "more than one element of this tensor refers to a single memory location, as after expand(), or the "
                "memory is read-only; change a clone() of it"
            )
        if not mt.is_grad_enabled():
            return False
        root = self if view is None else view.root
        for x in (self,) if view is None else (self, root):
            if x.requires_grad and x.is_leaf:
                what = "leaf Tensor" if x is self else "view of a leaf Tensor"
                raise RuntimeError(
                    f"a {what} that requires grad is being used in an in-place operation; "
                    "change it under no_grad(), or change a clone() of it"
                )
        if not (root.requires_grad or any(getattr(other, "requires_grad", False) for other in others)):
            return False
        if view is not None:
            returned = [function.name for function in view.path() if not function.is_view]
            if returned:
                raise RuntimeError(f"{returned[0]} returned its input as it is; change a clone() of it")
            if not self._requires_grad:
                view.place(self)  # taken under no_grad()
        return True

    def _update(self, function, *others):
        """Replace the elements by those of ``function(self)``."""
        recorded = self._is_recorded(*others)
        if recorded:
            old = mt.Tensor(self.array.copy(order="K"))  # what the graph remembers must outlive the change
            old.grad_fn = self.grad_fn
            new = function(old)
        else:
            with mt.no_grad():
                new = function(self)
        if new.shape != self.shape:
            raise RuntimeError(
                f"an in-place operation cannot change the shape: the tensor has {self.shape}, the result {new.shape}"
            )
        if "biuf".index(new.dtype.kind) > "biuf".index(self.dtype.kind):
            raise RuntimeError(f"a result of type {new.dtype} can't be written into a tensor of type {self.dtype}")
        if recorded and self._view is not None:
            self._assign(..., mt.ops.operands.operand_like(new, self))
        else:
            self.array[...] = new.array
            if recorded:
                self.grad_fn = mt.ops.operands.operand_like(new, self).grad_fn
        self.bump_version()
        return self

    def _assign(self, index, value):
        """Let the graph know that the part at an index has a new value, and set it."""
        root, path = (self, ()) if self._view is None else (self._view.root, self._view.path())
        is_shown = root._memory.is_shown
        root.grad_fn = mt.ops.indexing.SetItem(index, path)(root, value).grad_fn
        root._memory.is_shown = is_shown  # what shows it besides is gone
