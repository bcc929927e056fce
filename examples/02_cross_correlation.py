"""A kernel slides over an image. At each place, what lies under it is multiplied with it and summed."""

from drawing import drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn.inspection.figures import outline, show_numbers


def corr2d(X, K):
    h, w = K.shape
    Y = mt.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1))  # as many places as the kernel fits in
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
    return Y


X = mt.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
K = mt.tensor([[0.0, 1.0], [2.0, 3.0]])
Y = corr2d(X, K)
print(f"An image of {X.shape} and a kernel of {K.shape} give {Y.shape}, for it fits in 2 × 2 places:\n{Y}")

same = F.conv2d(X.reshape(1, 1, 3, 3), K.reshape(1, 1, 2, 2))[0, 0]
print(f"conv2d of the library gives the same, without a loop: {mt.allclose(same, Y)}.")

turned = corr2d(X, mt.tensor(K.numpy()[::-1, ::-1].copy()))
print(f"A convolution, as mathematics has it, turns the kernel by 180° first, which gives\n{turned}")
print("For a kernel that is learned it makes no difference: the turned one would be learned.")

with drawing(height=4.4, title="Window times kernel, number by number, then the sum") as figure:
    axes = figure.subplots(2, 4)
    for row, (i, j) in zip(axes, ((0, 0), (1, 1))):
        window = X[i : i + 2, j : j + 2]
        terms = [f"{x:.0f}·{k:.0f}" for x, k in zip(window.flatten().tolist(), K.flatten().tolist())]
        show_numbers(row[0], X.numpy(), "image, and a window")
        outline(row[0], i, j, 2, 2)
        show_numbers(row[1], K.numpy(), "kernel")
        show_numbers(row[2], (window * K).numpy(), "their products", limit=30)
        row[2].set_xlabel(f"{' + '.join(terms)}\n= {float(Y[i, j]):.0f}")
        show_numbers(row[3], Y.numpy(), "result")
        outline(row[3], i, j, 1, 1)
