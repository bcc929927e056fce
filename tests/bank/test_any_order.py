"""Derivatives of derivatives of derivatives, through whole networks: as PyTorch computes them, where it can."""

import numpy as np
import pytest
from bank.compare import assert_equal
from helpers import make_tensors, make_torch_tensors, needs_torch, torch

import minitorch_cnn as mt


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def batch_norm(m, x, scale):
    """Ours as it is, PyTorch's written out: the third derivative of its own is not what difference quotients say."""
    if m is mt:
        return m.nn.functional.batch_norm(x, None, None, scale, training=True)
    centred = x - x.mean((0, 2, 3), keepdim=True)
    return centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt() * scale.reshape(-1, 1, 1)


LABELS = np.array([2, 0, 1])
NETWORKS = {
    "conv, sigmoid, average pooling, linear, cross-entropy": (
        lambda m, F, t, x, w, b, v: F.cross_entropy(
            F.linear(F.avg_pool2d(m.sigmoid(F.conv2d(x, w, b, padding=1)), 2).flatten(1), v), t
        ),
        [normal(3, 2, 4, 5), normal(2, 2, 3, 2), normal(2), normal(3, 12)],
    ),
    "strided conv, tanh, max pooling, linear, mean square": (
        lambda m, F, t, x, w, v: F.mse_loss(
            F.linear(F.max_pool2d(m.tanh(F.conv2d(x, w, stride=2, dilation=2)), 2).flatten(1), v), v[:3, :3]
        ),
        [normal(3, 1, 9, 9), normal(2, 1, 2, 3), normal(3, 4)],
    ),
    "transposed conv, batch norm, log-softmax": (
        lambda m, F, t, x, w, s: (
            m.log_softmax(batch_norm(m, F.conv_transpose2d(x, w, stride=2), s), 1)[:, :, 1:3].sum((2, 3))[0] ** 2
        ),
        [normal(3, 2, 3, 3), normal(2, 3, 2, 2), normal(3)],
    ),
    "reflect padding, unfold, softmax, product, var": (
        lambda m, F, t, x, y: (
            m.softmax(F.unfold(F.pad(x, (1, 2, 0, 1), mode="reflect"), 2), 1).transpose(1, 2) @ y
        ).var(),
        [normal(2, 1, 3, 4), normal(2, 4, 2)],
    ),
    "powers, roots, logsumexp, std": (
        lambda m, F, t, x, y: (
            m.logsumexp(x**2 / m.exp(y), 0).sum() + (x.abs() ** y[:1].sigmoid()).std() * m.sqrt(x * x).sum()
        ),
        [normal(3, 4), normal(3, 4, seed=1)],
    ),
}


def derivatives(m, name, tensors, labels, order):
    """The gradients of the first order, then those of a fixed combination of them, and so on."""
    value, found = NETWORKS[name][0](m, m.nn.functional, labels, *tensors).sum(), []
    for _ in range(order):
        found.append(m.autograd.grad(value, tensors, create_graph=True))
        value = sum((dx * dx).sum() for dx in found[-1])
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_third_derivatives(name):
    needs_torch()
    arrays = NETWORKS[name][1]
    ours = derivatives(mt, name, make_tensors(arrays), mt.tensor(LABELS), 3)
    theirs = derivatives(torch, name, make_torch_tensors(arrays), torch.tensor(LABELS), 3)
    for order, (dxs, torch_dxs) in enumerate(zip(ours, theirs), 1):
        for i, (dx, torch_dx) in enumerate(zip(dxs, torch_dxs)):
            scale = torch_dx.detach().abs().max().item()
            assert scale > 1e-6, f"a derivative that vanishes tests nothing: order {order}, input {i}"
            assert_equal(dx / scale, torch_dx / scale, f"order {order}, input {i}")


def test_tenth_derivative():
    """The one of x⁵ eˣ at 1, by Leibniz' rule."""
    x = mt.tensor(1.0, dtype=mt.float64, requires_grad=True)
    y = x**5 * mt.exp(x)
    for _ in range(10):
        (y,) = mt.autograd.grad(y, x, create_graph=True)
    falling, binomial, expected = 1, 1, 0
    for k in range(6):
        expected += binomial * falling
        falling, binomial = falling * (5 - k), binomial * (10 - k) // (k + 1)
    assert y.item() == pytest.approx(expected * np.e, rel=1e-12)
