"""The helpers that the chapter calls ``d2l``, with their names and signatures there.

``from d2l import torch as d2l`` becomes ``from minitorch_cnn import d2l``. Some are those of
`minitorch_cnn.training`, the others stand on top of it.
"""

import copy
import sys

import numpy as np

from minitorch_cnn import backend, data, models, training
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.arguments import no_attribute
from minitorch_cnn.inspection import figures
from minitorch_cnn.ops.creation import zeros
from minitorch_cnn.training import Accumulator, Timer, accuracy

__all__ = [
    "Accumulator", "Animator", "Timer", "accuracy", "corr2d",
    "evaluate_accuracy_gpu", "load_data_fashion_mnist", "train_ch6", "try_gpu",
]  # fmt: skip


def corr2d(X, K):
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


def try_gpu(i=0):
    """Return the GPU if one can be used and `i` is 0, else the CPU.

    Returns
    -------
    Device
    """
    return backend.auto_device() if i == 0 else backend.as_device("cpu")


def load_data_fashion_mnist(batch_size, resize=None, root=None):
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


def evaluate_accuracy_gpu(net, data_iter, device=None):
    """Return the share of right answers of `net` over `data_iter`, computed where the network is.

    Returns
    -------
    float
    """
    return training.evaluate(net, data_iter, device).accuracy


def train_ch6(net, train_iter, test_iter, num_epochs, lr, device):
    """Train a network as the chapter does: Xavier-uniform weights, SGD, and curves that grow.

    Returns
    -------
    training.History
        ``history.figure().savefig("curves.png")`` saves the curves.
    """
    net.apply(models.xavier_uniform)
    print("training on", device)
    animator = Animator(xlabel="epoch", xlim=[1, num_epochs], legend=["train loss", "train acc", "test acc"])
    history = training.train(
        net, train_iter, test_iter, epochs=num_epochs, lr=lr, device=device, progress=False,
        on_report=lambda epoch, *values: animator.add(epoch, values),
    )  # fmt: skip
    print(history[-1])
    print(f"{history.examples_per_sec:.1f} examples/sec on {device}")
    return history


class Animator:
    """Curves to which points are added. A notebook shows them anew after each point.

    Parameters
    ----------
    xlabel, ylabel : str, optional
        Names of the axes.
    legend : list of str, optional
        Names of the curves.
    xlim, ylim : (float, float), optional
        Limits of the axes; by default they follow the points.
    xscale, yscale : str, default "linear"
        ``"linear"`` or ``"log"``.
    fmts : tuple of str
        Matplotlib's format of each curve.
    nrows, ncols : int, default 1
        Subplots; the curves go to the first one.
    figsize : (float, float)
        Width and height in inches.

    Attributes
    ----------
    fig : matplotlib.figure.Figure
        ``animator.fig.savefig("curves.png")`` needs no screen.

    Examples
    --------
    >>> animator = Animator(xlabel="epoch", legend=["train loss", "test acc"])
    >>> animator.add(1, (2.3, None))
    >>> animator.add(2, (0.9, 0.7))
    >>> [len(line.get_xdata()) for line in animator.axes[0].lines]
    [2, 1]
    """

    def __init__(
        self, xlabel=None, ylabel=None, legend=None, xlim=None, ylim=None, xscale="linear", yscale="linear",
        fmts=("-", "m--", "g-.", "r:"), nrows=1, ncols=1, figsize=(3.5, 2.5),
    ):  # fmt: skip
        self.fig = figures.new_figure(figsize=figsize, layout="constrained", dpi=120)
        self.axes = self.fig.subplots(nrows, ncols, squeeze=False).ravel()
        self.axes[0].set(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
        if xlim is not None and xlim[0] != xlim[1]:
            self.axes[0].set_xlim(xlim)
        if ylim is not None:
            self.axes[0].set_ylim(ylim)
        self.axes[0].grid()
        self.legend, self.fmts = legend or [], fmts
        self.X, self.Y = [], []

    def add(self, x, y):
        """Add a point to each curve.

        Parameters
        ----------
        x : float, or list or tuple of float
            Where; one for all curves, or one for each.
        y : float or None, or list or tuple of these
            How high; None leaves a curve as it is.
        """
        y = y if isinstance(y, list | tuple) else [y]
        x = x if isinstance(x, list | tuple) else [x] * len(y)
        axes = self.axes[0]
        while len(self.Y) < len(y):
            n = len(self.Y)
            axes.plot([], [], self.fmts[n % len(self.fmts)], label=self.legend[n] if n < len(self.legend) else None)
            self.X.append([])
            self.Y.append([])
            if self.legend:
                axes.legend()
        for i, (a, b) in enumerate(zip(x, y)):
            if a is not None and b is not None:
                self.X[i].append(float(a))
                self.Y[i].append(float(b))
                axes.lines[i].set_data(self.X[i], self.Y[i])
        axes.relim()
        axes.autoscale_view()
        self._show()

    def _show(self):
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        if getattr(shell, "kernel", None) is None:
            return
        from IPython.display import Image, clear_output, display

        clear_output(wait=True)
        display(Image(figures.to_png(self.fig)))


class _Resized(data.Dataset):
    """Images of another data set, resized: bilinear, and smoothed first where they shrink, as torchvision does."""

    def __init__(self, dataset, size):
        self.dataset = dataset
        height, width = (size, size) if isinstance(size, int) else size
        _, h, w = dataset[0][0].shape
        self.rows, self.columns = _interpolation(h, height), _interpolation(w, width)

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


def _interpolation(old, new):
    """Return the matrix (new, old) that resamples a line of pixels: every row weighs the pixels near one new centre."""
    scale = old / new
    centres = (np.arange(new)[:, None] + 0.5) * scale
    distances = np.abs(np.arange(old) + 0.5 - centres) / max(scale, 1.0)
    weights = np.maximum(0.0, 1.0 - distances)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def __getattr__(name):
    raise no_attribute("module 'minitorch_cnn.d2l'", name, __all__)
