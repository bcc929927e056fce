"""What has another place in PyTorch: ``minitorch_cnn.utils.data`` is `minitorch_cnn.data`, and `backends`."""

from minitorch_cnn.utils import backends, data

__all__ = ["backends", "data"]
