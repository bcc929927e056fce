"""How a tensor is printed: as PyTorch prints it."""

import numpy as np

from minitorch_cnn.backend import dtypes, to_numpy


def tensor_repr(tensor):
    """The text of ``repr(tensor)``: the elements, and what cannot be seen from them.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> mt.tensor([[1.0, 0.5], [0.0, 2.0]])
    tensor([[1.0000, 0.5000],
            [0.0000, 2.0000]])
    """
    array = to_numpy(tensor.array)
    notes = []
    if tensor.is_cuda:
        notes.append(f"device='{tensor.device}'")
    if array.size == 0 and array.shape != (0,):
        notes.append(f"size={array.shape}")
    if tensor.dtype not in (dtypes.float32, dtypes.int64, dtypes.bool_):
        notes.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        notes.append(f"grad_fn=<{tensor.grad_fn.name}>")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    name = "Parameter containing:\ntensor" if type(tensor).__name__ == "Parameter" else "tensor"
    return f"{name}({', '.join([_elements(array), *notes])})"


def _elements(array):
    if array.size == 0:
        return "[]"
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    whole = bool((finite == np.trunc(finite)).all()) if array.dtype.kind == "f" else True
    text = np.array2string(
        array, precision=4, separator=", ", prefix="tensor(", floatmode="maxprec" if whole else "fixed"
    )
    return text
