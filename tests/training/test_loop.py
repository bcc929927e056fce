import itertools
import math

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import backend, data, nn, optim, training
from minitorch_cnn.gpu.recording import Recording
from minitorch_cnn.nn import functional as F


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


class Counted(data.TensorDataset):
    """It notes, whenever a batch is asked for, how many copies there have been: to the host, and from it."""

    def __init__(self, dataset, transfers):
        super().__init__(*dataset.tensors)
        self.transfers, self.counts = transfers, []

    def batch(self, indices):
        self.counts.append((self.transfers.to_host, self.transfers.to_device))
        return super().batch(indices)


@pytest.mark.parametrize("capture", [False, True])
def test_an_epoch_on_the_gpu_reads_at_its_reports_and_sends_its_order(capture, standin):
    """52 steps, with the data set on the device: between two reports nothing is copied, this way or that.

    This is the second epoch. In the first, the optimizer sends its settings, and a captured step is recorded.
    """
    train_iter, test_iter = loaders(batch_size=1)
    train_iter.dataset = counted = Counted(train_iter.dataset, standin.transfers)
    at_reports = []
    training.train(
        nn.Linear(3, 2), train_iter, test_iter, epochs=2, device="cuda", progress=False, capture=capture,
        on_report=lambda *_: at_reports.append((standin.transfers.to_host, standin.transfers.to_device)),
    )  # fmt: skip
    before = np.array(at_reports[6])
    reads, sent = (counted.counts[52:] - before).T  # when the batch of a step is asked for
    assert set(sent) == {1}, "the order of the images is all that is sent to the device"
    bounds = [0, 10, 20, 30, 40, 50, 52]
    for i, (first, last) in enumerate(itertools.pairwise(bounds)):
        assert set(reads[first:last]) == {2 * i}, f"something is read between the reports of steps {first} and {last}"
    assert (at_reports[7:] - before).tolist() == [
        *([2 * i, 1] for i in range(1, 7)),  # loss and accuracy
        [14, 2],  # the evaluation's loss and outcomes; the order of the test images
    ]


def test_a_captured_step_takes_the_steps_of_a_plain_one(device, monkeypatch):
    """Up to rounding: while it is captured, products are computed in another order. On a CPU nothing is captured."""
    rows, weights, replays, replay = [], [], [], Recording.replay
    monkeypatch.setattr(Recording, "replay", lambda self: replays.append(1) or replay(self))
    for capture in (False, True):
        mt.manual_seed(2)
        net = nn.Linear(3, 2)
        history = training.train(net, *loaders(), epochs=3, device=device, progress=False, capture=capture)
        rows += [[(row.loss, row.train_acc, row.test_acc) for row in history]]
        weights += [net.cpu().weight.detach().numpy()]
    assert len(replays) == (16 if device == "cuda" else 0)  # 6 whole batches an epoch, two of them to warm up
    np.testing.assert_allclose(rows[1], rows[0], rtol=1e-5)
    np.testing.assert_allclose(weights[1], weights[0], rtol=1e-5, atol=1e-6)
    if device == "cpu":
        np.testing.assert_array_equal(weights[1], weights[0])


def test_what_cannot_be_captured_is_explained(gpu):
    net = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2))
    with pytest.raises(RuntimeError, match=r"(?s)the step cannot be captured: .*Dropout"):
        training.train(net, *loaders(), epochs=1, device="cuda", progress=False, capture=True)


def test_several_processes_capture_nothing():
    group = training.Group()
    group.start, group.size = (lambda net: None), 2
    with pytest.raises(ValueError, match="a step of 2 processes cannot be captured"):
        training.train(nn.Linear(3, 2), *loaders(), epochs=1, progress=False, capture=True, group=group)


@pytest.mark.parametrize("capture", [False, True])
@pytest.mark.parametrize("wrong", [-1, 2])
def test_a_label_that_is_no_class(wrong, capture, device):
    """On a GPU, whoever checked each batch would wait for each batch: it shows at the next report."""
    x, y = mt.ones(4, 3), mt.tensor([0, 1, wrong, 0])
    error, text = (IndexError, f"Target {wrong}") if device == "cpu" else (RuntimeError, "or a label is none of the")
    with pytest.raises(error, match=text):
        training.train(nn.Linear(3, 2), [(x, y)], [], epochs=1, device=device, progress=False, capture=capture)


@pytest.mark.parametrize("wrong", [-1, -100, 2, 7])
def test_a_test_label_that_is_no_class(wrong, device):
    with pytest.raises(IndexError, match=f"Target {wrong}|a label is none of the 2 classes, 0 to 1"):
        training.evaluate(nn.Linear(3, 2).to(device), [(mt.ones(2, 3), mt.tensor([0, wrong]))])


