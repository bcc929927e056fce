"""The operation, which is also the node of the graph."""

import copy

from minitorch_cnn.autograd.mode import mode, quiet
from minitorch_cnn.backend import device_of, get_array_module
from minitorch_cnn.tensor import Tensor

VARARGS = 0x04  # the flag of a code object whose last argument is `*args`


class Function:
    """One operation: called on tensors, it computes, and it is the node of the graph.

    A subclass defines ``forward(self, *arrays)``, which returns an array, and ``backward(self, dy, y, *inputs)``,
    which maps the gradient `dy` with respect to the output `y` to one gradient for each input (or None). What
    else the operation depends on, such as a stride, goes to ``__init__``. An input may be a Python number.

    An argument of `backward` whose name starts with an underscore is not read: only its shape and type are kept.
    A gradient may have the shape that broadcasting gave to the input; the sum over the repeated dimensions is
    taken by the engine, here, once for all operations.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> class Square(mt.autograd.Function):
    ...     def forward(self, x):
    ...         return x**2
    ...
    ...     def backward(self, dy, _y, x):
    ...         return (dy * 2 * x,)
    >>> x = mt.tensor(3.0, requires_grad=True)
    >>> Square()(x).backward()
    >>> x.grad
    tensor(6.)
    """

    is_view = False  # whether the output may share the memory of the first input
    index = None  # which part of the first input a view shows, where that can be said by an index

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        code = getattr(cls.backward, "__wrapped__", cls.backward).__code__
        count = code.co_argcount + bool(code.co_flags & VARARGS)
        _, _, output, *inputs = code.co_varnames[:count]
        cls._reads_output = not output.startswith("_")
        cls._reads_input = tuple(not name.startswith("_") for name in inputs)

    @property
    def name(self):
        """What the operation is called in messages."""
        return type(self).__name__

    def forward(self, *arrays):
        """The value of the operation."""
        raise TypeError(f"{self.name} must define forward(self, *arrays)")

    def backward(self, dy, y, *inputs):
        """The gradient with respect to each input."""
        raise TypeError(f"{self.name} must define backward(self, dy, y, *inputs)")

    def __call__(self, *inputs):
        if hasattr(self, "edges"):  # an instance is one node: the next call needs one of its own
            return self._another()(*inputs)
        recorded = mode.recording and self._prepare(inputs)
        arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
        try:
            with quiet():
                output = Tensor(self.forward(*arrays))
        except TypeError:
            need_one_device(self.name, *inputs)  # says it plainly if two array libraries were mixed
            raise
        except ValueError as error:
            if "broadcast" not in str(error):
                raise
            raise RuntimeError(f"{self.name}: {error}") from error
        if self._shares_memory(output.array, arrays[0]):
            output._version_counter = inputs[0]._version_counter
            output._view_of = inputs[0], self.index, inputs[0].grad_fn
        if recorded:
            self._record(inputs, output)
        return output

    def _prepare(self, inputs):
        """Whether an input requires grad; views whose base was changed find their place in the graph again."""
        recorded = False
        for x in inputs:
            if isinstance(x, Tensor):
                if x._view_of is not None and x._version:
                    x.catch_up()
                recorded = recorded or x._requires_grad
        return recorded

    def _another(self):
        """An instance with the same attributes that is not yet a node."""
        twin = copy.copy(self)
        del twin.edges
        return twin

    def _shares_memory(self, output, first):
        """Whether the output is the first input, or a view of it."""
        return output is first or (self.is_view and get_array_module(output).may_share_memory(output, first))

    def _record(self, inputs, output):
        """Become the node that `output` comes from."""
        reads = self._reads_input
        reads += reads[-1:] * (len(inputs) - len(reads))  # the last name may stand for many inputs, or none: `*_xs`
        self.inputs = tuple([_kept(x, read) for x, read in zip(inputs, reads, strict=False)])
        self.edges = tuple([source(x) if isinstance(x, Tensor) and x._requires_grad else None for x in inputs])
        self.versions = tuple([x._version_counter[0] if isinstance(x, Tensor) else None for x in self.inputs])
        # The output is kept as an array: a tensor would refer back to this node, and only Python's cyclic garbage
        # collector could then free the graph.
        self.output = output.array if self._reads_output else None
        self.output_version_counter, self.output_version = output._version_counter, output._version
        output.grad_fn, output._requires_grad = self, True

    def gradients(self, dy):
        """One gradient, or None, for each edge."""
        self._check_memory()
        y = None
        if self.output is not None:
            y = Tensor(self.output)
            y.grad_fn, y._requires_grad = self, True
        gradients = self.backward(dy, y, *self.inputs)
        if not isinstance(gradients, tuple) or len(gradients) != len(self.inputs):
            raise RuntimeError(
                f"{self.name}.backward must return a tuple of {len(self.inputs)} gradients, one for each input "
                f"(None where there is none); got {gradients!r}"
            )
        return [
            None if edge is None or gradient is None else self._unbroadcast(gradient, x.shape)
            for edge, gradient, x in zip(self.edges, gradients, self.inputs, strict=True)
        ]

    def _unbroadcast(self, gradient, shape):
        """Sum over the dimensions along which an input of this shape was repeated."""
        if gradient.shape == shape:
            return gradient
        extra = len(gradient.shape) - len(shape)
        repeated = [i for i, size in enumerate(shape, extra) if size == 1 and gradient.shape[i] != 1]
        summed = gradient.sum((*range(extra), *repeated), keepdim=True) if extra + len(repeated) else gradient
        if extra < 0 or summed.shape[extra:] != shape:
            raise RuntimeError(
                f"{self.name}.backward returned a gradient of shape {gradient.shape} for an input of shape {shape}"
            )
        return summed.reshape(shape)

    def _check_memory(self):
        """Refuse to compute from values that are freed or changed."""
        if self.inputs is None:
            raise RuntimeError(
                f"trying to backward through the graph a second time: what {self.name} remembered was freed by the "
                "first. Pass retain_graph=True to the first backward()"
            )
        for i, version in enumerate(self.versions):
            x = self.inputs[i]
            if version is not None and x._version_counter[0] != version:
                self._complain(f"input {i}, of shape {x.shape},", x._version, version)
        if self.output is not None and self.output_version_counter[0] != self.output_version:
            what = f"the output, of shape {self.output.shape},"
            self._complain(what, self.output_version_counter[0], self.output_version)

    def _complain(self, what, version, expected):
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an in-place operation: "
            f"{what} of {self.name} is at version {version}; expected version {expected} instead. "
            "Change a clone() of it, or change it after backward()"
        )

    def release(self):
        """Forget the values that were kept for `backward`.

        A node that keeps none has nothing to lose: it may be walked again, as in PyTorch.
        """
        if self.output is not None or any(x is not None and not isinstance(x, Outline) for x in self.inputs):
            self.inputs = self.output = None


