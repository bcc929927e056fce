"""The graph: what is recorded, the walk back, what is freed, and what is refused."""

import copy
import gc
import threading
import weakref

import numpy as np
import pytest
from helpers import assert_close, assert_same_as_torch, needs_torch, to_numpy, torch

import minitorch_cnn as mt


def leaf(*values):
    return mt.tensor(values[0] if len(values) == 1 else values, dtype=mt.float64, requires_grad=True)


# --- the walk --------------------------------------------------------------------------------------------


def test_a_chain_of_50000_operations():
    """micrograd and MyGrad end in a RecursionError after some two thousand."""
    x = leaf(1.0)
    y = x
    for _ in range(50_000):
        y = y + 1e-6
    y.backward()
    assert x.grad.item() == 1.0
    del y  # and the graph must not be freed by recursion either


def test_a_long_chain_through_second_order():
    x = leaf(0.5)
    y = x
    for _ in range(3000):
        y = y * 1.0001
    (dx,) = mt.autograd.grad(y * y, x, create_graph=True)
    (ddx,) = mt.autograd.grad(dx, x)
    assert ddx.item() == pytest.approx(2 * 1.0001**6000)


def test_a_tensor_used_twice_accumulates():
    x = leaf(3.0)
    (x * x + x).backward()
    assert x.grad.item() == 7.0


def test_a_diamond_is_walked_once_per_edge():
    """Sixty levels that each use the one before twice: by paths, not by nodes, it would take 2**60 steps."""
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = (y + y) * 0.5
    y.backward()
    assert x.grad.item() == 1.0


def test_two_backwards_add_up_in_grad():
    x = leaf(2.0)
    (x * 3).backward()
    (x * 4).backward()
    assert x.grad.item() == 7.0


def test_gradients_of_two_leaves_do_not_share_memory():
    """The gradient of a + b is the same array for both; who changes one must not change the other."""
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    dy = mt.ones(2, dtype=mt.float64)
    (a + b).backward(dy)
    a.grad.mul_(5)
    assert b.grad.tolist() == [1.0, 1.0] and dy.tolist() == [1.0, 1.0]


def test_a_gradient_is_not_the_gradient_passed_in():
    x, dy = leaf(1.0, 2.0), mt.ones(2, dtype=mt.float64)
    x.backward(dy)
    x.grad.add_(1)
    assert dy.tolist() == [1.0, 1.0]


def test_a_gradient_outlives_a_change_of_its_tensor():
    """A view among the operations must not make grad a window into something else."""
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = x.reshape(2, 2).T * 1.0
    y.backward(mt.ones(2, 2, dtype=mt.float64))
    before = x.grad.tolist()
    with mt.no_grad():
        y.zero_()
    assert x.grad.tolist() == before


@pytest.mark.parametrize("shapes", [((3, 1), (1, 4)), ((4,), (2, 3, 4)), ((), (2, 2)), ((1, 1), (3,))])
def test_broadcasting_is_undone(shapes):
    a, b = (mt.ones(shape, dtype=mt.float64, requires_grad=True) for shape in shapes)
    (a * b).sum().backward()
    assert a.grad.shape == a.shape and b.grad.shape == b.shape
    assert float(a.grad.sum()) == float(b.grad.sum()) == np.broadcast(np.ones(shapes[0]), np.ones(shapes[1])).size


def test_the_gradient_of_a_result_stays_out_of_grad():
    x = leaf(2.0)
    y = x * 3
    (y * y).backward()
    assert y.grad is None and x.grad.item() == 36.0


def test_unneeded_gradients_are_not_computed():
    class Watched(mt.autograd.Function):
        def forward(self, a, b):
            return a * b

        def backward(self, dy, y, a, b):
            assert not a.requires_grad
            return None, dy * a

    a, b = mt.ones(2), mt.ones(2, requires_grad=True)
    Watched()(a, b).sum().backward()
    assert a.grad is None and b.grad.tolist() == [1.0, 1.0]


# --- what a call to backward refuses -------------------------------------------------------------------------


def test_a_second_backward_raises():
    x = leaf(2.0)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match=r"second time.*Mul.*retain_graph=True"):
        y.backward()
    assert x.grad.item() == 4.0


def test_a_second_backward_with_retain_graph():
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8.0


def test_backward_from_many_elements_needs_a_gradient():
    with pytest.raises(RuntimeError, match=r"only for scalar outputs.*\(2,\)"):
        (leaf(1.0, 2.0) * 2).backward()


@pytest.mark.parametrize("shape", [(1,), (1, 1), ()])
def test_backward_from_one_element_needs_none(shape):
    x = mt.ones(shape, requires_grad=True)
    (x * 2).backward()
    assert x.grad.shape == shape and float(x.grad) == 2.0


def test_backward_off_the_graph():
    for y in (mt.ones(1), mt.ones(1, requires_grad=True).detach() * 2):
        with pytest.raises(RuntimeError, match="does not require grad"):
            y.backward()


