"""What is done to an image before a network sees it: the names of ``torchvision.transforms``, on arrays and tensors.

An image is an array of NumPy's, (H, W) or (H, W, C), mostly of bytes, or a Tensor (C, H, W). One of Pillow's is taken
as such an array. Each transform works on a whole batch of images of one size at once, and draws for each of them by
itself, from the stream that `manual_seed` seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.backend.annotations import IntOrPair
from minitorch_cnn.backend.arguments import pair, whole
from minitorch_cnn.backend.dtypes import fitted
from minitorch_cnn.backend.random import default_generator
from minitorch_cnn.ops.linalg import product
from minitorch_cnn.ops.operands import plain
from minitorch_cnn.ops.shape import stack

__all__ = ["Compose", "Lambda", "Normalize", "RandomCrop", "RandomHorizontalFlip", "Resize", "ToTensor", "Transform"]


class Transform:
    """The base class of transforms: a subclass defines ``batch(images)``, of an array (N, H, W[, C]) or a Tensor.

    Attributes
    ----------
    draws : bool
        Whether it draws random numbers.
    """

    draws = False

    def __call__(self, img: Any) -> Any:
        """The image, transformed."""
        return self.batch(img.unsqueeze(0) if isinstance(img, Tensor) else _pixels_of(img)[None])[0]

    def batch(self, images: Any) -> Any:
        """The images, transformed."""
        raise NotImplementedError(f"{type(self).__name__} must define batch(images)")

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"


def on_batch(transform, images):
    """Apply any function of an image to each of a batch: at once where it can do that, else one after the other."""
    if isinstance(transform, Transform):
        return transform.batch(images)
    results = [transform(image) for image in images]
    return stack(results) if isinstance(results[0], Tensor) else np.stack([np.asarray(result) for result in results])


def _pixels_of(img):
    """An image as an array (H, W) or (H, W, C)."""
    array = img if isinstance(img, np.ndarray) else np.asarray(img) if hasattr(img, "__array_interface__") else None
    if array is None or array.ndim not in (2, 3):
        what = type(img).__name__ if array is None else f"an array of shape {array.shape}"
        raise TypeError(f"expected an image: an array (H, W) or (H, W, C), a Tensor (C, H, W), or Pillow's; got {what}")
    return array


def _height_axis(images):
    """The axis of the heights of a batch, which that of the widths follows."""
    return images.ndim - 2 if isinstance(images, Tensor) else 1


class Compose(Transform):
    """Some transforms, one after the other.

    Parameters
    ----------
    transforms : sequence of function
        Of an image each: those of this file, and any others.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((28, 28), 51, np.uint8)
    >>> Compose([Resize(32), ToTensor(), Normalize((0.2,), (0.5,))])(image).shape
    (1, 32, 32)
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = list(transforms)

    @property
    def draws(self) -> bool:
        return any(getattr(transform, "draws", False) for transform in self.transforms)

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def batch(self, images: Any) -> Any:
        for transform in self.transforms:
            images = on_batch(transform, images)
        return images

    def __repr__(self) -> str:
        return "\n".join(["Compose(", *(f"    {transform}" for transform in self.transforms), ")"])


