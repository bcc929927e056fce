"""Which slips do the gradient checks of several libraries find? Those that are installed are asked, side by side.

    python benchmarks/gradchecks.py

Each slip is a forward and a backward, written once; `xp` is the array library that runs them. Every library gets them
as its custom operation, and its check the function that is named, at its own settings.
"""

import numpy as np

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
}


def ours(forward, backward):
    """minitorch_cnn.gradcheck."""
    import minitorch_cnn as mt

    class Operation(mt.autograd.Function):
        def forward(self, x):
            return forward(np, x)

        def backward(self, dy, _y, x):
            return (mt.tensor(np.asarray(backward(np, dy.detach().numpy(), x.detach().numpy()))),)

    x = mt.tensor(X, requires_grad=True)
    return mt.gradcheck(lambda x: Operation()(x).sum(), x, raise_exception=False)


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


def main():
    """Print a table: a line for each slip, a column for each library that is installed."""
    libraries = []
    for library in (ours, pytorch, jax, autograd, scipy):
        try:
            library(*SLIPS["right: Σ x³"])
            libraries.append(library)
        except ImportError:
            print(f"{library.__name__} is not installed")
    print("| the sum of | " + " | ".join(library.__name__ for library in libraries) + " |")
    print("| --- |" + " --- |" * len(libraries))
    for name, slip in SLIPS.items():
        print(f"| {name} | " + " | ".join("passes" if library(*slip) else "found" for library in libraries) + " |")


if __name__ == "__main__":
    main()
