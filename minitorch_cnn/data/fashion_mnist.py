"""Fashion-MNIST: 70,000 grey images of 28×28 pixels, ten kinds of clothing (Xiao, Rasul and Vollgraf, 2017).

What a file holds is trusted because of its SHA-256, at every load and wherever it came from. So a mirror may speak
plain http, and ordinary MNIST in the place of the test images, once served by one, is found out.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minitorch_cnn.backend.annotations import FilePath
from minitorch_cnn.data.dataset import ImageDataset
from minitorch_cnn.data.download import APT_PATIENCE, download, longest, unpack_debian_package
from minitorch_cnn.data.files import atomic_file, make_folder, printable, sweep_temporary_files
from minitorch_cnn.data.idx import parse_idx, read_payload

__all__ = ["FashionMNIST"]

# Of the decompressed files, in bytes and SHA-256: the same files are packed with different gzip headers here and there.
# The small ones first, so that a dead mirror costs little.
FILES = {
    "t10k-labels-idx1-ubyte": (10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    "train-labels-idx1-ubyte": (60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    "t10k-images-idx3-ubyte": (7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    "train-images-idx3-ubyte": (47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
}
MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
LIMIT = 1200  # seconds for all sources together, after which no other file is asked for
_UNPACKED = "package"  # the name, with a dot and a random part, of the folder in which the package is unpacked
_PLACES = ("{}", "{}.gz", "FashionMNIST/raw/{}", "FashionMNIST/raw/{}.gz")  # the last two are torchvision's


class FashionMNIST(ImageDataset):
    """Fashion-MNIST, downloaded if need be; every file is verified at every load.

    Parameters
    ----------
    root : str or os.PathLike, optional
        A folder that holds the four files, plain or ``.gz``, as they are or below ``FashionMNIST/raw/``. If it does
        not have them, they are fetched into it. By default `cache_folder()`, or the Debian package's folder if
        that has them.
    train : bool, default True
        The 60,000 images to train on, or else the 10,000 to test on.
    transform, target_transform : function, optional
        Of an image, an array (28, 28) of bytes, and of a label; see `data.transforms`. Without one, images are tensors
        in [0, 1] as they come, which is what ``ToTensor`` does.
    download : bool, default True
        Whether missing files may be fetched: copied from the other folders named above, downloaded from the
        mirrors, or taken from the package ``dataset-fashion-mnist`` of Debian and Ubuntu. Who is asked, and for how
        long at most, is said on stderr. ``$MINITORCH_CNN_MIRROR`` holds other mirrors' addresses, with spaces between
        them; with ``$MINITORCH_CNN_OFFLINE`` no server is asked.

    Attributes
    ----------
    data : numpy.ndarray
        The images, uint8, shape (60000, 28, 28) or (10000, 28, 28).
    targets : numpy.ndarray
        The labels 0 to 9, int64.
    classes : list of str
        What the labels mean.

    Raises
    ------
    RuntimeError
        If `root` holds a wrong file, or if the files cannot be stored, or if no source has them; the text lists every
        source and its reason.
    """

    classes = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip

    def __init__(
        self,
        root: FilePath | None = None,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = True,
    ) -> None:
        split = "train" if train else "t10k"
        payloads = find(root, [f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"], download)
        super().__init__(*map(parse_idx, payloads), transform, target_transform)


def cache_folder():
    """Return the folder for downloads: ``$MINITORCH_CNN_DATA``, or one below this platform's cache folder.

    Raises
    ------
    RuntimeError
        If this account has no home folder, and none of the variables says where else.
    """
    if chosen := os.environ.get("MINITORCH_CNN_DATA"):
        return Path(chosen).expanduser()
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        caches = Path(os.environ["LOCALAPPDATA"])
    elif sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "minitorch_cnn" / "fashion-mnist"


def places(root=None):
    """Where the data are looked for on this machine, and what is there.

    Parameters
    ----------
    root : str or os.PathLike, optional
        As in `FashionMNIST`.

    Yields
    ------
    Path, OSError or ValueError or None
        A folder, and why the files are not taken from there; None if they are, being all there and verified.
    """
    for folder in [Path(root).expanduser()] if root is not None else [cache_folder(), DEBIAN_FOLDER]:
        failure = None
        try:
            for name in FILES:
                _read_file(folder, name)
        except (OSError, ValueError) as error:
            failure = error
        yield folder, failure


def find(root, names, download):
    """Return the verified contents of the files `names`, from the first folder or source that has them."""
    given = root is not None
    if given and not os.fspath(root):
        raise ValueError("expected root to name a folder, got an empty name")
    failures = []
    try:
        homes = [Path(root).expanduser() if given else cache_folder()]
    except RuntimeError as error:  # of pathlib: no HOME, and no account that has one
        homes = []
        failures.append((root or "the user's cache", error))
    for folder in homes if given else [*homes, DEBIAN_FOLDER]:
        try:
            payloads = [_read_file(folder, name)[1] for name in names]
        except FileNotFoundError as error:
            failures.append((folder, error))
        except (OSError, ValueError) as error:
            if given and isinstance(error, ValueError):
                raise RuntimeError(f"{error} Delete it to have it fetched again, or give another folder.") from error
            failures.append((folder, error))
        else:
            if folder in homes:
                sweep_temporary_files(folder, [*FILES, _UNPACKED])
            return payloads
    for home in homes if download else []:
        failures += _fetch(home, given)
        with contextlib.suppress(OSError, ValueError):
            return [_read_file(home, name)[1] for name in names]
    raise RuntimeError(_explain(failures, download))


def _explain(failures, download):
    lines = [f"Fashion-MNIST was not found{' and could not be fetched' if download else ''}. What was tried:"]
    lines += [f"  {printable(source)}: {printable(reason)}" for source, reason in failures]
    lines += ["What to do: put the four files, plain or .gz, into a folder, and give it as root= (--data-dir)"]
    lines += [f"or in the variable MINITORCH_CNN_DATA. They are {', '.join(FILES)}."]
    lines += [] if download else ["Or give download=True to have them fetched."]
    return "\n".join(lines)


def _read_file(folder, name):
    """Return the path and the verified content of one of the FILES in a folder."""
    failure = FileNotFoundError(f"there is no {name}, with or without .gz")
    for place in _PLACES:
        path = folder / place.format(name)
        if path.is_file():
            try:
                return path, _verified(path, name, path)
            except (OSError, ValueError) as error:
                failure = error
    raise failure


def _verified(path, name, source):
    """Return the content of the file at `path`, which came from `source` and must be that of `name`."""
    size, digest = FILES[name]
    try:
        payload = read_payload(path, max_bytes=size)
        got = hashlib.sha256(payload).hexdigest()
    except ValueError as error:
        payload, got = None, str(error)
    if got != digest:
        raise ValueError(
            f"{source} is not the {name} of Fashion-MNIST: expected content with SHA-256 {digest}, got {got}. "
            "It was cut short or changed, or belongs to another data set."
        )
    return payload


def _fetch(home, given):
    """Put all of the FILES into the folder `home`; return the sources that failed, with their reasons.

    In a folder that the user has given, a wrong file stays; elsewhere it is replaced. A folder that cannot be written
    to is no fault of a source: it ends the search.
    """
    try:
        make_folder(home)
    except OSError as error:
        raise _cannot_store(home, "cannot be made", error) from error
    sweep_temporary_files(home, [*FILES, _UNPACKED])
    others = [DEBIAN_FOLDER]
    with contextlib.suppress(RuntimeError):  # no home folder
        others = [cache_folder(), DEBIAN_FOLDER]
    sources = [(folder, _fetch_from_folder) for folder in others if given and folder != home]
    if os.environ.get("MINITORCH_CNN_OFFLINE", "0") in ("", "0"):
        sources += [(url, _fetch_from_mirror) for url in _mirrors()]
        sources += [(f"the Debian package {DEBIAN_PACKAGE}", _fetch_from_package)]
    else:
        sources += [("servers", _refuse)]
    failures, deadline = [], time.monotonic() + LIMIT
    for source, fetch in sources:
        missing = [name for name in FILES if not _has(home, name, or_wrong=given)]
        if not missing:
            break
        try:
            fetch(source, missing, home, deadline)
        except (OSError, ValueError, ImportError) as error:  # of its first file that fails: it is not asked for more
            if getattr(error, "errno", None) and Path(error.filename or "").parent == home:
                raise _cannot_store(home, "cannot be written to", error) from error
            failures.append((source, error))
    return failures


def _mirrors():
    chosen = os.environ.get("MINITORCH_CNN_MIRROR", "").split()
    return [url if url.endswith("/") else f"{url}/" for url in chosen] or MIRRORS


def _cannot_store(home, what, error):
    reason = error.strerror if error.filename in (None, str(home)) else f"{error.strerror}: {error.filename}"
    return RuntimeError(
        f"the folder for Fashion-MNIST, {printable(home)}: {what}: {printable(reason)}. Make room or change its "
        "permissions, or choose another folder by root= (--data-dir) or the variable MINITORCH_CNN_DATA"
    )


def _say(text, deadline, seconds):
    """Say on stderr for whom the program waits, and for how long at most; or that it waits no longer."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise OSError(f"not asked: the {LIMIT} s for all sources together are over")
    with contextlib.suppress(OSError, ValueError):
        print(f"Fashion-MNIST: {printable(text)}, at most {seconds:.0f} s", file=sys.stderr, flush=True)


