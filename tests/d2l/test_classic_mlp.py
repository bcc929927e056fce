"""The classic edition, multilayer perceptrons and the builder's guide, in the manner of each section."""

import math

import numpy as np
import pytest

import minitorch_cnn as torch
from minitorch_cnn import d2l, nn
from minitorch_cnn.nn import functional as F


def test_multilayer_perceptrons():
    """Activations and their derivatives, plotted."""
    x = torch.arange(-8.0, 8.0, 0.1, requires_grad=True)
    slopes = {torch.relu: 1.0, torch.sigmoid: 0.25, torch.tanh: 1.0}
    for function, steepest in slopes.items():
        y = function(x)
        d2l.plot(x.detach(), y.detach(), "x", f"{function.__name__}(x)", figsize=(5, 2.5))
        y.backward(torch.ones_like(x), retain_graph=True)
        d2l.plot(x.detach(), x.grad, "x", "its derivative", figsize=(5, 2.5))
        (line,) = d2l.plt.gca().lines
        assert line.get_ydata().max() == pytest.approx(steepest, abs=1e-3)
        x.grad.zero_()


def test_multilayer_perceptrons_from_scratch(capsys):
    train_iter, test_iter = d2l.load_data_fashion_mnist(16)
    W1 = nn.Parameter(torch.randn(784, 32, requires_grad=True) * 0.01)
    b1 = nn.Parameter(torch.zeros(32, requires_grad=True))
    W2 = nn.Parameter(torch.randn(32, 10, requires_grad=True) * 0.01)
    b2 = nn.Parameter(torch.zeros(10, requires_grad=True))

    def relu(X):
        return torch.max(X, torch.zeros_like(X))

    def net(X):
        H = relu(X.reshape((-1, 784)) @ W1 + b1)
        return H @ W2 + b2

    loss = nn.CrossEntropyLoss(reduction="none")
    updater = torch.optim.SGD([W1, b1, W2, b2], lr=0.1)
    d2l.train_ch3(net, train_iter, test_iter, loss, 8, updater)
    assert float(capsys.readouterr().out.split()[-1]) > 0.9
    d2l.predict_ch3(net, test_iter)
    assert len(d2l.plt.gcf().axes) == 6


def test_multilayer_perceptrons_concise(capsys):
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
    net.apply(lambda m: nn.init.normal_(m.weight, std=0.01) if type(m) == nn.Linear else None)  # noqa: E721
    trainer = torch.optim.SGD(net.parameters(), lr=0.1)
    d2l.train_ch3(net, *d2l.load_data_fashion_mnist(16), nn.CrossEntropyLoss(reduction="none"), 8, trainer)
    assert float(capsys.readouterr().out.split()[-1]) > 0.9


def test_model_selection_underfitting_and_overfitting():
    """A cubic is learned from its features; a line in their place is not enough."""
    rng = np.random.default_rng(0)
    true_w = np.array([5, 1.2, -3.4, 5.6])
    x = rng.normal(size=(200, 1))
    poly = np.power(x, np.arange(4)) / [math.gamma(i + 1) for i in range(4)]
    y = poly @ true_w + rng.normal(scale=0.1, size=200)
    poly, y = (torch.tensor(a, dtype=torch.float32) for a in (poly, y))

    def train(columns, num_epochs=40):
        loss, net = nn.MSELoss(reduction="none"), nn.Sequential(nn.Linear(columns, 1, bias=False))
        features, labels = poly[:, :columns], y.reshape(-1, 1)
        train_iter = d2l.load_array((features[:100], labels[:100]), 10)
        test_iter = d2l.load_array((features[100:], labels[100:]), 10, is_train=False)
        trainer = torch.optim.SGD(net.parameters(), lr=0.1)
        animator = d2l.Animator(xlabel="epoch", yscale="log", ylim=[1e-3, 1e2], legend=["train", "test"])
        for epoch in range(num_epochs):
            d2l.train_epoch_ch3(net, train_iter, loss, trainer)
            animator.add(epoch + 1, (d2l.evaluate_loss(net, train_iter, loss), d2l.evaluate_loss(net, test_iter, loss)))
        metric = d2l.Accumulator(2)
        for X, target in test_iter:
            metric.add(loss(net(X), target).sum(), target.numel())
        assert animator.Y[1][-1] == pytest.approx(metric[0] / metric[1], rel=1e-5)
        return animator.Y[1][-1], net[0].weight.detach().numpy()

    cubic, weights = train(4)
    line, _ = train(2)
    assert cubic < 0.05 and line > 20 * cubic
    np.testing.assert_allclose(weights[0], true_w, atol=0.2)


