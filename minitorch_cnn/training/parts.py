"""What one of several processes reads of each batch."""

import copy

from minitorch_cnn.data import DataLoader, Dataset
from minitorch_cnn.data.dataset import device_of_samples, gather


class Parts:
    """Parts of batches ``(x, y)``, one of them for each of several processes.

    Of a `DataLoader` without ``collate_fn``, only the part is read; other batches are made whole, and cut.

    Parameters
    ----------
    batches : iterable of (Tensor, ...), with a length
    rank, size : int
        Which part, from 0, of how many. A part has no example where there are more parts than examples.
    begin : callable, optional
        Called at the beginning of each pass.

    Attributes
    ----------
    share : float
        How much of its batch the last part is, from 0 to 1.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> batches = [(mt.arange(5), mt.arange(5))]
    >>> for rank in (0, 1):
    ...     parts = Parts(batches, rank, size=2)
    ...     print([x.tolist() for x, y in parts], parts.share)
    [[0, 1]] 0.4
    [[2, 3, 4]] 0.6
    """

    def __init__(self, batches, rank, size, begin=None):
        self.batches, self.rank, self.size, self.begin = batches, rank, size, begin
        self.reads_parts = size > 1 and isinstance(batches, DataLoader) and batches.collate_fn is None
        if self.reads_parts:
            self.batches = copy.copy(batches)
            self.batches.dataset = _PartReader(batches.dataset, self.part)

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        if self.begin is not None:
            self.begin()
        for *tensors, n in self.batches if self.reads_parts else map(self._cut, self.batches):
            self.share = len(tensors[0]) / n
            yield tensors

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
