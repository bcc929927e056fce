"""Models and data of the 1.0 edition, on top of its design: linear regression, classification, LeNet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from minitorch_cnn import data, models, nn
from minitorch_cnn.autograd import no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import IntOrPair
from minitorch_cnn.d2l.classification import get_fashion_mnist_labels, load_data_fashion_mnist
from minitorch_cnn.d2l.design import DataModule, HyperParameters, Module
from minitorch_cnn.d2l.plotting import show_images
from minitorch_cnn.d2l.regression import linreg, squared_loss
from minitorch_cnn.models import xavier_uniform as init_cnn
from minitorch_cnn.nn import functional as F
from minitorch_cnn.ops.creation import normal, randn, zeros

__all__ = [
    "SGD", "Classifier", "FashionMNIST", "LeNet", "LinearRegression", "LinearRegressionScratch", "SoftmaxRegression",
    "SyntheticRegressionData", "init_cnn",
]  # fmt: skip


class SyntheticRegressionData(DataModule):
    """Examples of a line with noise: y = X w + b + ε.

    Parameters
    ----------
    w : Tensor
        The weights, of shape (features,).
    b : float
    noise : float, default 0.01
        The standard deviation of ε.
    num_train, num_val : int, default 1000
        How many examples there are to train and to validate on.
    batch_size : int, default 32

    Attributes
    ----------
    X, y : Tensor
        All examples, (num_train + num_val, features) and (num_train + num_val, 1); those to train on come first.
    """

    def __init__(
        self, w: Tensor, b: float, noise: float = 0.01, num_train: int = 1000, num_val: int = 1000, batch_size: int = 32
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.X = randn(num_train + num_val, len(w))
        self.y = linreg(self.X, w.reshape(-1, 1), b) + noise * randn(len(self.X), 1)

    def get_dataloader(self, train: bool) -> data.DataLoader:
        rows = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader((self.X, self.y), train, rows)


class SGD(HyperParameters):
    """Plain gradient descent on minibatches: its `step` subtracts ``lr`` times the gradient.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        self.save_hyperparameters()
        self.params = list(params)

    def step(self) -> None:
        with no_grad():
            for param in self.params:
                param -= self.lr * param.grad

    def zero_grad(self) -> None:
        for param in self.params:
            if param.grad is not None:
                param.grad.zero_()


class LinearRegressionScratch(Module):
    """Linear regression from tensors alone.

    Parameters
    ----------
    num_inputs : int
    lr : float
    sigma : float, default 0.01
        The standard deviation of the initial weights.
    """

    def __init__(self, num_inputs: int, lr: float, sigma: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.w = normal(0, sigma, (num_inputs, 1)).requires_grad_()
        self.b = zeros(1, requires_grad=True)

    def forward(self, X: Tensor) -> Tensor:
        return linreg(X, self.w, self.b)

    def loss(self, y_hat: Tensor, y: Tensor) -> Tensor:
        return squared_loss(y_hat, y).mean()

    def configure_optimizers(self) -> SGD:
        return SGD([self.w, self.b], self.lr)


class LinearRegression(Module):
    """Linear regression from a layer, for any number of inputs."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.LazyLinear(1)

    def loss(self, y_hat: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(y_hat, y)

    def get_w_b(self) -> tuple[Tensor, Tensor]:
        """Return the weights, (1, features), and the bias, (1,)."""
        return self.net.weight.data, self.net.bias.data


class Classifier(Module):
    """The base class of models that tell classes apart: cross-entropy and accuracy of logits (N, classes)."""

    def loss(self, Y_hat: Tensor, Y: Tensor, averaged: bool = True) -> Tensor:
        logits = Y_hat.reshape(-1, Y_hat.shape[-1])
        return F.cross_entropy(logits, Y.reshape(-1), reduction="mean" if averaged else "none")

    def accuracy(self, Y_hat: Tensor, Y: Tensor, averaged: bool = True) -> Tensor:
        """Return the share of right answers; or with ``averaged=False``, 1 or 0 for each example."""
        right = (Y_hat.reshape(-1, Y_hat.shape[-1]).argmax(dim=1) == Y.reshape(-1)).float()
        return right.mean() if averaged else right

    def validation_step(self, batch: Sequence[Tensor]) -> None:
        Y_hat = self(*batch[:-1])
        self.plot("loss", self.loss(Y_hat, batch[-1]), train=False)
        self.plot("acc", self.accuracy(Y_hat, batch[-1]), train=False)

    def layer_summary(self, X_shape: Sequence[int]) -> None:
        """Print the shape behind each layer of ``self.net``, for an input of the shape `X_shape`."""
        X = randn(*X_shape)
        for layer in self.net:
            X = layer(X)
            print(type(layer).__name__, "output shape:\t", X.shape)


class FashionMNIST(DataModule):
    """Fashion-MNIST, found or downloaded by itself.

    Parameters
    ----------
    batch_size : int, default 64
    resize : int or (int, int), default (28, 28)
        The height and width of the images.

    Attributes
    ----------
    train, val : data.Dataset
        60,000 images to train and 10,000 to validate on, float32 in [0, 1], and their labels.
    """

    def __init__(self, batch_size: int = 64, resize: IntOrPair = (28, 28)) -> None:
        super().__init__()
        self.save_hyperparameters()
        loaders = load_data_fashion_mnist(batch_size, None if resize in (28, (28, 28)) else resize)
        self.train, self.val = (loader.dataset for loader in loaders)

    def get_dataloader(self, train: bool) -> data.DataLoader:
        images = self.train if train else self.val
        return data.DataLoader(images, self.batch_size, shuffle=train, num_workers=self.num_workers)

    def text_labels(self, indices: Tensor | Sequence[int]) -> list[str]:
        """Return the names of classes, for a sequence of their numbers."""
        return get_fashion_mnist_labels(indices)

    def visualize(self, batch: Sequence[Tensor], nrows: int = 1, ncols: int = 8, labels: Sequence[str] = ()) -> None:
        """Show the first images of a batch, above each its label, or the text in its place."""
        X, y = batch
        show_images(X[: nrows * ncols, 0], nrows, ncols, titles=labels or self.text_labels(y))


class SoftmaxRegression(Classifier):
    """Softmax regression: one linear layer.

    Parameters
    ----------
    num_outputs : int
        How many classes there are.
    lr : float
    """

    def __init__(self, num_outputs: int, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_outputs))


class LeNet(Classifier):
    """LeNet-5 for 28×28 grey images, as `models.LeNet`.

    Parameters
    ----------
    lr : float, default 0.1
    num_classes : int, default 10
    """

    def __init__(self, lr: float = 0.1, num_classes: int = 10) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(*models.LeNet()[:-1], nn.Linear(84, num_classes))
