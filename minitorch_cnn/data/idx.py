"""IDX, the file format of the MNIST family: a magic number, the sizes, then the elements in C order.

The magic number is two zero bytes, the element type and the number of dimensions; each size is a big-endian
32-bit integer. The format is described at http://yann.lecun.com/exdb/mnist.
"""

from __future__ import annotations

import gzip
import math
import zlib

import numpy as np

from minitorch_cnn.backend.annotations import FilePath

__all__ = ["read_idx"]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20  # bytes


def read_idx(path: FilePath, max_bytes: int = 1 << 30) -> np.ndarray:
    """Read an IDX file, plain or compressed with gzip.

    Parameters
    ----------
    path : str or os.PathLike
        The file. Whether it is compressed is seen from its content, not from its name.
    max_bytes : int, default 2**30
        The most that the decompressed file may hold. A gzip file can be a thousand times smaller than its content.

    Returns
    -------
    numpy.ndarray
        In the byte order of this machine, writable.

    Raises
    ------
    ValueError
        If the file is not IDX, is damaged, or does not hold exactly what its header announces.
    """
    try:
        return parse_idx(read_payload(path, max_bytes))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_payload(path, max_bytes):
    """Return the content of a file as a bytearray, decompressed if it is gzip; never more than `max_bytes`.

    No more than ``max_bytes + 1`` bytes are ever held, whatever the file is or claims to be.

    Raises
    ------
    ValueError
        If there is more, or if the compressed data is damaged or ends early.
    """
    payload = bytearray()
    with open(path, "rb") as file:
        stream = gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == _GZIP_MAGIC else file
        try:
            while chunk := stream.read(min(_CHUNK, max_bytes + 1 - len(payload))):
                payload += chunk
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"damaged gzip data after {len(payload)} bytes of content: {error}") from error
    if len(payload) > max_bytes:
        raise ValueError(f"more than {max_bytes} bytes of content")
    return payload


def parse_idx(payload):
    """Return the array that IDX bytes describe: a view of `payload` where its elements are single bytes.

    Examples
    --------
    >>> parse_idx(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9]))
    array([[7, 8, 9]], dtype=uint8)
    """
    if len(payload) < 4 or payload[0] or payload[1] or payload[2] not in _DTYPES or not payload[3]:
        raise ValueError(f"not an IDX file: it begins with the bytes {bytes(payload[:4]).hex(' ') or '(none)'}")
    dtype, ndim = np.dtype(_DTYPES[payload[2]]), payload[3]
    start = 4 + 4 * ndim
    if len(payload) < start:
        raise ValueError(f"expected a header of {start} bytes, got {len(payload)} bytes in all")
    shape = tuple(int.from_bytes(payload[i : i + 4], "big") for i in range(4, start, 4))
    expected = start + math.prod(shape) * dtype.itemsize  # Python integers: four sizes of 2**32 - 1 do not overflow
    if len(payload) != expected:
        raise ValueError(f"the header announces {shape}, {expected} bytes in all, but there are {len(payload)}")
    return np.frombuffer(payload, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
