"""What one of several processes reads of each batch."""

import copy

from minitorch_cnn.data import DataLoader, Dataset
from minitorch_cnn.data.dataset import device_of_samples, gather


class Parts:
    """Parts of batches ``(x, y)``, each as ``(x, y, n)``, where n is the number of examples in the whole batch.

    Of a `DataLoader` without ``collate_fn``, only the part is read; other batches are made whole, and cut.

    Parameters
    ----------
    batches : iterable of (Tensor, ...), with a length
    rank, size : int
        Which part, from 0, of how many. A part has no example where there are more parts than examples.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> batches = [(mt.arange(5), mt.arange(5))]
    >>> [(x.tolist(), n) for rank in (0, 1) for x, y, n in Parts(batches, rank, size=2)]
    [([0, 1], 5), ([2, 3, 4], 5)]
    """

    def __init__(self, batches, rank, size):
        self.batches, self.rank, self.size = batches, rank, size
        self.reads_parts = size > 1 and isinstance(batches, DataLoader) and batches.collate_fn is None
        if self.reads_parts:
            self.batches = copy.copy(batches)
            self.batches.dataset = _PartReader(batches.dataset, self.part)

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches) if self.reads_parts else map(self._cut, self.batches)

    def part(self, n):
        """Return which of `n` examples belong to the part, as a slice."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def _cut(self, batch):
        n = len(batch[0])
        return *(tensor[self.part(n)] for tensor in batch), n


class _PartReader(Dataset):
    """A data set that reads a part of every batch asked for, and adds the size of the batch."""

    def __init__(self, dataset, part):
        self.dataset, self.part, self.device = dataset, part, device_of_samples(dataset)

    def __len__(self):
        return len(self.dataset)

    def batch(self, indices):
        n = len(indices)
        own = indices[self.part(n)]
        if len(own):
            return [*gather(self.dataset, own), n]
        return [*(tensor[:0] for tensor in gather(self.dataset, indices[:1])), n]
