"""Numbers and types: what fits, what wraps, and what is refused, held against PyTorch."""

import warnings

import numpy as np
import pytest
from helpers import needs_torch, torch

import minitorch_cnn as mt

inf, nan = float("inf"), float("nan")


def outcome(m, expression, **options):
    """What an expression gives with a library: values and type, or the type of the error."""
    bytes_, ints = {"dtype": m.uint8, **options}, {"dtype": m.int32, **options}
    names = {
        "m": m, "np": np, "inf": inf, "nan": nan, "u": m.tensor([1, 2], **bytes_), "i": m.tensor([1, 2], **ints),
        "l": m.tensor([1, 2], **options),
        "b": m.tensor([True, False], **options), "f": m.tensor([1.0, 2.0], **options),
    }  # fmt: skip
    try:
        y = eval(expression, names)
    except Exception as error:  # which one, is compared
        return type(error)
    return repr(y.tolist()), str(y.dtype).removeprefix("torch.")


ARITHMETIC = """
u + 300 | u - 300 | u * 300 | u + (-1) | u // 300 | u % 300 | u // -1 | u % -3 | 300 // u | 300 % u | u & 300 | u & -1
300 ** u | i + 2**40 | l + 2**63 | b + 300 | b * 2 | b & 2 | b | True | b // 2 | b % 2 | b / 2 | b ** 2 | 2 ** b | -u
u ** 300 | u.clamp(0, 300) | u.clamp(-1, 1) | u.clamp(0.5, 1.5) | u.clamp(max=-1) | b.clamp(0, 1) | m.where(b, u, 300)
m.where(b, u, -1) | m.where(b, 1, 2.5) | m.where(b, u, 2.5) | m.where(b, True, False) | m.where(b, 300, u)
l // 0 | l % 0 | u // 0 | f // 0 | f % 0 | l / 0 | 0 // l | m.div(l, 0, rounding_mode='floor') | b // b | b % b | b ** b
m.div(l, m.tensor(0), rounding_mode='trunc') | l // m.tensor([0, 1]) | l ** -1 | u ** -1 | l ** -1.0 | u ** 2.5
m.add(l, l, alpha=0.5) | m.add(l, 1, alpha=0.5) | m.add(b, b, alpha=0) | m.add(b, b, alpha=2) | m.add(f, l, alpha=0.5)
m.add(l, l, alpha=True) | m.add(l, f, alpha=0.5) | m.add(u, u, alpha=-1) | m.add(u, u, alpha=300) | m.sub(l, l, alpha=2)
m.add(u, 2.5, alpha=2) | m.add(u, 2, alpha=2.5) | m.add(f, f, alpha=nan) | m.sub(l, l, alpha=True)
u + np.int64(300) | u + np.float64(1.5) | u + np.float32(1.5) | u + m.tensor(300) | u + m.tensor([300]) | f + 2**60
"""
COMPARISONS = [
    f"{x} {sign} {number}"
    for x in ("u", "i", "l", "b", "f")
    for sign in ("<", "<=", ">", ">=", "==", "!=")
    for number in ("300", "-100", "2**40", "1.5", "nan", "inf", "True", "np.int64(300)", "np.float64(0.5)")
]
CREATION = """
m.tensor(300, dtype=m.uint8) | m.tensor([300], dtype=m.uint8) | m.tensor([-1], dtype=m.uint8)
m.tensor([2**31], dtype=m.int32) | m.tensor([nan], dtype=m.int64) | m.tensor([inf], dtype=m.int32)
m.tensor([1e30], dtype=m.int64) | m.tensor([300.5], dtype=m.uint8) | m.tensor([-0.5], dtype=m.uint8)
m.tensor([1.7], dtype=m.uint8) | m.tensor([nan, 0.0], dtype=m.bool) | m.tensor([2, 0], dtype=m.bool)
m.tensor([1e300]) | m.tensor([2**70], dtype=m.float32) | m.tensor([np.int64(300)], dtype=m.uint8)
m.tensor(np.array([300, -1]), dtype=m.uint8) | m.tensor([m.tensor(300)], dtype=m.uint8)
m.tensor([np.float64(1.5), 2.0]) | m.tensor([np.int32(1)]) | m.tensor([[np.float32(1)], [2]]) | m.tensor([True, 2, 3.0])
m.tensor([m.tensor(1.0, dtype=m.float64)]) | m.tensor([np.array([1.5])]) | m.tensor([np.int32(1), 2.5]) | m.tensor([])
m.tensor(np.float64(1.5)) | m.tensor(range(3)) | m.tensor([(1, 2), [3, 4]])
m.full((1,), 300, dtype=m.uint8) | m.full((1,), -1, dtype=m.uint8) | m.full((1,), 1.5, dtype=m.int64)
m.full((1,), nan, dtype=m.int64) | m.full((1,), 1e300) | m.full((1,), 2, dtype=m.bool) | m.full((1,), m.tensor(3))
m.full((1,), np.float64(3)) | m.full_like(u, 300) | m.full(size=(2,), fill_value=1) | m.full((), inf)
m.arange(300, dtype=m.uint8)[-3:] | m.arange(-3) | m.arange(0.5, 3.5, dtype=m.int64) | m.arange(True)
m.arange(3, dtype=m.bool) | m.arange(m.tensor(3)) | m.arange(np.float32(3)) | m.arange(np.int32(3)) | m.arange(1, 3, 0)
m.arange(start=1, end=3) | m.arange(end=3) | m.arange(1, end=4, step=2) | m.arange() | m.arange(nan)
m.linspace(0, 300, 3, dtype=m.uint8) | m.linspace(start=0, end=1, steps=3) | m.linspace(0, 1, -1) | m.eye(n=2)
m.range(0, 3) | m.range(1, 4, 0.5) | m.range(3, 0, -1) | m.range(0, 2.5) | m.range(3, 1) | m.range(0, 1, 0)
m.eye(-1) | m.eye(2, dtype=m.bool) | m.zeros(2, dtype=float) | m.zeros(2, dtype=int) | m.ones(2, dtype=bool)
m.randint(5, 3, (2,)) | m.randint(0, (2,)) | m.randint(0, 300, (2,), dtype=m.uint8) | m.randint(3, 5) | m.randint(3)
m.randint(-1, 3, (2,), dtype=m.uint8) | m.randint(0, 3, (2,), dtype=m.bool) | m.randint(1, size=(2,))
m.randint(high=1, size=(2,)) | m.randint(low=1, high=2, size=(2,)) | m.randint(0, 1, (2,), dtype=m.float32)
m.randint(0, 1.5, (2,)) | m.rand(2, dtype=m.int64) | m.randn(2, dtype=m.bool) | m.rand_like(u) | m.randn_like(l)
m.randperm(300, dtype=m.uint8) | m.randperm(1, dtype=m.float32) | m.randperm(2.0) | m.randperm(-1) | m.randperm(1)
m.normal(0.0, -1.0, (2,)) | m.normal(0.0, nan, (2,)) | m.normal(m.zeros(2), m.tensor([-1.0, 1.0]))
m.normal(m.zeros(2), 0.0) | m.normal(1.0, m.zeros(2))
"""
REDUCED = """
m.tensor([200, 100], dtype=m.uint8).sum(dtype=m.uint8) | u.sum(dtype=m.int32) | u.float().sum(dtype=m.int64)
b.sum(dtype=m.bool) | b.sum(dtype=m.int32) | b.sum() | u.mean(dtype=m.float32) | u.mean(dtype=m.int64) | l.mean()
f.sum(dtype=float) | m.ones(2, 3).sum(dim=[]) | m.ones(2, 3).amax(dim=[]) | m.ones(2, 3).std(dim=[])
m.ones(2, 3).mean([]) | m.ones(2, 3).sum([0, 1]) | m.ones(2, 3).var([]) | m.ones(2, 3).squeeze(())
(m.ones(2, 3) > 0).any(dim=(0, 1)) | (m.ones(2, 3) > 0).all(dim=[0]) | (m.ones(2, 3) > 0).any(dim=[])
"""