def test_a_gradient_of_another_shape():
    with pytest.raises(RuntimeError, match=r"\(2,\).*\(3,\)"):
        (leaf(1.0, 2.0) * 2).backward(mt.ones(3, dtype=mt.float64))


def test_a_gradient_that_is_no_tensor():
    with pytest.raises(TypeError, match="Tensor"):
        (leaf(1.0, 2.0) * 2).backward(np.ones(2))


def test_integers_have_no_gradient():
    with pytest.raises(RuntimeError, match="floating"):
        mt.tensor([1, 2], requires_grad=True)


def test_a_backward_that_returns_too_little():
    class Wrong(mt.autograd.Function):
        def forward(self, a, b):
            return a * b

        def backward(self, dy, y, a, b):
            return dy * b

    with pytest.raises(RuntimeError, match=r"Wrong.backward must return a tuple of 2"):
        Wrong()(leaf(1.0), leaf(2.0)).backward()


def test_a_backward_that_returns_another_shape():
    class Wrong(mt.autograd.Function):
        def forward(self, x):
            return x * 2

        def backward(self, dy, y, x):
            return (dy.sum(),)

    with pytest.raises(RuntimeError, match=r"Wrong.backward.*\(\).*\(2,\)"):
        Wrong()(leaf(1.0, 2.0)).sum().backward()


# --- memory --------------------------------------------------------------------------------------------------


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def network(x, w):
    h = mt.sigmoid(x @ w)
    return mt.logsumexp(mt.maximum(h * h, 0.1 * h).reshape(-1), 0) + h.max(1)[0].sum()


def test_a_forgotten_graph_is_freed_without_the_collector(without_collector):
    x, w = mt.randn(3, 4), mt.randn(4, 2, requires_grad=True)
    h = mt.sigmoid(x @ w)
    watched = weakref.ref(h.array)
    y = (h * h).sum()
    del h
    assert watched() is not None  # h * h remembers it
    del y
    assert watched() is None


def test_backward_frees_what_the_graph_remembers(without_collector):
    """Although the result, and so the graph, lives on."""
    x, w = mt.randn(3, 4), mt.randn(4, 2, requires_grad=True)
    h = mt.sigmoid(x @ w)
    watched = weakref.ref(h.array)
    y = (h * h).sum()
    del h
    y.backward()
    assert watched() is None and y.grad_fn is not None


@pytest.mark.parametrize("create_graph", [False, True])
def test_training_steps_leave_nothing_behind(without_collector, create_graph):
    x, w = mt.randn(3, 4), mt.randn(4, 2, requires_grad=True)
    counts = []
    for _ in range(4):
        (dw,) = mt.autograd.grad(network(x, w), w, create_graph=create_graph)
        if create_graph:
            (dw * dw).sum().backward()
        del dw
        w.grad = None
        counts.append(sum(issubclass(type(o), (mt.Tensor, mt.autograd.Function)) for o in gc.get_objects()))
    assert counts[1] == counts[2] == counts[3]


def test_inputs_that_backward_does_not_read_are_not_kept(without_collector):
    a = mt.randn(5, requires_grad=True)
    b = a * 1
    watched = weakref.ref(b.array)
    y = b + 1
    del b
    assert watched() is None  # Add needs neither of its inputs
    y.sum().backward()
    assert a.grad.tolist() == [1.0] * 5


@pytest.mark.parametrize(
    ("function", "freed"),
    [
        (lambda a, b: a * b, {"a"}),  # only a wants a gradient, and that is dy b
        (lambda a, b: b * a, {"a"}),
        (lambda a, b: a / b, {"a"}),
        (lambda a, b: b - a, {"a", "b"}),
        (lambda a, b: a @ b, {"a"}),
        (lambda a, b: b @ a, {"a"}),
        (lambda a, b: mt.nn.functional.linear(a, b), {"a"}),
        (lambda a, b: mt.nn.functional.linear(b, a), {"a"}),
        (lambda a, b: mt.nn.functional.conv2d(a[None], b[None, None, :2, :2].clone()), {"a", "b"}),  # only the clone
        (lambda a, b: mt.nn.functional.conv2d(b[None], a[None, None, :2, :2].clone()), {"a"}),
        (lambda a, b: mt.where(b > 0, a, b), {"a", "b"}),
        (lambda a, b: mt.remainder(a, b), {"a", "b"}),
        (lambda a, b: a**2.0, {"b"}),
        (lambda a, b: a.exp() + b, {"a", "b"}),
    ],
)
def test_a_factor_is_kept_only_for_a_gradient_that_is_wanted(without_collector, function, freed):
    leaf_a, b = mt.rand(3, 3, requires_grad=True), mt.rand(3, 3)
    a = leaf_a * 1
    watched = {"a": weakref.ref(a.array), "b": weakref.ref(b.array)}
    y = function(a, b)
    del a, b
    assert {name for name, array in watched.items() if array() is None} == freed
    y.sum().backward()
    assert leaf_a.grad is not None