def test_other_batches_are_moved_one_by_one(gpu):
    batches = [(mt.ones(2, 3), mt.tensor([0, 1]))]
    (row,) = training.train(nn.Linear(3, 2), batches, batches, epochs=1, device="cuda", progress=False)
    assert row.test_acc == 0.5 and str(batches[0][0].device) == "cpu"


def test_a_loader_on_the_gpu_trains_a_network_on_the_cpu(gpu):
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


def test_the_gpu_is_waited_for_at_reports_alone(gpu, monkeypatch):
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


# --- any loss --------------------------------------------------------------------------------------------


def lines(batch_size=8):
    """Points on a plane, with the height to predict."""
    x = np.random.default_rng(0).standard_normal((52, 3)).astype(np.float32)
    points = data.TensorDataset(mt.from_numpy(x), mt.from_numpy(x @ np.array([[1.0], [-2.0], [3.0]], np.float32)))
    return data.DataLoader(points, batch_size, shuffle=True), data.DataLoader(points, 20)


@pytest.mark.parametrize("capture", [False, True])
@pytest.mark.parametrize("loss", [nn.MSELoss(), F.mse_loss, lambda y_hat, y: ((y_hat - y) ** 2).mean()])
def test_another_loss_is_learned_from_and_accuracy_left_out(loss, capture, device):
    train_iter, test_iter = lines()
    net, reports = nn.Linear(3, 1), []
    history = training.train(
        net, train_iter, test_iter, epochs=10, lr=0.1, loss=loss, device=device, progress=False, capture=capture,
        on_report=lambda *report: reports.append(report),
    )  # fmt: skip
    np.testing.assert_allclose(net.cpu().weight.tolist(), [[1.0, -2.0, 3.0]], atol=0.01)
    assert history[-1].loss < 1e-3 < history[0].loss
    assert all(math.isnan(row.train_acc) and math.isnan(row.test_acc) for row in history)
    assert all(loss is None or math.isfinite(loss) for _, loss, _, _ in reports)
    assert str(history[-1]) == f"loss {history[-1].loss:.3f}"
    assert [line.get_label() for line in history.figure().axes[0].lines] == ["train loss"]
    again = training.History.from_csv(history.to_csv())
    assert [row.loss for row in again] == [row.loss for row in history] and math.isnan(again[0].train_acc)


def test_evaluate_with_another_loss():
    batches = [(mt.ones(3, 2), mt.zeros(3, 2)), (mt.ones(1, 2), mt.ones(1, 2) * 3)]
    result = training.evaluate(nn.Flatten(), batches, loss=nn.MSELoss())
    assert result.loss == pytest.approx((3 * 1 + 1 * 4) / 4)
    assert result.confusion is None and math.isnan(result.accuracy) and result.class_accuracy == []


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(label_smoothing=0.1), F.cross_entropy])
def test_accuracy_is_counted_with_any_loss_of_classes(loss):
    train_iter, test_iter = loaders()
    (row,) = training.train(nn.Linear(3, 2), train_iter, test_iter, epochs=1, loss=loss, progress=False)
    assert 0.5 < row.train_acc <= 1 and 0.5 < row.test_acc <= 1


def test_the_tensors_of_a_loss_go_to_the_device(device):
    loss = nn.CrossEntropyLoss(weight=mt.tensor([1.0, 2.0]))
    training.train(nn.Linear(3, 2), *loaders(), epochs=1, loss=loss, device=device, progress=False)
    assert str(loss.weight.device).startswith(device)


@pytest.mark.parametrize("wrong", [nn.MSELoss, "mse", 1.0])
def test_what_is_no_loss_is_refused(wrong):
    net = nn.Linear(3, 2)
    for call in (training.train, training.evaluate):
        with pytest.raises(TypeError, match=r"loss must be a function of outputs and targets, such as .*, got"):
            call(net, *loaders()[: 2 if call is training.train else 1], loss=wrong)


# --- after each step -------------------------------------------------------------------------------------


def test_after_each_step_the_progress_is_told(device):
    train_iter, test_iter = loaders(batch_size=20)
    net, seen = nn.Linear(3, 2), []

    def on_step(progress):
        assert progress.net is net and isinstance(progress.optimizer, optim.SGD)
        assert progress.x.device == progress.y.device == net.weight.device
        where = progress.epoch, progress.epochs, progress.batch, progress.batches, len(progress.history)
        seen.append((*where, len(progress.x), progress.metric[2]))

    training.train(net, train_iter, test_iter, epochs=2, device=device, progress=False, on_step=on_step)
    assert seen == [
        (epoch, 2, batch, 3, epoch - 1, (20, 20, 12)[batch - 1], (20, 40, 52)[batch - 1])
        for epoch in (1, 2)
        for batch in (1, 2, 3)
    ]


