"""The network of the chapter: LeNet, with sigmoids and average pooling as in 1998."""

from __future__ import annotations

from minitorch_cnn import nn

__all__ = ["LeNet", "xavier_uniform"]


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


def xavier_uniform(module: nn.Module) -> None:
    """Draw the weight of a ``Linear`` or ``Conv2d`` anew, Xavier-uniform; leave every other module alone.

    It is made for ``Module.apply``. With PyTorch's default weights, a network of sigmoids hardly starts to learn.

    Parameters
    ----------
    module : nn.Module
        One module; ``net.apply(xavier_uniform)`` visits all of them.

    Examples
    --------
    >>> net = LeNet().apply(xavier_uniform)
    """
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
