"""Softmax regression on Fashion-MNIST: the data, and training with functions. From the chapter on linear networks.

What is trained may be an `nn.Module` or any function of a batch; what takes the steps, one of `optim` or a function of
the batch size, such as ``lambda batch_size: d2l.sgd(params, lr, batch_size)``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from minitorch_cnn import backend, data, nn, optim
from minitorch_cnn.autograd import no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import Batches, FilePath, IntOrPair, Loss
from minitorch_cnn.backend.arguments import pair, whole
from minitorch_cnn.d2l.plotting import Animator, show_images
from minitorch_cnn.data.transforms import interpolation
from minitorch_cnn.inspection.notebooks import in_notebook
from minitorch_cnn.training import Accumulator, accuracy

__all__ = [
    "evaluate_accuracy", "get_dataloader_workers", "get_fashion_mnist_labels", "load_data_fashion_mnist",
    "predict_ch3", "train_ch3", "train_epoch_ch3",
]  # fmt: skip


def get_fashion_mnist_labels(labels: Tensor | Sequence[int]) -> list[str]:
    """Return the names of classes, for a sequence of their numbers.

    Examples
    --------
    >>> get_fashion_mnist_labels([0, 9])
    ['t-shirt', 'ankle boot']
    """
    return [data.FashionMNIST.classes[int(i)].lower().replace("/top", "") for i in labels]


def get_dataloader_workers() -> int:
    """Return how many workers a loader is to have: 0, each batch being made in one pass over an array."""
    return 0


def load_data_fashion_mnist(
    batch_size: int, resize: IntOrPair | None = None, root: FilePath | None = None
) -> tuple[data.DataLoader, data.DataLoader]:
    """Load Fashion-MNIST, downloading it the first time.

    Parameters
    ----------
    batch_size : int
        Images per batch.
    resize : int or (int, int), optional
        The height and width to resize the images to. They are 28×28.
    root : str or Path, optional
        The folder of the data; see `data.FashionMNIST`.

    Returns
    -------
    train_iter, test_iter : DataLoader
        Batches of images (N, 1, H, W), float32 in [0, 1], and labels (N,). The first is shuffled anew in each epoch.
    """
    sets = [data.FashionMNIST(root, train=train) for train in (True, False)]
    if resize is not None:
        sets = [_Resized(images, resize) for images in sets]
    train_iter = data.DataLoader(sets[0], batch_size, shuffle=True)
    return train_iter, data.DataLoader(sets[1], batch_size)


def evaluate_accuracy(net: Callable[..., Tensor], data_iter: Batches) -> float:
    """Return the share of right answers of `net`, a module or any function, over `data_iter`.

    Returns
    -------
    float
    """
    if isinstance(net, nn.Module):
        net.eval()
    metric = Accumulator(2)  # right answers, examples
    with no_grad():
        for X, y in data_iter:
            metric.add(accuracy(net(X), y), y.numel())
    return metric[0] / metric[1]


def train_epoch_ch3(
    net: Callable[..., Tensor], train_iter: Batches, loss: Loss, updater: optim.Optimizer | Callable[[int], Any]
) -> tuple[float, float]:
    """Train for one epoch.

    Parameters
    ----------
    net : callable
        Maps a batch of inputs to outputs.
    train_iter : iterable of (Tensor, Tensor)
    loss : callable
        Of outputs and targets: the loss of each example, or their mean.
    updater : optim.Optimizer or callable
        A function is given the batch size, and finds the gradient of the sum of losses.

    Returns
    -------
    loss, accuracy : float
        Means over the examples, taken while the weights change.

    Raises
    ------
    TypeError
        If `updater` is neither.
    """
    if not callable(updater) and not isinstance(updater, optim.Optimizer):
        raise TypeError(f"updater must be an optimizer or a function of the batch size, got {updater!r}")
    if isinstance(net, nn.Module):
        net.train()
    metric = Accumulator(3)  # the sum of losses, right answers, examples
    for X, y in train_iter:
        y_hat = net(X)
        l = loss(y_hat, y)
        if isinstance(updater, optim.Optimizer):
            updater.zero_grad()
            l.mean().backward()
            updater.step()
        else:
            l.sum().backward()
            updater(len(X))
        metric.add(l.mean() * len(X), accuracy(y_hat, y), len(X))
    return metric[0] / metric[2], metric[1] / metric[2]


def train_ch3(
    net: Callable[..., Tensor],
    train_iter: Batches,
    test_iter: Batches,
    loss: Loss,
    num_epochs: int,
    updater: optim.Optimizer | Callable[[int], Any],
) -> None:
    """Train as `train_epoch_ch3` does, with curves that grow in a notebook, or else a line for each epoch."""
    num_epochs = whole("num_epochs", num_epochs, least=1)
    animator = Animator(xlabel="epoch", xlim=[1, num_epochs], legend=["train loss", "train acc", "test acc"])
    for epoch in range(1, num_epochs + 1):
        row = *train_epoch_ch3(net, train_iter, loss, updater), evaluate_accuracy(net, test_iter)
        animator.add(epoch, row)
        if not in_notebook():
            print("epoch {}/{}: loss {:.3f}, train acc {:.3f}, test acc {:.3f}".format(epoch, num_epochs, *row))


def predict_ch3(net: Callable[..., Tensor], test_iter: Batches, n: int = 6) -> None:
    """Show the first `n` images of `test_iter`; above each its class, and the one that `net` takes it for."""
    X, y = next(iter(test_iter))
    truth, taken = get_fashion_mnist_labels(y[:n]), get_fashion_mnist_labels(net(X).argmax(dim=1)[:n])
    show_images(X[:n, 0], 1, n, titles=[f"{a}\n{b}" for a, b in zip(truth, taken)])


class _Resized(data.Dataset):
    """Images of another data set, resized: bilinear, and smoothed first where they shrink, as torchvision does."""

    def __init__(self, dataset, size):
        self.dataset = dataset
        height, width = pair("resize", size)
        _, h, w = dataset[0][0].shape
        self.rows = interpolation(h, height).astype("float32")
        self.columns = interpolation(w, width).astype("float32")

    @property
    def device(self):
        return self.dataset.device

    def to(self, device):
        there = copy.copy(self)
        there.dataset = self.dataset.to(device)
        there.rows, there.columns = (backend.asarray(matrix, there.device) for matrix in (self.rows, self.columns))
        return there

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        image, label = self.dataset[index]
        return self._resize(image[None])[0], label

    def batch(self, indices):
        images, labels = self.dataset.batch(indices)
        return [self._resize(images), labels]

    def _resize(self, images):  # (N, C, H, W)
        n, c, h, w = images.shape
        columns = images.array.transpose(2, 1, 3, 0).reshape(h, c * w * n)  # as they lie in memory
        images = (self.rows @ columns).reshape(-1, c, w, n)  # (height, C, W, N)
        return Tensor((self.columns @ images).transpose(3, 1, 0, 2))  # (N, C, height, width)
