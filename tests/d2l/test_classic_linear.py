"""The classic edition, linear networks: each section's helpers, in its manner, on code of our own."""

import math

import numpy as np
import pytest

import minitorch_cnn as torch
from minitorch_cnn import d2l, data, nn


def test_linear_regression():
    """Loops and vectors timed; the density of a normal distribution plotted."""
    n = 1000
    a, b, c, timer = torch.ones(n), torch.ones(n), torch.zeros(n), d2l.Timer()
    for i in range(n):
        c[i] = a[i] + b[i]
    loop = timer.stop()
    timer.start()
    assert torch.equal(a + b, c)
    assert timer.stop() < loop and timer.sum() == sum(timer.times)

    x, params = np.arange(-7, 7, 0.01), [(0, 1), (0, 2), (3, 1)]
    densities = [np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi)) for mean, std in params]
    d2l.plot(x, densities, "x", "p(x)", figsize=(4.5, 2.5), legend=[str(p) for p in params])
    axes = d2l.plt.gca()
    assert [line.get_ydata().max().round(3) for line in axes.lines] == [0.399, 0.199, 0.399]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["(0, 1)", "(0, 2)", "(3, 1)"]


def test_linear_regression_from_scratch():
    true_w, true_b = torch.tensor([2.0, -3.4]), 4.2
    features, labels = d2l.synthetic_data(true_w, true_b, 200)
    assert (features.shape, labels.shape) == ((200, 2), (200, 1))
    noise = labels.reshape(-1) - (features @ true_w + true_b)
    assert 0.007 < noise.std().item() < 0.013
    d2l.set_figsize()
    assert d2l.plt.rcParams["figure.figsize"] == [3.5, 2.5]
    points = d2l.plt.scatter(features[:, 1].detach().numpy(), labels.detach().numpy(), 1)
    assert points.get_offsets().shape == (200, 2)

    w = torch.normal(0, 0.01, size=(2, 1), requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    for _ in range(15):
        for i in range(0, 200, 10):
            X, y = features[i : i + 10], labels[i : i + 10]
            l = d2l.squared_loss(d2l.linreg(X, w, b), y)
            l.sum().backward()
            d2l.sgd([w, b], 0.05, 10)
    assert l.shape == (10, 1) and not w.grad.any()
    assert torch.allclose(w.reshape(2), true_w, atol=0.01)
    assert b.item() == pytest.approx(true_b, abs=0.01)


def test_linear_regression_concise():
    true_w, true_b = torch.tensor([2.0, -3.4]), 4.2
    features, labels = d2l.synthetic_data(true_w, true_b, 200)
    data_iter = d2l.load_array((features, labels), 10)
    X, y = next(iter(data_iter))
    assert (X.shape, y.shape, len(data_iter)) == ((10, 2), (10, 1), 20)
    net = nn.Sequential(nn.Linear(2, 1))
    net[0].weight.data.normal_(0, 0.01)
    net[0].bias.data.fill_(0)
    loss, trainer = nn.MSELoss(), torch.optim.SGD(net.parameters(), lr=0.03)
    for _ in range(8):
        for X, y in data_iter:
            l = loss(net(X), y)
            trainer.zero_grad()
            l.backward()
            trainer.step()
    assert loss(net(features), labels).item() < 3e-4
    assert torch.allclose(net[0].weight.data.reshape(true_w.shape), true_w, atol=0.01)
    in_order = d2l.load_array((features, labels), 10, is_train=False)
    assert torch.equal(next(iter(in_order))[0], features[:10])


def test_image_classification_dataset():
    d2l.use_svg_display()
    train, test = data.FashionMNIST(train=True), data.FashionMNIST(train=False)
    assert (len(train), len(test), train[0][0].shape) == (160, 50, (1, 28, 28))
    assert d2l.get_fashion_mnist_labels(torch.tensor([0, 1, 9])) == ["t-shirt", "trouser", "ankle boot"]
    X, y = next(iter(data.DataLoader(train, batch_size=18)))
    axes = d2l.show_images(X.reshape(18, 28, 28), 2, 9, titles=d2l.get_fashion_mnist_labels(y))
    assert axes.shape == (18,)
    assert [ax.get_title() for ax in axes[:2]] == ["t-shirt", "trouser"]
    np.testing.assert_array_equal(axes[4].images[0].get_array(), X[4, 0].numpy())
    loader = data.DataLoader(train, 64, shuffle=True, num_workers=d2l.get_dataloader_workers())
    timer = d2l.Timer()
    assert sum(len(y) for _, y in loader) == 160 and timer.stop() > 0
    train_iter, _ = d2l.load_data_fashion_mnist(32, resize=64)
    assert next(iter(train_iter))[0].shape == (32, 1, 64, 64)


def softmax(scores):
    powers = torch.exp(scores)
    return powers / powers.sum(dim=1, keepdim=True)


def cross_entropy(probabilities, labels):
    return -probabilities[range(len(labels)), labels].log()


def test_softmax_regression_from_scratch(capsys):
    """With functions for the network, the loss and the update."""
    train_iter, test_iter = d2l.load_data_fashion_mnist(16)
    W = torch.normal(0, 0.01, size=(784, 10), requires_grad=True)
    b = torch.zeros(10, requires_grad=True)

    def net(X):
        return softmax(X.reshape(-1, 784) @ W + b)

    def updater(batch_size):
        return d2l.sgd([W, b], 0.1, batch_size)

    y, y_hat = torch.tensor([1, 2]), torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])
    assert d2l.accuracy(y_hat, y) / len(y) == 0.5
    assert cross_entropy(y_hat, y).tolist() == pytest.approx([math.log(4), -math.log(0.6)])
    metric = d2l.Accumulator(2)
    metric.add(d2l.accuracy(y_hat, y), y.numel())
    assert metric[0] / metric[1] == 0.5
    animator = d2l.Animator(xlabel="epoch", xlim=[1, 3], ylim=[0.3, 0.9], legend=["train loss", "test acc"])

    first, _ = d2l.train_epoch_ch3(net, train_iter, cross_entropy, updater)
    animator.add(1, (first, d2l.evaluate_accuracy(net, test_iter)))
    assert animator.Y[0] == [first] and 0 <= animator.Y[1][0] <= 1
    d2l.train_ch3(net, train_iter, test_iter, cross_entropy, 3, updater)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert float(lines[-1].split()[3].rstrip(",")) < first / 2
    assert d2l.evaluate_accuracy(net, test_iter) > 0.9
    d2l.predict_ch3(net, test_iter, n=4)
    titles = [ax.get_title() for ax in d2l.plt.gcf().axes]
    assert titles[0] == "t-shirt\nt-shirt" and len(titles) == 4


