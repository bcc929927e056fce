"""Tensors on disk: `save` and `load` of nested dictionaries, and the safetensors files that hold them.

A file holds the tensors by name. Its metadata, which safetensors allows as text only, holds the rest as JSON, and
the SHA-256 of every part: the format itself has no checksum, and a flipped bit would load without a word. All of it
stands under one key: safetensors writes several in random order, and equal contents shall leave equal files.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import IO, Any

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import CPU, as_device
from minitorch_cnn.backend.annotations import FilePath
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.data.files import atomic_file, printable
from minitorch_cnn.data.pth import ZIP, read_pth

__all__ = ["load", "save"]

KEY, FORMAT = "minitorch_cnn", "minitorch_cnn 2"
RESERVED = "__metadata__"  # safetensors' name for what is no tensor


class CheckpointError(RuntimeError):
    """A file that is no checkpoint, or a damaged one."""


def save(obj: Any, f: FilePath | IO[bytes]) -> None:
    """Save tensors, such as a network's ``state_dict()``, alone or in nested dictionaries and lists.

    The file is one of safetensors, whatever its name. It is whole or absent, however the program ends.

    Parameters
    ----------
    obj : dict, list, tuple, Tensor, number, str, bool or None
        Dictionaries with numbers or texts as keys, lists and tuples of any of these:
        ``{"epoch": 3, "model": net.state_dict(), "optimizer": optimizer.state_dict()}``. A `state_dict` alone is a
        file that ``safetensors.torch.load_file`` reads.
    f : str, os.PathLike or file
        The name, replaced in one step if it exists; or something to write bytes to.

    Raises
    ------
    TypeError
        If there is something else in `obj`, such as a network or a NumPy array.
    OSError
        If the file cannot be written. An older one is then intact.

    Examples
    --------
    >>> import io
    >>> import minitorch_cnn as mt
    >>> file = io.BytesIO()
    >>> save({"epoch": 3, "weights": [mt.ones(2)]}, file)
    >>> load(io.BytesIO(file.getvalue()))
    {'epoch': 3, 'weights': [tensor([1., 1.])]}
    """
    tensors: dict[str, Tensor] = {}
    is_flat = isinstance(obj, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in obj.items())
    is_flat = is_flat and RESERVED not in obj
    content = serialize(obj) if is_flat else serialize(tensors, {"saved": take_out(obj, "", tensors)})
    if hasattr(f, "write"):
        f.write(content)
    else:
        with atomic_file(f) as file:
            file.write(content)


def load(f: FilePath | IO[bytes], map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Read what `save` wrote, a file of safetensors, or the tensors of a file of PyTorch's ``torch.save``.

    No file is ever run: of the last kind, tensors, numbers and texts in dictionaries, lists and tuples are read, and
    anything else is refused by its name.

    Parameters
    ----------
    f : str, os.PathLike or file
        The name, or something to read bytes from.
    map_location : Device or str, optional
        Where the tensors shall be; by default, and with any function or dictionary that PyTorch would ask, on the CPU.
    weights_only : bool
        Accepted so that PyTorch's code runs: nothing else is read.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        A RuntimeError: if the file is damaged, or holds something else. Files of `save` are verified, byte for byte.
    """
    content, name = (f.read(), "the file") if hasattr(f, "read") else (Path(f).read_bytes(), f)
    if not isinstance(content, bytes):
        raise TypeError(f'load reads bytes, got {described(content)} from a file: open it with open(name, "rb")')
    if content.startswith(ZIP):
        try:
            loaded = read_pth(content)
        except ValueError as error:
            raise CheckpointError(f"{name} cannot be read: {text_of(error)}") from error
    else:
        tensors, state = parse(content, name)
        tensors = {key: Tensor(tensor.array.copy()) for key, tensor in tensors.items()}  # which can be changed
        if state and "saved" not in state:
            raise CheckpointError(f"{name} is the checkpoint of a run: read it with training.load_checkpoint(path)")
        try:
            loaded = put_back(state["saved"], tensors) if state else tensors
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise CheckpointError(f"{name} is whole, but was not written by save: {text_of(error)}") from error
    is_named = map_location is not None and not callable(map_location) and not isinstance(map_location, dict)
    device = as_device(map_location) if is_named else CPU
    return loaded if device == CPU else moved_to(device, loaded)


