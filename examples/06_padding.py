"""Padding keeps an image from shrinking, and its border from being overlooked."""

from drawing import drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import nn
from minitorch_cnn.inspection.figures import show_numbers


def comp_conv2d(conv2d, X):
    X = X.reshape((1, 1, *X.shape))  # (1, 1, H, W): one image, one channel
    Y = conv2d(X)
    return Y.reshape(Y.shape[2:])  # (OH, OW)


X = mt.rand(size=(8, 8))
for kernel_size, padding in ((3, 0), (3, 1), (5, 2), ((5, 3), (2, 1))):
    shape = comp_conv2d(nn.Conv2d(1, 1, kernel_size=kernel_size, padding=padding), X).shape
    print(f"8×8 pixels, kernel {kernel_size}, padding {padding}: {shape}")
print("An odd kernel k with a padding of (k - 1) / 2 keeps the size: 8 + 2·padding - k + 1 = 8.")

for padding in (0, 2):
    X, layers = mt.zeros(1, 1, 28, 28), 0
    while X.shape[-1] >= 5 and layers < 10:
        X, layers = nn.Conv2d(1, 1, kernel_size=5, padding=padding)(X), layers + 1
    print(f"After {layers} layers with a kernel of 5 and a padding of {padding}, 28×28 pixels are {X.shape[2:]}.")


def windows_over(padding):
    """In how many windows each pixel is: the derivative of the sum of all outputs, if every weight is 1."""
    X = mt.zeros(1, 1, 8, 8, requires_grad=True)
    F.conv2d(X, mt.ones(1, 1, 3, 3), padding=padding).sum().backward()
    return X.grad[0, 0]  # (8, 8)


with drawing(width=9, height=3.7, title="In how many windows of 3×3 each pixel of an 8×8 image lies") as figure:
    for padding, axes in enumerate(figure.subplots(1, 3)):
        count = windows_over(padding)
        corner, inside = count[0, 0].item(), count[4, 4].item()
        print(f"Padding {padding}: of 9 windows, {corner:.0f} see a pixel in a corner, {inside:.0f} one inside.")
        size = F.conv2d(mt.zeros(1, 1, 8, 8), mt.ones(1, 1, 3, 3), padding=padding).shape[2:]
        show_numbers(axes, count.numpy(), f"padding {padding}: result {size[0]}×{size[1]}", limit=9)
