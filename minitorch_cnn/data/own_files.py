"""MNIST and CIFAR-10, from files that the user has; nothing is downloaded."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.backend.annotations import FilePath
from minitorch_cnn.data import fashion_mnist
from minitorch_cnn.data.dataset import ImageDataset
from minitorch_cnn.data.files import printable
from minitorch_cnn.data.idx import parse_idx, read_payload

__all__ = ["CIFAR10", "MNIST"]

MNIST_FILES = {  # the MD5 of each as it was published, packed
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
CIFAR10_FILES = {  # the MD5 of each file of the version for Python
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
SAMPLE = 1 + 3 * 32 * 32  # bytes of the binary version: a label, and an image
MOST = 11_000 * SAMPLE  # bytes of a file of the version for Python: more than each has
TransformFunction = Callable[[Any], Any]


class MNIST(ImageDataset):
    """MNIST, 70,000 handwritten digits of 28×28 pixels, from its four files.

    Parameters
    ----------
    root : str or os.PathLike
        A folder that holds them, ``.gz`` or plain, as they are or below ``MNIST/raw/``.
    train : bool
        The 60,000 images to train on, or else the 10,000 to test on.
    transform, target_transform : function, optional
        Of an image, an array (28, 28) of bytes, and of a label; see `data.transforms`.
    download : bool
        Accepted so that PyTorch's code runs: the files have to be there.

    Attributes
    ----------
    data, targets : numpy.ndarray
        The images, uint8, and the labels, int64.

    Warns
    -----
    UserWarning
        If a packed file is not, byte for byte, the one that was published.

    Raises
    ------
    RuntimeError
        If a file is missing, damaged or that of another data set.
    """

    classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]

    def __init__(
        self,
        root: FilePath,
        train: bool = True,
        transform: TransformFunction | None = None,
        target_transform: TransformFunction | None = None,
        download: bool = False,
    ) -> None:
        split = "train" if train else "t10k"
        arrays = [_read_mnist(Path(root), f"{split}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1")]
        super().__init__(*arrays, transform, target_transform)


def _read_mnist(root, name):
    """One of the files as an array."""
    size, _ = fashion_mnist.FILES[name]  # those of Fashion-MNIST have the same form
    places = [root / folder / f"{name}{end}" for end in (".gz", "") for folder in ("MNIST/raw", ".")]
    path = next(filter(Path.is_file, places), None)
    if path is None:
        raise _not_there("MNIST", root, f"{name}, with or without .gz")
    try:
        payload = read_payload(path, size)
        if len(payload) != size:
            raise ValueError(f"expected {size} bytes of content, got {len(payload)}")
        array = parse_idx(payload)
    except ValueError as error:
        raise RuntimeError(f"{path} is not the {name} of MNIST: {printable(error)}") from error
    if hashlib.sha256(payload).hexdigest() == fashion_mnist.FILES[name][1]:
        raise RuntimeError(f"{path} is a file of Fashion-MNIST, not of MNIST: FashionMNIST(root) reads it")
    if path.suffix == ".gz" and hashlib.md5(path.read_bytes()).hexdigest() != MNIST_FILES[name]:
        warnings.warn(f"{path} is not the file of MNIST that was published; its content is unverified", stacklevel=4)
    return array


class CIFAR10(ImageDataset):
    """CIFAR-10, 60,000 colour images of 32×32 pixels in ten classes, from its files.

    Parameters
    ----------
    root : str or os.PathLike
        A folder that holds ``cifar-10-batches-py/`` or ``cifar-10-python.tar.gz``, whose files are verified; or
        ``cifar-10-batches-bin/``, the binary version.
    train : bool
        The 50,000 images to train on, or else the 10,000 to test on.
    transform, target_transform : function, optional
        Of an image, an array (32, 32, 3) of bytes, and of a label; see `data.transforms`.
    download : bool
        Accepted so that PyTorch's code runs: the files have to be there.

    Attributes
    ----------
    data : numpy.ndarray
        The images, uint8, shape (50000, 32, 32, 3) or (10000, 32, 32, 3).
    targets : numpy.ndarray
        The labels, int64.
    classes : list of str
        What the labels mean.

    Raises
    ------
    RuntimeError
        If a file is missing, or is not the one that was published.
    """

    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

    def __init__(
        self,
        root: FilePath,
        train: bool = True,
        transform: TransformFunction | None = None,
        target_transform: TransformFunction | None = None,
        download: bool = False,
    ) -> None:
        names = [name for name in CIFAR10_FILES if name.startswith("data" if train else "test")]
        images, labels = zip(*_read_cifar10(Path(root), names))
        images = np.concatenate(images).reshape(-1, 3, 32, 32)
        super().__init__(images, np.concatenate(labels), transform, target_transform)
        self.data = images.transpose(0, 2, 3, 1)

    def _pixels(self, *index):
        return super()._pixels(*index).transpose(0, 3, 1, 2)


def _read_cifar10(root, names):
    """The images (N, 3072) and labels of each file: of the folder, else of the archive, else of the binary version."""
    folder, archive, binary = (
        root / name for name in ("cifar-10-batches-py", "cifar-10-python.tar.gz", "cifar-10-batches-bin")
    )
    if folder.is_dir():
        for name in names:
            yield _unpickled(folder / name, (folder / name).read_bytes() if (folder / name).is_file() else b"", name)
    elif archive.is_file():
        try:
            with tarfile.open(archive) as files:
                contents = [files.extractfile(f"{folder.name}/{name}").read(MOST) for name in names]
        except (OSError, EOFError, KeyError, AttributeError, tarfile.TarError, zlib.error) as error:
            raise RuntimeError(f"{archive} is damaged, or not the archive of CIFAR-10: {printable(error)}") from error
        for name, content in zip(names, contents):
            yield _unpickled(f"{archive}:{name}", content, name)
    elif binary.is_dir():
        for path in (binary / f"{name}.bin" for name in names):
            content = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
            if content.size != 10_000 * SAMPLE or content[::SAMPLE].max() > 9:
                raise RuntimeError(f"{path} is not a file of CIFAR-10: expected 10,000 times a label and an image")
            samples = content.reshape(-1, SAMPLE)
            yield samples[:, 1:], samples[:, 0]
    else:
        raise _not_there("CIFAR-10", root, f"{folder.name}/, {archive.name} or {binary.name}/")


def _unpickled(path, content, name):
    """The images and labels of a file of the version for Python, which is a pickle: it is read if it is that one."""
    if hashlib.md5(content).hexdigest() != CIFAR10_FILES[name]:
        raise RuntimeError(f"{path} is not the {name} of CIFAR-10: it is missing, was cut short or changed")
    batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    return batch[b"data"], np.asarray(batch[b"labels"])


class _ArraysOnly(pickle.Unpickler):
    """Reads a pickle of NumPy's arrays, and finds nothing else."""

    def find_class(self, module, name):
        known = {"_reconstruct": np.empty(0).__reduce__()[0], "ndarray": np.ndarray, "dtype": np.dtype}
        if module.split(".")[0] != "numpy" or name not in known:
            raise RuntimeError(f"the file asks for {printable(module)}.{printable(name)}, which is no array")
        return known[name]


def _not_there(name, root, files):
    return RuntimeError(
        f"Dataset not found: {name} is read from files that you have, and {printable(root)} has not {files}. Only "
        "Fashion-MNIST is downloaded"
    )
