"""Loss functions: cross-entropy, negative log-likelihood, squared error."""

import math
import warnings

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import to_numpy
from minitorch_cnn.backend.dtypes import int64
from minitorch_cnn.gpu.recording import checks_are_deferred
from minitorch_cnn.ops.classification import CrossEntropy, log_softmax
from minitorch_cnn.ops.elementwise import where
from minitorch_cnn.ops.reduce import pick

__all__ = ["cross_entropy", "mse_loss", "nll_loss"]


def cross_entropy(input, target, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """-log softmax(input)[target]: how surprised the network is by the truth, in nats.

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
        `recording.deferred_checks`, as in the training loop, the loss is NaN instead.
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
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    _check("cross_entropy", input, target, weight, reduction)
    is_plain = input.ndim == 2 and input.shape[1] and input.is_floating_point() and target.dtype.kind in "iu"
    if is_plain and weight is None and not label_smoothing:
        _check_labels(input, target, ignore_index)
        return CrossEntropy(ignore_index, reduction)(input, target.to(int64))
    log_p = log_softmax(input, _class_dim(input))
    if target.is_floating_point() and target.shape == input.shape:
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for targets that are probabilities")
        return _soft_loss(log_p, target, weight, reduction, label_smoothing)
    return _label_loss(log_p, target, weight, ignore_index, reduction, label_smoothing)


def nll_loss(input, target, weight=None, *, ignore_index=-100, reduction="mean"):
    """-input[target]: the negative log-likelihood, of log-probabilities and labels.

    Parameters and errors are those of `cross_entropy`, which is this function after `log_softmax`.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> nll_loss(mt.tensor([[-1.0, -2.0], [-3.0, -4.0]]), mt.tensor([0, 1])).item()
    2.5
    """
    _check("nll_loss", input, target, weight, reduction)
    return _label_loss(input, target, weight, ignore_index, reduction, 0.0)


def mse_loss(input, target, *, reduction="mean"):
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
    _check_reduction(reduction)
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=2,
        )
    difference = input - target
    return _reduce(difference * difference, reduction)


# --- how -------------------------------------------------------------------------------------------------


def _label_loss(log_p, target, weight, ignore_index, reduction, label_smoothing):
    """The loss of labels: minus the log-probability of each, times the weight of its class."""
    dim = _class_dim(log_p)
    _check_labels(log_p, target, ignore_index)
    target = target.unsqueeze(dim)  # (N, 1, …)
    mask = target != ignore_index
    index = where(mask, target, 0)
    if weight is not None:
        weight = _along(dim, weight.to(log_p.dtype), log_p).expand(log_p.shape)  # (N, C, …)
        log_p = log_p * weight
    loss = -pick(log_p, dim, index)  # (N, 1, …)
    if label_smoothing:
        evenly = log_p.sum(dim, keepdim=True) / log_p.shape[dim]  # (N, 1, …)
        loss = (1 - label_smoothing) * loss - label_smoothing * evenly
    if _is_unchecked(target):
        loss = where((index >= 0) & (index < log_p.shape[dim]), loss, math.nan)
    loss = where(mask, loss, 0.0).squeeze(dim)  # (N, …)
    if reduction != "mean":
        return _reduce(loss, reduction)
    parts = mask.to(log_p.dtype) if weight is None else where(mask, pick(weight, dim, index), 0.0)
    return loss.sum() / parts.sum()  # of no label that counts: 0 / 0 is NaN, as in PyTorch


def _soft_loss(log_p, target, weight, reduction, label_smoothing):
    """The loss of probabilities: -Σ target · log p over the classes."""
    dim, c = _class_dim(log_p), log_p.shape[_class_dim(log_p)]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / c
    if weight is not None:
        target = target * _along(dim, weight.to(log_p.dtype), log_p)
    return _reduce(-(log_p * target).sum(dim), reduction)


def _reduce(loss, reduction):
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.mean() if loss.numel() else loss.sum() * math.nan


def _class_dim(input):
    return 0 if input.ndim == 1 else 1


def _along(dim, vector, tensor):
    """A vector that lies along one dimension of a tensor, to be broadcast: (C,) → (C, 1, …)."""
    return vector.reshape(-1, *(1,) * (tensor.ndim - dim - 1))


def _check_labels(log_p, target, ignore_index):
    """Refuse labels of a wrong type or shape, and those that are no class.

    CuPy wraps an index that is out of range silently, so that label 10 would become class 0.
    """
    if target.dtype.kind not in "iu":
        raise RuntimeError(
            f"expected labels of integer type and shape {log_p.shape[:1] + log_p.shape[2:]}, or probabilities of shape "
            f"{log_p.shape}; got a target of {target.dtype} and shape {target.shape}. Convert labels with target.long()"
        )
    dim = _class_dim(log_p)
    c, expected = log_p.shape[dim], log_p.shape[:dim] + log_p.shape[dim + 1 :]
    if target.shape != expected:
        if dim == 1 and target.shape[:1] != expected[:1]:
            came = target.shape[0] if target.ndim else "none"
            raise ValueError(
                f"Expected input batch_size ({expected[0]}) to match target batch_size ({came}): "
                f"input {log_p.shape} needs labels of shape {expected}, got {target.shape}"
            )
        raise RuntimeError(
            f"Expected labels of shape {expected} for an input of shape {log_p.shape}, got {target.shape}"
        )
    if _is_unchecked(target):
        return
    labels = to_numpy(target.array)
    if labels.size == 0 or (labels.min() >= 0 and labels.max() < c):
        return
    wrong = (labels != ignore_index) & ((labels < 0) | (labels >= c))
    if wrong.any():
        index = np.argwhere(wrong)[0].tolist()
        raise IndexError(
            f"Target {labels[tuple(index)]} is out of bounds, at index {index}: labels of {c} classes go from 0 "
            f"to {c - 1} (or are ignore_index, {ignore_index})"
        )


def _is_unchecked(target):
    """Whether the values of labels are not to be looked at: that would be to wait for the GPU."""
    return target.is_cuda and checks_are_deferred()


def _check(name, input, target, weight, reduction):
    _check_reduction(reduction)
    for role, value in (("input", input), ("target", target), ("weight", weight)):
        if not isinstance(value, Tensor) and not (value is None and role == "weight"):
            raise TypeError(f"{name} expects {role} as a Tensor, got {type(value).__name__}; make one with tensor(...)")
    if input.ndim == 0:
        raise ValueError(f"{name} expects an input of (N, C), (N, C, d1, …) or (C,), got a scalar")
    if input.device != target.device:
        raise RuntimeError(
            f"{name} expects all tensors on one device; input is on {input.device}, target on {target.device}: "
            "move it with target.to(device)"
        )
    c = input.shape[_class_dim(input)]
    if weight is not None and weight.shape != (c,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {c} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )


def _check_reduction(reduction):
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction; expected 'mean', 'sum' or 'none'")
