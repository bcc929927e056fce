"""Loss functions as layers."""

from __future__ import annotations

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn import functional as F
from minitorch_cnn.nn.module import Module

__all__ = ["BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "L1Loss", "MSELoss", "NLLLoss"]


class CrossEntropyLoss(Module):
    """The cross-entropy of logits and labels: -log softmax(input)[target], the mean over a batch.

    Parameters
    ----------
    weight : Tensor, optional
        (C,): a factor for each class.
    ignore_index : int
        A label to leave out.
    reduction : {"mean", "sum", "none"}
    label_smoothing : float
        From 0 to 1: this part of the truth is spread evenly over all classes.

    See Also
    --------
    minitorch_cnn.nn.functional.cross_entropy : shapes and errors.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> loss = CrossEntropyLoss()(mt.zeros(4, 10), mt.tensor([0, 3, 9, 9]))
    >>> f"{loss:.4f}"  # log(10): all of ten classes are equally likely
    '2.3026'
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(Module):
    """The negative log-likelihood: minus the log-probability of each label. Put it after `LogSoftmax`.

    Parameters
    ----------
    weight : Tensor, optional
        (C,): a factor for each class.
    ignore_index : int
        A label to leave out.
    reduction : {"mean", "sum", "none"}
    """

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class MSELoss(Module):
    """The squared difference of prediction and target.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(MSELoss):
    """The absolute difference of prediction and target.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class BCELoss(Module):
    """The cross-entropy of probabilities and the truth of yes-or-no questions. Put it after `Sigmoid`.

    Parameters
    ----------
    weight : Tensor, optional
        A factor for each element, broadcast.
    reduction : {"mean", "sum", "none"}

    See Also
    --------
    minitorch_cnn.nn.functional.binary_cross_entropy : shapes and errors.
    """

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(Module):
    """`Sigmoid` and `BCELoss` in one, without overflow or loss of digits.

    Parameters
    ----------
    weight : Tensor, optional
        A factor for each element, broadcast.
    reduction : {"mean", "sum", "none"}
    pos_weight : Tensor, optional
        A factor for the part of the loss that the target has, broadcast.
    """

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )
