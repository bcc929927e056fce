"""The chapter's code, block by block as a reader types it in, with only the imports changed and its slips mended.

The blocks are run one after the other like the cells of a notebook. What the slips lead to is tested below them.
"""

import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import data, nn

IMPORTS = """
import minitorch_cnn as torch
from minitorch_cnn import nn
from minitorch_cnn import d2l
"""

CROSS_CORRELATION = """
def corr2d(X, K):
    h, w = K.shape
    Y = torch.zeros((X.shape[0] - h + 1, X.shape[1]-w+1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i: i + h, j: j + w] * K).sum()
    return Y

X = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
K = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
print(corr2d(X, K))
"""

CONVOLUTIONAL_LAYER = """
class Conv2D(nn.Module):
    def __init__(self, kernel_size):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(kernel_size))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return corr2d(x, self.weight) + self.bias
"""

EDGE_DETECTION = """
X = torch.ones((6, 8))
X[:, 2:6] = 0
print(X)

K = torch.tensor([[1.0, -1.0]])
Y = corr2d(X, K)
print(Y)

# this can only detect vertical edges, if tranfered:
print(corr2d(X.t(), K))
"""

LEARNING_A_KERNEL = """
conv2d = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)

X = X.reshape((1, 1, 6, 8))
Y = Y.reshape((1, 1, 6, 7))
lr = 3e-2
for i in range(10):
    Y_hat = conv2d(X)
    l = (Y_hat - Y) ** 2
    conv2d.zero_grad()
    l.sum().backward()
    # iterate the convolutional kernel
    conv2d.weight.data[:] -= lr * conv2d.weight.grad
    if (i + 1) % 2 == 0:
        print(f'epoch {i+1}, loss {l.sum():.3f}')

learned = conv2d.weight.data.reshape((1, 2))
"""

PADDING = """
def comp_conv2d(conv_2d, X):
    # batchsize=1, channel=1
    X = X.reshape((1, 1) + X.shape)
    Y = conv2d(X)
    # omit first two dim - batchsize, channel
    return Y.reshape(Y.shape[2:])

conv2d = nn.Conv2d(1, 1, kernel_size=3, padding=1)
X = torch.rand(size=(8, 8))
print(comp_conv2d(conv2d, X).shape)

# padding=(height, length) -> (row, column)
conv2d = nn.Conv2d(1, 1, kernel_size=(5, 3), padding=(2, 1))
print(comp_conv2d(conv2d, X).shape)
"""

STRIDE = """
conv2d = nn.Conv2d(1, 1, kernel_size=3, padding=(2, 1), stride=(2, 1))
print(comp_conv2d(conv2d, X).shape)
"""

CHANNELS = """
def corr2d_multi_in(X, K):
    return sum(d2l.corr2d(x, k) for x, k in zip(X, K))  # zip

def corr2d_multi_in_out(X, K):
    return torch.stack([corr2d_multi_in(X, k) for k in K], 0)

X = torch.tensor([[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]],
                  [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]])
K = torch.tensor([[[0.0, 1.0], [2.0, 3.0]], [[1.0, 2.0], [3.0, 4.0]]])
print(corr2d_multi_in(X, K))
K = torch.stack((K, K+1, K+2), 0)
print(K.shape)
print(corr2d_multi_in_out(X, K))
"""

ONE_BY_ONE = """
def corr2d_multi_in_out_1x1(X, K):
    c_i, h, w = X.shape
    c_o = K.shape[0]
    X = X.reshape((c_i, h*w))
    K = K.reshape((c_o, c_i))
    Y = torch.matmul(K, X)
    return Y.reshape((c_o, h, w))

X = torch.normal(0, 1, (3, 3, 3))
K = torch.normal(0, 1, (2, 3, 1, 1))
Y1 = corr2d_multi_in_out_1x1(X, K)
Y2 = corr2d_multi_in_out(X, K)
difference = float(torch.abs(Y1 - Y2).sum())
"""

POOLING = """
def pool2d(X, pool_size, mode='max'):
    p_h, p_w = pool_size
    Y = torch.zeros((X.shape[0] - p_h + 1, X.shape[1] - p_w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            if mode == 'max':
                Y[i, j] = X[i:i + p_h, j : j + p_w].max()
            if mode == 'avg':
                Y[i, j] = X[i:i + p_h, j : j + p_w].mean()
    return Y

X = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
print(pool2d(X, (2, 2)))
print(pool2d(X, (2, 2), 'avg'))

pool2d = nn.MaxPool2d((2, 3), stride=(2, 3), padding=(0,1))
print(pool2d(torch.arange(16, dtype=torch.float32).reshape((1, 1, 4, 4))))
"""

