"""Dilation spreads a kernel out: it sees further, with the same number of weights."""

from drawing import drawing

import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.inspection.figures import show_signed


def seen_by_the_middle(net, size=21):
    """How much each pixel counts for the output in the middle, if every weight is 1: a derivative."""
    for parameter in net.parameters():
        parameter.data[:] = 1.0
    X = mt.zeros(1, 1, size, size, requires_grad=True)
    Y = net(X)
    Y[0, 0, Y.shape[2] // 2, Y.shape[3] // 2].backward()
    return X.grad[0, 0]  # (21, 21)


def conv(dilation):
    return nn.Conv2d(1, 1, kernel_size=3, dilation=dilation, padding=dilation, bias=False)


nets = {f"one layer,\ndilation {d}": conv(d) for d in (1, 2, 4)}
for dilations in ((1, 1, 1), (2, 2, 2), (1, 2, 4)):
    nets[f"three layers,\ndilations {', '.join(map(str, dilations))}"] = nn.Sequential(*map(conv, dilations))

with drawing(height=6, title="Which pixels one output sees: the stronger, the more ways lead from it") as figure:
    for axes, (name, net) in zip(figure.subplots(2, 3).flat, nets.items()):
        seen = seen_by_the_middle(net)
        middle = (seen > 0)[len(seen) // 2].tolist()
        span, count = len(middle) - 2 * middle.index(True), int((seen > 0).sum())
        weights = sum(p.numel() for p in net.parameters())
        words = name.replace("\n", " ")
        print(f"{words}: {weights} weights, a view of {span}×{span}, in which {count} of {span**2} pixels are seen.")
        show_signed(axes, seen.numpy(), name)
        axes.set_xlabel(f"{span}×{span}, {weights} weights")
    print("A kernel of k spans dilation · (k - 1) + 1 pixels. If the dilation doubles from layer to layer,")
    print("no gaps are left: the view doubles too, while the weights grow by 9 with each layer.")
