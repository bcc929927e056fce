"""The operation, which is also the node of the graph."""

from __future__ import annotations

import copy
import numbers
from typing import Any, NoReturn

import numpy as np

from minitorch_cnn.autograd.memory import Kept, Reads
from minitorch_cnn.autograd.mode import mode, quiet
from minitorch_cnn.autograd.tensor import NoArray, Tensor
from minitorch_cnn.backend import share_memory
from minitorch_cnn.backend.annotations import Self, TensorLike
from minitorch_cnn.backend.arguments import described

HERE = (
    "Here, forward(self, *arrays) and backward(self, dy, y, *inputs) are methods without @staticmethod, `reads` states "
    "what backward reads, in place of ctx.save_for_backward, and Square()(x) stands for Square.apply(x)"
)


class Function:
    """One operation: called on tensors, it computes, and it is the node of the graph.

    A subclass defines ``forward(self, *arrays)``, which returns an array, and ``backward(self, dy, y, *inputs)``,
    which maps the gradient `dy` with respect to the output `y` to one gradient for each input (or None). What
    else the operation depends on, such as a stride, goes to ``__init__``. An input may be a Python number.

    Attributes
    ----------
    reads : dict of str or None
        Whose values each gradient is computed from: ``{"da": "b", "db": "y b"}`` for inputs a and b and the output
        y, by the names of the arguments of `backward`; ``{}`` if all follow from dy alone. Of what is not read for
        a gradient that is wanted, only the outline is kept: shape, ndim, dtype, device, requires_grad. Where
        nothing is stated (None), everything is kept.

    Notes
    -----
    A gradient may have the shape that broadcasting gave to the input; the sum over the repeated dimensions is
    taken by the engine, here, once for all operations.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> class Square(mt.autograd.Function):
    ...     reads = {"dx": "x"}
    ...
    ...     def forward(self, x):
    ...         return x**2
    ...
    ...     def backward(self, dy, y, x):
    ...         return (dy * 2 * x,)
    >>> x = mt.tensor(3.0, requires_grad=True)
    >>> Square()(x).backward()
    >>> x.grad
    tensor(6.)
    """

    reads: dict[str, str] | None = None
    is_view = False  # whether the output may show the memory of the first input; one that is the input always does
    edges: list[Function | Tensor | None] | None = None  # where each gradient goes, once this is a node
    _hooks = None  # what users hang on the output: see `hooks`

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for rule in (vars(cls).get("forward"), vars(cls).get("backward")):
            if isinstance(rule, (staticmethod, classmethod)):
                raise TypeError(f"{cls.__name__} is a function in PyTorch's style. {HERE}")
        if "backward" in vars(cls) and "reads" not in vars(cls):
            cls.reads = None  # what another rule reads says nothing about this one
        cls._reads = Reads(cls)

    @property
    def name(self) -> str:
        """What the operation is called in messages."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Function | Tensor | None, int], ...]:
        """PyTorch's form of `edges`: pairs of a node, leaf or None, and 0, for each operation has one output."""
        return tuple((edge, 0) for edge in self.edges or ())

    def forward(self, *arrays: Any, **_: Any) -> Any:
        """The value of the operation."""
        raise TypeError(f"{self.name} must define forward(self, *arrays)")

    def backward(self, dy: Tensor, y: Tensor, /, *inputs: Any, **_: Any) -> tuple[Tensor | None, ...]:
        """The gradient with respect to each input."""
        raise TypeError(f"{self.name} must define backward(self, dy, y, *inputs)")

    @classmethod
    def apply(cls, *inputs: Any) -> NoReturn:
        """Refused: an operation is called as ``Square()(x)``."""
        raise TypeError(f"{cls.__name__}.apply is PyTorch's style. {HERE}")

    def __call__(self, *inputs: TensorLike) -> Tensor:
        if self.edges is not None:  # an instance is one node: the next call needs one of its own
            return self.again()(*inputs)
        arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
        try:
            with quiet():
                output = Tensor(self.forward(*arrays))
        except NoArray as error:
            raise TypeError(
                f"{self.name}.forward must return one array, computed from the arrays that it is called with; got "
                f"{'None' if error.value is None else 'a ' + type(error.value).__name__}"
            ) from None
        except (TypeError, ValueError) as error:
            self._raise_plainly(error, inputs)
            raise
        if output.array is arrays[0] or (self.is_view and share_memory(output.array, arrays[0])):
            output.become_view(inputs[0], self)
        wanted = tuple([wants_grad(x) for x in inputs]) if mode.recording else ()
        if True in wanted and output.array.dtype.kind == "f":
            self.edges = [edge_to(x) if is_wanted else None for x, is_wanted in zip(inputs, wanted)]
            self.kept = Kept(output, inputs, wanted, self._reads[wanted])
            output.grad_fn = self
        return output

    def again(self) -> Self:
        """The same operation, which is not yet a node."""
        twin = copy.copy(self)
        twin.edges = twin.kept = twin._hooks = None
        return twin

    def gradients(self, dy: Tensor) -> list[Tensor | None]:
        """One gradient, or None, for each edge."""
        y, *inputs = self.kept.recall(self)
        gradients = self.backward(dy, y, *inputs)
        if not isinstance(gradients, tuple) or len(gradients) != len(inputs):
            raise RuntimeError(
                f"{self.name}.backward must return a tuple of {len(inputs)} gradients, one for each input "
                f"(None where there is none); got {gradients!r}"
            )
        return [
            None if edge is None or gradient is None else self._fitting(gradient, x)
            for edge, gradient, x in zip(self.edges, gradients, inputs, strict=True)
        ]

    def release(self) -> None:
        """Forget the values that were kept for `backward`."""
        self.kept.release()

    # --- how ---------------------------------------------------------------------------------------------

    def _raise_plainly(self, error, inputs):
        """Raise in plain words what the array library did not understand, where that can be told."""
        if isinstance(error, ValueError):
            if "broadcast" in str(error):
                raise RuntimeError(f"{self.name}: {error}") from error
            return
        need_one_device(self.name, *inputs)
        strangers = [x for x in inputs if not isinstance(x, (Tensor, numbers.Number, np.bool_, type(None)))]
        if strangers:
            raise TypeError(f"{self.name} expected Tensors, got {described(strangers[0])}") from None

    def _fitting(self, gradient, x):
        """A gradient in the type of its input, summed over the dimensions along which that was repeated."""
        shape = x.shape
        if not isinstance(gradient, Tensor):
            raise TypeError(
                f"{self.name}.backward must return Tensors, computed from those that it is called with, so that it can "
                f"be differentiated again; got {described(gradient)}"
            )
        if gradient.dtype != x.dtype:
            gradient = gradient.to(x.dtype)
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


def need_one_device(name: str, *operands: object) -> None:
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


def wants_grad(x: object) -> bool:
    """Whether an input of an operation needs a gradient: a tensor may, a number does not."""
    return getattr(x, "requires_grad", False)


def edge_to(tensor: Tensor) -> Function | Tensor:
    """Where a gradient with respect to a tensor goes: to the operation that made it, or to the leaf itself."""
    node = tensor.grad_fn
    return tensor if node is None else node
