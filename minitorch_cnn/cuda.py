"""``torch.cuda``'s questions about the GPU, by its names."""

from minitorch_cnn.backend import is_available, synchronize

__all__ = ["device_count", "is_available", "synchronize"]


def device_count():
    """How many GPUs this process uses: 1 if one can be used, else 0."""
    return int(is_available())
