"""Compare gradients with difference quotients, for every tensor that requires grad."""

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.autograd.walk import grad
from minitorch_cnn.backend import asarray, to_numpy
from minitorch_cnn.checking.compare import Problem, by_direction, by_element
from minitorch_cnn.checking.diagnosis import Tolerance
from minitorch_cnn.checking.line import Outputs
from minitorch_cnn.checking.report import GradcheckError, GradcheckReport
from minitorch_cnn.nn.state import unchanged

LARGE = 100  # in fast mode, tensors of more elements are checked along random directions


def gradcheck(
    func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0, fast_mode=False,
    allow_kinks=False,
):  # fmt: skip
    """Compare the gradients of a function with central differences, for every input that requires grad.

    Each element x of an input is moved by `eps` to both sides; ``(f(x + eps) - f(x - eps)) / (2 eps)`` is what the
    gradient should be. If `func` returns more than one number, what is checked is their sum with random weights. Where
    the two disagree, the step size is varied, to tell a wrong formula from rounding and from a kink.

    Parameters
    ----------
    func : callable or Module
        Takes the inputs and returns a tensor or several. The parameters of a module are checked as well.
    inputs : Tensor or sequence
        What to call it with; tensors that require grad must be float64.
    eps : float
        How far to move, in units of x. The error of the quotient is of order eps² from the formula and
        1e-16 / eps from rounding.
    atol, rtol : float
        The gradients agree where ``|analytic - numeric| <= atol + rtol * |numeric|``.
    raise_exception : bool
        Whether to raise where they do not, or to return False.
    nondet_tol : float
        By how much two calls with the same inputs may differ, in outputs and gradients.
    fast_mode : bool
        Whether to compare, for a tensor of more than 100 elements, derivatives along three random directions in
        place of one per element. A mistake in a single element is seen in tensors of up to some 100,000.
    allow_kinks : bool
        Whether to tolerate a disagreement at a kink, such as relu at 0 or two equal entries of a max.

    Returns
    -------
    bool
        True if all gradients agree.

    Raises
    ------
    GradcheckError
        Naming each tensor, the worst index with both values, and the reason. Also if `func` draws random numbers.
    TypeError
        If an input that requires grad is not float64: in float32 the quotient is mostly rounding error. If `func`
        returns anything but a tensor, or a tuple or list of them: it would not be checked.
    ValueError
        If no input requires grad, elements of one share their memory, no output is of a floating-point type, or
        `eps` is not positive.

    See Also
    --------
    gradcheck_report : the same, as a table

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([0.5, -1.0], dtype=mt.float64, requires_grad=True)
    >>> gradcheck(mt.sigmoid, x)
    True
    >>> y = mt.tensor([0.5, 0.0], dtype=mt.float64, requires_grad=True)
    >>> gradcheck(mt.relu, y, raise_exception=False), gradcheck(mt.relu, y, allow_kinks=True)
    (False, True)
    """
    settings = {"eps": eps, "atol": atol, "rtol": rtol, "nondet_tol": nondet_tol, "fast_mode": fast_mode}
    return _verdict(lambda: gradcheck_report(func, inputs, sweep=False, **settings), raise_exception, allow_kinks)


def gradgradcheck(
    func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0,
    fast_mode=False, allow_kinks=False,
):  # fmt: skip
    """`gradcheck` of the gradients of a function: its second derivatives.

    Parameters and errors are those of `gradcheck`, and:

    Parameters
    ----------
    grad_outputs : Tensor or sequence of Tensor, optional
        The gradients with respect to the outputs that the walk back begins with; random ones by default.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([0.5, -1.0], dtype=mt.float64, requires_grad=True)
    >>> gradgradcheck(mt.sigmoid, x)
    True
    """
    settings = {"eps": eps, "atol": atol, "rtol": rtol, "nondet_tol": nondet_tol, "fast_mode": fast_mode}
    return _verdict(
        lambda: gradgradcheck_report(func, inputs, grad_outputs, sweep=False, **settings), raise_exception, allow_kinks
    )


def gradcheck_report(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, nondet_tol=0.0, fast_mode=False, sweep=True):
    """`gradcheck`, tensor by tensor: a table that does not stop at the first mistake.

    Parameters are those of `gradcheck`, and:

    Parameters
    ----------
    sweep : bool
        Whether to vary the step size for every tensor, not only for those that disagree.

    Returns
    -------
    GradcheckReport
        Print it; ``report.rows`` holds the numbers, ``report.figure()`` draws the error against the step size.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([0.5, -1.0], dtype=mt.float64, requires_grad=True)
    >>> report = gradcheck_report(mt.sigmoid, x)
    >>> report.ok, [(row.name, row.verdict) for row in report.rows]
    (True, [('input 0', 'ok')])
    """
    inputs = _as_tuple(inputs)
    return _check(
        lambda: _outputs(func, inputs), _named(func, inputs), func, eps, atol, rtol, nondet_tol, fast_mode, sweep
    )


