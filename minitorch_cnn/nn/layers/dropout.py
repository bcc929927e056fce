"""Dropout."""

from __future__ import annotations

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn import functional as F
from minitorch_cnn.nn.functional.checks import check_dropout
from minitorch_cnn.nn.module import Module

__all__ = ["Dropout", "Dropout2d"]


class Dropout(Module):
    """In training, zero each element with probability p and scale the others by 1 / (1 - p); else do nothing.

    Parameters
    ----------
    p : float
        From 0 to 1.
    inplace : bool
        Whether to write the result into the input.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> Dropout(0.5).eval()(mt.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_dropout(p)
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout2d(Dropout):
    """`Dropout` of whole channels. (N, C, H, W) → the same.

    Parameters
    ----------
    p : float
        From 0 to 1.
    inplace : bool
        Whether to write the result into the input.
    """

    receptive_field = "same"

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)
