"""A data set with the form of Fashion-MNIST, small enough to train on in a test: bars at ten places."""

import numpy as np

from minitorch_cnn import data


class TinyFashion(data.ImageDataset):
    classes = data.FashionMNIST.classes

    def __init__(self, root=None, train=True, transform=None, target_transform=None, download=True):
        rng = np.random.default_rng(int(train))
        labels = np.arange(160 if train else 50) % 10
        images = rng.integers(0, 50, (len(labels), 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels):
            image[:, 2 * label + 4 : 2 * label + 6] += 200
        super().__init__(images, labels, transform, target_transform)
