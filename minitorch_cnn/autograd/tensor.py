"""The tensor: an array, and its place in the graph of the operations that made it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard, overload

import numpy as np

from minitorch_cnn.autograd.inplace import InPlace
from minitorch_cnn.autograd.methods import Conversions, Methods
from minitorch_cnn.autograd.operators import Operators
from minitorch_cnn.autograd.views import Memory
from minitorch_cnn.backend import CPU, CUDA, as_device, asarray, copied_with_owner, device_of, dtypes, to_numpy
from minitorch_cnn.backend.annotations import Array, DeviceLike, DType, Self
from minitorch_cnn.backend.arguments import described, destination
from minitorch_cnn.backend.devices import Device

if TYPE_CHECKING:
    from minitorch_cnn.autograd.function import Function

__all__ = ["Tensor", "is_floating_point", "is_tensor"]


class Tensor(Operators, Methods, Conversions, InPlace):
    """An array of numbers that remembers how it was computed.

    What can be computed with a tensor stands in `Operators`, `Methods` and `Conversions`; what changes one, in
    `InPlace`.

    Parameters
    ----------
    array : numpy.ndarray or cupy.ndarray
        The elements; not copied. Use `minitorch_cnn.tensor` to make a tensor of numbers and lists.
    requires_grad : bool
        Whether `backward` shall leave the gradient with respect to this tensor in its `grad`.

    Attributes
    ----------
    array : numpy.ndarray or cupy.ndarray
        The elements.
    grad : Tensor or None
        The gradient that `backward` has gathered for this leaf.
    grad_fn : Function or None
        The operation that made this tensor, if it was recorded.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
    """

    __slots__ = ("__weakref__", "_grad", "_grad_fn", "_hooks", "_memory", "_requires_grad", "_view", "array")
    __array_priority__ = 1000  # so that `numpy_array * tensor` calls this class

    def __init__(self, array: Array, requires_grad: bool = False) -> None:
        if isinstance(array, np.generic):  # what NumPy's reductions return in place of a 0-d array
            array = np.asarray(array)
        elif not hasattr(array, "strides"):
            raise NoArray(array)
        self.array = array
        self._grad = None
        self._grad_fn = None
        self._hooks = None  # what users hang on a leaf: see `hooks`
        self._requires_grad = False
        self._memory = Memory()  # shared by all tensors that show it: see `views`
        self._view = None
        if requires_grad:
            self.requires_grad = True

    # --- the array ---------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the dimensions, as a tuple."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        return self.array.dtype

    @property
    def device(self) -> Device:
        """Where the elements are: the CPU or a GPU."""
        return device_of(self.array)

    @property
    def is_cuda(self) -> bool:
        """Whether the elements are on a GPU."""
        return self.device == CUDA

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    @overload
    def size(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def size(self, dim: int) -> int: ...
    def size(self, dim: int | None = None) -> int | tuple[int, ...]:
        """The shape, or the size of one dimension."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    def nelement(self) -> int:
        """The number of elements: `numel` by its other name."""
        return self.array.size

    def element_size(self) -> int:
        """The bytes of one element."""
        return self.array.itemsize

    def is_floating_point(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return dtypes.is_floating(self.dtype)

    def is_contiguous(self) -> bool:
        """Whether the elements lie in memory in the order of the indices."""
        return self.array.flags.c_contiguous

    # --- the graph ---------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded, so that it can receive a gradient."""
        if self._view is not None:
            self._view.catch_up(self)
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and not self.is_floating_point():
            raise RuntimeError(f"only tensors of floating-point type can require gradients; this one is {self.dtype}")
        if not value and self.grad_fn is not None:
            raise RuntimeError(
                "requires_grad can be switched off for leaf tensors only; this one was made by "
                f"{self.grad_fn.name}. Use detach() to get a tensor that does not require grad"
            )
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set `requires_grad` and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad_fn(self) -> Function | None:
        """The operation that made this tensor, if it was recorded."""
        if self._view is not None:
            self._view.catch_up(self)
        return self._grad_fn

    @grad_fn.setter
    def grad_fn(self, node: Function | None) -> None:
        self._grad_fn, self._requires_grad = node, node is not None or self._requires_grad

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` has gathered for this leaf, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"a gradient must be None or a Tensor, got {described(value)}")
            if value.shape != self.shape:
                raise RuntimeError(
                    f"a gradient must be None or a Tensor of the shape {self.shape} of its tensor, got a Tensor of "
                    f"shape {value.shape}"
                )
            if value.dtype != self.dtype or value.device != self.device:
                expected, came = (f"{x.dtype} on {x.device}" for x in (self, value))
                raise RuntimeError(f"a gradient must be of its tensor's type and on its device, {expected}; got {came}")
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        return self.grad_fn is None

    @property
    def data(self) -> Tensor:
        """A tensor that shares this one's memory and is cut off from its graph and its version check."""
        self._memory.is_shown = True
        return Tensor(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data must be a Tensor, got {described(value)}")
        if self._requires_grad and not value.is_floating_point():
            raise RuntimeError(
                f"the data of a tensor that requires grad must be of a floating-point type, not {value.dtype}"
            )
        self.array = value.array
        self.bump_version()

    def detach(self) -> Tensor:
        """A tensor that shares this one's memory and is cut off from its graph."""
        detached = Tensor(self.array)
        detached._memory = self._memory
        detached._memory.is_shown = True
        return detached

    # --- conversion --------------------------------------------------------------------------------------

    def item(self) -> Any:
        """The one element as a Python number. On a GPU, this waits for all pending work."""
        if self.array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self.array.size} elements cannot be converted to a number; its shape is {self.shape}"
            )
        return self.array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.array.tolist()

    def numpy(self) -> np.ndarray:
        """The elements as a NumPy array that shares the tensor's memory.

        Raises
        ------
        RuntimeError
            If the tensor requires grad: NumPy does not record what it computes.
        TypeError
            If the tensor is on a GPU.
        """
        if self.requires_grad:
            raise RuntimeError("can't call numpy() on a Tensor that requires grad; use tensor.detach().numpy()")
        if self.is_cuda:
            raise TypeError(f"can't convert a tensor on {self.device} to numpy; use tensor.cpu().numpy()")
        self._memory.is_shown = True
        return self.array

    def __array__(self, dtype: DType = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        return array.copy() if copy else np.asarray(array, dtype=dtype)

    def __array_function__(self, func: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
        """NumPy's functions of tensors are those of their elements, and give NumPy's arrays."""
        if func in _OF_FORM:  # no element is read, so no gradient is lost
            args = tuple(arg.detach() if isinstance(arg, Tensor) else arg for arg in args)
        return func(*_as_numpy(args), **{name: _as_numpy(value) for name, value in kwargs.items()})

    def __dlpack__(self, **request: Any) -> Any:
        """The memory, for ``from_dlpack`` of another library: it is shared.

        Raises
        ------
        BufferError
            If the tensor requires grad: another library does not record what it computes.
        """
        if self.requires_grad:
            raise BufferError("can't export a Tensor that requires grad; use tensor.detach()")
        self._memory.is_shown = True
        return self.array.__dlpack__(**request)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def to(
        self,
        *args: DeviceLike | DType | Tensor | bool,
        device: DeviceLike = None,
        dtype: DType = None,
        non_blocking: bool = False,
        copy: bool = False,
    ) -> Tensor:
        """This tensor with another type or on another device; itself if nothing changes.

        Parameters
        ----------
        *args : device, dtype or Tensor
            A `Device` or its name, a dtype, both, or a tensor to become like.
        non_blocking : bool
            Without meaning here: a transfer is complete when this returns.
        copy : bool
            Make a copy even if nothing changes.
        """
        flags = [arg for arg in args if isinstance(arg, bool)]
        copy = flags[1] if len(flags) > 1 else copy
        device, dtype = destination(args, device, dtype)
        converted = self._converted(device or self.device, dtype or self.dtype)
        return converted.clone() if copy and converted is self else converted

    def cpu(self) -> Tensor:
        """This tensor on the CPU."""
        return self.to(CPU)

    def cuda(self) -> Tensor:
        """This tensor on the GPU."""
        return self.to(CUDA)

    # --- as a Python object ------------------------------------------------------------------------------

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __contains__(self, element: Any) -> bool:
        return bool((self == element).any())

    def __iter__(self) -> Iterator[Tensor]:
        if self.array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.is_floating_point():
            raise TypeError(f"only integer tensors can be used as an index; this one is {self.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise RuntimeError(
                f"the truth of a Tensor with {self.array.size} elements is ambiguous; use .any() or .all()"
            )
        return bool(self.item())

    __hash__ = object.__hash__

    def __deepcopy__(self, memo: dict) -> Self:
        """On a CPU, copies share memory where their originals do; on a GPU, each gets its own."""
        if self.grad_fn is not None:
            raise RuntimeError("only leaf tensors can be deep-copied; use detach().clone()")
        copied = type(self)(copied_with_owner(self.array, memo), requires_grad=self._requires_grad)
        memo[id(self)] = copied
        copied._memory = copy.deepcopy(self._memory, memo)
        if self._view is not None and self.device == CPU and self._view.root.is_leaf and not self._view.is_copy:
            copied._view = copy.deepcopy(self._view, memo)
        if self.grad is not None:
            copied.grad = copy.deepcopy(self.grad, memo) if self.grad.is_leaf else self.grad.clone()
        return copied

    def __reduce__(self) -> tuple:
        return _unpickle, (type(self), to_numpy(self.array), str(self.device), self._requires_grad)

    def __format__(self, spec: str) -> str:
        if spec and self.array.ndim:
            raise TypeError(f"only a 0-d tensor can be formatted by {spec!r}; this one has shape {self.shape}")
        return repr(self) if self.array.ndim else format(self.item(), spec)

    def __repr__(self) -> str:
        from minitorch_cnn.autograd.display import tensor_repr

        return tensor_repr(self)


class NoArray(TypeError):
    """Something else stands where an array belongs."""

    def __init__(self, value: object) -> None:
        super().__init__(f"Tensor wraps an array, got {described(value)}")
        self.value = value


_OF_FORM = (np.ndim, np.shape, np.size, np.zeros_like, np.ones_like, np.empty_like, np.full_like)


def _as_numpy(value):
    """An argument of a NumPy function with arrays in the place of tensors; a write into one would escape notice."""
    if isinstance(value, Tensor):
        array = value.numpy().view()
        array.flags.writeable = False
        return array
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return (tuple if isinstance(value, tuple) else list)(map(_as_numpy, value))
    return value


def _unpickle(cls, array, device, requires_grad):
    return cls(asarray(array, as_device(device)), requires_grad=requires_grad)


def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:
    """PyTorch's name of old for a tensor with a gradient: the numbers of a tensor, as a leaf.

    Parameters
    ----------
    data : Tensor
        Its memory is shared.
    requires_grad : bool

    Raises
    ------
    TypeError
        If `data` is no Tensor.
    """
    if not isinstance(data, Tensor):
        raise TypeError(f"Variable expected a Tensor, got {described(data)}")
    return data.detach().requires_grad_(requires_grad)


def is_tensor(value: object) -> TypeGuard[Tensor]:
    """Whether a value is a `Tensor`."""
    return isinstance(value, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements of a tensor are floating-point numbers."""
    return input.is_floating_point()