def split(text):
    """The expressions of a table; a | between spaces parts them, but for the one of booleans."""
    lines = text.strip().replace("b | True", "b.__or__(True)").splitlines()
    return [part.strip() for line in lines for part in line.split(" | ")]


# PyTorch compares with the last bits of a number that the type cannot hold, and finds 1 < -100 as uint8.
BEYOND = ("u", "-100"), ("u", "2**40"), ("i", "2**40")
PLAIN = {f"{x} {sign} {number}" for x, number in BEYOND for sign in ("<", "<=", ">", ">=")}
TABLE = [*split(ARITHMETIC), *sorted({*COMPARISONS} - PLAIN), *split(CREATION), *split(REDUCED)]


@pytest.mark.parametrize("expression", TABLE)
def test_as_in_pytorch(expression):
    needs_torch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert outcome(mt, expression) == outcome(torch, expression)


@pytest.mark.parametrize("expression", [*split(ARITHMETIC), *COMPARISONS, *split(REDUCED)])
def test_the_same_on_both_devices(gpu, expression):
    if "m.tensor(" not in expression:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert outcome(mt, expression, device="cuda") == outcome(mt, expression)


@pytest.mark.parametrize("number", [300, -100, 2**40, 2**70, -(2**70)])
@pytest.mark.parametrize("sign", ["__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"])
def test_comparisons_with_a_number_beyond_the_type_are_those_of_the_numbers(device, sign, number):
    for dtype in (mt.uint8, mt.int32, mt.int64):
        x = mt.tensor([0, 1, 200 if dtype == mt.uint8 else -200], dtype=dtype, device=device)
        y = getattr(x, sign)(number)
        assert y.device.type == device
        assert y.tolist() == [getattr(element, sign)(number) for element in x.tolist()]