def test_what_is_wanted_is_settled_when_an_operation_is_called():
    """Later, the values that a gradient would read may not have been kept for it."""
    x, w = mt.ones(2), mt.full((2,), 3.0, requires_grad=True)
    y, z = x * w, mt.nn.functional.linear(x, w)
    x.requires_grad_()
    (y.sum() + z).backward()
    assert x.grad is None and w.grad.tolist() == [2.0, 2.0]


def test_changes_leave_no_cycle_in_memory(without_collector):
    x, w = mt.rand(2, 3, requires_grad=True), mt.rand(2, 3, requires_grad=True)
    y = x * 1
    y += y * w
    y.T[0] = y[:, 1] * w[:, 0]
    y.view(-1)[:2].mul_(w[0, 0])
    watched = weakref.ref(y.grad_fn)
    del y
    assert watched() is None


# --- modes ---------------------------------------------------------------------------------------------------


def test_no_grad_as_block_and_as_decorator():
    x = leaf(1.0)

    @mt.no_grad()
    def double(x):
        """Twice x."""
        return x * 2

    with mt.no_grad():
        assert not (x * 2).requires_grad and not mt.is_grad_enabled()
        with mt.enable_grad():
            assert (x * 2).requires_grad
        assert not mt.is_grad_enabled()
    for _ in range(2):
        assert not double(x).requires_grad and mt.is_grad_enabled()
    assert double.__name__ == "double" and double.__doc__ == "Twice x."


def test_no_grad_without_brackets_and_set_grad_enabled_as_decorators():
    @mt.no_grad
    def inside():
        """What it was."""
        return mt.is_grad_enabled()

    @mt.set_grad_enabled(False)
    def likewise():
        return mt.is_grad_enabled()

    @mt.no_grad
    @mt.enable_grad
    def innermost():
        return mt.is_grad_enabled()

    assert mt.is_grad_enabled() and not inside() and not likewise() and innermost() and mt.is_grad_enabled()
    assert inside.__doc__ == "What it was."


def test_a_decorated_generator_runs_under_its_mode_and_its_caller_does_not():
    closed = []

    @mt.no_grad()
    def steps(x):
        try:
            while True:
                try:
                    x = yield (x * 2).requires_grad, mt.is_grad_enabled()
                except KeyError:
                    x = 1.0
                if x is None:
                    return mt.is_grad_enabled()
        finally:
            closed.append(mt.is_grad_enabled())

    x = leaf(1.0)
    generator = steps(x)
    assert next(generator) == (False, False) and mt.is_grad_enabled()
    assert generator.send(x) == (False, False) and mt.is_grad_enabled()
    with pytest.raises(AttributeError):  # a number has no requires_grad: what the generator raises ends it
        generator.throw(KeyError())
    assert mt.is_grad_enabled() and closed == [False]
    generator = steps(x)
    next(generator)
    generator.close()
    assert mt.is_grad_enabled() and closed == [False, False]
    with pytest.raises(StopIteration) as end:
        generator = steps(x)
        next(generator)
        generator.send(None)
    assert end.value.value is False


def test_no_grad_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError), mt.no_grad():
        1 / 0  # noqa: B018
    assert mt.is_grad_enabled()


def test_set_grad_enabled():
    with mt.set_grad_enabled(False):
        assert not mt.is_grad_enabled()
        with mt.set_grad_enabled(True):
            assert mt.is_grad_enabled()
    assert mt.is_grad_enabled()


def test_set_grad_enabled_acts_when_it_is_called():
    mt.set_grad_enabled(False)
    try:
        assert not mt.is_grad_enabled()
    finally:
        mt.set_grad_enabled(True)


def test_no_grad_can_be_kept_and_entered_again():
    quiet = mt.no_grad()
    for _ in range(2):
        with quiet, quiet:
            assert not mt.is_grad_enabled()
        assert mt.is_grad_enabled()


def test_no_grad_holds_for_its_own_thread():
    seen = {}
    entered, leave = threading.Event(), threading.Event()

    def other():
        with mt.no_grad():
            seen["inside"] = mt.is_grad_enabled()
            entered.set()
            leave.wait(5)

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait(5)
    seen["outside"] = mt.is_grad_enabled()
    leave.set()
    thread.join()
    assert seen == {"inside": False, "outside": True}


def test_detach_and_data_share_memory():
    x = leaf(1.0, 2.0)
    for y in (x.detach(), x.data):
        assert not y.requires_grad and y.is_leaf
        assert np.shares_memory(y.array, x.array)


# --- grad() ------------------------------------------------------------------------------------------------


def test_grad_leaves_grad_alone():
    x = leaf(3.0)
    (dx,) = mt.autograd.grad(x**2, x)
    assert dx.item() == 6.0 and x.grad is None


def test_grad_of_a_result():
    x = leaf(3.0)
    y = x * 2
    dy, dx = mt.autograd.grad(y * y, [y, x])
    assert (dy.item(), dx.item()) == (12.0, 24.0)


