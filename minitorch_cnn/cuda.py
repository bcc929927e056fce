"""The functions of ``torch.cuda``, and `capture`: a training step recorded once and replayed."""

from __future__ import annotations

from minitorch_cnn.backend import as_device, device_name, is_available, synchronize
from minitorch_cnn.backend.annotations import DeviceLike
from minitorch_cnn.backend.random import manual_seed
from minitorch_cnn.gpu.capture import capture

__all__ = [
    "capture", "device_count", "get_device_name", "is_available", "manual_seed", "manual_seed_all", "synchronize",
]  # fmt: skip

manual_seed_all = manual_seed  # one stream of random numbers serves every device


def device_count() -> int:
    """How many GPUs this process uses: 1 if one can be used, else 0."""
    return int(is_available())


def get_device_name(device: DeviceLike = "cuda") -> str:
    """The name of the GPU, such as ``"NVIDIA H100 80GB HBM3"``.

    Raises
    ------
    RuntimeError
        If no GPU can be used; the text says why.
    ValueError
        If `device` is none.
    """
    if not as_device(device).type == "cuda":
        raise ValueError(f"expected a GPU, got the device {str(device)!r}")
    return device_name()
