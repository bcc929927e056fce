"""Data sets: a length, samples by index, and batches of samples."""

from __future__ import annotations

import bisect
import copy
import itertools
import math
import numbers
import operator
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import CPU, as_device, asarray, device_of, dtypes, get_array_module, to_numpy
from minitorch_cnn.backend.annotations import DeviceLike, Samples, Self
from minitorch_cnn.backend.arguments import described, whole
from minitorch_cnn.backend.devices import Device
from minitorch_cnn.backend.random import Generator, default_generator
from minitorch_cnn.data.transforms import on_batch, to_float
from minitorch_cnn.ops.operands import plain

__all__ = ["ConcatDataset", "Dataset", "ImageDataset", "Subset", "TensorDataset", "collate", "random_split"]


class Dataset:
    """A sequence of samples. Subclasses define ``__len__`` and ``__getitem__``; `batch` where it pays.

    Attributes
    ----------
    device : Device
        Where batches are made, and where the indices for `batch` may lie: a `DataLoader` sends them there, all of a
        pass at once. The CPU, unless a subclass says otherwise.

    Examples
    --------
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 4
    ...
    ...     def __getitem__(self, index):
    ...         return float(index), index**2
    >>> x, y = Squares().batch([1, 3])
    >>> x.tolist(), y.tolist()
    ([1.0, 3.0], [1, 9])
    """

    device = CPU
    draws = False  # whether samples are random numbers' work, of the stream that everything else draws from

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__")

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__")

    def __repr__(self) -> str:
        size = "" if type(self).__len__ is Dataset.__len__ else f"{len(self):,} samples"
        return f"{type(self).__name__}({size})"

    def batch(self, indices: Sequence[int]) -> Any:
        """Return the samples at `indices` as one sample with a leading batch dimension."""
        return collate([self[int(index)] for index in indices])

    def to(self, device: DeviceLike) -> Self:
        """Return the data set with what it holds in memory on a device; itself, if it has no way to move it.

        On a GPU, batches are then made without the host. Fashion-MNIST is 47 MB there, a byte per pixel.
        """
        return self


class TensorDataset(Dataset):
    """The rows of some tensors: sample i is ``(tensors[0][i], tensors[1][i], ...)``.

    Parameters
    ----------
    *tensors : Tensor
        Of one length, on any device: batches are gathered there.

    Raises
    ------
    TypeError
        If one is not a Tensor.
    ValueError
        If there is none, one has no dimension, or the lengths differ.
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("expected at least one tensor, got none")
        for t in tensors:
            if not isinstance(t, Tensor):
                raise TypeError(f"expected Tensors, got {described(t)}")
        shapes = [t.shape for t in tensors]
        if not all(shapes) or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(f"expected tensors with the same first dimension, got the shapes {shapes}")
        self.tensors = tensors

    @property
    def device(self) -> Device:
        return self.tensors[0].device

    def to(self, device: DeviceLike) -> Self:
        there = copy.copy(self)
        there.tensors = [t.to(device) for t in self.tensors]
        return there

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __repr__(self) -> str:
        shapes = " and ".join(str(t.shape[1:]) for t in self.tensors)
        return f"{type(self).__name__}({len(self):,} samples of {shapes})"

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def batch(self, indices: Sequence[int]) -> list[Tensor]:
        return [Tensor(t.array[asarray(indices, t.device)]) for t in self.tensors]


class ImageDataset(Dataset):
    """Labelled images in memory, one byte per pixel; sample i is a float32 tensor in [0, 1] and an int.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape (N, H, W) for grey or (N, C, H, W) for coloured images. Not copied.
    labels : array_like of int
        Shape (N,).
    transform : function of an image, optional
        Makes the sample of an image, an array (H, W) or (H, W, C) of bytes, on the host; see `data.transforms`, which
        work on whole batches.
    target_transform : function of an int, optional
        Makes what stands beside it of the label.

    Attributes
    ----------
    data : numpy.ndarray
        The images; on a GPU, after `to`, an array of its library.
    targets : numpy.ndarray
        The labels, int64, likewise.

    Examples
    --------
    >>> import numpy as np
    >>> dataset = ImageDataset(np.full((10, 28, 28), 51, np.uint8), range(10))
    >>> image, label = dataset[3]
    >>> image.shape, round(image.max().item(), 4), label
    ((1, 28, 28), 0.2, 3)
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: Any,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        images, labels = np.asarray(images), np.asarray(labels)
        if images.dtype != np.uint8:
            raise TypeError(f"expected uint8 images, got {images.dtype}: for other types there is TensorDataset")
        if labels.dtype.kind not in "iu":
            raise TypeError(f"expected integer labels, got {labels.dtype}")
        if images.ndim not in (3, 4) or labels.shape != images.shape[:1]:
            raise ValueError(
                "expected images of shape (N, H, W) or (N, C, H, W) and labels of shape (N,), "
                f"got {images.shape} and {labels.shape}"
            )
        self.data, self.targets = images, labels.astype(np.int64)
        self.transform, self.target_transform = transform, target_transform

    @property
    def draws(self) -> bool:
        return getattr(self.transform, "draws", False)

    @property
    def device(self) -> Device:
        return device_of(self.data)

    def to(self, device: DeviceLike) -> Self:
        device = as_device(device)
        if self.transform is not None or self.target_transform is not None:
            return self
        there = copy.copy(self)
        there.data, there.targets = asarray(self.data, device), asarray(self.targets, device)
        return there

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        shape = (1, *self.data.shape[1:])[-3:]
        classes = f", {len(self.classes)} classes" if hasattr(self, "classes") else ""
        return f"{type(self).__name__}({len(self):,} images of {shape}{classes})"

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        index, label = operator.index(index), int(self.targets[index])
        label = label if self.target_transform is None else self.target_transform(label)
        if self.transform is not None:
            return self.transform(self._pictures([index])[0]), label
        return Tensor(to_float(self._pixels(index, None))[0]), label

    def batch(self, indices: Sequence[int]) -> list[Tensor]:
        indices = asarray(indices, self.device)
        labels = Tensor(self.targets[indices])
        if self.target_transform is not None:
            labels = collate([self.target_transform(label) for label in labels.tolist()])
        if self.transform is None:
            return [Tensor(to_float(self._pixels(indices))), labels]
        images = on_batch(self.transform, self._pictures(indices))
        return [images if isinstance(images, Tensor) else Tensor(plain(images)), labels]

    def _pictures(self, indices):
        """Images as transforms take them: (N, H, W) or (N, H, W, C)."""
        pixels = self._pixels(indices)
        return pixels if pixels.ndim == 3 else pixels.transpose(0, 2, 3, 1)

    def _pixels(self, *index):
        """Images as networks take them, in bytes: (N, H, W) or (N, C, H, W)."""
        return self.data[index]


