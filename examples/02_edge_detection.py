"""A kernel that finds vertical edges: the difference of each pixel and its right neighbour."""

import minitorch_cnn as mt
from minitorch_cnn import d2l

X = mt.ones((6, 8))
X[:, 2:6] = 0  # white, with a black stripe
print(X)

K = mt.tensor([[1.0, -1.0]])  # one row, two columns: a kernel has two dimensions
Y = d2l.corr2d(X, K)
print(Y)  # 1 from white to black, -1 from black to white, 0 elsewhere

# It is blind to horizontal edges: turn the picture by 90 degrees, and nothing is left.
print(d2l.corr2d(X.t(), K))
