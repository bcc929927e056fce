"""What annotations call the kinds of arguments. Type checkers and people read them; nothing runs by them."""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeAlias, TypeVar

import numpy as np

if TYPE_CHECKING:
    from typing_extensions import Self

    from minitorch_cnn.autograd.tensor import Tensor
    from minitorch_cnn.backend.devices import Device
else:
    Self = Any  # Python has it from 3.11 on

MYPY = False  # True to mypy, and to nobody else: see the faces of the rooms, whose `__all__` it cannot read

Array: TypeAlias = np.ndarray  # or CuPy's, which has the same methods
TensorLike: TypeAlias = "Tensor | np.ndarray | np.generic | float"  # what can stand beside a tensor in an operation
Tensors: TypeAlias = "Tensor | Sequence[Tensor]"
Params: TypeAlias = "Iterable[Tensor | dict[str, Any]]"  # what an optimizer changes: tensors, or groups of them
Batches: TypeAlias = "Iterable[Any]"  # pairs (x, y)
Loss: TypeAlias = "Callable[..., Tensor]"  # of the outputs of a network and the targets
FilePath: TypeAlias = "str | PathLike[str]"
DType: TypeAlias = "np.dtype | type | str | None"  # minitorch_cnn.float32, float, "float32", or what is usual
DeviceLike: TypeAlias = "Device | str | None"  # minitorch_cnn.device("cpu"), "cpu", or what is usual
Dims: TypeAlias = "int | Sequence[int] | None"  # one dimension, some, or all
Ints: TypeAlias = "int | Sequence[int]"  # a size, or the sizes of a shape
IntOrPair: TypeAlias = "int | Sequence[int]"  # 3 or (3, 3): height and width

F = TypeVar("F", bound=Callable[..., Any])  # what a decorator returns as it came
P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class Samples(Protocol):
    """A data set: what has a length, and samples by their index."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...


class HasForward(Protocol[P, R]):
    """A module, by the parameters and the result of its `forward`: those of a call are the same."""

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
