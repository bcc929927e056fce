import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import d2l, nn


def test_corr2d_is_the_convolution_of_the_library(device):
    X, K = mt.randn(5, 6, dtype=mt.float64, device=device), mt.randn(2, 3, dtype=mt.float64, device=device)
    expected = nn.functional.conv2d(X.reshape(1, 1, 5, 6), K.reshape(1, 1, 2, 3)).reshape(4, 4)
    assert mt.allclose(d2l.corr2d(X, K), expected)


def test_corr2d_refuses_a_kernel_larger_than_the_image():
    with pytest.raises(ValueError, match=r"no larger than the image, got \(3, 1\) for \(2, 2\)"):
        d2l.corr2d(mt.ones(2, 2), mt.ones(3, 1))


def test_try_gpu(gpu):
    assert str(d2l.try_gpu()) == "cuda:0"
    assert str(d2l.try_gpu(1)) == "cpu"


def test_load_data_fashion_mnist():
    train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=16)
    X, y = next(iter(train_iter))
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((16, 1, 28, 28), mt.float32, (16,), mt.int64)
    assert len(train_iter) == 10
    assert not mt.equal(y, next(iter(train_iter))[1])  # shuffled
    assert next(iter(test_iter))[1].tolist() == [i % 10 for i in range(16)]  # not shuffled


@pytest.mark.parametrize("resize", [64, 12, (40, 20)])
def test_resize_is_that_of_pytorch(resize):
    torch = pytest.importorskip("torch")
    _, plain = d2l.load_data_fashion_mnist(50)
    _, resized = d2l.load_data_fashion_mnist(50, resize=resize)
    images = torch.from_numpy(next(iter(plain))[0].numpy())
    size = (resize, resize) if isinstance(resize, int) else resize
    expected = torch.nn.functional.interpolate(images, size, mode="bilinear", antialias=True)
    X, y = next(iter(resized))
    np.testing.assert_allclose(X.numpy(), expected.numpy(), atol=1e-5)
    assert X.dtype == mt.float32
    image, label = resized.dataset[3]
    assert mt.allclose(image, X[3])
    assert label == y[3].item()


def test_resized_images_on_the_gpu(gpu):
    _, here = d2l.load_data_fashion_mnist(16, resize=(40, 20))
    there = here.to("cuda")
    (x, y), (expected, labels) = next(iter(there)), next(iter(here))
    assert x.is_cuda and y.is_cuda and x.tolist() == expected.tolist() and y.tolist() == labels.tolist()


def test_evaluate_accuracy_gpu(device):
    _, test_iter = d2l.load_data_fashion_mnist(16)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with mt.no_grad():
        net[1].weight.zero_()
        net[1].bias.copy_(mt.eye(10)[4])
    net.to(device)
    assert d2l.evaluate_accuracy_gpu(net, test_iter) == 0.1