@pytest.mark.parametrize("dtype", ["float64", np.float64, float, mt.float64, np.dtype("float64")])
def test_types_by_their_names(dtype):
    x = mt.tensor([1, 2])
    made = [
        mt.tensor([1], dtype=dtype), mt.as_tensor([1], dtype=dtype), mt.zeros(1, dtype=dtype),
        mt.full((1,), 1, dtype=dtype), mt.ones_like(x, dtype=dtype), mt.arange(2, dtype=dtype),
        mt.linspace(0, 1, 2, dtype=dtype), mt.eye(2, dtype=dtype), mt.rand(1, dtype=dtype), mt.randn(1, dtype=dtype),
        mt.randint(1, (1,), dtype=dtype), mt.randperm(2, dtype=dtype), mt.rand_like(x, dtype=dtype),
        mt.randn_like(x, dtype=dtype), x.sum(dtype=dtype), x.mean(dtype=dtype), mt.softmax(x, 0, dtype=dtype),
        mt.log_softmax(x, 0, dtype=dtype),
    ]  # fmt: skip
    assert {y.dtype for y in made} == {mt.float64}


@pytest.mark.parametrize("dtype", ["float33", "complex64", complex, object, "datetime64[D]", ">f4", np.longdouble, 3])
def test_what_is_no_type(dtype):
    with pytest.raises(TypeError, match="expected a dtype|elements are booleans"):
        mt.zeros(1, dtype=dtype)


NO_NUMBERS = [
    np.array(["a"]), np.array([None]), np.array([1, None]), np.array(["2020-01-01"], "M8[D]"),
    np.zeros(1, [("a", "f4")]), np.ones(1, np.longdouble), np.ones(1, complex), np.datetime64("2020-01-01"),
]  # fmt: skip


@pytest.mark.parametrize("make", [mt.tensor, mt.as_tensor, mt.from_numpy, lambda a: mt.ones(1) * a])
@pytest.mark.parametrize("array", NO_NUMBERS, ids=lambda a: str(a.dtype))
def test_arrays_that_hold_no_numbers_are_refused(make, array):
    with pytest.raises(TypeError, match=r"array of|numpy.ndarray|a number or a Tensor"):
        make(array)


