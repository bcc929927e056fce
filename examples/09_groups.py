"""Groups: channels that do not see each other, and save weights."""

from drawing import drawing

import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.inspection.figures import show_signed

mt.manual_seed(0)
CHANNELS = 8


def influence(layer):
    """How strongly each output channel depends on each input channel: the size of the derivative, (O, C)."""
    rows = []
    for o in range(CHANNELS):
        X = mt.zeros(1, CHANNELS, 5, 5, requires_grad=True)
        layer(X)[0, o].sum().backward()
        rows.append(X.grad[0].abs().sum((1, 2)))
    return mt.stack(rows)


layers = [nn.Conv2d(CHANNELS, CHANNELS, kernel_size=3, groups=groups, bias=False) for groups in (1, 2, 4, 8)]
for layer in layers:
    ways = int((influence(layer) > 0).sum(1)[0])
    print(f"groups={layer.groups}: weight {layer.weight.shape}, {layer.weight.numel()} numbers;", end=" ")
    print(f"each output sees {ways} of {CHANNELS} inputs.")

mixer = nn.Conv2d(CHANNELS, CHANNELS, kernel_size=1, bias=False)
total = layers[-1].weight.numel() + mixer.weight.numel()
print("With as many groups as channels, each is filtered by itself (depthwise). A 1×1 kernel then mixes them:")
print(f"together {total} weights, where a full layer has {layers[0].weight.numel()}. Networks for phones do this.")
both = influence(nn.Sequential(layers[-1], mixer))
print(f"Through both, each output sees {int((both > 0).sum(1)[0])} of {CHANNELS} inputs again.")

with drawing(height=3.1, title="Which input channels each output channel depends on: the stronger, the more") as figure:
    for axes, layer in zip(figure.subplots(1, 4, sharey=True), layers):
        show_signed(axes, influence(layer).numpy(), f"groups={layer.groups}")
        axes.set(xlabel=f"input channel\n{layer.weight.numel()} weights", xticks=[0, 7], yticks=[0, 7])
    figure.axes[0].set_ylabel("output channel")