def test_animator_keeps_a_curve_for_each_value():
    animator = d2l.Animator(xlabel="epoch", xlim=[1, 3], legend=["train loss", "train acc", "test acc"])
    animator.add(0.5, (2.0, 0.1, None))
    animator.add(1, (1.5, 0.2, None))
    animator.add(1, (None, None, 0.3))
    axes = animator.axes[0]
    assert [list(line.get_ydata()) for line in axes.lines] == [[2.0, 1.5], [0.1, 0.2], [0.3]]
    assert [list(line.get_xdata()) for line in axes.lines] == [[0.5, 1.0], [0.5, 1.0], [1.0]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train loss", "train acc", "test acc"]
    assert axes.get_xlim() == (1, 3)
    assert axes.get_ylim()[1] > 2.0


def test_animator_can_be_saved_and_takes_single_values(tmp_path):
    animator = d2l.Animator(yscale="log", ylim=(0.1, 10))
    animator.add(1, 2.0)
    animator.add(2, mt.tensor(3.0))
    animator.fig.savefig(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    assert animator.axes[0].get_yscale() == "log"


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook shows."""
    shown = []

    class Place:
        def update(self, picture):
            shown[-1] = picture

    def show(picture, display_id):
        shown.append(picture)
        return Place()

    display = types.ModuleType("IPython.display")
    display.Image, display.display = (lambda png: png), show
    ipython = types.ModuleType("IPython")
    ipython.display, ipython.get_ipython = display, lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_animator_shows_itself_in_a_notebook(notebook):
    animator = d2l.Animator()
    animator.add(1, 2.0)
    animator.add(2, 1.0)
    assert len(notebook) == 1  # the second picture took the place of the first
    assert notebook[0].startswith(b"\x89PNG")


def test_import_costs_no_plotting():
    code = "import sys; from minitorch_cnn import d2l; print([m for m in ('matplotlib', 'tqdm') if m in sys.modules])"
    root = Path(d2l.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("typed, meant", [("train_ch66", "train_ch6"), ("Trianer", "Trainer"), ("pltt", "plt")])
def test_a_misspelt_name_is_answered_with_what_was_meant(typed, meant):
    with pytest.raises(AttributeError, match=f"d2l' has no attribute '{typed}'. Did you mean: '{meant}'"):
        getattr(d2l, typed)


def test_what_the_book_downloads_is_out_of_reach():
    with pytest.raises(AttributeError, match="no DATA_HUB: it fetches Fashion-MNIST alone. Put other files"):
        _ = d2l.DATA_HUB


def test_the_helpers_refuse_what_they_cannot_use():
    x = mt.ones(4, 2)
    with pytest.raises(TypeError, match="expected a tuple of tensors, got a Tensor: write load_array"):
        d2l.load_array(x, 2)
    with pytest.raises(RuntimeError, match="no gradient of parameter 1: call l.sum"):
        w = mt.ones(2, requires_grad=True)
        w.sum().backward()
        d2l.sgd([w, x], 0.1, 4)
    with pytest.raises(TypeError, match="an optimizer or a function of the batch size, got 0.1"):
        d2l.train_ch3(nn.Linear(2, 2), [], [], None, 1, 0.1)
    with pytest.raises(TypeError, match=r"fit\(model, data\), got FashionMNIST and SoftmaxRegression"):
        d2l.Trainer(max_epochs=1).fit(d2l.FashionMNIST(), d2l.SoftmaxRegression(10, 0.1))
    with pytest.raises(TypeError, match="resize must be a whole number or two of them"):
        d2l.load_data_fashion_mnist(16, resize="large")
    loaders, net = d2l.load_data_fashion_mnist(16), nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    before = net[1].weight.tolist()
    with pytest.raises(TypeError, match="num_epochs must be a whole number, got 0.9"):
        d2l.train_ch6(net, *loaders, 0.9, 10, "cpu")
    with pytest.raises(ValueError, match="num_epochs must be at least 1, got 0"):
        d2l.train_ch3(net, *loaders, nn.CrossEntropyLoss(), 0, mt.optim.SGD(net.parameters(), lr=0.1))
    assert net[1].weight.tolist() == before
    with pytest.raises(TypeError, match="max_epochs must be a whole number, got '3'"):
        d2l.Trainer(max_epochs="3")
    with pytest.raises(TypeError, match=r"use_1x1conv and strides by their names; got \(3, 6, True, 2\)"):
        d2l.Residual(3, 6, True, 2)

    class Forgetful(d2l.Classifier):
        def __init__(self, lr):
            super().__init__()
            self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))

    with pytest.raises(AttributeError, match="Forgetful has no lr: take it in __init__, and call self.save_hyper"):
        d2l.Trainer(max_epochs=1).fit(Forgetful(0.1), d2l.FashionMNIST())
    for nothing in ([], 3, mt.ones(0)):
        with pytest.raises(ValueError, match="plot expects one point or more, as numbers in a sequence, got"):
            d2l.plot(nothing)
    with pytest.raises(ValueError, match="one X for all curves or one for each, got 2 for 3 curves"):
        d2l.plot([[1, 2], [1, 2]], [[1, 2], [3, 4], [5, 6]])
    with pytest.raises(ValueError, match="as many x as y, got 3 and 2 in curve 0"):
        d2l.plot([1, 2, 3], [1, 2])


@pytest.mark.parametrize(
    "points",
    [
        [1.0, 4.0, 9.0], (1, 4, 9), np.array([1, 4, 9]), mt.tensor([1.0, 4.0, 9.0], requires_grad=True),
        [mt.tensor(1.0), mt.tensor(4.0), 9], [[1.0, 4.0, 9.0]], mt.tensor([[1.0, 4.0, 9.0]]),
    ],
)  # fmt: skip
def test_plot_takes_one_curve_in_any_form(points):
    for given in ([points], [[0, 1, 2], points]):
        d2l.plot(*given)
        (line,) = d2l.plt.gca().lines
        assert [list(line.get_xdata()), list(line.get_ydata())] == [[0, 1, 2], [1, 4, 9]]


def test_plot_draws_where_and_how_it_is_told():
    _, (left, right) = d2l.plt.subplots(1, 2)
    d2l.plot([[1, 10], [1, 100]], [[1, 2], [3, 4]], xscale="log", ylim=(0, 5), fmts=["r-", "b:"], axes=right)
    assert not left.lines and right.get_xscale() == "log" and right.get_ylim() == (0, 5)
    assert [(line.get_color(), line.get_linestyle()) for line in right.lines] == [("r", "-"), ("b", ":")]
    assert [list(line.get_xdata()) for line in right.lines] == [[1, 10], [1, 100]]


def test_train_ch6_prints_a_line_for_each_epoch_in_a_script(capsys):
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    history = d2l.train_ch6(net, *d2l.load_data_fashion_mnist(16), 2, 0.1, "cpu")
    first, *epochs, last, speed = capsys.readouterr().out.splitlines()
    assert first == "training on cpu"
    assert epochs == [f"epoch {row.epoch}/2: {row}" for row in history]
    assert last == str(history[-1]) and speed.endswith("examples/sec on cpu")


def test_train_ch6_shows_curves_instead_in_a_notebook(capsys, notebook):
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    d2l.train_ch6(net, *d2l.load_data_fashion_mnist(16), 1, 0.1, "cpu")
    assert capsys.readouterr().out.count("\n") == 3
    assert len(notebook) == 1 and notebook[0].startswith(b"\x89PNG")