def test_grad_of_an_unused_tensor():
    x, unused = leaf(1.0), leaf(1.0)
    with pytest.raises(RuntimeError, match=r"not have been used.*allow_unused=True"):
        mt.autograd.grad(x * 2, [x, unused])
    dx, nothing = mt.autograd.grad(x * 2, [x, unused], allow_unused=True)
    assert dx.item() == 2.0 and nothing is None


def test_grad_of_several_outputs_is_that_of_their_sum():
    x = leaf(3.0)
    (dx,) = mt.autograd.grad([x * 2, x * x], [x], [mt.tensor(10.0, dtype=mt.float64), None])
    assert dx.item() == 26.0


def test_grad_for_what_does_not_require_grad():
    with pytest.raises(RuntimeError, match="input 1 does not require grad"):
        mt.autograd.grad(leaf(1.0) * 2, [leaf(1.0), mt.ones(1)])


def test_grad_outputs_must_fit_the_outputs():
    x = leaf(1.0)
    with pytest.raises((ValueError, RuntimeError), match=r"one grad_output.*1 outputs, got 2"):
        mt.autograd.grad(x * 2, x, [None, None])


def test_third_order():
    x = leaf(0.7)
    y, derivatives = mt.sigmoid(x) * x**4, []
    for _ in range(3):
        (y,) = mt.autograd.grad(y, x, create_graph=True)
        derivatives.append(y.item())
    needs_torch()
    x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    y = torch.sigmoid(x) * x**4
    for derivative in derivatives:
        (y,) = torch.autograd.grad(y, x, create_graph=True)
        assert derivative == pytest.approx(y.item(), abs=1e-10)


def test_backward_with_create_graph_gives_a_grad_with_a_graph():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    first = x.grad
    x.grad = None
    assert first.item() == 12.0 and first.requires_grad
    first.backward()
    assert x.grad.item() == 12.0


def test_without_create_graph_a_gradient_has_no_graph():
    x = leaf(2.0)
    (x**3).backward()
    assert not x.grad.requires_grad


def test_gradient_penalty_of_a_convolution():
    """A loss of a gradient, as in a WGAN: the second order of conv2d, max pooling and sigmoid in one."""

    def penalty(m, x, w):
        F = m.nn.functional
        y = m.sigmoid(F.max_pool2d(F.conv2d(x, w, padding=1), 2)).sum()
        (dx,) = m.autograd.grad(y, x, create_graph=True)
        return (dx**2).sum()

    rng = np.random.default_rng(0)
    assert_same_as_torch(penalty, [rng.standard_normal((2, 1, 4, 5)), rng.standard_normal((2, 1, 3, 3))])


# --- in place ------------------------------------------------------------------------------------------------


def test_a_change_of_what_backward_needs_is_noticed():
    x = leaf(1.0, 2.0)
    y = x * 3
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"modified by an in-place operation.*Mul.*version 1; expected version 0"):
        z.sum().backward()


def test_a_change_of_an_output_that_backward_needs_is_noticed():
    x = leaf(1.0, 2.0)
    y = mt.sigmoid(x)
    y.mul_(2)
    with pytest.raises(RuntimeError, match=r"in-place operation.*output.*Sigmoid"):
        y.sum().backward()


def test_a_change_of_what_backward_does_not_need_is_fine():
    x = leaf(1.0, 2.0)
    y = x + 3
    z = y + 1
    y.mul_(2)
    z.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[0],
        lambda x: x.reshape(4),
        lambda x: x.T,
        lambda x: x.detach(),
        lambda x: x.unsqueeze(0),
        lambda x: x[:, 1:],
    ],
)
def test_views_share_their_version(view):
    """What is written through a view is noticed by who remembers the whole."""
    a = leaf(1.0)
    x = mt.ones(2, 2, dtype=mt.float64)
    y = (a * x).sum()
    view(x).zero_()
    with pytest.raises(RuntimeError, match="in-place"):
        y.backward()


def test_a_view_remembered_while_the_base_is_written():
    a = leaf(1.0)
    x = mt.ones(2, 2, dtype=mt.float64)
    y = (a * x[0]).sum()
    x[1, 1] = 5.0
    with pytest.raises(RuntimeError, match="in-place"):
        y.backward()


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.add_(1),
        lambda x: x.zero_(),
        lambda x: x.uniform_(),
        lambda x: x.copy_(mt.ones(2)),
        lambda x: x.__setitem__(0, 1.0),
        lambda x: x.__iadd__(1.0),
        lambda x: x.__setitem__(0, leaf(1.0)),
        lambda x: x[0].zero_(),
    ],
)
def test_a_leaf_that_requires_grad_cannot_be_changed(change):
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="leaf"):
        change(x)
    assert x.tolist() == [1.0, 2.0]
    with mt.no_grad():
        change(x)
    assert x.requires_grad and x.is_leaf


