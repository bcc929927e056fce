"""The classic edition, multilayer perceptrons and the builder's guide, in the manner of each section."""

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
    sizes = [(784, 32), (32,), (32, 10), (10,)]
    params = [nn.Parameter(0.01 * torch.randn(size) if len(size) > 1 else torch.zeros(size)) for size in sizes]

    def net(images):
        hidden = images.flatten(1) @ params[0] + params[1]
        return torch.max(hidden, torch.zeros_like(hidden)) @ params[2] + params[3]

    updater = torch.optim.SGD(params, lr=0.1)
    d2l.train_ch3(net, train_iter, test_iter, nn.CrossEntropyLoss(reduction="none"), 8, updater)
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
    """A cubic is learned from its four powers; from two of them, it is not."""
    truth = torch.tensor([[4.0], [-1.5], [2.5], [-3.0]])
    x = 4 * torch.rand(200, 1) - 2
    powers = torch.cat([torch.ones(200, 1), x, x**2 / 2, x**3 / 2], dim=1)
    y = powers @ truth + 0.1 * torch.randn(200, 1)

    def fit(columns, epochs=40):
        X, net, criterion = powers[:, :columns], nn.Linear(columns, 1, bias=False), nn.MSELoss(reduction="none")
        seen, unseen = d2l.load_array((X[:100], y[:100]), 10), d2l.load_array((X[100:], y[100:]), 10, is_train=False)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        curves = d2l.Animator(yscale="log", legend=["seen", "unseen"])
        for epoch in range(epochs):
            d2l.train_epoch_ch3(net, seen, criterion, optimizer)
            curves.add(epoch, [d2l.evaluate_loss(net, batches, criterion) for batches in (seen, unseen)])
        sums = d2l.Accumulator(2)
        for inputs, targets in unseen:
            sums.add(criterion(net(inputs), targets).sum(), len(targets))
        assert curves.Y[1][-1] == pytest.approx(sums[0] / sums[1], rel=1e-5)
        return curves.Y[1][-1], net.weight.detach()

    cubic, weights = fit(4)
    line, _ = fit(2)
    assert cubic < 0.05 and line > 20 * cubic
    assert torch.allclose(weights, truth.t(), atol=0.2)


def test_weight_decay():
    """200 inputs and 20 examples. The penalty written out, and that of `optim.SGD`, make the weights small alike."""
    truth = 0.01 * torch.ones(200)
    train_iter = d2l.load_array(d2l.synthetic_data(truth, 0.05, 20), 5)
    test_iter = d2l.load_array(d2l.synthetic_data(truth, 0.05, 100), 5, is_train=False)

    def by_hand(penalty):
        w, b = torch.randn(200, 1, requires_grad=True), torch.zeros(1, requires_grad=True)
        curves = d2l.Animator(xlabel="epoch", yscale="log", legend=["seen", "unseen"])

        def net(X):
            return d2l.linreg(X, w, b)

        for epoch in range(15):
            for X, y in train_iter:
                (d2l.squared_loss(net(X), y).sum() + 5 * penalty * w.square().sum() / 2).backward()
                d2l.sgd([w, b], 0.003, 5)
            curves.add(
                epoch, [d2l.evaluate_loss(net, batches, d2l.squared_loss) for batches in (train_iter, test_iter)]
            )
        return w.norm().item(), curves.Y

    def by_optim(penalty):
        net = nn.Linear(200, 1)
        nn.init.normal_(net.weight)
        groups = [{"params": [net.weight], "weight_decay": penalty}, {"params": [net.bias]}]
        optimizer, criterion = torch.optim.SGD(groups, lr=0.003), nn.MSELoss()
        for X, y in list(train_iter) * 15:
            optimizer.zero_grad()
            criterion(net(X), y).backward()
            optimizer.step()
        return net.weight.norm().item()

    (free, losses), (small, _) = by_hand(0), by_hand(30)
    assert losses[0][-1] < losses[0][0] / 5 and losses[1][-1] > 10 * losses[0][-1]  # overfits
    assert small < free / 3 and by_optim(30) < by_optim(0) / 3


def test_dropout(capsys):
    def dropped(x, p):
        kept = (torch.rand(x.shape) >= p).float()
        return kept * x / (1 - p) if p < 1 else 0 * x

    x = torch.ones(1000)
    assert torch.equal(dropped(x, 0.0), x) and not dropped(x, 1.0).any()
    for y in (dropped(x, 0.5), nn.Dropout(0.5)(x)):
        assert set(y.tolist()) == {0.0, 2.0} and y.mean().item() == pytest.approx(1, abs=0.15)
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 32), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(32, 10),
    )  # fmt: skip
    train_iter, test_iter = d2l.load_data_fashion_mnist(16)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2)
    d2l.train_ch3(net, train_iter, test_iter, nn.CrossEntropyLoss(reduction="none"), 8, optimizer)
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