def moved_to(device, value):
    """A nested value, with its tensors on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: moved_to(device, item) for key, item in value.items()}
    return type(value)(moved_to(device, item) for item in value) if isinstance(value, (list, tuple)) else value


# --- from a nested value to what JSON can hold, and back --------------------------------------------------


def take_out(value, name, tensors):
    """Return a nested `value` as JSON can hold it, its tensors moved to `tensors` under their path's name."""
    inside = f"{name}." if name else ""
    if isinstance(value, Tensor):
        while name in tensors or name in ("", RESERVED):  # {"a.b": x, "a": {"b": y}}, or a tensor alone
            name += "_"
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, dict):
        strange = [key for key in value if not isinstance(key, (str, int, float, type(None)))]
        if strange:
            raise TypeError(f"expected texts or numbers as keys, got {strange[0]!r} in {name or 'the dictionary'}")
        return {"dict": [[key, take_out(item, f"{inside}{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        items = [take_out(item, f"{inside}{i}", tensors) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    return value


def put_back(value, tensors):
    """Undo `take_out`."""
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        if "tuple" in value:
            return tuple(put_back(item, tensors) for item in value["tuple"])
        return {key: put_back(item, tensors) for key, item in value["dict"]}
    return [put_back(item, tensors) for item in value] if isinstance(value, list) else value


def plainly(value):
    """What JSON is to write for a value that it does not know: NumPy's numbers are numbers."""
    if isinstance(value, np.generic):
        return value.item()
    mend = ": save its state_dict()" if hasattr(value, "state_dict") else ""
    mend = ": make a Tensor of it with minitorch_cnn.tensor(data)" if hasattr(value, "strides") else mend
    raise TypeError(f"expected what JSON can hold, got {value!r} of type {type(value).__name__}{mend}")


def text_of(error):
    """The text of an error about a file, whose bytes may be anything, for a terminal."""
    text = f"there is no {error}" if isinstance(error, KeyError) else str(error)
    return "\n".join(map(printable, text.splitlines()))


# --- from a state to a file, and back ---------------------------------------------------------------------


def serialize(tensors, state=None):
    """Return the bytes of a file: the same for the same tensors and state."""
    from safetensors.numpy import save

    arrays = {name: np.asarray(tensor.detach().cpu().numpy(), order="C") for name, tensor in tensors.items()}
    return save(arrays, sealed(arrays, json.dumps(state or {}, default=plainly)))


def write_file(path, tensors, state=None):
    """Write a file, which is whole or absent."""
    content = serialize(tensors, state)
    with atomic_file(path) as file:
        file.write(content)


def read_file(path):
    """Return the tensors of a file and the state in its metadata, both verified."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    return parse(path.read_bytes(), path)  # no safe_open: it maps the file, and one that is cut is a bus error then


def parse(content, path):
    """Return the tensors and the state in the bytes of a file, both verified."""
    from safetensors import SafetensorError, deserialize

    try:
        arrays = {name: array_from(path, name, **tensor) for name, tensor in sorted(deserialize(content))}
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = header.get(RESERVED) or {}
        if not any(FORMAT in (key + value) for key, value in metadata.items()) and KEY not in metadata:
            return {name: Tensor(array) for name, array in arrays.items()}, {}  # weights from elsewhere
        state = json.loads(metadata[KEY])["state"]
        if metadata != sealed(arrays, state):
            raise ValueError("its contents do not match the digests inside")
        state = json.loads(state)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if other := format_of(content):
            raise CheckpointError(f"{path} is no safetensors file, but {other}") from error
        raise CheckpointError(f"{path} is no readable checkpoint, or damaged: {text_of(error)}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is whole, but was not written by save_checkpoint: its state is {state!r}")
    return {name: Tensor(array) for name, array in arrays.items()}, state


def array_from(path, name, dtype, shape, data):
    """An array of the parts that safetensors finds in a file."""
    if dtype not in DTYPES:
        raise CheckpointError(
            f"{path} holds numbers of a type that is not read here: {printable(name)} is of type {dtype} (BF16 is "
            "bfloat16). Save it as float32, which is tensor.float() in PyTorch"
        )
    return np.frombuffer(data, DTYPES[dtype]).reshape(shape)


def format_of(content):
    """What a file of another library is, and how to make one of it that can be read; None for an unknown one."""
    in_torch = "In PyTorch: safetensors.torch.save_file(net.state_dict(), path)"
    in_torch_again = 'In PyTorch: torch.save(torch.load("old.pth"), "new.pth")'
    for first, what in (
        (ZIP, f"a zip archive, as torch.save and numpy.savez write: minitorch_cnn.load reads PyTorch's. {in_torch}"),
        (b"\x80\x02", f"a pickle, as an older torch.save writes. {in_torch_again}"),
        (b"\x89HDF", "an HDF5 file, as Keras writes"),
        (b"\x93NUMPY", "an array of numpy.save"),
    ):
        if content.startswith(first):
            return what
    return None


DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def sealed(arrays, state):
    """Return the metadata of a file: its format, the state, and the SHA-256 of the state and of each array."""
    digests = {"": hashlib.sha256(state.encode()).hexdigest()}
    for name, array in sorted(arrays.items()):
        header = f"{name} {array.dtype.str} {array.shape} ".encode()
        digests[name] = hashlib.sha256(header + array.tobytes()).hexdigest()
    return {KEY: json.dumps({"format": FORMAT, "state": state, "sha256": digests})}
