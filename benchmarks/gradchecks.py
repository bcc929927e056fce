"""Which slips do the gradient checks of several libraries find, and where do they blame what is right?

    python benchmarks/environments.py      # once: makes the environments of the other libraries
    python benchmarks/gradchecks.py

Those that are installed here and in these environments are asked. Each slip is a forward and a backward, written once;
`xp` is the array library that runs them. Every library gets them as its custom operation, and its check the function
that is named, at its own settings. With ``--here`` the answers of this environment alone are printed, as JSON.
"""

import importlib.metadata
import json
import subprocess
import sys

import numpy as np
from environments import ENVIRONMENTS, is_made, python_of

X = np.random.default_rng(0).standard_normal(4)

# name -> (forward, backward). The function that is checked is the sum of what forward returns.
SLIPS = {
    "right: Σ x³": (lambda xp, x: x**3, lambda xp, dy, x: 3 * x**2 * dy),
    "a wrong factor": (lambda xp, x: x**3, lambda xp, dy, x: 2 * x**2 * dy),
    "a loss forgets dy": (lambda xp, x: (x**2).sum(), lambda xp, dy, x: 2 * x),
    "a loss squares dy": (lambda xp, x: (x**2).sum(), lambda xp, dy, x: 2 * x * dy**2),
    "a loss takes the sign of dy": (lambda xp, x: (x**2).sum(), lambda xp, dy, x: 2 * x * dy / abs(dy)),
    "behind sum(), the mean of dy": (lambda xp, x: x**2, lambda xp, dy, x: 2 * x * dy.mean()),
    "behind sum(), dy reversed": (lambda xp, x: x**2, lambda xp, dy, x: 2 * x * xp.flip(dy, (0,))),
    "behind sum(), softmax without a gradient": (
        lambda xp, x: xp.exp(x) / xp.exp(x).sum(),
        lambda xp, dy, x: 0 * dy,
    ),
    "right, at a kink: Σ relu(x) at 0": (lambda xp, x: (x - X[0]) * (x > X[0]), lambda xp, dy, x: dy * (x > X[0])),
    "right, of large values: Σ (x³ + 10⁸)": (lambda xp, x: x**3 + 1e8, lambda xp, dy, x: 3 * x**2 * dy),
}


def ours(forward, backward):
    """minitorch_cnn.gradcheck_report: whether all is well, or a text on what is no mistake."""
    import minitorch_cnn as mt

    class Operation(mt.autograd.Function):
        def forward(self, x):
            return forward(np, x)

        def backward(self, dy, _y, x):
            return (mt.tensor(np.asarray(backward(np, dy.detach().numpy(), x.detach().numpy()))),)

    x = mt.tensor(X, requires_grad=True)
    (row, *operations) = mt.gradcheck_report(lambda x: Operation()(x).sum(), x).rows
    if row.verdict == "ok":
        return not operations
    return {"kink": "a kink", "rounding": "rounding"}.get(row.verdict, False)


def pytorch(forward, backward):
    """torch.autograd.gradcheck."""
    import torch

    class Operation(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(torch, x)

        @staticmethod
        def backward(ctx, dy):
            return backward(torch, dy, *ctx.saved_tensors)

    x = torch.tensor(X, requires_grad=True)
    return torch.autograd.gradcheck(lambda x: Operation.apply(x).sum(), x, raise_exception=False)


def jax(forward, backward):
    """jax.test_util.check_grads."""
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    operation = jax.custom_vjp(lambda x: forward(jnp, x))
    operation.defvjp(lambda x: (forward(jnp, x), x), lambda x, dy: (backward(jnp, dy, x),))
    return passes(check_grads, lambda x: operation(x).sum(), (jnp.array(X),), order=1, modes=["rev"])


def autograd(forward, backward):
    """autograd.test_util.check_grads."""
    import autograd.numpy as anp
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    operation = primitive(lambda x: forward(np, x))
    defvjp(operation, lambda _y, x: lambda dy: backward(np, dy, x))
    return passes(check_grads(lambda x: anp.sum(operation(x)), modes=["rev"], order=1), X)


def chainer(forward, backward):
    """chainer.gradient_check.check_backward."""
    import chainer
    from chainer.gradient_check import check_backward

    class Operation(chainer.FunctionNode):
        def forward(self, inputs):
            self.retain_inputs((0,))
            return (np.asarray(forward(np, inputs[0])),)

        def backward(self, _indices, dys):
            (x,) = self.get_retained_inputs()
            return (chainer.Variable(np.asarray(backward(np, dys[0].array, x.array))),)

    return passes(check_backward, lambda x: chainer.functions.sum(Operation().apply((x,))[0]), (X,), None)


def scipy(forward, backward):
    """scipy.optimize.check_grad: it is handed the gradient, and knows no dy."""
    from scipy.optimize import check_grad

    def gradient(x):
        return backward(np, np.ones(np.shape(forward(np, x))), x)

    return bool(check_grad(lambda x: np.sum(forward(np, x)), gradient, X) < 1e-5)


def passes(check, *args, **kwargs):
    """Whether a check that raises an AssertionError does not."""
    try:
        check(*args, **kwargs)
    except AssertionError:
        return False
    return True


def answers():
    """By library, its version and what it says of each slip; only those that are installed here."""
    found = {}
    for library in (ours, pytorch, jax, autograd, chainer, scipy):
        try:
            said = {name: library(*slip) for name, slip in SLIPS.items()}
        except ImportError:
            continue
        name = library.__name__
        version = importlib.metadata.version({"pytorch": "torch"}.get(name, name)) if name != "ours" else ""
        found[name] = {"version": version.partition("+")[0], "says": said}
    return found


def word(said):
    """An answer as it stands in the table."""
    return {True: "passes", False: "found"}.get(said, said)


def main(options):
    """Print a table: a line for each slip, a column for each library."""
    found = answers()
    if "--here" in options:
        print(json.dumps(found))
        return
    for name in filter(is_made, ENVIRONMENTS):
        done = subprocess.run([python_of(name), __file__, "--here"], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout) | found
    names = [name for name in ("ours", "pytorch", "jax", "autograd", "chainer", "scipy") if name in found]
    print("| the sum of | " + " | ".join(f"{name} {found[name]['version']}".strip() for name in names) + " |")
    print("| --- |" + " --- |" * len(names))
    for slip in SLIPS:
        print(f"| {slip} | " + " | ".join(word(found[name]["says"][slip]) for name in names) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
