"""The same LeNet for every framework: initial weights, a batch, and five steps that must go down the same way."""

import numpy as np

LR = 0.1
SHAPES = [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]  # as PyTorch has them: outputs first


def weights():
    """Xavier-uniform weights and biases of zero, float32, in turn for each of the five layers."""
    rng = np.random.default_rng(0)
    arrays = []
    for shape in SHAPES:
        field = int(np.prod(shape[2:]))
        limit = (6 / (field * (shape[0] + shape[1]))) ** 0.5
        arrays += [rng.uniform(-limit, limit, shape).astype(np.float32), np.zeros(shape[0], np.float32)]
    return arrays


def batch(n):
    """Random images (N, 1, 28, 28) and labels (N,): the arithmetic of a step does not depend on them."""
    rng = np.random.default_rng(1)
    return rng.random((n, 1, 28, 28), dtype=np.float32), rng.integers(0, 10, n)


def checked(step):
    """What a worker needs: the step, which returns the loss, and the losses of the first five."""
    return step, lambda: [float(step()) for _ in range(5)]
