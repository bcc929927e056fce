"""One operation on tiny tensors, in either library, a hundred times a step: this measures the engine around it."""

import importlib

REPEAT = 100

OPERATIONS = {
    "x + y": lambda x, y: x + y,
    "x * y": lambda x, y: x * y,
    "x @ y": lambda x, y: x @ y,
    "x.sigmoid()": lambda x, y: x.sigmoid(),
    "x.sum()": lambda x, y: x.sum(),
    "x.reshape(2, 8)": lambda x, y: x.reshape(2, 8),
    "x.permute(1, 0)": lambda x, y: x.permute(1, 0),
    "x[0]": lambda x, y: x[0],
}


def operation(library, name, backward=False):
    """`library` is "torch" or "minitorch_cnn"; x and y are 4×4 and require gradients either way."""
    lib = importlib.import_module(library)
    function = OPERATIONS[name]
    x, y = (lib.tensor([[0.5 * i - j for i in range(4)] for j in range(4)], requires_grad=True) for _ in range(2))
    dz = lib.ones_like(function(x, y).detach())

    def step_forward():
        for _ in range(REPEAT):
            function(x, y)

    def step_both():
        for _ in range(REPEAT):
            x.grad = y.grad = None
            function(x, y).backward(dz)

    def check():
        x.grad = None
        z = function(x, y)
        z.backward(dz)
        return [float(z.detach().sum()), float(x.grad.sum())]

    return step_both if backward else step_forward, check
