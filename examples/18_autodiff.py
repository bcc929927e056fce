"""Autodiff, from one number up: every operation notes its inputs, and the chain rule is a walk back."""

from itertools import pairwise

from drawing import drawing

import minitorch_cnn as mt
from minitorch_cnn.inspection.figures import BLUE, ORANGE

# A single neuron, with one weight, and how wrong it is.
x, t = mt.tensor(1.5), mt.tensor(1.0)  # what comes in, and what should come out
w, b = mt.tensor(-0.8, requires_grad=True), mt.tensor(0.2, requires_grad=True)


def forward():
    product = w * x
    total = product + b
    p = mt.sigmoid(total)
    error = p - t
    return {"w·x": product, "w·x + b": total, "p = σ(w·x + b)": p, "p − t": error, "loss = (p − t)²": error**2}


print("A neuron, p = σ(w·x + b) with x = 1.5, should answer t = 1. Its error is the loss, (p − t)².")
steps = forward()
node, names = steps["loss = (p − t)²"].grad_fn, []
while node is not None and not isinstance(node, mt.Tensor):
    names.append(node.name)
    node = node.next_functions[0][0]
print("The loss remembers its operations, from the last to the first:", " ← ".join(names))

for value in steps.values():
    value.retain_grad()  # by default, only w and b keep their gradient
steps["loss = (p − t)²"].backward()
results = list(steps.items())
print("Walking back, each gradient is the one found before it times the derivative of one operation:")
for (name, value), (_, result) in reversed(list(pairwise(results))):
    factor = value.grad.item() / result.grad.item()
    print(f"  d loss / d ({name}) = {result.grad.item():.4f} × {factor:.4f} = {value.grad.item():.4f}")
print(f"  d loss / dw = {results[0][1].grad.item():.4f} × x = {w.grad.item():.4f};  d loss / db = {b.grad.item():.4f}")

loss = results[-1][1].item()
w.data[...] -= 1.0 * w.grad
b.data[...] -= 1.0 * b.grad
lower = forward()["loss = (p − t)²"].item()
print(f"A step against the gradient, to w = {w.item():.3f} and b = {b.item():.3f}: loss {loss:.4f}, then {lower:.4f}.")

y = mt.tensor(3.0, requires_grad=True)
(y * y + y).backward()
print(f"What is used three times gets the sum of three parts: d(y·y + y)/dy at 3 is {y.grad.item():.0f} = 3 + 3 + 1.")

first = mt.autograd.grad(y**3, y, create_graph=True)[0]
second = mt.autograd.grad(first, y)[0]
print("Gradients are computed by operations, so they have gradients too:", end=" ")
print(f"of y³ at 3, the first derivative is {first.item():.0f}, the second {second.item():.0f}.")

with drawing(width=9.6, height=3, title="Forwards the values, backwards the gradients", layout="none") as figure:
    look, axes = figure.look, figure.add_axes((0, 0, 1, 0.88))
    axes.set(xlim=(-0.5, 5.6), ylim=(-1.05, 1.05))
    axes.axis("off")
    values = [("w", -0.8, w.grad.item()), *((name, value.item(), value.grad.item()) for name, value in results)]
    for i, (name, value, gradient) in enumerate(values):
        box = {"boxstyle": "round,pad=0.5", "facecolor": look.ground, "edgecolor": look.quiet}
        axes.text(i, 0, name, ha="center", va="center", bbox=box, fontsize=11.5)
        axes.text(i, 0.62, f"{value:.3f}", ha="center", va="center", color=look.colour(BLUE), fontsize=14)
        axes.text(i, -0.62, f"{gradient:.3f}", ha="center", va="center", color=look.colour(ORANGE), fontsize=14)
        if i:
            arrow = {"arrowstyle": "-|>", "lw": 1.6, "shrinkA": 0, "shrinkB": 0}
            blue, orange = arrow | {"color": look.colour(BLUE)}, arrow | {"color": look.colour(ORANGE)}
            axes.annotate("", (i - 0.28, 0.62), (i - 0.72, 0.62), arrowprops=blue)
            axes.annotate("", (i - 0.72, -0.62), (i - 0.28, -0.62), arrowprops=orange)
            factor = values[i - 1][2] / gradient
            axes.text(i - 0.5, -0.87, f"× {factor:.3f}", ha="center", va="center", fontsize=11)
