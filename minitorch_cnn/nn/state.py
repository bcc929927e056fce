"""What a module saves, loads and moves: its parameters and persistent buffers by path."""

from __future__ import annotations

from contextlib import contextmanager
from typing import NamedTuple

from minitorch_cnn import backend
from minitorch_cnn.autograd import no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn.parameter import Uninitialized


class IncompatibleKeys(NamedTuple("IncompatibleKeys", [("missing_keys", list[str]), ("unexpected_keys", list[str])])):
    """The paths that only the module had, and those that only the loaded state had."""

    def __repr__(self) -> str:
        return super().__repr__() if any(self) else "<All keys matched successfully>"


def collect(module, prefix, keep_vars):
    """See `Module.state_dict`."""
    return {
        prefix + path: tensor if keep_vars or isinstance(tensor, Uninitialized) else tensor.detach()
        for path, tensor in _saved_tensors(module)
    }


def load_(module, state_dict, strict):
    """See `Module.load_state_dict`."""
    if not hasattr(state_dict, "items"):
        raise TypeError(f"expected state_dict to be dict-like, got {type(state_dict).__name__}")
    targets = dict(_saved_tensors(module))
    missing = [path for path in targets if path not in state_dict]
    unexpected = [path for path in state_dict if path not in targets]
    problems, loaded = [], []
    if strict and missing:
        problems.append("Missing key(s) in state_dict: " + ", ".join(f'"{path}"' for path in missing) + ". ")
    if strict and unexpected:
        problems.append("Unexpected key(s) in state_dict: " + ", ".join(f'"{path}"' for path in unexpected) + ". ")
    for path, target in targets.items():
        if path in state_dict:
            if isinstance(target, Uninitialized) and isinstance(state_dict[path], Uninitialized):
                continue
            array, problem = _array_of(state_dict[path]), None
            if isinstance(array, str):
                problem = f'While copying the parameter named "{path}", {array}'
            elif not isinstance(target, Uninitialized) and array.shape != target.shape:
                problem = (
                    f"size mismatch for {path}: copying a param with shape {array.shape} from checkpoint, "
                    f"the shape in current model is {target.shape}."
                )
            problems.append(problem) if problem else loaded.append((target, array))
    if problems:
        raise RuntimeError(f"Error(s) in loading state_dict for {type(module).__name__}:\n\t" + "\n\t".join(problems))
    with no_grad():
        for target, array in loaded:
            if isinstance(target, Uninitialized):
                target.materialize(array.shape)
            target.copy_(Tensor(backend.asarray(array, target.device, target.dtype)))
    return IncompatibleKeys(missing, unexpected)


def _saved_tensors(module):
    """Yield ``(path, tensor)``, for a shared tensor under each of its paths, in PyTorch's order."""
    for path, part in module.named_modules(remove_duplicate=False):
        for name, tensor in {**part._parameters, **part._buffers}.items():
            if tensor is not None and name not in part._transient:
                yield f"{path}.{name}" if path else name, tensor


def _array_of(value):
    """The array of our tensor, a NumPy array or a torch tensor; what is wrong, as text, if there is none."""
    if isinstance(value, Tensor):
        return value.array
    if hasattr(value, "detach"):
        try:
            return value.detach().cpu().numpy()
        except TypeError:  # bfloat16, which NumPy does not have
            return f"got a torch tensor of {value.dtype}, a type that NumPy does not have: convert it with .float()"
    if not hasattr(value, "__array__"):
        return f"expected a Tensor, a NumPy array or a torch tensor from checkpoint but received {type(value)}"
    return value


def convert_(tensor, device, dtype):
    """Move a tensor and its gradient, in place, to a device and (if it is floating point) to a type."""
    for part in (tensor, tensor.grad):
        if part is not None:
            kept = dtype if dtype is not None and part.is_floating_point() else part.dtype
            array = backend.asarray(part.array, part.device if device is None else device, kept)
            if array is not part.array:
                part.data = Tensor(array)


@contextmanager
def unchanged(func):
    """Put a module's buffers back at the end of a ``with`` block: which tensors they are, and their values."""
    owners = [(part._buffers, dict(part._buffers)) for part in func.modules()] if hasattr(func, "modules") else []
    before = [(x.array, x.array.copy()) for _, buffers in owners for x in buffers.values() if x is not None]
    try:
        yield
    finally:
        for present, buffers in owners:
            present.clear()
            present.update(buffers)
        for array, values in before:
            array[...] = values
