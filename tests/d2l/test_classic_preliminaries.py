"""The classic edition, preliminaries. The 1.0 edition has the same sections."""

import math

import numpy as np
import pytest

import minitorch_cnn as torch
from minitorch_cnn import d2l

pd = pytest.importorskip("pandas")


def test_data_manipulation():
    x = torch.arange(12, dtype=torch.float32)
    X = x.reshape(3, -1)
    assert (x.numel(), X.shape) == (12, (3, 4))
    Y = torch.tensor([[2.0, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])
    assert (torch.cat((X, Y), dim=0).shape, torch.cat((X, Y), dim=1).shape) == ((6, 4), (3, 8))
    assert (X == Y).sum().item() == 2 and torch.exp(x)[1].item() == pytest.approx(math.e)
    a, b = torch.arange(3).reshape((3, 1)), torch.arange(2).reshape((1, 2))
    assert (a + b).tolist() == [[0, 1], [1, 2], [2, 3]]
    X[1, 2] = 17
    X[:2, :] = 12
    assert X[-1].tolist() == [8, 9, 10, 11] and X.sum().item() == 8 * 12 + 38
    Z, before = torch.zeros_like(Y), id(X)
    Z[:] = X + Y
    X += Y
    assert id(X) == before and torch.equal(X, Z)
    a = torch.tensor([3.5])
    assert (type(X.numpy()), a.item(), float(a), int(a)) == (np.ndarray, 3.5, 3.5, 3)
    # the names of all frameworks
    assert d2l.size(d2l.concat((d2l.ones(2, 3), d2l.zeros(1, 3)), 0)) == 9
    assert d2l.reduce_sum(d2l.reshape(d2l.arange(6), (2, 3)), 0).tolist() == [3, 5, 7]
    assert d2l.numpy(d2l.reduce_mean(d2l.astype(d2l.tensor([1, 2]), d2l.float32))) == 1.5
    assert d2l.argmax(d2l.stack([d2l.eye(2)[0], d2l.ones_like(d2l.rand(2))]), axis=1).tolist() == [0, 0]
    assert d2l.transpose(d2l.to(d2l.randn(2, 3), "cpu")).shape == d2l.normal(0, 1, (3, 2)).shape
    x = d2l.linspace(0.1, 1, 5)
    assert torch.allclose(d2l.tanh(x), 2 * d2l.sigmoid(2 * x) - 1) and torch.allclose(d2l.exp(d2l.log(x)), d2l.abs(-x))
    assert torch.allclose(d2l.sin(x) ** 2 + d2l.cos(x) ** 2, 1 - d2l.zeros_like(x))
    assert d2l.matmul(*d2l.meshgrid(x, x, indexing="ij")).shape == (5, 5)


def test_data_preprocessing(tmp_path):
    file = tmp_path / "house_tiny.csv"
    file.write_text("NumRooms,RoofType,Price\nNA,NA,127500\n2,NA,106000\n4,Slate,178100\nNA,NA,140000\n")
    table = pd.read_csv(file)
    inputs, targets = pd.get_dummies(table.iloc[:, 0:2], dummy_na=True), table.iloc[:, 2]
    inputs = inputs.fillna(inputs.mean())
    X, y = torch.tensor(inputs.to_numpy(dtype=float)), torch.tensor(targets.to_numpy(dtype=float))
    assert X.tolist() == [[3, 0, 1], [2, 0, 1], [4, 1, 0], [3, 0, 1]]
    assert (X.dtype, y[0].item()) == (torch.float64, 127500)


def test_linear_algebra():
    A, x = torch.arange(6, dtype=torch.float32).reshape(2, 3), torch.arange(3, dtype=torch.float32)
    B, S = torch.ones(3, 4), torch.tensor([[1, 2], [2, 1]])
    assert A.T.shape == (3, 2) and (S == S.T).all()
    assert (A * A.clone()).sum().item() == 55 and A.sum(axis=0).tolist() == [3, 5, 7]
    assert A.sum(axis=[0, 1]).item() == A.mean().item() * A.numel() == 15
    assert (A / A.sum(axis=1, keepdims=True)).sum(axis=1).tolist() == [1, 1]
    assert A.cumsum(axis=0).tolist() == [[0, 1, 2], [3, 5, 7]]
    assert torch.dot(x, torch.ones(3)).item() == torch.sum(x * 1).item() == 3
    assert torch.mv(A, x).tolist() == (A @ x).tolist() == [5, 14]
    assert torch.mm(A, B).tolist() == [[3] * 4, [12] * 4]
    u = torch.tensor([3.0, -4.0])
    assert torch.norm(u).item() == 5 and torch.abs(u).sum().item() == 7
    assert torch.norm(torch.ones((4, 9))).item() == 6


def test_calculus():
    def f(x):
        return 3 * x**2 - 4 * x

    steps = [0.1, 0.01, 0.001]
    assert [(f(1 + h) - f(1)) / h for h in steps] == pytest.approx([2.3, 2.03, 2.003])
    d2l.use_svg_display()
    d2l.set_figsize((4, 3))
    assert d2l.plt.rcParams["figure.figsize"] == [4, 3]
    x = np.arange(0, 3, 0.1)
    d2l.plot(x, [f(x), 2 * x - 3], "x", "f(x)", legend=["f(x)", "the tangent at 1"])
    axes = d2l.plt.gca()
    assert (axes.get_xlabel(), axes.get_ylabel(), len(axes.lines)) == ("x", "f(x)", 2)
    np.testing.assert_allclose(axes.lines[1].get_ydata(), 2 * x - 3)
    d2l.set_axes(axes, "t", None, (0, 2), (1, 10), "linear", "log", ["a", "b"])
    assert (axes.get_xlabel(), axes.get_xlim(), axes.get_ylim(), axes.get_yscale()) == ("t", (0, 2), (1, 10), "log")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_automatic_differentiation():
    x = torch.arange(4.0)
    x.requires_grad_(True)
    assert x.grad is None
    y = 2 * torch.dot(x, x)
    y.backward()
    assert x.grad.tolist() == (4 * x).tolist()
    x.grad.zero_()
    y = x * x
    y.backward(gradient=torch.ones(len(y)))
    assert x.grad.tolist() == [0, 2, 4, 6]
    x.grad.zero_()
    u = (x * x).detach()
    (u * x).sum().backward()
    assert torch.equal(x.grad, u)

    def f(a):
        b = a * 2
        while b.norm() < 1000:
            b = b * 2
        return b if b.sum() > 0 else 100 * b

    a = torch.randn(size=(), requires_grad=True)
    d = f(a)
    d.backward()
    assert a.grad.item() == pytest.approx((d / a).item())


def test_probability():
    """A fair die, thrown: NumPy draws the counts, since there is no ``torch.distributions``."""
    throws = torch.tensor(np.random.default_rng(0).multinomial(10, [1 / 6] * 6, size=500), dtype=torch.float32)
    counts = throws.cumsum(dim=0)
    estimates = counts / counts.sum(dim=1, keepdims=True)
    d2l.set_figsize((6, 4.5))
    for i in range(6):
        d2l.plt.plot(estimates[:, i].numpy(), label=f"P(die={i + 1})")
    d2l.plt.axhline(y=1 / 6, color="black", linestyle="dashed")
    d2l.plt.gca().set_xlabel("groups of throws")
    d2l.plt.legend()
    assert len(d2l.plt.gca().lines) == 7
    assert (estimates[-1] - 1 / 6).abs().max().item() < 0.02
    assert tuple(d2l.plt.gcf().get_size_inches()) == (6, 4.5)


def test_documentation():
    assert "ones" in dir(torch) and "Ones of a shape" in torch.ones.__doc__ and "corr2d" in dir(d2l)
    assert torch.ones(4).tolist() == [1] * 4
