"""Learn the edge detector from what goes in and what should come out, knowing nothing else."""

from drawing import drawing

import minitorch_cnn as mt
from minitorch_cnn import d2l, nn
from minitorch_cnn.inspection.figures import BLUE, GREEN, ORANGE

mt.manual_seed(0)
X = mt.ones((6, 8))
X[:, 2:6] = 0
Y = d2l.corr2d(X, mt.tensor([[1.0, -1.0]]))
X, Y = X.reshape(1, 1, 6, 8), Y.reshape(1, 1, 6, 7)  # a layer takes (batch, channels, height, width)


def learn(conv2d, lr=3e-2, steps=10):
    """The kernel before each step and after the last, and the loss of each."""
    kernels, losses = [conv2d.weight.flatten().tolist()], []
    for _ in range(steps):
        l = ((conv2d(X) - Y) ** 2).sum()
        conv2d.zero_grad()
        l.backward()
        conv2d.weight.data[:] -= lr * conv2d.weight.grad  # a step downhill, by hand
        kernels.append(conv2d.weight.flatten().tolist())
        losses.append(l.item())
    return kernels, losses


layers = [nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False) for _ in range(3)]
layers[1].weight.data[:] = mt.tensor([-1.5, -1.5]).reshape(1, 1, 1, 2)
layers[2].weight.data[:] = mt.tensor([-1.0, 1.5]).reshape(1, 1, 1, 2)
ways = [learn(layer) for layer in layers]
for step, (kernel, l) in enumerate(zip(*ways[0])):
    print(f"step {step}: kernel [{kernel[0]:6.3f}, {kernel[1]:6.3f}], loss {l:7.3f}")
print("After ten steps: kernel [{:.4f}, {:.4f}]; it should become [1, -1].".format(*ways[0][0][-1]))
first, second = ways[0][0][:2]
along, across = sum(second) / sum(first), (second[0] - second[1] - 2) / (first[0] - first[1] - 2)
print(f"Each step multiplies the error along [1, -1] by {across:.2f}, and along [1, 1] by {along:.2f}. There the loss")
print("is steep: a step goes too far, to the other side. With a learning rate above 1/30 the error would grow.")

# The loss of every kernel on a grid, all at once: one layer with 81 × 81 output channels.
line = mt.linspace(-2, 2, 81)
grid = mt.stack([line.reshape(1, 81).expand(81, 81), line.reshape(81, 1).expand(81, 81)], dim=2)  # (81, 81, 2)
loss = ((nn.functional.conv2d(X, grid.reshape(-1, 1, 1, 2)) - Y) ** 2).sum((0, 2, 3)).reshape(81, 81)

with drawing(height=4.2) as figure:
    plane, curve = figure.subplots(1, 2, width_ratios=[1.1, 1])
    lines = {"levels": [2, 8, 20, 40, 70, 110, 160], "colors": [figure.look.quiet], "linewidths": 0.8}
    plane.contour(line.numpy(), line.numpy(), loss.numpy(), **lines)
    for (kernels, losses), colour in zip(ways, (BLUE, GREEN, ORANGE)):
        colour = figure.look.colour(colour)
        plane.plot(*zip(*kernels), "o-", color=colour, markersize=4)
        curve.semilogy(range(10), losses, "o-", color=colour)
    plane.plot(1, -1, "*", color=figure.look.ink, markersize=15)
    plane.annotate("[1, −1]", (1, -1), (10, -16), textcoords="offset points")
    plane.set(xlabel="left weight", ylabel="right weight", title="Three starts; grey: equal loss", aspect="equal")
    curve.set(xlabel="step", title="The loss of each")
