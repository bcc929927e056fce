"""The 1.0 edition, linear networks: its design, its data and its models, in the manner of each section."""

import inspect

import numpy as np
import pytest

import minitorch_cnn as torch
from minitorch_cnn import d2l, nn

W, B = torch.tensor([2.0, -3.4]), 4.2


def test_linear_regression():
    a, b = torch.ones(1000), torch.ones(1000)
    assert (a + b).sum().item() == 2000
    x = np.arange(-7, 7, 0.01)
    d2l.plot(x, [np.exp(-((x - m) ** 2) / 2) for m in (0, 3)], "x", "p(x)", legend=["mean 0", "mean 3"])
    assert [x[line.get_ydata().argmax()].round(2) for line in d2l.plt.gca().lines] == [0, 3]


def test_object_oriented_design():
    class Counter:
        count = 1

    counter = Counter()

    @d2l.add_to_class(Counter)
    def double(self):
        return 2 * self.count

    assert counter.double() == Counter.double(counter) == 2

    class Settings(d2l.HyperParameters):
        def __init__(self, a, b, c, *, d=4):
            self.save_hyperparameters(ignore=["c"])

    settings = Settings(a=1, b=2, c=3)
    assert (settings.a, settings.b, settings.d) == (1, 2, 4) and not hasattr(settings, "c")
    assert settings.hparams == {"a": 1, "b": 2, "d": 4}

    board = d2l.ProgressBoard("x", figsize=(3, 2))
    assert board.fig is None and board.latest() == {}
    for x in np.arange(0, 10, 0.1):
        board.draw(x, np.sin(x), "sin", every_n=2)
        board.draw(x, np.cos(x), "cos", every_n=10)
    lines = board.fig.axes[0].lines
    assert [(line.get_label(), len(line.get_xdata())) for line in lines] == [("sin", 50), ("cos", 10)]
    assert lines[1].get_xdata()[0] == pytest.approx(np.arange(0, 1, 0.1).mean())
    assert lines[1].get_ydata()[0] == pytest.approx(np.cos(np.arange(0, 1, 0.1)).mean())

    for needed, call in {
        r"loss\(self, y_hat, y\)": lambda: d2l.Module().loss(0, 0),
        r"self.net, or a method forward\(self, X\)": lambda: d2l.Module().forward(torch.ones(1)),
        r"get_dataloader\(self, train\)": lambda: d2l.DataModule().train_dataloader(),
    }.items():
        with pytest.raises(NotImplementedError, match=needed):
            call()
    assert list(inspect.signature(d2l.Trainer).parameters) == ["max_epochs", "num_gpus", "gradient_clip_val"]


def test_synthetic_regression_data():
    data = d2l.SyntheticRegressionData(w=W, b=B, num_train=100, num_val=50)
    assert (data.X.shape, data.y.shape) == ((150, 2), (150, 1))
    assert (data.y.reshape(-1) - data.X @ W - B).std().item() < 0.02
    X, y = next(iter(data.train_dataloader()))
    assert (X.shape, y.shape) == ((32, 2), (32, 1))
    assert not torch.equal(X, next(iter(data.train_dataloader()))[0])  # shuffled
    assert torch.equal(next(iter(data.val_dataloader()))[0], data.X[100:132])  # not shuffled, and not of these
    assert (len(data.train_dataloader()), len(data.val_dataloader())) == (4, 2)

    class Strided(d2l.SyntheticRegressionData):
        """Batches of one's own making."""

    @d2l.add_to_class(Strided)
    def get_dataloader(self, train):
        rows = torch.arange(self.num_train) if train else torch.arange(self.num_train, len(self.X))
        return [(self.X[rows[k::4]], self.y[rows[k::4]]) for k in range(4)]

    strided = Strided(W, B, num_train=100, num_val=8)
    assert torch.equal(strided.train_dataloader()[1][0], strided.X[1:100:4])
    assert [len(y) for _, y in strided.val_dataloader()] == [2, 2, 2, 2]
    assert isinstance(data, d2l.DataModule)


def test_linear_regression_from_scratch(capsys):
    class Line(d2l.Module):
        def __init__(self, inputs, lr):
            super().__init__()
            self.save_hyperparameters()
            self.w, self.b = torch.zeros(inputs, 1, requires_grad=True), torch.zeros(1, requires_grad=True)

        def forward(self, x):
            return x @ self.w + self.b

        def loss(self, y_hat, y):
            return (y_hat - y).square().mean() / 2

        def configure_optimizers(self):
            return d2l.SGD([self.w, self.b], self.lr)

    data = d2l.SyntheticRegressionData(w=W, b=B, num_train=320, num_val=64)
    for model in (Line(2, lr=0.1), d2l.LinearRegressionScratch(2, lr=0.1)):
        trainer = d2l.Trainer(max_epochs=6)
        trainer.fit(model, data)
        assert torch.allclose(model.w.detach().reshape(2), W, atol=0.02)
        assert model.b.item() == pytest.approx(B, abs=0.02)
        assert (trainer.epoch, trainer.train_batch_idx, trainer.val_batch_idx) == (5, 60, 12)
        train, val = (line.get_ydata() for line in model.board.fig.axes[0].lines)
        assert (len(train), len(val)) == (12, 6) and train[-1] < train[0] / 50
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(":")[0] for line in lines] == [f"epoch {i}/6" for i in range(1, 7)]
        assert lines[-1] == f"epoch 6/6: train_loss {train[-1]:.3f}, val_loss {val[-1]:.3f}"
    assert isinstance(model, d2l.HyperParameters) and model.board.xlim == [0, 6]

    class Clipped(d2l.Trainer):
        def clip_gradients(self, grad_clip_val, model):
            model.w.grad.clamp_(-grad_clip_val, grad_clip_val)

    model = d2l.LinearRegressionScratch(2, lr=1.0, sigma=0)
    Clipped(max_epochs=1, gradient_clip_val=1e-3).fit(model, data)
    assert model.w.abs().max().item() <= 10 * 1.001e-3