class Subset(Dataset):
    """The samples of another data set at the given indices.

    Parameters
    ----------
    dataset : Dataset or sequence
    indices : sequence of int

    Raises
    ------
    TypeError
        If the indices are not whole numbers: of a mask, take ``mask.nonzero()``.
    """

    def __init__(self, dataset: Samples, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = asarray(whole_indices("a Subset", indices), self.device)

    @property
    def draws(self) -> bool:
        return getattr(self.dataset, "draws", False)

    @property
    def device(self) -> Device:
        return device_of_samples(self.dataset)

    def to(self, device: DeviceLike) -> Self:
        there = copy.copy(self)
        there.dataset = moved(self.dataset, device)
        there.indices = asarray(self.indices, there.device)
        return there

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        whole = repr(self.dataset) if isinstance(self.dataset, Dataset) else type(self.dataset).__name__
        return f"{type(self).__name__}({len(self):,} samples of {whole})"

    def __getitem__(self, index: Any) -> Any:
        """The sample at an index; of a slice or a list of indices, what the data set makes of such a list."""
        index = to_numpy(self.indices)[index].tolist()
        return self.dataset[index]

    def batch(self, indices: Sequence[int]) -> Any:
        return gather(self.dataset, self.indices[asarray(indices, self.device)])


class ConcatDataset(Dataset):
    """The samples of some data sets, one after the other.

    Parameters
    ----------
    datasets : iterable of Dataset or sequence

    Attributes
    ----------
    cumulative_sizes : list of int
        Where each of them ends.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> both = ConcatDataset([range(3), range(10, 12)])
    >>> len(both), both[3], both[-1]
    (5, 10, 11)
    """

    def __init__(self, datasets: Iterable[Samples]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("datasets should not be an empty iterable")
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))
        self.draws = any(getattr(dataset, "draws", False) for dataset in self.datasets)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        place = operator.index(index) + (len(self) if index < 0 else 0)
        if not 0 <= place < len(self):
            raise IndexError(f"index {index} is out of range: there are {len(self)} samples")
        number = bisect.bisect_right(self.cumulative_sizes, place)
        return self.datasets[number][place - (self.cumulative_sizes[number - 1] if number else 0)]


