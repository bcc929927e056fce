"""Learn the edge detector from what goes in and what should come out, knowing nothing else."""

import minitorch_cnn as mt
from minitorch_cnn import d2l, nn

mt.manual_seed(0)

X = mt.ones((6, 8))
X[:, 2:6] = 0
Y = d2l.corr2d(X, mt.tensor([[1.0, -1.0]]))

# A layer takes (batch, channels, height, width): here one image with one channel.
X = X.reshape((1, 1, 6, 8))
Y = Y.reshape((1, 1, 6, 7))

conv2d = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
lr = 3e-2
for i in range(10):
    Y_hat = conv2d(X)
    l = (Y_hat - Y) ** 2
    conv2d.zero_grad()
    l.sum().backward()
    conv2d.weight.data[:] -= lr * conv2d.weight.grad  # a step downhill, by hand
    if (i + 1) % 2 == 0:
        print(f"epoch {i + 1}, loss {l.sum():.3f}")

print(conv2d.weight.data.reshape((1, 2)))  # close to [[1, -1]]
