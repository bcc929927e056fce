"""The design of the 1.0 edition: a model, its data, and what brings them together. From the chapter on regression."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from minitorch_cnn import nn, optim
from minitorch_cnn.autograd import no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import F, FilePath
from minitorch_cnn.backend.arguments import whole
from minitorch_cnn.d2l.convolution import gpu
from minitorch_cnn.d2l.convolution import num_gpus as count_gpus
from minitorch_cnn.d2l.plotting import STYLES, Animator, Limits, set_axes
from minitorch_cnn.d2l.regression import load_array
from minitorch_cnn.data import DataLoader
from minitorch_cnn.inspection.notebooks import in_notebook

__all__ = ["DataModule", "HyperParameters", "Module", "ProgressBoard", "Trainer", "add_to_class"]


def add_to_class(Class: type) -> Callable[[F], F]:
    """Return a decorator that makes a function a method of a class that is there already.

    Examples
    --------
    >>> class Greeting:
    ...     name = "LeNet"
    >>> @add_to_class(Greeting)
    ... def text(self):
    ...     return f"this is {self.name}"
    >>> Greeting().text()
    'this is LeNet'
    """

    def add(method):
        setattr(Class, method.__name__, method)
        return method

    return add


class HyperParameters:
    """A base class for objects that keep the arguments of their ``__init__``."""

    if TYPE_CHECKING:  # what is kept has any name

        def __getattr__(self, name: str) -> Any: ...

    def save_hyperparameters(self, ignore: Sequence[str] = ()) -> None:
        """Keep what the caller, an ``__init__``, was given as attributes, and in the dict ``self.hparams``.

        Parameters
        ----------
        ignore : sequence of str
            The names of arguments that are not kept.

        Examples
        --------
        >>> class B(HyperParameters):
        ...     def __init__(self, a, b=2):
        ...         self.save_hyperparameters(ignore=["a"])
        >>> B(1).b, B(1).hparams
        (2, {'b': 2})
        """
        frame = inspect.currentframe().f_back
        owner = frame.f_code.co_varnames[0]
        skipped = {owner, *ignore}
        self.hparams = {k: v for k, v in frame.f_locals.items() if k not in skipped and not k.startswith("_")}
        for name, value in self.hparams.items():
            setattr(self, name, value)


def kept(owner, name):
    """An argument of an ``__init__`` that `save_hyperparameters` has kept."""
    if not hasattr(owner, name):
        raise AttributeError(
            f"{type(owner).__name__} has no {name}: take it in __init__, and call self.save_hyperparameters() there"
        )
    return getattr(owner, name)


class ProgressBoard(HyperParameters):
    """Curves by name, to which points are added. Its settings are read anew with each point that is drawn.

    Parameters
    ----------
    xlabel, ylabel, xlim, ylim, xscale, yscale, figsize :
        As in `Animator`.
    ls : sequence of str
        Matplotlib's line style of each curve.
    display : bool, default True
        Whether the curves are drawn, and shown in a notebook.

    Attributes
    ----------
    fig : matplotlib.figure.Figure or None
        The picture, once there is a point in it: ``board.fig.savefig("curves.png")``.

    Examples
    --------
    >>> board = ProgressBoard("x")
    >>> for x in range(4):
    ...     board.draw(x, x**2, "square", every_n=2)
    >>> board.latest()
    {'square': 6.5}
    """

    def __init__(
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        xlim: Limits = None,
        ylim: Limits = None,
        xscale: str = "linear",
        yscale: str = "linear",
        ls: Sequence[str] = STYLES,
        figsize: Sequence[float] = (3.5, 2.5),
        display: bool = True,
    ) -> None:
        self.save_hyperparameters()
        self.fig, self._waiting = None, {}

    def draw(self, x: float, y: Tensor | float, label: str, every_n: int = 1) -> None:
        """Add a point to the curve `label`: the mean of every `every_n` points that come."""
        if not self.display:
            return
        waiting = self._waiting.setdefault(label, [])
        waiting.append((x, y.detach() if isinstance(y, Tensor) else y))
        if len(waiting) < every_n:
            return
        x, y = (float(sum(values)) / len(waiting) for values in zip(*waiting))
        waiting.clear()
        if self.fig is None:
            self._animator = Animator(fmts=self.ls, figsize=self.figsize)
            self.fig = self._animator.fig
        self._animator.legend = labels = list(self._waiting)
        axes = self._animator.axes[0]
        set_axes(axes, self.xlabel, self.ylabel, self.xlim, self.ylim, self.xscale, self.yscale, None)
        self._animator.add(x, [None] * labels.index(label) + [y])

    def latest(self) -> dict[str, float]:
        """Return the last value of each curve that has a point, by name."""
        return {} if self.fig is None else {name: Y[-1] for name, Y in zip(self._waiting, self._animator.Y) if Y}


class Module(nn.Module, HyperParameters):
    """The base class of models: a network ``self.net``, its loss, its optimizer, and what is drawn of its training.

    Subclasses define `loss`, and `forward` unless ``self.net`` is all of it.

    Parameters
    ----------
    plot_train_per_epoch, plot_valid_per_epoch : int
        How many points each curve gets in an epoch.

    Attributes
    ----------
    board : ProgressBoard
    trainer : Trainer
        Set when it is trained.
    """

    def __init__(self, plot_train_per_epoch: int = 2, plot_valid_per_epoch: int = 1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.board = ProgressBoard()

    def loss(self, y_hat: Tensor, y: Tensor, /) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} needs a method loss(self, y_hat, y)")

    def forward(self, X: Tensor, /) -> Tensor:
        if "net" not in self._modules:
            raise NotImplementedError(f"{type(self).__name__} needs self.net, or a method forward(self, X)")
        return self.net(X)

    def plot(self, key: str, value: Tensor | float, train: bool) -> None:
        """Draw a value of this batch over the epochs: as ``train_`` or ``val_`` and `key`."""
        trainer, self.board.xlabel = self.trainer, "epoch"
        if train:
            x, batches = trainer.train_batch_idx / trainer.num_train_batches, trainer.num_train_batches
            points = self.plot_train_per_epoch
        else:
            x, batches, points = trainer.epoch + 1, trainer.num_val_batches, self.plot_valid_per_epoch
        self.board.draw(x, value, ("train_" if train else "val_") + key, every_n=max(1, batches // points))

    def training_step(self, batch: Sequence[Tensor]) -> Tensor:
        """Return the loss of a batch ``(*inputs, targets)``."""
        l = self.loss(self(*batch[:-1]), batch[-1])
        self.plot("loss", l, train=True)
        return l

    def validation_step(self, batch: Sequence[Tensor]) -> None:
        """Draw what is measured of a batch."""
        self.plot("loss", self.loss(self(*batch[:-1]), batch[-1]), train=False)

    def configure_optimizers(self) -> Any:
        """Return what takes the steps: plain SGD with the learning rate ``self.lr``."""
        return optim.SGD(self.parameters(), lr=kept(self, "lr"))

    def apply_init(self, inputs: Sequence[Tensor], init: Callable[[nn.Module], Any] | None = None) -> None:
        """Give lazy layers their sizes by a batch, then have ``init(module)`` initialise every part of ``self.net``.

        Parameters
        ----------
        inputs : sequence of Tensor
            The arguments of `forward`.
        init : function, optional
            Such as `init_cnn`.
        """
        self.forward(*inputs)
        if init is not None:
            self.net.apply(init)


class DataModule(HyperParameters):
    """The base class of data: subclasses define ``get_dataloader(train)``.

    Parameters
    ----------
    root : str or Path, optional
        The folder of the data.
    num_workers : int, default 0
        As of a `data.DataLoader`.
    """

    def __init__(self, root: FilePath | None = None, num_workers: int = 0) -> None:
        self.save_hyperparameters()

    def get_dataloader(self, train: bool) -> Any:
        raise NotImplementedError(f"{type(self).__name__} needs a method get_dataloader(self, train)")

    def train_dataloader(self) -> Any:
        """Return the batches to train on."""
        return self.get_dataloader(train=True)

    def val_dataloader(self) -> Any:
        """Return the batches to validate on."""
        return self.get_dataloader(train=False)

    def get_tensorloader(
        self, tensors: Sequence[Tensor], train: bool, indices: slice | Sequence[int] = slice(0, None)
    ) -> DataLoader:
        """Return a loader of batches of some rows of tensors, of ``self.batch_size``; shuffled for training."""
        return load_array(tuple(t[indices] for t in tensors), kept(self, "batch_size"), train)


class Trainer(HyperParameters):
    """Train a `Module` on a `DataModule`. A notebook shows the curves; elsewhere, a line is printed for each epoch.

    Parameters
    ----------
    max_epochs : int
    num_gpus : int, default 0
        1 trains on the GPU if one can be used.
    gradient_clip_val : float, default 0
        The norm to which longer gradients are shortened; 0 leaves them.

    Attributes
    ----------
    model : Module
    train_dataloader, val_dataloader : DataLoader
    epoch, train_batch_idx, val_batch_idx : int
        How many of them are over.
    """

    def __init__(self, max_epochs: int, num_gpus: int = 0, gradient_clip_val: float = 0) -> None:
        max_epochs = whole("max_epochs", max_epochs, least=1)
        self.save_hyperparameters()
        self.gpus = [gpu(i) for i in range(min(num_gpus, count_gpus()))]

    def fit(self, model: Module, data: DataModule) -> None:
        """Train a model on data for `max_epochs`.

        Raises
        ------
        TypeError
            If `model` is no `Module` or `data` no `DataModule`, nor like one.
        """
        if not hasattr(model, "training_step") or not hasattr(data, "train_dataloader"):
            came = f"{type(model).__name__} and {type(data).__name__}"
            raise TypeError(f"expected a d2l.Module and a d2l.DataModule, fit(model, data), got {came}")
        self.prepare_data(data)
        self.prepare_model(model)
        self.optim = model.configure_optimizers()
        self.train_batch_idx = self.val_batch_idx = 0
        for epoch in range(self.max_epochs):
            self.epoch = epoch
            self.fit_epoch()
            if not in_notebook():
                values = ", ".join(f"{name} {value:.3f}" for name, value in model.board.latest().items())
                print(f"epoch {epoch + 1}/{self.max_epochs}: {values}")

    def prepare_data(self, data: DataModule) -> None:
        """Take the loaders of the data."""
        self.train_dataloader, self.val_dataloader = data.train_dataloader(), data.val_dataloader()
        self.num_train_batches = len(self.train_dataloader)
        self.num_val_batches = 0 if self.val_dataloader is None else len(self.val_dataloader)

    def prepare_model(self, model: Module) -> None:
        """Take the model, and move it to where it is trained."""
        model.trainer = self
        model.board.xlim = [0, self.max_epochs]
        self.model = model.to(self.gpus[0]) if self.gpus else model

    def prepare_batch(self, batch: Sequence[Tensor]) -> Sequence[Tensor]:
        """Move a batch to where the model is trained."""
        return [part.to(self.gpus[0]) for part in batch] if self.gpus else batch

    def fit_epoch(self) -> None:
        """Train for one epoch, and validate."""
        self.model.train()
        for batch in self.train_dataloader:
            loss = self.model.training_step(self.prepare_batch(batch))
            self.optim.zero_grad()
            loss.backward()
            if self.gradient_clip_val > 0:
                self.clip_gradients(self.gradient_clip_val, self.model)
            self.optim.step()
            self.train_batch_idx += 1
        if self.val_dataloader is None:
            return
        self.model.eval()
        for batch in self.val_dataloader:
            with no_grad():
                self.model.validation_step(self.prepare_batch(batch))
            self.val_batch_idx += 1

    def clip_gradients(self, grad_clip_val: float, model: nn.Module) -> None:
        """Shorten the gradient of all parameters together to the norm `grad_clip_val`, if it is longer."""
        nn.utils.clip_grad_norm_(model.parameters(), grad_clip_val)