def test_writing_through_data_as_the_chapter_does():
    x = leaf(1.0, 2.0)
    x.data[:] -= 0.5 * mt.ones(2)
    assert x.tolist() == [0.5, 1.5] and x.is_leaf


def test_the_chapters_corr2d_passes_gradients_to_the_kernel():
    def corr2d(m, X, K):
        h, w = K.shape
        Y = m.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1), dtype=X.dtype)
        for i in range(Y.shape[0]):
            for j in range(Y.shape[1]):
                Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
        return Y

    rng = np.random.default_rng(0)
    assert_same_as_torch(corr2d, [rng.standard_normal((4, 5)), rng.standard_normal((2, 3))])


def test_element_assignment_overwrites_gradients():
    """What was overwritten receives none; the new value receives all."""
    x, v = leaf(1.0, 2.0, 3.0), leaf(5.0)
    y = x * 2
    y[1] = v
    (y * mt.tensor([1.0, 10.0, 100.0], dtype=mt.float64)).sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 200.0] and v.grad.item() == 10.0


def test_a_change_of_a_view_reaches_its_base():
    def change(m, x, v):
        y = x * 1
        row = y[1]
        row.mul_(v)
        return y * y

    rng = np.random.default_rng(0)
    assert_same_as_torch(change, [rng.standard_normal((3, 4)), rng.standard_normal(4)])


def test_a_chain_of_views_passes_a_change_on():
    def change(m, x, v):
        y = x * 1
        y[0][1] = v
        y[1:][0] += v
        return y * y

    rng = np.random.default_rng(0)
    assert_same_as_torch(change, [rng.standard_normal((3, 4)), np.array(2.0)])


def test_a_view_taken_before_its_base_was_changed():
    """The view shows the new values, so its gradient must be that of the new values."""

    def by_base(m, x, v):
        y = x * 1
        view = y[:, 1:3]
        y.mul_(v)
        return view * view

    def by_element(m, x, v):
        y = x * 1
        row = y[1]
        y[1, 2] = v
        return row * 2 * y

    def by_other_view(m, x, v):
        y = m.zeros_like(x)
        row, same = y[0], y[0]
        row.copy_(x[0] * v)
        return same * same, row * 3, y * 2

    rng = np.random.default_rng(0)
    for change in (by_base, by_element, by_other_view):
        assert_same_as_torch(change, [rng.standard_normal((3, 4)), np.array(2.0)])


def test_a_reshaped_view_follows_its_base():
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = x * 1
    square = y.reshape(2, 2)
    y.mul_(2)
    (square * 3).sum().backward()
    assert x.grad.tolist() == [6.0] * 4


