"""Convolutional networks: cross-correlation, devices, LeNet's training. From the chapters on CNNs."""

from minitorch_cnn import backend, cuda, models, training
from minitorch_cnn.backend import Device
from minitorch_cnn.d2l.plotting import Animator, in_notebook
from minitorch_cnn.ops.creation import zeros

__all__ = [
    "Benchmark", "corr2d", "cpu", "evaluate_accuracy_gpu", "gpu", "num_gpus", "train_ch6", "try_all_gpus", "try_gpu",
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


def cpu():
    """Return the CPU, a `Device`."""
    return Device("cpu")


def gpu(i=0):
    """Return the GPU, a `Device`: there is one for each process, number 0."""
    return Device("cuda", i)


def num_gpus():
    """Return how many GPUs this process uses: 0 or 1."""
    return cuda.device_count()


def try_gpu(i=0):
    """Return the GPU if one can be used and `i` is 0, else the CPU.

    Returns
    -------
    Device
    """
    return backend.auto_device() if i == 0 else cpu()


def try_all_gpus():
    """Return a list of the GPU, or of the CPU if none can be used."""
    return [try_gpu()]


def evaluate_accuracy_gpu(net, data_iter, device=None):
    """Return the share of right answers of `net` over `data_iter`, computed where the network is.

    Returns
    -------
    float
    """
    return training.evaluate(net, data_iter, device).accuracy


def train_ch6(net, train_iter, test_iter, num_epochs, lr, device):
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

    def __init__(self, description="Done"):
        self.description = description

    def __enter__(self):
        self.timer = training.Timer()
        return self

    def __exit__(self, *args):
        print(f"{self.description}: {self.timer.stop():.4f} sec")
