"""Convolutional networks: cross-correlation, devices, training, and residual blocks. From the chapters on CNNs."""

from __future__ import annotations

from minitorch_cnn import backend, cuda, models, nn, training
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import Device
from minitorch_cnn.backend.annotations import Batches, DeviceLike, Self
from minitorch_cnn.backend.arguments import whole
from minitorch_cnn.d2l.plotting import Animator
from minitorch_cnn.inspection.notebooks import in_notebook
from minitorch_cnn.nn import functional as F
from minitorch_cnn.ops.creation import zeros

__all__ = [
    "Benchmark", "ResNeXtBlock", "Residual", "corr2d", "cpu", "evaluate_accuracy_gpu", "gpu", "num_gpus", "resnet18",
    "train_ch6", "try_all_gpus", "try_gpu",
]  # fmt: skip


def corr2d(X: Tensor, K: Tensor) -> Tensor:
    """Cross-correlate an image with a kernel, element by element, as the definition says.

    Parameters
    ----------
    X : Tensor
        The image, of shape (H, W).
    K : Tensor
        The kernel, of shape (KH, KW).

    Returns
    -------
    Tensor
        Of shape (H - KH + 1, W - KW + 1); gradients reach both X and K.

    Raises
    ------
    ValueError
        If X or K is no matrix, or K is larger than X.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> corr2d(mt.arange(9.0).reshape(3, 3), mt.tensor([[0.0, 1.0], [2.0, 3.0]])).tolist()
    [[19.0, 25.0], [37.0, 43.0]]
    """
    for name, matrix in (("X", X), ("K", K)):
        if matrix.ndim != 2:
            raise ValueError(
                f"corr2d expects {name} of shape (height, width), got {matrix.shape}. "
                "Write a kernel of one row as [[1.0, -1.0]], with two pairs of brackets"
            )
    kh, kw = K.shape
    oh, ow = X.shape[0] - kh + 1, X.shape[1] - kw + 1
    if oh < 1 or ow < 1:
        raise ValueError(f"corr2d expects a kernel no larger than the image, got {K.shape} for {X.shape}")
    Y = zeros(oh, ow, dtype=X.dtype, device=X.device)
    for i in range(oh):
        for j in range(ow):
            Y[i, j] = (X[i : i + kh, j : j + kw] * K).sum()
    return Y


def cpu() -> Device:
    """Return the CPU, a `Device`."""
    return Device("cpu")


def gpu(i: int = 0) -> Device:
    """Return the GPU, a `Device`: there is one for each process, number 0."""
    return Device("cuda", i)


def num_gpus() -> int:
    """Return how many GPUs this process uses: 0 or 1."""
    return cuda.device_count()


def try_gpu(i: int = 0) -> Device:
    """Return the GPU if one can be used and `i` is 0, else the CPU.

    Returns
    -------
    Device
    """
    return backend.auto_device() if i == 0 else cpu()


def try_all_gpus() -> list[Device]:
    """Return a list of the GPU, or of the CPU if none can be used."""
    return [try_gpu()]


def evaluate_accuracy_gpu(net: nn.Module, data_iter: Batches, device: DeviceLike = None) -> float:
    """Return the share of right answers of `net` over `data_iter`, computed where the network is.

    Returns
    -------
    float
    """
    return training.evaluate(net, data_iter, device).accuracy


def train_ch6(
    net: nn.Module, train_iter: Batches, test_iter: Batches, num_epochs: int, lr: float, device: DeviceLike
) -> training.History:
    """Train a network as the chapter does: Xavier-uniform weights and plain SGD.

    A notebook shows curves that grow; elsewhere, a line is printed for each epoch.

    Parameters
    ----------
    net : nn.Module
        Maps images (N, C, H, W) to logits (N, classes). Its linear and convolutional weights are drawn anew.
    train_iter, test_iter : DataLoader
        See `load_data_fashion_mnist`.
    num_epochs : int
    lr : float
        The learning rate.
    device : Device or str
        Where to train: ``d2l.try_gpu()``.

    Returns
    -------
    training.History
        ``history.figure().savefig("curves.png")`` saves the curves.
    """
    num_epochs = whole("num_epochs", num_epochs, least=1)
    net.apply(models.xavier_uniform)
    print("training on", device)
    animator = Animator(xlabel="epoch", xlim=[1, num_epochs], legend=["train loss", "train acc", "test acc"])
    history = training.train(
        net, train_iter, test_iter, epochs=num_epochs, lr=lr, device=device, progress=False,
        on_report=lambda epoch, *values: animator.add(epoch, values),
        on_epoch=lambda _, history: in_notebook() or print(f"epoch {len(history)}/{num_epochs}: {history[-1]}"),
    )  # fmt: skip
    print(history[-1])
    print(f"{history.examples_per_sec:.1f} examples/sec on {device}")
    return history


