"""A stride lets the kernel jump: fewer windows, and a smaller image, on purpose."""

from drawing import drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import data, nn
from minitorch_cnn.inspection.figures import GREEN, ORANGE, outline, show_image, show_numbers, show_signed

X = mt.rand(1, 1, 8, 8)
for settings in (
    {"kernel_size": 3, "padding": 1, "stride": 2},
    {"kernel_size": 3, "padding": (2, 1), "stride": (2, 1)},
    {"kernel_size": (3, 5), "padding": (0, 1), "stride": (3, 4)},
):
    words = ", ".join(f"{name.removesuffix('_size')} {value}" for name, value in settings.items())
    print(f"8×8 pixels, {words}: {nn.Conv2d(1, 1, **settings)(X).shape[2:]}")
print("The height, and likewise the width, is ⌊(8 + 2·padding - kernel) / stride⌋ + 1.")

image, _ = data.FashionMNIST(train=False)[23]  # (1, 28, 28)
sobel = mt.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]).reshape(1, 1, 3, 3)
strides = (1, 2, 4)
edges = {stride: F.conv2d(image.unsqueeze(0), sobel, stride=stride, padding=1)[0, 0] for stride in strides}
for stride, part in edges.items():
    work = part.numel() * sobel.numel()
    print(f"Stride {stride}: {part.shape[0]}×{part.shape[1]} edges from 28×28 pixels, {work:,} multiplications.")
same = bool((edges[2] == edges[1][::2, ::2]).all())
print(f"Stride 2 gives just every second row and column of what stride 1 gives: {same}. The rest is never computed.")

with drawing(height=5, title="Edges at every place, at every second, at every fourth") as figure:
    axes = figure.subplots(2, 4)
    show_image(axes[0, 0], image[0].numpy(), "28×28 pixels")
    show_numbers(axes[1, 0], sobel[0, 0].numpy(), "the kernel")
    for column, stride in enumerate(strides, start=1):
        size = len(edges[stride])
        show_signed(axes[0, column], edges[stride].numpy(), f"stride {stride}: {size}×{size}")
        middles = mt.zeros(9, 9)
        middles[1:8:stride, 1:8:stride] = 1.0
        show_signed(axes[1, column], middles.numpy(), "centres of windows\n(the first two framed)", limit=2)
        outline(axes[1, column], 0, 0, 3, 3, ORANGE)
        outline(axes[1, column], 0.08, stride + 0.08, 3, 3, GREEN)
