"""The loader: every sample once, in an order that a seed decides."""

import os
import threading

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn.data import DataLoader, Dataset, ImageDataset, TensorDataset


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


# --- batches made ahead --------------------------------------------------------------------------------------


class Noted(Dataset):
    """Ten numbers; it notes which batches were made, and on which thread, and fails at one of them."""

    def __init__(self, fail_at=None):
        self.made, self.threads, self.fail_at = [], set(), fail_at
        self.more = threading.Semaphore(0)

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index

    def batch(self, indices):
        self.made.append(int(indices[0]))
        self.threads.add(threading.current_thread())
        self.more.release()
        if self.fail_at in indices:
            raise OSError(f"the disk of {self.fail_at} is gone")
        return super().batch(indices)


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_batches_made_ahead_are_the_same():
    passes = []
    for workers in (0, 1, 4):
        mt.manual_seed(3)
        loader = DataLoader(range(50), 7, shuffle=True, num_workers=workers)
        passes.append([order(loader), order(loader), mt.rand(1).item()])
    assert passes[0] == passes[1] == passes[2]
    assert order(DataLoader(range(9), 4, num_workers=1, drop_last=True)) == list(range(8))
    assert list(DataLoader(range(3), 2, num_workers=1, collate_fn=tuple)) == [(0, 1), (2,)]
    assert not loader_threads()


def test_two_batches_are_made_while_one_is_used():
    dataset = Noted()
    batches = iter(DataLoader(dataset, 2, num_workers=1))
    next(batches)
    for _ in range(3):
        assert dataset.more.acquire(timeout=30)
    assert dataset.made == [0, 2, 4]  # and no more of them: memory is bounded
    next(batches)
    assert dataset.more.acquire(timeout=30) and dataset.made == [0, 2, 4, 6]
    assert threading.current_thread() not in dataset.threads and len(dataset.threads) == 1
    batches.close()


def test_without_workers_a_batch_is_made_when_it_is_asked_for():
    dataset = Noted()
    next(iter(DataLoader(dataset, 2)))
    assert dataset.made == [0] and dataset.threads == {threading.current_thread()}


def test_an_error_comes_out_where_the_batch_is_used():
    batches = iter(DataLoader(Noted(fail_at=5), 2, num_workers=1))
    assert [next(batches).tolist(), next(batches).tolist()] == [[0, 1], [2, 3]]
    with pytest.raises(OSError, match="the disk of 5 is gone"):
        next(batches)
    assert not loader_threads()
    with pytest.raises(StopIteration):
        next(batches)


def test_a_pass_that_is_left_leaves_no_thread():
    for batch in DataLoader(Noted(), 2, num_workers=1):
        assert batch.tolist() == [0, 1] and loader_threads()
        break
    assert not loader_threads()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_begins_a_pass_of_its_own():
    """It has none of the threads of its parent: to wait for one of them would be for ever."""
    loader = DataLoader(range(6), 2, num_workers=1)
    batches = iter(loader)
    next(batches)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            next(batches)
        except RuntimeError as error:
            code = 0 if "forked process: begin another one" in str(error) and order(loader) == [*range(6)] else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [batch.tolist() for batch in batches] == [[2, 3], [4, 5]]


# --- on a GPU ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_pass_over_a_data_set_on_the_gpu_sends_its_order_alone(shuffle, workers, standin):
    images = ImageDataset(np.arange(40, dtype=np.uint8).reshape(10, 2, 2), range(10))
    here = DataLoader(images, 4, shuffle=shuffle, num_workers=workers)
    there = here.to("cuda")
    assert not here.dataset.device == there.dataset.device == mt.device("cuda")
    mt.manual_seed(3)
    expected = [(x.tolist(), y.tolist()) for x, y in here]
    mt.manual_seed(3)
    standin.transfers.reset()
    batches = list(there)
    assert (standin.transfers.to_device, standin.transfers.to_host) == (1, 0)
    assert [(x.tolist(), y.tolist()) for x, y in batches] == expected


def test_samples_that_a_collate_fn_reads_stay_on_the_host(gpu):
    loader = DataLoader(TensorDataset(mt.arange(4)), 2, collate_fn=len).to("cuda")
    assert str(loader.dataset.device) == "cpu" and list(loader) == [2, 2]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": -4}, ValueError, "batch_size must be at least 1, got -4"),
        ({"batch_size": 2.0}, TypeError, r"batch_size must be a whole number, got 2\.0"),
        ({"batch_size": True}, TypeError, "batch_size must be a whole number, got True"),
        ({"batch_size": None}, TypeError, "batch_size must be a whole number, got None"),
        ({"num_workers": -1}, ValueError, "num_workers must be at least 0, got -1"),
        ({"dataset": []}, ValueError, "expected a data set with at least one sample"),
        ({"dataset": iter([1])}, TypeError, "expected a data set with __len__, got list_iterator"),
        ({"batch_size": 9, "drop_last": True}, ValueError, "drop_last leaves no batch: batch_size=9, but 8 samples"),
    ],
)
def test_arguments_that_make_no_sense(arguments, error, message):
    with pytest.raises(error, match=message):
        DataLoader(**{"dataset": range(8), **arguments})


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"sampler": [0.5]}, "'float' object cannot be interpreted as an integer"),
        ({"batch_sampler": [[0.5]]}, "a batch is given by a sequence of whole numbers, got float64"),
        ({"batch_sampler": [1, 2]}, r"a batch is given by a sequence of whole numbers, got int64 of shape \(\)"),
    ],
)
def test_an_order_of_what_are_no_indices_is_refused(order, message):
    with pytest.raises(TypeError, match=message):
        list(DataLoader(range(8), **order))


@pytest.mark.parametrize("length", [1, 9])
def test_a_sampler_that_is_wrong_about_its_length_is_gone_through(length):
    class Wrong(mt.data.Sampler):
        def __len__(self):
            return length

        def __iter__(self):
            return iter([4, 3, 2, 1, 0])

    assert [batch.tolist() for batch in DataLoader(range(5), 2, sampler=Wrong())] == [[4, 3], [2, 1], [0]]


def test_numpy_integers_are_integers():
    assert len(DataLoader(range(8), np.int64(3))) == 3


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_data_set_that_raises_stop_iteration_does_not_end_the_pass_in_silence(num_workers):
    class Broken(Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, index):
            return float(index) if index < 5 else next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        list(DataLoader(Broken(), batch_size=2, num_workers=num_workers))