LENET = """
net = nn.Sequential(nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(),
                     nn.AvgPool2d(kernel_size=2, stride=2),
                     nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(),
                     nn.AvgPool2d(kernel_size=2, stride=2),
                     nn.Flatten(),      # very important
                     nn.Linear(16*5*5, 120), nn.Sigmoid(),
                     nn.Linear(120, 84), nn.Sigmoid(),
                     nn.Linear(84, 10))

X = torch.rand(size=(1, 1, 28, 28), dtype=torch.float32)
for layer in net:
    X = layer(X)
    print(layer.__class__.__name__, 'output shape: \\t', X.shape)
"""

LOADING = """
batch_size = 16
train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=batch_size)
"""

EVALUATION = """
def evaluate_accuracy_gpu(net, data_iter, device=None):
    if isinstance(net, nn.Module):
        net.eval()  # set to evaluating mode
        if not device:
            device = next(iter(net.parameters())).device
    metric = d2l.Accumulator(2)
    with torch.no_grad():
        for X, y in data_iter:
            if isinstance(X, list):
                X = [x.to(device) for x in X]
            else:
                X = X.to(device)
            y = y.to(device)
            metric.add(d2l.accuracy(net(X), y), y.numel())
    return metric[0] / metric[1]
"""

XAVIER = """
# 假设我们有一个简单的全连接层
fc_layer = nn.Linear(in_features=256, out_features=512)

# 应用Xavier均匀初始化
nn.init.xavier_uniform_(fc_layer.weight)
"""

TRAINING = """
def train_ch6(net, train_iter, test_iter, num_epochs, lr, device):
    def init_weights(m):
        if type(m) == nn.Linear or type(m) == nn.Conv2d:
            nn.init.xavier_uniform_(m.weight)
    net.apply(init_weights)
    print('training on', device)
    net.to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    loss = nn.CrossEntropyLoss()
    animator = d2l.Animator(xlabel='epoch', xlim=[1, num_epochs], legend=['tarin loss', 'train acc', 'test acc'])
    timer, num_batches = d2l.Timer(), len(train_iter)
    for epoch in range(num_epochs):
        metric = d2l.Accumulator(3)
        net.train()
        for i, (X, y) in enumerate(train_iter):
            timer.start()
            optimizer.zero_grad()
            X, y = X.to(device), y.to(device)
            y_hat = net(X)
            l = loss(y_hat, y)
            l.backward()
            optimizer.step()
            with torch.no_grad():
                metric.add(l*X.shape[0], d2l.accuracy(y_hat, y), X.shape[0])
            timer.stop()
            train_l = metric[0] / metric[2]
            train_acc = metric[1] / metric[2]
            if (i + 1) % (num_batches // 5) == 0 or i == num_batches - 1:
                animator.add(epoch + (i + 1) / num_batches, (train_l, train_acc, None))
        test_acc = evaluate_accuracy_gpu(net, test_iter)
        animator.add(epoch+1, (None, None, test_acc))
    print(f'loss {train_l:.3f}, train acc {train_acc:.3f}, test acc {test_acc:.3f}')
    print(f'{metric[2]*num_epochs/timer.sum():.1f} examples/sec on {str(device)}')

lr, num_epochs = 0.9, 2
train_ch6(net, train_iter, test_iter, num_epochs, lr, d2l.try_gpu())
"""


class Notebook:
    """Runs blocks in one namespace, as a notebook does, and returns what each of them prints."""

    def __init__(self, capsys):
        self.names, self.capsys = {"__name__": "notebook"}, capsys
        self.run(IMPORTS)

    def run(self, *blocks):
        self.capsys.readouterr()
        for block in blocks:
            exec(compile(block, "chapter", "exec"), self.names)
        return self.capsys.readouterr().out

    def __getitem__(self, name):
        return self.names[name]


@pytest.fixture
def notebook(capsys, monkeypatch):
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    return Notebook(capsys)


def test_cross_correlation(notebook):
    printed = notebook.run(CROSS_CORRELATION)
    assert "".join(printed.split()) == "tensor([[19.,25.],[37.,43.]])"


def test_a_convolutional_layer_learns_through_element_assignment(notebook):
    notebook.run(CROSS_CORRELATION, CONVOLUTIONAL_LAYER)
    layer = notebook["Conv2D"]((2, 2))
    layer(notebook["X"]).sum().backward()
    assert layer.weight.grad.tolist() == [[8.0, 12.0], [20.0, 24.0]]
    assert layer.bias.grad.tolist() == [4.0]


def test_edge_detection(notebook):
    notebook.run(CROSS_CORRELATION, EDGE_DETECTION)
    assert notebook["Y"].tolist() == 6 * [[0, 1, 0, 0, 0, -1, 0]]
    assert not notebook["corr2d"](notebook["X"].t(), notebook["K"]).any()


def test_the_edge_detector_is_learned(notebook):
    printed = notebook.run(CROSS_CORRELATION, EDGE_DETECTION, LEARNING_A_KERNEL)
    losses = [float(line.split()[-1]) for line in printed.splitlines() if line.startswith("epoch")]
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 20
    assert mt.allclose(notebook["learned"], mt.tensor([[1.0, -1.0]]), atol=0.15)


