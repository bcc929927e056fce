"""Which samples, and in which order: what a `DataLoader` asks when neither the order nor a shuffle is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minitorch_cnn.backend.arguments import whole
from minitorch_cnn.backend.random import Generator, default_generator

__all__ = [
    "BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler",
]  # fmt: skip


class Sampler:
    """The base class of samplers: a subclass defines ``__iter__``, which yields indices, and ``__len__``.

    Examples
    --------
    >>> class Backwards(Sampler):
    ...     def __init__(self, dataset):
    ...         self.dataset = dataset
    ...
    ...     def __len__(self):
    ...         return len(self.dataset)
    ...
    ...     def __iter__(self):
    ...         return iter(range(len(self) - 1, -1, -1))
    >>> import minitorch_cnn as mt
    >>> [batch.tolist() for batch in mt.data.DataLoader(range(5), 2, sampler=Backwards(range(5)))]
    [[4, 3], [2, 1], [0]]
    """

    def __init__(self, data_source: Any = None) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")


class SequentialSampler(Sampler):
    """The indices of a data set in order.

    Parameters
    ----------
    data_source : Dataset or sequence
    """

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __len__(self) -> int:
        return len(self.data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))


class RandomSampler(Sampler):
    """The indices of a data set in random order, drawn anew for each pass.

    Parameters
    ----------
    data_source : Dataset or sequence
    replacement : bool
        Whether an index may come twice.
    num_samples : int, optional
        How many to draw, by default as many as there are. Without replacement, another order begins after each.
    generator : Generator, optional
        By default the one that `manual_seed` seeds.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement!r}")
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self.num_samples = whole("num_samples", len(data_source) if num_samples is None else num_samples, least=1)

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        rng, n = (self.generator or default_generator).numpy, len(self.data_source)
        if n == 0:
            raise ValueError(f"{self.num_samples} indices cannot be drawn: the data set has no samples")
        if self.replacement:
            return iter(rng.integers(n, size=self.num_samples).tolist())
        orders = [rng.permutation(n) for _ in range(-(-self.num_samples // n))]
        return iter(np.concatenate(orders)[: self.num_samples].tolist())


class SubsetRandomSampler(Sampler):
    """Given indices in random order, drawn anew for each pass.

    Parameters
    ----------
    indices : sequence of int
    generator : Generator, optional
        By default the one that `manual_seed` seeds.
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        order = (self.generator or default_generator).numpy.permutation(len(self.indices))
        return iter([int(self.indices[i]) for i in order.tolist()])


class WeightedRandomSampler(Sampler):
    """The indices from 0 to the number of weights, drawn with probabilities in proportion to these.

    Parameters
    ----------
    weights : sequence of float
        Of each index; they need not sum to 1.
    num_samples : int
        How many to draw.
    replacement : bool
        Whether an index may come twice.
    generator : Generator, optional
        By default the one that `manual_seed` seeds.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or if there are not as many indices as shall be drawn.
    """

    def __init__(
        self, weights: Any, num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement!r}")
        self.weights, self.replacement, self.generator = np.asarray(weights, np.float64), replacement, generator
        self.num_samples = whole("num_samples", num_samples, least=1)
        if self.weights.ndim != 1:
            raise ValueError(f"weights should be a 1d sequence but given weights have shape {self.weights.shape}")
        if not (self.weights >= 0).all() or not 0 < self.weights.sum() < np.inf:
            raise ValueError("expected finite weights of at least 0, and one above; a class without samples has none")
        if not replacement and np.count_nonzero(self.weights) < num_samples:
            raise ValueError(
                f"{num_samples} indices cannot be drawn without replacement: {np.count_nonzero(self.weights)} weights "
                "are not 0"
            )

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        rng, shares = (self.generator or default_generator).numpy, self.weights / self.weights.sum()
        return iter(rng.choice(len(shares), self.num_samples, self.replacement, shares).tolist())


class BatchSampler(Sampler):
    """The indices of another sampler in lists of one size.

    Parameters
    ----------
    sampler : Sampler or iterable of int
    batch_size : int
    drop_last : bool
        Whether to leave a smaller last list out.

    Examples
    --------
    >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool) -> None:
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, whole("batch_size", batch_size, least=1), drop_last

    def __len__(self) -> int:
        return (len(self.sampler) + (0 if self.drop_last else self.batch_size - 1)) // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        batch = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch
