"""Hooks: functions that users hang on a tensor or a module, to look at what passes there or to put in another."""

from __future__ import annotations

import weakref
from itertools import count

from minitorch_cnn.autograd.function import edge_to
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import Self
from minitorch_cnn.backend.arguments import described

retaining = weakref.WeakValueDictionary()  # by id, the results that shall receive a gradient: see `retain`
_numbers = count()


class RemovableHandle:
    """What takes a hook off again: by `remove`, or at the end of a ``with`` block."""

    def __init__(self, hooks: dict) -> None:
        self.hooks, self.id = hooks, next(_numbers)

    def remove(self) -> None:
        """Take the hook off, if it is still there."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Hooks(dict):
    """The hooks at one place, in the order in which they are called."""

    with_kwargs = frozenset()  # the numbers of those that a module calls with its keyword arguments, too

    def add(self, hook, first=False, with_kwargs=False):
        """Hang up a hook behind the others, or before them. Returns its `RemovableHandle`."""
        if not callable(hook):
            raise TypeError(f"a hook must be a function, got {described(hook)}")
        handle, others = RemovableHandle(self), dict(self)
        self[handle.id] = hook
        if with_kwargs:
            self.with_kwargs |= {handle.id}
        if first:
            for number in others:
                self[number] = self.pop(number)
        return handle


def hook_on(tensor, hook):
    """Hang a hook on where the gradient with respect to a tensor goes: see `Tensor.register_hook`."""
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    place = edge_to(tensor)
    if place._hooks is None:
        place._hooks = Hooks()
    return place._hooks.add(hook)


def retain(tensor):
    """Let a result receive a gradient: see `Tensor.retain_grad`."""
    if not tensor.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if not tensor.is_leaf:
        retaining[id(tensor)] = tensor


def through_hooks(hooks, gradient):
    """What the hooks of a tensor make of a gradient."""
    for hook in list(hooks.values()):
        gradient = gradient.clone()  # a hook may change it in place, and others may have been handed it
        answer = hook(gradient)
        if answer is None:
            continue
        name = getattr(hook, "__name__", repr(hook))
        if not isinstance(answer, Tensor):
            raise TypeError(f"the hook {name} must return a Tensor or None, got {described(answer)}")
        for what in ("shape", "dtype", "device"):
            before, after = getattr(gradient, what), getattr(answer, what)
            if before != after:
                raise RuntimeError(f"the hook {name} has changed the {what} of the gradient from {before} to {after}")
        gradient = answer
    return gradient
