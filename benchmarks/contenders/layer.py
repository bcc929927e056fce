"""One layer, forward and backward, in either library: the names are the same, and so is the code.

An input and the gradient that comes in lie in memory as the layer before and the layer behind would hand them on:
images of minitorch_cnn with the batch innermost, those of PyTorch one after the other.
"""

import importlib
import os

import numpy as np


def layer(library, kind, args, shape, batch, options=None):
    """`library` is "torch" or "minitorch_cnn"; an input has the shape (batch, *shape)."""
    lib = importlib.import_module(library)
    if library == "torch":
        lib.set_num_threads(len(os.sched_getaffinity(0)))
    net = getattr(lib.nn, kind)(*args, **(options or {}))
    rng = np.random.default_rng(0)
    draw = {"torch": lib.from_numpy, "minitorch_cnn": lambda a: lib.from_numpy(batch_innermost(a))}[library]
    with lib.no_grad():
        for parameter in net.parameters():
            parameter.copy_(lib.from_numpy(rng.uniform(-0.1, 0.1, tuple(parameter.shape)).astype(np.float32)))
    x = draw(rng.standard_normal((batch, *shape), dtype=np.float32)).requires_grad_()
    with lib.no_grad():
        output = tuple(net(x[:2]).shape[1:])
    dy = draw(rng.standard_normal((batch, *output), dtype=np.float32))

    def step():
        net(x).backward(dy)
        gradients = [leaf.grad for leaf in (x, *net.parameters())]
        x.grad = None
        net.zero_grad()
        return gradients

    def check():
        """The root of the mean square of each gradient."""
        return [float((gradient**2).mean()) ** 0.5 for gradient in step()]

    return step, check


def batch_innermost(array):
    if array.ndim != 4:
        return array
    return np.ascontiguousarray(array.transpose(2, 1, 3, 0)).transpose(3, 1, 0, 2)
