"""Random expressions of many operations, differentiated twice, by this library and by PyTorch."""

import numpy as np
from helpers import to_numpy

SHAPES = ((), (1,), (3,), (2, 3), (3, 1), (2, 1, 3), (2, 2, 2))
UNARY = {
    "exp": lambda m, x: m.exp(x * 0.3), "tanh": lambda m, x: m.tanh(x), "sigmoid": lambda m, x: x.sigmoid(),
    "relu": lambda m, x: m.relu(x), "abs": lambda m, x: abs(x), "neg": lambda m, x: -x, "square": lambda m, x: x**2,
    "cube": lambda m, x: x**3, "power 0": lambda m, x: x**0, "power 1": lambda m, x: x**1,
    "sign": lambda m, x: x.sign(), "root": lambda m, x: m.sqrt(x * x + 0.5), "log": lambda m, x: m.log(abs(x) + 1),
    "floor": lambda m, x: m.floor(x), "power": lambda m, x: (abs(x) + 0.5) ** 1.5, "base": lambda m, x: 1.5**x,
    "clamp": lambda m, x: x.clamp(-0.5, 1), "clamp min": lambda m, x: m.clamp(x, min=0.0),
    "reciprocal": lambda m, x: 1 / (x * x + 1), "plus": lambda m, x: x + 2, "twice": lambda m, x: x * 2,
    "half": lambda m, x: x / 2, "minus": lambda m, x: 1 - x, "clone": lambda m, x: x.clone(),
    "mask": lambda m, x: x * (x > 0), "where": lambda m, x: m.where(x > 0.1, x, -0.5 * x),
    "rest": lambda m, x: x % 0.7, "detached": lambda m, x: x * x.detach(),
    "float": lambda m, x: x + x.float().double(), "in place": lambda m, x: x.clone().mul_(2).add_(x),
    "set": lambda m, x: setting(m, x),
}  # fmt: skip
SHAPED = {
    "sum": lambda m, x, d: x.sum(d), "mean": lambda m, x, d: x.mean(d, keepdim=True),
    "sum of all": lambda m, x, d: x.sum(), "var": lambda m, x, d: x.var(d, correction=0),
    "std": lambda m, x, d: x.std(d, correction=0, keepdim=True), "max": lambda m, x, d: x.max(d)[0],
    "min": lambda m, x, d: m.min(x, d, keepdim=True)[0], "amax": lambda m, x, d: x.amax(d),
    "amin": lambda m, x, d: m.amin(x, d), "max of all": lambda m, x, d: x.max(),
    "logsumexp": lambda m, x, d: x.logsumexp(d), "softmax": lambda m, x, d: m.softmax(x, d),
    "log_softmax": lambda m, x, d: x.log_softmax(d), "transpose": lambda m, x, d: x.transpose(d, -1),
    "unsqueeze": lambda m, x, d: x.unsqueeze(d), "flat": lambda m, x, d: x.flatten(),
    "squeeze": lambda m, x, d: x.squeeze(d), "reshape": lambda m, x, d: x.reshape(-1),
    "first": lambda m, x, d: x.reshape(-1)[:1], "stack": lambda m, x, d: m.stack([x, x * x], d),
    "cat": lambda m, x, d: m.cat([x, 2 * x], d), "index": lambda m, x, d: x.reshape(-1)[[0, -1, 0]],
    "unbind": lambda m, x, d: x.unbind(d)[0], "expand": lambda m, x, d: x.expand(2, *x.shape),
    "slice": lambda m, x, d: x[..., :2], "flip": lambda m, x, d: x[..., [-1, 0]],
}  # fmt: skip
BINARY = {
    "+": lambda m, a, b: a + b, "-": lambda m, a, b: a - b, "*": lambda m, a, b: a * b,
    "/": lambda m, a, b: a / (b * b + 0.5), "**": lambda m, a, b: (abs(a) + 0.5) ** b,
    "maximum": lambda m, a, b: m.maximum(a, b), "minimum": lambda m, a, b: m.minimum(a, b),
    "where": lambda m, a, b: m.where(a > b, a, b), "@": lambda m, a, b: a @ b,
    "alpha": lambda m, a, b: m.add(a, b, alpha=-0.5), "power of 0": lambda m, a, b: (abs(a) + 0.5) ** (b * 0),
}  # fmt: skip


def setting(m, x):
    """A copy in which an element is replaced."""
    y = x.clone()
    y[..., -1:] = x.sum() * 0.1
    return y


def program(rng):
    """What a graph is made of: leaves, and steps that each name an operation and the places of its operands."""
    leaves = [values(rng, SHAPES[rng.integers(len(SHAPES))]) for _ in range(rng.integers(1, 4))]
    steps = []
    for i in range(rng.integers(2, 9)):
        table = (UNARY, SHAPED, BINARY, BINARY)[rng.integers(4)]
        name = list(table)[rng.integers(len(table))]
        places = [int(p) for p in rng.integers(0, len(leaves) + i, 2)]
        if rng.random() < 0.6:
            places[0] = len(leaves) + i - 1
        steps.append((table, name, places, int(rng.integers(-2, 3))))
    return leaves, steps


def values(rng, shape):
    """Numbers, some of them whole, so that there are zeros and equal ones."""
    x = rng.standard_normal(shape)
    return np.asarray(np.where(rng.random(shape) < 0.3, np.round(x), x))


def outcome(m, leaves, steps, **options):
    """The value of the graph's last tensor that could be made, and its derivatives of first and second order."""
    xs = [m.tensor(leaf, requires_grad=True, **options) for leaf in leaves]
    nodes, failed = list(xs), []
    for i, (table, name, (first, second), d) in enumerate(steps):
        operands = [nodes[first]] + ([d] if table is SHAPED else [nodes[second]] if table is BINARY else [])
        try:
            nodes.append(table[name](m, *operands))
        except (RuntimeError, IndexError, ValueError):  # of shapes that do not fit
            failed.append(i)
            nodes.append(nodes[first])
    y = nodes[-1]
    results = [y]
    loss = (y * y).sum() + nodes[len(nodes) // 2].sum()
    if loss.requires_grad:
        dxs = m.autograd.grad(loss, xs, create_graph=True, allow_unused=True)
        results += dxs
        penalty = sum((dx * dx).sum() * (i + 1) for i, dx in enumerate(dxs) if dx is not None and dx.requires_grad)
        if hasattr(penalty, "requires_grad") and penalty.requires_grad:
            results += m.autograd.grad(penalty, xs, allow_unused=True)
    missing = 1 + 2 * len(xs) - len(results)
    return failed, [array(r, x) for r, x in zip(results + [None] * missing, [None, *xs, *xs], strict=True)]


def array(result, like):
    """A result as an array; no gradient is a gradient of zero."""
    if result is None:
        return np.zeros(tuple(like.shape))
    return to_numpy(result) if hasattr(result, "array") else result.detach().numpy(force=True)  # of zeros, too


def agree(ours, theirs, steps):
    """Whether two outcomes are the same up to rounding.

    The second derivative of a standard deviation of 0 is NaN in PyTorch and 0 here.
    """
    if ours[0] != theirs[0] or any(a.shape != b.shape for a, b in zip(ours[1], theirs[1], strict=True)):
        return False
    of_std = any(name == "std" for _, name, _, _ in steps)
    return all(
        np.allclose(np.where(np.isnan(b), b, a) if of_std else a, b, rtol=1e-5, atol=1e-7, equal_nan=True)
        for a, b in zip(ours[1], theirs[1], strict=True)
    )
