"""Convolution and pooling as their definitions say them, in plain loops: right by inspection.

They stand for the case that PyTorch and this library are wrong in the same way.
"""

import itertools

import numpy as np


def output_size(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def conv2d(image, weight, bias, stride, padding, dilation, groups):
    """Seven nested loops: image, filter, row, column, channel, row and column of the kernel."""
    (n, c, h, w), (o, _, kh, kw) = image.shape, weight.shape
    oh = output_size(h, kh, stride[0], padding[0], dilation[0])
    ow = output_size(w, kw, stride[1], padding[1], dilation[1])
    result = np.zeros((n, o, oh, ow))
    for b in range(n):
        for f in range(o):
            first = f // (o // groups) * (c // groups)  # the first channel of the filter's group
            for i in range(oh):
                for j in range(ow):
                    result[b, f, i, j] = bias[f]
                    for k in range(c // groups):
                        for u in range(kh):
                            for v in range(kw):
                                y = i * stride[0] + u * dilation[0] - padding[0]
                                x = j * stride[1] + v * dilation[1] - padding[1]
                                if 0 <= y < h and 0 <= x < w:
                                    result[b, f, i, j] += image[b, first + k, y, x] * weight[f, k, u, v]
    return result


def windows(image, kernel, stride, padding, dilation):
    """For each place of the kernel: the output's index, and the indices of the pixels inside the image under it."""
    n, c, h, w = image.shape
    oh = output_size(h, kernel[0], stride[0], padding[0], dilation[0])
    ow = output_size(w, kernel[1], stride[1], padding[1], dilation[1])
    for b, k, i, j in itertools.product(range(n), range(c), range(oh), range(ow)):
        rows = [i * stride[0] + u * dilation[0] - padding[0] for u in range(kernel[0])]
        columns = [j * stride[1] + v * dilation[1] - padding[1] for v in range(kernel[1])]
        yield (b, k, i, j), [(b, k, y, x) for y in rows for x in columns if 0 <= y < h and 0 <= x < w]


def pool(image, kernel, stride, padding, dilation, reduce):
    """`reduce` of the pixels under each place of the kernel: a list of numbers, those of the padding left out."""
    shape = image.shape[:2] + tuple(
        output_size(*sizes) for sizes in zip(image.shape[2:], kernel, stride, padding, dilation)
    )
    result = np.zeros(shape)
    for place, pixels in windows(image, kernel, stride, padding, dilation):
        result[place] = reduce([image[pixel] for pixel in pixels])
    return result