class Benchmark:
    """Print how long a block takes: ``with Benchmark("products"): ...``.

    Parameters
    ----------
    description : str, default "Done"
        What the line begins with.
    """

    def __init__(self, description: str = "Done") -> None:
        self.description = description

    def __enter__(self) -> Self:
        self.timer = training.Timer()
        return self

    def __exit__(self, *args: object) -> None:
        print(f"{self.description}: {self.timer.stop():.4f} sec")


class Residual(nn.Module):
    """Two convolutions of 3×3, each with batch normalisation, whose result is added to the input.

    Parameters
    ----------
    *channels : int
        ``input_channels, num_channels`` as in the classic edition; or ``num_channels`` alone, as in the 1.0 edition,
        where the first input tells the other.
    use_1x1conv : bool, default False
        Whether the input passes through a convolution of 1×1, which brings it to the new shape.
    strides : int, default 1
        Of the first convolution, and of that one.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> Residual(3, 6, use_1x1conv=True, strides=2)(mt.rand(4, 3, 6, 6)).shape
    (4, 6, 3, 3)
    """

    def __init__(self, *channels: int, use_1x1conv: bool = False, strides: int = 1) -> None:
        super().__init__()
        if len(channels) not in (1, 2):
            raise TypeError(
                "Residual expects input_channels and num_channels, or num_channels alone, and use_1x1conv and strides "
                f"by their names; got {channels}"
            )
        self.conv1 = _convolution(*channels, kernel_size=3, padding=1, stride=strides)
        self.conv2 = nn.Conv2d(channels[-1], channels[-1], kernel_size=3, padding=1)
        self.conv3 = _convolution(*channels, kernel_size=1, stride=strides) if use_1x1conv else None
        self.bn1, self.bn2 = nn.BatchNorm2d(channels[-1]), nn.BatchNorm2d(channels[-1])

    def forward(self, X: Tensor) -> Tensor:
        Y = F.relu(self.bn1(self.conv1(X)))  # (N, C, H / strides, W / strides)
        Y = self.bn2(self.conv2(Y))
        return F.relu(Y + (X if self.conv3 is None else self.conv3(X)))


class ResNeXtBlock(nn.Module):
    """A residual block of three convolutions, of 1×1, of 3×3 in groups, and of 1×1; for any number of input channels.

    Parameters
    ----------
    num_channels : int
        Of the output.
    groups : int
        How many channels a group has within the block.
    bot_mul : float
        How many channels there are within the block, as a share of those of the output.
    use_1x1conv : bool, default False
        Whether the input passes through a convolution of 1×1, which brings it to the new shape.
    strides : int, default 1
        Of the convolution in groups, and of that one.
    """

    def __init__(
        self, num_channels: int, groups: int, bot_mul: float, use_1x1conv: bool = False, strides: int = 1
    ) -> None:
        super().__init__()
        within = round(num_channels * bot_mul)
        self.conv1, self.bn1 = nn.LazyConv2d(within, kernel_size=1), nn.BatchNorm2d(within)
        self.conv2 = nn.Conv2d(within, within, kernel_size=3, stride=strides, padding=1, groups=within // groups)
        self.conv3, self.bn2 = nn.Conv2d(within, num_channels, kernel_size=1), nn.BatchNorm2d(within)
        self.bn3, self.conv4 = nn.BatchNorm2d(num_channels), None
        if use_1x1conv:
            self.conv4, self.bn4 = nn.LazyConv2d(num_channels, 1, stride=strides), nn.BatchNorm2d(num_channels)

    def forward(self, X: Tensor) -> Tensor:
        Y = F.relu(self.bn1(self.conv1(X)))  # (N, within, H, W)
        Y = F.relu(self.bn2(self.conv2(Y)))  # (N, within, H / strides, W / strides)
        Y = self.bn3(self.conv3(Y))  # (N, num_channels, H / strides, W / strides)
        return F.relu(Y + (X if self.conv4 is None else self.bn4(self.conv4(X))))


def _convolution(*channels, **settings):
    """A convolution of known input channels, or of those that come."""
    return (nn.Conv2d if len(channels) == 2 else nn.LazyConv2d)(*channels, **settings)


def resnet18(num_classes: int, in_channels: int = 1) -> nn.Sequential:
    """Return a ResNet of 18 layers for small images: its first convolution keeps their size.

    Parameters
    ----------
    num_classes : int
    in_channels : int, default 1

    Returns
    -------
    nn.Sequential
        Maps images (N, in_channels, H, W) to logits (N, num_classes).
    """
    net = nn.Sequential(nn.Conv2d(in_channels, 64, kernel_size=3, padding=1), nn.BatchNorm2d(64), nn.ReLU())
    for width in (64, 128, 256, 512):
        first = Residual(width, width) if width == 64 else Residual(width // 2, width, use_1x1conv=True, strides=2)
        net.append(nn.Sequential(first, Residual(width, width)))
    return net.extend([nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(512, num_classes)])
