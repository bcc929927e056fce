"""From a dense layer to a convolution: two wishes, and what is left of 614,656 weights."""

from drawing import drawing

import minitorch_cnn as mt
from minitorch_cnn import data, nn
from minitorch_cnn.inspection.figures import show_image, show_signed

mt.manual_seed(0)
h = w = 28
dense = nn.Linear(h * w, h * w, bias=False)  # a weight for each pair of pixels
local = nn.Conv2d(1, 1, kernel_size=5, padding=2, bias=False)

# H[i, j] = Σ W[i, j, k, l] X[k, l]. If W depends on the distance (k - i, l - j) alone, there are 55 × 55 distances;
# if it is 0 beyond a distance of 2, there are 5 × 5.
print(f"Dense, {h}×{w} pixels to {h}×{w}: {dense.weight.numel():,} weights.")
print(f"The same weights everywhere (translation invariance): {(2 * h - 1) * (2 * w - 1):,}.")
print(f"And none to pixels that are further than 2 away (locality): {local.weight.numel()}. This is a convolution.")

image, label = data.FashionMNIST(train=False)[2]
X = mt.zeros(1, 1, h, w)  # (1, 1, 28, 28)
X[0, 0, 4:, 6:22] = image[0, :24, 6:22]
moved = mt.cat([X[..., 4:], X[..., :4]], dim=3)  # the same, four pixels to the left


def answer(layer, X):
    return (layer(X) if layer is local else layer(X.flatten()).reshape(X.shape)).detach()


rows = []
for name, layer in (("dense layer", dense), ("convolution", local)):
    before, after = answer(layer, X), answer(layer, moved)
    back = mt.cat([after[..., -4:], after[..., :-4]], dim=3)  # moved back, it should be as before
    change = float((back - before).abs().max() / before.abs().max())
    print(f"When the image moves, the answer of the {name} moves along, with an error of {change:.0%} of its size.")

    touched = X.clone()
    touched[0, 0, 14, 14] += 1.0
    count = int((answer(layer, touched) != before).sum())
    print(f"When one pixel changes, {count} of the {h * w} numbers in the answer of the {name} change.")

    seen = mt.zeros(1, 1, h, w, requires_grad=True)
    (layer(seen) if layer is local else layer(seen.flatten()).reshape(seen.shape))[0, 0, 14, 14].backward()
    rows.append((name, seen.grad, before, after, back - before))

print("In the pictures of these scripts, blue is above 0, orange below, and grey images go from black, 0, to white.")

with drawing(height=4.2, title="The image moves: only the answer of the convolution moves along") as figure:
    axes = figure.subplots(2, 5)
    for i, (name, weights, before, after, change) in enumerate(rows):
        show_image(axes[i, 0], (X if i == 0 else moved)[0, 0].numpy(), "an image" if i == 0 else "the image, moved")
        show_signed(axes[i, 1], weights[0, 0].numpy(), f"{name}: weights\nof one output pixel")
        limit = float(before.abs().max())
        titles = "answer to\nthe image", "answer to the\nmoved image", "difference, after\nmoving it back"
        for axis, part, title in zip(axes[i, 2:], (before, after, change), titles):
            show_signed(axis, part[0, 0].numpy(), title, limit=limit)
