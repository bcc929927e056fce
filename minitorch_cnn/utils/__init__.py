"""The rooms that have another place in PyTorch: ``minitorch_cnn.utils.data`` is `minitorch_cnn.data`."""

from minitorch_cnn.utils import data

__all__ = ["data"]
