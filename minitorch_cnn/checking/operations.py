"""Each operation behind a result, checked by itself with random gradients.

Behind a sum, all entries of dy are equal; behind a number, there is one. What `backward` does with them is seen only
where they differ: so every operation that the function has called is called once more, by itself.
"""

import threading
from contextlib import contextmanager

import numpy as np

from minitorch_cnn.autograd.function import Function, wants_grad
from minitorch_cnn.autograd.mode import enable_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.autograd.walk import grad
from minitorch_cnn.backend import asarray, to_numpy
from minitorch_cnn.checking.diagnosis import SCALE, dependence
from minitorch_cnn.checking.report import Row

WORKS = "works in place"
HIDDEN = "In the function checked, something hides it: behind sum(), all entries of dy are equal."

_noting = threading.RLock()


@contextmanager
def noted():
    """Note the operations that this thread calls in a ``with`` block, with copies of their inputs."""
    calls, thread, is_inside = [], threading.get_ident(), False

    def noting(self, *inputs):
        nonlocal is_inside
        if is_inside or threading.get_ident() != thread:
            return call(self, *inputs)
        before = [_copy(x) for x in inputs]
        is_inside = True
        try:
            output = call(self, *inputs)
        finally:
            is_inside = False
        if output.requires_grad:
            calls.append((self, before))
        return output

    with _noting:  # one thread at a time
        call = Function.__call__
        Function.__call__ = noting
        try:
            yield calls
        finally:
            Function.__call__ = call


def mistaken(calls, eps, tolerance):
    """A row for each operation that is wrong by itself, and only the first of a name."""
    with enable_grad():
        rows = [_alone(*call, eps, tolerance) for call in reversed(calls)]
    return list({row.name: row for row in rows if row is not None}.values())[::-1]


def _alone(operation, inputs, eps, tolerance):
    """A row, if ⟨dy, y'⟩ is not Σ ⟨dx, x'⟩ for random dy, where y' is the velocity of y as each x moves with x'.

    dy is 0 for the entries of y that have a kink here: then none is reported that the function itself does not meet.
    """
    xs = [_copy(x) for x in inputs]
    y = operation(*xs)
    leaves = [x for x in xs if wants_grad(x)]
    if any(x.dtype != np.float64 for x in (y, *leaves)) or any(y.array is getattr(x, "array", None) for x in xs):
        return None  # in single precision a quotient says nothing; and what works in place returns that input
    if not _all_same(xs, inputs):
        return _found(operation, y, "in place", f"{WORKS}: forward changes its inputs. Let it work on a copy.")

    rng = np.random.default_rng(0xD1CE)
    sizes = [np.nan_to_num(np.maximum(1, np.abs(to_numpy(x.array))), posinf=0) for x in leaves]  # infinities stay
    velocities = [rng.standard_normal(size.shape) * size for size in sizes]
    try:
        below, again, above = (_value(operation, inputs, velocities, t) for t in (-eps, 0, eps))
    except Exception:  # it may refuse what is moved so, as a probability that is none
        return None
    center = np.array(to_numpy(y.array))
    if not np.array_equal(center, again, equal_nan=True):
        return None  # random, but for a seed that the function sets
    velocity, coarse = _velocity(below, center, above, eps, tolerance)
    dy = rng.standard_normal(y.shape) * np.isfinite(velocity)
    parts, coarse = (np.where(np.isfinite(velocity), z, 0) * dy for z in (velocity, coarse))

    given = [Tensor(asarray(scale * dy, y.device)) for scale in (1, SCALE)]
    first, second = ([to_numpy(dx.array) for dx in _gradients_of_leaves(y, leaves, handed)] for handed in given)
    if not _all_same(given, [dy, SCALE * dy]):
        return _found(operation, y, "in place", f"{WORKS}: backward changes dy, which others read too. Use dy.clone().")
    if not _all_same(xs, inputs):
        return _found(
            operation, y, "in place", f"{WORKS}: backward changes the inputs that it reads. Use their clone()."
        )
    is_single = any(map(_is_single, first))
    first, second = _flat(first), _flat(second)
    if not np.isfinite(first).all():
        return None  # 0 / 0, at a place where the function has no derivative either
    excess = tolerance.excess(second, SCALE * first)
    if (excess > 1).any():
        return _found(
            operation, y, "not linear",
            f"has a backward that is not linear in dy: for {SCALE} dy it gives {second[excess.argmax()]:.6g} where "
            f"{SCALE * first[excess.argmax()]:.6g} is right. {dependence(first, second)}",
        )  # fmt: skip
    if is_single:
        return _found(
            operation, y, "wrong", "has a backward that computes in float32 for float64: half of the digits are lost."
        )
    analytic, numeric = float(first @ _flat(velocities)), float(parts.sum())
    allowed = tolerance.atol + tolerance.rtol * np.linalg.norm(parts) + np.linalg.norm(coarse)
    if abs(analytic - numeric) <= allowed:
        return None
    return _found(
        operation, y, "wrong",
        f"has a wrong backward: for a random dy, and along a random direction, backward gives {analytic:.6g}, the "
        f"difference quotient {numeric:.6g}. {HIDDEN}", analytic, numeric,
    )  # fmt: skip


def _is_single(dx):
    """Whether a gradient for a random dy has no more digits than float32: the engine has brought it back to float64."""
    some = dx[(dx != 0) & np.isfinite(dx)]
    with np.errstate(all="ignore"):
        return some.size > 0 and np.array_equal(some, some.astype(np.float32))


def _velocity(below, center, above, eps, tolerance):
    """The difference quotients, NaN at a kink, where those to either side differ; and how coarse they are."""
    with np.errstate(all="ignore"):
        left, right = (center - below) / eps, (above - center) / eps
        coarse = 4 * np.finfo(float).eps * np.abs(center) / eps
        is_smooth = np.abs(left - right) <= tolerance(np.minimum(np.abs(left), np.abs(right))) + coarse
        return np.where(is_smooth, (left + right) / 2, np.nan), coarse


def _value(operation, inputs, velocities, t):
    """The result, with each input that wants a gradient moved by t times its velocity."""
    velocities = iter(velocities)
    moved = [Tensor(x.array + asarray(t * next(velocities), x.device)) if wants_grad(x) else _copy(x) for x in inputs]
    return np.array(to_numpy(operation(*moved).array))


def _gradients_of_leaves(y, leaves, dy):
    """The gradients of all leaves; zeros where none arrives."""
    dxs = grad(y, leaves, dy, retain_graph=True, allow_unused=True)
    return [x.detach() * 0 if dx is None else dx for x, dx in zip(leaves, dxs, strict=True)]


def _found(operation, y, verdict, explanation, analytic=np.nan, numeric=np.nan):
    error = abs(analytic - numeric)
    with np.errstate(all="ignore"):
        relative = error / max(abs(analytic), abs(numeric), np.finfo(float).tiny)
    name = f"operation {operation.name}"
    return Row(name, y.shape, "directions", 1, 1, error, relative, None, analytic, numeric, verdict, explanation)


def _copy(x):
    """A leaf with the values of an input; a number is itself."""
    return Tensor(x.array.copy(order="K"), wants_grad(x)) if isinstance(x, Tensor) else x


def _all_same(xs, others):
    """Whether two lists, of tensors, arrays or numbers, have the same values."""
    pairs = [[to_numpy(z.array) if isinstance(z, Tensor) else np.asarray(z) for z in pair] for pair in zip(xs, others)]
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


def _flat(arrays):
    return np.concatenate([array.reshape(-1) for array in arrays])
