"""Batch normalisation."""

from __future__ import annotations

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import DeviceLike, DType
from minitorch_cnn.backend.arguments import whole
from minitorch_cnn.backend.dtypes import int64
from minitorch_cnn.nn import functional as F
from minitorch_cnn.nn import init
from minitorch_cnn.nn.module import Module
from minitorch_cnn.nn.parameter import Parameter
from minitorch_cnn.ops.creation import empty, ones, zeros

__all__ = ["BatchNorm1d", "BatchNorm2d"]


class _BatchNorm(Module):
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    receptive_field = "same"  # but for the statistics of a batch
    ndims = ()  # how many dimensions an input may have
    accepts = ""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike = None,
        dtype: DType = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features = whole("num_features", num_features)
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        place = {"device": device, "dtype": dtype}
        self.weight = Parameter(empty(num_features, **place)) if affine else None
        self.bias = Parameter(empty(num_features, **place)) if affine and bias else None
        self.register_buffer("running_mean", zeros(num_features, **place) if track_running_stats else None)
        self.register_buffer("running_var", ones(num_features, **place) if track_running_stats else None)
        batches = zeros((), dtype=int64, device=device) if track_running_stats else None
        self.register_buffer("num_batches_tracked", batches)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches seen: mean 0 and variance 1."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Set the weight to 1, the bias to 0, and forget the batches seen."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def require_ndim(self, input: Tensor) -> None:
        """Refuse an input of another number of dimensions."""
        if getattr(input, "ndim", self.ndims[0]) not in self.ndims:
            raise ValueError(f"expected {self.accepts} input (got {input.ndim}D input of shape {input.shape})")

    def forward(self, input: Tensor) -> Tensor:
        self.require_ndim(input)
        momentum = self.momentum
        is_moving = self.training and self.track_running_stats
        if is_moving and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:  # the plain mean over all batches seen
                momentum = 1 / int(self.num_batches_tracked)
        return F.batch_norm(
            input,
            self.running_mean if is_moving or not self.training else None,
            self.running_var if is_moving or not self.training else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            0.0 if momentum is None else momentum,
            self.eps,
        )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm2d(_BatchNorm):
    """Normalise every channel to mean 0 and variance 1, then scale and shift it. (N, C, H, W) → the same.

    In training by the statistics of the batch, in evaluation by their running averages.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float or None
        How far a running average moves towards a new batch; None: the plain mean over all batches.
    affine : bool
        Whether there are a weight and a bias, to be learned.
    track_running_stats : bool
        Whether there are running averages; without, evaluation too uses the batch.
    device, dtype
        Of the parameters and averages.
    bias : bool
        Whether an affine layer has a bias.

    References
    ----------
    Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
    Shift", 2015.
    """

    ndims, accepts = (4,), "4D (N, C, H, W)"


class BatchNorm1d(_BatchNorm):
    """`BatchNorm2d` for inputs of (N, C) or (N, C, L)."""

    ndims, accepts = (2, 3), "2D (N, C) or 3D (N, C, L)"
