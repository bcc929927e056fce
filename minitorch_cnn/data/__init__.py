"""Data sets, the loader that makes batches of them, and Fashion-MNIST with its verified download."""

from minitorch_cnn.data.dataloader import DataLoader
from minitorch_cnn.data.dataset import Dataset, ImageDataset, Subset, TensorDataset, collate
from minitorch_cnn.data.fashion_mnist import FashionMNIST
from minitorch_cnn.data.idx import read_idx

__all__ = ["DataLoader", "Dataset", "FashionMNIST", "ImageDataset", "Subset", "TensorDataset", "collate", "read_idx"]
