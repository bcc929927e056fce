"""Random numbers: drawn on the host with NumPy and then copied, so that a CPU and a GPU start alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_cnn.backend.annotations import DeviceLike, Self
from minitorch_cnn.backend.arguments import whole
from minitorch_cnn.backend.devices import Device

__all__ = ["Generator", "default_generator", "get_rng_state", "manual_seed", "set_rng_state"]


class Generator:
    """A stream of random numbers of its own.

    Parameters
    ----------
    seed : int
        Equal seeds give equal streams.
    device : Device or str, optional
        Accepted as PyTorch has it, and without effect: numbers are drawn on the host for every device.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> a, b = mt.Generator(7), mt.Generator(7)
    >>> mt.equal(mt.rand(3, generator=a), mt.rand(3, generator=b))
    True
    """

    def __init__(self, seed: int = 0, device: DeviceLike = None) -> None:
        self.device = Device("cpu" if device is None else device)
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Self:
        """Start the stream again from a seed, a whole number; return the generator.

        As in PyTorch, a negative one is short for that number plus 2^64.

        Raises
        ------
        TypeError, ValueError
            If the seed is not a whole number, or not one of 64 bits.
        """
        seed = whole("a seed", seed)
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"a seed must be a number from -2^63 to 2^64 - 1, got {seed}")
        self.numpy = np.random.Generator(np.random.PCG64(seed % 2**64))
        return self

    def get_state(self) -> dict[str, Any]:
        """Where the stream is, as a dictionary of numbers and texts that JSON can hold."""
        return self.numpy.bit_generator.state

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to where a stream was: continue with a state from `get_state`."""
        self.numpy.bit_generator.state = state


default_generator = Generator(int(np.random.SeedSequence().entropy % 2**63))


def manual_seed(seed: int) -> Generator:
    """Start the default stream of random numbers again from a seed.

    Returns
    -------
    Generator
        The default generator.
    """
    return default_generator.manual_seed(seed)


def get_rng_state() -> dict[str, Any]:
    """Where the default stream of random numbers is."""
    return default_generator.get_state()


def set_rng_state(state: dict[str, Any]) -> None:
    """Bring the default stream of random numbers to where it was."""
    default_generator.set_state(state)
