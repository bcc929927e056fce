"""Which of PyTorch's operations are this library's, by family, and what is left out of their samples, and why.

A name is that of an `OpInfo`, with its variant after a slash. The function is the one of the same name here, unless
an entry names another.
"""

from typing import Any, NamedTuple

import minitorch_cnn as mt


class Entry(NamedTuple):
    """How one operation is run."""

    ours: Any = None  # our function; by default the one of the same name
    skip: Any = None  # reason -> which samples, (sample) -> bool
    random: bool = False  # only shapes and types can be compared
    tolerance: float = 1e-10
    order: int = 2  # the highest order of derivative to compare


def number_first(sample):
    """A method called on a number: Python calls the reflected method of the tensor in its place."""
    return not hasattr(sample.input, "dtype")


REFLECTED = {"a method called on a number": number_first}


def of_integers(sample):
    """Whether elements of a sample are likely to be equal."""
    return not sample.input.dtype.is_floating_point


def drops(sample):
    """Whether a sample of dropout is random."""
    return sample.kwargs.get("training", True) and 0 < sample.kwargs.get("p", 0.5) < 1


FAMILIES = {
    "arithmetic": {
        "add": Entry(),
        "sub": Entry(),
        "mul": Entry(),
        "div/no_rounding_mode": Entry(),
        "div/trunc_rounding": Entry(),
        "div/floor_rounding": Entry(),
        "floor_divide": Entry(),
        "remainder": Entry(),
        "pow": Entry(),
        "neg": Entry(),
        "abs": Entry(),
        "exp": Entry(),
        "log": Entry(),
        "sqrt": Entry(),
        "square": Entry(),
        "sin": Entry(),
        "cos": Entry(),
        "sigmoid": Entry(),
        "tanh": Entry(),
        "nn.functional.relu": Entry(),
        "clamp": Entry(),
        "where": Entry(lambda x, condition, y: mt.where(condition, x, y)),
        "maximum": Entry(),
        "minimum": Entry(),
        "max/binary": Entry(),
        "min/binary": Entry(),
        "sign": Entry(),
        "floor": Entry(),
        "__radd__": Entry(skip=REFLECTED),
        "__rsub__": Entry(skip=REFLECTED),
        "__rmul__": Entry(skip=REFLECTED),
        "__rdiv__": Entry(lambda x, y: mt.Tensor.__rtruediv__(x, y), skip=REFLECTED),
        "__rmod__": Entry(skip=REFLECTED),
        "__rpow__": Entry(skip=REFLECTED),
    },
    "comparison": {
        "eq": Entry(),
        "ne": Entry(),
        "lt": Entry(),
        "le": Entry(),
        "gt": Entry(),
        "ge": Entry(),
        "equal": Entry(),
        "allclose": Entry(),
        "isnan": Entry(),
        "isinf": Entry(),
        "isfinite": Entry(),
        "logical_and": Entry(),
        "logical_or": Entry(),
        "logical_not": Entry(),
        "bitwise_and": Entry(),
        "bitwise_or": Entry(),
        "bitwise_xor": Entry(),
        "bitwise_not": Entry(),
        "__rand__": Entry(skip=REFLECTED),
        "__ror__": Entry(skip=REFLECTED),
        "__rxor__": Entry(skip=REFLECTED),
        "all": Entry(),
        "any": Entry(),
    },
    "reduction": {
        "sum": Entry(),
        "mean": Entry(),
        "var": Entry(),
        "var/unbiased": Entry(),
        "std": Entry(),
        "std/unbiased": Entry(),
        "max/reduction_no_dim": Entry(),
        "max/reduction_with_dim": Entry(),
        "min/reduction_no_dim": Entry(),
        "min/reduction_with_dim": Entry(),
        "amax": Entry(),
        "amin": Entry(),
        "argmax": Entry(),
        "argmin": Entry(),
        "norm": Entry(),
        "norm/fro": Entry(),
        "norm/inf": Entry(),
        "cumsum": Entry(),
        "topk": Entry(skip={"equal elements, whose order PyTorch leaves open": of_integers}),
        "logsumexp": Entry(),
        "softmax": Entry(),
        "softmax/with_dtype": Entry(),
        "log_softmax": Entry(),
        "log_softmax/with_dtype": Entry(),
    },
    "product": {
        "matmul": Entry(),
        "mm": Entry(),
        "mv": Entry(),
        "dot": Entry(),
        "__rmatmul__": Entry(),
        "nn.functional.linear": Entry(),
    },
    "shape": {
        "reshape": Entry(),
        "view": Entry(),
        "view_as": Entry(),
        "flatten": Entry(),
        "unflatten": Entry(),
        "permute": Entry(),
        "transpose": Entry(),
        "t": Entry(),
        "T": Entry(lambda x: x.T),
        "mT": Entry(lambda x: x.mT),
        "squeeze": Entry(),
        "squeeze/multiple": Entry(),
        "unsqueeze": Entry(),
        "expand": Entry(),
        "expand_as": Entry(),
        "meshgrid/variadic_tensors": Entry(),
        "meshgrid/list_of_tensors": Entry(),
        "broadcast_to": Entry(),
        "cat": Entry(),
        "stack": Entry(),
        "unbind": Entry(),
        "__getitem__": Entry(),
        "clone": Entry(),
        "contiguous": Entry(),
        "to": Entry(),
        "float": Entry(),
        "double": Entry(),
        "int": Entry(),
        "long": Entry(),
        "bool": Entry(lambda x, **kwargs: x.bool(**kwargs)),
        "item": Entry(),
    },
    "creation": {
        "zeros": Entry(),
        "ones": Entry(),
        "full": Entry(),
        "empty": Entry(random=True),
        "zeros_like": Entry(),
        "ones_like": Entry(),
        "full_like": Entry(),
        "new_zeros": Entry(),
        "new_ones": Entry(),
        "zero_": Entry(lambda x: x.clone().zero_()),
        "arange": Entry(),
        "linspace": Entry(),
        "linspace/tensor_overload": Entry(),
        "eye": Entry(),
        "randn": Entry(random=True),
        "randint": Entry(random=True),
        "normal": Entry(random=True),
        "normal/number_mean": Entry(random=True),
        "normal/in_place": Entry(lambda x, *args, **kwargs: x.clone().normal_(*args, **kwargs), random=True),
        "rand_like": Entry(random=True),
        "randn_like": Entry(random=True),
    },
    "network": {
        "nn.functional.conv2d": Entry(),
        "nn.functional.conv_transpose2d": Entry(),
        "nn.functional.unfold": Entry(),
        "nn.functional.avg_pool2d": Entry(),
        "nn.functional.max_pool2d": Entry(),
        "nn.functional.adaptive_avg_pool2d": Entry(),
        "nn.functional.adaptive_max_pool2d": Entry(),
        "nn.functional.pad/constant": Entry(),
        "nn.functional.pad/reflect": Entry(),
        "nn.functional.pad/replicate": Entry(),
        "nn.functional.pad/replicate_negative": Entry(),
        "nn.functional.pad/circular": Entry(),
        "nn.functional.batch_norm": Entry(),
        "nn.functional.dropout": Entry(random=drops),
        "nn.functional.cross_entropy": Entry(),
        "nn.functional.nll_loss": Entry(),
        "nn.functional.mse_loss": Entry(),
        "nn.functional.l1_loss": Entry(),
        "nn.functional.binary_cross_entropy": Entry(tolerance=1e-8),  # PyTorch adds 1e-12 to a divisor
        "nn.functional.binary_cross_entropy_with_logits": Entry(),
        "nn.functional.leaky_relu": Entry(),
        "nn.functional.gelu": Entry(),
        "nn.functional.logsigmoid": Entry(),
        "nn.functional.dropout2d": Entry(random=drops),
    },
}

TABLE = {name: entry for family in FAMILIES.values() for name, entry in family.items()}


def our_function(name):
    """The function of ours that is run for an operation of PyTorch's."""
    if TABLE[name].ours is not None:
        return TABLE[name].ours
    name = name.partition("/")[0]
    if name.startswith("nn.functional."):
        return getattr(mt.nn.functional, name.rpartition(".")[2])
    function = getattr(mt, name, None)  # mt.float is a type, and the method of that name converts to it
    return function if callable(function) else getattr(mt.Tensor, name)
