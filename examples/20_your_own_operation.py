"""An operation of one's own: a value, a derivative, and all that follows by itself."""

import numpy as np
from drawing import drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import nn, optim
from minitorch_cnn.inspection.figures import BLUE, GREEN, ORANGE


class Bump(mt.autograd.Function):
    """y = exp(-x²);  dx = dy (-2 x y)."""

    reads = {"dx": "x y"}  # whose values backward needs: no others are kept

    def forward(self, x):  # arrays
        return np.exp(-x * x)

    def backward(self, dy, y, x):  # tensors: so that it can be differentiated again
        return (dy * -2 * x * y,)


def bump(x):
    return Bump()(x)


x = mt.linspace(-3, 3, 25, dtype=mt.float64, requires_grad=True)
print(f"The operation is a bump, exp(-x²). Its derivative agrees with difference quotients: {mt.gradcheck(bump, x)}.")
print(f"So does the second derivative, which follows by itself: {mt.gradgradcheck(bump, x)}.")

x = mt.linspace(-3, 3, 121, requires_grad=True)
y = bump(x)
(slope,) = mt.autograd.grad(y.sum(), x, create_graph=True)
(curvature,) = mt.autograd.grad(slope.sum(), x)
steepest = x[int(slope.argmin())].item()
print(f"The bump falls fastest at x = {steepest:.2f}, where the second derivative is 0: at √½ = {0.5**0.5:.2f}.")


class Bumps(nn.Module):
    """A layer of it: a sum of bumps, whose places, widths and heights are learned."""

    def __init__(self, count):
        super().__init__()
        self.places, self.heights = nn.Linear(1, count), nn.Linear(count, 1)

    def forward(self, x):  # (N, 1)
        return self.heights(bump(self.places(x)))  # (N, count), (N, 1)


mt.manual_seed(0)
inputs = mt.linspace(-3, 3, 60).reshape(60, 1)
wanted = mt.sin(3 * inputs) * inputs + 0.15 * mt.randn(60, 1)
net = Bumps(12)
before = net(inputs).detach()
optimizer = optim.Adam(net.parameters(), lr=0.05)
losses = []
for _ in range(600):
    optimizer.zero_grad()
    l = F.mse_loss(net(inputs), wanted)
    l.backward()
    optimizer.step()
    losses.append(l.item())
print(f"Twelve bumps learn a curve from 60 noisy points: the mean squared error falls from {losses[0]:.2f}")
print(f"to {losses[-1]:.3f}. The noise alone has {0.15**2:.3f}: they have learned some of it, too.")

with drawing(width=9, height=3.8) as figure:
    left, right = figure.subplots(1, 2)
    for values, colour, name in ((y, BLUE, "y"), (slope, ORANGE, "y′"), (curvature, GREEN, "y″")):
        left.plot(x.detach().numpy(), values.detach().numpy(), color=figure.look.colour(colour), label=name)
    left.axhline(0, color=figure.look.quiet, linewidth=0.6)
    left.set(title="exp(−x²), and two derivatives from one rule", xlabel="x")
    left.legend()
    right.plot(inputs.numpy(), wanted.numpy(), ".", color=figure.look.quiet, label="points")
    right.plot(inputs.numpy(), before.numpy(), ":", color=figure.look.quiet, label="before learning")
    right.plot(inputs.numpy(), net(inputs).detach().numpy(), color=figure.look.colour(BLUE), label="twelve bumps")
    right.set(title="twelve bumps, added, learn a curve", xlabel="x")
    right.legend(loc="upper center")