def test_weight_decay():
    """200 inputs and 20 examples. The penalty written out, and that of `optim.SGD`, make the weights small alike."""
    num_inputs, true_w, true_b = 200, torch.ones((200, 1)) * 0.01, 0.05
    train_data, test_data = (d2l.synthetic_data(true_w.reshape(-1), true_b, n) for n in (20, 100))
    train_iter, test_iter = d2l.load_array(train_data, 5), d2l.load_array(test_data, 5, is_train=False)

    def train(lambd):
        w, b = torch.normal(0, 1, size=(num_inputs, 1), requires_grad=True), torch.zeros(1, requires_grad=True)
        animator = d2l.Animator(xlabel="epochs", yscale="log", xlim=[5, 15], legend=["train", "test"])
        for epoch in range(15):
            for X, y in train_iter:
                l = d2l.squared_loss(d2l.linreg(X, w, b), y) + lambd * torch.sum(w.pow(2)) / 2
                l.sum().backward()
                d2l.sgd([w, b], 0.003, 5)
            losses = [
                d2l.evaluate_loss(lambda X: d2l.linreg(X, w, b), it, d2l.squared_loss) for it in (train_iter, test_iter)
            ]
            animator.add(epoch + 1, losses)
        return torch.norm(w).item(), animator.Y

    def train_concise(wd):
        net = nn.Sequential(nn.Linear(num_inputs, 1))
        for param in net.parameters():
            param.data.normal_()
        trainer = torch.optim.SGD([{"params": net[0].weight, "weight_decay": wd}, {"params": net[0].bias}], lr=0.003)
        for _ in range(15):
            for X, y in train_iter:
                trainer.zero_grad()
                nn.MSELoss(reduction="none")(net(X), y).mean().backward()
                trainer.step()
        return net[0].weight.norm().item()

    (free, losses), (small, _) = train(0), train(30)
    assert losses[0][-1] < losses[0][0] / 5 and losses[1][-1] > 10 * losses[0][-1]  # overfits
    assert small < free / 3
    assert train_concise(30) < train_concise(0) / 3


def test_dropout(capsys):
    def dropout_layer(X, dropout):
        if dropout == 1:
            return torch.zeros_like(X)
        if dropout == 0:
            return X
        mask = (torch.rand(X.shape) > dropout).float()
        return mask * X / (1.0 - dropout)

    X = torch.ones(1000)
    assert torch.equal(dropout_layer(X, 0.0), X) and not dropout_layer(X, 1.0).any()
    for dropped in (dropout_layer(X, 0.5), nn.Dropout(0.5)(X)):
        assert set(dropped.tolist()) == {0.0, 2.0} and dropped.mean().item() == pytest.approx(1, abs=0.15)
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 32), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(32, 10),
    )  # fmt: skip
    train_iter, test_iter = d2l.load_data_fashion_mnist(16)
    trainer = torch.optim.SGD(net.parameters(), lr=0.2)
    d2l.train_ch3(net, train_iter, test_iter, nn.CrossEntropyLoss(reduction="none"), 8, trainer)
    assert float(capsys.readouterr().out.split()[-1]) > 0.9
    assert d2l.evaluate_accuracy(net, test_iter) > 0.9 and not net.training


def test_numerical_stability():
    x = torch.arange(-8.0, 8.0, 0.1, requires_grad=True)
    y = torch.sigmoid(x)
    y.backward(torch.ones_like(x))
    d2l.plot(
        x.detach().numpy(), [y.detach().numpy(), x.grad.numpy()], legend=["sigmoid", "gradient"], figsize=(4.5, 2.5)
    )
    curve, slope = d2l.plt.gca().lines
    assert slope.get_ydata()[0] < 1e-3 and curve.get_ydata()[-1] > 0.999
    M = torch.normal(0, 1, size=(4, 4))
    for _ in range(100):
        M = torch.mm(M, torch.normal(0, 1, size=(4, 4)))
    assert M.abs().max().item() > 1e15


# --- the builder's guide -------------------------------------------------------------------------------------


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(20, 256), nn.Linear(256, 10)

    def forward(self, X):
        return self.out(F.relu(self.hidden(X)))


class Chain(nn.Module):
    def __init__(self, *args):
        super().__init__()
        for i, module in enumerate(args):
            self._modules[str(i)] = module

    def forward(self, X):
        for block in self._modules.values():
            X = block(X)
        return X


class FixedHidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.rand_weight = torch.rand((20, 20), requires_grad=False)
        self.linear = nn.Linear(20, 20)

    def forward(self, X):
        X = self.linear(X)
        X = F.relu(torch.mm(X, self.rand_weight) + 1)
        X = self.linear(X)
        while X.abs().sum() > 1:
            X /= 2
        return X.sum()


def test_layers_and_modules():
    X = torch.rand(2, 20)
    assert MLP()(X).shape == Chain(nn.Linear(20, 256), nn.ReLU(), nn.Linear(256, 10))(X).shape == (2, 10)
    chimera = nn.Sequential(Chain(nn.Linear(20, 16), nn.Linear(16, 20)), nn.Linear(20, 20), FixedHidden())
    y = chimera(X)
    assert y.shape == () and abs(y.item()) <= 1
    y.backward()
    assert all(parameter.grad is not None for parameter in chimera.parameters())


def test_parameter_management():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    assert list(net[2].state_dict()) == ["weight", "bias"] and net.state_dict()["2.bias"].shape == (1,)
    assert [(name, p.shape) for name, p in net[0].named_parameters()] == [("weight", (8, 4)), ("bias", (8,))]
    assert net[2].weight.grad is None and type(net[2].bias) is nn.Parameter

    def block():
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())

    nested = nn.Sequential()
    for i in range(4):
        nested.add_module(f"block {i}", block())
    rgnet = nn.Sequential(nested, nn.Linear(4, 1))
    assert rgnet[0][1][0].bias.data.shape == (8,) and "(block 3)" in repr(rgnet)

    def init(m):
        if type(m) == nn.Linear:  # noqa: E721
            nn.init.constant_(m.weight, 1)
            nn.init.zeros_(m.bias)

    net.apply(init)
    assert net[0].weight.data[0].tolist() == [1] * 4 and net[0].bias.data[0].item() == 0
    net[0].weight.data[:] += 1
    net[0].weight.data[0, 0] = 42
    assert net[0].weight.data[0].tolist() == [42, 2, 2, 2]
    shared = nn.Linear(8, 8)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(8, 1))
    net(torch.rand(2, 4)).sum().backward()
    net[2].weight.data[0, 0] = 100
    assert torch.equal(net[2].weight.data[0], net[4].weight.data[0]) and len(list(net.parameters())) == 6


def test_custom_layers():
    class Centered(nn.Module):
        def forward(self, X):
            return X - X.mean()

    class MyLinear(nn.Module):
        def __init__(self, in_units, units):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(in_units, units))
            self.bias = nn.Parameter(torch.randn(units))

        def forward(self, X):
            return F.relu(torch.matmul(X, self.weight.data) + self.bias.data)

    assert Centered()(torch.tensor([1.0, 2, 3, 4, 5])).tolist() == [-2, -1, 0, 1, 2]
    assert abs(nn.Sequential(nn.Linear(8, 128), Centered())(torch.rand(4, 8)).mean().item()) < 1e-6
    assert nn.Sequential(MyLinear(64, 8), MyLinear(8, 1))(torch.rand(2, 64)).shape == (2, 1)


def test_reading_and_writing_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = torch.arange(4), torch.zeros(4)
    torch.save(x, "x-file")
    torch.save([x, y], "x-files")
    torch.save({"x": x, "y": y}, "mydict")
    assert torch.equal(torch.load("x-file"), x)
    assert [t.tolist() for t in torch.load("x-files")] == [[0, 1, 2, 3], [0] * 4]
    assert torch.load("mydict").keys() == {"x", "y"}
    net, clone, X = MLP(), MLP(), torch.randn(size=(2, 20))
    torch.save(net.state_dict(), "mlp.params")
    clone.load_state_dict(torch.load("mlp.params"))
    clone.eval()
    assert torch.equal(clone(X), net(X))


def test_gpus(device):
    assert str(d2l.cpu()) == "cpu" and str(d2l.try_gpu(10)) == "cpu"
    assert d2l.num_gpus() == (device == "cuda") and d2l.try_all_gpus() == [d2l.try_gpu()]
    assert d2l.try_gpu() == (d2l.gpu() if device == "cuda" else d2l.cpu())
    X = torch.ones(2, 3, device=d2l.try_gpu())
    net = nn.Sequential(nn.Linear(3, 1)).to(device=d2l.try_gpu())
    assert net(X).device == net[0].weight.data.device == d2l.try_gpu()