def test_weight_decay():
    """200 inputs and 20 examples: the penalty keeps the weights small, whoever computes it."""

    class Wide(d2l.DataModule):
        def __init__(self, train=20, val=100, inputs=200, batch_size=5):
            self.save_hyperparameters()
            self.X = torch.randn(train + val, inputs)
            self.y = 0.05 + 0.01 * self.X.sum(dim=1, keepdim=True) + 0.01 * torch.randn(train + val, 1)

        def get_dataloader(self, train):
            return self.get_tensorloader(
                [self.X, self.y], train, slice(self.train) if train else slice(self.train, None)
            )

    class Decayed(d2l.LinearRegressionScratch):
        penalty = 0

        def loss(self, y_hat, y):
            return super().loss(y_hat, y) + self.penalty * self.w.square().sum() / 2

    data, norms = Wide(), []
    for penalty in (0, 3):
        model = Decayed(data.inputs, lr=0.01)
        model.penalty, model.board.yscale = penalty, "log"
        d2l.Trainer(max_epochs=10).fit(model, data)
        assert model.board.fig.axes[0].get_yscale() == "log"
        norms.append(model.w.norm().item())
    assert norms[1] < 0.7 * norms[0]


def test_image_classification_dataset():
    d2l.use_svg_display()
    data = d2l.FashionMNIST(resize=(32, 32))
    assert (len(data.train), len(data.val), data.train[0][0].shape) == (160, 50, (1, 32, 32))
    assert data.text_labels([0, 9]) == ["t-shirt", "ankle boot"]
    X, y = next(iter(data.train_dataloader()))
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((64, 1, 32, 32), torch.float32, (64,), torch.int64)
    batch = next(iter(data.val_dataloader()))
    data.visualize(batch)
    titles = [ax.get_title() for ax in d2l.plt.gcf().axes]
    assert titles == data.text_labels(batch[1])[:8]
    assert isinstance(data, d2l.DataModule)
    d2l.show_images(X[:4, 0], 2, 2, titles=list("abcd"))
    assert len(d2l.plt.gcf().axes) == 4

    class Own(d2l.FashionMNIST):
        pass

    @d2l.add_to_class(Own)
    def text_labels(self, indices):
        return [f"class {i}" for i in indices]

    Own().visualize(batch, ncols=2)
    assert d2l.plt.gcf().axes[1].get_title() == "class 1"


def test_base_classification_model():
    model = d2l.Classifier()
    y_hat, y = torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]), torch.tensor([1, 2])
    assert model.accuracy(y_hat, y).item() == 0.5
    assert model.accuracy(y_hat, y, averaged=False).tolist() == [0, 1]
    assert model.loss(y_hat, y).item() == pytest.approx(nn.functional.cross_entropy(y_hat, y).item())
    assert model.loss(y_hat, y, averaged=False).shape == (2,)
    assert isinstance(model, d2l.Module)

    class Exact(d2l.Classifier):
        pass

    @d2l.add_to_class(Exact)
    def accuracy(self, Y_hat, Y, averaged=True):
        return 1.0

    assert Exact().accuracy(y_hat, y) == 1.0


def test_softmax_regression_from_scratch(capsys):
    class Softmax(d2l.Classifier):
        def __init__(self, lr):
            super().__init__()
            self.save_hyperparameters()
            self.weights = nn.Parameter(torch.zeros(785, 10))

        def forward(self, images):
            rows = torch.cat([images.flatten(1), torch.ones(len(images), 1)], dim=1)  # 1 for the bias
            powers = torch.exp(rows @ self.weights)
            return powers / powers.sum(1, keepdims=True)

        def loss(self, y_hat, y):
            return -y_hat[range(len(y)), y].log().mean()

    data, model = d2l.FashionMNIST(batch_size=16), Softmax(lr=0.1)
    d2l.Trainer(max_epochs=4).fit(model, data)
    assert "val_acc" in capsys.readouterr().out
    assert model.board.latest()["val_acc"] > 0.9
    X, y = next(iter(data.val_dataloader()))
    wrong = model(X).argmax(axis=1).type(y.dtype) != y
    assert wrong.sum().item() <= 1
