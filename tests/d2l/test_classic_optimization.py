"""The classic edition, optimisation algorithms. The 1.0 edition has the same sections, with the same helpers."""

import math

import numpy as np
import pytest

import minitorch_cnn as torch
from minitorch_cnn import d2l, nn


def test_optimization_and_deep_learning():
    def f(x):
        return x * torch.cos(math.pi * x)

    def g(x):
        return f(x) + 0.2 * torch.cos(5 * math.pi * x)

    x = torch.arange(0.5, 1.5, 0.01)
    d2l.set_figsize((4.5, 2.5))
    d2l.plot(x, [f(x), g(x)], "x", "risk")
    d2l.annotate("smallest empirical risk", (1.0, -1.2), (0.5, -1.1))
    d2l.annotate("smallest risk", (1.1, -1.05), (0.95, -0.5))
    axes = d2l.plt.gca()
    assert [text.get_text() for text in axes.texts] == ["smallest empirical risk", "smallest risk"]
    assert (axes.texts[0].xy, axes.texts[0].get_position()) == ((1.0, -1.2), (0.5, -1.1))
    x, y = torch.meshgrid(torch.linspace(-1, 1, 11), torch.linspace(-1, 1, 11), indexing="ij")
    saddle = d2l.plt.figure().add_subplot(111, projection="3d")
    saddle.plot_wireframe(x.numpy(), y.numpy(), (x**2 - y**2).numpy(), rstride=5, cstride=5)
    saddle.plot([0], [0], [0], "rx")
    assert len(saddle.collections) == 1


def test_convexity():
    functions = [lambda x: 0.5 * x**2, lambda x: torch.cos(np.pi * x), lambda x: torch.exp(0.5 * x)]
    x, segment = torch.arange(-2, 2, 0.01), torch.tensor([-1.5, 1])
    d2l.use_svg_display()
    _, axes = d2l.plt.subplots(1, 3, figsize=(9, 3))
    for ax, f in zip(axes, functions):
        d2l.plot([x, segment], [f(x), f(segment)], axes=ax)
        curve, chord = ax.lines
        assert len(curve.get_xdata()) == 400 and list(chord.get_xdata()) == [-1.5, 1]
    assert d2l.plt.gcf().axes == list(axes)
    d2l.set_figsize()


def test_gradient_descent():
    def descend(eta, f_grad):
        x, results = 10.0, [10.0]
        for _ in range(10):
            x -= eta * f_grad(x)
            results.append(float(x))
        return results

    results = descend(0.2, lambda x: 2 * x)
    assert results[-1] == pytest.approx(10 * 0.6**10)
    f_line = torch.arange(-10, 10, 0.01)
    d2l.set_figsize()
    d2l.plot([f_line, results], [f_line**2, [x**2 for x in results]], "x", "f(x)", fmts=["-", "-o"])
    assert d2l.plt.gca().lines[1].get_marker() == "o"

    def f_2d(x1, x2):
        return x1**2 + 2 * x2**2

    def f_2d_grad(x1, x2):
        return 2 * x1, 4 * x2

    def gd_2d(x1, x2, s1, s2, f_grad):
        g1, g2 = f_grad(x1, x2)
        return x1 - 0.1 * g1, x2 - 0.1 * g2, 0, 0

    results = d2l.train_2d(gd_2d, f_grad=f_2d_grad)
    assert len(results) == 21
    assert results[-1] == pytest.approx((-5 * 0.8**20, -2 * 0.6**20))
    d2l.show_trace_2d(f_2d, results)
    axes = d2l.plt.gca()
    np.testing.assert_allclose(axes.lines[0].get_xydata(), results)
    assert (axes.get_xlabel(), axes.get_ylabel(), len(axes.collections)) == ("x1", "x2", 1)


def test_stochastic_gradient_descent(capsys):
    t = 1

    def sgd(x1, x2, s1, s2, f_grad):
        g1, g2 = f_grad(x1, x2)
        g1 += torch.normal(0.0, 1, (1,)).item()
        g2 += torch.normal(0.0, 1, (1,)).item()
        rate = 0.1 * (1 + 0.1 * t) ** -0.5
        return x1 - rate * g1, x2 - rate * g2, 0, 0

    results = d2l.train_2d(sgd, steps=50, f_grad=lambda x1, x2: (2 * x1, 4 * x2))
    assert capsys.readouterr().out.startswith("epoch 50, x1: ")
    d2l.show_trace_2d(lambda x1, x2: x1**2 + 2 * x2**2, results)
    assert np.abs(results[-10:]).max() < 1.5 and len(d2l.plt.gca().lines[0].get_xdata()) == 51


