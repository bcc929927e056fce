"""A kernel that finds vertical edges: the difference of each pixel and its right neighbour."""

from drawing import drawing

import minitorch_cnn as mt
from minitorch_cnn import d2l, data
from minitorch_cnn.inspection.figures import show_image, show_signed

X = mt.ones((8, 8))
X[:, 2:6] = 0  # white, with a black stripe
K = mt.tensor([[1.0, -1.0]])  # one row, two columns: a kernel has two dimensions
Y = d2l.corr2d(X, K)
print(f"A row of the image: {X[0].tolist()}")
print(f"What the kernel [1, -1] makes of it: {Y[0].tolist()}")
print("1 where white turns black, -1 where black turns white, 0 where nothing changes.")

across = d2l.corr2d(X.t(), K)
print(f"Turn the image, and the largest answer is {float(across.abs().max()):.0f}: the kernel misses horizontal edges.")
print(f"The kernel turned as well sees them: {float(d2l.corr2d(X.t(), K.t()).abs().max()):.0f}.")

image, label = data.FashionMNIST(train=False)[2]
image = image[0]  # (28, 28)
vertical, horizontal = d2l.corr2d(image, K), d2l.corr2d(image, K.t())  # (28, 27), (27, 28)
strength = (vertical[:27] ** 2 + horizontal[:, :27] ** 2) ** 0.5  # (27, 27)
flat = float((strength < 0.1).float().mean())
print(f"In a photograph {flat:.0%} of the pixels are nearly like their neighbours: few pixels lie on an edge.")

with drawing(height=4.8, title="[1, −1] finds vertical edges only: blue where it gets darker to the right") as figure:
    first, second = figure.subplots(2, 4)
    show_image(first[0], X.numpy(), "a stripe")
    show_signed(first[1], Y.numpy(), "its vertical edges")
    show_image(first[2], X.t().numpy(), "the stripe, turned")
    show_signed(first[3], across.numpy(), "no vertical edges", limit=1)
    show_image(second[0], image.numpy(), data.FashionMNIST.classes[label].lower())
    show_signed(second[1], vertical.numpy(), "vertical edges", limit=0.7)
    show_signed(second[2], horizontal.numpy(), "horizontal edges", limit=0.7)
    show_image(second[3], strength.numpy(), "both, by strength")
    for row, size in ((first, 8), (second, 28)):
        for axes in row:  # one scale in a row: what is smaller than the image leaves a gap to the right, or below
            axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
