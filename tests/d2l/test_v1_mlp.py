"""The 1.0 edition, multilayer perceptrons and the builder's guide; what the classic edition has alike, stands there."""

from itertools import pairwise

import pytest

import minitorch_cnn as torch
from minitorch_cnn import d2l, nn
from minitorch_cnn.nn import functional as F


def test_linear_regression_concise():
    """A lazy layer, whose weights are what the loss is least for."""
    w, b = torch.tensor([2.0, -3.4]), 4.2

    class Concise(d2l.Module):
        def __init__(self, lr):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.LazyLinear(1)
            self.net.weight.data.normal_(0, 0.01)
            self.net.bias.data.fill_(0)

    @d2l.add_to_class(Concise)
    def forward(self, X):
        return self.net(X)

    @d2l.add_to_class(Concise)
    def loss(self, y_hat, y):
        return nn.MSELoss()(y_hat, y)

    @d2l.add_to_class(Concise)
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.lr)

    @d2l.add_to_class(Concise)
    def get_w_b(self):
        return self.net.weight.data, self.net.bias.data

    data = d2l.SyntheticRegressionData(w=w, b=b, num_train=320, num_val=32)
    for model in (Concise(lr=0.05), d2l.LinearRegression(lr=0.05)):
        d2l.Trainer(max_epochs=6).fit(model, data)
        learned, bias = model.get_w_b()
        assert torch.allclose(learned.reshape(2), w, atol=0.01)
        assert bias.item() == pytest.approx(b, abs=0.01)


def test_weight_decay_concise():
    class WeightDecay(d2l.LinearRegression):
        def __init__(self, wd, lr):
            super().__init__(lr)
            self.save_hyperparameters()
            self.wd = wd

        def configure_optimizers(self):
            params = [{"params": self.net.weight, "weight_decay": self.wd}, {"params": self.net.bias}]
            return torch.optim.SGD(params, lr=self.lr)

    data = d2l.SyntheticRegressionData(torch.ones(50) * 0.01, 0.05, num_train=20, num_val=10, batch_size=5)
    norms = []
    for wd in (0, 3):
        model = WeightDecay(wd, lr=0.01)
        model.board.yscale = "log"
        d2l.Trainer(max_epochs=5).fit(model, data)
        norms.append(float((model.get_w_b()[0] ** 2).sum()))
    assert norms[1] < norms[0] / 2


def test_softmax_regression_concise(capsys):
    class Concise(d2l.Classifier):
        def __init__(self, num_outputs, lr):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_outputs))

        def forward(self, X):
            return self.net(X)

    data = d2l.FashionMNIST(batch_size=16)
    for model in (Concise(num_outputs=10, lr=0.1), d2l.SoftmaxRegression(num_outputs=10, lr=0.1)):
        d2l.Trainer(max_epochs=3).fit(model, data)
        assert model.board.latest()["val_acc"] > 0.9
    assert capsys.readouterr().out.count("val_acc") == 6


def test_multilayer_perceptrons():
    """By hand and with lazy layers; the hidden units are what makes them more than a linear model."""

    class Scratch(d2l.Classifier):
        def __init__(self, sizes, lr):
            super().__init__()
            self.save_hyperparameters()
            for number, (inputs, outputs) in enumerate(pairwise(sizes)):  # a row for the bias
                self.register_parameter(f"layer{number}", nn.Parameter(0.05 * torch.randn(inputs + 1, outputs)))

    @d2l.add_to_class(Scratch)
    def forward(self, images):
        x = images.flatten(1)
        for number, weights in enumerate(self.parameters()):
            x = (torch.clamp(x, min=0) if number else x) @ weights[:-1] + weights[-1]
        return x

    class MLP(d2l.Classifier):
        def __init__(self, num_outputs, num_hiddens, lr):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_hiddens), nn.ReLU(), nn.LazyLinear(num_outputs))

    data, trainer = d2l.FashionMNIST(batch_size=16), d2l.Trainer(max_epochs=9)
    for model in (Scratch((784, 32, 10), lr=0.1), MLP(num_outputs=10, num_hiddens=32, lr=0.1)):
        trainer.fit(model, data)
        assert model.board.latest()["val_acc"] > 0.9


def test_dropout():
    class Dropping(d2l.Classifier):
        def __init__(self, widths, shares, lr, classes=10):
            super().__init__()
            self.save_hyperparameters()
            hidden = [
                nn.Sequential(nn.LazyLinear(width), nn.ReLU(), nn.Dropout(share))
                for width, share in zip(widths, shares)
            ]
            self.net = nn.Sequential(nn.Flatten(), *hidden, nn.LazyLinear(classes))

    model = Dropping([64, 64], [0.5, 0.5], lr=0.2)
    assert {"widths": [64, 64], "lr": 0.2, "classes": 10}.items() <= model.hparams.items()
    d2l.Trainer(max_epochs=9).fit(model, d2l.FashionMNIST(batch_size=16))
    assert model.board.latest()["val_acc"] > 0.9 and not model.training


