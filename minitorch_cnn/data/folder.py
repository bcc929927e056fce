"""A folder of images in files, one folder for each class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.backend.annotations import FilePath
from minitorch_cnn.data.dataset import Dataset
from minitorch_cnn.data.transforms import ToTensor

__all__ = ["ImageFolder"]

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


class ImageFolder(Dataset):
    """Images in the folders of their classes: ``root/dog/a.png``, ``root/cat/any/depth/b.jpg``. It needs Pillow.

    Parameters
    ----------
    root : str or os.PathLike
    transform : function, optional
        Of an image, an array (H, W, 3) of bytes; by default `ToTensor`. Images of several sizes make a batch after
        `Resize((h, w))` or `RandomCrop`.
    target_transform : function, optional
        Of a label.
    loader : function of a path, optional
        What reads a file; by default Pillow, in colours.
    is_valid_file : function of a path, optional
        Which files are images; by default those whose names end like one.

    Attributes
    ----------
    classes : list of str
        The names of the folders, in order; the label is the place in it.
    class_to_idx : dict of str to int
    samples : list of (str, int)
        The path and the label of each image.
    targets : list of int
        The labels.

    Raises
    ------
    FileNotFoundError
        If there is no folder in `root`, or one without images.
    ImportError
        When an image is read, if Pillow is missing.
    """

    def __init__(
        self,
        root: FilePath,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
    ) -> None:
        self.root, self.loader = str(root), loader or read_image
        self.transform, self.target_transform = transform, target_transform
        is_valid_file = is_valid_file or (lambda path: path.lower().endswith(EXTENSIONS))
        self.classes = sorted(path.name for path in Path(root).iterdir() if path.is_dir())
        if not self.classes:
            raise FileNotFoundError(f"Couldn't find any class folder in {root}: put the images of each class into one")
        self.class_to_idx = {name: label for label, name in enumerate(self.classes)}
        self.samples: list[tuple[str, int]] = []
        for name, label in self.class_to_idx.items():
            files = sorted(str(path) for path in (Path(root) / name).rglob("*") if path.is_file())
            images = [(path, label) for path in files if is_valid_file(path)]
            if not images:
                raise FileNotFoundError(
                    f"Found no valid file for the class {name} in {root}. Supported extensions are: "
                    f"{', '.join(EXTENSIONS)}"
                )
            self.samples += images
        self.imgs, self.targets = self.samples, [label for _, label in self.samples]

    @property
    def draws(self) -> bool:
        return getattr(self.transform, "draws", False)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        path, label = self.samples[index]
        image = (self.transform or ToTensor())(self.loader(path))
        return image, label if self.target_transform is None else self.target_transform(label)


def read_image(path):
    """Read an image as an array (H, W, 3) of bytes.

    Raises
    ------
    ImportError
        If Pillow is missing.
    OSError
        If it is no image, or a damaged one.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("to read images, Pillow is needed: pip install 'minitorch_cnn[images]'") from error
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # a decoder meets anything in a damaged file, and does not say in which
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            raise
        raise OSError(f"{path} is no image that can be read: {error}") from error
