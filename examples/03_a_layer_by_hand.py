"""A convolutional layer by hand: a kernel that is a parameter. Its gradient is the sum of what it slid over."""

from drawing import drawing

import minitorch_cnn as mt
from minitorch_cnn import d2l, nn
from minitorch_cnn.inspection.figures import outline, show_numbers


class Conv2D(nn.Module):
    def __init__(self, kernel_size):
        super().__init__()
        self.weight = nn.Parameter(mt.rand(kernel_size))
        self.bias = nn.Parameter(mt.zeros(1))

    def forward(self, x):
        return d2l.corr2d(x, self.weight) + self.bias


mt.manual_seed(0)
X = mt.arange(9.0).reshape(3, 3)
layer = Conv2D((2, 2))
names = ", ".join(f"{name} {tuple(p.shape)}" for name, p in layer.named_parameters())
print(f"What it can learn: {names}, {sum(p.numel() for p in layer.parameters())} numbers.")

layer(X).sum().backward()  # finds derivatives; 18_autodiff.py shows how
print(f"The derivative of the sum of its four outputs with respect to each weight:\n{layer.weight.grad}")
print(f"With respect to the bias: {layer.bias.grad.item():.0f}, for it is added to each of the four.")

twin = nn.Conv2d(1, 1, kernel_size=2)
twin.weight.data[:], twin.bias.data[:] = layer.weight.data.reshape(1, 1, 2, 2), layer.bias.data
twin(X.reshape(1, 1, 3, 3)).sum().backward()
print(f"The gradient of nn.Conv2d is the same: {mt.allclose(twin.weight.grad[0, 0], layer.weight.grad)}.")

with drawing(height=2.9, title="A weight meets four pixels, and its gradient is their sum") as figure:
    axes = figure.subplots(1, 5)
    for k, axis in enumerate(axes[:4]):
        i, j = divmod(k, 2)
        met = X[i : i + 2, j : j + 2].flatten().tolist()
        show_numbers(axis, X.numpy(), f"weight [{i}, {j}]\nmeets")
        outline(axis, i, j, 2, 2)
        axis.set_xlabel(f"{' + '.join(f'{x:.0f}' for x in met)}\n= {sum(met):.0f}")
    show_numbers(axes[4], layer.weight.grad.numpy(), "gradient of\nthe kernel")