@pytest.fixture
def airfoil(tmp_path):
    """A file of the form that `get_data_ch11` reads: five numbers, and what depends on them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1503, 5)) * [1000, 5, 0.1, 20, 0.01] + [3000, 7, 0.2, 50, 0.02]
    y = 120 - 0.001 * X[:, 0] - 0.5 * X[:, 1] - 10 * X[:, 2] + rng.normal(size=1503)
    np.savetxt(tmp_path / "airfoil_self_noise.dat", np.c_[X, y], delimiter="\t")
    return tmp_path


def sgd(params, states, hyperparams):
    for p in params:
        p.data.sub_(hyperparams["lr"] * p.grad)
        p.grad.data.zero_()


def test_minibatch_sgd(airfoil, capsys):
    with pytest.raises(FileNotFoundError, match=r"airfoil_self_noise.dat, number 291 of the UCI.*root="):
        d2l.get_data_ch11(root=airfoil / "nowhere")
    timer = d2l.Timer()
    A, B, C = torch.zeros(64, 64), torch.randn(64, 64), torch.randn(64, 64)
    for j in range(64):
        A[:, j] = torch.mv(B, C[:, j])
    timer.stop()
    assert torch.allclose(A, torch.mm(B, C), atol=1e-5) and len(timer.times) == 1

    def train(lr, batch_size, num_epochs):
        data_iter, feature_dim = d2l.get_data_ch11(batch_size, 1500, root=airfoil)
        return d2l.train_ch11(sgd, None, {"lr": lr}, data_iter, feature_dim, num_epochs)

    data_iter, feature_dim = d2l.get_data_ch11(batch_size=1500, root=airfoil)
    ((X, y),) = data_iter
    assert (feature_dim, X.shape, y.shape) == (5, (1500, 5), (1500,))
    assert abs(X.mean().item()) < 0.01 and X.std(dim=0).tolist() == pytest.approx([1] * 5, abs=0.01)
    gd, mini = train(1, 1500, 8), train(0.05, 10, 2)
    assert (len(gd[1]), len(mini[1])) == (8, 15) and len(mini[0]) == 15 and mini[0] == sorted(mini[0])
    least = (y.reshape(-1, 1) - X @ np.linalg.lstsq(X.numpy(), y.numpy(), rcond=None)[0].reshape(-1, 1)).std() ** 2 / 2
    assert gd[1][-1] == pytest.approx(least.item(), rel=0.01) and mini[1][-1] < 1.1 * least.item()
    d2l.set_figsize([6, 3])
    d2l.plot(*(list(map(list, zip(gd, mini)))), "time (sec)", "loss", xlim=[1e-2, 10], legend=["gd", "batch size=10"])
    d2l.plt.gca().set_xscale("log")
    assert len(d2l.plt.gca().lines[1].get_xdata()) == 15
    capsys.readouterr()
    d2l.train_concise_ch11(torch.optim.SGD, {"lr": 0.05}, d2l.get_data_ch11(10, root=airfoil)[0], 1)
    assert float(capsys.readouterr().out.split()[1].rstrip(",")) < 1.1 * least.item()


def compare(states_of, update, hyperparams, trainer, settings, root):
    """An optimizer written out takes the same steps as the one of `optim`; both bring the loss down."""
    data_iter, feature_dim = d2l.get_data_ch11(10, 300, root=root)
    _, losses = d2l.train_ch11(update, states_of(feature_dim), dict(hyperparams), data_iter, feature_dim, 2)
    assert losses[-1] < losses[0] + 1e-3
    d2l.train_concise_ch11(trainer, settings, data_iter, 1)
    X, y = next(iter(data_iter))
    params = [torch.ones((feature_dim, 1), requires_grad=True), torch.zeros(1, requires_grad=True)]
    net = nn.Linear(feature_dim, 1)
    net.weight.data.fill_(1)
    net.bias.data.zero_()
    optimizer, states, hyperparams = trainer(net.parameters(), **settings), states_of(feature_dim), dict(hyperparams)
    for _ in range(3):
        d2l.squared_loss(d2l.linreg(X, *params), y).mean().backward()
        update(params, states, hyperparams)
        optimizer.zero_grad()
        d2l.squared_loss(net(X), y).mean().backward()
        optimizer.step()
        assert torch.allclose(net.weight.data.t(), params[0].data, atol=1e-5)
        assert torch.allclose(net.bias.data, params[1].data, atol=1e-5)


def zeros_for_each(feature_dim):
    return torch.zeros((feature_dim, 1)), torch.zeros(1)


def descend_an_ellipse(trainer):
    """From (-5, -2), nearly to the bottom of a long ellipse; shown."""
    results = d2l.train_2d(trainer)
    d2l.show_trace_2d(lambda x1, x2: 0.1 * x1**2 + 2 * x2**2, results)
    return abs(results[-1][0]), abs(results[-1][1])


def test_momentum(airfoil):
    x1, x2 = descend_an_ellipse(
        lambda x1, x2, v1, v2: (
            x1 - 0.6 * (0.5 * v1 + 0.2 * x1), x2 - 0.6 * (0.5 * v2 + 4 * x2), 0.5 * v1 + 0.2 * x1, 0.5 * v2 + 4 * x2,
        )
    )  # fmt: skip
    assert x1 < 0.1 and x2 < 0.1
    d2l.set_figsize()
    x = torch.arange(40).detach().numpy()
    for beta in (0.95, 0.6):
        d2l.plt.plot(x, beta**x, label=f"beta = {beta:.2f}")
    d2l.plt.legend()

    def sgd_momentum(params, states, hyperparams):
        for p, v in zip(params, states):
            with torch.no_grad():
                v[:] = hyperparams["momentum"] * v + p.grad
                p[:] -= hyperparams["lr"] * v
            p.grad.data.zero_()

    settings = {"lr": 0.02, "momentum": 0.5}
    compare(zeros_for_each, sgd_momentum, settings, torch.optim.SGD, settings, airfoil)


def test_adagrad(airfoil):
    def adagrad_2d(x1, x2, s1, s2):
        g1, g2 = 0.2 * x1, 4 * x2
        s1, s2 = s1 + g1**2, s2 + g2**2
        return x1 - 2 * g1 / math.sqrt(s1 + 1e-6), x2 - 2 * g2 / math.sqrt(s2 + 1e-6), s1, s2

    x1, x2 = descend_an_ellipse(adagrad_2d)
    assert x1 < 0.1 and x2 < 0.1

    def adagrad(params, states, hyperparams):
        for p, s in zip(params, states):
            with torch.no_grad():
                s[:] += torch.square(p.grad)
                p[:] -= hyperparams["lr"] * p.grad / torch.sqrt(s + 1e-6)
            p.grad.data.zero_()

    compare(zeros_for_each, adagrad, {"lr": 0.1}, torch.optim.Adagrad, {"lr": 0.1}, airfoil)


def test_rmsprop(airfoil):
    d2l.set_figsize()
    x = torch.arange(20).detach().numpy()
    for gamma in (0.95, 0.8):
        d2l.plt.plot(x, (1 - gamma) * gamma**x, label=f"gamma = {gamma:.2f}")

    def rmsprop_2d(x1, x2, s1, s2):
        g1, g2, gamma = 0.2 * x1, 4 * x2, 0.9
        s1, s2 = gamma * s1 + (1 - gamma) * g1**2, gamma * s2 + (1 - gamma) * g2**2
        return x1 - 0.4 * g1 / math.sqrt(s1 + 1e-6), x2 - 0.4 * g2 / math.sqrt(s2 + 1e-6), s1, s2

    x1, x2 = descend_an_ellipse(rmsprop_2d)
    assert x1 < 0.5 and x2 < 0.1

    def rmsprop(params, states, hyperparams):
        gamma = hyperparams["gamma"]
        for p, s in zip(params, states):
            with torch.no_grad():
                s[:] = gamma * s + (1 - gamma) * torch.square(p.grad)
                p[:] -= hyperparams["lr"] * p.grad / torch.sqrt(s + 1e-6)
            p.grad.data.zero_()

    settings = {"lr": 0.01, "alpha": 0.9}
    compare(zeros_for_each, rmsprop, {"lr": 0.01, "gamma": 0.9}, torch.optim.RMSprop, settings, airfoil)


def test_adadelta(airfoil):
    def init_adadelta_states(feature_dim):
        return [(torch.zeros((feature_dim, 1)), torch.zeros((feature_dim, 1))), (torch.zeros(1), torch.zeros(1))]

    def adadelta(params, states, hyperparams):
        rho, eps = hyperparams["rho"], 1e-5
        for p, (s, delta) in zip(params, states):
            with torch.no_grad():
                s[:] = rho * s + (1 - rho) * torch.square(p.grad)
                g = (torch.sqrt(delta + eps) / torch.sqrt(s + eps)) * p.grad
                p[:] -= g
                delta[:] = rho * delta + (1 - rho) * g * g
            p.grad.data.zero_()

    settings = {"lr": 1.0, "rho": 0.9, "eps": 1e-5}
    compare(init_adadelta_states, adadelta, {"rho": 0.9}, torch.optim.Adadelta, settings, airfoil)


def test_lr_scheduler():
    """A schedule in a training loop of one's own, with `optim.lr_scheduler` or any function of the epoch."""
    device, epochs = d2l.try_gpu(), 4
    train_iter, test_iter = d2l.load_data_fashion_mnist(16)

    def falling(epoch):
        return 0.2 / math.sqrt(epoch + 1)

    d2l.plot(torch.arange(epochs), list(map(falling, range(epochs))))
    assert d2l.plt.gca().lines[0].get_ydata()[3] == pytest.approx(0.1)

    def train(schedule):
        net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10)).to(device)
        loss, trainer = nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=0.2)
        scheduler, rates = schedule(trainer), []
        animator = d2l.Animator(xlabel="epoch", legend=["loss", "accuracy", "on the test images"])
        for epoch in range(epochs):
            sums = d2l.Accumulator(3)
            net.train()
            for images, labels in train_iter:
                images, labels = images.to(device), labels.to(device)
                scores = net(images)
                l = loss(scores, labels)
                trainer.zero_grad()
                l.backward()
                trainer.step()
                sums.add(l * len(labels), d2l.accuracy(scores, labels), len(labels))
            animator.add(epoch, (sums[0] / sums[2], sums[1] / sums[2], d2l.evaluate_accuracy_gpu(net, test_iter)))
            rates.append(trainer.param_groups[0]["lr"])
            if hasattr(scheduler, "step"):
                scheduler.step()
            else:
                trainer.param_groups[0]["lr"] = scheduler(epoch + 1)
        assert animator.Y[0][-1] < animator.Y[0][0]
        return rates

    assert train(lambda trainer: falling) == pytest.approx([0.2 / (i + 1) ** 0.5 for i in range(4)])
    steps = train(lambda trainer: torch.optim.lr_scheduler.StepLR(trainer, step_size=2, gamma=0.5))
    assert steps == pytest.approx([0.2, 0.2, 0.1, 0.1])
    factors = train(lambda trainer: torch.optim.lr_scheduler.MultiStepLR(trainer, milestones=[1, 3], gamma=0.5))
    assert factors == pytest.approx([0.2, 0.1, 0.1, 0.05])
    cosine = train(lambda trainer: torch.optim.lr_scheduler.CosineAnnealingLR(trainer, T_max=4))
    assert cosine == pytest.approx([0.1 * (1 + math.cos(math.pi * i / 4)) for i in range(4)])


def test_adam(airfoil):
    def init_adam_states(feature_dim):
        return [(torch.zeros((feature_dim, 1)), torch.zeros((feature_dim, 1))), (torch.zeros(1), torch.zeros(1))]

    def adam(params, states, hyperparams):
        beta1, beta2, eps, t = 0.9, 0.999, 1e-6, hyperparams["t"]
        for p, (v, s) in zip(params, states):
            with torch.no_grad():
                v[:] = beta1 * v + (1 - beta1) * p.grad
                s[:] = beta2 * s + (1 - beta2) * torch.square(p.grad)
                v_corrected, s_corrected = v / (1 - beta1**t), s / (1 - beta2**t)
                p[:] -= hyperparams["lr"] * v_corrected / (torch.sqrt(s_corrected) + eps)
            p.grad.data.zero_()
        hyperparams["t"] += 1

    compare(init_adam_states, adam, {"lr": 0.01, "t": 1}, torch.optim.Adam, {"lr": 0.01, "eps": 1e-6}, airfoil)