def _has(folder, name, or_wrong):
    try:
        _read_file(folder, name)
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return or_wrong
    return True


def _refuse(*_):
    raise OSError("not asked, since MINITORCH_CNN_OFFLINE is set (--offline)")


def _fetch_from_folder(folder, names, home, _deadline):
    for name in names:
        path, _ = _read_file(folder, name)
        with _installing(path.name, name, home, path) as file:
            file.write(path.read_bytes())


def _fetch_from_mirror(mirror, names, home, deadline):
    for name in names:
        url = f"{mirror}{name}.gz"
        most = FILES[name][0] + 1024  # bytes; packed, they have half that size
        with _installing(f"{name}.gz", name, home, url) as file:
            _say(f"asking {url}", deadline, longest(most))
            download(url, file, max_bytes=most)


def _fetch_from_package(source, names, home, deadline):
    _say(f"asking this system's archive for {source}", deadline, APT_PATIENCE)
    with tempfile.TemporaryDirectory(dir=home, prefix=f".{_UNPACKED}.", suffix=".tmp") as folder:
        root = unpack_debian_package(DEBIAN_PACKAGE, folder)
        _fetch_from_folder(root / DEBIAN_FOLDER.relative_to("/"), names, home, deadline)


@contextlib.contextmanager
def _installing(filename, name, home, source):
    """Open a file that takes its place in the folder `home` once its content is verified."""
    with atomic_file(home / filename) as file:
        yield file
        file.flush()
        _verified(file.name, name, source)
