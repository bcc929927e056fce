"""Hooks on tensors, results that retain their gradient, and the choice of what receives one; as in PyTorch."""

import gc
import weakref

import numpy as np
import pytest
from helpers import needs_torch, torch

import minitorch_cnn as mt


def programs():
    """Each returns lists of numbers."""

    def on_a_leaf(m):
        x, seen = m.tensor([1.0, 2.0], requires_grad=True), []
        x.register_hook(lambda dx: seen.append(dx.tolist()))
        (x * x + 3 * x).sum().backward()  # once, with the sum
        return seen, x.grad.tolist()

    def on_a_result(m):
        x, seen = m.tensor([1.0, 2.0], requires_grad=True), []
        y = x * x
        y.register_hook(lambda dy: seen.append(dy.tolist()))
        (y.sum() + (2 * y).sum()).backward()
        return seen, x.grad.tolist()

    def replaced_one_after_the_other(m):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        y = x * x
        y.register_hook(lambda dy: dy + 1)
        y.register_hook(lambda dy: dy * 10)
        y.sum().backward()
        return x.grad.tolist()

    def taken_off(m):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        first, second = x.register_hook(lambda dx: dx * 2), x.register_hook(lambda dx: dx * 3)
        first.remove()
        first.remove()
        x.sum().backward()
        second.remove()
        x.sum().backward()
        with x.register_hook(lambda dx: dx * 100):
            x.sum().backward()
        x.sum().backward()
        return x.grad.tolist()

    def changed_in_place(m):
        x, doubled = m.tensor([1.0, 2.0], requires_grad=True), []
        y = x * x
        y.register_hook(lambda dy: doubled.append(dy.mul_(2)))
        y.register_hook(lambda dy: dy.mul_(2))
        (y * x.detach()).sum().backward()
        return x.grad.tolist()

    def before_a_change_in_place(m):
        x, seen = m.tensor([1.0, 2.0], requires_grad=True), []
        y = x * 2
        y.register_hook(lambda dy: seen.append(dy.tolist()))
        y.mul_(3)
        y.register_hook(lambda dy: seen.append(dy.tolist()))
        y.sum().backward()
        return seen, x.grad.tolist()

    def retained_before_a_change_in_place(m):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.retain_grad()
        y.mul_(3)
        (y * y).sum().backward()
        return y.grad.tolist(), y.retains_grad, x.retains_grad

    def retained_twice(m):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.retain_grad()
        y.register_hook(lambda dy: dy * 5)
        x.retain_grad()  # a leaf does anyway
        z = (y * 3).sum()
        z.backward(retain_graph=True)
        z.backward()
        return y.grad.tolist(), x.grad.tolist(), y.is_leaf

    def retained_by_grad(m):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        aside = x * 5
        y.retain_grad(), aside.retain_grad()
        (dx,) = m.autograd.grad((y * y).sum(), x)
        return dx.tolist(), y.grad.tolist(), x.grad is None, aside.grad is None

    def retained_view(m):
        x = m.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x * 2
        part = y[1:]
        part.retain_grad()
        y.mul_(2)
        (part * part).sum().backward()
        return part.grad.tolist(), x.grad.tolist()

    def seen_by_grad(m):
        x, seen = m.tensor([1.0, 2.0], requires_grad=True), []
        y = x * x
        y.register_hook(lambda dy: seen.append("y") or dy * 2)
        x.register_hook(lambda dx: seen.append("x") or dx * 3)
        z = (y * 1).sum()
        (dx,) = m.autograd.grad(z, x, retain_graph=True)
        (dy,) = m.autograd.grad(z, y)
        return seen, dx.tolist(), dy.tolist()

    def of_second_order(m):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        y = x**3
        y.register_hook(lambda dy: dy * dy * 2)
        (dx,) = m.autograd.grad((y * x).sum(), x, create_graph=True)
        return dx.tolist(), m.autograd.grad(dx.sum(), x)[0].tolist()

    def chosen_inputs(m):
        x, w = (m.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        seen = []
        w.register_hook(lambda dw: seen.append(1))
        y = x * w
        (y * y).sum().backward(inputs=[x, x], retain_graph=True)
        (y * 1.0).sum().backward(inputs=y)
        return x.grad.tolist(), w.grad, y.grad.tolist(), seen, y.is_leaf

    def an_input_of_no_use(m):
        x, w = (m.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        (x * 2).sum().backward(inputs=(w,))
        return x.grad, w.grad

    def several_tensors(m):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        m.autograd.backward([x.sum(), (x * x).sum()])
        m.autograd.backward((x * 2, (x * x).sum()), (m.tensor([1.0, 10.0]), None))
        m.autograd.backward(x * 2, grad_tensors=m.tensor([1.0, 10.0]))
        m.autograd.backward([], [])
        y = x * 3
        m.autograd.backward([y.sum(), y[0]])
        return x.grad.tolist()

    def a_hook_under_no_grad(m):
        x, modes = m.tensor([1.0, 2.0], requires_grad=True), []
        y = x * x
        with m.no_grad():
            y.register_hook(lambda dy: modes.append(m.is_grad_enabled()))
        y.sum().backward(create_graph=True, retain_graph=True)
        x.grad = None
        y.sum().backward()
        return modes

    return {name: function for name, function in locals().items()}


PROGRAMS = programs()


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore:Using backward:UserWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_hooks_do_as_in_pytorch(name):
    needs_torch()
    assert PROGRAMS[name](mt) == PROGRAMS[name](torch)


@pytest.mark.parametrize(
    "hook, error, text",
    [
        (lambda dy: 3, TypeError, "hook <lambda> must return a Tensor or None, got the number 3"),
        (lambda dy: np.ones(2), TypeError, "must return a Tensor or None, got a numpy.ndarray"),
        (lambda dy: dy.sum(), RuntimeError, r"changed the shape of the gradient from \(2,\) to \(\)"),
        (lambda dy: dy.double(), RuntimeError, "changed the dtype of the gradient from float32 to float64"),
    ],
)
@pytest.mark.parametrize("is_leaf", [True, False])
def test_a_hook_that_returns_something_else_is_named(hook, error, text, is_leaf):
    x = mt.ones(2, requires_grad=True)
    y = x * 2
    (x if is_leaf else y).register_hook(hook)
    with pytest.raises(error, match=text):
        y.sum().backward()
    assert x.grad is None


def test_what_can_have_no_hook_says_so():
    with pytest.raises(RuntimeError, match="cannot register a hook on a tensor that doesn't require gradient"):
        mt.ones(2).register_hook(print)
    with pytest.raises(RuntimeError, match="can't retain_grad on Tensor that has requires_grad=False"):
        mt.ones(2).retain_grad()
    with pytest.raises(TypeError, match="a hook must be a function, got the number 3"):
        mt.ones(2, requires_grad=True).register_hook(3)


def test_what_backward_cannot_do_says_so():
    x = mt.ones(2, requires_grad=True)
    y = (x * x).sum()
    with pytest.raises(RuntimeError, match="inputs cannot be empty"):
        y.backward(inputs=[])
    with pytest.raises(RuntimeError, match="input 1 does not require grad"):
        y.backward(inputs=[x, mt.ones(2)])
    with pytest.raises(TypeError, match="expected Tensors to differentiate by, got a numpy.ndarray"):
        y.backward(inputs=[np.ones(2)])
    with pytest.raises(ValueError, match="one grad_output for each of 2 outputs, got 1"):
        mt.autograd.backward([y, y], [mt.ones(())])
    assert x.grad is None
    y.backward()  # none of these has used up the graph


def test_a_hook_that_changes_its_gradient_changes_no_other():
    x, w = (mt.ones(2, requires_grad=True) for _ in range(2))
    y = x * 1
    y.register_hook(lambda dy: dy.zero_())
    (y + w).sum().backward()
    assert x.grad.tolist() == [0, 0] and w.grad.tolist() == [1, 1]


def test_grad_returns_what_the_hooks_made_of_a_gradient():
    """PyTorch does so too, but not for a result behind which it walks on."""
    x = mt.ones(2, requires_grad=True)
    y = x * 3
    y.register_hook(lambda dy: dy * 2)
    assert [dx.tolist() for dx in mt.autograd.grad(y.sum(), [y, x])] == [[2, 2], [6, 6]]


def test_a_hook_stays_on_its_own_call_of_an_operation():
    square = type(
        "Square",
        (mt.autograd.Function,),
        {"forward": lambda _, x: x * x, "backward": lambda _, dy, y, x: (2 * dy * x,)},
    )()
    x, seen = mt.ones(2, requires_grad=True), []
    first, second = square(x), square(x)
    first.register_hook(lambda dy: seen.append("first"))
    second.sum().backward()
    assert seen == []


def test_hooks_keep_nothing_alive():
    gc.collect()
    gc.disable()
    try:
        x = mt.ones(2, requires_grad=True)
        y = x * 2
        y.retain_grad()
        x.register_hook(lambda dx: dx * 2), y.register_hook(lambda dy: dy * 2)
        y.sum().backward()
        gone = weakref.ref(y)
        del y
        assert gone() is None
        assert not mt.autograd.hooks.retaining
    finally:
        gc.enable()


def test_hooks_on_both_devices(device):
    x = mt.ones(2, device=device, requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda dy: dy * 3)
    y.sum().backward()
    assert x.grad.device == y.grad.device == x.device
    assert x.grad.tolist() == [6, 6] and y.grad.tolist() == [3, 3]
