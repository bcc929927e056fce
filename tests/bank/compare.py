"""One sample of PyTorch's own, computed by PyTorch and by this library: values, gradients, second derivatives."""

import warnings

import numpy as np

import minitorch_cnn as mt

try:
    import torch
except ImportError:
    torch = None

DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")


class Unsupported(Exception):
    """A sample that asks for what this library declares not to have; the text is the reason."""


# --- from PyTorch to ours ---------------------------------------------------------------------------------


class Translator:
    """Arguments for both libraries. A tensor that occurs twice stays one tensor, and each is a leaf of its own graph.

    Parameters
    ----------
    requires_grad : bool
        Whether every tensor of floats shall require a gradient, or only those that PyTorch's sample says.
    """

    def __init__(self, requires_grad=False):
        self.requires_grad = requires_grad
        self.pairs = {}  # id of the sample's tensor -> (theirs, ours)

    def __call__(self, sample):
        """The arguments (theirs, ours) of a sample, each a pair (args, kwargs)."""
        args, kwargs = (sample.input, *sample.args), sample.kwargs
        theirs = self._map(0, args), self._map(0, kwargs)
        return theirs, (self._map(1, args), self._map(1, kwargs))

    def _map(self, side, value):
        if isinstance(value, torch.Tensor):
            return self._tensors(value)[side]
        if isinstance(value, dict):
            return {k: self._map(side, v) for k, v in value.items() if not side or not self._is_default(k, v)}
        if isinstance(value, torch.Size):
            return tuple(value) if side else value
        if isinstance(value, (list, tuple)):
            return type(value)(self._map(side, v) for v in value)
        if isinstance(value, slice):
            return slice(*(self._map(side, v) for v in (value.start, value.stop, value.step)))
        if isinstance(value, torch.dtype) and side:
            return self._dtype(value)
        if isinstance(value, torch.device) and side:
            return mt.device(str(value))
        if isinstance(value, complex):
            raise Unsupported("complex numbers")
        return value

    @property
    def leaves(self):
        """The pairs (theirs, ours) of inputs that require a gradient."""
        return [pair for pair in self.pairs.values() if pair[0].requires_grad]

    @staticmethod
    def _is_default(keyword, value):
        """Whether a keyword that only PyTorch has is left at what it means here too."""
        defaults = {"layout": (None, torch.strided), "memory_format": (torch.preserve_format,), "pin_memory": (False,)}
        if keyword == "out" or (keyword in defaults and value not in defaults[keyword]):
            raise Unsupported(f"{keyword}=")
        return keyword in defaults

    def _tensors(self, sample):
        if id(sample) not in self.pairs:
            if sample.layout != torch.strided:
                raise Unsupported("sparse tensors")
            if sample.ndim > 64:
                raise Unsupported("more than 64 dimensions")
            self._dtype(sample.dtype)
            array = sample.detach().resolve_neg().numpy()
            requires_grad = sample.requires_grad or (self.requires_grad and sample.is_floating_point())
            theirs = sample.detach().requires_grad_(requires_grad)
            self.pairs[id(sample)] = theirs, mt.Tensor(_copied(array), requires_grad=requires_grad)
        return self.pairs[id(sample)]

    @staticmethod
    def _dtype(dtype):
        name = str(dtype).removeprefix("torch.")
        if name not in DTYPES:
            raise Unsupported("complex numbers" if dtype.is_complex else "element types that this library has not")
        return getattr(mt, name)


def _copied(array):
    """A copy with the same strides: 0 where an element is repeated, gaps where the array is a part of another."""
    extent = array.itemsize + sum((n - 1) * s for n, s in zip(array.shape, array.strides)) if array.size else 0
    copy = np.ndarray(array.shape, array.dtype, np.empty(extent, "uint8"), strides=array.strides)
    copy[...] = array
    return copy


# --- comparison -------------------------------------------------------------------------------------------


def flat(value):
    """Tensors, numbers and types in a result, in order."""
    if isinstance(value, (tuple, list)) and not (torch and isinstance(value, torch.Size)):
        return [x for part in value for x in flat(part)]
    return [value]