# --- the builder's guide -------------------------------------------------------------------------------------


def test_layers_and_modules():
    class Twice(nn.Module):
        """A lazy layer that is used twice, with a constant between."""

        def __init__(self, size):
            super().__init__()
            self.constant, self.layer = torch.rand(size, size), nn.LazyLinear(size)

        def forward(self, x):
            return self.layer(F.relu(self.layer(x) @ self.constant)).mean()

    class Chain(nn.Module):
        def __init__(self, *modules):
            super().__init__()
            for number, module in enumerate(modules):
                self.add_module(f"step{number}", module)

        def forward(self, x):
            for module in self.children():
                x = module(x)
            return x

    x = torch.rand(2, 12)
    assert Chain(nn.LazyLinear(30), nn.ReLU(), nn.LazyLinear(5))(x).shape == (2, 5)
    mixed = nn.Sequential(Chain(nn.LazyLinear(8), nn.ReLU()), nn.LazyLinear(6), Twice(6))
    assert mixed(x).shape == () and mixed[2].layer.weight.shape == (6, 6) and mixed[0].step0.weight.shape == (8, 12)


def test_parameter_management():
    shared = nn.LazyLinear(8)
    net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.LazyLinear(1))
    net(torch.rand(2, 4))
    assert [(name, p.shape) for name, p in net[0].named_parameters()] == [("weight", (8, 4)), ("bias", (8,))]
    net[2].weight.data[0, 0] = 100
    assert torch.equal(net[2].weight.data[0], net[4].weight.data[0])
    assert "2.weight" in net.state_dict() and net[6].weight.grad is None


def test_parameter_initialization():
    net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(1))
    net(torch.rand(2, 4))
    net.apply(lambda m: nn.init.normal_(m.weight, mean=0, std=0.01) if type(m) is nn.Linear else None)
    assert net[0].weight.data.abs().max().item() < 0.1
    net[0].apply(lambda m: nn.init.xavier_uniform_(m.weight))
    net[2].apply(lambda m: nn.init.constant_(m.weight, 42))
    assert net[2].weight.data.tolist() == [[42] * 8] and net[0].weight.data.abs().max().item() > 0.1


def test_lazy_initialization():
    net = nn.Sequential(nn.LazyLinear(256), nn.ReLU(), nn.LazyLinear(10))
    assert "Uninitialized" in repr(net[0].weight)
    assert net(torch.rand(2, 20)).shape == (2, 10) and net[0].weight.shape == (256, 20)

    class Two(d2l.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(1))

    @d2l.add_to_class(Two)
    def shapes(self):
        return [p.shape for p in self.parameters()]

    model = Two()
    model.apply_init([torch.rand(2, 3)])
    assert model.shapes() == [(4, 3), (4,), (1, 4), (1,)]
    model.apply_init([torch.rand(2, 3)], lambda m: nn.init.ones_(m.weight) if type(m) is nn.Linear else None)
    assert model.net[0].weight.data.tolist() == [[1] * 3] * 4


def test_custom_layers():
    class Scaled(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.factor = nn.Parameter(torch.full((size,), 2.0))

        def forward(self, x):
            return x * self.factor

    assert Scaled(3)(torch.ones(2, 3)).tolist() == [[2] * 3] * 2
    net = nn.Sequential(nn.LazyLinear(6), Scaled(6))
    net(torch.rand(4, 5)).sum().backward()
    assert net[1].factor.grad.shape == (6,) and net[0].weight.grad.shape == (6, 5)


def test_gpus(device):
    """A model is trained where it is asked to be, if there is such a place."""
    assert (d2l.cpu().type, d2l.num_gpus()) == ("cpu", int(device == "cuda"))
    assert [str(d2l.try_gpu(i)) for i in (0, 1)] == ["cuda:0" if device == "cuda" else "cpu", "cpu"]
    assert d2l.try_all_gpus() == [d2l.gpu() if device == "cuda" else d2l.cpu()]
    trainer = d2l.Trainer(max_epochs=2, num_gpus=2)
    assert trainer.gpus == [d2l.gpu()] * d2l.num_gpus()
    model = d2l.SoftmaxRegression(10, lr=0.1)
    trainer.fit(model, d2l.FashionMNIST(batch_size=32))
    assert model.net[1].weight.device == d2l.try_gpu() and model.board.latest()["val_loss"] < 2.3

    class Own(d2l.Trainer):
        pass

    @d2l.add_to_class(Own)
    def prepare_batch(self, batch):
        self.seen = [a.to(d2l.try_gpu()) for a in batch]
        return self.seen

    own = Own(max_epochs=1, num_gpus=1)
    own.fit(model, d2l.FashionMNIST(batch_size=32))
    assert own.seen[0].device == d2l.try_gpu()