@pytest.mark.parametrize("make", [mt.tensor, mt.as_tensor, mt.from_numpy, lambda a: mt.ones(1) * a])
def test_the_byte_order_of_another_machine_is_refused(make):
    with pytest.raises(ValueError, match="byte order"):
        make(np.ones(1, np.dtype("f4").newbyteorder()))


@pytest.mark.parametrize("make", [mt.tensor, mt.as_tensor, mt.from_numpy, lambda a: mt.tensor(1.0) * a])
def test_matrices_and_masked_arrays_are_arrays(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = make(np.matrix([[1.0, 2.0], [3.0, 4.0]]))
    assert (matrix * matrix).tolist() == [[1.0, 4.0], [9.0, 16.0]]
    assert make(np.ma.masked_array([1.0, 2.0, 3.0], mask=[0, 1, 0])).sum().item() == 6.0


def test_a_tensor_of_tensors_that_require_grad_says_that_they_end_there():
    w = mt.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="gradient of a tensor in a list ends here"):
        y = mt.tensor([w.sum(), (2 * w).sum()])
    assert y.tolist() == [2.0, 4.0]
    assert not y.requires_grad


@pytest.mark.parametrize("dim", [0, 1, (0, 1)])
def test_sums_of_float16_and_of_many_float32(dim):
    needs_torch()
    array = np.full((3000, 3), 30.1, np.float16)
    for name in ("sum", "mean"):
        ours = getattr(mt.tensor(array), name)(dim).tolist()
        assert ours == getattr(torch.tensor(array), name)(dim).tolist()


@pytest.mark.parametrize("seed", [-1, -(2**63), 2**64 - 1])
def test_seeds_of_64_bits(seed):
    a, b = mt.Generator(seed), mt.Generator(device="cuda").manual_seed(seed % 2**64)
    assert mt.equal(mt.rand(3, generator=a), mt.rand(3, generator=b))
    with pytest.raises(ValueError, match="from -2\\^63 to 2\\^64 - 1"):
        mt.manual_seed(2**64)


def test_names_of_devices():
    assert mt.device("cpu:0") == mt.device("cpu") == mt.device(mt.device("cpu"))
    assert mt.device("cuda", 0) == mt.device("cuda:0") == mt.device(type="cuda")
    with pytest.raises(RuntimeError, match="CUDA_VISIBLE_DEVICES"):
        mt.device("cuda", 1)


@pytest.mark.parametrize("function", ["relu", "abs", "neg", "exp", "sigmoid", "tanh", "isnan", "any", "argmax"])
def test_what_came_in_the_place_of_a_tensor_is_said(function):
    needs_torch()
    for value, text in (
        ([1.0], "a list: make a Tensor of it with minitorch_cnn.tensor"),
        (np.ones(1), "a numpy.ndarray: make a Tensor"),
        (1.5, "the number 1.5"),
        (None, "None"),
        (torch.ones(1), "torch's Tensor: convert it with"),
    ):
        with pytest.raises(TypeError, match=text):
            getattr(mt, function)(value)


def test_bytes_as_an_index_are_a_mask(device):
    x = mt.tensor([10, 20, 30], device=device)
    for mask in (mt.tensor([0, 1, 1], dtype=mt.uint8, device=device), np.array([0, 1, 1], np.uint8)):
        with pytest.warns(UserWarning, match="uint8 is a mask"):
            assert x[mask].tolist() == [20, 30]
        with pytest.warns(UserWarning, match="uint8 is a mask"):
            x[mask] = x[mask.astype(bool) if isinstance(mask, np.ndarray) else mask.bool()]
    with pytest.warns(UserWarning, match="uint8 is a mask"):
        assert mt.ones(2, 3)[:, np.array([1, 0, 1], np.uint8)].shape == (2, 2)
    assert x[np.uint8(1)].item() == 20


@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_many_rows_off_the_fast_axis(name):
    n = 2**24 + 2**22  # more ones than float32 can count one by one
    y = getattr(mt, name)(mt.zeros(n, 2), 0)
    expected = {"logsumexp": np.log(n), "softmax": 1 / n, "log_softmax": -np.log(n)}[name]
    assert y.array.flat[0] == pytest.approx(expected, rel=1e-6)


