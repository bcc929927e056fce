"""Transforms of images: against Pillow, against what they are defined as, and one by one against whole batches."""

import numpy as np
import pytest
from PIL import Image

import minitorch_cnn as mt
from minitorch_cnn.data import DataLoader, FashionMNIST, ImageDataset, Subset, transforms

rng = np.random.default_rng(5)
GREY, COLOUR = (rng.integers(0, 256, shape, np.uint8) for shape in ((28, 20), (9, 14, 3)))


def image_set(**options):
    colours = np.random.default_rng(1).integers(0, 256, (12, 3, 9, 14), np.uint8)
    return ImageDataset(colours, range(12), **options)


def test_scripts_with_another_import():
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    x = transform(GREY)
    np.testing.assert_allclose(x.numpy(), (GREY[None] / 255 - 0.1307) / 0.3081, rtol=1e-5)
    assert x.shape == (1, 28, 20) and x.dtype == mt.float32
    assert repr(transform) == "Compose(\n    ToTensor()\n    Normalize(mean=(0.1307,), std=(0.3081,), inplace=False)\n)"


def test_to_tensor():
    for image in (COLOUR, Image.fromarray(COLOUR)):
        np.testing.assert_array_equal(transforms.ToTensor()(image).numpy(), COLOUR.transpose(2, 0, 1) / np.float32(255))
    floats = rng.standard_normal((4, 5))
    np.testing.assert_array_equal(transforms.ToTensor()(floats).numpy(), floats[None])  # not bytes: as they are


@pytest.mark.parametrize("size", [(14, 10), (56, 40), (13, 31), (28, 20), (1, 1), (40, 7)], ids=str)
@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
def test_resize_is_that_of_pillow(image, size):
    across = Image.fromarray(image).resize((size[1], len(image)), Image.Resampling.BILINEAR)
    expected = np.asarray(across.resize(size[::-1], Image.Resampling.BILINEAR))  # Pillow 13 may begin with the heights
    for given in (image, Image.fromarray(image)):
        ours = transforms.Resize(size)(given)
        assert ours.dtype == np.uint8
        np.testing.assert_array_equal(ours, expected)


def test_resize_by_the_shorter_side_and_of_tensors():
    assert transforms.Resize(14)(GREY).shape == (19, 14)  # int(14 * 28 / 20)
    assert transforms.Resize([18])(COLOUR).shape == (18, 28, 3)
    x = transforms.ToTensor()(COLOUR)
    y = transforms.Resize((18, 7))(x)
    assert y.shape == (3, 18, 7) and y.dtype == mt.float32
    bytes_first = transforms.ToTensor()(transforms.Resize((18, 7))(COLOUR))
    np.testing.assert_allclose(y.numpy(), bytes_first.numpy(), atol=1.01 / 255)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "int64"])
def test_resize_of_whole_numbers_rounds_the_means(dtype):
    image = np.arange(64, dtype=dtype).reshape(8, 8) * 500
    expected = transforms.Resize((3, 5))(image.astype(np.float64))
    assert (resized := transforms.Resize((3, 5))(image)).dtype == dtype and np.abs(resized - expected).max() <= 1
    assert transforms.Resize(4)(mt.tensor(image.astype(np.int64))[None]).dtype == mt.int64


def test_a_flip_exchanges_left_and_right_of_some_images():
    mt.manual_seed(0)
    images = np.stack([GREY] * 2000)
    flipped = transforms.RandomHorizontalFlip(0.3).batch(images)
    is_flipped = (flipped == GREY[:, ::-1]).all((1, 2))
    assert (is_flipped | (flipped == GREY).all((1, 2))).all() and abs(is_flipped.mean() - 0.3) < 0.04
    x = transforms.ToTensor()(COLOUR)
    np.testing.assert_array_equal(transforms.RandomHorizontalFlip(1.0)(x).numpy(), x.numpy()[..., ::-1])
    np.testing.assert_array_equal(transforms.RandomHorizontalFlip(1.0)(COLOUR), COLOUR[:, ::-1])
    np.testing.assert_array_equal(transforms.RandomHorizontalFlip(0.0)(COLOUR), COLOUR)


@pytest.mark.parametrize(
    ("padding", "widths"),
    [(None, (0, 0, 0, 0)), (4, (4, 4, 4, 4)), ((1, 2), (1, 2, 1, 2)), ((1, 2, 3, 0), (1, 2, 3, 0))],
)
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_a_crop_is_a_part_of_the_padded_image(padding, widths, mode):
    left, top, right, bottom = widths
    fill = {"constant_values": 7} if mode == "constant" else {}
    padded = np.pad(COLOUR, ((top, bottom), (left, right), (0, 0)), mode, **fill)
    crop = transforms.RandomCrop((6, 5), padding, fill=7, padding_mode=mode)
    places = set()
    for _ in range(60):
        part = crop(COLOUR)
        found = [
            (i, j)
            for i in range(padded.shape[0] - 5)
            for j in range(padded.shape[1] - 4)
            if np.array_equal(padded[i : i + 6, j : j + 5], part)
        ]
        assert found
        places.update(found)
    assert len(places) > 20
    x = mt.tensor(COLOUR.transpose(2, 0, 1))
    whole = transforms.RandomCrop(padded.shape[:2], padding, fill=7, padding_mode=mode)(x)
    np.testing.assert_array_equal(whole.numpy(), padded.transpose(2, 0, 1))


