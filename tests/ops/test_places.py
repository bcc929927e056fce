"""What is read and written by places along a dimension; and names that scripts for PyTorch use."""

import numpy as np
import pytest
from helpers import needs_torch

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F

x = mt.arange(12.0).reshape(3, 4)


def test_scatter_takes_what_it_needs_of_a_larger_source():
    needs_torch()
    import torch

    for m in (mt, torch):
        index, source = m.tensor([[2, 0]]), m.arange(20.0).reshape(4, 5)
        found = m.zeros(3, 4).scatter_(0, index, source)
        assert found.tolist() == [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_the_gradient_of_a_place_that_is_read_twice_is_the_sum():
    a = mt.tensor([[1.0, 2.0]], requires_grad=True)
    a.gather(1, mt.tensor([[1, 1]])).sum().backward()
    assert a.grad.tolist() == [[0, 2]]


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (lambda: x.gather(0, mt.tensor([[3]])), RuntimeError, "out of bounds for dimension 0 with size 3"),
        (lambda: x.gather(1, mt.tensor([[-1]])), RuntimeError, "out of bounds for dimension 1 with size 4"),
        (lambda: x.gather(0, mt.tensor([1])), RuntimeError, r"index of 2 dimensions.*got shape \(1,\)"),
        (lambda: x.gather(0, mt.zeros(1, 5).long()), RuntimeError, r"no larger than shape \(3, 4\).*\(1, 5\)"),
        (lambda: x.gather(0, mt.tensor([[1.0]])), RuntimeError, "index of int64, got float32"),
        (lambda: x.gather(2, mt.tensor([[1]])), IndexError, "2"),
        (lambda: x.clone().scatter_(0, mt.tensor([[3]]), 1), RuntimeError, "out of bounds for dimension 0"),
        (lambda: x.clone().scatter_(0, mt.tensor([[0]])), TypeError, "scatter_ expected src"),
        (lambda: x.repeat(2), RuntimeError, r"each of 2 dimensions, got \(2,\)"),
        (lambda: x.repeat(2, -1), RuntimeError, r"0 or more.*got \(2, -1\)"),
        (lambda: F.one_hot(mt.tensor([0, 3]), 3), RuntimeError, "labels from 0 to 2, got 0 to 3"),
        (lambda: F.one_hot(mt.tensor([-1, 3])), RuntimeError, "labels from 0 to 3, got -1 to 3"),
        (lambda: F.one_hot(mt.tensor([0.0])), RuntimeError, "int64, got float32"),
        (lambda: F.one_hot(mt.tensor([1]), 0), RuntimeError, "num_classes of 1 or more, got 0"),
        (lambda: F.one_hot(mt.zeros(0).long()), RuntimeError, "got -1 for 0 labels"),
    ],
)
def test_what_does_not_fit_is_refused(function, error, text):
    with pytest.raises(error, match=text):
        function()
    assert x.tolist() == np.arange(12.0).reshape(3, 4).tolist()


def test_names_that_scripts_use():
    assert [mt.float, mt.double, mt.int, mt.long] == [mt.float32, mt.float64, mt.int32, mt.int64]
    assert x.nelement() == x.numel() == 12
    assert F.one_hot(mt.zeros(0, 2).long(), 3).shape == (0, 2, 3)
    mt.backends.cudnn.benchmark = True
    first = mt.cuda.manual_seed_all(3) and mt.rand(2)
    assert mt.cuda.manual_seed(3) and mt.equal(mt.rand(2), first)