def test_zero_then_use():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.zero_()
    (y + x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_an_in_place_result_cannot_change_its_type():
    with pytest.raises(RuntimeError, match=r"float32.*int64"):
        mt.arange(3).add_(1.5)


def test_an_in_place_result_cannot_change_its_shape():
    with pytest.raises(RuntimeError, match="shape"):
        mt.ones(3).add_(mt.ones(2, 3))


# --- a Function of one's own --------------------------------------------------------------------------------


def test_the_example_of_the_contract():
    class Mul(mt.autograd.Function):
        def forward(self, a, b):
            return a * b

        def backward(self, dy, y, a, b):
            return dy * b, dy * a

    a, b = leaf(2.0, 3.0), leaf(4.0)
    y = Mul()(a, b)
    assert "Mul" in repr(y)
    y.sum().backward()
    assert a.grad.tolist() == [4.0, 4.0] and b.grad.item() == 5.0
    mt.gradcheck(Mul(), [a, b])
    mt.gradgradcheck(Mul(), [a, b])


def test_a_rule_that_states_nothing_may_read_everything():
    class Product(mt.autograd.Function):
        def forward(self, *xs):
            return xs[0] * xs[1]

        def backward(self, dy, *operands):
            y, a, b = operands
            return dy * y / a, dy * y / b

    a, b = leaf(2.0, 3.0), leaf(4.0)
    mt.gradcheck(Product(), [a, b])
    mt.gradcheck(Product(), [a, mt.tensor(4.0, dtype=mt.float64)])


def test_a_new_rule_does_not_inherit_what_the_old_one_reads():
    class Square(mt.autograd.Function):
        reads = {"dx": "y"}

        def forward(self, x):
            return x**2

        def backward(self, dy, y, x):
            return (dy * 2 * y.sqrt(),)

    class Other(Square):
        def backward(self, dy, y, x):
            return (dy * 2 * x,)

    mt.gradcheck(Other(), [leaf(2.0)])


def test_a_statement_about_what_is_no_operand_is_refused():
    for stated in ({"da": "y"}, {"dx": "x, y"}, {"dy": "x"}, {"x": "y"}):
        with pytest.raises(TypeError, match=r"Odd.reads speaks of .*, the gradients are dx, and the operands y, x"):

            class Odd(mt.autograd.Function):
                reads = stated

                def backward(self, dy, y, x):
                    return (dy,)


def test_values_that_are_read_and_not_stated_are_missed():
    class Forgetful(mt.autograd.Function):
        reads = {}

        def forward(self, x):
            return x**2

        def backward(self, dy, y, x):
            return (dy * x if self.by_product else dy * x.exp(),)

    for by_product, error in ((True, TypeError), (False, AttributeError)):
        square = Forgetful()
        square.by_product = by_product
        with pytest.raises(error, match=r"operand of shape \(\) without values, since `reads` does not state"):
            square(leaf(3.0).sum()).backward()


def test_tensors_of_two_devices_do_not_meet(gpu):
    with pytest.raises(RuntimeError, match=r"cpu.*cuda|cuda.*cpu"):
        mt.ones(2) + mt.ones(2, device="cuda")


def test_a_gradient_crosses_devices(gpu):
    x = leaf(1.0, 2.0)
    (x.cuda() * 3).sum().backward()
    assert x.grad.device.type == "cpu" and x.grad.tolist() == [3.0, 3.0]


# --- types ---------------------------------------------------------------------------------------------------

OPERANDS = {
    "float32": lambda m: m.ones(2, dtype=m.float32),
    "float64": lambda m: m.ones(2, dtype=m.float64),
    "int64": lambda m: m.ones(2, dtype=m.int64),
    "int32": lambda m: m.ones(2, dtype=m.int32),
    "uint8": lambda m: m.ones(2, dtype=m.uint8),
    "bool": lambda m: m.ones(2, dtype=m.bool),
    "0-d float32": lambda m: m.tensor(1.0, dtype=m.float32),
    "0-d float64": lambda m: m.tensor(1.0, dtype=m.float64),
    "0-d int64": lambda m: m.tensor(1),
    "0-d bool": lambda m: m.tensor(True),
    "True": lambda m: True,
    "2": lambda m: 2,
    "2.5": lambda m: 2.5,
    "np.float64": lambda m: np.float64(2.5),
    "np.float32": lambda m: np.float32(2.5),
    "np.int64": lambda m: np.int64(2),
}


@pytest.mark.parametrize("left", OPERANDS)
@pytest.mark.parametrize("right", OPERANDS)
def test_types_meet_as_in_torch(left, right):
    needs_torch()
    tensors = [isinstance(OPERANDS[name](mt), mt.Tensor) for name in (left, right)]
    if not any(tensors):
        return
    for operation in (lambda x, y: x * y, lambda x, y: x / y, lambda x, y: x + y):
        if "np." in left:  # PyTorch leaves `numpy_scalar * tensor` to NumPy
            ours, theirs = operation(OPERANDS[left](mt), OPERANDS[right](mt)), None
            assert isinstance(ours, mt.Tensor)
            theirs = operation(OPERANDS[left](torch).item(), OPERANDS[right](torch))
        else:
            ours, theirs = (operation(OPERANDS[left](m), OPERANDS[right](m)) for m in (mt, torch))
        assert_close(ours, theirs, 1e-6, f"{left} and {right}")


def test_numpy_scalars_do_not_promote_weights():
    """DeZero's weights drift to float64 through the learning rate, a NumPy scalar."""
    w = mt.ones(3, requires_grad=True)
    (w * np.float64(2)).sum().backward()
    with mt.no_grad():
        w -= np.float64(0.1) * w.grad
    assert w.dtype == w.grad.dtype == mt.float32
    np.testing.assert_allclose(to_numpy(w.detach()), 0.8, rtol=1e-6)


# --- what users do that an engine may not expect ---------------------------------------------------------


class Cube(mt.autograd.Function):
    """y = x³;  dx = 3 x² dy."""

    def forward(self, x):
        return x**3

    def backward(self, dy, y, x):
        return (dy * 3 * x**2,)


def test_an_instance_may_be_called_again():
    cube = Cube()
    a, b = (mt.tensor(value, requires_grad=True) for value in (2.0, 3.0))
    (cube(a) + cube(b)).backward()
    assert (a.grad.item(), b.grad.item()) == (12.0, 27.0)
    a.grad = None
    cube(cube(a)).backward()
    assert a.grad.item() == 9 * 2.0**8


CHANGED_AFTERWARDS = {
    "an index": (lambda x, i: x[i], mt.tensor([0, 1])),
    "a mask": (lambda x, i: x[i], mt.tensor([True, False, True])),
    "an index array": (lambda x, i: x[i], np.array([0, 1])),
    "a list": (lambda x, i: x[i], [0, 1]),
}


@pytest.mark.parametrize("name", CHANGED_AFTERWARDS)
def test_an_index_that_is_changed_afterwards_does_not_change_the_gradient(name):
    take, index = CHANGED_AFTERWARDS[name]
    index = copy.deepcopy(index)
    x = mt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (take(x, index) * mt.tensor([10.0, 20.0])).sum()
    expected = [10.0, 0.0, 20.0] if name == "a mask" else [10.0, 20.0, 0.0]
    index[0] = 2
    y.backward()
    assert x.grad.tolist() == expected


def test_a_condition_or_a_label_that_is_changed_afterwards_is_refused():
    x = mt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    condition = mt.tensor([True, False, True])
    y = mt.where(condition, x, 0.0).sum()
    condition[0] = False
    with pytest.raises(RuntimeError, match=r"modified by an in-place operation: input 0, .* of Where"):
        y.backward()
    label = mt.tensor([0])
    l = mt.nn.functional.cross_entropy(x.reshape(1, 3), label)
    label[0] = 2
    with pytest.raises(RuntimeError, match="modified by an in-place operation: input 1, .* of CrossEntropy"):
        l.backward()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x * 2).sum(),
        lambda x: (x / 2).sum(),
        lambda x: x[[0, 1]].sum(),
        lambda x: x[mt.tensor([True, False])].sum(),
        lambda x: mt.where(mt.tensor([True, False]), x, 0.0).sum(),
        lambda x: x.max(0)[0],
        lambda x: mt.nn.functional.nll_loss(x.reshape(1, 2), mt.tensor([1])),
    ],
)
def test_a_second_walk_back_raises_where_pytorch_raises(function):
    x = mt.tensor([1.0, 2.0], requires_grad=True)
    y = function(x)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_leaves_never_share_a_gradient_not_even_with_a_graph():
    p, q = mt.ones(3, requires_grad=True), mt.ones(3, requires_grad=True)
    ((p + q) ** 2).sum().backward(create_graph=True)
    assert p.grad is not q.grad and not np.may_share_memory(p.grad.array, q.grad.array)
    r = mt.ones(3, requires_grad=True)
    r.sum().backward(create_graph=True)
    r.grad.array[0] = 5  # memory of its own, and writable