@pytest.mark.parametrize("shape", [(6, 7), (3, 6, 7), (2, 3, 6, 7)])
def test_a_crop_takes_all_that_stands_before_the_heights_of_a_tensor(shape):
    image = mt.arange(int(np.prod(shape))).reshape(shape)
    part = transforms.RandomCrop((2, 3))(image)
    assert part.shape == (*shape[:-2], 2, 3)
    (top, left), first = divmod(part.flatten()[0].item(), 7), image
    np.testing.assert_array_equal(part.numpy(), first.numpy()[..., top : top + 2, left : left + 3])


def test_a_crop_may_pad_what_is_too_small():
    assert transforms.RandomCrop((12, 10), pad_if_needed=True)(COLOUR).shape == (12, 10, 3)
    with pytest.raises(ValueError, match=r"Required crop size \(12, 10\) is larger than input image size \(9, 14\)"):
        transforms.RandomCrop((12, 10))(COLOUR)


TRANSFORMS = {
    "tensor": transforms.ToTensor(),
    "all": transforms.Compose([transforms.Resize((8, 6)), transforms.ToTensor(), transforms.Normalize(0.5, (1, 2, 3))]),
    "with a function": transforms.Compose([
        transforms.Resize(7), transforms.Lambda(lambda image: 255 - image), transforms.ToTensor(), lambda x: x * 2,
    ]),
    "a function": lambda image: mt.tensor(image.mean((0, 1))),
    "no tensor": transforms.Resize((4, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_batch_is_its_samples(name):
    images = image_set(transform=TRANSFORMS[name], target_transform=lambda label: label * 0.5)
    x, y = images.batch([7, 2, 2])
    samples = [images[i] for i in (7, 2, 2)]
    np.testing.assert_allclose(x.numpy(), np.stack([np.asarray(sample) for sample, _ in samples]), rtol=1e-6)
    assert y.tolist() == [label for _, label in samples] == [3.5, 1.0, 1.0]
    assert images.batch([7, 2])[0].dtype == x.dtype


def test_without_a_transform_batches_are_as_they_were_and_with_one_nothing_moves(gpu):
    plain, transformed = image_set(), image_set(transform=transforms.ToTensor())
    for a, b in zip(plain.batch([1, 2]), transformed.batch([1, 2])):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert plain.to("cuda").device.type == "cuda" and transformed.to("cuda") is transformed
    assert image_set(target_transform=str).to("cuda").device.type == "cpu"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_seed_gives_the_same_batches_whatever_the_workers(workers):
    """Random transforms draw from the one stream, and so not on a thread beside what the program draws."""
    steps = [transforms.RandomCrop(8, padding=2), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    images = Subset(image_set(transform=transforms.Compose(steps)), range(10))
    assert images.draws and not image_set(transform=transforms.ToTensor()).draws
    passes = []
    for _ in range(2):
        mt.manual_seed(3)
        passes.append([(x.numpy(), mt.rand(2).numpy()) for x, _ in DataLoader(images, 4, True, num_workers=workers)])
    np.testing.assert_equal(passes[0], passes[1])
    assert [len(x) for x, _ in passes[0]] == [4, 4, 2]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: transforms.ToTensor()(mt.ones(3)), TypeError, "got a Tensor: it is one already"),
        (lambda: transforms.ToTensor()([1, 2]), TypeError, r"expected an image: .* got list"),
        (lambda: transforms.ToTensor()(np.ones(3)), TypeError, r"got an array of shape \(3,\)"),
        (lambda: transforms.Normalize(0.5, 0.5)(GREY), TypeError, "got ndarray: put ToTensor before"),
        (lambda: transforms.Normalize(0.5, 0.5)(mt.ones(1, 2, 2).long()), TypeError, "got int64: put ToTensor"),
        (lambda: transforms.Normalize((0, 0), (1, 1))(mt.ones(3, 2, 2)), ValueError, "expected one mean .*, or 3"),
        (lambda: transforms.Normalize(0.5, (1, 0, 1)), ValueError, "std evaluated to zero"),
        (lambda: transforms.Resize("a"), TypeError, "size must be"),
        (lambda: transforms.Resize((1, 2, 3)), RuntimeError, "size must be"),
        (lambda: transforms.RandomHorizontalFlip(1.5), ValueError, "p should be a probability"),
        (lambda: transforms.RandomCrop(3, padding=(1, 2, 3)), ValueError, "padding should be 1, 2 or 4 numbers"),
        (lambda: transforms.RandomCrop(3, padding_mode="zero"), ValueError, "padding_mode should be constant"),
        (lambda: transforms.RandomCrop(3, padding=-1), ValueError, "padding must be at least 0, got -1"),
        (lambda: transforms.RandomCrop(3, padding=1.5), TypeError, "padding must be a whole number, got 1.5"),
        (lambda: transforms.RandomCrop(3, 1, fill=300)(GREY), RuntimeError, "300"),
        (lambda: transforms.Resize(3)(GREY[:0]), ValueError, r"expected an image with pixels, got one .*\(0, "),
        (lambda: transforms.Lambda(3), TypeError, "lambd should be callable, got int"),
        (lambda: transforms.Transform()(GREY), NotImplementedError, r"Transform must define batch\(images\)"),
    ],
)
def test_what_does_not_fit_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_fashion_mnist_takes_transforms():
    steps = [transforms.Resize(32), transforms.ToTensor(), transforms.Normalize((0.2860,), (0.3530,))]
    train = FashionMNIST(train=False, transform=transforms.Compose(steps), target_transform=lambda label: label + 1)
    x, y = train.batch(range(2000))
    assert x.shape == (2000, 1, 32, 32) and y.tolist() == (train.targets[:2000] + 1).tolist()
    assert abs(x.mean().item()) < 0.05 and abs(x.std().item() - 1) < 0.1