class Outline:
    """All that is kept of an input whose values `backward` does not read."""

    __slots__ = ("device", "dtype", "requires_grad", "shape")

    def __init__(self, tensor):
        array = tensor.array
        self.shape, self.dtype, self.device = array.shape, array.dtype, device_of(array)
        self.requires_grad = tensor._requires_grad

    @property
    def ndim(self):
        return len(self.shape)


def _kept(x, is_read):
    """What a node keeps of an input: the value if `backward` reads it, else the outline of a tensor."""
    if not isinstance(x, Tensor):
        return x if is_read else None
    if not is_read:
        return Outline(x)
    return x if x._view_of is None else x.alias()  # a view knows its base, and the base may know this node


def need_one_device(name, *operands):
    """Refuse tensors that lie on two devices.

    Raises
    ------
    RuntimeError
        If they do.
    """
    devices = {str(x.device): None for x in operands if isinstance(x, Tensor)}
    if len(devices) > 1:
        raise RuntimeError(
            f"{name} expected all tensors on one device, got {' and '.join(devices)}; move them by .to(device)"
        )


def wants_grad(x):
    """Whether an input of an operation needs a gradient: a tensor may, a number does not."""
    return getattr(x, "requires_grad", False)


def source(tensor):
    """Where a gradient with respect to a tensor goes: to the operation that made it, or to the leaf itself."""
    return tensor if tensor.grad_fn is None else tensor.grad_fn
