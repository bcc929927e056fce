"""Random programs of one operation on numbers and tensors of any type, run by this library and by PyTorch."""

import warnings

import numpy as np
from helpers import to_numpy

TYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
NUMBERS = (
    True, False, 0, 1, -1, 2, 3, -7, 100, 255, 256, 300, -129, 2**31, -(2**31) - 1, 2**40, 0.0, -0.0, 0.5, 1.5, -2.5,
    3.0, 1e10, 300.7, float("inf"), float("-inf"), float("nan"), np.int64(3), np.int64(300), np.int32(-2), np.uint8(7),
    np.float32(0.5), np.float64(-1.5), np.float64(2.0),
)  # fmt: skip
SHAPES = ((), (3,), (2, 3), (2, 1), (1, 3), (0, 3))

BINARY = {
    "+": lambda m, a, b: a + b, "-": lambda m, a, b: a - b, "*": lambda m, a, b: a * b, "/": lambda m, a, b: a / b,
    "//": lambda m, a, b: a // b, "%": lambda m, a, b: a % b, "**": lambda m, a, b: a**b,
    "<": lambda m, a, b: a < b, "<=": lambda m, a, b: a <= b, ">": lambda m, a, b: a > b, ">=": lambda m, a, b: a >= b,
    "==": lambda m, a, b: a == b, "!=": lambda m, a, b: a != b,
    "&": lambda m, a, b: a & b, "|": lambda m, a, b: a | b, "^": lambda m, a, b: a ^ b,
    "add": lambda m, a, b: m.add(a, b), "mul": lambda m, a, b: m.mul(a, b),
    "floor": lambda m, a, b: m.div(a, b, rounding_mode="floor"),
    "trunc": lambda m, a, b: m.div(a, b, rounding_mode="trunc"),
    "maximum": lambda m, a, b: m.maximum(a, b), "minimum": lambda m, a, b: m.minimum(a, b),
    "clamp": lambda m, a, b: m.clamp(a, b), "clamp max": lambda m, a, b: m.clamp(a, max=b),
    "where": lambda m, a, b: m.where(m.tensor([True, False, True]), a, b),
    "cat": lambda m, a, b: m.cat([a, b]), "stack": lambda m, a, b: m.stack([a, b]),
    "alpha": lambda m, a, b: m.add(a, a, alpha=b), "alpha -": lambda m, a, b: m.sub(a, a, alpha=b),
    "full_like": lambda m, a, b: m.full_like(a, b), "full": lambda m, a, b: m.full((2,), b),
    "tensor": lambda m, a, b: m.tensor([b], dtype=a.dtype), "tensors": lambda m, a, b: m.tensor([b, 1]),
}  # fmt: skip
IN_PLACE = {
    "+=": lambda m, a, b: a.add_(b), "-=": lambda m, a, b: a.sub_(b), "*=": lambda m, a, b: a.mul_(b),
    "/=": lambda m, a, b: a.div_(b), "fill_": lambda m, a, b: a.fill_(b), "clamp_": lambda m, a, b: a.clamp_(b),
    "set": lambda m, a, b: a.__setitem__(0, b), "set all": lambda m, a, b: a.__setitem__(..., b),
    "set by a mask": lambda m, a, b: a.__setitem__(a > 0, b),
}  # fmt: skip
UNARY = {
    name: lambda m, a, f=name: getattr(m, f)(a)
    for name in (
        "abs", "neg", "exp", "sqrt", "log", "sigmoid", "tanh", "relu", "sign", "floor", "sum", "isnan", "isinf",
        "isfinite", "logical_not", "bitwise_not", "any", "all", "amax", "amin", "max", "min", "argmax", "argmin",
        "mean", "var", "std",
    )
}  # fmt: skip
UNARY |= {f"to {name}": lambda m, a, t=name: a.to(getattr(m, t)) for name in TYPES} | {
    f"sum in {name}": lambda m, a, t=name: m.sum(a, dtype=getattr(m, t)) for name in TYPES
}


def values(rng, dtype, shape):
    """An array of a type, with zeros, extremes, inf and NaN among its elements."""
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.startswith("float"):
        odd = rng.choice([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan, 2.5, -3.0, 1e-3], shape)
        return np.asarray(np.where(rng.random(shape) < 0.6, odd, rng.standard_normal(shape) * 4)).astype(dtype)
    low, high = (0, 256) if dtype == "uint8" else (-5, 12)
    array = rng.integers(low, high, shape)
    if rng.random() < 0.2 and array.size:
        info = np.iinfo(dtype)
        array.flat[0] = rng.choice([info.min, info.max])
    return np.asarray(array).astype(dtype)


def program(rng):
    """A name, a function and its operands: arrays and numbers."""

    def operand():
        if rng.random() < 0.4:
            return NUMBERS[rng.integers(len(NUMBERS))]
        return values(rng, TYPES[rng.integers(len(TYPES))], SHAPES[rng.integers(len(SHAPES))])

    tables = (BINARY, BINARY, BINARY, IN_PLACE, IN_PLACE, UNARY)
    table = tables[rng.integers(len(tables))]
    name = list(table)[rng.integers(len(table))]
    first = values(rng, TYPES[rng.integers(len(TYPES))], SHAPES[rng.integers(len(SHAPES))])
    if table is UNARY:
        return name, table[name], [first]
    operands = [first, operand()]
    if table is BINARY and rng.random() < 0.3 and name in ("+", "-", "*", "/", "//", "%", "**", "where", "&", "|", "^"):
        operands.reverse()
    return name, table[name], operands


def outcome(m, function, operands, **options):
    """The type and the values of the result, or the type of the error."""
    tensors = [m.tensor(x, **options) if isinstance(x, np.ndarray) else x for x in operands]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = function(m, *tensors)
        y = tensors[0] if y is None else y
    except Exception as error:  # which, is compared
        return type(error), str(error)
    dtype = str(getattr(y, "dtype", type(y))).removeprefix("torch.")
    return dtype, to_numpy(y) if hasattr(y, "detach") else np.asarray(y)


def is_declared(name, operands):
    """Whether the two differ on purpose, or PyTorch by an accident: see docs/differences.md."""
    other = operands[-1]
    kinds = {np.asarray(operand).dtype.kind for operand in operands}
    is_array = isinstance(other, np.ndarray)
    if name in ("<", "<=", ">", ">=", "==", "!="):  # of integers and a number that their type cannot hold
        return isinstance(other, (int, np.integer)) and kinds <= {"i", "u"}
    if name in ("fill_", "tensor", "tensors", "set by a mask"):  # with tensors, and with NumPy's numbers
        return is_array or isinstance(other, np.generic)
    if name in ("set", "set all"):
        return isinstance(other, np.generic)
    if "clamp" in name or name == "**":  # of booleans, which PyTorch takes in some forms
        return kinds == {"b"}
    if name in ("//", "%", "floor", "trunc"):  # of nothing, by zeros
        return 0 in map(np.size, operands)
    return name.startswith("alpha") and kinds == {"f", "b"}


def agree(ours, theirs):
    """Whether two outcomes are the same: values up to rounding, errors by their class."""
    if isinstance(ours[0], type) or isinstance(theirs[0], type):
        return isinstance(ours[0], type) and isinstance(theirs[0], type)
    (dtype, a), (other, b) = ours, theirs
    if dtype != other or a.shape != b.shape:
        return False
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    return np.allclose(a, b, rtol=tolerance, atol=tolerance if a.dtype.kind == "f" else 0, equal_nan=True)
