"""Samplers, splits and joined data sets, beside those of ``torch.utils.data`` where these draw nothing."""

import numpy as np
import pytest
from helpers import needs_torch, torch

import minitorch_cnn as mt
from minitorch_cnn.data import DataLoader, Subset
from minitorch_cnn.utils.data import (
    BatchSampler,
    ConcatDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
    random_split,
)


def test_the_names_of_pytorch_lead_to_the_same_things():
    import minitorch_cnn.utils.data as data

    assert mt.utils.data is data and data.DataLoader is DataLoader and set(data.__all__) == set(mt.data.__all__)
    needs_torch()
    ours = set(mt.data.__all__)
    missing = {name for name in torch.utils.data.__all__ if name.endswith(("Sampler", "Dataset"))} - ours
    assert missing == {"ChainDataset", "IterableDataset", "StackDataset", "DistributedSampler"}


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [1, 3, 7, 10])
def test_batches_of_indices_are_those_of_pytorch(size, drop_last):
    needs_torch()
    ours = BatchSampler(SequentialSampler(range(7)), size, drop_last)
    theirs = torch.utils.data.BatchSampler(torch.utils.data.SequentialSampler(range(7)), size, drop_last)
    assert list(ours) == list(theirs) and len(ours) == len(theirs)


MAKERS = {
    "order": lambda g: RandomSampler(range(9), generator=g),
    "fewer": lambda g: RandomSampler(range(9), num_samples=4, generator=g),
    "more": lambda g: RandomSampler(range(9), num_samples=20, generator=g),
    "again": lambda g: RandomSampler(range(9), True, 20, g),
    "subset": lambda g: SubsetRandomSampler([3, 1, 4, 15], g),
    "weights": lambda g: WeightedRandomSampler([0.1, 0.0, 3.0, 1.0], 20, generator=g),
    "weights once": lambda g: WeightedRandomSampler(mt.tensor([0.1, 0.0, 3.0, 1.0]), 3, False, g),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_seed_gives_the_same_indices_and_each_pass_has_its_own(name):
    passes = []
    for generator in (None, mt.Generator(5)):
        mt.manual_seed(5)
        sampler = MAKERS[name](generator)
        passes.append([list(sampler), list(sampler)])
        assert len(sampler) == len(passes[-1][0]) and all(type(index) is int for index in passes[-1][0])
    assert passes[0] == passes[1]
    assert passes[0][0] != passes[0][1]


def test_what_is_drawn():
    draw = {name: list(make(mt.Generator(1))) for name, make in MAKERS.items()}
    assert sorted(draw["order"]) == [*range(9)] and len(set(draw["fewer"])) == 4
    assert sorted(draw["more"][:9]) == sorted(draw["more"][9:18]) == [*range(9)]
    assert set(draw["again"]) <= {*range(9)} and len(set(draw["again"])) > 4
    assert sorted(draw["subset"]) == [1, 3, 4, 15]
    assert sorted(draw["weights once"]) == [0, 2, 3]
    counts = np.bincount(list(WeightedRandomSampler([1, 0, 3], 20000, generator=mt.Generator(1))))
    np.testing.assert_allclose(counts / 20000, [0.25, 0, 0.75], atol=0.02)


def test_a_loader_goes_by_a_sampler(device):
    x = mt.arange(10, device=device)
    data = mt.data.TensorDataset(x)
    batches = [batch[0].tolist() for batch in DataLoader(data, 4, sampler=[9, 3, 3, 0, 1])]
    assert batches == [[9, 3, 3, 0], [1]]
    loader = DataLoader(data, batch_sampler=[[1, 2], [5], [7, 8, 9]], num_workers=1)
    assert len(loader) == 3 and [batch[0].tolist() for batch in loader] == [[1, 2], [5], [7, 8, 9]]
    assert len(DataLoader(data, 4, sampler=[9, 3, 3, 0, 1], drop_last=True)) == 1
    half = SubsetRandomSampler(range(5))
    assert sorted(i for batch in DataLoader(range(10), 2, sampler=half) for i in batch.tolist()) == [*range(5)]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: DataLoader(range(4), sampler=[1], shuffle=True), ValueError, "mutually exclusive with shuffle"),
        (lambda: DataLoader(range(4), 2, batch_sampler=[[1]]), ValueError, "mutually exclusive with batch_size"),
        (lambda: DataLoader(range(4), batch_sampler=[[1]], drop_last=True), ValueError, "mutually exclusive"),
        (lambda: DataLoader(range(4), 3, sampler=[1], drop_last=True), ValueError, "batch_size=3, but 1 samples"),
        (lambda: BatchSampler([1], 0, False), ValueError, "batch_size must be at least 1"),
        (lambda: BatchSampler([1], 1, None), ValueError, "drop_last should be a boolean"),
        (lambda: RandomSampler(range(3), num_samples=0), ValueError, "num_samples must be at least 1"),
        (lambda: list(RandomSampler([], num_samples=2)), ValueError, "2 indices cannot be drawn: .* no samples"),
        (lambda: RandomSampler(range(3), 1), TypeError, "replacement should be a boolean"),
        (lambda: RandomSampler([]), ValueError, "num_samples must be at least 1, got 0"),
        (lambda: WeightedRandomSampler([[1.0]], 1), ValueError, "weights should be a 1d sequence"),
        (lambda: WeightedRandomSampler([1, -1], 1), ValueError, "finite weights of at least 0"),
        (lambda: WeightedRandomSampler([0, 0], 1), ValueError, "finite weights of at least 0, and one above"),
        (lambda: WeightedRandomSampler([1, 0], 2, False), ValueError, "1 weights are not 0"),
        (lambda: iter(Sampler()), NotImplementedError, "Sampler must define __iter__"),
        (lambda: ConcatDataset([]), ValueError, "should not be an empty iterable"),
        (lambda: ConcatDataset([range(3)])[3], IndexError, "index 3 is out of range: there are 3"),
        (lambda: ConcatDataset([range(3)])[-4], IndexError, "index -4 is out of range"),
        (lambda: random_split(range(3), [1, 1]), ValueError, r"does not equal .*: \[1, 1\] for 3 samples"),
        (lambda: random_split(range(3), [0.5, 0.2]), ValueError, "does not equal the length"),
        (lambda: random_split(range(3), [4, -1]), ValueError, "of at least 0"),
        (lambda: random_split(range(3), [2.0, 1.0]), TypeError, r"a size must be a whole number, got 2\.0"),
    ],
)
def test_what_does_not_fit_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("lengths", [[6, 4], [0.5, 0.5], [0.7, 0.3], [1 / 3] * 3, [10], [0.15, 0.85]], ids=str)
def test_a_split_has_the_sizes_of_pytorchs_and_every_sample_once(lengths):
    needs_torch()
    parts, theirs = random_split(range(10), lengths), torch.utils.data.random_split(range(10), lengths)
    assert [len(part) for part in parts] == [len(part) for part in theirs]
    assert all(isinstance(part, Subset) for part in parts)
    assert sorted(i for part in parts for i in part) == [*range(10)]
    again = [random_split(range(10), lengths, generator=mt.Generator(3)) for _ in range(2)]
    assert [list(part) for part in again[0]] == [list(part) for part in again[1]]


def test_a_part_without_samples_is_warned_of():
    with pytest.warns(UserWarning, match=r"a part of the split has no samples: the sizes are \[3, 0\]"):
        random_split(range(3), [3, 0])


def test_joined_data_sets_are_indexed_as_in_pytorch():
    needs_torch()
    parts = [list(range(3)), list(range(10, 12)), list(range(20, 24))]
    ours, theirs = ConcatDataset(parts), torch.utils.data.ConcatDataset(parts)
    assert ours.cumulative_sizes == theirs.cumulative_sizes
    assert [ours[i] for i in range(-9, 9)] == [theirs[i] for i in range(-9, 9)]
    assert [batch.tolist() for batch in DataLoader(ours, 4)] == [[0, 1, 2, 10], [11, 20, 21, 22], [23]]