def test_softmax_regression_concise(capsys):
    train_iter, test_iter = d2l.load_data_fashion_mnist(16)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    def init_weights(m):
        if type(m) == nn.Linear:  # noqa: E721 - as the book asks
            nn.init.normal_(m.weight, std=0.01)

    net.apply(init_weights)
    loss = nn.CrossEntropyLoss(reduction="none")
    trainer = torch.optim.SGD(net.parameters(), lr=0.1)
    d2l.train_ch3(net, train_iter, test_iter, loss, 3, trainer)
    assert d2l.evaluate_accuracy(net, test_iter) > 0.9
    assert capsys.readouterr().out.count("test acc") == 3


def test_an_epoch_is_that_of_pytorch():
    """With a mean loss or one for each example, and `optim` or `sgd`: the same weights as a plain loop."""
    oracle = pytest.importorskip("torch")
    train_iter = data.DataLoader(data.FashionMNIST(), 16)
    weight = torch.normal(0, 0.01, (10, 784))
    theirs = oracle.from_numpy(weight.numpy().copy()).requires_grad_()
    optimizer, losses = oracle.optim.SGD([theirs], lr=0.1), []
    for X, y in train_iter:
        l = oracle.nn.functional.cross_entropy(oracle.tensor(X.numpy()).flatten(1) @ theirs.T, oracle.tensor(y.numpy()))
        optimizer.zero_grad()
        l.backward()
        optimizer.step()
        losses.append(l.item())
    for reduction in ("mean", "none"):
        net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10, bias=False))
        net[1].weight.data.copy_(weight)
        trainer = torch.optim.SGD(net.parameters(), lr=0.1)
        loss, _ = d2l.train_epoch_ch3(net, train_iter, nn.CrossEntropyLoss(reduction=reduction), trainer)
        assert loss == pytest.approx(np.mean(losses), abs=1e-5)
        np.testing.assert_allclose(net[1].weight.detach().numpy(), theirs.detach().numpy(), atol=1e-5)
    net[1].weight.data.copy_(weight)
    net.zero_grad()
    params = list(net.parameters())
    loss = nn.CrossEntropyLoss(reduction="none")
    d2l.train_epoch_ch3(net, train_iter, loss, lambda batch_size: d2l.sgd(params, 0.1, batch_size))
    np.testing.assert_allclose(net[1].weight.detach().numpy(), theirs.detach().numpy(), atol=1e-5)
