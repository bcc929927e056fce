"""The tensors that are learned."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import filled
from minitorch_cnn.backend.annotations import Array

__all__ = ["Parameter", "UninitializedBuffer", "UninitializedParameter"]


class Parameter(Tensor):
    """A tensor that a `Module` lists among its parameters when it is assigned to an attribute.

    Parameters
    ----------
    data : Tensor, optional
        Its elements are shared, not copied; without it, there are none.
    requires_grad : bool

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> Parameter(mt.zeros(2)).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data: Tensor | Array | None = None, requires_grad: bool = True) -> None:
        array = np.empty(0, np.float32) if data is None else data.array if isinstance(data, Tensor) else data
        super().__init__(array, requires_grad)


class Uninitialized:
    """A tensor of a lazy layer whose sizes are not known yet; it becomes a plain one in place, by `materialize`."""

    __slots__ = ()

    def __init__(self, data: Array | None = None, requires_grad: bool = False) -> None:
        super().__init__(np.empty(0, np.float32) if data is None else data, requires_grad)

    def materialize(self, shape: tuple[int, ...]) -> None:
        """Take on a shape; the elements are zeros. Whoever holds the tensor, such as an optimizer, holds it still."""
        self.data = Tensor(filled(shape, 0, self.device, self.dtype))
        self.__class__ = self._becomes

    def _unknown(self, *_: object) -> NoReturn:
        raise RuntimeError(
            f"the shape of this {type(self).__name__} is not known before the layer's first call: call the network "
            "once, on a batch of inputs, before the initial values are set or the elements counted"
        )

    shape = ndim = property(_unknown)
    numel = detach = __setitem__ = _unknown

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(Uninitialized, Parameter):
    """A parameter whose shape is not known yet, of a layer such as `LazyLinear`. An optimizer may hold it already."""

    __slots__ = ()
    _becomes = Parameter


class UninitializedBuffer(Uninitialized, Tensor):
    """A buffer whose shape is not known yet, of a layer such as `LazyBatchNorm2d`."""

    __slots__ = ()
    _becomes = Tensor
