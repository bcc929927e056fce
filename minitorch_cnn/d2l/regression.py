"""Linear regression: its data, its model, its loss, and the descent. From the chapter on linear networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from minitorch_cnn.autograd import no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import Batches, Loss
from minitorch_cnn.data import DataLoader, TensorDataset
from minitorch_cnn.ops.creation import normal
from minitorch_cnn.ops.linalg import matmul
from minitorch_cnn.training import Accumulator

__all__ = ["evaluate_loss", "linreg", "load_array", "sgd", "squared_loss", "synthetic_data"]


def synthetic_data(w: Tensor, b: Tensor | float, num_examples: int) -> tuple[Tensor, Tensor]:
    """Draw examples of a line with a little noise: y = X w + b + ε, where ε has the standard deviation 0.01.

    Parameters
    ----------
    w : Tensor
        The weights, of shape (features,).
    b : float or Tensor
    num_examples : int

    Returns
    -------
    X, y : Tensor
        Of shapes (num_examples, features) and (num_examples, 1).
    """
    X = normal(0, 1, (num_examples, len(w)))
    y = linreg(X, w, b)  # (N,)
    return X, (y + normal(0, 0.01, y.shape)).reshape(-1, 1)


def load_array(data_arrays: Sequence[Tensor], batch_size: int, is_train: bool = True) -> DataLoader:
    """Return a loader of batches of some tensors, shuffled for training.

    Parameters
    ----------
    data_arrays : tuple of Tensor
        Of one length.
    batch_size : int
    is_train : bool, default True

    Raises
    ------
    TypeError
        If the tensors are not given in a tuple or list.
    """
    if not isinstance(data_arrays, tuple | list):
        came = type(data_arrays).__name__
        raise TypeError(f"expected a tuple of tensors, got a {came}: write load_array((features, labels), batch_size)")
    return DataLoader(TensorDataset(*data_arrays), batch_size, shuffle=is_train)


def linreg(X: Tensor, w: Tensor, b: Tensor | float) -> Tensor:
    """Return X w + b, the linear model."""
    return matmul(X, w) + b


def squared_loss(y_hat: Tensor, y: Tensor) -> Tensor:
    """Return (y_hat - y)² / 2 of each example."""
    return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2


def sgd(params: Iterable[Tensor], lr: float, batch_size: int) -> None:
    """Take one step of gradient descent with a sum of losses over a minibatch, and set the gradients to zero.

    Raises
    ------
    RuntimeError
        If a parameter has no gradient.
    """
    with no_grad():
        for i, param in enumerate(params):
            if param.grad is None:
                raise RuntimeError(f"sgd found no gradient of parameter {i}: call l.sum().backward() first")
            param -= lr * param.grad / batch_size
            param.grad.zero_()


def evaluate_loss(net: Callable[..., Tensor], data_iter: Batches, loss: Loss) -> float:
    """Return the mean loss of a regression over the examples of `data_iter`.

    Parameters
    ----------
    net : callable
        A module or any function.
    loss : callable
        Of the outputs and the targets, which take the shape of the outputs: `squared_loss` or `nn.MSELoss`.
    data_iter : iterable of (Tensor, Tensor)

    Returns
    -------
    float
    """
    metric = Accumulator(2)  # the sum of losses, their number
    with no_grad():
        for X, y in data_iter:
            out = net(X)
            l = loss(out, y.reshape(out.shape))
            metric.add(l.sum(), l.numel())
    return metric[0] / metric[1]
