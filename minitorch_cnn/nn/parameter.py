"""The tensors that are learned."""

from __future__ import annotations

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.types import Array

__all__ = ["Parameter"]


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
