"""What a notebook, a debugger or an error shows of things: what they are, in a line, without their contents."""

import numpy as np
import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import data, nn, optim, training
from minitorch_cnn.optim import lr_scheduler

SGD = optim.SGD([nn.Parameter(mt.zeros(3))], lr=0.5)


class Own(data.Dataset):
    def __len__(self):
        return 3


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: TinyFashion(), "TinyFashion(160 images of (1, 28, 28), 10 classes)"),
        (lambda: data.ImageDataset(np.zeros((2, 3, 8, 9), np.uint8), [0, 1]), "ImageDataset(2 images of (3, 8, 9))"),
        (lambda: data.TensorDataset(mt.zeros(1200, 3), mt.zeros(1200)), "TensorDataset(1,200 samples of (3,) and ())"),
        (lambda: Own(), "Own(3 samples)"),
        (lambda: data.Dataset(), "Dataset()"),
        (lambda: data.Subset(range(9), [1, 2]), "Subset(2 samples of range)"),
        (
            lambda: data.DataLoader(data.Subset(TinyFashion(), [1, 2]), 2, shuffle=True),
            "DataLoader(Subset(2 samples of TinyFashion(160 images of (1, 28, 28), 10 classes)), batch_size=2, "
            "shuffle=True: 1 batches)",
        ),
        (lambda: data.DataLoader([1, 2, 3]), "DataLoader(list, batch_size=1, shuffle=False: 3 batches)"),
        (lambda: lr_scheduler.StepLR(SGD, 5), "StepLR(step_size=5, gamma=0.1, last_epoch=0: lr 0.5)"),
        (
            lambda: lr_scheduler.CosineAnnealingLR(SGD, 9),
            "CosineAnnealingLR(T_max=9, eta_min=0.0, last_epoch=0: lr 0.5)",
        ),
        (lambda: training.join(), "Group(process 0 of 1, "),
        (lambda: training.Accumulator(2), "Accumulator(0, 0)"),
        (lambda: training.Timer(), "Timer(0 laps, 0.000 s)"),
        (lambda: training.Checkpoint({"w": mt.zeros(3)}), "Checkpoint(no whole epoch; 1 tensors, recipe {})"),
        (lambda: nn.Linear(2, 3), "Linear(in_features=2, out_features=3, bias=True)"),
        (lambda: mt.zeros(2), "tensor([0., 0.])"),
        (lambda: SGD, "SGD (\nParameter Group 0\n"),
    ],
)
def test_a_thing_says_what_it_is(made, text):
    assert repr(made()).startswith(text) and (text.endswith((", ", "\n")) or repr(made()) == text)


def test_a_run_and_its_checkpoint_say_how_far_they_are(tmp_path):
    run = training.Run(tmp_path / "run")
    assert repr(run) == f"Run({str(run.folder)!r}: no table of epochs)"
    net = nn.Linear(2, 2)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    history = training.History([training.Epoch(1, 0.5, 0.75, 0.7, 9.0, 1.0)])
    run.prepare()
    run.save(net, optimizer, history, {"lr": 0.1})
    last = "epoch 1, loss 0.500, train acc 0.750, test acc 0.700"
    assert repr(run) == f"Run({str(run.folder)!r}: {last})"
    assert repr(run.load()) == f"Checkpoint({last}; 2 tensors, recipe {{'lr': 0.1}})"
    within = training.Checkpoint({}, history=history, within={"batch": 2, "batches": 5})
    assert repr(within) == f"Checkpoint({last}, 2 of 5 batches more; 0 tensors, recipe {{}})"


def test_a_training_says_where_it_is():
    said = []
    batch = mt.zeros(2, 3), mt.tensor([0, 1])
    settings = {"epochs": 2, "progress": False, "on_step": lambda progress: said.append(repr(progress))}
    training.train(nn.Linear(3, 2), [batch] * 2, [batch], **settings)
    assert said == [f"Progress(epoch {e} of 2, batch {b} of 2)" for e in (1, 2) for b in (1, 2)]
