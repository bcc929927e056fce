"""Many channels in, many channels out: each output has a kernel of its own for each input."""

from drawing import colourful, drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import d2l
from minitorch_cnn.inspection.figures import show_image, show_numbers, show_signed


def corr2d_multi_in(X, K):
    """Every channel is correlated with its own kernel, and the results are summed."""
    return sum(d2l.corr2d(x, k) for x, k in zip(X, K))


def corr2d_multi_in_out(X, K):
    """One such sum for each output channel."""
    return mt.stack([corr2d_multi_in(X, k) for k in K], 0)


X = mt.stack([mt.arange(9.0).reshape(3, 3), mt.arange(1.0, 10.0).reshape(3, 3)])  # (2, 3, 3)
K = mt.tensor([[[0.0, 1.0], [2.0, 3.0]], [[1.0, 2.0], [3.0, 4.0]]])  # (2, 2, 2)
print(f"Two channels, each with its kernel, make one:\n{corr2d_multi_in(X, K)}")
K = mt.stack((K, K + 1, K + 2), 0)
shape = corr2d_multi_in_out(X, K).shape
print(f"Kernels of shape {K.shape} (outputs, inputs, height, width) make {shape} of {X.shape}.")
print(f"conv2d does the same at once: {mt.allclose(F.conv2d(X.unsqueeze(0), K)[0], corr2d_multi_in_out(X, K))}.")

# Three kernels for a picture in three colours. What they look for takes all colours together.
image = mt.tensor(colourful())  # (3, 32, 32)
edge = mt.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
spot = mt.ones(3, 3) / 9
colours = {  # how much each kernel has for red, green, blue
    "edges, in\nany colour": (edge, [1.0, 1.0, 1.0]),
    "more red\nthan blue": (spot, [1.0, 0.0, -1.0]),
    "more green\nthan red, blue": (spot, [-0.5, 1.0, -0.5]),
}
shares = mt.tensor([row for _, row in colours.values()])  # (3, 3): output, input
K = mt.stack([mt.stack([kernel * share for share in row]) for kernel, row in colours.values()])  # (3, 3, 3, 3)
Y = F.conv2d(F.pad(image.unsqueeze(0), (1, 1, 1, 1), mode="replicate"), K)[0]  # (3, 32, 32)
row, column = divmod(int(Y[1].argmax()), 32)
red, green, blue = image[:, row, column].tolist()
print(f"For the picture: {K.shape}, {K.numel()} weights. The second output, more red than blue, is largest at pixel")
print(f"({row}, {column}): red {red:.2f}, green {green:.2f}, blue {blue:.2f}. That is the sun.")

with drawing(height=4.6, title="Three channels in, three out, each from all (blue: above 0, orange: below)") as figure:
    axes = figure.subplots(2, 4)
    axes[0, 0].imshow(image.numpy().transpose(1, 2, 0))
    axes[0, 0].set(xticks=[], yticks=[], title="picture")
    show_numbers(axes[1, 0], shares.numpy(), "weight of each colour,\na row for each output")
    axes[1, 0].set(xticks=range(3), xticklabels=["red", "green", "blue"])
    for axis, channel, name in zip(axes[0, 1:], image, ("red", "green", "blue")):
        show_image(axis, channel.numpy(), name)
    for axis, channel, name in zip(axes[1, 1:], Y, colours):
        show_signed(axis, channel.numpy(), name)