class Straight(mt.autograd.Function):
    """y = x;  dx = -dy: a reversed gradient."""

    def forward(self, x):
        return x

    def backward(self, dy, y, x):
        return (-dy,)


def test_an_output_that_is_the_input_is_known_to_share_its_memory():
    w = mt.tensor([2.0, 3.0], requires_grad=True)
    h = w * 1
    s = h * h
    Straight()(h).detach().mul_(10)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        s.sum().backward()


def test_a_graph_that_is_dropped_without_a_walk_leaves_no_cycle():
    w = mt.ones(2, requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            x = w * 1
            x[0] = x[0] * w[1]
        del x
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_long_chain_of_views_finds_its_place_again():
    base = mt.ones(2, requires_grad=True) * 1
    view = base
    for _ in range(3000):
        view = view[...]
    base.add_(1)
    assert view.sum().item() == 4


def test_threads_may_add_to_one_leaf():
    w = mt.zeros(1, requires_grad=True)

    def work():
        for _ in range(200):
            (w * 2).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.grad.item() == 4 * 200 * 2


def test_a_graph_can_be_followed_by_pytorchs_name_for_its_edges():
    x = leaf(1.0)
    y = (x * x + 1).sum()
    add = y.grad_fn.next_functions[0][0]
    mul = add.next_functions[0][0]
    assert (add.name, mul.name) == ("Add", "Mul")
    assert mul.next_functions == ((x, 0), (x, 0)) and add.next_functions[1] == (None, 0)


def test_small_things_that_python_can_ask_of_a_tensor():
    x = mt.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert 2 in x and 9 not in x and mt.equal(+x, x)
    x.sum().backward()
    del x.grad
    assert x.grad is None
    assert x[range(1, 2)].tolist() == [[3.0, 4.0]]
    n = mt.arange(5)
    n[range(3)] = 0
    assert n.tolist() == [0, 0, 0, 3, 4]


def test_a_gradient_that_does_not_fit_is_refused_when_it_is_assigned():
    w = mt.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"shape \(3,\) .* got a Tensor of shape \(1,\)"):
        w.grad = mt.ones(1)
    with pytest.raises(TypeError, match="got a numpy.ndarray"):
        w.grad = np.ones(3)


def test_an_error_of_a_functions_own_keeps_its_type():
    class Refusing(mt.autograd.Function):
        def forward(self, x):
            raise ValueError("not this one")

    with pytest.raises(ValueError, match="not this one"):
        Refusing()(mt.ones(1))


@pytest.mark.parametrize("method", [staticmethod, classmethod])
@pytest.mark.parametrize("rule", ["forward", "backward"])
def test_a_function_in_pytorchs_style_is_told_how_to_write_it(method, rule):
    with pytest.raises(TypeError, match=r"Square is .* PyTorch's style.*forward\(self, \*arrays\)"):
        type("Square", (mt.autograd.Function,), {rule: method(lambda ctx, x: x * x)})


def test_apply_is_told_how_to_call():
    with pytest.raises(TypeError, match=r"Square.apply is PyTorch's style.*Square\(\)\(x\)"):
        type("Square", (mt.autograd.Function,), {}).apply(mt.ones(1))


