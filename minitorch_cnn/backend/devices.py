"""The CPU and the GPU: how a device is named, and why one cannot be used. Here CuPy is imported, and nowhere else."""

import importlib


def cupy():
    """The CuPy module, imported when it is first needed.

    Raises
    ------
    ImportError
        If CuPy is not installed. That it can be imported does not mean that a GPU can be used: see `is_available`.
    """
    return importlib.import_module("cupy")


class Device:
    """Where an array lives: ``Device("cpu")`` or ``Device("cuda")``, which is the same as ``Device("cuda:0")``.

    Parameters
    ----------
    spec : str or Device
        ``"cpu"``, ``"cuda"`` or ``"cuda:0"``. A process uses one GPU; which one, the environment variable
        ``CUDA_VISIBLE_DEVICES`` says.

    Attributes
    ----------
    type : str
        ``"cpu"`` or ``"cuda"``.
    index : int or None
        0 for a GPU, None for the CPU.

    Raises
    ------
    TypeError, RuntimeError
        If `spec` is not the name of a device.

    Examples
    --------
    >>> Device("cuda").index, str(Device("cpu"))
    (0, 'cpu')
    """

    def __init__(self, spec):
        if isinstance(spec, Device):
            spec = str(spec)
        if not isinstance(spec, str):
            raise TypeError(f"a device is named by a string, 'cpu' or 'cuda'; got {spec!r} of {type(spec).__name__}")
        if spec not in ("cpu", "cuda", "cuda:0"):
            raise RuntimeError(
                f"expected the device 'cpu' or 'cuda', got {spec!r}. A process uses one GPU: "
                "choose another by the environment variable CUDA_VISIBLE_DEVICES"
            )
        self.type = spec.split(":")[0]
        self.index = 0 if self.type == "cuda" else None

    def __eq__(self, other):
        return isinstance(other, Device) and self.type == other.type

    def __hash__(self):
        return hash(self.type)

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        if self.index is None:
            return f"device(type={self.type!r})"
        return f"device(type={self.type!r}, index={self.index})"


CPU = Device("cpu")
CUDA = Device("cuda")


def unavailable_reason():
    """Why no GPU can be used, and what to do about it; None if one can be.

    Returns
    -------
    str or None
    """
    try:
        library = cupy()
    except ImportError:
        return (
            "CuPy is not installed. On a machine with an NVIDIA GPU: pip install 'minitorch_cnn[cuda12]' "
            "for CUDA 12, or 'minitorch_cnn[cuda13]' for CUDA 13"
        )
    try:
        count = library.cuda.runtime.getDeviceCount()
    except library.cuda.runtime.CUDARuntimeError as error:
        return (
            f"CuPy {library.__version__} is installed, but the CUDA driver answers: {error}. The command nvidia-smi "
            "tells whether there is a driver, and its CUDA version; for an older one than CuPy's, take the other extra"
        )
    if not count:
        return (
            f"CuPy {library.__version__} is installed, but it finds no GPU. See what nvidia-smi lists, and whether the "
            "environment variable CUDA_VISIBLE_DEVICES hides it"
        )
    return None


def is_available():
    """Whether a GPU can be used: CuPy can be imported *and* it finds one."""
    return unavailable_reason() is None


def device_name():
    """What the GPU that this process uses calls itself, such as ``"NVIDIA H100 80GB HBM3"``."""
    return cupy().cuda.runtime.getDeviceProperties(0)["name"].decode()


def as_device(spec):
    """A usable `Device` from a name, a `Device` or None (the CPU).

    Raises
    ------
    RuntimeError
        If a GPU is asked for and none can be used. The text says why.
    """
    device = CPU if spec is None else Device(spec)
    if device == CUDA:
        reason = unavailable_reason()
        if reason:
            raise RuntimeError(f"the device {str(spec)!r} cannot be used: {reason}")
    return device


def auto_device():
    """The GPU if one can be used, else the CPU."""
    return CUDA if is_available() else CPU
