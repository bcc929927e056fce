"""Learning rate schedules against PyTorch's."""

import json

import pytest
from helpers import needs_torch, torch

import minitorch_cnn as mt
from minitorch_cnn.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    StepLR,
)


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
        ("MultiStepLR", {"milestones": [2, 5]}),
        ("MultiStepLR", {"milestones": (5, 2, 2, 0), "gamma": 0.5}),
        ("ExponentialLR", {"gamma": 0.7}),
        ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
        ("LambdaLR", {"lr_lambda": [lambda epoch: 1 / (1 + epoch), lambda epoch: epoch / 3]}),
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


def several(lib, *settings):
    """Schedulers on one optimizer."""
    shared = optimizer(lib)
    return [getattr(lib.optim.lr_scheduler, name)(shared, **options) for name, options in settings]


@pytest.mark.parametrize(
    "settings",
    [
        [("StepLR", {"step_size": 3}), ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.01})],
        [("CosineAnnealingLR", {"T_max": 4}), ("StepLR", {"step_size": 2, "gamma": 0.5})],
        [("StepLR", {"step_size": 3}), ("StepLR", {"step_size": 2, "gamma": 0.5})],
        [("StepLR", {"step_size": 2})],
        [("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.1})],
    ],
)
@pytest.mark.parametrize("by_hand", [None, 0, 4])
@pytest.mark.filterwarnings("ignore:Detected call of")
def test_together_and_with_a_rate_set_by_hand(settings, by_hand):
    needs_torch()
    ours, theirs = several(mt, *settings), several(torch, *settings)
    for epoch in range(20):
        if epoch == by_hand:
            for schedulers in (ours, theirs):
                schedulers[0].optimizer.param_groups[0]["lr"] = 0.7
        for a, b in zip(ours, theirs):
            assert a.get_last_lr() == pytest.approx(b.get_last_lr(), rel=1e-10, abs=1e-12)
            a.step(), b.step()
            rates = [[float(group["lr"]) for group in x.optimizer.param_groups] for x in (a, b)]
            assert rates[0] == pytest.approx(rates[1], rel=1e-10, abs=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda o: StepLR(o, 2),
        lambda o: CosineAnnealingLR(o, 5),
        lambda o: MultiStepLR(o, [2, 4]),
        lambda o: ExponentialLR(o, 0.5),
        lambda o: LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    ],
)
def test_state_goes_on_where_it_was_saved(make):
    scheduler = make(optimizer(mt))
    for _ in range(3):
        scheduler.step()
    resumed_optimizer = optimizer(mt)
    resumed = make(resumed_optimizer)
    resumed_optimizer.load_state_dict(scheduler.optimizer.state_dict())
    resumed.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))  # as a checkpoint keeps it
    assert resumed.optimizer is resumed_optimizer
    for _ in range(4):
        assert resumed.get_last_lr() == scheduler.get_last_lr()
        scheduler.step()
        resumed.step()


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_a_later_start_needs_the_initial_rate_and_goes_on_as_in_pytorch():
    needs_torch()
    with pytest.raises(KeyError, match="'initial_lr' is not specified in param_groups"):
        StepLR(optimizer(mt), 2, last_epoch=4)
    for name, settings in (
        ("StepLR", {"step_size": 5}),
        ("StepLR", {"step_size": 2}),
        ("CosineAnnealingLR", {"T_max": 9}),
        ("MultiStepLR", {"milestones": [5, 7]}),
        ("ExponentialLR", {"gamma": 0.5}),
        ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
    ):
        rates = []
        for lib in (mt, torch):
            fresh = optimizer(lib)
            for group in fresh.param_groups:
                group["initial_lr"] = 1.0
            scheduler = getattr(lib.optim.lr_scheduler, name)(fresh, last_epoch=4, **settings)
            rates.append(scheduler.get_last_lr())
            for _ in range(3):
                scheduler.step()
                rates[-1] += scheduler.get_last_lr()
        assert rates[0] == pytest.approx(rates[1], rel=1e-10)


@pytest.mark.parametrize("number", [0, -1])
def test_a_period_of_no_epochs_is_refused(number):
    with pytest.raises(ValueError, match="step_size must be positive, got"):
        StepLR(optimizer(mt), number)
    with pytest.raises(ValueError, match="T_max must be positive, got"):
        CosineAnnealingLR(optimizer(mt), number)


def test_a_schedule_must_say_its_rate():
    with pytest.raises(TypeError, match="LRScheduler must define get_lr"):
        LRScheduler(optimizer(mt))


def test_there_is_a_function_for_each_group():
    with pytest.raises(ValueError, match="Expected 2 lr_lambdas, one for each group, but got 1"):
        LambdaLR(optimizer(mt), [lambda epoch: 1.0])
