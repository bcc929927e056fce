"""LeNet as in the chapter, with the sigmoids and the average pooling of 1998, and with what was found since."""

from __future__ import annotations

from minitorch_cnn import nn
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn.parameter import Uninitialized
from minitorch_cnn.ops.creation import rand
from minitorch_cnn.ops.elementwise import where

__all__ = ["LeNet", "LeNetModern", "Mirror", "xavier_uniform"]


def LeNet() -> nn.Sequential:
    """LeNet-5 for 28×28 grey images in 10 classes, as the chapter builds it.

    Two convolutions, each with a sigmoid and a pooling, then three linear layers: 61,706 parameters. The names in its
    ``state_dict`` (``"0.weight"``, ...) are those of the same ``nn.Sequential`` in PyTorch: weights can be exchanged.

    Returns
    -------
    nn.Sequential
        Maps images (N, 1, 28, 28) to logits (N, 10), with PyTorch's default initial weights.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-based learning applied to document recognition*, 1998.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> net = LeNet()
    >>> net(mt.zeros(2, 1, 28, 28)).shape
    (2, 10)
    >>> sum(parameter.numel() for parameter in net.parameters())
    61706
    """
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(),  # (N, 6, 28, 28)
        nn.AvgPool2d(kernel_size=2, stride=2),                    # (N, 6, 14, 14)
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(),            # (N, 16, 10, 10)
        nn.AvgPool2d(kernel_size=2, stride=2),                    # (N, 16, 5, 5)
        nn.Flatten(),                                             # (N, 400)
        nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(),                 # (N, 120)
        nn.Linear(120, 84), nn.Sigmoid(),                         # (N, 84)
        nn.Linear(84, 10),                                        # (N, 10)
    )  # fmt: skip


def LeNetModern() -> nn.Sequential:
    """A network of LeNet's form, with what was found since: 77,722 parameters.

    Half of the images are mirrored in training, which makes more of them. Convolutions are of 3×3: two in a row see as
    much as one of 5×5, with fewer weights. Batch normalization lets a network learn at a large rate from the first step
    on; ReLU does not flatten gradients as the sigmoid does; of a window the largest is kept, not the mean; and one
    linear layer, behind dropout, takes the place of three.

    Returns
    -------
    nn.Sequential
        Maps images (N, 1, 28, 28) to logits (N, 10), with PyTorch's default initial weights.

    References
    ----------
    Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014 (the 3×3). Ioffe
    and Szegedy, "Batch Normalization", 2015. Glorot, Bordes and Bengio, "Deep Sparse Rectifier Neural Networks", 2011.
    Srivastava and others, "Dropout", 2014.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> net = LeNetModern()
    >>> net(mt.zeros(2, 1, 28, 28)).shape
    (2, 10)
    >>> sum(parameter.numel() for parameter in net.parameters())
    77722
    """
    return nn.Sequential(
        Mirror(),                                       # (N, 1, 28, 28)
        *_convolved(1, 16), nn.MaxPool2d(2),            # (N, 16, 14, 14)
        *_convolved(16, 48), nn.MaxPool2d(2),           # (N, 48, 7, 7)
        *_convolved(48, 64),                            # (N, 64, 7, 7)
        *_convolved(64, 64), nn.MaxPool2d(2),           # (N, 64, 3, 3)
        nn.Flatten(), nn.Dropout(0.2),                  # (N, 576)
        nn.Linear(64 * 3 * 3, 10),                      # (N, 10)
    )  # fmt: skip


class Mirror(nn.Module):
    """In training, swaps left and right in each image with probability 1/2; in evaluation, does nothing.

    A mirrored shoe is a shoe. (A mirrored letter need not be a letter: this is for images whose class does not change.)

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([[[[1.0, 2.0]]]])
    >>> mirror = Mirror()
    >>> len({tuple(mirror(x).flatten().tolist()) for _ in range(50)})
    2
    >>> mirror.eval()(x).tolist()
    [[[[1.0, 2.0]]]]
    """

    receptive_field = "same"  # of the image, or of its mirror image

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W)
        if not self.training:
            return x
        is_mirrored = rand(len(x), 1, 1, 1, device=x.device) < 0.5
        return where(is_mirrored, x[..., list(range(x.shape[3]))[::-1]], x)


def _convolved(channels, out_channels):
    """A convolution that keeps the size, batch normalization, which has a bias of its own, and ReLU."""
    convolution = nn.Conv2d(channels, out_channels, kernel_size=3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(out_channels), nn.ReLU()


def xavier_uniform(module: nn.Module) -> None:
    """Draw the weight of a ``Linear`` or ``Conv2d`` anew, Xavier-uniform; leave every other module alone.

    It is made for ``Module.apply``. A lazy layer is left alone too, before its first call. With PyTorch's default
    weights, a network of sigmoids hardly starts to learn.

    Parameters
    ----------
    module : nn.Module
        One module; ``net.apply(xavier_uniform)`` visits all of them.

    Examples
    --------
    >>> net = LeNet().apply(xavier_uniform)
    """
    if isinstance(module, nn.Linear | nn.Conv2d) and not isinstance(module.weight, Uninitialized):
        nn.init.xavier_uniform_(module.weight)
