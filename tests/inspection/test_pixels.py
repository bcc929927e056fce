"""Pictures of any size and mode become small, grey, and bright on dark."""

import numpy as np
import pytest

from minitorch_cnn import inspection
from minitorch_cnn.inspection.pixels import resized

PIL_Image = pytest.importorskip("PIL.Image")


def boot():
    """Something bright on black."""
    image = np.zeros((28, 28), np.uint8)
    image[6:24, 9:20] = np.arange(60, 258, 18 * 11 // 198, dtype=np.uint8)[: 18 * 11].reshape(18, 11)
    return image


def written(tmp_path, image, name="p.png", **settings):
    image.save(tmp_path / name, **settings)
    return inspection.read_image(tmp_path / name)


def test_what_has_the_size_comes_as_it_is(tmp_path):
    read = written(tmp_path, PIL_Image.fromarray(boot()))
    np.testing.assert_allclose(read.image, boot() / np.float32(255), atol=1e-6)
    assert read.image.dtype == np.float32 and not read.is_inverted


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "CMYK"])
@pytest.mark.parametrize("dark_on_bright", [False, True])
def test_any_mode(tmp_path, mode, dark_on_bright):
    image = boot()
    if mode == "1":
        image = np.where(image > 0, 255, 0).astype(np.uint8)
    expected = image / 255
    if dark_on_bright:
        image = 255 - image
    if mode == "I;16":
        picture = PIL_Image.fromarray(image.astype(np.uint16) * 257)
    else:
        picture = PIL_Image.fromarray(image).convert("RGB" if mode == "CMYK" else "L").convert(mode)
    read = written(tmp_path, picture, "p.tif" if mode == "CMYK" else "p.png")
    np.testing.assert_allclose(read.image, expected, atol=0.01)
    assert read.is_inverted == dark_on_bright
    assert read.original.shape == (28, 28, 3)


@pytest.mark.parametrize("subject", [20, 240])
def test_a_transparent_picture_is_laid_on_what_it_can_be_seen_on(tmp_path, subject):
    alpha = np.where(boot() > 0, 255, 0).astype(np.uint8)
    colours = np.full((28, 28, 3), subject, np.uint8)
    read = written(tmp_path, PIL_Image.fromarray(np.dstack([colours, alpha])))
    assert read.image[0, 0] == 0 and read.image[12, 12] > 0.9
    assert read.is_inverted == (subject == 20)


def test_the_size_is_changed_by_means_over_areas():
    image = np.arange(36.0).reshape(6, 6)
    np.testing.assert_allclose(resized(image, 3), image.reshape(3, 2, 3, 2).mean((1, 3)))
    np.testing.assert_allclose(resized(image, 12), image.repeat(2, 0).repeat(2, 1), rtol=1e-6)
    np.testing.assert_allclose(resized(np.ones((5, 7)), 3), np.ones((3, 3)), rtol=1e-6)
    assert resized(image, 4).mean() == pytest.approx(image.mean())


@pytest.mark.parametrize(("ground", "thing", "expected"), [(180, 45, 0.75), (60, 255, 1), (60, 0, 0), (180, 255, 0)])
def test_the_ground_becomes_black(tmp_path, ground, thing, expected):
    image = np.full((28, 28), ground, np.uint8)
    image[10:20, 10:20] = thing
    read = written(tmp_path, PIL_Image.fromarray(image))
    assert read.image[0, 0] == pytest.approx(0, abs=1e-6)
    assert read.image[15, 15] == pytest.approx(expected, abs=1e-6)
    assert read.is_inverted == (ground == 180)


def test_a_picture_of_another_size_is_cut_to_what_stands_out(tmp_path):
    rng = np.random.default_rng(0)
    image = 200 + rng.normal(0, 4, (300, 500)).clip(-12, 12)  # a grey wall
    image[100:200, 30:80] = 20
    image[250, 450] = 0  # a speck
    read = written(tmp_path, PIL_Image.fromarray(image.astype(np.uint8)), "p.jpg", quality=95)
    assert read.original.shape == (300, 500, 3) and read.is_inverted
    np.testing.assert_allclose(read.image[1:-1, 8:20], 0.9, atol=0.03, err_msg="100 pixels are 28, 50 are 14")
    np.testing.assert_allclose(read.image[:, [0, 5, 22, 27]], 0, atol=0.03)


def test_what_is_not_square_keeps_its_proportions(tmp_path):
    read = written(tmp_path, PIL_Image.fromarray(np.pad(np.full((56, 14), 255, np.uint8), ((0, 0), (7, 7)))))
    assert read.original.shape == (56, 28, 3)
    np.testing.assert_allclose(read.image.sum(axis=1), 7, rtol=1e-6, err_msg="14 of 56 pixels are 7 of 28")


def test_a_photograph_is_turned_as_its_camera_was(tmp_path):
    picture = PIL_Image.fromarray(boot())
    exif = PIL_Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    read = written(tmp_path, picture, exif=exif)
    np.testing.assert_allclose(read.image, np.rot90(boot(), -1) / 255, atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"words", b"\x89PNG\r\n\x1a\n", "cut"])
def test_what_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "p.png"
    if content == "cut":
        PIL_Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50), np.uint8)).save(path)
        content = path.read_bytes()[:1000]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"p\.png is no picture that can be read: "):
        inspection.read_image(path)
    with pytest.raises(FileNotFoundError):
        inspection.read_image(tmp_path / "missing.png")


@pytest.mark.parametrize("pixel", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_no_picture(tmp_path, pixel):
    PIL_Image.fromarray(np.full((9, 9), pixel, np.float32)).save(tmp_path / "p.tif")
    with pytest.raises(ValueError, match=r"p\.tif is no picture that can be read: some of its pixels are not finite"):
        inspection.read_image(tmp_path / "p.tif")
