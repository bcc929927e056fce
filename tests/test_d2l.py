import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import d2l, data, nn


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)


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


def test_animator_shows_itself_in_a_notebook(monkeypatch):
    shown = []
    display = types.ModuleType("IPython.display")
    display.Image, display.display = (lambda png: png), shown.append
    display.clear_output = lambda wait: shown.clear()
    ipython = types.ModuleType("IPython")
    ipython.display, ipython.get_ipython = display, lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    animator = d2l.Animator()
    animator.add(1, 2.0)
    animator.add(2, 1.0)
    assert len(shown) == 1  # the second picture took the place of the first
    assert shown[0].startswith(b"\x89PNG")


def test_import_costs_no_plotting():
    code = "import sys; from minitorch_cnn import d2l; print([m for m in ('matplotlib', 'tqdm') if m in sys.modules])"
    root = Path(d2l.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(AttributeError, match=r"d2l' has no attribute 'plot'\. It has .*train_ch6"):
        _ = d2l.plot
