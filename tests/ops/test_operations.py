"""Each case of ``cases.py``: against PyTorch, by finite differences, in float32, with odd strides, without data."""

import numpy as np
import pytest
from cases import CASES
from helpers import as_tuple, assert_close, assert_same_as_torch, gradients, make_tensors, needs_torch, to_numpy, torch

import minitorch_cnn as mt

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
differentiable = pytest.mark.parametrize(
    "case", [c for c in CASES if c.smooth and any(a.dtype.kind == "f" for a in c.arrays())], ids=lambda case: case.name
)


def test_names_are_distinct():
    names = [case.name for case in CASES]
    assert sorted(names) == sorted(set(names))


@each_case
def test_as_in_torch(case, device):
    assert_same_as_torch(case.function, case.arrays(), device)


@differentiable
def test_gradients_are_finite_differences(case):
    xs = make_tensors(case.arrays())
    ys = recorded(case)(*xs)
    if any(y.numel() for y in ys) and any(x.numel() for x in xs if x.requires_grad):
        mt.gradcheck(recorded(case), xs)
        mt.gradgradcheck(recorded(case), xs)


def recorded(case):
    """The case's function without the outputs that have no gradient, such as indices."""
    return lambda *xs: tuple(y for y in as_tuple(case.function(mt, *xs)) if y.requires_grad)


@differentiable
def test_second_order_is_the_same_on_every_device(case, device):
    """What the test above found right on the CPU is right elsewhere if it is the same there."""
    found = {}
    for where in ("cpu", device):
        xs = make_tensors(case.arrays(), where)
        ys = recorded(case)(*xs)
        if not ys:
            return
        squares, leaves = [(y * y).sum() for y in ys], [x for x in xs if x.requires_grad]
        dxs = mt.autograd.grad(squares, leaves, create_graph=True, allow_unused=True)
        found[where] = gradients([dx for dx in dxs if dx is not None], xs, mt)
    for on_cpu, there in zip(found["cpu"], found[device]):
        assert (on_cpu is None) == (there is None)
        if there is not None:
            assert there.device.type == device
            np.testing.assert_allclose(to_numpy(there), to_numpy(on_cpu), rtol=1e-10, atol=1e-10)


@differentiable
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_gradient_does_not_depend_on_which_others_are_wanted(case, create_graph):
    """What a rule keeps for one input alone is enough for it."""

    def grads(wanted):
        xs = make_tensors(case.arrays())
        for i, x in enumerate(xs):
            x.requires_grad_(i in wanted and x.is_floating_point())
        ys = [y for y in recorded(case)(*xs) if y.requires_grad]
        leaves = [x for x in xs if x.requires_grad]
        if not ys or not leaves:
            return {}
        squares = [(y * y).sum() for y in ys]
        dxs = mt.autograd.grad(squares, leaves, create_graph=create_graph, allow_unused=True)
        return dict(zip([i for i in wanted if xs[i].requires_grad], dxs))

    if "gradient of" in case.name:  # its function asks for gradients itself
        return
    together = grads(range(len(case.arrays())))
    for i, dx in together.items():
        alone = grads([i]).get(i)
        assert (alone is None) == (dx is None)
        if dx is not None:
            np.testing.assert_allclose(to_numpy(alone), to_numpy(dx), rtol=1e-12, atol=1e-12)


def strided(array, odd):
    """The same values in other strides: every second entry, the axes in reverse order, some walked backwards."""
    wide = np.zeros([2 * n for n in array.shape[::-1]], array.dtype).T
    view = wide[tuple(slice(None, None, -2 if (axis + odd) % 2 else 2) for axis in range(array.ndim))]
    view[...] = array
    return view


@each_case
def test_strides_do_not_matter(case):
    """Tensors that are views of something larger give the same as tensors of their own."""
    plain = make_tensors(case.arrays())
    views = [
        mt.Tensor(strided(a, i), requires_grad=a.dtype.kind == "f") if a.ndim else x
        for i, (a, x) in enumerate(zip(case.arrays(), plain))
    ]
    ys, view_ys = case.function(mt, *plain), case.function(mt, *views)
    for y, view_y in zip(as_tuple(ys), as_tuple(view_ys)):
        assert_close(view_y, y, 1e-12)
    for dx, view_dx in zip(gradients(ys, plain, mt), gradients(view_ys, views, mt)):
        if dx is not None:
            assert_close(view_dx, dx, 1e-12, "gradient")


@each_case
def test_float32_stays_float32(case, device):
    """No step may slip into float64, and the result is that of float64 to single precision."""
    singles = [a.astype("float32") if a.dtype == "float64" else a for a in case.arrays()]
    doubles = [a.astype("float64") if a.dtype == "float32" else a for a in singles]
    single_xs, xs = make_tensors(singles, device), make_tensors(doubles, device)
    if "dtype" in case.name:
        return
    single_ys, ys = case.function(mt, *single_xs), case.function(mt, *xs)
    pairs = [*zip(as_tuple(single_ys), as_tuple(ys)), *zip(gradients(single_ys, single_xs, mt), gradients(ys, xs, mt))]
    for single, double in pairs:
        if double is not None and double.dtype == mt.float64:
            assert single.dtype == mt.float32
            np.testing.assert_allclose(to_numpy(single), to_numpy(double), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("case", [c for c in CASES if c.batch], ids=lambda case: case.name)
def test_empty_batch(case, device):
    """A batch of no images passes through, as in PyTorch, and gives the parameters a gradient of zero."""
    arrays = [a[:0] if i < case.batch else a for i, a in enumerate(case.arrays())]
    needs_torch()
    try:
        case.function(torch, *map(torch.tensor, arrays))
    except (RuntimeError, IndexError):
        pytest.fail(f"PyTorch refuses {case.name} of an empty batch: declare the case without batch=")
    assert_same_as_torch(case.function, arrays, device)