@pytest.mark.parametrize(
    "result, kind",
    [
        (None, "None"),
        ((np.ones(1), np.ones(1)), "a tuple"),
        ([1.0], "a list"),
        (2.0, "a float"),
        (mt.ones(1), "a Tensor"),
        ("text", "a str"),
    ],
)
def test_a_forward_that_returns_no_array_is_named(result, kind):
    square = type("Square", (mt.autograd.Function,), {"forward": lambda self, x: result})
    with pytest.raises(TypeError, match=f"Square.forward must return one array.*got {kind}$"):
        square()(mt.ones(1))


@pytest.mark.parametrize("scalar", [np.float32(3), np.array(3.0, np.float32)])
def test_a_forward_may_return_a_numpy_number(scalar):
    assert type("Sum", (mt.autograd.Function,), {"forward": lambda self, x: scalar})()(mt.ones(3)).shape == ()


@pytest.mark.parametrize("gradient", [np.ones(1, np.float32), np.ones(1), 2.0, [1.0]])
def test_a_backward_that_returns_no_tensor_is_named(gradient):
    rules = {"forward": lambda self, x: x * 2, "backward": lambda self, dy, y, x: (gradient,)}
    y = type("Raw", (mt.autograd.Function,), rules)()(mt.ones(1, requires_grad=True))
    with pytest.raises(TypeError, match="Raw.backward must return Tensors"):
        y.backward()


def test_a_backward_of_the_gradient_alone_is_told_what_it_is_called_with():
    class Twice(mt.autograd.Function):
        def forward(self, x):
            return x * 2

        def backward(self, dy):
            return (dy * 2,)

    y = Twice()(mt.ones(1, requires_grad=True))
    with pytest.raises(TypeError, match=r"Twice.backward\(\) takes 2 positional arguments but 4"):
        y.backward()


def test_many_terms_are_summed_exactly_enough_along_any_axis():
    ones = mt.ones(2**25, 2)
    assert ones.sum(0).tolist() == [2.0**25, 2.0**25]
    np.testing.assert_allclose(mt.full((10**6, 4), 0.1).mean(0).numpy(), 0.1, rtol=1e-6)
    images = np.full((10**6, 3, 1, 2), 0.1, np.float32).transpose(3, 1, 0, 2)  # (N, C, H, W), the batch innermost
    for array in (images, images[:1], images[::-1], images[:, :, ::-1]):
        np.testing.assert_allclose(mt.Tensor(array).mean((0, 2, 3)).numpy(), 0.1, rtol=1e-6)


def test_a_gradient_that_is_one_number_repeated_is_summed_exactly_enough():
    """As that of a mean: an array whose strides are all 0."""
    x, w, b = mt.zeros(10**6, 1), mt.zeros(4, 1), mt.zeros(4, requires_grad=True)
    mt.nn.functional.linear(x, w, b).mean().backward()
    np.testing.assert_allclose(b.grad.numpy(), 1 / 4, rtol=1e-6)


def test_a_numpy_array_beside_a_tensor_is_an_operand():
    t, a = mt.tensor([1.0, 2.0]), np.array([1.0, 3.0], np.float32)
    assert (t == a).tolist() == [True, False] and (a == t).tolist() == [True, False]
    assert (t + a).tolist() == [2.0, 5.0] and (a * t).tolist() == [1.0, 6.0] and (a - t).tolist() == [0.0, 1.0]


def test_an_operation_can_ask_which_inputs_want_a_gradient():
    assert mt.autograd.wants_grad(mt.ones(1, requires_grad=True))
    assert not mt.autograd.wants_grad(mt.ones(1)) and not mt.autograd.wants_grad(2.0)


# --- whose memory a gradient is ------------------------------------------------------------------------------


def test_a_gradient_that_nobody_else_holds_is_not_copied(monkeypatch):
    x = mt.ones(3, requires_grad=True)
    cloned = []
    monkeypatch.setattr(mt.Tensor, "clone", lambda self: cloned.append(self) or mt.clone(self))
    (x * 2.0).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0] and not cloned


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x + y,  # both are handed the same tensor
        lambda x, y: x + y.reshape(4),  # one a view of the other
        lambda x, y: mt.cat([x, y.reshape(4)]),  # both parts of one array
        lambda x, y: (x + y) * 1.0 + x,
    ],
)
def test_gradients_share_no_memory(function):
    x, y = mt.ones(4, requires_grad=True), mt.ones(4, requires_grad=True)
    z = function(x, y)
    dz = mt.ones(z.shape)
    z.backward(dz)
    assert not any(np.may_share_memory(a.array, b.array) for a, b in [(x.grad, y.grad), (x.grad, dz), (y.grad, dz)])


def test_a_leaf_does_not_keep_the_gradient_that_was_passed():
    x, dx = mt.ones(3, requires_grad=True), mt.ones(3)
    x.backward(dx)
    x.grad.zero_()
    assert dx.tolist() == [1.0, 1.0, 1.0]
