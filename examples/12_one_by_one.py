"""A 1×1 kernel looks at a single pixel: it mixes its channels, as a linear layer would. It is a matrix product."""

from drawing import colourful, drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import nn
from minitorch_cnn.inspection.figures import show_image, show_numbers, show_signed


def corr2d_multi_in_out_1x1(X, K):
    c_i, h, w = X.shape
    c_o = K.shape[0]
    X = X.reshape((c_i, h * w))  # each column a pixel
    K = K.reshape((c_o, c_i))  # each row an output channel
    return mt.matmul(K, X).reshape((c_o, h, w))


X = mt.tensor(colourful())  # (3, 32, 32): red, green, blue
K = mt.tensor([[0.3, 0.6, 0.1], [0.5, 0.0, -0.5], [-0.25, 0.5, -0.25]])  # (3, 3)
Y = corr2d_multi_in_out_1x1(X, K.reshape(3, 3, 1, 1))  # (3, 32, 32)

by_conv2d = F.conv2d(X.unsqueeze(0), K.reshape(3, 3, 1, 1))[0]
by_linear = nn.Linear(3, 3, bias=False)
by_linear.weight.data[:] = K
by_linear = by_linear(X.permute(1, 2, 0)).permute(2, 0, 1)  # the same layer for each pixel
print(f"As a matrix product: {K.shape} times {(3, 32 * 32)}, a column for each pixel, gives {(3, 32 * 32)}.")
print(f"A convolution with 1×1 kernels differs from it by at most {float((by_conv2d - Y).abs().max()):.0e},")
print(f"a linear layer at each pixel by {float((by_linear - Y).abs().max()):.0e}: all three are the same.")

order = mt.randperm(32 * 32)
mixed = X.reshape(3, -1)[:, order]  # the pixels in another order
same = mt.allclose(mt.matmul(K, mixed), Y.reshape(3, -1)[:, order])
print(f"It does not matter where a pixel stands; shuffled pixels give shuffled results: {same}.")
wide = nn.Conv2d(256, 64, kernel_size=1, bias=False).weight.numel()
full = nn.Conv2d(256, 64, kernel_size=3, bias=False).weight.numel()
print(f"From 256 channels to 64 takes {wide:,} weights with 1×1, {full:,} with 3×3: a cheap way to fewer channels.")

with drawing(height=4.4, title="Nine weights turn red, green and blue into brightness and two contrasts") as figure:
    axes = figure.subplots(2, 4)
    axes[0, 0].imshow(X.numpy().transpose(1, 2, 0))
    axes[0, 0].set(xticks=[], yticks=[], title="picture")
    show_numbers(axes[1, 0], K.numpy(), "weight of each colour,\na row for each output")
    for axis, channel, name in zip(axes[0, 1:], X, ("red", "green", "blue")):
        show_image(axis, channel.numpy(), name)
    show_image(axes[1, 1], Y[0].numpy(), "brightness")
    show_signed(axes[1, 2], Y[1].numpy(), "red − blue")
    show_signed(axes[1, 3], Y[2].numpy(), "green − others")
