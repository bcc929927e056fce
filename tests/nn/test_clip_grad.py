"""Gradient clipping against PyTorch's."""

import numpy as np
import pytest
from helpers import assert_close, needs_torch, torch

import minitorch_cnn as mt
from minitorch_cnn.nn.utils import clip_grad_norm_, clip_grad_value_

rng = np.random.default_rng(4)


def parameters(device):
    """Two parameters with gradients and one without, in both libraries."""
    needs_torch()
    ours, theirs = [], []
    for shape in [(3, 2), (4,), (1,)]:
        ours.append(mt.zeros(shape, dtype=mt.float64, device=device, requires_grad=True))
        theirs.append(torch.zeros(shape, dtype=torch.float64, requires_grad=True))
        if shape != (1,):
            grad = rng.standard_normal(shape)
            ours[-1].grad, theirs[-1].grad = mt.tensor(grad, device=device), torch.tensor(grad)
    return ours, theirs


@pytest.mark.parametrize("norm_type", [1, 2.0, 3, float("inf")])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clip_grad_norm(norm_type, max_norm, device):
    ours, theirs = parameters(device)
    total = clip_grad_norm_(ours, max_norm, norm_type)
    assert_close(total, torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type))
    for a, b in zip(ours[:2], theirs[:2]):
        assert_close(a.grad, b.grad)
    assert ours[2].grad is None


def test_clip_grad_value(device):
    ours, theirs = parameters(device)
    clip_grad_value_(ours, 0.4)
    torch.nn.utils.clip_grad_value_(theirs, 0.4)
    for a, b in zip(ours[:2], theirs[:2]):
        assert_close(a.grad, b.grad)


def test_clipping_reads_nothing_back(standin):
    ours, _ = parameters("cuda")
    standin.transfers.reset()
    clip_grad_norm_(ours, 1.0)
    clip_grad_value_(ours, 1.0)
    assert standin.transfers.to_host == 0


def test_a_single_tensor_and_no_gradient_at_all():
    w = mt.zeros(2, requires_grad=True)
    assert clip_grad_norm_(w, 1.0).item() == 0
    w.grad = mt.tensor([3.0, 4.0])
    assert clip_grad_norm_(w, 1.0).item() == 5
    assert w.grad.dtype == mt.float32


def test_a_norm_that_is_not_finite_is_refused_on_request():
    w = mt.zeros(1, requires_grad=True)
    w.grad = mt.tensor([float("nan")])
    with pytest.raises(RuntimeError, match="norm of order 2.0 for gradients from `parameters` is non-finite"):
        clip_grad_norm_(w, 1.0, error_if_nonfinite=True)


@pytest.mark.parametrize("order", [1, 2, 3, float("inf"), float("-inf"), -1])
def test_norms_of_every_order(device, order):
    needs_torch()
    gradients = [[3.0, 2.0, 0.5], [-4.0, 1.0]]
    ours, theirs = ([m.zeros(len(dw), requires_grad=True) for dw in gradients] for m in (mt, torch))
    for w, v, dw in zip(ours, theirs, gradients):
        w.data = w.data.to(device)
        w.grad, v.grad = mt.tensor(dw, device=device), torch.tensor(dw)
    norms = [m.nn.utils.clip_grad_norm_(ws, 1.0, norm_type=order).item() for m, ws in ((mt, ours), (torch, theirs))]
    assert norms[0] == pytest.approx(norms[1])
    for w, v in zip(ours, theirs):
        assert w.grad.tolist() == pytest.approx(v.grad.tolist())


def test_the_norm_of_order_zero_counts_what_is_not_zero(device):
    """PyTorch counts the gradients that are not all zero, where there are several."""
    w, b = mt.zeros(2, device=device, requires_grad=True), mt.zeros(1, device=device, requires_grad=True)
    w.grad, b.grad = mt.tensor([3.0, 2.0], device=device), mt.tensor([0.0], device=device)
    assert clip_grad_norm_([w, b], 100.0, norm_type=0).item() == 2.0
