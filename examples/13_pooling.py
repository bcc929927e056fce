"""Pooling keeps what is in a window and forgets exactly where. It has no weights."""

from drawing import drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import data, nn
from minitorch_cnn.inspection.figures import show_image


def pool2d(X, pool_size, mode="max"):
    p_h, p_w = pool_size
    Y = mt.zeros((X.shape[0] - p_h + 1, X.shape[1] - p_w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            if mode == "max":
                Y[i, j] = X[i : i + p_h, j : j + p_w].max()
            elif mode == "avg":
                Y[i, j] = X[i : i + p_h, j : j + p_w].mean()
    return Y


X = mt.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
print(f"The largest of each 2×2 window:\n{pool2d(X, (2, 2))}\nTheir means:\n{pool2d(X, (2, 2), 'avg')}")
X = mt.arange(16.0).reshape((1, 1, 4, 4))
print(f"A layer's windows lie side by side: 4×4 pixels in windows of 2×2 give {nn.MaxPool2d(2)(X).shape[2:]}.")
pool = nn.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1))
print(f"It takes another stride, and padding, if asked, like a convolution:\n{pool(X)}")
print(f"Channels are pooled one by one, two give {nn.MaxPool2d(3, padding=1, stride=2)(mt.cat((X, X + 1), 1)).shape}.")

# What does a shift by one pixel do? To the edges of 50 pictures, moved to the right and then pooled.
images, _ = data.FashionMNIST(train=False).batch(range(50))  # (50, 1, 28, 28)
edges = (images[..., 1:] - images[..., :-1]).abs()  # (50, 1, 28, 27)
edges = F.pad(edges, (2, 3, 2, 2))  # (50, 1, 32, 32): room to move in
shifted = F.pad(edges, (1, -1, 0, 0))
pools = {"no pooling": lambda x: x} | {f"max, {k}×{k}": nn.MaxPool2d(k) for k in (2, 4, 8)}
pools |= {f"mean, {k}×{k}": nn.AvgPool2d(k) for k in (2, 4, 8)}


def change(pool):
    """By how much of their size the edges change when they are moved by one pixel."""
    return float((pool(edges) - pool(shifted)).abs().sum() / pool(edges).abs().sum())


for name, pool in pools.items():
    print(f"Moved by one pixel, the edges change by {change(pool):4.0%} of their size ({name}).")
print("The wider the window, the less a small shift matters, and the less is known of where an edge was.")

with drawing(height=4.8, title="The edges of a picture, and of the same picture one pixel further right") as figure:
    rows = figure.subplots(2, 4)
    for column, name in zip(rows.T, ["no pooling", "max, 2×2", "max, 4×4", "mean, 4×4"]):
        before, after = (pools[name](x)[3, 0].numpy() for x in (edges, shifted))
        show_image(column[0], before, name, vmax=before.max())
        show_image(column[1], after, f"moved: {change(pools[name]):.0%} changed", vmax=before.max())
