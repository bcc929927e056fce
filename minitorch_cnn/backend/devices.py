"""The CPU and the GPU: how a device is named, and why one cannot be used. Here CuPy is imported, and nowhere else."""

from __future__ import annotations

import importlib
import sys

from minitorch_cnn.backend.annotations import DeviceLike

_why_absent = None  # once the import of CuPy has failed: half a module must not be imported again and again


def cupy():
    """The CuPy module, imported when it is first needed.

    Raises
    ------
    ImportError
        If it cannot be imported, whatever that raised: the text says why, and what to do. That it can be imported does
        not mean that a GPU can be used: see `is_available`.
    """
    global _why_absent
    if _why_absent is None:
        try:
            return importlib.import_module("cupy")
        except Exception as error:
            _why_absent = _reason(error)
    raise ImportError(_why_absent)


def _reason(error):
    if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
        return (
            "CuPy is not installed. On a machine with an NVIDIA GPU: pip install 'minitorch_cnn[cuda12]' "
            "for CUDA 12, or 'minitorch_cnn[cuda13]' for CUDA 13"
        )
    return (
        f"CuPy is installed, but importing it raises {_in_one_line(error)}. Run python -c 'import cupy' to see the "
        "whole error, and pip list to see whether more than one CuPy is installed: keep one"
    )


def _in_one_line(error):
    """The type and the text of an exception, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":.")


def cupy_array_type():
    """The class of CuPy's arrays, or () if CuPy has not been imported: then there is none of them."""
    return getattr(sys.modules.get("cupy"), "ndarray", ())


class Device:
    """Where an array lives: ``Device("cpu")`` or ``Device("cuda")``, which is the same as ``Device("cuda:0")``.

    Parameters
    ----------
    type : str or Device
        ``"cpu"`` or ``"cuda"``, with or without ``":0"``. A process uses one GPU; which one, the environment variable
        ``CUDA_VISIBLE_DEVICES`` says.
    index : int, optional
        0.

    Attributes
    ----------
    type : str
        ``"cpu"`` or ``"cuda"``.
    index : int or None
        0 for a GPU, None for the CPU.

    Raises
    ------
    TypeError, RuntimeError
        If `type` is not the name of a device.

    Examples
    --------
    >>> Device("cuda").index, str(Device("cpu"))
    (0, 'cpu')
    """

    def __init__(self, type: str | Device, index: int | None = None) -> None:
        spec = str(type) if isinstance(type, Device) else type
        if not isinstance(spec, str):
            kind = spec.__class__.__name__
            raise TypeError(f"a device is named by a string, 'cpu' or 'cuda'; got {spec!r} of {kind}")
        spec = spec if index is None else f"{spec}:{index}"
        if spec not in ("cpu", "cpu:0", "cuda", "cuda:0"):
            raise RuntimeError(
                f"expected the device 'cpu' or 'cuda', got {spec!r}. A process uses one GPU: "
                "choose another by the environment variable CUDA_VISIBLE_DEVICES"
            )
        self.type = spec.split(":")[0]
        self.index = 0 if self.type == "cuda" else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.type == other.type

    def __hash__(self) -> int:
        return hash(self.type)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        if self.index is None:
            return f"device(type={self.type!r})"
        return f"device(type={self.type!r}, index={self.index})"


CPU = Device("cpu")
CUDA = Device("cuda")


def unavailable_reason() -> str | None:
    """Why no GPU can be used, and what to do about it; None if one can be.

    Returns
    -------
    str or None
    """
    try:
        xp = cupy()
    except ImportError as error:
        return str(error)
    version = getattr(xp, "__version__", "of an unknown version")
    try:
        count = xp.cuda.runtime.getDeviceCount()
    except Exception as error:
        if type(error).__name__ != "CUDARuntimeError":
            return f"CuPy {version} is installed, but looking for a GPU raises {_in_one_line(error)}. Reinstall CuPy"
        return (
            f"CuPy {version} is installed, but CUDA fails with {error}. Run nvidia-smi: if it fails too, this machine "
            "has no NVIDIA GPU or no driver for it; if it shows an older CUDA version than CuPy's, update the driver, "
            "or install the CuPy of that version, with minitorch_cnn[cuda12] or [cuda13]"
        )
    if not count:
        return (
            f"CuPy {version} is installed, but it finds no GPU. Run nvidia-smi to see whether there is one; if so, the "
            "environment variable CUDA_VISIBLE_DEVICES may hide it"
        )
    return None


def is_available() -> bool:
    """Whether a GPU can be used: CuPy can be imported *and* it finds one."""
    return unavailable_reason() is None


def device_name() -> str:
    """The name of the GPU that this process uses, such as ``"NVIDIA H100 80GB HBM3"``."""
    return cupy().cuda.runtime.getDeviceProperties(0)["name"].decode()


def as_device(spec: DeviceLike) -> Device:
    """A usable `Device` from a name, a `Device` or None (the CPU).

    Raises
    ------
    RuntimeError
        If a GPU is asked for and none can be used. The text says why.
    """
    device = CPU if spec is None else spec if isinstance(spec, Device) else Device(spec)
    if device == CUDA:
        reason = unavailable_reason()
        if reason:
            raise RuntimeError(f"the device {str(spec)!r} cannot be used: {reason}")
    return device


def auto_device() -> Device:
    """The GPU if one can be used, else the CPU."""
    return CUDA if is_available() else CPU