def test_the_gradient_of_a_standard_deviation_of_zero(device):
    x = mt.tensor([[2.0, 2.0], [1.0, 3.0]], dtype=mt.float64, device=device, requires_grad=True)
    (dx,) = mt.autograd.grad(x.std(1).sum(), x, create_graph=True)
    assert np.allclose(dx.tolist(), [[0.0, 0.0], [-(0.5**0.5), 0.5**0.5]])
    (ddx,) = mt.autograd.grad((dx * dx).sum(), x)
    assert np.isfinite(ddx.tolist()).all()


@pytest.mark.parametrize("exponent", [0, 0.0, np.float64(0)])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_the_gradient_of_the_power_zero_is_zero(exponent, as_tensor):
    x = mt.tensor([0.0, 1.0, inf, nan], requires_grad=True)
    y = x ** (mt.tensor(float(exponent)) if as_tensor else exponent)
    (dx,) = mt.autograd.grad((y * inf).sum(), x, create_graph=True)
    assert y.tolist() == [1.0] * 4
    assert dx.tolist() == [0.0] * 4


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_a_softmax_of_nothing_has_a_second_derivative(name, shape):
    x = mt.zeros(shape, requires_grad=True)
    (dx,) = mt.autograd.grad(getattr(mt, name)(x, 1).sum(), x, create_graph=True)
    (ddx,) = mt.autograd.grad(dx.sum(), x)
    assert dx.shape == ddx.shape == shape


class Careless(mt.autograd.Function):
    """y = x²;  dx = 2 x dy, in another type than that of x."""

    def forward(self, x):
        return x**2

    def backward(self, dy, y, x):
        return ((2 * x * dy).to(mt.float32 if x.dtype == mt.float64 else mt.float64),)


@pytest.mark.parametrize("dtype", [mt.float32, mt.float64])
def test_gradients_have_the_type_of_what_they_belong_to(device, dtype):
    x = mt.tensor([1.0, 3.0], dtype=dtype, device=device, requires_grad=True)
    Careless()(x).sum().backward()
    assert x.grad.dtype == dtype
    assert x.grad.tolist() == [2.0, 6.0]


def test_what_cannot_be_a_gradient_or_the_data_of_a_parameter(gpu):
    needs_torch()
    w = mt.zeros(2, requires_grad=True)
    for wrong in (mt.ones(2, dtype=mt.int64), mt.ones(2, dtype=mt.float64), mt.ones(3), mt.ones(2, device="cuda")):
        with pytest.raises(RuntimeError, match="a gradient must be"):
            w.grad = wrong
    for wrong in (torch.ones(2), np.ones(2), [1.0, 1.0]):
        with pytest.raises(TypeError, match="or a Tensor, got (torch's Tensor|a numpy.ndarray|a list)"):
            w.grad = wrong
        with pytest.raises(TypeError, match="data must be a Tensor, got (torch's Tensor|a numpy.ndarray|a list)"):
            w.data = wrong
    with pytest.raises(RuntimeError, match="floating-point type, not int64"):
        w.data = mt.ones(2, dtype=mt.int64)
    w.data = mt.ones(3, dtype=mt.float64)
    assert w.tolist() == [1.0] * 3


@pytest.mark.parametrize("dtype", ["float64", np.float64, float, mt.float64])
def test_conversions_by_the_names_of_types(dtype):
    x = mt.ones(2)
    net = mt.nn.Linear(1, 1)
    assert x.to(dtype).dtype == x.to(dtype=dtype).dtype == x.type(dtype).dtype == x.new_zeros(2, dtype=dtype).dtype
    assert x.to(dtype).dtype == x.to("cpu", dtype).dtype == net.to(dtype).weight.dtype == mt.float64


def test_topk_takes_a_whole_number_of_elements():
    with pytest.raises(TypeError, match=r"k must be a whole number, got 1\.5"):
        mt.topk(mt.ones(3), 1.5)
    assert mt.topk(mt.ones(3), mt.tensor(2)).values.shape == (2,)
