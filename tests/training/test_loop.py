import itertools
import math

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import data, nn, optim, training


def loaders(batch_size=8):
    """Points of two classes that a linear layer can tell apart."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((52, 3)).astype(np.float32)
    points = data.TensorDataset(mt.from_numpy(x), mt.from_numpy((x[:, 0] > 0).astype(np.int64)))
    return data.DataLoader(points, batch_size, shuffle=True), data.DataLoader(points, 20)


def test_train_learns_and_writes_a_row_for_each_epoch(device):
    train_iter, test_iter = loaders()
    net = nn.Linear(3, 2)
    history = training.train(net, train_iter, test_iter, epochs=5, lr=0.9, device=device, progress=False)
    assert [row.epoch for row in history] == [1, 2, 3, 4, 5]
    assert history[-1].loss < history[0].loss
    assert history[-1].test_acc > 0.95
    assert all(row.examples_per_sec > 0 and row.seconds >= 0 for row in history)
    assert str(net.weight.device).startswith(device)


def test_loss_and_accuracy_are_means_over_examples_not_batches():
    x, y = mt.zeros(5, 3), mt.tensor([0, 0, 0, 0, 1])
    batches = [(x[:4], y[:4]), (x[4:], y[4:])]
    net = nn.Linear(3, 2)
    with mt.no_grad():
        net.bias.copy_(mt.tensor([1.0, 0.0]))
    net.requires_grad_(False)
    net.weight.requires_grad_(True)  # zero inputs: nothing moves
    (row,) = training.train(net, batches, batches, epochs=1, progress=False)
    right, wrong = math.log(1 + math.exp(-1)), math.log(1 + math.exp(1))
    assert row.loss == pytest.approx((4 * right + wrong) / 5)
    assert row.train_acc == row.test_acc == 0.8


class Counted(optim.SGD):
    """Plain SGD that notes at each step how many copies there have been."""

    def __init__(self, parameters, standin):
        super().__init__(parameters, lr=0.1)
        self.transfers, self.counts = standin.transfers, []

    def step(self):
        super().step()
        self.counts.append((self.transfers.to_host, self.transfers.to_device))


@pytest.fixture
def labels_checked_elsewhere(standin, monkeypatch):
    """Whether the loss reads labels, to check them, is tested with the losses: here it is not counted."""

    def uncounted(array):
        values = array.get()
        standin.transfers.to_host -= 1
        return values

    monkeypatch.setattr("minitorch_cnn.nn.functional.loss.to_numpy", uncounted, raising=False)


def test_an_epoch_on_the_gpu_reads_at_its_reports_and_sends_its_order(standin, labels_checked_elsewhere):
    """52 steps, with the data set on the device: between two reports nothing is copied, this way or that."""
    train_iter, test_iter = loaders(batch_size=1)
    net = nn.Linear(3, 2).to("cuda")
    optimizer, at_reports = Counted(net.parameters(), standin), []
    training.train(
        net, train_iter, test_iter, epochs=1, optimizer=optimizer, progress=False,
        on_report=lambda *_: at_reports.append((standin.transfers.to_host, standin.transfers.to_device)),
    )  # fmt: skip
    reads, sent = zip(*optimizer.counts)
    assert set(sent) == {sent[0]}, "something is sent to the device in the middle of an epoch"
    bounds = [0, 10, 20, 30, 40, 50, 52]
    for first, last in itertools.pairwise(bounds):
        assert len(set(reads[first:last])) == 1, f"something is read between the reports of steps {first} and {last}"
    assert [count for count, _ in at_reports[:6]] == [2, 4, 6, 8, 10, 12]  # loss and accuracy
    (reads_of_training, sent_in_training), (reads_in_all, sent_in_all) = at_reports[-2:]
    assert reads_in_all - reads_of_training == 2  # the evaluation's loss, and its outcomes
    assert sent_in_all - sent_in_training == 1  # the order of the test images


def test_other_batches_are_moved_one_by_one(standin):
    batches = [(mt.ones(2, 3), mt.tensor([0, 1]))]
    (row,) = training.train(nn.Linear(3, 2), batches, batches, epochs=1, device="cuda", progress=False)
    assert row.test_acc == 0.5 and str(batches[0][0].device) == "cpu"


def test_a_loader_on_the_gpu_trains_a_network_on_the_cpu(standin):
    train_iter, test_iter = loaders()
    net = nn.Linear(3, 2)
    training.train(net, train_iter.to("cuda"), test_iter.to("cuda"), epochs=1, progress=False)
    assert str(net.weight.device) == "cpu"


def test_both_devices_take_the_same_epoch(device):
    """Orders and weights are drawn on the host, so that only rounding is left between a CPU and a GPU."""
    mt.manual_seed(5)
    train_iter, test_iter = loaders()
    net = nn.Linear(3, 2)
    (row,) = training.train(net, train_iter, test_iter, epochs=1, device=device, progress=False)
    mt.manual_seed(5)
    twin = nn.Linear(3, 2)
    (expected,) = training.train(twin, *loaders(), epochs=1, device="cpu", progress=False)
    assert (row.loss, row.train_acc, row.test_acc) == pytest.approx(
        (expected.loss, expected.train_acc, expected.test_acc), rel=1e-5
    )
    np.testing.assert_allclose(net.cpu().weight.detach().numpy(), twin.weight.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_the_gpu_is_waited_for_at_reports_alone(standin, monkeypatch):
    waits = []
    monkeypatch.setattr(mt.cuda, "synchronize", lambda: waits.append(1))
    train_iter, test_iter = loaders(batch_size=1)
    training.train(nn.Linear(3, 2), train_iter, test_iter, epochs=1, device="cuda", progress=False)
    assert len(waits) == 1 + 2 * 6  # the timer's beginning, and the two ends of each lap


def test_reports_come_five_times_an_epoch():
    train_iter, test_iter = loaders(batch_size=5)  # 11 batches
    reports = []
    training.train(
        nn.Linear(3, 2), train_iter, test_iter, epochs=2, progress=False,
        on_report=lambda *report: reports.append(report),
    )  # fmt: skip
    epochs = [report[0] for report in reports]
    assert epochs == sorted(epochs)
    assert epochs[-1] == 2.0
    assert [report[3] is not None for report in reports] == 2 * (6 * [False] + [True])


def test_training_goes_on_after_the_history_given():
    train_iter, test_iter = loaders()
    net = nn.Linear(3, 2)
    history = training.train(net, train_iter, test_iter, epochs=2, progress=False)
    saved = []
    training.train(
        net, train_iter, test_iter, epochs=3, history=history, progress=False,
        on_epoch=lambda optimizer, history: saved.append((type(optimizer).__name__, len(history))),
    )  # fmt: skip
    assert saved == [("SGD", 3)]
    assert [row.epoch for row in history] == [1, 2, 3]


def test_another_optimizer_takes_the_steps():
    train_iter, test_iter = loaders()
    net = nn.Linear(3, 2)
    before = net.weight.detach().clone()
    training.train(
        net, train_iter, test_iter, epochs=1, optimizer=optim.SGD([net.bias], lr=0.1), progress=False
    )  # fmt: skip
    assert mt.equal(net.weight, before)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_a_loss_that_is_no_number_stops_the_training():
    train_iter, test_iter = loaders()
    net = nn.Linear(3, 2)
    with mt.no_grad():
        net.bias.fill_(math.nan)
    saved = []
    with pytest.raises(RuntimeError, match=r"loss became nan in epoch 1, .*smaller learning rate than 0\.9") as error:
        training.train(net, train_iter, test_iter, epochs=1, progress=False, on_epoch=lambda *_: saved.append(1))
    assert "Nothing of this epoch was saved" in str(error.value)
    assert not saved


def test_no_batches():
    net = nn.Linear(3, 2)
    with pytest.raises(ValueError, match="train_iter has no batch"):
        training.train(net, [], [], epochs=1)
    with pytest.raises(ValueError, match="data_iter has no batch"):
        training.evaluate(net, [])


def test_evaluate_counts_the_confusion_and_keeps_the_mode(device):
    net = nn.Sequential(nn.Dropout(0.9), nn.Flatten())  # the identity in evaluation mode
    net.append(nn.Linear(3, 3, bias=False))
    with mt.no_grad():
        net[2].weight.copy_(mt.eye(3))
    net.to(device)
    scores = mt.eye(3)[mt.tensor([0, 1, 1, 2])] * 5
    batches = [(scores[:3], mt.tensor([0, 0, 1])), (scores[3:], mt.tensor([1]))]
    result = training.evaluate(net, batches)
    assert result.confusion.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert result.accuracy == 0.5
    assert result.class_accuracy[:2] == [0.5, 0.5]
    assert math.isnan(result.class_accuracy[2])
    top, low = math.exp(5), 1.0
    right, wrong = -math.log(top / (top + 2 * low)), -math.log(low / (top + 2 * low))
    assert result.loss == pytest.approx((2 * right + 2 * wrong) / 4, rel=1e-5)
    assert net.training


def test_evaluate_counts_labels_of_a_small_type():
    labels = mt.arange(20)
    result = training.evaluate(nn.Flatten(), [(mt.eye(20) * 5, labels.to(mt.uint8))])
    assert result.accuracy == 1.0
    assert result.confusion.tolist() == mt.eye(20).tolist()


def test_evaluate_leaves_each_module_in_its_own_mode():
    net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    net[2].eval()
    modes = [module.training for module in net.modules()]
    training.evaluate(net, [(mt.ones(2, 3), mt.tensor([0, 1]))])
    assert [module.training for module in net.modules()] == modes
    with pytest.raises(ValueError, match="batch_size"):
        training.evaluate(net, [(mt.ones(2, 3), mt.tensor([0]))])
    assert [module.training for module in net.modules()] == modes


def test_a_network_without_parameters_cannot_be_trained():
    with pytest.raises(ValueError, match="empty parameter list"):
        training.train(nn.Flatten(), [(mt.eye(2), mt.tensor([0, 1]))], [], progress=False)
