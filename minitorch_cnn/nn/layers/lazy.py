"""Layers that learn the size of their input from the first one."""

from __future__ import annotations

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import DeviceLike, DType, IntOrPair
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.nn.functional.checks import batch_of
from minitorch_cnn.nn.layers.convolution import Conv2d
from minitorch_cnn.nn.layers.linear import Linear
from minitorch_cnn.nn.layers.normalization import BatchNorm1d, BatchNorm2d
from minitorch_cnn.nn.parameter import Parameter, Uninitialized, UninitializedBuffer, UninitializedParameter

__all__ = ["LazyBatchNorm1d", "LazyBatchNorm2d", "LazyConv2d", "LazyLinear"]


class _Lazy:
    """A layer whose parameters have no sizes until it is called; then it is the plain layer that it stands for.

    A subclass has `becomes`, and defines ``sizes(input)``, which notes the size of the input, and returns the shape of
    each parameter and buffer by its name.
    """

    def _forget_sizes(self):
        """Put tensors of unknown size in the place of those that the plain layer has made."""
        for tensors in (self._parameters, self._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and tensor.ndim:
                    kind = UninitializedParameter if isinstance(tensor, Parameter) else UninitializedBuffer
                    tensors[name] = kind(tensor.array.reshape(-1)[:0], tensor.requires_grad)

    def forward(self, input: Tensor) -> Tensor:
        if not isinstance(input, Tensor):
            raise TypeError(f"{type(self).__name__} expected a Tensor, got {described(input)}")
        sizes = self.sizes(input)
        unknown = {name: x for name, x in {**self._parameters, **self._buffers}.items() if isinstance(x, Uninitialized)}
        for name, tensor in unknown.items():
            tensor.materialize(sizes[name])
        self.__class__ = plain = self.becomes
        if unknown:  # and not loaded from a `state_dict`
            self.reset_parameters()
        return plain.forward(self, input)  # not self.forward, which may be what watches this call


class LazyConv2d(_Lazy, Conv2d):
    """A `Conv2d` that takes the number of its input channels from the first input.

    Before that, its parameters have no shape: initial values can be set, and elements counted, after the first call.
    An optimizer may be made before, and a `state_dict` loaded.

    Parameters
    ----------
    out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        Those of `Conv2d`.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> layer = LazyConv2d(6, kernel_size=5)
    >>> layer(mt.zeros(1, 3, 8, 8)).shape
    (1, 6, 4, 4)
    >>> layer
    Conv2d(3, 6, kernel_size=(5, 5), stride=(1, 1))
    """

    becomes = Conv2d

    def __init__(
        self,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair | str = 0,
        dilation: IntOrPair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        super().__init__(
            0, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )
        self._forget_sizes()

    def sizes(self, input: Tensor) -> dict[str, tuple[int, ...]]:
        channels = batch_of("LazyConv2d", input).shape[1]
        if channels % self.groups:
            raise ValueError(f"in_channels must be divisible by groups: {channels} is not divisible by {self.groups}")
        self.in_channels = channels
        return {"weight": (self.out_channels, channels // self.groups, *self.kernel_size), "bias": (self.out_channels,)}


class LazyLinear(_Lazy, Linear):
    """A `Linear` that takes the number of its input features from the first input; see `LazyConv2d`.

    Parameters
    ----------
    out_features, bias, device, dtype
        Those of `Linear`.
    """

    becomes = Linear

    def __init__(self, out_features: int, bias: bool = True, device: DeviceLike = None, dtype: DType = None) -> None:
        super().__init__(0, out_features, bias, device, dtype)
        self._forget_sizes()

    def sizes(self, input: Tensor) -> dict[str, tuple[int, ...]]:
        if not input.ndim:
            raise RuntimeError("LazyLinear expects an input of shape (…, in_features), got a scalar")
        self.in_features = input.shape[-1]
        return {"weight": (self.out_features, self.in_features), "bias": (self.out_features,)}


class _LazyBatchNorm(_Lazy):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike = None,
        dtype: DType = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self._forget_sizes()

    def sizes(self, input: Tensor) -> dict[str, tuple[int, ...]]:
        self.require_ndim(input)
        self.num_features = input.shape[1]
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (self.num_features,))


class LazyBatchNorm2d(_LazyBatchNorm, BatchNorm2d):
    """A `BatchNorm2d` that takes the number of its channels from the first input; see `LazyConv2d`.

    Parameters
    ----------
    eps, momentum, affine, track_running_stats, device, dtype, bias
        Those of `BatchNorm2d`.
    """

    becomes = BatchNorm2d


class LazyBatchNorm1d(_LazyBatchNorm, BatchNorm1d):
    """A `BatchNorm1d` that takes the number of its features from the first input; see `LazyConv2d`.

    Parameters
    ----------
    eps, momentum, affine, track_running_stats, device, dtype, bias
        Those of `BatchNorm1d`.
    """

    becomes = BatchNorm1d
