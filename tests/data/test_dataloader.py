"""The loader: every sample once, in an order that a seed decides."""

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn.data import DataLoader, Dataset, TensorDataset


def order(loader):
    return np.concatenate([batch.numpy() for batch in loader]).tolist()


@pytest.mark.parametrize(
    ("drop_last", "sizes"),
    [(False, [4, 4, 2]), (True, [4, 4])],
)
def test_the_last_batch(drop_last, sizes):
    loader = DataLoader(range(10), batch_size=4, drop_last=drop_last)
    assert len(loader) == len(sizes)
    assert [len(batch) for batch in loader] == sizes
    assert order(loader) == list(range(sum(sizes)))


def test_batches_are_lists_of_float_images_and_integer_labels():
    loader = DataLoader(TensorDataset(mt.rand(5, 1, 3, 3), mt.arange(5)), 2)
    for x, y in loader:
        assert x.dtype == mt.float32 and y.dtype == mt.int64 and x.shape[1:] == (1, 3, 3)
    assert loader.batch_size == 2 and len(loader.dataset) == 5


def test_each_pass_has_another_order_and_every_sample_once():
    loader = DataLoader(range(50), 7, shuffle=True)
    first, second = order(loader), order(loader)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second and first != list(range(50))


def test_the_seed_decides_the_order():
    loader = DataLoader(range(50), 7, shuffle=True)
    mt.manual_seed(3)
    first = order(loader)
    mt.manual_seed(3)
    assert order(loader) == first
    mt.manual_seed(4)
    assert order(loader) != first


def test_a_generator_of_its_own_is_not_disturbed_by_other_random_numbers():
    def pass_(disturb):
        loader = DataLoader(range(50), 7, shuffle=True, generator=mt.Generator().manual_seed(3))
        if disturb:
            mt.rand(10)
        return order(loader)

    assert pass_(False) == pass_(True)


def test_a_pass_without_shuffling_draws_no_random_numbers():
    before = mt.get_rng_state()
    order(DataLoader(range(50), 7))
    assert mt.get_rng_state() == before


def test_two_passes_at_once_do_not_meet():
    loader = DataLoader(range(4), 2)
    assert [(a.tolist(), b.tolist()) for a, b in zip(loader, loader)] == [([0, 1], [0, 1]), ([2, 3], [2, 3])]


def test_a_data_set_makes_its_own_batches_and_collate_fn_replaces_that():
    class Whole(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return index

        def batch(self, indices):
            return ("batch", indices.tolist())

    assert list(DataLoader(Whole(), 3)) == [("batch", [0, 1, 2]), ("batch", [3])]
    assert list(DataLoader(Whole(), 3, collate_fn=tuple)) == [(0, 1, 2), (3,)]


def test_what_speeds_pytorch_up_is_accepted():
    assert order(DataLoader(range(3), 2, num_workers=4, pin_memory=True, persistent_workers=True)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "expected batch_size to be at least 1, got 0"),
        ({"batch_size": -4}, ValueError, "expected batch_size to be at least 1, got -4"),
        ({"batch_size": 2.0}, TypeError, r"expected batch_size to be an integer, got 2\.0"),
        ({"batch_size": True}, TypeError, "expected batch_size to be an integer, got True"),
        ({"batch_size": None}, TypeError, "expected batch_size to be an integer, got None"),
        ({"num_workers": -1}, ValueError, "expected num_workers to be at least 0, got -1"),
        ({"dataset": []}, ValueError, "expected a data set with at least one sample"),
        ({"dataset": iter([1])}, TypeError, "expected a data set with __len__, got list_iterator"),
        ({"batch_size": 9, "drop_last": True}, ValueError, "drop_last leaves no batch: batch_size=9, but 8 samples"),
    ],
)
def test_arguments_that_make_no_sense(arguments, error, message):
    with pytest.raises(error, match=message):
        DataLoader(**{"dataset": range(8), **arguments})


def test_numpy_integers_are_integers():
    assert len(DataLoader(range(8), np.int64(3))) == 3
