"""Downloads with a deadline and a limit of size, and packages from Debian's archive."""

import concurrent.futures
import contextlib
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from minitorch_cnn.data.files import printable

CONNECT_TIMEOUT = 5  # seconds, for each address of the server
READ_TIMEOUT = 10  # seconds without a single byte
GRACE = 15  # seconds that any download may take
SLOWEST = 100_000  # bytes per second below which, after the grace, a download is given up
_CHUNK = 1 << 14  # bytes
_APT_TIMEOUT = 300  # seconds for each of its commands
APT_PATIENCE = 4 * _APT_TIMEOUT


def download(url, file, max_bytes):
    """Write what `url` serves to a binary file, byte for byte.

    Parameters
    ----------
    url : str
        An http or https address.
    file : file object
        Open for writing.
    max_bytes : int
        The most that is accepted. It sets the deadline of the whole download as well:
        ``GRACE + max_bytes / SLOWEST`` seconds.

    Raises
    ------
    OSError
        If the server cannot be reached, answers with an error, is too slow, or sends too little or too much. Only a
        fault of the file has an ``errno``.
    """
    deadline = longest(max_bytes)
    try:
        _call_within(deadline, _receive, url, file, max_bytes)
    except concurrent.futures.TimeoutError:
        raise OSError(f"gave up after {deadline:.0f} s: the server is too slow") from None


def longest(max_bytes):
    """The seconds that a download of that many bytes may take."""
    return GRACE + max_bytes / SLOWEST


def _call_within(seconds, function, *args):
    """Return ``function(*args)``, or raise `concurrent.futures.TimeoutError` if that takes longer.

    A socket's timeout is for each read: a server that sends a byte now and then never exceeds it, be it in the
    body or in the header, and looking up a name has no timeout at all. So the work goes to a thread, which is left
    to itself when the time is over; it ends when it finds the file closed.
    """
    future = concurrent.futures.Future()

    def work():
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future.result(timeout=seconds)


def _receive(url, file, max_bytes):
    import requests
    from tqdm import tqdm

    # A server may label a .gz file with Content-Encoding: gzip, and requests would then undo the compression
    # unasked. We ask for the file as it is, and read the bytes as they are.
    headers = {"Accept-Encoding": "identity"}
    timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
    with contextlib.ExitStack() as opened:

        def close_at_the_end(response, **_):  # of each response: requests forgets those whose redirection is nonsense
            opened.callback(response.close)

        with _remote_faults(url):
            hooks = {"response": close_at_the_end}
            response = requests.get(url, headers=headers, timeout=timeout, stream=True, hooks=hooks)
            response.raise_for_status()
        length = response.headers.get("Content-Length", "")
        announced = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None  # a server may write anything there
        if announced and announced > max_bytes:
            raise OSError(f"expected at most {max_bytes} bytes, but the server announces {announced}")
        received = 0
        name = url.rpartition("/")[2]
        hidden = None if sys.stderr else True  # None: shown in a terminal, not in a pipe
        with tqdm(total=announced, desc=name, unit="B", unit_scale=True, disable=hidden) as bar:
            while True:
                with _remote_faults(url, received):
                    chunk = response.raw.read(_CHUNK, decode_content=False)
                if not chunk:
                    break
                received += len(chunk)
                if received > max_bytes:
                    raise OSError(f"expected at most {max_bytes} bytes, but the server sends more")
                file.write(chunk)
                bar.update(len(chunk))
        if announced and received != announced:
            raise OSError(f"broke off after {received} of {announced} bytes")


@contextlib.contextmanager
def _remote_faults(url, received=None):
    """Turn whatever a server, a proxy or the way there makes of a request into an OSError without an errno.

    So a fault of the disk, which has one, is never taken for one of the server. A server may answer anything, and
    requests, urllib3 and http.client between them raise many things.
    """
    import requests
    from urllib3.exceptions import ReadTimeoutError

    begun = f"broke off after {received} bytes: " if received is not None else ""
    try:
        yield
    except (requests.ReadTimeout, ReadTimeoutError) as error:
        said = "was reached, but said nothing" if received is None else f"fell silent after about {received} bytes,"
        raise OSError(f"timed out: the server {said} for {READ_TIMEOUT} s") from error
    except requests.ConnectTimeout as error:
        raise OSError(f"timed out: no connection within {CONNECT_TIMEOUT} s{_by_proxy(url)}") from error
    except requests.HTTPError as error:
        raise OSError(printable(error)) from error
    except requests.RequestException as error:
        raise OSError(printable(f"{begun}{_root_cause(error)}{_by_proxy(url)}")) from error
    except Exception as error:
        raise OSError(printable(f"{begun}{type(error).__name__}: {error}")) from error


def _by_proxy(url):
    """Which proxy the environment puts between us and a server, without the password that its name may hold."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return ""
    proxy = re.sub(r"//[^/]*@", "//", proxy)
    return f" (by the proxy {proxy}, which the environment names, see {url.partition(':')[0]}_proxy and no_proxy)"


def _root_cause(error):
    """Return the innermost exception: the one of requests wraps three others, and the first tells what happened."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def unpack_debian_package(package, folder):
    """Fetch a package from the archive that this Debian or Ubuntu is set up with, and unpack it; no root needed.

    Parameters
    ----------
    package : str
        The package. It is not installed, and nothing outside `folder` changes.
    folder : str or os.PathLike
        An empty folder to work in.

    Returns
    -------
    pathlib.Path
        The folder that stands for the root of the file system in the unpacked package.

    Raises
    ------
    OSError
        If the tools are missing or fail.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise OSError(f"this system has no {tool}")
    folder = Path(folder)
    network = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"]
    try:
        _run(["apt-get", *network, "download", package], folder)
    except OSError:  # the system's package lists are missing (as in most container images) or out of date
        lists, cache = folder / "lists", folder / "cache"
        (lists / "partial").mkdir(parents=True)
        (cache / "archives" / "partial").mkdir(parents=True)
        private = [*network, "-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}"]
        warned = _run(["apt-get", *private, "update"], folder)
        try:
            _run(["apt-get", *private, "download", package], folder)
        except OSError as error:  # without network, update fails with a warning only: that is the cause
            raise OSError(f"`apt-get update` warned: {warned}. Then {error}") if warned else error from None
    archives = list(folder.glob(f"{package}_*.deb"))
    if not archives:
        raise OSError(f"apt-get download left no {package}_*.deb")
    _run(["dpkg-deb", "-x", archives[0].name, "root"], folder)
    return folder / "root"


def _run(command, folder):
    """Run a program; return what it warned of."""
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="backslashreplace",
            timeout=_APT_TIMEOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise OSError(f"`{' '.join(command)}` took longer than {_APT_TIMEOUT} s") from None
    said = printable(done.stderr)
    if done.returncode:
        raise OSError(f"`{command[0]} {command[-2]} {command[-1]}` failed: {said or 'nothing said'}")
    return said
