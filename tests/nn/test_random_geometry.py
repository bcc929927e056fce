"""Random convolutions and poolings of images with inf and NaN: as in PyTorch, and on both devices."""

import warnings

import numpy as np
import pytest
import random_geometry
from helpers import needs_torch, torch

import minitorch_cnn as mt


@pytest.mark.parametrize("seed", range(6))
def test_windows_of_images_with_inf_and_nan(device, seed):
    needs_torch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(60):
            name, function, arrays = random_geometry.program(np.random.default_rng([seed, i]))
            ours = random_geometry.outcome(mt, function, arrays, device=device)
            theirs = random_geometry.outcome(torch, function, arrays)
            settings = dict(zip(function.__code__.co_freevars, (c.cell_contents for c in function.__closure__)))
            assert random_geometry.agree(ours, theirs), f"{name} {settings}: {arrays}: {ours}, in PyTorch {theirs}"
