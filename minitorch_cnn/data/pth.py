"""The files of ``torch.save``, read without running them.

Such a file is a zip archive: a pickle, which says how the tensors are made of storages, and each storage as plain
bytes. A pickle is a program, and may call anything that its reader can find. Here it finds a table of a few names, and
whatever else it asks for is refused: tensors, numbers and texts in dictionaries, lists and tuples come out.
"""

import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.data.files import printable

ZIP = b"PK\x03\x04"
STORAGES = {
    "FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "BoolStorage": "?", "ByteStorage": "u1",
    "CharStorage": "i1", "ShortStorage": "i2", "IntStorage": "i4", "LongStorage": "i8",
}  # fmt: skip


def read_pth(content):
    """Return what the bytes of a file of ``torch.save`` hold.

    Tensors that share a storage there share their memory here.

    Raises
    ------
    ValueError
        If it is no such file, is damaged, or holds something that is not listed above.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        if sum(info.file_size for info in archive.infolist()) > len(content):  # packed, or one part twice
            raise ValueError("its parts are larger than the file: PyTorch stores them side by side, as they are")
        roots = [name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise ValueError("it is a zip archive without the one data.pkl that torch.save writes")
        program = archive.read(f"{roots[0]}data.pkl")
        for operation, argument, _ in pickletools.genops(program):
            if operation.name.endswith("PUT") and int(argument) > len(program):
                raise ValueError(f"its pickle would keep value number {argument} of {len(program)}")
        return _Reader(program, archive, roots[0]).load()
    except ValueError:
        raise
    except Exception as error:  # of damaged bytes, zipfile and pickle raise almost anything
        raise ValueError(f"it is damaged, or nothing that torch.save wrote: {type(error).__name__}: {error}") from error


class _Reader(pickle.Unpickler):
    """Runs a pickle that finds no names but those of a table."""

    def __init__(self, program, archive, root):
        super().__init__(io.BytesIO(program))
        self.archive, self.root, self.storages = archive, root, {}
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("its numbers are in another byte order than little-endian")
        # A pickle may also try to change what it is handed. These have no attributes that it could set: a class of
        # Python's own, texts, and for methods the wrappers that call them.
        self.names = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch", "Size"): self.size.__call__,
            ("torch._utils", "_rebuild_tensor_v2"): self.tensor.__call__,
            ("torch._utils", "_rebuild_parameter"): self.parameter.__call__,
            **{("torch", storage): dtype for storage, dtype in STORAGES.items()},
        }

    def find_class(self, module, name):
        if (module, name) in self.names:
            return self.names[module, name]
        what = printable(f"{module}.{name}")
        if name == "BFloat16Storage":
            raise ValueError("it holds bfloat16, which NumPy does not have; in PyTorch, convert with .float()")
        raise ValueError(
            f"it asks for {what}, which is neither a tensor nor a container of them. Nothing was run. In PyTorch, save "
            "net.state_dict() in place of the network, and Python's numbers, and load that"
        )

    def persistent_load(self, reference):
        """The key of a storage, given ("storage", its type, its key in the archive, device, count of its numbers)."""
        kind, dtype, key, _, count = reference
        if kind != "storage" or dtype not in STORAGES.values() or not isinstance(key, str):
            raise ValueError(f"it refers to {printable(reference)}, which is no storage")
        if key not in self.storages:
            data = bytearray(self.archive.read(f"{self.root}data/{key}"))  # whose checksum zipfile compares
            if len(data) != count * np.dtype(dtype).itemsize:
                raise ValueError(f"its storage {printable(key)} has {len(data)} bytes, for {count} numbers of {dtype}")
            self.storages[key] = np.frombuffer(data, dtype)
        return key

    def tensor(self, key, offset, shape, strides, requires_grad, *_):
        """PyTorch's ``_rebuild_tensor_v2``: a view of a storage."""
        storage = self.storages[key]
        if len(shape) != len(strides) or any(type(n) is not int or n < 0 for n in (offset, *shape, *strides)):
            raise ValueError(f"it makes a tensor of sizes that are none: {offset}, {shape}, {strides}")
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
        if 0 not in shape and last >= len(storage):
            raise ValueError(f"it makes a tensor of {last + 1} numbers and more of a storage that has {len(storage)}")
        steps = [step * storage.itemsize for step in strides]
        array = np.lib.stride_tricks.as_strided(storage[offset:] if 0 not in shape else storage[:0], shape, steps)
        return Tensor(array, requires_grad=requires_grad is True and array.dtype.kind == "f")

    def parameter(self, data, requires_grad, *_):
        """PyTorch's ``_rebuild_parameter``: here, a leaf."""
        return data.detach().requires_grad_(requires_grad is True)

    def size(self, sizes):
        """PyTorch's ``torch.Size``, a tuple."""
        return tuple(sizes)