def test_a_training_can_be_stopped_after_a_step():
    train_iter, test_iter = loaders()
    net, steps, saved = nn.Linear(3, 2), [], []

    def on_step(progress):
        steps.append((progress.epoch, progress.batch))
        if steps[-1] == (2, 3):
            progress.stop()

    history = training.train(
        net, train_iter, test_iter, epochs=5, progress=False, on_step=on_step,
        on_epoch=lambda *_: saved.append(1),
    )  # fmt: skip
    assert steps == [(1, batch) for batch in range(1, 8)] + [(2, 1), (2, 2), (2, 3)]
    assert [row.epoch for row in history] == [1] and len(saved) == 1, "the epoch is not finished"


def test_labels_are_checked_again_after_a_training_that_failed():
    """Also while its error, which holds the loop, is held."""
    batches = [(mt.ones(2, 3), mt.tensor([0, 5]))]
    with pytest.raises(IndexError):
        training.train(nn.Linear(3, 2), batches, batches, progress=False)
    with pytest.raises(RuntimeError, match="stop here") as held:
        training.train(nn.Linear(3, 2), *loaders(), progress=False, on_step=_fail)
    assert held.value is not None and not backend.checks_are_deferred.value


def _fail(progress):
    raise RuntimeError("stop here")


# --- evaluation ------------------------------------------------------------------------------------------


class Samples:
    """A data set as PyTorch has them: of another library, or of a user's."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return mt.rand(3), index % 2


@pytest.mark.parametrize("dataset", [data.TensorDataset(mt.ones(4, 3), mt.arange(4)), Samples()])
def test_a_data_set_is_no_loader(dataset):
    loader = data.DataLoader(dataset, 2)
    for batches in ((dataset, loader), (loader, dataset)):
        with pytest.raises(TypeError, match=rf"got the data set {type(dataset).__name__}: .* data.DataLoader\(dataset"):
            training.train(nn.Linear(3, 2), *batches, progress=False)
    with pytest.raises(TypeError, match="expected batches"):
        training.evaluate(nn.Linear(3, 2), dataset)


def test_probabilities_in_the_place_of_labels_are_learned_from():
    """Cross-entropy takes them; whether an answer is right is another question."""
    loader = data.DataLoader(data.TensorDataset(mt.rand(8, 4), mt.eye(3)[mt.arange(8) % 3]), 4)
    (row,) = training.train(nn.Linear(4, 3), loader, loader, epochs=1, progress=False)
    assert math.isfinite(row.loss) and math.isnan(row.train_acc) and math.isnan(row.test_acc)


def test_fewer_batches_than_the_length_says():
    """As from an iterator, which is at its end after the first epoch."""

    class Once(list):
        passes = 0

        def __iter__(self):
            self.passes += 1
            return super().__iter__() if self.passes == 1 else iter(())

    batches = Once([(mt.ones(2, 3), mt.tensor([0, 1]))] * 2)
    with pytest.raises(ValueError, match="train_iter has 2 batches by its length, but gave 0 in epoch 2"):
        training.train(nn.Linear(3, 2), batches, batches[:], epochs=2, progress=False)


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


def test_what_stands_in_a_wrong_place_is_named():
    x, y = mt.rand(4, 3), mt.tensor([0, 1, 0, 1])
    net, batches = nn.Linear(3, 2), [(x, y)]
    with pytest.raises(TypeError, match="a network first, got list"):
        training.train(batches, net, batches, epochs=1, progress=False)
    for wrong in ([(x, y, y)], [x]):
        with pytest.raises(ValueError, match="batches of two parts, inputs and targets, got"):
            training.train(net, wrong, wrong, epochs=1, progress=False)

    class Pair(nn.Module):
        def forward(self, x):
            return net(x), x

    pair = Pair()
    pair.net = net
    with pytest.raises(TypeError, match=r"a tuple of \(Tensor, Tensor\): take the part"):
        training.train(pair, batches, batches, epochs=1, progress=False)


def test_probabilities_are_targets_too():
    x, y = mt.rand(4, 3), mt.eye(2)[mt.tensor([0, 1, 0, 1])]
    history = training.train(nn.Linear(3, 2), [(x, y)], [(x, y)], epochs=1, progress=False)
    assert math.isfinite(history[-1].loss)