def test_padding_and_stride(notebook):
    assert notebook.run(PADDING) == "(8, 8)\n(8, 8)\n"
    assert notebook.run(STRIDE) == "(5, 8)\n"


def test_channels(notebook):
    printed = "".join(notebook.run(CHANNELS).split())
    assert "tensor([[56.,72.],[104.,120.]])" in printed
    assert "(3,2,2,2)" in printed
    assert printed.endswith(
        "tensor([[[56.,72.],[104.,120.]],[[76.,100.],[148.,172.]],[[96.,128.],[192.,224.]]])"
    )  # fmt: skip


def test_one_by_one_convolution_mixes_channels(notebook):
    notebook.run(CHANNELS, ONE_BY_ONE)
    assert notebook["difference"] < 1e-5


def test_pooling(notebook):
    printed = "".join(notebook.run(POOLING).split())
    assert printed == "tensor([[4.,5.],[7.,8.]])tensor([[2.,3.],[5.,6.]])tensor([[[[5.,7.],[13.,15.]]]])"


def test_lenet_prints_its_shapes(notebook):
    lines = notebook.run(LENET).splitlines()
    assert [line.split()[0] for line in lines] == [
        "Conv2d", "Sigmoid", "AvgPool2d", "Conv2d", "Sigmoid", "AvgPool2d", "Flatten",
        "Linear", "Sigmoid", "Linear", "Sigmoid", "Linear",
    ]  # fmt: skip
    assert lines[0] == "Conv2d output shape: \t (1, 6, 28, 28)"
    assert lines[5].endswith("(1, 16, 5, 5)")
    assert lines[6].endswith("(1, 400)")
    assert lines[11].endswith("(1, 10)")


def test_xavier(notebook):
    notebook.run(XAVIER)
    assert 0.088 < notebook["fc_layer"].weight.detach().abs().max().item() <= (6 / (256 + 512)) ** 0.5


def test_training_as_the_chapter_writes_it(notebook):
    printed = notebook.run(LENET, LOADING, EVALUATION, TRAINING).splitlines()
    assert printed[-3].startswith("training on c")
    assert printed[-2].startswith("loss ")
    assert "test acc" in printed[-2]
    assert "examples/sec on c" in printed[-1]


def test_training_with_the_helpers_of_d2l(notebook):
    notebook.run(LENET, LOADING)
    printed = notebook.run("history = d2l.train_ch6(net, train_iter, test_iter, 2, 0.9, 'cpu')").splitlines()
    assert printed[0] == "training on cpu"
    assert printed[1:3] == [f"epoch {row.epoch}/2: {row}" for row in notebook["history"]]
    assert printed[3] == str(notebook["history"][-1])
    assert printed[4].endswith("examples/sec on cpu")


# --- the chapter's slips: the error leads to the cause ----------------------------------------------------


def test_slip_a_second_pooling_of_five_names_both_sizes_and_the_layer(notebook):
    slipped = LENET.replace(
        "AvgPool2d(kernel_size=2, stride=2),\n                     nn.Flatten",
        "AvgPool2d(kernel_size=5, stride=2),\n                     nn.Flatten",
    )
    assert slipped != LENET
    with pytest.raises((RuntimeError, ValueError), match=r"(?s)(400.*144|144.*400)"):
        notebook.run(slipped)
    with pytest.raises((RuntimeError, ValueError)) as error:
        notebook["net"](mt.zeros(1, 1, 28, 28))
    text = str(error.value)
    assert "Linear(in_features=400" in text
    assert '"7"' in text
    assert "5 AvgPool2d -> (1, 16, 3, 3)" in text


def test_slip_a_kernel_of_one_dimension(notebook):
    notebook.run("X = torch.ones((6, 8))")
    with pytest.raises(ValueError, match=r"expects K of shape \(height, width\), got \(2,\).*two pairs of brackets"):
        notebook.run("d2l.corr2d(X, torch.tensor([1.0, -1.0]))")


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("nn.Sequencial()", "Sequential"),
        ("d2l.coor2d", "corr2d"),
        ("d2l.load_data_fashion_minst(256)", "load_data_fashion_mnist"),
    ],
)
def test_slips_of_spelling_are_answered_with_what_was_meant(notebook, typed, meant):
    with pytest.raises(AttributeError, match=f"Did you mean: '{meant}'"):
        notebook.run(typed)


def test_slip_a_misspelt_argument_is_named(notebook):
    with pytest.raises(TypeError, match=r"Conv2d.*unexpected keyword argument 'kernal_size'"):
        notebook.run("nn.Conv2d(1, 6, kernal_size=5)")


def test_the_last_sigmoid_is_a_slip_that_costs_most_of_the_gradient():
    # It runs, in PyTorch as well; but logits squeezed into (0, 1) cannot get the loss below this.
    best = mt.zeros(1, 10)
    best[0, 3] = 1.0
    assert nn.CrossEntropyLoss()(best, mt.tensor([3])).item() > 1.46
