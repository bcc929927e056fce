"""Loss functions: cross-entropy, negative log-likelihood, squared and absolute error."""

from __future__ import annotations

import math
import warnings

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.dtypes import int64
from minitorch_cnn.nn.functional.checks import (
    are_probabilities,
    are_unchecked,
    check_binary_cross_entropy,
    check_binary_cross_entropy_with_logits,
    check_cross_entropy,
    check_difference,
    check_nll_loss,
    class_dim,
)
from minitorch_cnn.ops.classification import BinaryCrossEntropy, CrossEntropy, log_softmax
from minitorch_cnn.ops.creation import arange
from minitorch_cnn.ops.elementwise import LogSigmoid, abs, where
from minitorch_cnn.ops.operands import convert
from minitorch_cnn.ops.reduce import pick

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "l1_loss", "mse_loss", "nll_loss",
    "one_hot",
]  # fmt: skip


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input)[target], the mean over a batch: the negative log-likelihood of the labels, in nats.

    Parameters
    ----------
    input : Tensor
        Logits (not probabilities): (N, C), (N, C, d1, …), or (C,) for a single example.
    target : Tensor
        Labels, integers from 0 to C - 1: (N,), (N, d1, …) or (). Or probabilities, of the shape of `input`.
    weight : Tensor, optional
        (C,): a factor for each class.
    ignore_index : int
        A label to leave out.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the sum of the weights of the labels that count; with probabilities, by their number N·d1·….
    label_smoothing : float
        From 0 to 1: this part of the truth is spread evenly over all classes.

    Returns
    -------
    Tensor
        A scalar, or the shape of the labels with reduction "none".

    Raises
    ------
    TypeError
        If one of them is not a tensor.
    IndexError
        If a label is neither from 0 to C - 1 nor `ignore_index`. On a GPU, this takes a read of the labels; within
        `backend.deferred_checks`, as in the training loop, the loss is NaN instead.
    ValueError
        If the batches differ in size, or `reduction` is unknown.
    RuntimeError
        If `target` is neither of integers nor of the shape of `input`, or another shape does not fit.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> f"{cross_entropy(mt.tensor([[0.0, 0.0], [1e4, -1e4]]), mt.tensor([0, 0])):.4f}"  # log(2) / 2
    '0.3466'
    """
    check_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    if are_probabilities(target, input):
        return _soft_loss(log_softmax(input, class_dim(input)), target, weight, reduction, label_smoothing)
    if weight is None and not label_smoothing and input.ndim == 2 and input.shape[1] and input.is_floating_point():
        return CrossEntropy(ignore_index, reduction)(input, convert(target, target.device, int64))
    log_p = log_softmax(input, class_dim(input))  # (N, C, …)
    return _label_loss(log_p, target, weight, ignore_index, reduction, label_smoothing)


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-input[target]: the negative log-likelihood, of log-probabilities and labels.

    Parameters and errors are those of `cross_entropy`, which is this function after `log_softmax`.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> nll_loss(mt.tensor([[-1.0, -2.0], [-3.0, -4.0]]), mt.tensor([0, 1])).item()
    2.5
    """
    check_nll_loss(input, target, weight, ignore_index, reduction)
    return _label_loss(input, target, weight, ignore_index, reduction, 0.0)


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """(input - target)², element by element, then reduced.

    Parameters
    ----------
    input, target : Tensor
        Of the same shape; otherwise they are broadcast, with a warning.
    reduction : {"mean", "sum", "none"}

    Warns
    -----
    UserWarning
        If the shapes differ: (N, 1) and (N,) would be compared each with each.
    """
    difference = _difference("mse_loss", input, target, reduction)
    return _reduce(difference * difference, reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """|input - target|, element by element, then reduced. Parameters and warnings are those of `mse_loss`."""
    return _reduce(abs(_difference("l1_loss", input, target, reduction)), reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """-(target · log input + (1 - target) · log(1 - input)), element by element, then reduced.

    Parameters
    ----------
    input : Tensor
        Probabilities. Of 0, the logarithm is taken as -100.
    target : Tensor
        Probabilities, of the same shape.
    weight : Tensor, optional
        A factor for each element, broadcast.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ValueError
        If the shapes differ, or `reduction` is unknown.
    RuntimeError
        If an element of `input` is not from 0 to 1, or the types differ.

    See Also
    --------
    binary_cross_entropy_with_logits : takes what goes into the sigmoid, and so is exact everywhere.
    """
    check_binary_cross_entropy(input, target, reduction)
    loss = BinaryCrossEntropy()(input, target)
    return _reduce(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input) and the target, without overflow or loss of digits.

    Parameters
    ----------
    input : Tensor
        Logits.
    target : Tensor
        Probabilities, of the same shape.
    weight : Tensor, optional
        A factor for each element, broadcast.
    reduction : {"mean", "sum", "none"}
    pos_weight : Tensor, optional
        A factor for the part of the loss that `target` has, broadcast: above 1, what is there is missed less often.

    Raises
    ------
    ValueError
        If the shapes differ, or `reduction` is unknown.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> f"{binary_cross_entropy_with_logits(mt.tensor([0.0, 1e4]), mt.tensor([1.0, 1.0])):.4f}"  # log(2) / 2
    '0.3466'
    """
    check_binary_cross_entropy_with_logits(input, target, reduction)
    log_p = LogSigmoid()(input)
    loss = (1 - target) * input - (log_p if pos_weight is None else log_p * (1 + (pos_weight - 1) * target))
    return _reduce(loss if weight is None else loss * weight, reduction)


# --- how -------------------------------------------------------------------------------------------------


def _difference(name, input, target, reduction):
    check_difference(name, input, target, reduction)
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )
    return input - target


def _label_loss(log_p, target, weight, ignore_index, reduction, label_smoothing):
    """The loss of labels: minus the log-probability of each, times the weight of its class."""
    dim = class_dim(log_p)
    target = target.to(int64).unsqueeze(dim)  # (N, 1, …)
    mask = target != ignore_index
    index = where(mask, target, 0)
    if weight is not None:
        weight = _lying_along(dim, weight.to(log_p.dtype), log_p).expand(log_p.shape)  # (N, C, …)
        log_p = log_p * weight
    loss = -pick(log_p, dim, index)  # (N, 1, …)
    if label_smoothing:
        evenly = log_p.sum(dim, keepdim=True) / log_p.shape[dim]  # (N, 1, …)
        loss = (1 - label_smoothing) * loss - label_smoothing * evenly
    if are_unchecked(target):
        loss = where((index >= 0) & (index < log_p.shape[dim]), loss, math.nan)
    loss = where(mask, loss, 0.0).squeeze(dim)  # (N, …)
    if reduction != "mean":
        return _reduce(loss, reduction)
    parts = mask.to(log_p.dtype) if weight is None else where(mask, pick(weight, dim, index), 0.0)
    return loss.sum() / parts.sum()  # of no label that counts: 0 / 0 is NaN, as in PyTorch


def _soft_loss(log_p, target, weight, reduction, label_smoothing):
    """The loss of probabilities: -Σ target · log p over the classes."""
    dim = class_dim(log_p)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / log_p.shape[dim]
    if weight is not None:
        target = target * _lying_along(dim, weight.to(log_p.dtype), log_p)
    return _reduce(-(log_p * target).sum(dim), reduction)


def _reduce(loss, reduction):
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.mean() if loss.numel() else loss.sum() * math.nan


def _lying_along(dim, vector, tensor):
    """A vector that lies along one dimension of a tensor, to be broadcast: (C,) → (C, 1, …)."""
    return vector.reshape(-1, *(1,) * (tensor.ndim - dim - 1))


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """For each label a row of zeros, with 1 at the label.

    Parameters
    ----------
    tensor : Tensor of int64
        Labels, of any shape.
    num_classes : int
        The length of a row; -1 for one more than the largest label.

    Returns
    -------
    Tensor of int64
        Of one more dimension than `tensor`.

    Raises
    ------
    RuntimeError
        If a label is below 0, not below `num_classes`, or no int64; or if there is no label to tell the length by.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> one_hot(mt.tensor([0, 2])).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    if tensor.dtype != int64:
        raise RuntimeError(f"one_hot expected labels of int64, got {tensor.dtype}; make them so with .long()")
    if num_classes < 1 and (num_classes != -1 or not tensor.numel()):
        raise RuntimeError(f"one_hot expected num_classes of 1 or more, got {num_classes} for {tensor.numel()} labels")
    largest = int(tensor.max().item()) if tensor.numel() else -1
    length = largest + 1 if num_classes == -1 else num_classes
    if tensor.numel() and not (int(tensor.min().item()) >= 0 and largest < length):
        raise RuntimeError(f"one_hot expected labels from 0 to {length - 1}, got {tensor.min().item()} to {largest}")
    return (tensor.unsqueeze(-1) == arange(length, device=tensor.device)).long()
