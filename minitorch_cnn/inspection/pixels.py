"""Pictures from files, as a network for small grey images wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Pixels", "read_image"]

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue: ITU-R BT.601


@dataclass
class Pixels:
    """A picture from a file."""

    original: np.ndarray  #: as it looks: (H, W, 3), from 0 to 1, on white or black where it is transparent
    image: np.ndarray  #: as a network wants it: (size, size), float32 from 0 to 1, bright on dark
    is_inverted: bool  #: whether it was dark on bright


def read_image(path: Any, size: int = 28) -> Pixels:
    """Read a picture of any size and mode, and make it grey, bright on dark, and small.

    The ground is taken to be as bright as the median of the border. Dark on bright is what has a ground of more than
    half the brightness; it is inverted, because the images of Fashion-MNIST, and of MNIST, are bright on black. The
    ground becomes black, and what is darker than it, or of an inverted picture brighter, too. As the images of
    Fashion-MNIST were, a picture of another size is cut to what stands out from its ground, and that is put in the
    middle of a black square. The size is changed by averaging over areas. A transparent picture is laid on white if
    what is opaque in it is dark, else on black. Of a moving one the first frame is taken; a photograph is turned as its
    camera was.

    Parameters
    ----------
    path : str, Path or binary file
    size : int, default 28
        Height and width, in pixels.

    Returns
    -------
    Pixels

    Raises
    ------
    OSError
        If there is no such file, or it may not be read.
    ValueError
        If it is no picture, or a damaged one.

    Examples
    --------
    >>> import io, PIL.Image
    >>> file = io.BytesIO()
    >>> PIL.Image.new("RGB", (300, 200), "white").save(file, "PNG")
    >>> read = read_image(file)
    >>> read.image.shape, read.image.max().item(), read.is_inverted, read.original.shape
    ((28, 28), 0.0, True, (200, 300, 3))
    """
    colours, alpha = _opened(path)
    grey = colours @ LUMINANCE
    if alpha is not None:
        behind = float((grey * alpha).sum() < 0.5 * alpha.sum())
        colours = colours * alpha[..., None] + behind * (1 - alpha[..., None])
        grey = colours @ LUMINANCE
    ground = np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))
    is_inverted = bool(ground > 0.5)
    bright = np.clip((ground - grey) / ground if is_inverted else (grey - ground) / (1 - ground), 0, 1)
    if bright.shape != (size, size):
        bright = _square(_trimmed(bright))
    return Pixels(colours, resized(bright, size), is_inverted)


def resized(image, size):
    """An image (H, W) as one of (size, size): every pixel is the mean over its area in the old one.

    Examples
    --------
    >>> resized(np.array([[0.0, 2.0, 4.0], [0.0, 2.0, 4.0], [3.0, 5.0, 7.0]]), 1).item()
    3.0
    """
    rows, columns = (_areas(old, size) for old in image.shape)
    return (rows @ image @ columns.T).astype(np.float32)


# --- how ---------------------------------------------------------------------------------------------------


def _opened(path):
    """The colours (H, W, 3) of a picture, from 0 to 1, and how opaque each pixel is (H, W); None if all are."""
    import warnings

    import PIL.Image
    import PIL.ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of sizes that are read all the same
            with PIL.Image.open(path) as picture:
                picture = PIL.ImageOps.exif_transpose(picture)
                if picture.mode[0] in "IF":  # 16 bits, or numbers
                    most = 1.0 if picture.mode == "F" else 65535.0
                    grey = np.asarray(picture, np.float32) / most
                    if not np.isfinite(grey).all():
                        raise ValueError("some of its pixels are not finite")
                    grey = np.clip(grey, 0, 1)
                    return np.repeat(grey[..., None], 3, axis=2), None
                is_transparent = picture.mode[-1] in "Aa" or "transparency" in picture.info
                pixels = np.asarray(picture.convert("RGBA" if is_transparent else "RGB"), np.float32) / 255
    except MemoryError:
        raise
    except Exception as error:  # a decoder meets anything in a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"{path} is no picture that can be read: {error}") from error
    return pixels[..., :3], pixels[..., 3] if is_transparent else None


def _trimmed(image):
    """The part of an image whose lines stand out: a hundredth of their pixels has a fifth of the full brightness."""
    lines = [(image > 0.2).mean(axis=axis) >= 0.01 for axis in (1, 0)]
    if not all(line.any() for line in lines):
        return image
    rows, columns = (slice(line.argmax(), len(line) - line[::-1].argmax()) for line in lines)
    return image[rows, columns]


def _square(image):
    """An image (H, W) in the middle of a black square."""
    side = max(image.shape)
    whole = np.zeros((side, side), image.dtype)
    top, left = ((side - length) // 2 for length in image.shape)
    whole[top : top + image.shape[0], left : left + image.shape[1]] = image
    return whole


def _areas(old, new):
    """The matrix (new, old) that averages a line of pixels: what share of each new pixel each old one covers."""
    edges = np.arange(new + 1) * (old / new)
    left, right = np.maximum.outer(edges[:-1], np.arange(old)), np.minimum.outer(edges[1:], np.arange(1, old + 1))
    return np.maximum(right - left, 0) * (new / old)
