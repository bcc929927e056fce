"""One declaration for each operation: a function of a library and its tensors, and the shapes of the tensors.

``case("sub", lambda m, x, y: x - y, (2, 3), (3,))``, with this library and then PyTorch for `m`, gives the tests of
``ops/test_operations.py``: forward, gradients of first and second order, float32, strides, empty batches, devices.
"""

from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """What one operation is tested with."""

    name: str
    function: Any  # (library, *tensors) -> tensor or tuple of tensors
    inputs: tuple  # a shape for normal numbers, or one of the makers below
    batch: int  # how many of the inputs, from the left, have the batch as first axis: these are also tried empty
    smooth: bool  # False: at these inputs a derivative has a step, so that finite differences say nothing

    def arrays(self):
        """The inputs: the same float64 (or integer, or boolean) arrays whenever they are asked for."""
        rng = np.random.default_rng(7)
        return [np.asarray(normal(*i)(rng) if isinstance(i, tuple) else i(rng)) for i in self.inputs]


CASES = []


def case(name, function, *inputs, batch=0, smooth=True):
    CASES.append(Case(name, function, inputs, batch, smooth))


# --- makers of inputs ------------------------------------------------------------------------------------


def normal(*shape):
    return lambda rng: rng.standard_normal(shape)


def positive(*shape):
    return lambda rng: rng.uniform(0.5, 2.0, shape)


