"""Random programs on numbers, and random expressions differentiated twice: as in PyTorch, and on both devices."""

import warnings

import numpy as np
import pytest
import random_graphs
import random_numbers
from helpers import needs_torch, torch

import minitorch_cnn as mt

SEEDS = range(6)


def shown(operands):
    return "; ".join(f"{x.dtype} {x.tolist()}" if isinstance(x, np.ndarray) else repr(x) for x in operands)


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_of_all_types(seed):
    needs_torch()
    for i in range(150):
        name, function, operands = random_numbers.program(np.random.default_rng([seed, i]))
        if not random_numbers.is_declared(name, operands):
            ours, theirs = (random_numbers.outcome(m, function, operands) for m in (mt, torch))
            assert random_numbers.agree(ours, theirs), f"{name}: {shown(operands)}: {ours}, in PyTorch {theirs}"


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_of_all_types_on_both_devices(gpu, seed):
    for i in range(100):
        name, function, operands = random_numbers.program(np.random.default_rng([seed, i]))
        if name not in ("where", "tensor", "tensors", "full"):  # which make tensors of their own, on a CPU
            ours, theirs = (random_numbers.outcome(mt, function, operands, device=d) for d in ("cuda", "cpu"))
            assert random_numbers.agree(ours, theirs), f"{name}: {shown(operands)}: {ours}, on a CPU {theirs}"


@pytest.mark.parametrize("seed", SEEDS)
def test_expressions_to_second_order(seed):
    needs_torch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(30):
            leaves, steps = random_graphs.program(np.random.default_rng([seed, i]))
            ours, theirs = (random_graphs.outcome(m, leaves, steps) for m in (mt, torch))
            assert random_graphs.agree(ours, theirs, steps), f"{leaves}, {[step[1:] for step in steps]}"


@pytest.mark.parametrize("seed", SEEDS)
def test_expressions_on_both_devices(gpu, seed):
    for i in range(20):
        leaves, steps = random_graphs.program(np.random.default_rng([seed, i]))
        ours, theirs = (random_graphs.outcome(mt, leaves, steps, device=d) for d in ("cuda", "cpu"))
        assert random_graphs.agree(ours, theirs, steps), f"{leaves}, {[step[1:] for step in steps]}"
