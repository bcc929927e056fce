"""MNIST, CIFAR-10 and folders of images, from files like those that users have."""

import gzip
import hashlib
import io
import os
import pickle
import sys
import tarfile

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn.data import CIFAR10, MNIST, DataLoader, FashionMNIST, ImageFolder, own_files, transforms

rng = np.random.default_rng(8)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def digits():
    return rng.integers(0, 256, (10_000, 28, 28), np.uint8), rng.integers(0, 10, 10_000).astype(np.uint8)


IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@pytest.mark.parametrize("folder", ["MNIST/raw", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_mnist_is_read(folder, end, digits, tmp_path, monkeypatch):
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for name, array in zip((IMAGES, LABELS), digits):
        content = gzip.compress(idx(array), 1) if end else idx(array)
        (tmp_path / folder / f"{name}{end}").write_bytes(content)
        monkeypatch.setitem(own_files.MNIST_FILES, name, hashlib.md5(content).hexdigest())
    test = MNIST(tmp_path, train=False, transform=transforms.ToTensor(), download=True)
    np.testing.assert_array_equal(test.data, digits[0])
    np.testing.assert_array_equal(test.targets, digits[1])
    x, y = next(iter(DataLoader(test, 5)))
    assert x.shape == (5, 1, 28, 28) and y.tolist() == digits[1][:5].tolist()
    with pytest.raises(RuntimeError, match=r"MNIST is read from files that you have, .* has not train-images"):
        MNIST(tmp_path)


def test_files_that_are_not_mnist(digits, tmp_path):
    (tmp_path / LABELS).write_bytes(idx(digits[1]))
    for content, message in [
        (idx(digits[0])[:-1], "expected 7840016 bytes of content, got 7840015"),
        (idx(digits[0]) + b"1", "more than 7840016 bytes"),
        (gzip.compress(idx(digits[0]), 1)[:-9], "damaged gzip data"),
    ]:
        (tmp_path / IMAGES).write_bytes(content)
        with pytest.raises(RuntimeError, match=f"is not the {IMAGES} of MNIST: {message}"):
            MNIST(tmp_path, train=False)
    (tmp_path / IMAGES).write_bytes(idx(FashionMNIST(train=False).data))
    with pytest.raises(RuntimeError, match="is a file of Fashion-MNIST, not of MNIST"):
        MNIST(tmp_path, train=False)
    (tmp_path / f"{IMAGES}.gz").write_bytes(gzip.compress(idx(digits[0]), 1))
    with pytest.warns(UserWarning, match="is not the file of MNIST that was published; its content is unverified"):
        assert len(MNIST(tmp_path, train=False)) == 10_000


# --- CIFAR-10 ---------------------------------------------------------------------------------------------


@pytest.fixture
def batch(monkeypatch):
    """Images and labels, and a pickle of them (of the protocol in which bytes are bytes) that counts as published."""
    images, labels = rng.integers(0, 256, (10_000, 3072), np.uint8), rng.integers(0, 10, 10_000).tolist()
    content = pickle.dumps({b"data": images, b"labels": labels, b"batch_label": b"testing"}, protocol=3)
    monkeypatch.setitem(own_files.CIFAR10_FILES, "test_batch", hashlib.md5(content).hexdigest())
    return images, labels, content


def lay_out(kind, root, images, labels, content):
    if kind == "folder":
        (root / "cifar-10-batches-py").mkdir()
        (root / "cifar-10-batches-py" / "test_batch").write_bytes(content)
    elif kind == "archive":
        with tarfile.open(root / "cifar-10-python.tar.gz", "w") as files:
            info = tarfile.TarInfo("cifar-10-batches-py/test_batch")
            info.size = len(content)
            files.addfile(info, io.BytesIO(content))
    else:
        (root / "cifar-10-batches-bin").mkdir()
        samples = np.concatenate([np.array(labels, np.uint8)[:, None], images], axis=1)
        samples.tofile(root / "cifar-10-batches-bin" / "test_batch.bin")


@pytest.mark.parametrize("kind", ["folder", "archive", "binary"])
def test_cifar10_is_read(kind, batch, tmp_path):
    images, labels, content = batch
    lay_out(kind, tmp_path, images, labels, content)
    test = CIFAR10(tmp_path, train=False)
    planes = images.reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(test.data, planes.transpose(0, 2, 3, 1))
    assert test.targets.tolist() == labels and test.classes[3] == "cat"
    x, y = test.batch([5, 1])
    np.testing.assert_array_equal(x.numpy(), planes[[5, 1]] / np.float32(255))
    np.testing.assert_array_equal(test[5][0].numpy(), x.numpy()[0])
    assert y.tolist() == [labels[5], labels[1]] and test[1][1] == labels[1]
    steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    train = CIFAR10(tmp_path, False, transforms.Compose(steps))
    assert train.batch([1, 2, 3])[0].shape == (3, 3, 32, 32) and train[0][0].shape == (3, 32, 32)
    with pytest.raises(RuntimeError, match="cifar-10"):
        CIFAR10(tmp_path)


def test_files_that_are_not_cifar10(batch, tmp_path):
    with pytest.raises(RuntimeError, match=r"has not cifar-10-batches-py/, cifar-10-python.tar.gz or"):
        CIFAR10(tmp_path)
    images, labels, content = batch
    lay_out("binary", tmp_path, images, [10] * 10_000, content)
    with pytest.raises(RuntimeError, match="test_batch.bin is not a file of CIFAR-10"):
        CIFAR10(tmp_path, train=False)
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match="is damaged, or not the archive of CIFAR-10"):
        CIFAR10(tmp_path, train=False)
    (tmp_path / "cifar-10-python.tar.gz").unlink()
    lay_out("archive", tmp_path, images, labels, rng.bytes(1_000_000))
    packed = bytearray(gzip.compress((tmp_path / "cifar-10-python.tar.gz").read_bytes()))
    packed[500_000:600_000] = b"\xff" * 100_000
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(packed)
    with pytest.raises(RuntimeError, match="is damaged, or not the archive of CIFAR-10"):
        CIFAR10(tmp_path, train=False)
    lay_out("folder", tmp_path, images, labels, content[:-1] + b"!")
    with pytest.raises(RuntimeError, match="is not the test_batch of CIFAR-10: it is missing, was cut"):
        CIFAR10(tmp_path, train=False)


def test_even_with_the_right_digest_a_pickle_runs_nothing(tmp_path, monkeypatch):
    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    content = pickle.dumps({b"data": Runs()}, protocol=3)
    monkeypatch.setitem(own_files.CIFAR10_FILES, "test_batch", hashlib.md5(content).hexdigest())
    lay_out("folder", tmp_path, None, None, content)
    with pytest.raises(RuntimeError, match=r"the file asks for (posix|nt).mkdir, which is no array"):
        CIFAR10(tmp_path, train=False)
    assert not (tmp_path / "made").exists()


# --- a folder of images -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for name, size, colour in (("dog/b.PNG", (4, 6), 10), ("dog/deep/a.png", (4, 6), 20), ("cat/c.bmp", (8, 5), 30)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*size[::-1], 3), colour, np.uint8)).save(tmp_path / name)
    (tmp_path / "cat" / "notes.txt").write_text("none")
    (tmp_path / "readme.md").write_text("none")
    return tmp_path


def test_a_folder_of_images(folder):
    images = ImageFolder(folder)
    assert images.classes == ["cat", "dog"] and images.class_to_idx == {"cat": 0, "dog": 1}
    assert [os.path.relpath(path, folder) for path, _ in images.samples] == ["cat/c.bmp", "dog/b.PNG", "dog/deep/a.png"]
    assert images.targets == [0, 1, 1] and len(images) == 3
    x, y = images[0]
    assert x.shape == (3, 5, 8) and y == 0 and x.numpy().max() == np.float32(30 / 255)
    with pytest.raises(ValueError, match="expected samples of one shape"):
        images.batch([0, 1])
    steps = transforms.Compose([transforms.Resize((7, 7)), transforms.ToTensor()])
    same = ImageFolder(folder, steps, target_transform=lambda label: -label)
    x, y = next(iter(DataLoader(same, 3)))
    assert x.shape == (3, 3, 7, 7) and y.tolist() == [0, -1, -1]
    named = ImageFolder(folder, lambda path: path, loader=os.path.basename, is_valid_file=lambda path: "b" in path[-5:])
    assert [image for image, _ in named] == ["c.bmp", "b.PNG"]


def test_a_damaged_image_is_named(folder):
    path = folder / "dog" / "deep" / "a.png"
    for content in (path.read_bytes()[:45], b"words"):
        path.write_bytes(content)
        with pytest.raises(OSError, match=r"a\.png is no image that can be read: "):
            ImageFolder(folder)[2]


def test_folders_without_images_and_a_machine_without_pillow(folder, monkeypatch):
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder in"):
        ImageFolder(folder / "dog" / "deep")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ImageFolder(folder / "nowhere")
    (folder / "emu").mkdir()
    with pytest.raises(FileNotFoundError, match=r"Found no valid file for the class emu .* \.jpg, \.jpeg, \.png"):
        ImageFolder(folder)
    (folder / "emu").rmdir()
    images = ImageFolder(folder)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install 'minitorch_cnn\[images\]'"):
        images[0]
