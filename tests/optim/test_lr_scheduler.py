"""Learning rate schedules against PyTorch's."""

import pytest
from helpers import needs_torch, torch

import minitorch_cnn as mt
from minitorch_cnn.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, StepLR


def optimizer(lib):
    a, b = (lib.zeros(1, requires_grad=True) for _ in range(2))
    return lib.optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.3}], lr=0.9)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("StepLR", {"step_size": 3}),
        ("StepLR", {"step_size": 1, "gamma": 0.5}),
        ("CosineAnnealingLR", {"T_max": 7}),
        ("CosineAnnealingLR", {"T_max": 4, "eta_min": 0.05}),
    ],
)
@pytest.mark.filterwarnings("ignore:Detected call of")
def test_trajectory(name, settings):
    needs_torch()
    ours = getattr(mt.optim.lr_scheduler, name)(optimizer(mt), **settings)
    theirs = getattr(torch.optim.lr_scheduler, name)(optimizer(torch), **settings)
    for _ in range(12):
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-10, abs=1e-12)
        assert [group["lr"] for group in ours.optimizer.param_groups] == ours.get_last_lr()
        ours.step()
        theirs.step()


@pytest.mark.parametrize("make", [lambda o: StepLR(o, 2), lambda o: CosineAnnealingLR(o, 5)])
def test_state_goes_on_where_it_was_saved(make):
    scheduler = make(optimizer(mt))
    for _ in range(3):
        scheduler.step()
    resumed_optimizer = optimizer(mt)
    resumed = make(resumed_optimizer)
    resumed_optimizer.load_state_dict(scheduler.optimizer.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    assert resumed.optimizer is resumed_optimizer
    for _ in range(4):
        assert resumed.get_last_lr() == scheduler.get_last_lr()
        scheduler.step()
        resumed.step()


def test_a_later_start_needs_the_initial_rate():
    with pytest.raises(KeyError, match="'initial_lr' is not specified in param_groups"):
        StepLR(optimizer(mt), 2, last_epoch=4)
    fresh = optimizer(mt)
    for group in fresh.param_groups:
        group["initial_lr"] = 1.0
    assert StepLR(fresh, 2, last_epoch=4, gamma=0.5).get_last_lr() == [0.25, 0.25]


def test_a_schedule_must_say_its_rate():
    with pytest.raises(TypeError, match="LRScheduler must define rate"):
        LRScheduler(optimizer(mt))
