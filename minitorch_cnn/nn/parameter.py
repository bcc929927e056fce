"""The tensors that are learned."""

from minitorch_cnn.autograd.tensor import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A tensor that a `Module` lists among its parameters when it is assigned to an attribute.

    Parameters
    ----------
    data : Tensor
        Its elements are shared, not copied.
    requires_grad : bool

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> Parameter(mt.zeros(2)).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data, requires_grad=True):
        super().__init__(data.array if isinstance(data, Tensor) else data, requires_grad)
