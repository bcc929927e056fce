import time

import pytest

import minitorch_cnn as mt
from minitorch_cnn.training import Accumulator, Timer, accuracy, count_correct


def test_accuracy_counts_the_right_predictions(device):
    scores = mt.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], device=device)
    labels = mt.tensor([1, 1, 1], device=device)
    assert accuracy(scores, labels) == 2.0
    assert accuracy(scores.argmax(dim=1), labels) == 2.0  # of classes as well as of scores


def test_accuracy_of_more_classes_than_the_type_of_the_labels_can_count():
    assert accuracy(mt.eye(300)[256:257], mt.tensor([0], dtype=mt.uint8)) == 0.0
    assert accuracy(mt.tensor([256]), mt.tensor([0], dtype=mt.uint8)) == 0.0


def test_accuracy_refuses_to_broadcast():
    with pytest.raises(ValueError, match=r"one prediction with one label each, got \(3,\) and \(2,\)"):
        accuracy(mt.zeros(3, 2), mt.tensor([0, 1]))


def test_accumulator_adds_tensors_without_reading_them_back(standin):
    metric = Accumulator(2)
    labels = mt.tensor([0, 1], device="cuda")
    scores = mt.eye(2, device="cuda", requires_grad=True) * 1.0
    standin.transfers.reset()
    for _ in range(3):
        metric.add(scores.sum(), count_correct(scores, labels))
    assert standin.transfers.to_host == 0
    assert (metric[0], metric[1]) == (6.0, 6.0)
    assert standin.transfers.to_host == 2


def test_accumulator_keeps_no_graph():
    metric = Accumulator(1)
    metric.add(mt.ones(1, requires_grad=True).sum())
    assert not metric.data[0].requires_grad


def test_accumulator_resets_and_refuses_a_wrong_number_of_values():
    metric = Accumulator(2)
    metric.add(1, 2.5)
    metric.reset()
    assert (metric[0], metric[1]) == (0.0, 0.0)
    with pytest.raises(ValueError, match="keeps 2 sums, got 3 values"):
        metric.add(1, 2, 3)


def test_timer_sums_its_laps(monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 10.0, 14.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    timer = Timer()
    timer.start()
    assert timer.stop() == 2.0
    timer.start()
    assert timer.stop() == 4.0
    assert (timer.sum(), timer.avg(), timer.cumsum()) == (6.0, 3.0, [2.0, 6.0])
