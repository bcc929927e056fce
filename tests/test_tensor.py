"""The tensor as an object: how it is made, converted, printed, indexed, and what it refuses."""

import copy
import operator
import pickle

import numpy as np
import pytest
from helpers import assert_close, needs_torch, torch

import minitorch_cnn as mt
from minitorch_cnn import nn

# --- how it is made ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, mt.float32, ()),
        (3, mt.int64, ()),
        (True, mt.bool, ()),
        ([1.0, 2], mt.float32, (2,)),
        ([[1, 2, 3]], mt.int64, (1, 3)),
        ([True, False], mt.bool, (2,)),
        ([], mt.float32, (0,)),
        (np.ones((2, 3)), mt.float64, (2, 3)),
        (np.ones(2, "float32"), mt.float32, (2,)),
        (np.zeros(2, "uint8"), mt.uint8, (2,)),
        (np.float64(2.0), mt.float64, ()),
        (range(3), mt.int64, (3,)),
    ],
)
def test_types_and_shapes_of_data(data, dtype, shape, device):
    x = mt.tensor(data, device=device)
    assert x.dtype == dtype and x.shape == shape and x.device.type == device
    assert not x.requires_grad and x.is_leaf and x.grad is None


def test_types_can_be_asked_for():
    assert mt.tensor([1, 2], dtype=mt.float64).dtype == mt.float64
    assert mt.tensor(np.ones(2), dtype=mt.float32, requires_grad=True).requires_grad
    assert mt.zeros(2, dtype=mt.int32).dtype == mt.int32


def test_tensor_copies_and_from_numpy_does_not():
    a = np.zeros(3)
    x, y, z = mt.tensor(a), mt.from_numpy(a), mt.as_tensor(a)
    a[0] = 5
    assert x[0].item() == 0 and y[0].item() == 5 and z[0].item() == 5
    assert mt.as_tensor(y) is y