def assert_equal(ours, theirs, what, tolerance=1e-10):
    """Equal in kind, shape, type and value: NaN equals NaN, and -inf is -inf."""
    if not isinstance(theirs, torch.Tensor):
        assert type(ours) is type(theirs), f"{what}: {ours!r}, expected {theirs!r}"
        assert ours == theirs or ours != ours, f"{what}: {ours!r}, expected {theirs!r}"
        return
    assert isinstance(ours, mt.Tensor), f"{what}: a Tensor was expected, got {ours!r}"
    a, b = ours.array, theirs.numpy(force=True)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
    assert a.dtype == b.dtype, f"{what}: {a.dtype}, expected {b.dtype}"
    if a.dtype == "float32":
        tolerance = max(tolerance, 2e-6)
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def cotangent(y, seed):
    """A gradient to start from: random, and requiring a gradient itself."""
    rng = np.random.default_rng([seed, *y.shape])
    return np.asarray(rng.standard_normal(tuple(y.shape)))


class Pass:
    """One library's walk: results, their gradients, and the gradients of these."""

    def __init__(self, library, outputs, leaves):
        self.library, self.leaves = library, leaves
        self.outputs = [y for y in outputs if getattr(y, "requires_grad", False)]

    def first(self):
        """The gradient of each leaf, by random gradients of the outputs."""
        self.dys = [self._constant(cotangent(y, 1), y).requires_grad_() for y in self.outputs]
        self.dxs = self._grad(self.outputs, self.leaves, self.dys)
        return self.dxs

    def second(self):
        """The gradient of each leaf, and of each output's gradient, by random gradients of the first."""
        dxs = [dx for dx in self.dxs if dx is not None and dx.requires_grad]
        return self._grad(dxs, self.leaves + self.dys, [self._constant(cotangent(dx, 2), dx) for dx in dxs])

    def _constant(self, array, like):
        return self.library.tensor(array).to(like.dtype)

    def _grad(self, outputs, inputs, gradients):
        if not outputs or not inputs:
            return [None] * len(inputs)
        return self.library.autograd.grad(outputs, inputs, gradients, create_graph=True, allow_unused=True)


def assert_same_gradients(ours, theirs, what, tolerance):
    for i, (dx, torch_dx) in enumerate(zip(ours, theirs, strict=True)):
        if dx is None or torch_dx is None:  # none is one of zero
            assert torch_dx is None or not torch_dx.any(), f"{what} {i} is missing: {torch_dx}"
            assert dx is None or not dx.any(), f"{what} {i} should be zero: {dx}"
        else:
            assert_equal(dx, torch_dx, f"{what} {i}", tolerance)


def compare(ours, theirs, sample, order=2, tolerance=1e-10, check=assert_equal, requires_grad=False):
    """Run a sample in both libraries and compare; the highest order of derivative that was compared.

    Raises
    ------
    Unsupported
        If the sample cannot be expressed in this library.
    AssertionError
        If the libraries differ.
    """
    translate = Translator(requires_grad)
    (torch_args, torch_kwargs), (args, kwargs) = translate(sample)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            theirs = theirs(*torch_args, **torch_kwargs)
        except Exception as error:  # where PyTorch refuses its own sample, so must we
            refuse(ours, args, kwargs, type(error))
            return 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if caught else "error")  # we may warn only where PyTorch does
        ours = ours(*args, **kwargs)
    ours, theirs = flat(ours), flat(theirs)
    assert len(ours) == len(theirs), f"{len(ours)} results, expected {len(theirs)}"
    for i, (y, torch_y) in enumerate(zip(ours, theirs)):
        check(y, torch_y, f"result {i}", tolerance)
        wants = [getattr(x, "requires_grad", False) for x in (y, torch_y)]
        assert wants[0] == wants[1], f"result {i}: requires_grad is {wants[0]}, expected {wants[1]}"
    leaves = translate.leaves
    passes = Pass(mt, ours, [x for _, x in leaves]), Pass(torch, theirs, [x for x, _ in leaves])
    if not order or not leaves or not passes[1].outputs:
        return 0
    try:
        theirs = passes[1].first()
    except RuntimeError:  # PyTorch has no such derivative, or its own is broken
        return 0
    assert_same_gradients(passes[0].first(), theirs, "gradient", tolerance)
    if order == 1 or not any(dx is not None and dx.requires_grad for dx in theirs):
        return 1
    assert_same_gradients(passes[0].second(), passes[1].second(), "second derivative", tolerance)
    return 2


def refuse(ours, args, kwargs, error_type):
    """Assert that our function refuses, with an error of a type and a text that says something."""
    try:
        y = ours(*args, **kwargs)
    except Exception as error:
        assert isinstance(error, error_type), f"{type(error).__name__} in place of {error_type.__name__}: {error}"
        assert len(str(error)) > 15, f"a text that says nothing: {error}"
    else:
        raise AssertionError(f"{error_type.__name__} was expected, got {y!r}")