class Hidden(nn.Module):
    """One hidden layer, in a forward of its own."""

    def __init__(self, inputs=12, units=30, outputs=5):
        super().__init__()
        self.first, self.second = nn.Linear(inputs, units), nn.Linear(units, outputs)

    def forward(self, x):
        return self.second(F.relu(self.first(x)))


class Chain(nn.Module):
    """One module after the other: what `nn.Sequential` is."""

    def __init__(self, *modules):
        super().__init__()
        for number, module in enumerate(modules):
            self._modules[f"step{number}"] = module

    def forward(self, x):
        for module in self._modules.values():
            x = module(x)
        return x


class Halving(nn.Module):
    """A constant that is no parameter, one layer used twice, and a loop whose length depends on the values."""

    def __init__(self, size):
        super().__init__()
        self.constant, self.layer = torch.rand(size, size), nn.Linear(size, size)

    def forward(self, x):
        x = self.layer(F.relu(torch.mm(self.layer(x), self.constant) + 1))
        while x.abs().sum() > 1:
            x = x / 2
        return x.sum()


def test_layers_and_modules():
    x = torch.rand(2, 12)
    assert Hidden()(x).shape == Chain(nn.Linear(12, 30), nn.ReLU(), nn.Linear(30, 5))(x).shape == (2, 5)
    mixed = nn.Sequential(Chain(nn.Linear(12, 8), nn.ReLU()), nn.Linear(8, 6), Halving(6))
    y = mixed(x)
    assert y.shape == () and abs(y.item()) <= 1 and "0.step0.weight" in mixed.state_dict()
    y.backward()
    assert len(list(mixed.parameters())) == 6
    assert all(parameter.grad is not None for parameter in mixed.parameters())


def test_parameter_management():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    assert [(name, p.shape) for name, p in net[2].named_parameters()] == [("weight", (1, 8)), ("bias", (1,))]
    assert net.state_dict()["2.bias"].data.shape == (1,) and type(net[0].bias) is nn.Parameter
    assert net[0].weight.grad is None

    nested = nn.Sequential()
    for number in range(3):
        nested.add_module(f"part {number}", nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    whole = nn.Sequential(nested, nn.Linear(4, 1))
    assert whole[0][2][0].bias.data.shape == (4,) and "(part 2)" in repr(whole)

    def constant(module):
        if isinstance(module, nn.Linear):
            nn.init.constant_(module.weight, 3)
            nn.init.zeros_(module.bias)

    net.apply(constant)
    net[0].weight.data[1] += 1
    net[0].weight.data[0, 2] = 50
    assert net[0].weight.data[:2].tolist() == [[3, 3, 50, 3], [4] * 4] and not net[2].bias.any()
    tied = nn.Linear(4, 4)
    net = nn.Sequential(tied, nn.ReLU(), tied)
    net(torch.rand(2, 4)).sum().backward()
    net[0].weight.data[0, 0] = 100
    assert net[2].weight.data[0, 0].item() == 100 and len(list(net.parameters())) == 2


def test_custom_layers():
    class Centre(nn.Module):
        """Without parameters."""

        def forward(self, x):
            return x - x.mean()

    class Dense(nn.Module):
        """With parameters of its own."""

        def __init__(self, inputs, outputs):
            super().__init__()
            self.w, self.b = nn.Parameter(torch.randn(inputs, outputs)), nn.Parameter(torch.zeros(outputs))

        def forward(self, x):
            return torch.matmul(x, self.w) + self.b

    assert Centre()(torch.tensor([2.0, 4.0, 9.0])).tolist() == [-3, -1, 4]
    net = nn.Sequential(Dense(6, 3), nn.ReLU(), Dense(3, 2), Centre())
    y = net(torch.rand(4, 6))
    assert y.shape == (4, 2) and abs(y.mean().item()) < 1e-6 and len(list(net.parameters())) == 4


def test_reading_and_writing_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a, b = torch.arange(4), torch.zeros(3)
    for number, value in enumerate([a, [a, b], {"a": a, "b": b}]):
        torch.save(value, f"file{number}")
    assert torch.equal(torch.load("file0"), a)
    assert [t.tolist() for t in torch.load("file1")] == [[0, 1, 2, 3], [0, 0, 0]]
    assert torch.load("file2").keys() == {"a", "b"}
    net, other, X = Hidden(), Hidden(), torch.randn(2, 12)
    torch.save(net.state_dict(), "weights")
    other.load_state_dict(torch.load("weights"))
    assert torch.equal(other(X), net(X))


def test_gpus(device):
    assert str(d2l.cpu()) == "cpu" and str(d2l.try_gpu(10)) == "cpu"
    assert d2l.num_gpus() == (device == "cuda") and d2l.try_all_gpus() == [d2l.try_gpu()]
    assert d2l.try_gpu() == (d2l.gpu() if device == "cuda" else d2l.cpu())
    X = torch.ones(2, 3, device=d2l.try_gpu())
    net = nn.Sequential(nn.Linear(3, 1)).to(device=d2l.try_gpu())
    assert net(X).device == net[0].weight.data.device == d2l.try_gpu()