def test_lists_of_tensors():
    assert mt.tensor([mt.tensor(1.0), mt.tensor(2.0)]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("data", ["abc", [[1, 2], [3]], None, object(), 1j])
def test_data_that_is_no_tensor(data):
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        mt.tensor(data)


@pytest.mark.parametrize("times", [1, 2])
def test_a_list_that_holds_itself_ends(times):
    endless = []
    endless += [endless] * times
    with pytest.raises(ValueError, match="too many dimensions: expected at most 64 lists"):
        mt.tensor(endless)


def test_a_list_is_not_wrapped():
    with pytest.raises(TypeError, match=r"wraps an array.*got a list.*minitorch_cnn.tensor"):
        mt.Tensor([1, 2])


CREATIONS = {
    "zeros": lambda m: m.zeros(2, 3),
    "zeros of a tuple": lambda m: m.zeros((2, 3)),
    "zeros of a size": lambda m: m.zeros(size=(2, 3)),
    "zeros scalar": lambda m: m.zeros(()),
    "ones": lambda m: m.ones(2, 3, dtype=m.int64),
    "full": lambda m: m.full((2, 2), 1.5),
    "full of integers": lambda m: m.full((2,), 7),
    "arange": lambda m: m.arange(4),
    "arange float": lambda m: m.arange(1, 2, 0.25),
    "arange step": lambda m: m.arange(10, 0, -3),
    "arange dtype": lambda m: m.arange(3, dtype=m.float32),
    "linspace": lambda m: m.linspace(0, 1, 5),
    "linspace steps": lambda m: m.linspace(-1.0, 1.0, steps=3),
    "eye": lambda m: m.eye(3),
    "eye rectangular": lambda m: m.eye(2, 3),
    "zeros_like": lambda m: m.zeros_like(m.ones(2, dtype=m.float64)),
    "ones_like dtype": lambda m: m.ones_like(m.zeros(2), dtype=m.int64),
    "full_like": lambda m: m.full_like(m.zeros(2, 1), 3),
    "new_zeros": lambda m: m.ones(1, dtype=m.float64).new_zeros(2, 2),
    "new_ones": lambda m: m.ones(1).new_ones((3,)),
}


@pytest.mark.parametrize("name", CREATIONS)
def test_creation_as_in_torch(name):
    needs_torch()
    assert_close(CREATIONS[name](mt), CREATIONS[name](torch), 1e-6)


@pytest.mark.parametrize("make", [mt.zeros, mt.ones, mt.empty, mt.rand, mt.randn])
def test_ways_to_give_a_shape(make):
    for x in (make(2, 3), make((2, 3)), make([2, 3]), make(size=(2, 3)), make(*mt.zeros(2, 3).shape)):
        assert x.shape == (2, 3) and x.dtype == mt.float32
    assert make(2, requires_grad=True).requires_grad
    assert make(2, dtype=mt.float64).dtype == mt.float64


def test_random_numbers_are_reproducible():
    def draw(generator=None):
        return [
            mt.rand(3, generator=generator).tolist(),
            mt.randn(3, generator=generator).tolist(),
            mt.randint(0, 9, (4,), generator=generator).tolist(),
            mt.randperm(5, generator=generator).tolist(),
            mt.normal(0.0, 2.0, (3,), generator=generator).tolist(),
            mt.zeros(3).uniform_(-1, 1, generator=generator).tolist(),
        ]

    mt.manual_seed(5)
    first = draw()
    mt.manual_seed(5)
    assert draw() == first
    assert draw() != first
    assert draw(mt.Generator().manual_seed(5)) == first


def test_random_state_can_be_restored():
    state = mt.get_rng_state()
    first = mt.rand(3).tolist()
    mt.set_rng_state(state)
    assert mt.rand(3).tolist() == first


def test_random_numbers_lie_where_they_should():
    u, n, i = mt.rand(10_000), mt.randn(10_000), mt.randint(2, 5, (1000,))
    assert float(u.min()) >= 0 and float(u.max()) < 1 and abs(float(u.mean()) - 0.5) < 0.02
    assert abs(float(n.mean())) < 0.05 and abs(float(n.std()) - 1) < 0.05
    assert set(i.tolist()) == {2, 3, 4} and i.dtype == mt.int64
    assert mt.randint(3, (2, 2)).shape == (2, 2)
    assert sorted(mt.randperm(6).tolist()) == list(range(6))


# --- conversions ---------------------------------------------------------------------------------------------


def test_item_and_python_numbers(device):
    x = mt.tensor([[2.5]], device=device)
    assert x.item() == float(x) == 2.5 and int(x) == 2 and bool(x)
    assert not mt.tensor(0.0, device=device)
    assert isinstance(mt.tensor(3, device=device).item(), int)
    assert [10, 20, 30][mt.tensor(1)] == 20
    assert f"{mt.tensor(1.23456, device=device):.3f}" == "1.235"


def test_format_of_a_sum_as_the_chapter_prints_it():
    loss = (mt.ones(2, 2, requires_grad=True) * 3).sum()
    assert f"loss {loss:.3f}, {mt.ones(1).sum():.1f}" == "loss 12.000, 1.0"


@pytest.mark.parametrize("convert", [float, int, bool, lambda x: x.item()])
def test_many_elements_are_no_number(convert):
    with pytest.raises((RuntimeError, TypeError, ValueError), match=r"2 elements"):
        convert(mt.ones(2))


def test_types_by_name():
    x = mt.tensor([0.0, 1.7])
    assert x.double().dtype == mt.float64 and x.long().tolist() == [0, 1] and x.int().dtype == mt.int32
    assert x.bool().tolist() == [False, True] and x.float() is x and x.to(mt.uint8).dtype == mt.uint8
    assert x.type(mt.float64).dtype == mt.float64


def test_conversion_of_types_passes_gradients():
    x = mt.ones(2, requires_grad=True)
    (x.double() * 2).sum().backward()
    assert x.grad.dtype == mt.float32 and x.grad.tolist() == [2.0, 2.0]


def test_numpy_shares_memory():
    x = mt.zeros(2)
    x.numpy()[0] = 3
    assert x.tolist() == [3.0, 0.0]
    assert np.asarray(x).dtype == np.float32
    with pytest.raises(RuntimeError, match=r"requires grad.*detach\(\).numpy\(\)"):
        mt.ones(2, requires_grad=True).numpy()


def test_numpy_leaves_arithmetic_to_the_tensor():
    x = mt.ones(2, 2, dtype=mt.float64, requires_grad=True)
    y = np.float64(2.0) * x + np.float32(1.0)
    assert isinstance(y, mt.Tensor) and y.requires_grad and y.dtype == mt.float64


def by_numpys_names():
    """Calls by NumPy's names, as functions and as methods; by whether they keep the dimension."""
    for name in (
        "sum",
        "mean",
        "var",
        "std",
        "amax",
        "amin",
        "argmax",
        "argmin",
        "max",
        "min",
        "any",
        "all",
        "logsumexp",
    ):
        for names in (
            {"axis": 1},
            {"axis": -1, "keepdims": True},
            {"axis": 0, "keepdim": True},
            {"dim": 1, "keepdims": True},
        ):
            yield f"m.{name}(x, **{names})"
            yield f"x.{name}(**{names})"
    for name in ("sum", "mean", "var", "std", "amax", "amin", "logsumexp", "any"):
        yield f"x.{name}(axis=(0, 1))"
        yield f"m.{name}(x, axis=[1], keepdims=True)"
    yield from ("m.softmax(x, axis=1)", "x.softmax(axis=0)", "m.log_softmax(x, axis=-1)", "x.log_softmax(axis=1)")
    yield from (
        "m.cat([x, x], axis=1)",
        "m.stack([x, x], axis=-1)",
        "m.cat((x, x), axis=0)",
        "x.sum(axis=1, dtype=m.float64)",
    )
    yield from ("x.sum(axis=None)", "x.std(axis=1, correction=0)", "x.var(axis=0, unbiased=False)", "x.sum(dim=[0, 1])")
    yield from ("x.sum(0, axis=1)", "x.amax(dim=1, axis=1)", "x.softmax(axis=5)", "x.max(axis=2)", "x.softmax()")
    yield from ("x.logsumexp()", "m.cat([x, x], 1, axis=1)", "x.sum(axes=1)", "m.argmax(x, axis=3)")


@pytest.mark.parametrize("call", [*by_numpys_names()])
def test_numpys_names_of_dim_and_keepdim(call):
    needs_torch()
    outcomes = []
    for m in (mt, torch):
        x = m.tensor([[1.0, 5.0, 3.0], [4.0, 2.0, 2.5]])
        try:
            y = eval(call, {"m": m, "x": x})
            outcomes.append([part.tolist() for part in (y if isinstance(y, tuple) else (y,))])
        except (TypeError, IndexError) as error:
            outcomes.append(type(error))
    ours, theirs = outcomes
    if isinstance(theirs, type):
        assert ours is theirs
    else:
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


class Stranger:
    """Answers every operator that a tensor leaves to it, by the operator's name."""


REFLECTED = {
    "add": "radd", "sub": "rsub", "mul": "rmul", "truediv": "rtruediv", "floordiv": "rfloordiv", "mod": "rmod",
    "pow": "rpow", "matmul": "rmatmul", "and_": "rand", "or_": "ror", "xor": "rxor", "lt": "gt", "le": "ge", "gt": "lt",
    "ge": "le", "eq": "eq", "ne": "ne", "iadd": "radd", "isub": "rsub", "imul": "rmul", "itruediv": "rtruediv",
    "ifloordiv": "rfloordiv", "imod": "rmod", "ipow": "rpow", "iand": "rand", "ior": "ror", "ixor": "rxor",
    "imatmul": "rmatmul",
}  # fmt: skip
for name in {*REFLECTED.values()}:
    setattr(Stranger, f"__{name}__", lambda self, other, name=name: (name, other))


@pytest.mark.parametrize("name", REFLECTED)
def test_a_stranger_is_asked_for_its_own_answer(name):
    x = mt.tensor([True, False]) if name[-4:] in ("and_", "or_", "xor", "iand", "ior", "ixor") else mt.ones(2)
    assert getattr(operator, name)(x, Stranger()) == (REFLECTED[name], x)
    if torch is not None:
        x = torch.ones(2)
        assert getattr(operator, name)(x, Stranger()) == (REFLECTED[name], x)


@pytest.mark.parametrize("name", sorted({*REFLECTED} - {"eq", "ne"}))
@pytest.mark.parametrize("other", [None, "text", [1.0, 2.0], object(), {}])
def test_where_nobody_has_an_answer_the_operands_are_named(name, other):
    with pytest.raises(TypeError, match="got|not supported between|unsupported operand"):
        getattr(operator, name)(mt.ones(2), other)


def test_the_tensors_of_others_are_named():
    needs_torch()
    for name in sorted({*REFLECTED} - {"eq", "ne"}):
        with pytest.raises(TypeError, match="got torch's Tensor: convert it"):
            getattr(operator, name)(mt.ones(2), torch.ones(2))


@pytest.mark.parametrize("repeated", ["[1, 2] * n", "n * [1, 2]", "n.reshape(1) * (1,)", "'ab' * n"])
def test_a_list_is_repeated_by_one_whole_number(repeated):
    needs_torch()
    assert eval(repeated, {"n": mt.tensor(2)}) == eval(repeated, {"n": torch.tensor(2)})


def test_a_product_of_a_tensor_and_an_array(device):
    x = mt.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    array = np.array([1.0, 10.0], np.float32)
    for y, expected in ((x @ array, [21, 43]), (array @ x, [31, 42]), (mt.matmul(x, array), [21, 43])):
        assert isinstance(y, mt.Tensor) and y.dtype == mt.float32 and y.tolist() == expected
    (x @ array).sum().backward()
    assert x.grad.tolist() == [[1, 10], [1, 10]]
    assert (x @ array.astype(np.float64)).dtype == mt.float64  # as with +
    with pytest.raises(TypeError, match="expected a number or a Tensor|got a value of type str"):
        x @ "text"


def test_shape_and_size():
    x = mt.zeros(2, 3, 4)
    assert x.shape == (2, 3, 4) == x.size() and x.size(1) == 3 and x.size(-1) == 4
    assert x.numel() == 24 and x.ndim == x.dim() == 3 and len(x) == 2
    assert isinstance(x.shape, tuple)


def test_len_and_iteration_of_a_scalar():
    with pytest.raises(TypeError, match="0-d"):
        len(mt.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(mt.tensor(1.0))


def test_zip_goes_over_the_first_dimension():
    """The chapter: ``for x, k in zip(X, K)``."""
    assert [(x * k).tolist() for x, k in zip(mt.ones(2, 2), mt.tensor([3.0, 4.0]))] == [[3.0, 3.0], [4.0, 4.0]]


def test_contiguity():
    x = mt.zeros(2, 3)
    assert x.is_contiguous() and not x.T.is_contiguous() and x.T.contiguous().is_contiguous()
    assert x.contiguous() is x


def test_a_tensor_is_its_own_key():
    x, y = mt.ones(1), mt.ones(1)
    assert len({x, y, x}) == 2


def test_comparison_with_something_else():
    assert (mt.ones(2) == None) is False  # noqa: E711
    assert (mt.ones(2) != "text") is True


def test_allclose_equal_is_tensor():
    x = mt.tensor([1.0, 2.0])
    assert mt.equal(x, x.clone()) and not mt.equal(x, x + 1e-4) and not mt.equal(x, mt.ones(3))
    assert mt.allclose(x, x + 1e-7) and not mt.allclose(x, x + 1e-2)
    assert mt.is_tensor(x) and not mt.is_tensor(np.ones(1))
    assert mt.is_floating_point(x) and not mt.is_floating_point(mt.arange(2))


def test_copies(device):
    x = mt.tensor([1.0, 2.0], device=device, requires_grad=True)
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.tolist() == x.tolist() and y.requires_grad and y.is_leaf and y.device == x.device
        with mt.no_grad():
            y.zero_()
        assert x.tolist() == [1.0, 2.0]
    with pytest.raises(RuntimeError, match="leaf"):
        copy.deepcopy(x * 2)


def deep_copies():
    """Each returns lists of numbers."""

    def of_views(m):
        x = m.ones(4)
        a, part, square = copy.deepcopy([x, x[1:], x.reshape(2, 2).t()])
        part[0] = 5
        return a.tolist(), part.tolist(), square.tolist(), x.tolist()

    def of_what_is_detached(m):
        x = m.ones(3, requires_grad=True)
        a, b, c = copy.deepcopy((x, x.detach()[1:], x.data))
        b[0], c[0] = 7, 8
        return a.tolist(), a.requires_grad, b.requires_grad, x.tolist()

    def of_a_gradient(m):
        x = m.ones(3, requires_grad=True)
        (x * x).sum().backward()
        a, dx = copy.deepcopy((x, x.grad))
        return a.grad is dx, a.grad.tolist(), a.grad is x.grad

    def of_the_order_in_memory(m):
        x = m.arange(24).reshape(2, 3, 4).permute(2, 0, 1)
        a = copy.deepcopy(x)
        a[0] = 100
        return (
            a.is_contiguous(),
            a.tolist(),
            copy.deepcopy(x.expand(2, 4, 2, 3)).tolist(),
            copy.deepcopy(x[::2, :, 1:]).tolist(),
        )

    def of_one_thing_twice(m):
        x = m.ones(2)
        a, b = copy.deepcopy([x, x])
        return a is b, copy.deepcopy(m.tensor(3.0)).item(), copy.deepcopy(m.ones(2, 0)).tolist()

    return {name: function for name, function in locals().items()}


DEEP_COPIES = deep_copies()


@pytest.mark.parametrize("name", DEEP_COPIES)
def test_deep_copies_share_what_their_originals_share(name):
    needs_torch()
    assert DEEP_COPIES[name](mt) == DEEP_COPIES[name](torch)


def test_a_deep_copy_of_a_network_keeps_ties_and_views():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    net.row = net[0].weight.detach()[0]
    copied = copy.deepcopy(net)
    copied.row.zero_()
    assert copied[0].weight is copied[1].weight and len([*copied.parameters()]) == 3
    assert copied[0].weight[0].tolist() == [0, 0] and net[0].weight[0].tolist() != [0, 0]


def test_a_deep_copy_of_a_view_is_followed_by_the_graph():
    x = mt.ones(3)
    a, part = copy.deepcopy([x, x[1:]])
    w = mt.tensor([2.0, 3.0], requires_grad=True)
    part.mul_(w)
    (a * a).sum().backward()
    assert a.tolist() == [1, 2, 3] and w.grad.tolist() == [4, 6]
    assert x.tolist() == [1, 1, 1] and not x.requires_grad


# --- printing ------------------------------------------------------------------------------------------------

PRINTED = [
    lambda m: m.tensor([1.0, 2.5]),
    lambda m: m.tensor(1.5),
    lambda m: m.tensor([1, 20, 300]),
    lambda m: m.tensor([[True, False]]),
    lambda m: m.arange(12).reshape(3, 4),
    lambda m: m.tensor([[1.0, -2.0], [0.12345678, 100.0]]),
    lambda m: m.tensor([1.0], dtype=m.float64),
    lambda m: m.tensor([1.0], requires_grad=True),
    lambda m: m.zeros(2, 0),
    lambda m: m.tensor([]),
    lambda m: m.zeros(2, 2, 2),
    lambda m: m.tensor([1e-8, 1.0]),
    lambda m: m.tensor(3, dtype=m.int32),
]


@pytest.mark.parametrize("index", range(len(PRINTED)))
def test_repr_is_that_of_torch(index):
    needs_torch()
    assert repr(PRINTED[index](mt)) == repr(PRINTED[index](torch)).replace("torch.", "")


def test_repr_says_where_and_from_what(gpu):
    assert repr(mt.ones(1, device="cuda")) == "tensor([1.], device='cuda:0')"
    assert "grad_fn=<" in repr(mt.ones(1, requires_grad=True) * 2)


# --- indexing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", [0, -1, (1, 2), slice(1, None), (..., 0), (slice(None), None), (slice(None, None, 2), -1)]
)
def test_a_simple_index_is_a_view(key):
    x = mt.zeros(3, 4)
    assert np.shares_memory(x[key].array, x.array)


INDICES = {
    "x[m.tensor(1)]": True, "x[m.tensor(1), m.tensor(2)]": True, "x[:, m.tensor(2)]": True,
    "x[..., m.tensor(-1)]": True,
    "x[np.array(1)]": True, "x[np.int64(1)]": True, "x[m.tensor(1, dtype=m.int32)]": True, "x[None, m.tensor(0)]": True,
    "x[m.tensor(0):m.tensor(2)]": True, "x[m.tensor([1])]": False, "x[[0, 1], [1, 0]]": False,
    "x[[0, 1], m.tensor(1)]": False,
    "x[m.tensor(1), [0, 2]]": False, "x[m.tensor(True)]": False, "x[[]]": False, "x[[True, False]]": False,
    "x[((0, 1), (1, 2))]": False, "x[[[0, 1]], [[1, 0]]]": False, "x[m.tensor([[0, 1], [1, 0]])]": False,
    "x.reshape(1, 2, 3)[m.tensor(0), :, [0, 1]]": False, "x.reshape(1, 2, 3)[[0, 0], :, m.tensor(1)]": False,
}  # fmt: skip


@pytest.mark.parametrize("index", INDICES)
def test_an_index_gives_what_it_gives_in_pytorch(index):
    """The elements; a view of them or not; and what is written there."""
    needs_torch()
    outcomes = []
    for m in (mt, torch):
        x = m.arange(6.0).reshape(2, 3)
        y = eval(index, {"m": m, "x": x, "np": np})
        outcomes.append([y.tolist(), list(y.shape)])
        y.fill_(100)
        outcomes[-1].append(x.tolist())
        exec(f"{index} = 7", {"m": m, "x": x, "np": np})
        outcomes[-1].append(x.tolist())
    assert outcomes[0] == outcomes[1]
    assert (outcomes[0][2] != [[0, 1, 2], [3, 4, 5]]) == INDICES[index]


def test_an_index_without_dimensions_on_both_devices(device):
    x, w = mt.zeros(2, 3, device=device), mt.ones(3, device=device, requires_grad=True)
    row = x[mt.tensor(1, device=device)]
    row += w
    x.sum().backward()
    assert x.tolist() == [[0, 0, 0], [1, 1, 1]] and w.grad.tolist() == [1, 1, 1]


def test_a_list_of_lists_is_one_index():
    """As in NumPy; in PyTorch it still stands for a tuple, with a warning that this will change."""
    x = mt.arange(6).reshape(2, 3)
    assert x[[[0, 1], [1, 0]]].shape == (2, 2, 3) and x[[[]]].shape == (1, 0, 3)
    assert x[[mt.tensor(1), mt.tensor(0)]].tolist() == [[3, 4, 5], [0, 1, 2]]


@pytest.mark.parametrize("index", [1.5, [0.5], "a", [[0, 1], [0]], mt.tensor(1.0), np.array(0.5), [None]])
def test_what_is_no_index_is_refused(index):
    with pytest.raises(IndexError):
        mt.arange(6).reshape(2, 3)[index]


def test_indices_out_of_range():
    with pytest.raises(IndexError):
        mt.zeros(3)[3]
    with pytest.raises(IndexError):
        mt.zeros(3)[0, 0]


def test_assignment_converts_and_broadcasts(device):
    x = mt.zeros(2, 3, device=device)
    x[0] = 1
    x[1, 1:] = mt.tensor([2.0, 3.0], dtype=mt.float64, device=device)
    x[:, 0] = mt.tensor(5, device=device)
    assert x.tolist() == [[5.0, 1.0, 1.0], [5.0, 2.0, 3.0]] and x.dtype == mt.float32


def test_assignment_of_the_chapter():
    x = mt.ones((6, 8))
    x[:, 2:6] = 0
    assert float(x.sum()) == 24.0


def test_assignment_of_another_shape():
    with pytest.raises((ValueError, RuntimeError), match=r"3"):
        mt.zeros(2)[:] = mt.zeros(3)


# --- in place --------------------------------------------------------------------------------------------------


def test_in_place_methods_return_the_tensor_itself(device):
    x = mt.zeros(2, device=device)
    array = x.array
    for result in (
        x.add_(1),
        x.mul_(2),
        x.sub_(1),
        x.div_(2),
        x.clamp_(0, 1),
        x.fill_(3),
        x.copy_(mt.ones(2)),
        x.zero_(),
    ):
        assert result is x and x.array is array
    assert x.tolist() == [0.0, 0.0]
    assert x.uniform_().array is array and x.normal_() is x and x.requires_grad_() is x


def test_augmented_assignment_changes_in_place():
    x = mt.ones(2)
    alias, array = x, x.array
    x += 1
    x *= 3
    x -= 2
    x /= 2
    assert x is alias and x.array is array and x.tolist() == [2.0, 2.0]


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: mt.ones(2) + mt.ones(3), (RuntimeError, ValueError), r"\(2,\).*\(3,\)"),
        (lambda: mt.ones(2, 3) @ mt.ones(2, 3), (RuntimeError, ValueError), r"\(2, 3\).*\(2, 3\)|3.*2"),
        (lambda: mt.ones(2) + "a", TypeError, r"str|'a'"),
        (lambda: mt.ones(6).reshape(4), (RuntimeError, ValueError), r"\(?4|6"),
        (lambda: mt.ones(2).sum(1), IndexError, r"1|range"),
        (lambda: mt.ones(2).transpose(0, 2), IndexError, r"2|range"),
        (lambda: mt.cat([]), (RuntimeError, ValueError), r"empty|at least one|non-empty"),
        (lambda: mt.cat([mt.ones(2, 3), mt.ones(3, 2)]), (RuntimeError, ValueError), r"size|shape|3"),
        (lambda: mt.stack([mt.ones(2), mt.ones(3)]), (RuntimeError, ValueError), r"\(2,\).*\(3,\)|size|shape"),
        (lambda: mt.ones(2).expand(3), (RuntimeError, ValueError), r"2.*3|3.*2"),
        (lambda: mt.ones(2, 2, 2).t(), (RuntimeError, ValueError), r"2|dim"),
        (lambda: mt.zeros(0).max(), (RuntimeError, ValueError, IndexError), r"empty|no elements|zero|numel"),
        (lambda: mt.clamp(mt.ones(2)), (RuntimeError, ValueError), r"min.*max"),
    ],
)
def test_errors_name_the_cause(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_mean_of_integers():
    with pytest.raises(RuntimeError, match="float"):
        mt.arange(3).mean()


def test_reductions_of_nothing_as_in_torch():
    assert mt.zeros(0).sum().item() == 0.0 and mt.zeros(0, 3).sum(0).tolist() == [0.0] * 3
    assert bool(mt.zeros(0).all()) and not bool(mt.zeros(0).any())


@pytest.mark.parametrize("convert", [mt.Tensor.to, lambda x, *args, **kwargs: _in_a_module(x).to(*args, **kwargs).x])
def test_tensors_and_modules_take_the_same_arguments_of_to(convert):
    like = mt.zeros(1, dtype=mt.float64)
    for args, kwargs in [
        (("cpu", mt.float64), {}), ((mt.device("cpu"), np.float64), {}), ((np.float64,), {}), ((like,), {}),
        ((), {"dtype": mt.float64}), ((), {"device": "cpu", "dtype": "float64"}), ((like,), {"non_blocking": True}),
        (("cpu", mt.float64, True), {}),
    ]:  # fmt: skip
        assert convert(mt.ones(2), *args, **kwargs).dtype == mt.float64
    assert convert(mt.ones(2), None).dtype == mt.float32
    for wrong in (3, object()):
        with pytest.raises(TypeError, match="expected a dtype such as"):
            convert(mt.ones(2), wrong)
    with pytest.raises(RuntimeError, match="expected the device 'cpu' or 'cuda', got 'tpu'"):
        convert(mt.ones(2), "tpu")


def _in_a_module(x):
    module = mt.nn.Module()
    module.register_buffer("x", x)
    return module


# --- names of old ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", [[[1.0, 2.0]], [np.arange(3)], [2, 3], [4], []], ids=str)
@pytest.mark.parametrize("name", ["FloatTensor", "LongTensor"])
def test_typed_tensors_are_made_as_in_torch(name, argument):
    needs_torch()
    if argument and isinstance(argument[0], np.ndarray):
        argument = [argument[0].astype(getattr(mt, name).dtype)]  # PyTorch takes its own type alone
    ours, theirs = getattr(mt, name)(*argument), getattr(torch, name)(*argument)
    assert (ours.shape, f"torch.{ours.dtype}") == (tuple(theirs.shape), str(theirs.dtype))
    if argument and not isinstance(argument[0], int):
        assert ours.tolist() == theirs.tolist()


def test_a_typed_tensor_names_a_type_and_refuses_a_tuple():
    assert mt.tensor([1.7, 2.0]).type(mt.LongTensor).tolist() == [1, 2]
    with pytest.raises(TypeError, match=r"may mean a size or numbers: write FloatTensor\(\*size\)"):
        mt.FloatTensor(mt.ones(2, 3).size())


def test_a_variable_is_a_leaf_that_shares_the_memory():
    x = mt.ones(2)
    y = mt.autograd.Variable(x, requires_grad=True)
    (y * 3).sum().backward()
    assert y.grad.tolist() == [3.0, 3.0] and x.grad is None and y.array is x.array
    assert not mt.autograd.Variable(y * 2).requires_grad
    with pytest.raises(TypeError, match="Variable expected a Tensor, got a list"):
        mt.autograd.Variable([1.0])
