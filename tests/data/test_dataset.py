"""Data sets and the batches they make."""

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn.data import Dataset, ImageDataset, Subset, TensorDataset, collate


@pytest.fixture
def images():
    rng = np.random.default_rng(1)
    return ImageDataset(rng.integers(0, 256, (12, 5, 4), dtype=np.uint8), rng.integers(0, 10, 12))


class Plain(Dataset):
    """The same samples one by one, batched by the default."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index]


def test_a_sample_is_a_float_image_and_an_int(images):
    image, label = images[-1]
    assert image.shape == (1, 5, 4) and image.dtype == mt.float32 and type(label) is int
    np.testing.assert_array_equal(image.numpy()[0], images.data[11] / np.float32(255))
    assert label == images.targets[11]


def test_every_byte_becomes_what_torchvision_makes_of_it():
    torch = pytest.importorskip("torch")
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    image, _ = ImageDataset(every, [0])[0]
    np.testing.assert_array_equal(image.numpy(), torch.from_numpy(every).to(torch.float32).div(255).numpy())


def test_a_whole_batch_is_what_single_samples_give(images):
    indices = np.array([3, 0, 11, 3])
    (x, y), (expected_x, expected_y) = images.batch(indices), Plain(images).batch(indices)
    assert x.shape == (4, 1, 5, 4) and x.dtype == mt.float32 and y.dtype == mt.int64
    assert expected_x.dtype == mt.float32 and expected_y.dtype == mt.int64
    np.testing.assert_array_equal(x.numpy(), expected_x.numpy())
    np.testing.assert_array_equal(y.numpy(), expected_y.numpy())


def test_a_batch_does_not_share_memory_with_the_data(images):
    before = images.data.copy(), images.targets.copy()
    x, y = images.batch([0, 1])
    x.array[...] = 7
    y.array[...] = 7
    np.testing.assert_array_equal(images.data, before[0])
    np.testing.assert_array_equal(images.targets, before[1])


def test_colour_images_keep_their_channels():
    coloured = ImageDataset(np.full((2, 3, 5, 4), 255, np.uint8), [0, 1])
    assert coloured[0][0].shape == (3, 5, 4)
    assert coloured.batch([0, 1])[0].shape == (2, 3, 5, 4)


@pytest.mark.parametrize("shape", [(5, 4), (3, 5, 4)])
def test_batches_lie_in_memory_as_the_convolution_has_them(shape, device):
    """The batch innermost, then columns, channels and rows; with the values of plain arithmetic, to the bit."""
    pixels = np.random.default_rng(2).integers(0, 256, (300, *shape), dtype=np.uint8)
    dataset = ImageDataset(pixels, np.arange(300) % 10).to(device)
    indices = np.random.default_rng(3).permutation(300)[:256]
    x, y = dataset.batch(indices)
    assert x.array.transpose(2, 1, 3, 0).flags.c_contiguous  # (H, C, W, N)
    expected = pixels[indices].reshape(256, -1, 5, 4).astype(np.float32) / np.float32(255)
    assert x.device.type == y.device.type == device and x.dtype == mt.float32
    np.testing.assert_array_equal(x.cpu().numpy(), expected)
    np.testing.assert_array_equal(y.cpu().numpy(), indices % 10)


def test_a_data_set_goes_to_the_gpu_and_back(images, standin):
    there = images.to("cuda")
    assert (str(images.device), str(there.device)) == ("cpu", "cuda:0")  # it is a copy that goes
    assert type(there) is ImageDataset and there.data.dtype == np.uint8
    assert there.to("cuda").device == there.device and images.to("cpu").data is images.data
    assert standin.transfers.to_device == 2  # images and labels, once
    back = there.to("cpu")
    np.testing.assert_array_equal(back.data, images.data)
    np.testing.assert_array_equal(back.targets, images.targets)
    image, label = there[5]
    assert image.is_cuda and type(label) is int
    np.testing.assert_array_equal(image.cpu().numpy(), images[5][0].numpy())


def test_batches_of_data_sets_on_the_gpu_are_made_there(images, standin):
    tensors = TensorDataset(mt.arange(12), mt.rand(12, 2))
    for dataset in (images, tensors, Subset(images, [7, 2, 5, 0]), Subset(tensors, [3, 1, 2, 0])):
        there, indices = dataset.to("cuda"), np.array([2, 0, 2])
        on_the_gpu = standin.asarray(indices)
        standin.transfers.reset()
        batch = there.batch(on_the_gpu)
        assert (standin.transfers.to_device, standin.transfers.to_host) == (0, 0)
        assert there.device == batch[0].device == mt.device("cuda") and dataset.device == mt.device("cpu")
        for part, expected in zip(batch, dataset.batch(indices), strict=True):
            assert part.tolist() == expected.tolist()
        assert there.batch([2, 0, 2])[0].tolist() == batch[0].tolist()  # indices of the host are sent
        assert len(there) == len(dataset)


def test_what_cannot_be_moved_stays(images, gpu):
    plain = Plain(images)
    assert plain.to("cuda") is plain and str(plain.device) == "cpu"
    words = Subset(["a", "b"], [1]).to("cuda")
    assert words[0] == "b" and str(words.device) == "cpu"


def test_a_part_of_a_data_set_on_the_gpu_is_there(images, gpu):
    part = Subset(images.to("cuda"), [4, 1])
    assert part.device == mt.device("cuda") and part.batch([1])[1].tolist() == [images.targets[1]]
    assert part[0][1] == images.targets[4]


@pytest.mark.parametrize("index", [12, -13])
def test_an_index_outside_is_an_error(images, index):
    with pytest.raises(IndexError):
        images[index]


def test_a_data_set_can_be_iterated_over(images):
    assert [label for _, label in images] == images.targets.tolist()


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (np.zeros((2, 5, 4)), [0, 1], TypeError, "expected uint8 images, got float64"),
        (np.zeros((2, 5, 4), np.uint8), [0.0, 1.0], TypeError, "expected integer labels, got float64"),
        (np.zeros((2, 5, 4), np.uint8), [0, 1, 2], ValueError, r"got \(2, 5, 4\) and \(3,\)"),
        (np.zeros((5, 4), np.uint8), [0] * 5, ValueError, r"expected images of shape \(N, H, W\)"),
    ],
)
def test_what_is_not_labelled_images_is_refused(images, labels, error, message):
    with pytest.raises(error, match=message):
        ImageDataset(images, labels)


def test_tensors_row_by_row(device):
    x = mt.tensor(np.arange(12.0, dtype=np.float32).reshape(6, 2), device=device)
    dataset = TensorDataset(x, mt.arange(6, device=device))
    assert len(dataset) == 6
    row, number = dataset[4]
    assert row.tolist() == [8.0, 9.0] and number.item() == 4
    rows, numbers = dataset.batch(np.array([5, 0]))
    assert rows.tolist() == [[10.0, 11.0], [0.0, 1.0]] and numbers.tolist() == [5, 0]
    assert rows.device.type == numbers.device.type == device


def test_a_tensor_data_set_does_not_drag_a_graph_along():
    x = mt.tensor([[1.0], [2.0]], requires_grad=True)
    (rows,) = TensorDataset(x * 2).batch([0])
    assert not rows.requires_grad


def test_what_is_not_tensors_of_one_length_is_refused():
    with pytest.raises(ValueError, match="expected at least one tensor"):
        TensorDataset()
    with pytest.raises(TypeError, match=r"got a numpy.ndarray: make a Tensor of it with minitorch_cnn\.tensor"):
        TensorDataset(np.zeros(3))
    with pytest.raises(ValueError, match=r"same first dimension, got the shapes \[\(2,\), \(3, 1\)\]"):
        TensorDataset(mt.zeros(2), mt.zeros(3, 1))
    with pytest.raises(ValueError, match="same first dimension"):
        TensorDataset(mt.tensor(1.0))


def test_a_subset(images):
    subset = Subset(images, [7, 2, 5])
    assert len(subset) == 3
    assert subset[1][1] == images[2][1]
    x, y = subset.batch(np.array([2, 0]))
    np.testing.assert_array_equal(x.numpy(), images.batch([5, 7])[0].numpy())
    assert y.tolist() == images.targets[[5, 7]].tolist()
    with pytest.raises(IndexError):
        subset[3]
    assert Subset([10, 20, 30], [2, 1]).batch([0, 1]).tolist() == [30, 20]


def test_a_data_set_without_its_methods_says_so():
    class Empty(Dataset):
        pass

    with pytest.raises(NotImplementedError, match="Empty must define __len__"):
        len(Empty())
    with pytest.raises(NotImplementedError, match="Empty must define __getitem__"):
        Empty()[0]


@pytest.mark.parametrize(
    ("samples", "dtype"),
    [
        ([1, 2], mt.int64),
        ([1.5, 2.5], mt.float32),
        ([1, 2.5], mt.float32),
        ([True, False], mt.bool),
        ([np.float64(1), np.float64(2)], mt.float32),
        ([np.int32(1), np.int32(2)], mt.int64),
    ],
)
def test_numbers_become_the_default_types(samples, dtype):
    batch = collate(samples)
    assert batch.dtype == dtype and batch.tolist() == samples


def test_arrays_keep_their_types():
    assert collate([np.zeros(2), np.ones(2)]).dtype == mt.float64
    assert collate([mt.zeros(2), mt.ones(2)]).shape == (2, 2)


def test_structures_are_joined_entry_by_entry():
    batch = collate([{"x": (1.0, 2), "y": np.zeros(3)}] * 4)
    assert batch["y"].shape == (4, 3) and [entry.tolist() for entry in batch["x"]] == [[1.0] * 4, [2] * 4]


def test_samples_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match=r"samples of one shape, got \[\(2,\), \(3,\)\]: give the DataLoader"):
        collate([np.zeros(2), np.zeros(3)])
    with pytest.raises(ValueError, match=r"samples of 2 entries each, got \[2, 3\]"):
        collate([(1, 2), (1, 2, 3)])
    with pytest.raises(ValueError, match=r"same keys, got \[\['x', 'y'\], \['x'\]\]"):
        collate([{"x": 1, "y": 2}, {"x": 1}])
    for samples in ([1, mt.ones(2)], [(1, 2), 3], [{"x": 1}, 2], [mt.ones(1), None]):
        with pytest.raises(TypeError, match="cannot make a batch of .*, .*: give the DataLoader a collate_fn"):
            collate(samples)
    with pytest.raises(TypeError, match="cannot make a batch of str: give the DataLoader a collate_fn"):
        collate(["a", "b"])


@pytest.mark.parametrize("index", [slice(None), [0, 2], slice(1, None), np.array([2, 0]), [-1]])
def test_a_subset_gives_many_at_once(device, index):
    data = Subset(TensorDataset(mt.arange(5, device=device), mt.arange(5, device=device) * 2), [1, 3, 4])
    chosen = np.array([1, 3, 4])[index].tolist()
    x, y = data[index]
    assert x.tolist() == chosen
    assert y.tolist() == [2 * i for i in chosen]


@pytest.mark.parametrize("indices", [[True, False], np.array([0.0, 1.0]), [0.5], [[0, 1]], ["a"], np.array([True])])
def test_a_subset_by_what_is_no_list_of_whole_numbers_is_refused(indices):
    with pytest.raises(TypeError, match="sequence of whole numbers"):
        Subset(TensorDataset(mt.arange(3)), indices)


@pytest.mark.parametrize("indices", [range(2), (1, 0), np.array([1, 2], np.uint8), mt.tensor([1]), []])
def test_a_subset_by_whole_numbers_of_every_kind(indices):
    assert len(Subset(TensorDataset(mt.arange(3)), indices)) == len(indices)


def test_samples_that_hold_no_numbers_are_refused():
    for samples in ([1, None], [np.array(["a"])], [np.datetime64("2020-01-01")], [1j, 2j]):
        with pytest.raises(TypeError, match="cannot make a batch|array of"):
            collate(samples)