def distinct(*shape):
    """No two entries closer than 0.1, none closer than 0.05 to zero: a small step changes no maximum and no sign."""
    return lambda rng: (
        (rng.permutation(np.prod(shape, dtype=int)).reshape(shape) - np.prod(shape, dtype=int) // 2) * 0.1 + 0.05
    )


def integers(high, *shape):
    return lambda rng: rng.integers(0, high, shape)


def booleans(*shape):
    return lambda rng: rng.random(shape) < 0.5


def array(*values):
    return lambda rng: np.array(values)


# --- elementwise -----------------------------------------------------------------------------------------

for shapes in [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((), (2, 3)), ((2, 3), ()), ((), ())]:
    name = " ".join(map(str, shapes))
    case(f"add {name}", lambda m, x, y: x + y, *shapes)
    case(f"sub {name}", lambda m, x, y: x - y, *shapes)
    case(f"mul {name}", lambda m, x, y: x * y, *shapes)
    case(f"div {name}", lambda m, x, y: x / y, normal(*shapes[0]), positive(*shapes[1]))
    case(f"pow {name}", lambda m, x, y: x**y, positive(*shapes[0]), normal(*shapes[1]))

case("add function", lambda m, x, y: m.add(x, y), (2, 3), (2, 3), batch=2)
case("sub function", lambda m, x, y: m.sub(x, y), (2, 3), (2, 3), batch=2)
case("mul function", lambda m, x, y: m.mul(x, y), (2, 3), (2, 3), batch=2)
case("div function", lambda m, x, y: m.div(x, y), (2, 3), positive(2, 3), batch=2)
case("pow function", lambda m, x: m.pow(x, 3), (2, 3), batch=1)
case("pow method", lambda m, x: x.pow(2), (2, 3))
case("same tensor twice", lambda m, x: x * x + x, (2, 3))
for scalar in (2, 0.5, -3.0, np.float64(2.5), np.int64(3)):
    name = f"{type(scalar).__name__} {scalar}"
    case(f"tensor and {name}", lambda m, x, a=scalar: (x + a) * a - (x - a) / (a * a), (2, 3))
for scalar in (2, 0.5, -3.0):
    case(f"{scalar} and tensor", lambda m, x, a=scalar: (a + x) * (a - x) + a * x + a / x, positive(2, 3))
case("tensor and True", lambda m, x: x * True + True, (2, 3))
for exponent in (2, 3, 1, 0, -1, 0.5, -1.5):
    case(f"pow {exponent}", lambda m, x, p=exponent: x**p, positive(2, 3))
case("pow of a negative number", lambda m, x: x**3 + x**2, (2, 3))
case("pow of zero", lambda m, x: x**2 + x**1 + x**0, array(0.0, 1.0), smooth=False)
case("scalar to the power of a tensor", lambda m, x: 2**x, (2, 3))
case("neg", lambda m, x: m.neg(-x), (2, 3), batch=1)
case("exp", lambda m, x: m.exp(x), (2, 3), batch=1)
case("exp method", lambda m, x: x.exp(), (2, 3))
case("log", lambda m, x: m.log(x), positive(2, 3), batch=1)
case("log method", lambda m, x: x.log(), positive(2, 3))
case("sqrt", lambda m, x: m.sqrt(x), positive(2, 3), batch=1)
case("sqrt method", lambda m, x: x.sqrt(), positive(2, 3))
case("square", lambda m, x: m.square(x) + x.square(), (2, 3), batch=1)
case("sin cos", lambda m, x: m.sin(x) * x.cos() + m.cos(x) * x.sin(), (2, 3), batch=1)
case("floor", lambda m, x: m.floor(x) + x.floor(), distinct(2, 5), batch=1)
for mode in ("floor", "trunc"):
    case(f"div {mode}", lambda m, x, y, r=mode: m.div(x, y, rounding_mode=r), distinct(2, 5), positive(5), batch=1)
    signed = array(-7, -6, 6, 7)
    case(f"div {mode} of integers", lambda m, x, y, r=mode: m.div(x, y, rounding_mode=r), signed, array(2, -4, -4, 2))
case("floor_divide", lambda m, x, y: (x // y, m.floor_divide(x, 2), 9 // y), signed, array(2, -4, -4, 2))
case("remainder", lambda m, x, y: m.remainder(x, y) + x % 0.37, distinct(2, 5), positive(5), batch=1)
case("remainder of integers", lambda m, x, y: (x % y, x % 3), signed, array(2, -4, -4, 2))
case("abs", lambda m, x: m.abs(x), distinct(2, 3), batch=1)
case("abs method", lambda m, x: x.abs() + abs(x), distinct(2, 3))
case("abs of zero", lambda m, x: m.abs(x), array(-1.0, 0.0, 1.0), smooth=False)
case("sigmoid", lambda m, x: m.sigmoid(x), (2, 3), batch=1)
case("sigmoid method", lambda m, x: x.sigmoid(), (2, 3))
case("sigmoid of large numbers", lambda m, x: m.sigmoid(x), array(-800.0, -40.0, 0.0, 40.0, 800.0), smooth=False)
case("tanh", lambda m, x: m.tanh(x), (2, 3), batch=1)
case("tanh method", lambda m, x: x.tanh(), (2, 3))
case("relu", lambda m, x: m.relu(x), distinct(2, 3), batch=1)
case("relu method", lambda m, x: x.relu(), distinct(2, 3))
case("relu of zero", lambda m, x: m.relu(x), array(-1.0, 0.0, 1.0), smooth=False)
case("clamp", lambda m, x: m.clamp(x, -0.11, 0.2), distinct(2, 5), batch=1)
case("clamp min", lambda m, x: m.clamp(x, min=0.1), distinct(2, 5))
case("clamp max", lambda m, x: x.clamp(max=0.1), distinct(2, 5))
case("clamp at its bounds", lambda m, x: x.clamp(-1.0, 1.0), array(-2.0, -1.0, 0.0, 1.0, 2.0), smooth=False)
case("where", lambda m, c, x, y: m.where(c, x, y), booleans(2, 3), (2, 3), (2, 3), batch=3)
case("where broadcast", lambda m, c, x, y: m.where(c, x, y), booleans(2, 3), (3,), (2, 1))
case("where of a scalar", lambda m, c, x: m.where(c, x, 0.0) + m.where(c, 1.0, x), booleans(2, 3), (2, 3))
case("maximum", lambda m, x, y: m.maximum(x, y), distinct(2, 3), positive(2, 3), batch=2)
case("minimum", lambda m, x, y: m.minimum(x, y), distinct(2, 3), positive(3), batch=1)
case("maximum of equals", lambda m, x, y: m.maximum(x, y), array(1.0, 2.0), array(1.0, 3.0), smooth=False)
case("minimum of equals", lambda m, x, y: m.minimum(x, y), array(1.0, 2.0), array(1.0, 3.0), smooth=False)
case("comparisons", lambda m, x, y: (x == y, x != y, x < y, x <= y, x > y, x >= y), integers(3, 9), integers(3, 9))
case("comparisons by name", lambda m, x, y: (x.eq(y), x.ne(y), x.lt(y), x.le(y), x.gt(y), x.ge(y)), (9,), (9,))
case("comparisons with a scalar", lambda m, x: (x == 1, x != 1, x < 0.5, x >= 1, x > -1.5, x >= 2), integers(3, 9))
odd_numbers = array(0.0, np.nan, np.inf, -np.inf)
case("isnan isinf isfinite", lambda m, x: (m.isnan(x), m.isinf(x), m.isfinite(x), x.isnan()), odd_numbers, smooth=False)

# --- reductions ------------------------------------------------------------------------------------------

for name in ("sum", "mean"):
    case(f"{name}", lambda m, x, f=name: getattr(m, f)(x), (2, 3, 2))
    case(f"{name} method", lambda m, x, f=name: getattr(x, f)(), (2, 3))
    case(f"{name} of a scalar", lambda m, x, f=name: getattr(x, f)(), ())
    case(f"{name} dim=1", lambda m, x, f=name: getattr(m, f)(x, 1), (2, 3, 2), batch=1)
    case(f"{name} dim=-1", lambda m, x, f=name: getattr(x, f)(dim=-1), (2, 3, 2), batch=1)
    case(f"{name} dim=(0, -1)", lambda m, x, f=name: getattr(x, f)((0, -1)), (2, 3, 2))
    case(f"{name} keepdim", lambda m, x, f=name: getattr(x, f)(1, keepdim=True), (2, 3, 2), batch=1)
case("sum of integers", lambda m, x: (x.sum(), x.sum(0), m.sum(x > 1)), integers(5, 2, 3), batch=1)
case("sum of nothing", lambda m, x: x.sum(), (0, 3), batch=1)
case("sum dtype", lambda m, x: m.sum(x, 0, dtype=m.float64), (2, 3))
for name in ("var", "std"):
    case(f"{name}", lambda m, x, f=name: getattr(m, f)(x), (2, 3, 2))
    case(f"{name} dim", lambda m, x, f=name: getattr(x, f)(1), (2, 3, 2))
    case(f"{name} dims keepdim", lambda m, x, f=name: getattr(x, f)((0, 2), keepdim=True), (2, 3, 2))
    case(f"{name} correction=0", lambda m, x, f=name: getattr(m, f)(x, dim=1, correction=0), (2, 3))
for name in ("max", "min"):
    tied = array([1.0, 3.0, 3.0], [2.0, 2.0, 1.0])
    case(f"{name}", lambda m, x, f=name: getattr(m, f)(x), distinct(2, 3))
    case(f"{name} dim", lambda m, x, f=name: getattr(m, f)(x, 1), distinct(2, 3, 2), batch=1)
    case(f"{name} dim keepdim", lambda m, x, f=name: getattr(x, f)(dim=-1, keepdim=True), distinct(2, 3), batch=1)
    case(f"{name} of two", lambda m, x, y, f=name: getattr(m, f)(x, y), distinct(2, 3), positive(2, 3))
    case(f"{name} with ties", lambda m, x, f=name: getattr(x, f)(1), tied, smooth=False)
    case(f"{name} of all with ties", lambda m, x, f=name: getattr(x, f)(), tied, smooth=False)
    case(f"a{name}", lambda m, x, f=f"a{name}": getattr(m, f)(x, 1), distinct(2, 3, 2), batch=1)
    case(f"a{name} of all", lambda m, x, f=f"a{name}": getattr(m, f)(x), distinct(2, 3))
    case(f"a{name} dims keepdim", lambda m, x, f=f"a{name}": getattr(x, f)((0, 2), keepdim=True), distinct(2, 3, 2))
    case(f"a{name} with ties", lambda m, x, f=f"a{name}": getattr(x, f)(1), tied, smooth=False)
    case(f"arg{name}", lambda m, x, f=f"arg{name}": (getattr(m, f)(x), getattr(x, f)(1)), distinct(2, 3))
    case(f"arg{name} keepdim", lambda m, x, f=f"arg{name}": getattr(x, f)(dim=1, keepdim=True), tied, smooth=False)
for p in ("fro", 1, 2, 3, 0.5, np.inf, -np.inf):
    case(f"norm {p}", lambda m, x, p=p: m.norm(x, p), (2, 3, 2))
    case(f"norm {p} dim", lambda m, x, p=p: x.norm(p, dim=1, keepdim=True), (2, 3, 2))
case("norm of zeros", lambda m, x: m.norm(x * 0) + m.norm(x[0], 1), (2, 3), smooth=False)
for p in (-2, 0.5, 1.5, 3):
    case(f"norm {p} with zeros", lambda m, x, p=p: m.norm(x, p, dim=1), array([0.0, 0.0], [0.0, 3.0]), smooth=False)
case("norm 0", lambda m, x: m.norm(x, 0, dim=1), array([0.0, 1.0], [2.0, 3.0]), smooth=False)
case("cumsum", lambda m, x: m.cumsum(x, 1) + x.cumsum(dim=-1), (2, 3, 2), batch=1)
case("cumsum of integers", lambda m, x: (x.cumsum(0), m.cumsum(x > 1, 1)), integers(5, 2, 3), batch=1)
case("cumsum of a scalar", lambda m, x: m.cumsum(x, 0), ())
for largest in (True, False):
    case(f"topk largest={largest}", lambda m, x, b=largest: m.topk(x, 2, 1, largest=b), distinct(2, 4, 3), batch=1)
    case(f"topk method largest={largest}", lambda m, x, b=largest: x.topk(3, largest=b), distinct(2, 4), batch=1)
case("topk of a scalar", lambda m, x: m.topk(x, 1), ())
case("topk of none", lambda m, x: m.topk(x, 0), (2, 3))
case("topk of integers", lambda m, x: x.topk(3), array(7, -3, 0, 9, 2))
case("any all", lambda m, x: (x.any(), x.all(), x.any(1), x.all(dim=0)), booleans(3, 2))
for name in ("logsumexp", "softmax", "log_softmax"):
    huge = array([1e4, 1e4 - 1.0, 0.0], [-1e4, 1e4, 3.0])
    case(f"{name}", lambda m, x, f=name: getattr(m, f)(x, 1), (2, 3, 2), batch=1)
    case(f"{name} dim=-1", lambda m, x, f=name: getattr(m, f)(x, dim=-1), (2, 3))
    case(f"{name} of huge numbers", lambda m, x, f=name: getattr(m, f)(x, 1), huge, smooth=False)
case("logsumexp keepdim", lambda m, x: m.logsumexp(x, 0, keepdim=True), (2, 3))
case("logsumexp of two dims", lambda m, x: m.logsumexp(x, (0, 2)), (2, 3, 2))
case("logsumexp with -inf", lambda m, x: m.logsumexp(x, 1), array([-np.inf, 0.0], [-np.inf, -np.inf]), smooth=False)
case("softmax method", lambda m, x: x.softmax(0) + x.log_softmax(-1), (2, 3))

# --- shape -----------------------------------------------------------------------------------------------

case("reshape", lambda m, x: m.reshape(x, (3, -1)), (2, 3, 2))
case("reshape method", lambda m, x: x.reshape(-1) * x.reshape((12,)) * x.view(12), (2, 3, 2))
case("reshape of a transpose", lambda m, x: x.T.reshape(6), (2, 3))
case("flatten", lambda m, x: m.flatten(x, 1), (2, 3, 2), batch=1)
case("flatten in the middle", lambda m, x: x.flatten(1, 2), (2, 3, 2, 2), batch=1)
case("flatten all", lambda m, x: x.flatten(), (2, 3))
case("flatten a scalar", lambda m, x: x.flatten(), ())
case("permute", lambda m, x: m.permute(x, (2, 0, 1)), (2, 3, 4))
case("permute method", lambda m, x: x.permute(0, -1, 1), (2, 3, 4), batch=1)
case("transpose", lambda m, x: m.transpose(x, 0, -1), (2, 3, 4))
case("transpose method", lambda m, x: x.transpose(1, 2), (2, 3, 4), batch=1)
case("t", lambda m, x: m.t(x) + x.T + x.t(), (2, 3))
case("squeeze", lambda m, x: m.squeeze(x), (2, 1, 3, 1))
case("squeeze dim", lambda m, x: x.squeeze(1), (2, 1, 3, 1), batch=1)
case("squeeze a dim that is not 1", lambda m, x: x.squeeze(0), (2, 1, 3))
case("unsqueeze", lambda m, x: m.unsqueeze(x, 1), (2, 3), batch=1)
case("unsqueeze last", lambda m, x: x.unsqueeze(-1), (2, 3))
case("expand", lambda m, x: x.expand(4, -1, 3), (2, 1))
case("expand_as", lambda m, x, y: x.expand_as(y) * y, (3,), (2, 3))
case("broadcast_to", lambda m, x: m.broadcast_to(x, (2, 4, 3)), (4, 1))
for indexing in ("ij", "xy"):
    vectors = [(2,), (3,), (4,)]
    case(f"meshgrid {indexing}", lambda m, *xs, i=indexing: m.meshgrid(*xs, indexing=i), *vectors)
    case(f"meshgrid {indexing} of two", lambda m, *xs, i=indexing: m.meshgrid(xs, indexing=i), *vectors[:2])
    case(f"meshgrid {indexing} of one", lambda m, *xs, i=indexing: m.meshgrid([*xs], indexing=i), (3,))
case("view_as", lambda m, x, y: x.view_as(y) * y, (2, 3), (3, 2))
case("NumPy's names", lambda m, x: m.unsqueeze(x, axis=1).squeeze(axis=1) + m.cumsum(x, axis=1), (2, 3))
PLACES = [[[0, 2, 2]], [[1, 0, 1]]]  # (2, 1, 3)


def places(m, x):
    """An index for `gather` and `scatter_`."""
    return m.tensor(PLACES, device=x.device)


case("gather", lambda m, x: m.gather(x, 2, places(m, x)) * x.gather(-2, places(m, x)), (2, 3, 3))
case("gather none", lambda m, x: x.gather(0, places(m, x)[:0]), (2, 3, 3))
case("scatter_", lambda m, x, y: (x * 1).scatter_(1, places(m, x)[:, :, 1:], y), (2, 3, 3), (2, 1, 2))
case(
    "scatter_ a number",
    lambda m, x: (x * 1).scatter_(2, places(m, x), 2.5).scatter_(0, places(m, x)[:1] // 2, value=3),
    (2, 3, 3),
)
case("one_hot", lambda m, x: x * m.nn.functional.one_hot(places(m, x)), (2, 1, 3, 3))
case("one_hot of five", lambda m, x: x * m.nn.functional.one_hot(places(m, x), num_classes=5), (2, 1, 3, 5))
case("topk by NumPy's name", lambda m, x: (*x.topk(2, axis=0), *x.unbind(axis=1)), distinct(3, 2))
case("repeat", lambda m, x: x.repeat(2, 1, 3), (2, 3))
case("repeat a size", lambda m, x: x.T.repeat((2, 2)) + x.repeat(2, 2).T, (2, 3))
case("repeat never", lambda m, x: x.repeat(0, 2), (2, 3))
case("repeat a number", lambda m, x: x.repeat(3) + x.repeat(()), ())
case("cat", lambda m, x, y: m.cat([x, y]), (2, 3), (1, 3))
case("cat dim=1", lambda m, x, y, z: m.cat((x, y, z), dim=1), (2, 3), (2, 1), (2, 0))
case("cat dim=-1 with itself", lambda m, x: m.cat([x, x], -1), (2, 3), batch=1)
case("stack", lambda m, x, y: m.stack([x, y]), (2, 3), (2, 3))
case("stack dim=1", lambda m, x, y: m.stack((x, y, x), dim=1), (2, 3), (2, 3), batch=2)
case("stack dim=-1", lambda m, x, y: m.stack([x, y], -1), (2, 3), (2, 3))
case("unbind", lambda m, x: m.unbind(x), (3, 2))
case("unbind dim=1", lambda m, x: x.unbind(1), (2, 3), batch=1)
case("iteration", lambda m, x: [row * i for i, row in enumerate(x)], (3, 2))
case("clone contiguous", lambda m, x: x.T.contiguous() * x.clone().T, (2, 3))
case("conversion of dtype", lambda m, x: x.float().to(m.float64) * x.double(), (2, 3), smooth=False)
case("detach", lambda m, x: x * x.detach() + x.data, (2, 3), smooth=False)

for name, key in {
    "[0]": 0,
    "[-1, 1]": (-1, 1),
    "[1:]": slice(1, None),
    "[:, 0]": (slice(None), 0),
    "[::2, 1:3]": (slice(None, None, 2), slice(1, 3)),
    "[..., -1]": (..., -1),
    "[:, None]": (slice(None), None),
    "[3:1]": slice(3, 1),
    "[[0, 2, 0]]": [0, 2, 0],
    "[[0, 1], [2, 0]]": ([0, 1], [2, 0]),
    "[:, [1, 1, -1]]": (slice(None), [1, 1, -1]),
}.items():
    case(f"index {name}", lambda m, x, k=key: x[k], (3, 4))

    def assign(m, x, v, k=key):
        y = x * 1
        y[k] = v
        return y

    if "[0, 2, 0]" not in name and "[1, 1" not in name:  # which of two values for one entry wins is undefined
        case(f"assign a number {name}", lambda m, x, f=assign: f(m, x, 2.0), (3, 4))
        case(f"assign a scalar tensor {name}", assign, (3, 4), ())
case("index by a tensor", lambda m, x, i: x[i], (4, 3), integers(4, 5))
case("index by two tensors", lambda m, x, i, j: x[i, j], (4, 3), integers(4, 2, 5), integers(3, 5))
case("index by a mask", lambda m, x, i: x[i], (4, 3), booleans(4, 3))
case("index by a mask of rows", lambda m, x, i: x[i], (4, 3), booleans(4))
case("index by a slice and a tensor", lambda m, x, i: x[:, i], (4, 3), integers(3, 2))


def assign_row(m, x, v):
    y = x * 1
    y[1] = v
    y[:, 2] = v[:3] * x[0, 0]
    return y


def increment(m, x, v):
    y = m.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] += (x[i, j] * v).sum()
    y[0] *= 2.0
    return y


def assign_by_mask(m, x, mask, v):
    y = x * 1
    y[mask] = v
    return y


case("assign rows", assign_row, (3, 4), (4,))
case("increment entries", increment, (2, 3), (2,))
case("assign by a mask", assign_by_mask, (3, 4), booleans(3, 4), ())


def in_place(m, x, y):
    z = x * 1
    z += y
    z.mul_(2).sub_(y, alpha=1).add_(x).div_(3.0)
    z *= x
    z /= 2
    z -= y
    return z.clamp_(-5, 5)


def overwritten(m, x, y):
    z = x * 1
    z.copy_(y)
    w = x * 2
    w.zero_()
    u = x * 3
    u.fill_(2.0)
    return z * w, z + u


case("in-place arithmetic", in_place, (2, 3), (2, 3))
case("in-place overwriting", overwritten, (2, 3), (2, 3))

# --- matrices --------------------------------------------------------------------------------------------

for shapes in [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 2, 3), (2, 3, 2)),
    ((2, 2, 3), (3, 2)),
    ((2, 3), (2, 3, 2)),
    ((2, 1, 2, 3), (3, 3, 2)),
    ((3,), (2, 3, 2)),
    ((2, 2, 3), (3,)),
]:
    case(
        f"matmul {shapes[0]} {shapes[1]}",
        lambda m, x, y: x @ y,
        *shapes,
        batch=int(len(shapes[0]) == 2 == len(shapes[1])),
    )
case("matmul function", lambda m, x, y: m.matmul(x, y) * x.matmul(y), (2, 3), (3, 4))
case("mm", lambda m, x, y: m.mm(x, y) + x.mm(y), (2, 3), (3, 4), batch=1)
case("mv", lambda m, x, y: m.mv(x, y) + x.mv(y), (2, 3), (3,), batch=1)
case("dot", lambda m, x, y: m.dot(x, y) + x.dot(y), (3,), (3,))
case("linear", lambda m, x, w, b: m.nn.functional.linear(x, w, b), (2, 3), (4, 3), (4,), batch=1)
case("linear without bias", lambda m, x, w: m.nn.functional.linear(x, w), (2, 3), (4, 3), batch=1)
case("linear of one vector", lambda m, x, w, b: m.nn.functional.linear(x, w, b), (3,), (4, 3), (4,))
case("linear of many dims", lambda m, x, w, b: m.nn.functional.linear(x, w, b), (2, 2, 3), (4, 3), (4,), batch=1)

# --- convolutions ----------------------------------------------------------------------------------------

for name, options, image, weight in [
    ("", {}, (2, 2, 4, 5), (3, 2, 3, 3)),
    ("kernel 1x1", {}, (2, 3, 3, 2), (2, 3, 1, 1)),
    ("kernel of the whole image", {}, (2, 2, 3, 4), (2, 2, 3, 4)),
    ("rectangular kernel", {}, (2, 2, 4, 5), (2, 2, 3, 2)),
    ("stride", {"stride": 2}, (2, 1, 5, 6), (2, 1, 3, 2)),
    ("stride (2, 1)", {"stride": (2, 1)}, (2, 1, 5, 4), (2, 1, 2, 3)),
    ("stride over the kernel", {"stride": (3, 4)}, (1, 2, 5, 6), (2, 2, 2, 2)),
    ("padding", {"padding": 1}, (2, 2, 3, 4), (2, 2, 3, 3)),
    ("padding (2, 1)", {"padding": (2, 1)}, (2, 1, 3, 4), (2, 1, 3, 2)),
    ("padding over the kernel", {"padding": 3}, (1, 1, 2, 3), (1, 1, 2, 2)),
    ("padding same", {"padding": "same"}, (2, 1, 4, 5), (2, 1, 3, 3)),
    ("padding same dilated", {"padding": "same", "dilation": (2, 1)}, (1, 1, 4, 5), (2, 1, 3, 5)),
    ("padding valid", {"padding": "valid", "stride": 2}, (2, 1, 4, 5), (2, 1, 3, 2)),
    ("dilation", {"dilation": 2}, (2, 1, 5, 6), (2, 1, 2, 3)),
    ("dilation (1, 3)", {"dilation": (1, 3)}, (1, 2, 4, 8), (2, 2, 3, 2)),
    ("groups", {"groups": 2}, (2, 4, 4, 3), (6, 2, 3, 2)),
    ("depthwise", {"groups": 3, "padding": 1}, (2, 3, 3, 4), (6, 1, 3, 3)),
    ("everything", {"stride": (2, 3), "padding": (1, 2), "dilation": (2, 1), "groups": 2}, (2, 2, 6, 5), (4, 1, 2, 3)),
]:
    case(
        f"conv2d {name}",
        lambda m, x, w, b, o=options: m.nn.functional.conv2d(x, w, b, **o),
        image,
        weight,
        weight[:1],
        batch=1,
    )
case("conv2d without bias", lambda m, x, w: m.nn.functional.conv2d(x, w), (2, 2, 4, 3), (3, 2, 3, 2), batch=1)
case("conv2d unbatched", lambda m, x, w, b: m.nn.functional.conv2d(x, w, b, 1, 1), (2, 4, 3), (3, 2, 3, 2), (3,))

for name, options, image, weight in [
    ("", {}, (2, 2, 3, 4), (2, 3, 2, 3)),
    ("stride", {"stride": (2, 3)}, (2, 1, 3, 2), (1, 2, 3, 2)),
    ("padding", {"stride": 2, "padding": (1, 2)}, (1, 2, 3, 4), (2, 2, 3, 4)),
    ("output_padding", {"stride": 2, "output_padding": (1, 0), "padding": 1}, (1, 2, 3, 3), (2, 1, 3, 3)),
    ("dilation groups", {"dilation": (2, 1), "groups": 2}, (1, 4, 2, 3), (4, 2, 2, 2)),
]:
    bias = (weight[1] * options.get("groups", 1),)
    case(
        f"conv_transpose2d {name}",
        lambda m, x, w, b, o=options: m.nn.functional.conv_transpose2d(x, w, b, **o),
        image,
        weight,
        bias,
        batch=1,
    )
case("conv_transpose2d unbatched", lambda m, x, w: m.nn.functional.conv_transpose2d(x, w), (2, 3, 4), (2, 3, 2, 3))

for name, options, image in [
    ("", {"kernel_size": 2}, (2, 2, 3, 4)),
    ("rectangular", {"kernel_size": (3, 2)}, (2, 1, 4, 3)),
    ("everything", {"kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 2), "stride": (1, 2)}, (2, 2, 4, 3)),
    ("unbatched", {"kernel_size": 2}, (2, 3, 4)),
]:
    case(f"unfold {name}", lambda m, x, o=options: m.nn.functional.unfold(x, **o), image, batch=int(len(image) == 4))
for name, options, columns in [
    ("", {"output_size": (3, 4), "kernel_size": 2}, (2, 8, 6)),
    ("square", {"output_size": 4, "kernel_size": (3, 2)}, (2, 6, 6)),
    (
        "everything",
        {"output_size": (4, 3), "kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 2), "stride": (1, 2)},
        (2, 12, 12),
    ),
    ("unbatched", {"output_size": (3, 4), "kernel_size": 2}, (8, 6)),
]:
    case(f"fold {name}", lambda m, x, o=options: m.nn.functional.fold(x, **o), columns, batch=int(len(columns) == 3))

# --- activations -----------------------------------------------------------------------------------------

case("leaky_relu", lambda m, x: m.nn.functional.leaky_relu(x), distinct(2, 3), batch=1)
case("leaky_relu slope", lambda m, x: m.nn.functional.leaky_relu(x * 1, 0.3, inplace=True), distinct(2, 3))
case("leaky_relu of zero", lambda m, x: m.nn.functional.leaky_relu(x), array(-1.0, 0.0, 1.0), smooth=False)
case("gelu", lambda m, x: m.nn.functional.gelu(x), (2, 3), batch=1)
case("gelu of large numbers", lambda m, x: m.nn.functional.gelu(x), array(-50.0, -9.0, 0.0, 9.0, 50.0), smooth=False)
case("gelu tanh", lambda m, x: m.nn.functional.gelu(x, approximate="tanh"), (2, 3), batch=1)
case("logsigmoid", lambda m, x: m.nn.functional.logsigmoid(x), (2, 3), batch=1)
huge = array(-800.0, -40.0, 0.0, 40.0, 800.0)
case("logsigmoid of large numbers", lambda m, x: m.nn.functional.logsigmoid(x), huge, smooth=False)

# --- normalisation and losses ----------------------------------------------------------------------------

case("batch_norm", lambda m, x: m.nn.functional.batch_norm(x, None, None, training=True), (3, 2, 2, 3))
case(
    "batch_norm with scale and shift",
    lambda m, x, w, b: m.nn.functional.batch_norm(x, None, None, w, b, training=True, eps=1e-3),
    *[(4, 3), (3,), (3,)],
)
case(
    "batch_norm by given statistics",
    lambda m, x, w, b, mean, var: m.nn.functional.batch_norm(x, mean.detach(), var.detach(), w, b),
    *[(2, 3, 2, 2), (3,), (3,), (3,), positive(3)],
    smooth=False,
)
for reduction in ("mean", "sum", "none"):
    case(
        f"mse_loss {reduction}",
        lambda m, x, y, r=reduction: m.nn.functional.mse_loss(x, y, reduction=r),
        *[(3, 4), (3, 4)],
    )
    case(
        f"l1_loss {reduction}",
        lambda m, x, y, r=reduction: m.nn.functional.l1_loss(x, y, reduction=r),
        *[distinct(3, 4), positive(3, 4)],
    )
    case(
        f"binary_cross_entropy {reduction}",
        lambda m, x, y, w, r=reduction: m.nn.functional.binary_cross_entropy(
            m.sigmoid(x), m.sigmoid(y), w.detach(), reduction=r
        ),
        *[(3, 4), (3, 4), positive(4)],
        smooth=False,
    )
    case(
        f"binary_cross_entropy_with_logits {reduction}",
        lambda m, x, y, r=reduction: m.nn.functional.binary_cross_entropy_with_logits(x, y, reduction=r),
        *[(3, 4), positive(3, 4)],
    )
    case(
        f"cross_entropy {reduction}",
        lambda m, x, y, r=reduction: m.nn.functional.cross_entropy(x, y, reduction=r),
        *[(4, 3), integers(3, 4)],
    )
    case(
        f"cross_entropy of images {reduction}",
        lambda m, x, y, w, r=reduction: m.nn.functional.cross_entropy(
            x, y, w.detach(), reduction=r, ignore_index=1, label_smoothing=0.1
        ),
        *[(2, 3, 2, 2), integers(3, 2, 2, 2), positive(3)],
        smooth=False,
    )
    case(
        f"nll_loss {reduction}",
        lambda m, x, y, r=reduction: m.nn.functional.nll_loss(x, y, ignore_index=2, reduction=r),
        *[(4, 3), array(0, 2, 1, 1)],
    )
case(
    "cross_entropy of probabilities",
    lambda m, x, y: m.nn.functional.cross_entropy(x, m.softmax(y, 1).detach(), label_smoothing=0.2),
    *[(4, 3), (4, 3)],
    smooth=False,
)
case(
    "cross_entropy of large logits",
    lambda m, x, y: m.nn.functional.cross_entropy(x, y),
    *[array([1e4, -1e4, 0.0], [0.0, 800.0, -800.0]), array(1, 1)],
    smooth=False,
)

case(
    "binary_cross_entropy by itself",
    lambda m, x, y: m.nn.functional.binary_cross_entropy(x, y),
    *[lambda rng: rng.uniform(0.1, 0.9, (2, 3)), lambda rng: rng.uniform(0.1, 0.9, (2, 3))],
)
case(
    "binary_cross_entropy_with_logits by weights",
    lambda m, x, y, w, p: m.nn.functional.binary_cross_entropy_with_logits(x, y, w.detach(), pos_weight=p.detach()),
    *[array([-800.0, 0.0, 3.0], [0.0, 40.0, 800.0]), array([1.0, 1.0, 0.3], [0.0, 0.0, 0.0]), positive(3), positive(3)],
    smooth=False,
)

# --- pooling ---------------------------------------------------------------------------------------------

for name, options, image in [
    ("", {"kernel_size": 2}, (2, 2, 4, 5)),
    ("rectangular", {"kernel_size": (3, 2)}, (2, 1, 5, 4)),
    ("stride", {"kernel_size": 3, "stride": (1, 2)}, (2, 1, 4, 5)),
    ("stride over the kernel", {"kernel_size": 2, "stride": 3}, (2, 1, 5, 6)),
    ("padding", {"kernel_size": 3, "padding": (1, 0), "stride": 2}, (2, 1, 4, 5)),
    ("ceil_mode", {"kernel_size": 2, "ceil_mode": True}, (2, 1, 3, 5)),
    ("ceil_mode padding", {"kernel_size": (3, 2), "padding": 1, "stride": 2, "ceil_mode": True}, (2, 1, 4, 5)),
    (
        "ceil_mode where the last window lies in the padding",
        {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
        (1, 1, 4, 5),
    ),
    ("global", {"kernel_size": (3, 4)}, (2, 2, 3, 4)),
    ("unbatched", {"kernel_size": 2}, (2, 4, 5)),
]:
    batch = int(len(image) == 4)
    case(f"avg_pool2d {name}", lambda m, x, o=options: m.nn.functional.avg_pool2d(x, **o), image, batch=batch)
    case(
        f"max_pool2d {name}", lambda m, x, o=options: m.nn.functional.max_pool2d(x, **o), distinct(*image), batch=batch
    )
    case(
        f"max_pool2d indices {name}",
        lambda m, x, o=options: m.nn.functional.max_pool2d(x, return_indices=True, **o),
        distinct(*image),
    )
    if "padding" in name:
        case(
            f"avg_pool2d without the padding {name}",
            lambda m, x, o=options: m.nn.functional.avg_pool2d(x, count_include_pad=False, **o),
            image,
        )
case(
    "avg_pool2d divisor",
    lambda m, x: m.nn.functional.avg_pool2d(x, (2, 3), padding=1, divisor_override=5),
    (2, 1, 4, 5),
    batch=1,
)
for name, options in [
    ("", {"dilation": 2}),
    ("(2, 1)", {"dilation": (2, 1), "stride": 1, "padding": 1}),
    ("ceil_mode", {"dilation": (1, 2), "stride": 2, "ceil_mode": True}),
]:
    case(
        f"max_pool2d dilation {name}",
        lambda m, x, o=options: m.nn.functional.max_pool2d(x, 2, **o),
        distinct(2, 1, 5, 6),
        batch=1,
    )
ties = lambda rng: rng.integers(0, 2, (2, 2, 5, 6)).astype(float)  # noqa: E731
case(
    "gradient of max_pool2d",
    lambda m, x, v: m.autograd.grad((m.nn.functional.max_pool2d(x, 2, 1) ** 2 * v).sum(), x, create_graph=True)[0],
    distinct(1, 2, 3, 3),
    (1, 2, 2, 2),
)
case("max_pool2d of ties", lambda m, x: m.nn.functional.max_pool2d(x, 3, 2, 1, return_indices=True), ties, smooth=False)
case(
    "max_pool2d of -1", lambda m, x: m.nn.functional.max_pool2d(x - x.detach() - 1, 3, 1, 1), (1, 1, 3, 4), smooth=False
)
for size in (1, (2, 3), (None, 2), (3, 5)):
    case(
        f"adaptive_max_pool2d {size}",
        lambda m, x, s=size: m.nn.functional.adaptive_max_pool2d(x, s, return_indices=True),
        distinct(2, 2, 3, 5),
        batch=1,
    )
    case(
        f"adaptive_avg_pool2d {size}",
        lambda m, x, s=size: m.nn.functional.adaptive_avg_pool2d(x, s),
        (2, 2, 3, 5),
        batch=1,
    )
case("adaptive_max_pool2d unbatched", lambda m, x: m.nn.functional.adaptive_max_pool2d(x, 2), distinct(2, 3, 5))
case("adaptive_avg_pool2d unbatched", lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, 2), (2, 3, 5))

# --- padding: H and W differ, and so does each side, so that no mix-up stays unseen ------------------------

for mode in ("constant", "reflect", "replicate", "circular"):
    for widths in [(1, 2, 2, 0), (0, 1, 2, 1), (2, 1), (0, 0, 0, 2)]:
        image = (2, 2, 3, 4) if mode == "constant" or len(widths) == 4 else (2, 2, 4)  # as PyTorch wants it
        case(f"pad {mode} {widths}", lambda m, x, p=widths, o=mode: m.nn.functional.pad(x, p, mode=o), image, batch=1)
    case(f"pad {mode} unbatched", lambda m, x, o=mode: m.nn.functional.pad(x, (1, 2, 2, 0), mode=o), (2, 3, 4))
case("pad with a value", lambda m, x: m.nn.functional.pad(x, (1, 0, 0, 2), value=-1.5), (2, 3, 4), batch=1)
case("pad negative", lambda m, x: m.nn.functional.pad(x, (-1, 2, 1, -2)), (2, 1, 4, 5), batch=1)
case("pad all axes", lambda m, x: m.nn.functional.pad(x, (1, 0, 0, 1, 2, 0)), (2, 2, 2))
