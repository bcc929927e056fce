"""Batch normalisation."""

from __future__ import annotations

from minitorch_cnn.autograd import no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn.functional.checks import check_batch_norm
from minitorch_cnn.ops.normalization import BatchNorm

__all__ = ["batch_norm"]


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Bring every channel to mean 0 and variance 1, then scale and shift it: y = (x - μ) / √(σ² + ε) · w + b.

    Parameters
    ----------
    input : Tensor
        (N, C, …)
    running_mean, running_var : Tensor or None
        (C,): averages over the batches seen. In training, they are moved towards this batch, the variance by its
        unbiased estimate.
    weight, bias : Tensor, optional
        (C,)
    training : bool
        Whether μ and σ² are those of this batch, or the running averages.
    momentum : float
        How far the running averages move: new = (1 - momentum) · old + momentum · batch.
    eps : float
        Added to σ², so that nothing is divided by zero.

    Returns
    -------
    Tensor
        (N, C, …)

    Raises
    ------
    ValueError
        If `eps` is not positive, or there is only one value per channel in training: its variance would be 0.
    RuntimeError
        If `input` has another number of channels than the statistics, or these are needed and missing.

    References
    ----------
    Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
    Shift", 2015.
    """
    check_batch_norm(input, running_mean, running_var, weight, training, eps)
    if input.numel() == 0:
        output = input.clone() if weight is None else input * weight[0]
        return output if bias is None else output + bias[0]
    c = input.shape[1]
    if training:
        normalize = BatchNorm(eps)
        output = normalize(input, weight, bias)  # (N, C, …)
        if running_mean is not None:
            count = input.numel() // c
            with no_grad():
                _move(running_mean, Tensor(normalize.mean).reshape(c), momentum)
                _move(running_var, Tensor(normalize.var).reshape(c) * (count / (count - 1)), momentum)
        return output
    per_channel = (1, c) + (1,) * (input.ndim - 2)
    scale = 1 / (running_var.reshape(per_channel) + eps).sqrt()
    if weight is not None:
        scale = scale * weight.reshape(per_channel)
    output = (input - running_mean.reshape(per_channel)) * scale  # (N, C, …)
    return output if bias is None else output + bias.reshape(per_channel)


def _move(average, value, momentum):
    """Move a running average towards the value of this batch."""
    average.mul_(1 - momentum).add_(value * momentum)
