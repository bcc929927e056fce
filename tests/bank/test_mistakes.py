"""The same mistake raises an error of the same type here and in PyTorch, and a text that says something."""

import numpy as np
import pytest
from helpers import needs_torch, of_pinned_torch, torch

import minitorch_cnn as mt

MISTAKES = {
    # arithmetic
    "sizes that do not broadcast": lambda m, F: m.ones(3) + m.ones(2),
    "sizes that do not broadcast in where": lambda m, F: m.where(m.ones(3) > 0, m.ones(2), m.ones(3)),
    "a text as an operand": lambda m, F: m.ones(3) + "a",
    "None as an operand": lambda m, F: m.ones(3) * None,
    "a number in place of a tensor": lambda m, F: m.exp(2.0),
    "a comparison with a number first": lambda m, F: m.lt(2, m.ones(3)),
    "two numbers": lambda m, F: m.pow(2, 3),
    "maximum with a number": lambda m, F: m.maximum(m.ones(3), 2),
    "a negative power of an integer": lambda m, F: m.tensor([1, 2]) ** -1,
    "minus of a boolean": lambda m, F: -m.tensor([True]),
    "a difference of booleans": lambda m, F: m.tensor([True]) - m.tensor([True]),
    "bits of a float": lambda m, F: m.ones(3) & m.ones(3),
    "an unknown rounding": lambda m, F: m.div(m.ones(3), 2, rounding_mode="up"),
    "clamp without bounds": lambda m, F: m.clamp(m.ones(3)),
    "clamp by a tensor and a number": lambda m, F: m.clamp(m.ones(3), m.ones(3), 2.0),
    "where of a float": lambda m, F: m.where(m.ones(3), 1.0, 0.0),
    "a float added to integers in place": lambda m, F: m.tensor([1]).add_(0.5),
    "an in-place operation that would grow": lambda m, F: m.ones(2).add_(m.ones(3, 2)),
    # reductions
    "sum over a dimension that is not there": lambda m, F: m.ones(2).sum(1),
    "sum over one dimension twice": lambda m, F: m.ones(2, 3).sum((0, 0)),
    "mean of integers": lambda m, F: m.tensor([1, 2]).mean(),
    "variance of integers": lambda m, F: m.tensor([1, 2]).var(),
    "largest of none": lambda m, F: m.zeros(0).max(),
    "amax of none": lambda m, F: m.amax(m.zeros(0, 2)),
    "amax over none": lambda m, F: m.amax(m.zeros(0, 2), 0),
    "largest over none": lambda m, F: m.zeros(0, 2).max(0),
    "norm of integers": lambda m, F: m.tensor([1, 2]).norm(),
    "more of the largest than there are": lambda m, F: m.ones(3).topk(4),
    "cumsum over no dimension": lambda m, F: m.ones(3).cumsum(),
    "cumsum over a dimension that is not there": lambda m, F: m.ones(3).cumsum(1),
    "argmax of none": lambda m, F: m.zeros(0).argmax(),
    "softmax over no dimension": lambda m, F: m.softmax(m.ones(2), None),
    "softmax over a dimension that is not there": lambda m, F: m.softmax(m.ones(2), 3),
    "logsumexp over a dimension that is not there": lambda m, F: m.logsumexp(m.ones(2, 3), 5),
    # shapes
    "reshape to another count": lambda m, F: m.ones(3).reshape(2, 2),
    "two sizes unknown": lambda m, F: m.ones(4).reshape(-1, -1),
    "a size of -2": lambda m, F: m.ones(4).reshape(-2),
    "permute with a dimension twice": lambda m, F: m.permute(m.ones(2, 3), (0, 0)),
    "permute with a dimension missing": lambda m, F: m.permute(m.ones(2, 3), (0,)),
    "transpose of a dimension that is not there": lambda m, F: m.transpose(m.ones(2, 3), 0, 2),
    "t of three dimensions": lambda m, F: m.t(m.ones(2, 3, 4)),
    "squeeze of a dimension that is not there": lambda m, F: m.squeeze(m.ones(2, 3), 4),
    "unsqueeze beyond": lambda m, F: m.unsqueeze(m.ones(2, 3), 4),
    "expand of a size": lambda m, F: m.ones(2, 3).expand(3, 3),
    "flatten backwards": lambda m, F: m.flatten(m.ones(2, 3), 1, 0),
    "unflatten to other sizes": lambda m, F: m.unflatten(m.ones(2, 3), 1, (2, 2)),
    "a grid of none": lambda m, F: m.meshgrid(indexing="ij"),
    "a grid of matrices": lambda m, F: m.meshgrid(m.ones(2, 3), indexing="ij"),
    "a grid of two types": lambda m, F: m.meshgrid(m.ones(2), m.arange(3), indexing="ij"),
    "a grid in another order": lambda m, F: m.meshgrid(m.ones(2), indexing="yx"),
    "a view as another size": lambda m, F: m.ones(3).view_as(m.ones(2, 2)),
    "cat of none": lambda m, F: m.cat([]),
    "cat of a number": lambda m, F: m.cat([m.ones(2), 3]),
    "cat of other sizes": lambda m, F: m.cat([m.ones(2, 3), m.ones(2, 4)]),
    "cat of numbers of dimension 0": lambda m, F: m.cat([m.tensor(1.0), m.tensor(2.0)]),
    "stack of none": lambda m, F: m.stack([]),
    "stack of other sizes": lambda m, F: m.stack([m.ones(2), m.ones(3)]),
    "unbind of a scalar": lambda m, F: m.unbind(m.tensor(1.0)),
    # indexing
    "an index too large": lambda m, F: m.ones(3)[3],
    "an index too large in a list": lambda m, F: m.ones(3)[[0, 5]],
    "an index too large in a tensor": lambda m, F: m.ones(3)[m.tensor([0, -4])],
    "too many indices": lambda m, F: m.ones(3)[0, 0],
    "a float as an index": lambda m, F: m.ones(3)[1.5],
    "a tensor of floats as an index": lambda m, F: m.ones(3)[m.ones(2)],
    "a mask of another size": lambda m, F: m.ones(3)[m.tensor([True, False])],
    "a step backwards": lambda m, F: m.ones(3)[::-1],
    "two Ellipses of too many dimensions": lambda m, F: m.ones(3)[..., 0, 0],
    "an index of a scalar": lambda m, F: m.tensor(1.0)[0],
    "assignment of other sizes": lambda m, F: m.ones(3).__setitem__(slice(None), m.ones(2)),
    "assignment out of range": lambda m, F: m.ones(3).__setitem__(5, 1.0),
    # products
    "vectors that do not fit": lambda m, F: m.ones(2) @ m.ones(3),
    "matrices that do not fit": lambda m, F: m.ones(2, 3) @ m.ones(2, 3),
    "stacks that do not fit": lambda m, F: m.ones(2, 3, 4) @ m.ones(3, 4, 5),
    "a product with a scalar": lambda m, F: m.ones(2) @ m.tensor(3.0),
    "a product with a number": lambda m, F: m.ones(2) @ 3,
    "a product of two types": lambda m, F: m.ones(2, 2) @ m.ones(2, 2).double(),
    "mm of vectors": lambda m, F: m.mm(m.ones(3), m.ones(3)),
    "mm of other sizes": lambda m, F: m.mm(m.ones(2, 3), m.ones(2, 3)),
    "mv of two matrices": lambda m, F: m.mv(m.ones(2, 3), m.ones(3, 2)),
    "dot of matrices": lambda m, F: m.dot(m.ones(2, 2), m.ones(2, 2)),
    "dot of other sizes": lambda m, F: m.dot(m.ones(2), m.ones(3)),
    "mm with a number": lambda m, F: m.mm(m.ones(2, 3), 2),
    # creation and conversion
    "a negative size": lambda m, F: m.zeros(-1),
    "a text as a size": lambda m, F: m.zeros("a"),
    "lists of other lengths": lambda m, F: m.tensor([[1], [1, 2]]),
    "a text as numbers": lambda m, F: m.tensor("a"),
    "a step that leads away": lambda m, F: m.arange(0, 1, -1),
    "a step of zero": lambda m, F: m.arange(0, 1, 0),
    "a negative number of steps": lambda m, F: m.linspace(0, 1, -1),
    "an interval of none": lambda m, F: m.randint(5, 3, (2,)),
    "a negative permutation": lambda m, F: m.randperm(-1),
    "a list in place of an array": lambda m, F: m.from_numpy([1]),
    "a device that is not there": lambda m, F: m.ones(2).to("nowhere"),
    "one number of two": lambda m, F: m.ones(2).item(),
    "the truth of two": lambda m, F: bool(m.ones(2)),
    "the length of a scalar": lambda m, F: len(m.tensor(1.0)),
    "iteration over a scalar": lambda m, F: iter(m.tensor(1.0)),
    "numpy of what requires grad": lambda m, F: m.ones(2, requires_grad=True).numpy(),
    "a gradient of integers": lambda m, F: m.tensor([1], requires_grad=True),
    # differentiation
    "backward of many": lambda m, F: m.ones(2, requires_grad=True).exp().backward(),
    "backward off the graph": lambda m, F: m.ones(2).sum().backward(),
    "a gradient of another shape": lambda m, F: m.ones(2, requires_grad=True).exp().backward(m.ones(3)),
    "a leaf changed in place": lambda m, F: m.ones(2, requires_grad=True).add_(1),
    "grad of what is not used": lambda m, F: m.autograd.grad(
        m.ones(1, requires_grad=True) * 2, m.ones(1, requires_grad=True)
    ),
    # convolution
    "a stride of 0": lambda m, F: F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), stride=0),
    "three strides": lambda m, F: F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), stride=(1, 1, 1)),
    "a stride of 1.5": lambda m, F: F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), stride=1.5),
    "a negative padding": lambda m, F: F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), padding=-1),
    "an unknown padding": lambda m, F: F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), padding="half"),
    "the same size with a stride": lambda m, F: F.conv2d(
        m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), padding="same", stride=2
    ),
    "no groups": lambda m, F: F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), groups=0),
    "other channels": lambda m, F: F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 2, 2, 2)),
    "other types": lambda m, F: F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2).double()),
    "another bias": lambda m, F: F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), m.ones(2)),
    "an image without channels": lambda m, F: F.conv2d(m.ones(4, 4), m.ones(1, 1, 2, 2)),
    "a filter larger than the image": lambda m, F: F.conv2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 6, 6)),
    "a number as an image": lambda m, F: F.conv2d(1, m.ones(1, 1, 2, 2)),
    "an output padding too large": lambda m, F: F.conv_transpose2d(
        m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), output_padding=1
    ),
    "a transpose padded away": lambda m, F: F.conv_transpose2d(m.ones(1, 1, 4, 4), m.ones(1, 1, 2, 2), padding=5),
    "other channels of a transpose": lambda m, F: F.conv_transpose2d(m.ones(1, 1, 4, 4), m.ones(2, 1, 2, 2)),
    "windows larger than the image": lambda m, F: F.unfold(m.ones(1, 1, 4, 4), 5),
    "windows of nothing": lambda m, F: F.unfold(m.ones(1, 1, 4, 4), 0),
    "another number of windows": lambda m, F: F.fold(m.ones(1, 4, 9), (4, 4), 2, stride=2),
    "another number of rows": lambda m, F: F.fold(m.ones(1, 5, 9), (4, 4), 2),
    # pooling and padding
    "pooling by 0": lambda m, F: F.avg_pool2d(m.ones(1, 1, 4, 4), 0),
    "pooling with padding too large": lambda m, F: F.avg_pool2d(m.ones(1, 1, 4, 4), 2, padding=2),
    "pooling in three dimensions": lambda m, F: F.avg_pool2d(m.ones(1, 1, 4, 4), (2, 2, 2)),
    "pooling larger than the image": lambda m, F: F.avg_pool2d(m.ones(1, 1, 4, 4), 6),
    "pooling dilated by 0": lambda m, F: F.max_pool2d(m.ones(1, 1, 4, 4), 2, dilation=0),
    "pooling without channels": lambda m, F: F.max_pool2d(m.ones(1, 0, 4, 4), 2),
    "adaptive pooling to -1": lambda m, F: F.adaptive_avg_pool2d(m.ones(1, 1, 4, 4), -1),
    "adaptive pooling to three": lambda m, F: F.adaptive_avg_pool2d(m.ones(1, 1, 4, 4), (1, 2, 3)),
    "an odd number of widths": lambda m, F: F.pad(m.ones(1, 1, 4, 4), (1,)),
    "too many widths": lambda m, F: F.pad(m.ones(1, 1, 4, 4), (1,) * 10),
    "more taken away than there is": lambda m, F: F.pad(m.ones(1, 1, 4, 4), (-3, -3)),
    "a mirror too wide": lambda m, F: F.pad(m.ones(1, 1, 4, 4), (4, 0, 0, 0), mode="reflect"),
    "a circle too wide": lambda m, F: F.pad(m.ones(1, 1, 4, 4), (5, 0, 0, 0), mode="circular"),
    "an unknown mode of padding": lambda m, F: F.pad(m.ones(1, 1, 4, 4), (1, 1, 1, 1), mode="mirror"),
    "a value for a mirror": lambda m, F: F.pad(m.ones(1, 1, 4, 4), (1, 1, 1, 1), mode="reflect", value=1.0),
    # layers' functions and losses
    "other features": lambda m, F: F.linear(m.ones(2, 3), m.ones(4, 2)),
    "another bias of a linear map": lambda m, F: F.linear(m.ones(2, 3), m.ones(4, 3), m.ones(3)),
    "two types of a linear map": lambda m, F: F.linear(m.ones(2, 3), m.ones(4, 3).double()),
    "dropping twice": lambda m, F: F.dropout(m.ones(2), 2.0),
    "one value for each channel": lambda m, F: F.batch_norm(m.ones(1, 3), None, None, training=True),
    "no statistics": lambda m, F: F.batch_norm(m.ones(2, 3), None, None),
    "other statistics": lambda m, F: F.batch_norm(m.ones(2, 3), m.ones(2), m.ones(2)),
    "a label too large": lambda m, F: F.cross_entropy(m.ones(2, 3), m.tensor([0, 3])),
    "a negative label": lambda m, F: F.nll_loss(m.ones(2, 3), m.tensor([0, -1])),
    "a float as a label": lambda m, F: F.cross_entropy(m.ones(2, 3), m.tensor([0.0, 1.0])),
    "too many labels": lambda m, F: F.cross_entropy(m.ones(2, 3), m.tensor([0, 1, 2])),
    "labels of another image": lambda m, F: F.cross_entropy(m.ones(2, 3, 4), m.zeros(2, 3).long()),
    "labels of the shape of probabilities": lambda m, F: F.cross_entropy(m.ones(2, 3), m.ones(2, 3).long()),
    "weights of other classes": lambda m, F: F.cross_entropy(m.ones(2, 3), m.tensor([0, 1]), m.ones(2)),
    "an unknown reduction": lambda m, F: F.cross_entropy(m.ones(2, 3), m.tensor([0, 1]), reduction="max"),
    "too smooth labels": lambda m, F: F.cross_entropy(m.ones(2, 3), m.tensor([0, 1]), label_smoothing=2.0),
    "predictions of another shape": lambda m, F: F.mse_loss(m.ones(2, 3), m.ones(2, 2)),
    # layers
    "groups that do not divide": lambda m, F: m.nn.Conv2d(3, 4, 3, groups=2),
    "images of another depth": lambda m, F: m.nn.Conv2d(3, 4, 3)(m.ones(1, 1, 8, 8)),
    "a batch norm of another shape": lambda m, F: m.nn.BatchNorm2d(3)(m.ones(2, 3)),
    "a learning rate below zero": lambda m, F: m.optim.SGD([m.ones(1, requires_grad=True)], lr=-1.0),
    "no parameters": lambda m, F: m.optim.SGD([], lr=1.0),
}


NEW = ["softmax over no dimension"]  # an older PyTorch raises another error


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mistake", [of_pinned_torch(name) if name in NEW else name for name in MISTAKES])
def test_the_same_mistake_raises_the_same_error(mistake):
    needs_torch()
    with pytest.raises(Exception) as theirs:
        MISTAKES[mistake](torch, torch.nn.functional)
    with pytest.raises(theirs.type) as ours, np.errstate(all="ignore"):
        MISTAKES[mistake](mt, mt.nn.functional)
    assert len(str(ours.value)) > 15
