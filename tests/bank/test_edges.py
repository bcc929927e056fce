"""Cases at the edges that PyTorch's samples leave out: one function of a library and its tensors, run by both."""

import itertools

import numpy as np
import pytest
from helpers import assert_same_as_torch, needs_torch, torch

import minitorch_cnn as mt

INF, NAN = np.inf, np.nan
ODD = np.array([[0.0, -0.0, 1.0, -2.5], [INF, -INF, NAN, 3.0], [3.0, 3.0, -INF, 0.5]])
LOW = np.full((1, 1, 4, 5), -INF)
IMAGE = np.random.default_rng(0).integers(-2, 3, (2, 2, 5, 6)).astype(float)
ROWS = np.array([[-INF, -INF, -INF], [0.0, -INF, 2.0], [INF, 0.0, 1.0], [1e4, 1e4, -1e4]])
WEIGHTS = np.random.default_rng(1).standard_normal((2, 2, 3, 3))

EDGES = {
    "maximum and minimum with NaN": (
        lambda m, F, x: (m.maximum(x, x[[2, 1, 0]].detach()), m.minimum(x, x.T[:3, :1])),
        ODD,
    ),
    "amax with NaN": (lambda m, F, x: (m.amax(x, 1), m.amin(x, 0), m.amax(x)), ODD),
    "max with NaN": (lambda m, F, x: (x.max(), x.min(), *x.max(1), *x.min(0)), ODD),
    "argmax with NaN": (lambda m, F, x: (x.argmax(1), x.argmin(1), x.argmax()), ODD),
    "argmax of booleans": (lambda m, F, x: (x > 0).long().argmax(1), ODD),
    "clamp with NaN": (lambda m, F, x: (x.clamp(-1, 1), x.clamp(min=x.detach() * 0 + 0.5), x.clamp(3, 1)), ODD),
    "relu of odd numbers": (lambda m, F, x: (m.relu(x), m.abs(x), m.sign(x), m.floor(x)), ODD),
    "sigmoid and tanh of odd numbers": (lambda m, F, x: (m.sigmoid(x), m.tanh(x), m.exp(x), m.log(x), m.sqrt(x)), ODD),
    "powers of odd numbers": (lambda m, F, x: (x**2, x**0, x**-1, x**0.5, 2**x, x ** x.detach(), 0.0**x), np.abs(ODD)),
    "divisions of odd numbers": (lambda m, F, x: (x / 0, 1 / x, x % 2, x.detach() // 2, x / x, x % -1.5), ODD),
    "softmax of odd rows": (lambda m, F, x: (m.softmax(x, 1), m.log_softmax(x, 1), m.logsumexp(x, 1)), ROWS),
    "sums of odd rows": (lambda m, F, x: (x.sum(1), x.mean(1), x.var(1), x.std(0), x.var()), ROWS),
    "where that hides NaN": (lambda m, F, x: (m.where(x == x, x * 2, 0.0), m.where(x > 0, 1.0, x)), ODD),
    "where without values": (lambda m, F, x: m.where(x > 0), ODD),
    "variance of one": (lambda m, F, x: (x[:1, :1].var(), x[:1].var(0), x[:1].var(0, correction=0)), ROWS[1:2]),
    "reductions of a scalar": (
        lambda m, F, x: (x.sum(0), x.mean(-1), *x.max(0), x.amax(0), x.argmax(), m.logsumexp(x, 0), m.softmax(x, 0)),
        np.array(2.0),
    ),
    "reductions of nothing": (
        lambda m, F, x: (x.sum(), x.mean(), x.sum(0), x.mean(1), x.var(0), x.amax(1)),
        np.zeros((0, 3)),
    ),
    "max pooling of minus infinity": (lambda m, F, x: F.max_pool2d(x, 3, 2, 1, return_indices=True), LOW),
    "max pooling of minus infinity, dilated": (lambda m, F, x: F.max_pool2d(x, 2, 1, 1, 2, return_indices=True), LOW),
    "max pooling of ties": (lambda m, F, x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True, return_indices=True), IMAGE),
    "max pooling of one image": (lambda m, F, x: F.max_pool2d(x[0], (3, 2), return_indices=True), IMAGE),
    "max pooling of no images": (lambda m, F, x: F.max_pool2d(x[:0], 2, return_indices=True), IMAGE),
    "average pooling beyond the edge": (
        lambda m, F, x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        IMAGE,
    ),
    "adaptive pooling to more": (
        lambda m, F, x: (F.adaptive_avg_pool2d(x, (7, 4)), F.adaptive_avg_pool2d(x, (None, 1))),
        IMAGE,
    ),
    "convolutions of transposed images": (lambda m, F, x, w: F.conv2d(x.permute(0, 1, 3, 2), w), IMAGE, WEIGHTS),
    "convolutions of no images": (
        lambda m, F, x, w: (F.conv2d(x[:0], w), F.conv_transpose2d(x[:0], w)),
        IMAGE,
        WEIGHTS,
    ),
    "convolution of an infinity": (lambda m, F, x, w: F.conv2d(x / (x != 2), w), IMAGE, WEIGHTS),
    "fold of unfold": (
        lambda m, F, x: F.fold(F.unfold(x, (3, 2), (1, 2), (1, 0), (2, 1)), (5, 6), (3, 2), (1, 2), (1, 0), (2, 1)),
        IMAGE,
    ),
    "fold that leaves a rest": (lambda m, F, x: F.fold(x.reshape(2, 12, 5)[:, :, :4], (5, 6), (2, 3), stride=3), IMAGE),
    "padding and taking away": (
        lambda m, F, x: [
            F.pad(x, (2, -1, -2, 1), mode=mode) for mode in ("constant", "reflect", "replicate", "circular")
        ],
        IMAGE,
    ),
    "padding with infinity": (lambda m, F, x: F.pad(x, (1, 0), value=-INF), IMAGE),
    "linear maps of vectors": (
        lambda m, F, x, w: (F.linear(x[0, 0, :, :3], w[0, 0]), F.linear(x[0, 0, 0, :3], w[0, 0])),
        IMAGE,
        WEIGHTS,
    ),
    "batch norm of no images": (lambda m, F, x: F.batch_norm(x[:0], None, None, training=True), IMAGE),
    "batch norm of a constant": (lambda m, F, x: F.batch_norm(x * 0 + 3, None, None, training=True), IMAGE),
    "a norm of two batches": (lambda m, F, x: F.batch_norm(x[:, :, 0, 0], None, None, training=True), IMAGE),
    "losses of nothing": (
        lambda m, F, x: (F.mse_loss(x[:0], x[:0]), F.cross_entropy(x[:0, :, 0, 0], m.zeros(0).long())),
        IMAGE,
    ),
    "losses of ignored labels": (
        lambda m, F, x: F.cross_entropy(x[:, :, 0, 0], m.tensor([7, 7]), ignore_index=7),
        IMAGE,
    ),
    "losses of some ignored labels": (
        lambda m, F, x: [
            F.cross_entropy(x[:, :, 0, 0], m.tensor([1, 7]), ignore_index=7, reduction=r, label_smoothing=0.2)
            for r in ("mean", "sum", "none")
        ],
        IMAGE,
    ),
    "loss of certainty": (lambda m, F, x: F.nll_loss(m.log_softmax(x, 1), m.tensor([0, 1, 0, 2])), ROWS),
    "assignment of elements": (lambda m, F, x: assigned(m, x), IMAGE),
    "filling in place": (
        lambda m, F, x: ((x * 1).zero_(), (x * 1).fill_(2.0), (x * 1).copy_(x[:1]), (x * 1).add_(x, alpha=3)),
        IMAGE,
    ),
    "matrix products of all ranks": (
        lambda m, F, x: [
            x[0, 0] @ x[0, 1].T,
            x[0, 0, 0] @ x[0, 1, 1],
            x[0, 0] @ x[0, 1, 1],
            x[0, 0, 0] @ x[0].transpose(1, 2),
            x @ x[0, 0].T,
            x[0, 0] @ x.transpose(2, 3),
            x[:, :1] @ x.transpose(2, 3)[:1],
            x[:0] @ x.transpose(2, 3)[:0],
            x[..., :0] @ x.transpose(2, 3)[..., :0, :],
        ],
        IMAGE,
    ),
    "expansions": (
        lambda m, F, x: (x[0, 0, :, :1].expand(-1, 3), x[0, 0, 0].expand(2, 0, 6), x.sum().expand(2, 2)),
        IMAGE,
    ),
    "joining with nothing": (
        lambda m, F, x: (m.cat([x[:0], x]), m.cat([m.zeros(0).double(), x], 2), m.stack([x, x], -1)),
        IMAGE,
    ),
    "views of views": (
        lambda m, F, x: x.transpose(0, 1).reshape(4, -1).T.flatten().unflatten(0, (-1, 4)).squeeze().unsqueeze(-1),
        IMAGE,
    ),
}


def assigned(m, x):
    y = x * 2
    y[0] = x[1, :1]
    y[:, 1, ::2] = 5.0
    y[y.detach() > 4] = 0.0
    y[[0, 1], [1, 0]] = x[:, 0] * 3
    y[..., -1] *= x[..., 0]
    return y


INDICES = {
    "an integer": 1,
    "a negative integer": -2,
    "a slice": slice(1, None, 2),
    "a slice of nothing": slice(3, 1),
    "a slice beyond": slice(-9, 9),
    "None": None,
    "Ellipsis": ...,
    "nothing": (),
    "everything": (None, 0, ..., slice(None, -1), None),
    "True": True,
    "False": False,
    "a list": [2, 0, 2],
    "a list of booleans": [True, False, True],
    "a tuple of lists": ([0, 2], [1, 3]),
    "lists apart": ([0, 2], slice(None), [1, 0]),
    "a list after a slice": (slice(None), [1, 3, 3]),
    "a list and None": (None, [1, 1], None),
    "an integer and a list": (0, slice(None), [1, 0]),
    "an empty list": [],
    "an array": np.array([1, 0]),
    "a column and a row": (np.array([[0], [2]]), np.array([1, 3])),
    "a mask": "mask",
    "a mask of a part": (slice(None), "row"),
    "a mask and an integer": ("column", 1),
    "a tensor": "tensor",
    "a tensor of one": "scalar",
    "a tensor in a slice": slice("scalar", None),
}


def index_of(m, index):
    """The index in the terms of a library."""
    if isinstance(index, tuple):
        return tuple(index_of(m, i) for i in index)
    if isinstance(index, slice):
        return slice(index_of(m, index.start), index.stop, index.step)
    values = {"mask": np.arange(24).reshape(3, 4, 2) % 3 == 0, "row": [True, False, True, True]}
    values |= {"column": [False, True, True], "tensor": [[0, 2], [1, 1]], "scalar": 1}
    if isinstance(index, np.ndarray):
        return m.tensor(index)
    return m.tensor(values[index]) if isinstance(index, str) else index


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    function, *arrays = EDGES[name]
    assert_same_as_torch(lambda m, *xs: function(m, m.nn.functional, *xs), arrays)


@pytest.mark.parametrize("name", INDICES)
def test_indices(name):
    array = np.random.default_rng(2).standard_normal((3, 4, 2))
    assert_same_as_torch(lambda m, x: x[index_of(m, INDICES[name])], [array])


REPEATING = ("a list", "a list after a slice", "a list and None", "a tensor")  # which of two values wins is undefined


@pytest.mark.parametrize("name", [name for name in INDICES if name not in REPEATING])
def test_assignment_by_indices(name):
    def assign(m, x):
        y = x * 1
        y[index_of(m, INDICES[name])] = 2.5
        return y

    assert_same_as_torch(assign, [np.random.default_rng(2).standard_normal((3, 4, 2))])


DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
OPERATIONS = {
    "a + b": lambda m, a, b: a + b,
    "a * b": lambda m, a, b: a * b,
    "a / b": lambda m, a, b: a / b,
    "a // b": lambda m, a, b: a // b,
    "a ** b": lambda m, a, b: a**b,
    "a < b": lambda m, a, b: a < b,
    "a - b": lambda m, a, b: a - b,
    "maximum": lambda m, a, b: m.maximum(a, b),
    "where": lambda m, a, b: m.where(a > 0, a, b),
    "cat": lambda m, a, b: m.cat([a.reshape(-1), b.reshape(-1)]),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_types_meet_as_in_torch(operation):
    """Every pair of types, as tensors with and without dimensions, and as Python numbers."""
    needs_torch()
    for left, right in itertools.product(DTYPES, repeat=2):
        for shape in ((2,), ()):
            values = np.ones(2).astype(left), np.ones(shape).astype(right)
            same(OPERATIONS[operation], values, f"{left} {right} {shape}")


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in ("maximum", "cat")])
@pytest.mark.parametrize("number", [True, 2, 0.5], ids=repr)
def test_numbers_meet_tensors_as_in_torch(operation, number):
    needs_torch()
    for dtype in DTYPES:
        if (operation, dtype, number) != ("a ** b", "bool", True):  # PyTorch's is its argument, ours is refused
            same(lambda m, a: OPERATIONS[operation](m, a, number), [np.ones(2).astype(dtype)], f"{dtype} {number}")