def random_split(dataset: Samples, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Split a data set at random into parts that do not overlap.

    Parameters
    ----------
    dataset : Dataset or sequence
    lengths : sequence of int, or of float
        The sizes of the parts, which add up to the number of samples; or their shares, which add up to 1. What the
        shares leave by rounding down goes to the first parts, one each.
    generator : Generator, optional
        By default the one that `manual_seed` seeds.

    Returns
    -------
    list of Subset

    Raises
    ------
    ValueError
        If the sizes add up to something else.

    Examples
    --------
    >>> [len(part) for part in random_split(range(10), [0.75, 0.25])]
    [8, 2]
    """
    lengths = list(lengths)
    if any(length < 0 for length in lengths):
        raise ValueError(f"expected sizes or shares of at least 0, got {lengths}")
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        sizes = [math.floor(len(dataset) * share) for share in lengths]
        for i in range(len(dataset) - sum(sizes)):
            sizes[i % len(sizes)] += 1
    else:
        sizes = lengths
    if sum(sizes) != len(dataset):
        raise ValueError(
            f"Sum of input lengths does not equal the length of the input dataset: {lengths} for {len(dataset)} samples"
        )
    sizes = [whole("a size", size) for size in sizes]
    if 0 in sizes:
        warnings.warn(f"a part of the split has no samples: the sizes are {sizes}", stacklevel=2)
    order = (generator or default_generator).numpy.permutation(len(dataset))
    ends = itertools.accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends)]


# --- of any sequence of samples, be it a Dataset or a plain list ------------------------------------------


def whole_indices(name, indices):
    """Indices as an array (N,) of int64.

    Raises
    ------
    TypeError
        If they are not a sequence of whole numbers.
    """
    indices = to_numpy(indices.array) if isinstance(indices, Tensor) else np.asarray(indices)
    if indices.size and (indices.dtype.kind not in "iu" or indices.ndim != 1):
        mend = "; of a mask, take the places where it is true: numpy.flatnonzero(mask)"
        raise TypeError(
            f"{name} is given by a sequence of whole numbers, got {indices.dtype} of shape {indices.shape}"
            + (mend if indices.dtype.kind == "b" else "")
        )
    return indices.astype(np.int64)


def device_of_samples(dataset):
    """Return where its batches are made: see `Dataset`."""
    return dataset.device if isinstance(dataset, Dataset) else CPU


def moved(dataset, device):
    """Return it on a device, if it knows how to get there: see `Dataset.to`."""
    return dataset.to(device) if isinstance(dataset, Dataset) else dataset


def gather(dataset, indices):
    """Return the samples at `indices` as a batch."""
    if isinstance(dataset, Dataset):
        return dataset.batch(indices)
    return collate([dataset[int(index)] for index in indices])


def collate(samples: list[Any]) -> Any:
    """Join samples into one with a leading batch dimension.

    Parameters
    ----------
    samples : list
        Tensors, NumPy arrays or numbers, of one shape; or tuples, lists or dicts of such, which are joined entry by
        entry. Python floats give float32 (PyTorch's ``default_collate`` makes them float64).

    Returns
    -------
    Tensor, or a list or dict of Tensors

    Raises
    ------
    ValueError
        If shapes or numbers of entries differ.
    TypeError
        If there is something else in a sample.

    Examples
    --------
    >>> x, y = collate([([1.0, 2.0], 7), ([3.0, 4.0], 8)])
    >>> y.tolist()
    [7, 8]
    """
    first = samples[0]
    for kind in (dict, (tuple, list), numbers.Number, (Tensor, np.ndarray, np.generic)):
        if isinstance(first, kind) and not all(isinstance(sample, kind) for sample in samples):
            kinds = ", ".join(sorted({type(sample).__name__ for sample in samples}))
            raise TypeError(f"cannot make a batch of {kinds}: give the DataLoader a collate_fn")
    if isinstance(first, dict):
        if any(sample.keys() != first.keys() for sample in samples):
            raise ValueError(f"expected samples with the same keys, got {[[*sample] for sample in samples]}")
        return {key: collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, (tuple, list)):
        if len({len(sample) for sample in samples}) > 1:
            raise ValueError(f"expected samples of {len(first)} entries each, got {[len(s) for s in samples]}")
        return [collate(entries) for entries in zip(*samples)]
    if isinstance(first, numbers.Number):
        array = np.array(samples)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"cannot make a batch of {', '.join(sorted({type(s).__name__ for s in samples}))}")
        return Tensor(array.astype(dtypes.of_scalar(array[0])))
    if not isinstance(first, (Tensor, np.ndarray, np.generic)):
        raise TypeError(f"cannot make a batch of {type(first).__name__}: give the DataLoader a collate_fn")
    arrays = [sample.array if isinstance(sample, Tensor) else plain(sample) for sample in samples]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(f"expected samples of one shape, got {sorted(shapes)}: give the DataLoader a collate_fn")
    return Tensor(get_array_module(arrays[0]).stack(arrays))
