"""IDX files: what they hold, and what must not be believed."""

import gzip
import tracemalloc

import numpy as np
import pytest

from minitorch_cnn.data import read_idx
from minitorch_cnn.data.idx import parse_idx, read_payload

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx_bytes(array, code=0x08):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.astype(TYPES[code]).tobytes()


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("code", TYPES)
def test_every_type_comes_back_native_and_writable(tmp_path, code, compress):
    expected = np.arange(24).reshape(2, 3, 4) * (100 if code > 0x09 else 1)
    path = tmp_path / "any-name"
    path.write_bytes(compress(idx_bytes(expected, code)))
    array = read_idx(path)
    np.testing.assert_array_equal(array, expected)
    assert array.dtype == np.dtype(TYPES[code]).newbyteorder("=")
    assert array.flags.writeable and array.flags.c_contiguous


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not an IDX file: it begins with the bytes \(none\)"),
        (b"\0\0\x08", "not an IDX file"),
        (b"<htm>not here", "not an IDX file: it begins with the bytes 3c 68 74 6d"),
        (b"\0\0\x07\x01\0\0\0\0", "not an IDX file"),
        (b"\0\0\x08\0", "not an IDX file"),
        (b"\0\0\x08\x03\0\0\0\x01", "expected a header of 16 bytes, got 8 bytes"),
        (idx_bytes(np.zeros((2, 3)))[:-1], r"announces \(2, 3\), 18 bytes in all, but there are 17"),
        (idx_bytes(np.zeros((2, 3))) + b"x", "but there are 19"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + b"x", r"announces \(4294967295, 4294967295, 4294967295\)"),
        (gzip.compress(idx_bytes(np.zeros((2, 3))), mtime=0)[:-9], "damaged gzip data"),
        (gzip.compress(bytes(100), mtime=0)[:-8] + bytes(8), "damaged gzip data after 0 bytes of content: CRC"),
        (b"\x1f\x8b" + bytes(20), "damaged gzip data"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, content, message):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"images: .*{message}"):
        read_idx(path)


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(32):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than 10000 bytes of content"):
        read_payload(path, max_bytes=10_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_header_that_lies_does_not_allocate(tmp_path, compress):
    path = tmp_path / "lie"
    path.write_bytes(compress(b"\0\0\x08\x02" + (1 << 14).to_bytes(4, "big") * 2 + b"12345"))
    tracemalloc.start()
    with pytest.raises(ValueError, match="268435468 bytes in all, but there are 17"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_the_limit_is_inclusive(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(10))
    assert read_payload(path, max_bytes=10) == bytes(10)
    with pytest.raises(ValueError, match="more than 9 bytes"):
        read_payload(path, max_bytes=9)


def test_single_bytes_are_not_copied():
    payload = bytearray(idx_bytes(np.zeros((2, 3))))
    assert np.shares_memory(parse_idx(payload), np.frombuffer(payload, np.uint8))