FUNCTIONS = [
    *("sum", "mean", "var", "std", "max", "min", "amax", "amin", "argmax", "argmin", "any", "all", "logsumexp"),
    *("softmax", "log_softmax", "abs", "neg", "exp", "log", "sqrt", "sigmoid", "tanh", "relu", "sign", "floor"),
    *("clamp", "isnan", "isinf", "isfinite", "logical_not"),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_type_is_taken_or_refused_as_in_torch(name, dtype):
    needs_torch()
    arguments = {"logsumexp": (0,), "softmax": (0,), "log_softmax": (0,), "clamp": (0,)}.get(name, ())
    same(lambda m, a: getattr(m, name)(a, *arguments), [np.ones(3).astype(dtype)], f"{name} {dtype}")


def same(function, arrays, what):
    """The same values and type, or an error in both."""
    try:
        theirs = function(torch, *map(torch.tensor, arrays))
    except (RuntimeError, TypeError) as error:
        with pytest.raises((RuntimeError, TypeError)):
            pytest.fail(f"{what}: PyTorch says {error}; ours {function(mt, *map(mt.tensor, arrays))}")
        return
    ours = function(mt, *map(mt.tensor, arrays))
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch."), f"{what}: {ours.dtype}, expected {theirs.dtype}"
    np.testing.assert_allclose(ours.array, theirs.numpy(), rtol=1e-6, err_msg=what)
