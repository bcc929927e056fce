"""Is a gradient right? A difference quotient tells, if its step is neither too long nor too short."""

import textwrap

from drawing import drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import nn
from minitorch_cnn.inspection.figures import BLUE, GREEN, ORANGE, PINK

mt.manual_seed(0)
net = nn.Sequential(nn.Conv2d(1, 2, kernel_size=3), nn.Sigmoid(), nn.Flatten(), nn.Linear(2 * 6 * 6, 3)).double()
images, labels = mt.randn(4, 1, 8, 8, dtype=mt.float64), mt.tensor([0, 1, 2, 0])


def loss(w, dtype):
    """The loss with another value for one weight of the kernel."""
    net.to(dtype)[0].weight.data[0, 0, 1, 1] = w
    return F.cross_entropy(net(images.to(dtype)), labels)


w = net[0].weight[0, 0, 1, 1].item()
loss(w, mt.float64).backward()
exact = net[0].weight.grad[0, 0, 1, 1].item()

steps = [10 ** (-k / 2) for k in range(2, 25)]
quotients = {
    "(f(w + ε) − f(w)) / ε": (lambda e: (loss(w + e, mt.float64) - loss(w, mt.float64)).item() / e, ORANGE),
    "(f(w + ε) − f(w − ε)) / 2ε": (lambda e: (loss(w + e, mt.float64) - loss(w - e, mt.float64)).item() / 2 / e, BLUE),
    "the same in float32": (lambda e: (loss(w + e, mt.float32) - loss(w - e, mt.float32)).item() / 2 / e, GREEN),
}
errors = {name: [abs(quotient(e) - exact) / abs(exact) for e in steps] for name, (quotient, _) in quotients.items()}
print(f"backward says {exact:.10f} for one weight. How near to it difference quotients come:")
for name, found in errors.items():
    best = min(range(len(steps)), key=found.__getitem__)
    print(f"  {name:27} relative error {found[best]:.0e} at the best step, ε = {steps[best]:.0e}")
print("With a long step the function is no straight line (curvature); with a short one the rounding is too large.")
wrong = [abs(quotients["(f(w + ε) − f(w − ε)) / 2ε"][0](e) - 1.1 * exact) / abs(exact) for e in steps]
print(f"If backward were wrong by a tenth, no step would help: the error would never be below {min(wrong):.2f}.")

net.to(mt.float64)
print(f"gradcheck compares every input and parameter like this: {mt.gradcheck(net, images)}.")


class Cube(mt.autograd.Function):
    """y = x³;  dx = dy 3x², with a slip."""

    def forward(self, x):
        return x**3

    def backward(self, dy, y, x):
        return (dy * 2 * x**2,)


try:
    mt.gradcheck(lambda x: Cube()(x).sum(), mt.tensor([1.0, 2.0], dtype=mt.float64, requires_grad=True))
except mt.autograd.GradcheckError as error:
    print(f"Of y = x³ with the gradient 2x², it says:\n{textwrap.fill(str(error).splitlines()[0], 110)}")

with drawing(height=4.4, title="How far a difference quotient is from what backward gives") as figure:
    axes = figure.subplots()
    for (name, (_, colour)), found in zip(quotients.items(), errors.values()):
        axes.loglog(steps, [max(error, 1e-13) for error in found], "o-", color=figure.look.colour(colour), label=name)
    axes.loglog(steps, wrong, "--", color=figure.look.colour(PINK), label="if backward were wrong by 10 %")
    axes.set(xlabel="step ε", ylabel="relative error", ylim=(1e-13, 1e5))
    axes.invert_xaxis()
    axes.legend(loc="upper left")
    axes.text(0.03, 2e-13, "curvature", color=figure.look.quiet, ha="center")
    axes.text(1e-11, 2e-13, "rounding", color=figure.look.quiet, ha="center")