class Lambda:
    """A function of an image as a transform.

    Parameters
    ----------
    lambd : function
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return "Lambda()"


class ToTensor(Transform):
    """An array (H, W) or (H, W, C) as a Tensor (C, H, W): bytes as float32 from 0 to 1, other numbers as they are.

    Raises
    ------
    TypeError
        If the image is a Tensor already, or no image.

    Examples
    --------
    >>> import numpy as np
    >>> ToTensor()(np.array([[0, 255]], np.uint8))
    tensor([[[0., 1.]]])
    """

    def __call__(self, img: Any) -> Tensor:
        if isinstance(img, Tensor):
            raise TypeError("ToTensor expected an array or an image of Pillow's, got a Tensor: it is one already")
        return super().__call__(img)

    def batch(self, images: np.ndarray) -> Tensor:
        pixels = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)  # (N, C, H, W)
        return Tensor(to_float(pixels) if images.dtype == np.uint8 else plain(pixels))


def to_float(pixels):
    """Bytes as numbers from 0 to 1, of shape (N, C, H, W), with the batch innermost in memory, as convolution has it.

    One pass over the images turns and divides them.
    """
    xp = get_array_module(pixels)
    pixels = pixels if pixels.ndim == 4 else pixels[:, None]  # (N, C, H, W)
    pixels = pixels.transpose(2, 1, 3, 0)  # (H, C, W, N)
    images = xp.empty(pixels.shape, np.float32)
    return xp.divide(pixels, np.float32(255), out=images, dtype=np.float32).transpose(3, 1, 0, 2)  # (N, C, H, W)


class Normalize(Transform):
    """(x - mean) / std of each channel of a Tensor (C, H, W) of floating-point numbers.

    Parameters
    ----------
    mean, std : sequence of float, or float
        One for each channel, or one for all.
    inplace : bool
        Whether to write the result into the image.

    Raises
    ------
    ValueError
        If an `std` is 0, or there is not one for each channel.
    TypeError
        If the image is no Tensor of floating-point numbers: put `ToTensor` before.
    """

    def __init__(self, mean: Sequence[float] | float, std: Sequence[float] | float, inplace: bool = False) -> None:
        self.mean, self.std, self.inplace = mean, std, inplace
        if not np.all(np.asarray(std)):
            raise ValueError(f"std evaluated to zero, leading to division by zero: std={std}")

    def batch(self, images: Tensor) -> Tensor:
        if not isinstance(images, Tensor) or not images.is_floating_point():
            came = images.dtype if isinstance(images, Tensor) else type(images).__name__
            raise TypeError(
                f"Normalize expected a Tensor of floating-point numbers, got {came}: put ToTensor before it, which "
                "makes such numbers of bytes; others, of x.astype(numpy.float32)"
            )
        mean, std = (np.asarray(x, images.dtype).reshape(-1, 1, 1) for x in (self.mean, self.std))
        channels = images.shape[-3]
        if any(len(x) not in (1, channels) for x in (mean, std)):
            raise ValueError(f"expected one mean and one std, or {channels}, got {self.mean} and {self.std}")
        out = images.array if self.inplace else np.empty_like(images.array)
        np.subtract(images.array, mean, out=out)
        out /= std
        return images if self.inplace else Tensor(out)

    def __call__(self, img: Any) -> Any:
        return super().__call__(img) if isinstance(img, Tensor) else self.batch(img)  # which refuses it


class Resize(Transform):
    """Another size: bilinear, and smoothed where the image shrinks, first across and then down, as Pillow does it.

    Parameters
    ----------
    size : int or (int, int)
        Height and width; one number is that of the shorter side, and the other keeps the proportions.

    Examples
    --------
    >>> import numpy as np
    >>> Resize(14)(np.zeros((28, 56, 3), np.uint8)).shape
    (14, 28, 3)
    """

    def __init__(self, size: IntOrPair) -> None:
        is_one = not isinstance(size, (tuple, list)) or len(size) == 1
        self.size = pair("size", size)[0] if is_one else pair("size", size)

    def batch(self, images: Any) -> Any:
        axis = _height_axis(images)
        array = images.array if isinstance(images, Tensor) else images
        sizes = array.shape[axis : axis + 2]
        if 0 in sizes:
            raise ValueError(f"Resize expected an image with pixels, got one of height and width {sizes}")
        for k in (1, 0):  # across, then down
            array = self._resampled(array, axis + k, interpolation(sizes[k], self._target(sizes)[k]))
        return Tensor(array) if isinstance(images, Tensor) else array

    def _target(self, sizes):
        if not isinstance(self.size, int):
            return self.size
        short = min(sizes)
        return tuple(self.size if side == short else int(self.size * side / short) for side in sizes)

    @staticmethod
    def _resampled(array, axis, matrix):
        lines = np.moveaxis(array, axis, -1)
        flat = lines.reshape(-1, lines.shape[-1])  # a line of pixels in each row
        if array.dtype == np.uint8:  # as Pillow reckons: whole weights of 22 bits, whose sums are exact here too
            y = product(flat.astype(np.float64), np.floor(matrix.T * 2**22 + 0.5))
            y = np.floor((y + 2**21) / 2**22).clip(0, 255).astype(np.uint8)
        elif array.dtype.kind == "f":
            y = product(flat, matrix.T.astype(array.dtype))
        else:  # of whole numbers the weights are none: the nearest whole number of the mean
            y = np.rint(product(flat.astype(np.float64), matrix.T)).astype(array.dtype)
        return np.moveaxis(y.reshape(*lines.shape[:-1], -1), -1, axis)


def interpolation(old, new):
    """Return the matrix (new, old) that resamples a line of pixels: every row weighs the pixels near one new centre."""
    scale = old / new
    centres = (np.arange(new)[:, None] + 0.5) * scale
    distances = np.abs(np.arange(old) + 0.5 - centres) / max(scale, 1.0)
    weights = np.maximum(0.0, 1.0 - distances)
    return weights * (1 / weights.sum(axis=1, keepdims=True))


class RandomHorizontalFlip(Transform):
    """Left and right exchanged, with a probability.

    Parameters
    ----------
    p : float
        From 0 to 1.
    """

    draws = True

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"p should be a probability, from 0 to 1, got {p}")
        self.p = p

    def batch(self, images: Any) -> Any:
        axis = _height_axis(images) + 1
        array = images.array if isinstance(images, Tensor) else images
        chosen = default_generator.numpy.random(len(array)) < self.p
        flipped = np.where(chosen.reshape(-1, *(1,) * (array.ndim - 1)), np.flip(array, axis), array)
        return Tensor(flipped) if isinstance(images, Tensor) else flipped


class RandomCrop(Transform):
    """A part of the image, of one size, from a random place.

    Parameters
    ----------
    size : int or (int, int)
        Height and width.
    padding : int, (int, int) or (int, int, int, int), optional
        Put around the image first: on all sides; left and right, top and bottom; or left, top, right, bottom.
    pad_if_needed : bool
        Pad an image that is too small, on both sides.
    fill : float
        What the padding holds.
    padding_mode : {"constant", "edge", "reflect", "symmetric"}
        Or else what it repeats: the border; the image mirrored, without the border or with it.

    Raises
    ------
    ValueError
        If the image is too small, or a setting is none of these.
    """

    draws = True

    def __init__(
        self,
        size: IntOrPair,
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float = 0,
        padding_mode: str = "constant",
    ) -> None:
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError(f"padding_mode should be constant, edge, reflect or symmetric, got {padding_mode!r}")
        self.size, self.padding, self.pad_if_needed = pair("size", size), padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode
        self._sides()

    def _sides(self):
        """Above and below, left and right."""
        given = tuple(self.padding) if isinstance(self.padding, (tuple, list)) else (self.padding or 0,)
        given = tuple(whole("padding", side, least=0) for side in given)
        if len(given) not in (1, 2, 4):
            raise ValueError(f"padding should be 1, 2 or 4 numbers, got {self.padding}")
        left, top, right, bottom = given * (4 // len(given))
        return [(top, bottom), (left, right)]

    def batch(self, images: Any) -> Any:
        axis = _height_axis(images)
        array = self._padded(images.array if isinstance(images, Tensor) else images, axis)
        (h, w), (height, width) = array.shape[axis : axis + 2], self.size
        if h < height or w < width:
            raise ValueError(f"Required crop size {self.size} is larger than input image size {(h, w)}")
        rng, n = default_generator.numpy, len(array)
        tops, lefts = rng.integers(h - height + 1, size=n), rng.integers(w - width + 1, size=n)
        windows = np.lib.stride_tricks.sliding_window_view(array, self.size, (axis, axis + 1))
        parts = windows[(np.arange(n), *[slice(None)] * (axis - 1), tops, lefts)]  # (N, [C,] height, width)
        if isinstance(images, Tensor):
            return Tensor(parts)
        return np.moveaxis(parts, 1, -1) if array.ndim == 4 else parts  # Pillow's colours come last

    def _padded(self, array, axis):
        sides = [list(side) for side in self._sides()]
        for k in (0, 1) if self.pad_if_needed else ():
            missing = max(0, self.size[k] - array.shape[axis + k] - sum(sides[k]))
            sides[k] = [side + missing for side in sides[k]]
        if not any(map(any, sides)):
            return array
        widths = [(0, 0)] * array.ndim
        widths[axis : axis + 2] = sides
        options = {"constant_values": fitted(self.fill, array.dtype)} if self.padding_mode == "constant" else {}
        return np.pad(array, widths, self.padding_mode, **options)
