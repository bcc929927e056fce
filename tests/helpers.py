"""What many tests need: tensors on a device, their values, and the comparison with PyTorch."""

import os
from pathlib import Path

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import backend

SETTINGS = Path(__file__).parents[1] / "setup.cfg"

try:
    import torch
except ImportError:
    torch = None


def needs_torch():
    """Skip where PyTorch is not installed; in continuous integration its absence is a failure."""
    if torch is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PyTorch is not installed: the comparison with it may not be left out here")
        pytest.skip("PyTorch is not installed")


def is_pinned_torch():
    """Whether PyTorch is the one that setup.cfg pins: texts and newer arguments are compared with that alone."""
    return torch is not None and f"torch=={torch.__version__.split('+')[0]}\n" in SETTINGS.read_text(encoding="utf-8")


def of_pinned_torch(*values):
    """Values of a parametrized test for which it needs that version."""
    return pytest.param(*values, marks=pytest.mark.elsewhere("the PyTorch that setup.cfg pins"))


def to_numpy(tensor):
    """The values of a tensor, ours or PyTorch's."""
    if isinstance(tensor, mt.Tensor):
        return backend.to_numpy(tensor.array)
    return tensor.detach().resolve_conj().numpy()


def make_tensors(arrays, device="cpu", requires_grad=True):
    """Our tensors with the values of NumPy arrays; those of floats require a gradient."""
    return [
        mt.tensor(a, device=device, requires_grad=requires_grad and a.dtype.kind == "f")
        for a in map(np.asarray, arrays)
    ]


def make_torch_tensors(arrays, requires_grad=True):
    """The same in PyTorch."""
    return [torch.tensor(a, requires_grad=requires_grad and a.dtype.kind == "f") for a in map(np.asarray, arrays)]


def as_tuple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def assert_close(ours, theirs, tolerance=1e-10, what="result"):
    """Equal in shape and element type, and in value up to a tolerance (absolute, and relative to the value)."""
    a, b = to_numpy(ours), theirs if isinstance(theirs, np.ndarray) else to_numpy(theirs)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
    assert a.dtype == b.dtype, f"{what}: dtype {a.dtype}, expected {b.dtype}"
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def cotangents(outputs):
    """Gradients to start a backward pass from: any numbers, the same for the same shapes."""
    rng = np.random.default_rng(5)
    return [np.asarray(rng.standard_normal(tuple(y.shape))).astype(to_numpy(y).dtype) for y in outputs]


def gradients(outputs, inputs, library):
    """The gradient of the sum of `outputs`, weighted by fixed random numbers, by each input that requires one."""
    outputs = [y for y in as_tuple(outputs) if y.requires_grad]
    inputs = [x for x in inputs if x.requires_grad]
    if not outputs or not inputs:
        return []
    dys = cotangents(outputs)
    if library is mt:
        dys = [mt.tensor(dy, device=y.device) for dy, y in zip(dys, outputs)]
    else:
        dys = [torch.tensor(dy) for dy in dys]
    return library.autograd.grad(outputs, inputs, dys, allow_unused=True)


def assert_same_as_torch(function, arrays, device="cpu", tolerance=1e-10):
    """`function(library, *tensors)` gives in this library what it gives in PyTorch, and so do its gradients.

    That one function is called for both is itself a test: of names, argument order and defaults.
    """
    needs_torch()
    xs, torch_xs = make_tensors(arrays, device), make_torch_tensors(arrays)
    ys, torch_ys = function(mt, *xs), function(torch, *torch_xs)
    assert len(as_tuple(ys)) == len(as_tuple(torch_ys))
    for y, torch_y in zip(as_tuple(ys), as_tuple(torch_ys)):
        assert y.device.type == device
        assert y.requires_grad == torch_y.requires_grad
        assert_close(y, torch_y, tolerance)
    for i, (dx, torch_dx) in enumerate(zip(gradients(ys, xs, mt), gradients(torch_ys, torch_xs, torch))):
        if dx is None:  # no gradient is a gradient of zero
            assert torch_dx is None or not torch_dx.any(), f"the gradient of input {i} is missing: {torch_dx}"
        else:
            assert dx.device.type == device
            assert_close(dx, np.zeros(dx.shape) if torch_dx is None else torch_dx, tolerance, f"gradient of input {i}")