def gradgradcheck_report(
    func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, nondet_tol=0.0, fast_mode=False, sweep=True
):
    """`gradgradcheck`, tensor by tensor: the gradients of the gradients; see `gradcheck_report`."""
    inputs = _as_tuple(inputs)
    tensors = _named(func, inputs)
    outputs = [y for y in _outputs(func, inputs) if y.requires_grad]
    if not outputs:
        raise ValueError("gradgradcheck has nothing to check: no output depends on an input that requires grad")
    if grad_outputs is None:
        rng = np.random.default_rng(1)
        dys = [_like(rng.standard_normal(y.shape), y).requires_grad_() for y in outputs]
    else:
        dys = _as_tuple(grad_outputs)

    def first_derivatives():
        ys = [y for y in _outputs(func, inputs) if y.requires_grad]
        dxs = grad(ys, list(tensors.values()), dys, create_graph=True, allow_unused=True)
        return [dx for dx in dxs if dx is not None]

    everything = tensors | {f"gradient of output {i}": dy for i, dy in enumerate(dys) if dy.requires_grad}
    return _check(first_derivatives, everything, func, eps, atol, rtol, nondet_tol, fast_mode, sweep)


# --- what is checked, and how ----------------------------------------------------------------------------


def _verdict(check, raise_exception, allow_kinks):
    """True, or an error, or False in place of it."""
    try:
        report = check()
        if not report.passes(allow_kinks):
            raise GradcheckError(report.message(), report)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(function, tensors, func, eps, atol, rtol, nondet_tol, fast_mode, sweep):
    """The report on the gradients of what `function` returns with respect to named tensors."""
    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps}: it is how far each element is moved")
    with unchanged(func):  # such as the running mean of a batch normalisation
        outputs = function()
        weights = _weights(outputs)
        gradients = _gradients(outputs, tensors.values(), weights)
        again = function()
        _refuse_random("the outputs", _arrays(outputs), _arrays(again), nondet_tol)
        _refuse_random("the gradients", gradients, _gradients(again, tensors.values(), weights), nondet_tol)

        resolution = _vector([np.full(y.shape, np.finfo(y.dtype).eps) for y in outputs])
        values = lambda: _vector(_arrays(function()))  # noqa: E731
        problem = Problem(Outputs(values, values(), _vector(weights), resolution), eps, Tolerance(atol, rtol), sweep)
        rows = [
            (by_direction if fast_mode and x.numel() > LARGE else by_element)(problem, name, x, dx)
            for (name, x), dx in zip(tensors.items(), gradients, strict=True)
        ]
    return GradcheckReport(rows, eps, atol, rtol)


def _weights(outputs):
    """1 for a single number; else random ones, so that mistakes do not cancel in the sum of the outputs."""
    if len(outputs) == 1 and outputs[0].numel() == 1:
        return [np.ones(outputs[0].shape)]
    rng = np.random.default_rng(0x5EED)  # no seed that inputs are drawn from: weights equal to them could hide a slip
    return [rng.standard_normal(y.shape) for y in outputs]


def _gradients(outputs, tensors, weights):
    """What `backward` says, as NumPy arrays; zeros where no gradient arrives."""
    tensors = list(tensors)
    ys = [y for y in outputs if y.requires_grad]
    dys = [_like(w, y) for w, y in zip(weights, outputs, strict=True) if y.requires_grad]
    dxs = grad(ys, tensors, dys, allow_unused=True)
    return [np.zeros(x.shape) if dx is None else to_numpy(dx.array) for x, dx in zip(tensors, dxs, strict=True)]


def _refuse_random(what, first, second, nondet_tol):
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        if a.shape != b.shape or not np.allclose(a, b, rtol=0, atol=nondet_tol, equal_nan=True):
            raise GradcheckError(
                f"two calls with the same inputs differ in {what} (number {i}, of shape {a.shape}): the function draws "
                "random numbers, like dropout in training, or remembers its last call. Check a module in evaluation, "
                "after .eval(), or set the seed inside of the function; nondet_tol allows small differences"
            )


def _named(func, inputs):
    """The tensors whose gradients are checked, by name."""
    named = {f"input {i}": x for i, x in enumerate(inputs) if isinstance(x, Tensor)}
    if hasattr(func, "named_parameters"):
        named |= {f"parameter {name}": parameter for name, parameter in func.named_parameters()}
    named = {name: x for name, x in named.items() if x.requires_grad}
    if not named:
        raise ValueError("gradcheck expected at least one input that requires grad; got none")
    for name, x in named.items():
        if x.dtype != np.float64:
            raise TypeError(
                f"gradcheck needs float64, but {name} is {x.dtype}: a difference quotient in float32 is mostly "
                "rounding error. Convert inputs, and modules, with .double()"
            )
        if x.numel() and any(stride == 0 and size > 1 for stride, size in zip(x.array.strides, x.shape, strict=True)):
            raise ValueError(f"elements of {name} share their memory, as expand() makes them; pass a clone() of it")
    return named


def _as_tuple(inputs):
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def _outputs(func, inputs):
    """What a function returns, but for tensors of integers, which have no gradient."""
    outputs = func(*inputs)
    outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
    if not isinstance(outputs, (tuple, list)):
        raise TypeError(
            f"gradcheck needs a function that returns a tensor or a tuple of tensors, got {type(outputs).__name__}: "
            "wrap it in a lambda that picks them"
        )
    for i, y in enumerate(outputs):
        if not isinstance(y, Tensor):
            raise TypeError(
                f"gradcheck needs a function that returns a tensor or a tuple of tensors, but output {i} is of type "
                f"{type(y).__name__}: wrap it in a lambda that picks the tensors"
            )
    floating = [y for y in outputs if y.is_floating_point()]
    if not floating:
        raise ValueError("gradcheck has nothing to check: none of its outputs is of a floating-point type")
    return floating


def _arrays(tensors):
    return [to_numpy(x.array) for x in tensors]


def _vector(arrays):
    return np.concatenate([array.reshape(-1) for array in arrays])


def _like(array, tensor):
    return Tensor(asarray(array, tensor.device, tensor.dtype))
