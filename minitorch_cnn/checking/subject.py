"""What is checked: a function, the tensors that it is called with, and the tensors that it returns."""

from itertools import zip_longest

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.autograd.walk import grad
from minitorch_cnn.backend import asarray, to_numpy
from minitorch_cnn.checking.errors import GradcheckError, ShapeChanged


def as_tuple(inputs):
    """The inputs of a function; a single tensor is a tuple of one."""
    if isinstance(inputs, Tensor):
        return (inputs,)
    if not isinstance(inputs, (tuple, list)):
        raise TypeError(
            f"gradcheck expected a tensor, or a tuple or list of what to call the function with, got "
            f"{type(inputs).__name__}; minitorch_cnn.tensor(data, dtype=float64, requires_grad=True) makes a tensor"
        )
    return tuple(inputs)


def tensors_of(func, inputs):
    """All tensors and arrays that a function is called with, by name: the inputs, and the parameters of a module."""
    named = {
        f"input {i}": Lent(x) if isinstance(x, np.ndarray) else x
        for i, x in enumerate(inputs)
        if isinstance(x, Tensor) or (isinstance(x, np.ndarray) and x.dtype.kind in "fiub")
    }
    if hasattr(func, "named_parameters"):
        named |= {f"parameter {name}": parameter for name, parameter in func.named_parameters()}
    return named


def checked(tensors):
    """Those whose gradients are checked.

    Raises
    ------
    TypeError
        If one is not float64.
    ValueError
        If there is none, or one repeats its memory, or was computed from another.
    """
    found = {name: x for name, x in tensors.items() if x.requires_grad}
    if not found:
        raise ValueError("gradcheck expected at least one input that requires grad; got none")
    for name, x in found.items():
        if x.dtype != np.float64:
            raise TypeError(
                f"gradcheck needs float64, but {name} is {x.dtype}: a difference quotient in float32 is mostly "
                "rounding error. Convert inputs, and modules, with .double()"
            )
        if x.numel() and any(stride == 0 and size > 1 for stride, size in zip(x.array.strides, x.shape, strict=True)):
            raise ValueError(f"elements of {name} share their memory, as expand() makes them; pass a clone() of it")
    for name, x in found.items():
        others = [y for y in found.values() if y is not x]
        if not x.is_leaf and others and any(dx is not None for dx in _walk(x, others)):
            raise ValueError(
                f"{name} was computed from another input: a gradient with respect to that would go through both. Make "
                "it an input of its own, by .detach().requires_grad_()"
            )
    return found


def _walk(x, others):
    """The gradients of the sum of x with respect to others, None where there is no way to them."""
    return grad(x, others, like(np.ones(x.shape), x), retain_graph=True, allow_unused=True)


def outputs_of(func, inputs):
    """What a function returns, but for tensors of integers, which have no gradient."""
    outputs = func(*inputs)
    outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
    if not isinstance(outputs, (tuple, list)):
        hint = "wrap it in a lambda that picks them"
        if isinstance(outputs, np.ndarray):
            hint = "compute with tensors throughout, or check a function of arrays with its backward by check_pair"
        raise TypeError(
            "gradcheck needs a function that returns a tensor or a tuple of tensors, "
            f"got {type(outputs).__name__}: {hint}"
        )
    for i, y in enumerate(outputs):
        if not isinstance(y, Tensor):
            raise TypeError(
                f"gradcheck needs a function that returns a tensor or a tuple of tensors, but output {i} is of type "
                f"{type(y).__name__}: wrap it in a lambda that picks the tensors"
            )
    floating = [y for y in outputs if y.is_floating_point()]
    if not floating:
        raise ValueError("gradcheck has nothing to check: none of its outputs is of a floating-point type")
    return floating


def need_elements(what, tensors):
    """Refuse a check of nothing, such as that of an empty batch."""
    if not any(x.numel() for x in tensors):
        shapes = " and ".join(str(x.shape) for x in tensors) or "none"
        raise ValueError(
            f"gradcheck has nothing to check: no {what} has an element, got {shapes}. Pass a batch of at least one"
        )


def need_no_empty(tensors):
    """Refuse a tensor without elements, where all gradients are 0: the loss of nothing is no check either."""
    for name, x in tensors.items():
        if not x.numel():
            raise ValueError(
                f"gradcheck has nothing to check: {name}, of shape {x.shape}, has no elements, and all gradients are 0"
                ". Pass a batch of at least one"
            )


class Lent(Tensor):
    """Stands for an array that the function is handed itself."""

    __slots__ = ()


class Copies:
    """Tensors that hold copies of their arrays in a ``with`` block.

    What the check moves is then nobody else's memory: not another input's, nor the caller's, which may be read-only.
    """

    def __init__(self, tensors):
        self.tensors = tensors

    def __enter__(self):
        self.originals = {id(x): (x, x.array) for x in self.tensors.values()}
        self.copies = {}
        for x, original in self.originals.values():
            self.copies[id(x)] = x.array = original.copy(order="K")
        return self

    def __exit__(self, *_):
        for x, original in self.originals.values():
            if isinstance(x, Lent) and not _same(original, x.array):
                original[...] = x.array
            x.array = original

    def need_unchanged(self):
        """Refuse a function that has changed what it was called with."""
        for name, x in self.tensors.items():
            copy, (_, original) = self.copies[id(x)], self.originals[id(x)]
            if x.array is not copy or not _same(original, copy):
                raise GradcheckError(
                    f"the function changes {name}, of shape {x.shape}, in place: it is called many times, and each "
                    "call would begin at another point. Let it work on a clone() (the values given are as they were)"
                )


def _same(a, b):
    a, b = to_numpy(a), to_numpy(b)
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def need_shapes(expected, outputs):
    """Refuse a function whose outputs have other shapes when an input is moved."""
    found = [y.shape for y in outputs]
    if found != expected:
        raise ShapeChanged(
            "the shape of what the function returns depends on the values of its inputs: "
            f"{_as_list(expected)} at the point given, and {_as_list(found)} when an input is moved a little. Where "
            "entries come and go there is no derivative: move the input away from there, or choose the entries by "
            "indices that stay"
        )


def need_same(what, first, second, nondet_tol):
    """Refuse a function of which two calls differ: lists of arrays."""
    for i, (a, b) in enumerate(zip_longest(first, second, fillvalue=np.empty(0))):
        if a.shape != b.shape or not np.allclose(a, b, rtol=0, atol=nondet_tol, equal_nan=True):
            raise GradcheckError(
                f"two calls with the same inputs differ in {what} (number {i}, of shape {a.shape}): the function draws "
                "random numbers, like dropout in training, or remembers its last call. Check a module in evaluation, "
                "after .eval(), or set the seed inside of the function; nondet_tol allows small differences"
            )


def arrays_of(tensors):
    """Their values, as NumPy arrays."""
    return [to_numpy(x.array) for x in tensors]


def like(array, tensor):
    """A tensor of the same device and type, of its own memory."""
    return Tensor(asarray(np.array(array), tensor.device, tensor.dtype))


def _as_list(shapes):
    return " and ".join(map(str, shapes)) or "nothing"
