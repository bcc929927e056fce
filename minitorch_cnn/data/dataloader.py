"""Batches of a data set, in order or shuffled."""

from __future__ import annotations

import collections
import copy
import math
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from minitorch_cnn.backend import CPU, asarray, keep_freed_memory
from minitorch_cnn.backend.annotations import DeviceLike, Samples, Self
from minitorch_cnn.backend.arguments import whole
from minitorch_cnn.backend.random import Generator, default_generator
from minitorch_cnn.data.dataset import Dataset, device_of_samples, gather, moved, whole_indices

__all__ = ["DataLoader"]


class DataLoader:
    """Iterate over a data set in batches; each pass over it shuffles anew.

    Parameters
    ----------
    dataset : Dataset or sequence
        Something with ``len`` and indexing. A `Dataset` makes its batches itself, whole.
    batch_size : int, default 1
        Samples per batch. The last one is smaller where the length is no multiple.
    shuffle : bool, default False
        Whether each pass has another random order, drawn on the host.
    sampler : Sampler or iterable of int, optional
        The indices of a pass in their order, in place of `shuffle`.
    batch_sampler : Sampler or iterable of list of int, optional
        The indices of each batch, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
    num_workers : int, default 0
        0 makes a batch when it is asked for. Any other number makes the next two ahead, on a thread of this process,
        while the program computes: NumPy lets go of the interpreter's lock. A data set of yours that
        draws random numbers needs a `Generator` of its own then. For one that says so by its `draws`, as with random
        transforms, and one on a GPU, which works in the background anyway, it is as 0.
    pin_memory, persistent_workers : bool, default False
        Accepted so that PyTorch's code runs, and without effect.
    collate_fn : callable, optional
        Makes a batch of a list of samples. By default ``dataset.batch(indices)`` or `collate`.
    drop_last : bool, default False
        Whether to leave a smaller last batch out.
    generator : Generator, optional
        What shuffles. By default the one that `manual_seed` seeds.

    Yields
    ------
    list of Tensor
        ``[X, y]`` for a data set of pairs: X of shape (N, ...), y of shape (N,).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or if there would be no batch at all.

    Examples
    --------
    >>> loader = DataLoader(range(5), batch_size=2)
    >>> len(loader), [batch.tolist() for batch in loader]
    (3, [[0, 1], [2, 3], [4]])
    """

    def __init__(
        self,
        dataset: Samples,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
        persistent_workers: bool = False,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        drop_last: bool = False,
        generator: Generator | None = None,
    ) -> None:
        for method in ("__len__", "__getitem__"):
            if not hasattr(dataset, method):
                raise TypeError(f"expected a data set with {method}, got {type(dataset).__name__}")
        if isinstance(dataset, DataLoader):
            raise TypeError("expected a data set, got a DataLoader: it makes the batches already")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle: a RandomSampler shuffles")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, drop_last")
        self.dataset, self.sampler, self.batch_sampler = dataset, sampler, batch_sampler
        self.batch_size = whole("batch_size", batch_size, least=1)
        self.num_workers = whole("num_workers", num_workers, least=0)
        self.pin_memory, self.persistent_workers = bool(pin_memory), bool(persistent_workers)
        self.shuffle, self.drop_last = bool(shuffle), bool(drop_last)
        self.collate_fn, self.generator = collate_fn, generator
        if len(dataset) == 0:
            raise ValueError("expected a data set with at least one sample, got an empty one")
        if len(self) == 0:
            samples = len(dataset if sampler is None else sampler)
            raise ValueError(f"drop_last leaves no batch: batch_size={batch_size}, but {samples} samples")

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        batches = len(self.dataset if self.sampler is None else self.sampler) / self.batch_size
        return math.floor(batches) if self.drop_last else math.ceil(batches)

    def __repr__(self) -> str:
        dataset = repr(self.dataset) if isinstance(self.dataset, Dataset) else type(self.dataset).__name__
        settings = f"batch_size={self.batch_size}, shuffle={self.shuffle}"
        return f"{type(self).__name__}({dataset}, {settings}: {len(self):,} batches)"

    def to(self, device: DeviceLike) -> Self:
        """Return the loader with its data set on a device (see `Dataset.to`), unless a ``collate_fn`` reads samples."""
        there = copy.copy(self)
        if self.collate_fn is None:
            there.dataset = moved(self.dataset, device)
        return there

    def __iter__(self) -> Iterator[Any]:
        device = device_of_samples(self.dataset) if self.collate_fn is None else CPU
        if self.batch_sampler is not None:
            batches = (asarray(whole_indices("a batch", indices), device) for indices in self.batch_sampler)
        else:
            order = asarray(self._order(), device)  # of the whole pass, at once
            ends = len(order) - len(order) % self.batch_size if self.drop_last else len(order)
            batches = (order[i : i + self.batch_size] for i in range(0, ends, self.batch_size))
        if self.num_workers and device == CPU and not getattr(self.dataset, "draws", False):
            yield from _map_ahead(self._make_batch, batches)
        else:
            for indices in batches:  # not `map`, for which a StopIteration of the data set would be the end
                yield self._make_batch(indices)

    def _order(self):
        if self.sampler is not None:
            return np.array([operator.index(index) for index in self.sampler], np.int64)
        order = np.arange(len(self.dataset))
        if self.shuffle:
            (self.generator or default_generator).numpy.shuffle(order)
        return order

    def _make_batch(self, indices):
        if self.collate_fn is None:
            return gather(self.dataset, indices)
        return self.collate_fn([self.dataset[int(index)] for index in indices])


AHEAD = 2  # batches: as many as one of PyTorch's workers has


def _map_ahead(function, inputs):
    """``map(function, inputs)``, with the next results being made on a thread while one is used."""
    from concurrent.futures import ThreadPoolExecutor

    keep_freed_memory()
    process, thread, pending = os.getpid(), ThreadPoolExecutor(1, "loader"), collections.deque()

    def first():
        if os.getpid() != process:
            raise RuntimeError("a pass over a DataLoader cannot go on in a forked process: begin another one there")
        return pending.popleft().result()

    try:
        for value in inputs:
            pending.append(thread.submit(function, value))
            if len(pending) > AHEAD:
                yield first()
        while pending:
            yield first()
    finally:  # at the end, after an error, or when the iterator is dropped
        if os.getpid() == process:
            thread.shutdown(cancel_futures=True)
