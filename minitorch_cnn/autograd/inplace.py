"""What changes a tensor in place: assignment to elements, and the methods whose names end in an underscore.

Each bumps the version that all tensors of the same memory share, so that `backward` can refuse to use values
which it remembered and which are gone. A change that must be recorded gives the tensor a new place in the graph.
"""

from itertools import pairwise

import minitorch_cnn as mt  # the names behind `mt.` are looked up when a method runs: see operators.py


class InPlace:
    """The methods of `Tensor` that change it."""

    __slots__ = ()

    def __setitem__(self, index, value):
        value = mt.ops.operands.operand_like(value, self)
        assignment = mt.ops.indexing.SetItem(index)
        if not self._is_recorded(value):
            assignment.forward(self.array, value.array)
            self.bump_version()
        else:
            self._follow(assignment(self.alias(), value))

    def __iadd__(self, other):
        return self.add_(other)

    def __isub__(self, other):
        return self.sub_(other)

    def __imul__(self, other):
        return self.mul_(other)

    def __itruediv__(self, other):
        return self.div_(other)

    def add_(self, other, *, alpha=1):
        """Add ``alpha * other``."""
        return self._update(lambda old: mt.add(old, other, alpha=alpha), other)

    def sub_(self, other, *, alpha=1):
        """Subtract ``alpha * other``."""
        return self._update(lambda old: mt.sub(old, other, alpha=alpha), other)

    def mul_(self, other):
        """Multiply by `other`."""
        return self._update(lambda old: mt.mul(old, other), other)

    def div_(self, other, *, rounding_mode=None):
        """Divide by `other`."""
        return self._update(lambda old: mt.div(old, other, rounding_mode=rounding_mode), other)

    def clamp_(self, min=None, max=None):
        """Hold each element between `min` and `max`."""
        return self._update(lambda old: mt.clamp(old, min, max))

    def copy_(self, source):
        """Take over the elements of `source`, broadcast and converted."""
        return self.fill_(mt.ops.operands.convert(mt.as_tensor(source), self.device, self.dtype))

    def zero_(self):
        """Set every element to 0."""
        return self.fill_(0)

    def fill_(self, value):
        """Set every element to `value`."""
        self[...] = value
        return self

    def uniform_(self, low=0.0, high=1.0, *, generator=None):
        """Draw each element from the uniform distribution on [low, high)."""
        return self.fill_(mt.rand_like(self, generator=generator) * (high - low) + low)

    def normal_(self, mean=0.0, std=1.0, *, generator=None):
        """Draw each element from a normal distribution."""
        return self.fill_(mt.normal(mean, std, self.shape, generator=generator, dtype=self.dtype, device=self.device))

    # --- how ---------------------------------------------------------------------------------------------

    def _is_recorded(self, *others):
        """Whether a change by `others` belongs into the graph.

        Raises
        ------
        RuntimeError
            If this is a leaf that requires grad: the graph could not tell its value before from that after.
        """
        if not mt.is_grad_enabled():
            return False
        if self.is_leaf and self.requires_grad:
            raise RuntimeError(
                "a leaf Tensor that requires grad is being used in an in-place operation; "
                "change it under no_grad(), or change a clone() of it"
            )
        recorded = self.requires_grad or any(getattr(other, "requires_grad", False) for other in others)
        if recorded and self._view_of is not None:
            base, index, _ = self._view_of
            if index is None:
                raise RuntimeError(
                    "an in-place operation that needs a gradient is not supported on this kind of view; "
                    "change the tensor that it is a view of, or change a clone()"
                )
            base._is_recorded(*others)
        return recorded

    def _update(self, function, *others):
        """Replace the elements by those of ``function(self)``."""
        recorded = self._is_recorded(*others)
        if recorded:
            old = self.alias()
            old.array = self.array.copy(order="K")  # what the graph remembers must outlive the change
            old._version_counter = [0]
            new = function(old)
        else:
            with mt.no_grad():
                new = function(self)
        if new.shape != self.shape:
            raise RuntimeError(
                f"an in-place operation cannot change the shape: the tensor has {self.shape}, the result {new.shape}"
            )
        if new.is_floating_point() and not self.is_floating_point():
            raise RuntimeError(f"a result of type {new.dtype} can't be written into a tensor of type {self.dtype}")
        self.array[...] = new.array
        if recorded:
            self._follow(new)
        else:
            self.bump_version()
        return self

    def _follow(self, new):
        """Take the place of `new` in the graph; if this is a view, its base follows."""
        self._grad_fn, self._requires_grad = new.grad_fn, new.requires_grad
        self.bump_version()
        if self._view_of is not None:
            base, index, _ = self._view_of
            base[index] = self

    # --- views ----------------------------------------------------------------------------------------------

    def become_view(self, base, index):
        """Note whose memory this tensor shows, and which part of it: an index, or None where none describes it."""
        self._version_counter = base._version_counter
        self._view_of = base, index, base.grad_fn

    def catch_up(self):
        """Find the place of a view in the graph again, if its base was given a new one since the view was taken.

        Raises
        ------
        RuntimeError
            If it is a view that no index describes.
        """
        if not self._version:
            return
        views = [self]
        while views[-1]._view_of is not None:
            views.append(views[-1]._view_of[0])
        for base, view in pairwise(reversed(views)):
            _, index, grad_fn = view._view_of
            if base._grad_fn is grad_fn:
                continue
            if index is None:
                raise RuntimeError(
                    "this tensor is a view of one that was changed in place since, in a way that needs a gradient; "
                    "take the view again, after the change"
                )
            view._view_of = base, index, base._grad_fn
            with mt.enable_grad():
                again = base[index]
            view._grad_fn, view._requires_grad = again._grad_fn, again._requires_grad
