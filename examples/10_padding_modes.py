"""What stands beyond the border: zeros, or an image that goes on. A filter sees the difference."""

from drawing import drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import nn
from minitorch_cnn.inspection.figures import outline, show_image, show_signed

# The names of the modes in Conv2d, and in pad.
MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}
PAD = 10

line = mt.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])
for mode, name in MODES.items():
    padded = F.pad(line, (2, 2), mode=name).flatten().tolist()
    print(f"1 2 3 4 with two on each side, {mode + ':':10}", *[f"{x:.0f}" for x in padded])

# A photograph of a wall would be bright up to its border; so is this picture.
row, column = mt.arange(28.0).reshape(28, 1), mt.arange(28.0).reshape(1, 28)
image = 0.6 + 0.02 * column - 0.01 * row + 0.25 * (((row - 8) ** 2 + (column - 19) ** 2) < 30).float()
image = image * (1 - 0.7 * ((row - 19) ** 2 + (column - 9) ** 2 < 40).float())
image = image.reshape(1, 1, 28, 28)
kernel = mt.tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]]).reshape(1, 1, 3, 3)

with drawing(height=5, title="A picture (framed) padded in four modes, and the edges that Conv2d then finds") as figure:
    for mode, (above, below) in zip(MODES, figure.subplots(2, 4).T):
        show_image(above, F.pad(image, (PAD,) * 4, mode=MODES[mode])[0, 0].numpy(), mode)
        outline(above, PAD, PAD, 28, 28)
        layer = nn.Conv2d(1, 1, kernel_size=3, padding=1, padding_mode=mode, bias=False)
        layer.weight.data[:] = kernel
        edges = layer(image)[0, 0].detach()
        border = mt.cat([edges[0], edges[-1], edges[:, 0], edges[:, -1]]).abs().mean()
        show_signed(below, edges.numpy(), f"edges; on the border\n{float(border):.2f} in the mean", limit=1)
        inside = edges[1:-1, 1:-1].abs().mean()
        print(f"{mode}: the mean answer, without sign: {float(border):.2f} on the border, {float(inside):.2f} inside.")
    print("Zeros are a black frame, and the filter finds its edge, though the picture has none. The others continue")
    print("the picture: as in a mirror, with its last pixels again and again, or from its other end, as in a pattern.")
