"""Padding keeps an image from shrinking; a stride lets the kernel jump, and the image shrink on purpose."""

import minitorch_cnn as mt
from minitorch_cnn import nn


def comp_conv2d(conv2d, X):
    X = X.reshape((1, 1, *X.shape))  # (1, 1, H, W): one image, one channel
    Y = conv2d(X)
    return Y.reshape(Y.shape[2:])  # (OH, OW)


X = mt.rand(size=(8, 8))

# Without padding, a kernel of 3 fits in only 6 of 8 places.
print(comp_conv2d(nn.Conv2d(1, 1, kernel_size=3), X).shape)

# One row or column of zeros on each side makes up for it.
print(comp_conv2d(nn.Conv2d(1, 1, kernel_size=3, padding=1), X).shape)

# Height and width may differ: (rows, columns).
print(comp_conv2d(nn.Conv2d(1, 1, kernel_size=(5, 3), padding=(2, 1)), X).shape)

# Every second place in each direction: half the size.
print(comp_conv2d(nn.Conv2d(1, 1, kernel_size=3, padding=1, stride=2), X).shape)

# All at once: floor((8 + 2*0 - 3) / 3) + 1 = 2 rows, floor((8 + 2*1 - 5) / 4) + 1 = 2 columns.
print(comp_conv2d(nn.Conv2d(1, 1, kernel_size=(3, 5), padding=(0, 1), stride=(3, 4)), X).shape)
