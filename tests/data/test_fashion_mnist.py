"""Where Fashion-MNIST comes from, and that nothing else is taken for it.

Tiny files and a server on this machine stand for the real ones; the real ones come last.
"""

import contextlib
import gzip
import hashlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from minitorch_cnn.data import FashionMNIST, download, fashion_mnist
from minitorch_cnn.data.files import STALE_AFTER

REAL_FILES = fashion_mnist.FILES


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def tiny_files(seed):
    rng = np.random.default_rng(seed)
    payloads = {}
    for split, n in (("t10k", 3), ("train", 6)):
        payloads[f"{split}-labels-idx1-ubyte"] = idx_bytes(rng.integers(0, 10, n, dtype=np.uint8))
        payloads[f"{split}-images-idx3-ubyte"] = idx_bytes(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8))
    return payloads


PAYLOADS = tiny_files(seed=1)
OTHERS = tiny_files(seed=2)  # ordinary MNIST: the right form, the wrong data
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def fill(folder, payloads=PAYLOADS, names=tuple(PAYLOADS), suffix=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        content = payloads[name]
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    return folder


def is_the_set(dataset):
    return np.array_equal(dataset.data.ravel(), np.frombuffer(PAYLOADS[IMAGES], np.uint8)[16:])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The tiny set in place of the real one, an empty cache, and no source at all."""
    digests = {name: (len(payload), hashlib.sha256(payload).hexdigest()) for name, payload in PAYLOADS.items()}
    monkeypatch.setattr(fashion_mnist, "FILES", digests)
    monkeypatch.setattr(fashion_mnist, "MIRRORS", ())
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr(fashion_mnist, "unpack_debian_package", no_package)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "cache"
    monkeypatch.setenv("MINITORCH_CNN_DATA", str(folder))
    return folder


def no_package(package, folder):
    raise OSError("no archive in this test")


@pytest.fixture
def serve(cache, monkeypatch):
    """``serve(answer)`` adds a mirror whose ``answer(handler, name)`` writes the response, and returns its requests."""
    servers = []

    def start(answer):
        requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                requests.append(self)
                with contextlib.suppress(OSError):
                    answer(self, self.path.strip("/").removesuffix(".gz"))

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        mirror = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (*fashion_mnist.MIRRORS, mirror))
        return requests

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def send(handler, body, status=200, length=True, **headers):
    handler.send_response(status)
    if length:
        handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def good(handler, name):
    send(handler, gzip.compress(PAYLOADS[name]))


# Folders


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("below", ["", "FashionMNIST/raw"])
def test_a_given_folder_in_every_layout(cache, tmp_path, below, suffix):
    fill(tmp_path / "mine" / below, suffix=suffix)
    train = FashionMNIST(tmp_path / "mine", download=False)
    test = FashionMNIST(str(tmp_path / "mine"), train=False, download=False)
    assert is_the_set(train) and len(test) == 3
    assert train.data.shape == (6, 28, 28) and train.data.dtype == np.uint8 and train.targets.dtype == np.int64
    assert len(FashionMNIST.classes) == 10 and train.classes[9] == "Ankle boot"
    assert not cache.exists()


@pytest.mark.parametrize("where", ["cache", "debian"])
def test_the_folders_that_are_searched(cache, tmp_path, where):
    fill(tmp_path / where)
    assert is_the_set(FashionMNIST(download=False))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_wrong_file_in_a_given_folder_is_an_error(cache, serve, tmp_path, suffix):
    requests = serve(good)
    mine = fill(fill(tmp_path / "mine", suffix=suffix), OTHERS, [IMAGES], suffix)
    wrong = mine / f"{IMAGES}{suffix}"
    before = wrong.read_bytes()
    expected, got = (hashlib.sha256(payloads[IMAGES]).hexdigest() for payloads in (PAYLOADS, OTHERS))
    message = f"{re.escape(str(wrong))} is not the {IMAGES} of Fashion.*{expected}, got {got}.*Delete it to have"
    with pytest.raises(RuntimeError, match=message):
        FashionMNIST(mine)
    assert not requests and wrong.read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda packed: packed[: len(packed) // 2], "got damaged gzip data"),
        (lambda packed: b"", "got e3b0c44298fc1c14"),
        (lambda packed: gzip.compress(bytes(1 << 20)), "got more than 4720 bytes of content"),
    ],
    ids=["half", "empty", "bomb"],
)
def test_a_damaged_file_in_a_given_folder_is_an_error(cache, tmp_path, damage, message):
    path = fill(tmp_path / "mine") / f"{IMAGES}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RuntimeError, match=message):
        FashionMNIST(tmp_path / "mine")


def test_every_load_verifies(cache):
    fill(cache)
    assert is_the_set(FashionMNIST(download=False))
    fill(cache, OTHERS, [LABELS])
    with pytest.raises(RuntimeError, match=f"{LABELS}.gz is not the {LABELS} of Fashion-MNIST"):
        FashionMNIST(download=False)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_wrong_file_in_the_cache_is_passed_over_and_replaced(cache, serve, suffix):
    serve(good)
    fill(cache, OTHERS, [IMAGES], suffix)
    assert is_the_set(FashionMNIST())
    assert is_the_set(FashionMNIST(download=False))


def test_without_download_nothing_is_fetched(cache, serve, tmp_path):
    requests = serve(good)
    with pytest.raises(RuntimeError, match=r"(?s)mine: there is no train-images.*download=True"):
        FashionMNIST(tmp_path / "mine", download=False)
    assert not requests and not (tmp_path / "mine").exists()


# Fetching


def test_missing_files_are_downloaded_into_the_cache(cache, serve):
    requests = serve(good)
    assert is_the_set(FashionMNIST())
    assert sorted(os.listdir(cache)) == sorted(f"{name}.gz" for name in PAYLOADS)
    assert {request.headers["Accept-Encoding"] for request in requests} == {"identity"}
    assert len(FashionMNIST(train=False)) == 3 and len(requests) == 4


def test_missing_files_are_downloaded_into_a_given_folder(cache, serve, tmp_path):
    requests = serve(good)
    fill(tmp_path / "mine", names=[IMAGES])
    assert is_the_set(FashionMNIST(tmp_path / "mine"))
    assert len(os.listdir(tmp_path / "mine")) == 4 and len(requests) == 3
    assert not cache.exists()


def test_a_wrong_file_of_the_other_half_stays_in_a_given_folder(cache, serve, tmp_path):
    serve(good)
    mine = fill(tmp_path / "mine", OTHERS, ["t10k-labels-idx1-ubyte"])
    before = (mine / "t10k-labels-idx1-ubyte.gz").read_bytes()
    assert is_the_set(FashionMNIST(mine))
    assert (mine / "t10k-labels-idx1-ubyte.gz").read_bytes() == before


@pytest.mark.parametrize("where", ["cache", "debian"])
def test_a_copy_on_this_computer_saves_the_download(cache, serve, tmp_path, where):
    requests = serve(good)
    fill(tmp_path / where, suffix="")
    assert is_the_set(FashionMNIST(tmp_path / "mine"))
    assert sorted(os.listdir(tmp_path / "mine")) == sorted(PAYLOADS) and not requests


def test_the_debian_package_is_the_last_resort(cache, monkeypatch):
    def unpack(package, folder):
        assert package == "dataset-fashion-mnist"
        fill(Path(folder) / "root" / "usr/share/datasets/fashion-mnist")
        return Path(folder) / "root"

    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", Path("/usr/share/datasets/fashion-mnist"))
    monkeypatch.setattr(fashion_mnist, "unpack_debian_package", unpack)
    fill(cache, OTHERS)  # so that a real folder of the package does not matter
    assert is_the_set(FashionMNIST())
    assert len(os.listdir(cache)) == 4


def half_without_length(handler, name):
    body = gzip.compress(PAYLOADS[name])
    send(handler, body[: len(body) // 2], length=False)


def half_with_length(handler, name):
    body = gzip.compress(PAYLOADS[name])
    send(handler, body[: len(body) // 2], length=False, Content_Length=str(len(body)))


def bomb(handler, name):
    send(handler, gzip.compress(bytes(1 << 19)), length=False)  # 0.5 kB


def endless(handler, name):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(os.urandom(4096))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (half_without_length, r"http\S+\.gz is not the .* got damaged gzip data"),
        (half_with_length, r"broke off after \d+ bytes"),
        (
            lambda handler, name: send(handler, gzip.compress(OTHERS[name])),
            r"http\S+\.gz is not the .*, got [0-9a-f]{64}",
        ),
        (lambda handler, name: send(handler, b"<html>Pay first</html>"), r"http\S+\.gz is not the .* got"),
        (lambda handler, name: send(handler, b"", status=404), "404 Client Error"),
        (lambda handler, name: send(handler, b"", status=500), "500 Server Error"),
        (lambda handler, name: send(handler, b"x" * (1 << 20)), "expected at most .* the server announces 1048576"),
        (lambda handler, name: handler.wfile.write(b"SSH-2.0\r\n\r\n"), "SSH-2.0"),
        (bomb, r"http\S+\.gz is not the .* got more than \d+ bytes of content"),
        (endless, r"expected at most \d+ bytes, but the server sends more"),
    ],
    ids=[
        "half",
        "half of the announced",
        "other data",
        "a page",
        "404",
        "500",
        "too long",
        "no http",
        "bomb",
        "endless",
    ],
)
def test_a_bad_mirror_is_left_at_its_first_file_for_the_next(cache, serve, answer, reason):
    requests = serve(answer)
    with pytest.raises(RuntimeError, match=reason):
        FashionMNIST()
    assert os.listdir(cache) == [] and len(requests) <= 1
    serve(good)
    assert is_the_set(FashionMNIST())


def drip_body(handler, name):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def drip_header(handler, name):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    drip_body(handler, name)


@pytest.mark.parametrize("answer", [drip_body, drip_header])
def test_a_server_that_drips_is_given_up(cache, serve, monkeypatch, answer):
    monkeypatch.setattr(download, "GRACE", 0.2)
    serve(answer)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="gave up after 0 s: the server is too slow"):
        FashionMNIST()
    assert time.monotonic() - start < 2
    assert os.listdir(cache) == []


def test_a_server_that_is_silent_is_given_up(cache, serve, monkeypatch):
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.1)
    serve(lambda handler, name: time.sleep(1))
    with pytest.raises(RuntimeError, match="timed out"):
        FashionMNIST()


def test_what_is_labelled_as_compressed_is_kept_as_it_is(cache, serve):
    serve(lambda handler, name: send(handler, gzip.compress(PAYLOADS[name]), Content_Encoding="gzip"))
    assert is_the_set(FashionMNIST())
    assert (cache / f"{IMAGES}.gz").read_bytes()[:2] == b"\x1f\x8b"


def test_the_final_error_lists_every_source_its_reason_and_what_to_do(cache, serve, tmp_path, monkeypatch):
    serve(lambda handler, name: send(handler, b"", status=503))
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (*fashion_mnist.MIRRORS, "http://127.0.0.1:1/"))
    fill(tmp_path / "debian", OTHERS)
    with pytest.raises(RuntimeError) as caught:
        FashionMNIST()
    lines = str(caught.value).splitlines()
    assert lines[0] == "Fashion-MNIST was not found and could not be fetched. What was tried:"
    for source, reason in [
        (str(cache), "there is no train-images"),
        (str(tmp_path / "debian"), "is not the train-images"),
        (fashion_mnist.MIRRORS[0], "503 Server Error"),
        (fashion_mnist.MIRRORS[1], "Connection refused"),
        ("the Debian package dataset-fashion-mnist", "no archive in this test"),
    ]:
        assert any(line.startswith(f"  {source}: ") and reason in line for line in lines), (source, reason, lines)
    assert "Max retries" not in str(caught.value)  # the cause alone, not its three wrappings
    assert "root=" in lines[-2] and "MINITORCH_CNN_DATA" in lines[-1] and IMAGES in lines[-1]


def test_a_cache_that_cannot_be_written_is_named(cache, serve):
    requests = serve(good)
    cache.write_bytes(b"a file where the folder should be")
    with pytest.raises(RuntimeError, match=rf"(?s){re.escape(str(cache))}: cannot be made: .*root="):
        FashionMNIST()
    assert not requests


def test_a_full_disk_leaves_nothing_half(cache, serve, monkeypatch):
    serve(good)

    def fsync(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(RuntimeError, match="No space left on device"):
        FashionMNIST()
    assert os.listdir(cache) == []


# Who is asked, and what is said of it


def hang_after_some(handler, name):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"x" * 20_000)
    handler.wfile.flush()
    time.sleep(1)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (hang_after_some, r"timed out: the server fell silent after about 16384 bytes, for 0\.1 s"),
        (lambda handler, name: time.sleep(1), r"timed out: the server was reached, but said nothing for 0\.1 s"),
    ],
    ids=["after some bytes", "at once"],
)
def test_a_hang_is_told_with_what_came_before(cache, serve, monkeypatch, answer, said):
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.1)
    monkeypatch.setattr(fashion_mnist, "FILES", {name: (10**5, "") for name in fashion_mnist.FILES})
    serve(answer)
    with pytest.raises(RuntimeError, match=said):
        FashionMNIST()


def test_while_it_waits_the_loader_says_for_whom_and_for_how_long(cache, serve, capfd):
    serve(good)
    FashionMNIST()
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 4
    for line in lines:
        assert re.fullmatch(r"Fashion-MNIST: asking http://127\S+-ubyte\.gz, at most 15 s", line)


def test_without_stderr_nothing_is_said(cache, serve, monkeypatch):
    serve(good)
    monkeypatch.setattr(sys, "stderr", None)
    assert is_the_set(FashionMNIST())


def test_there_is_a_limit_for_all_sources_together(cache, serve, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "LIMIT", 0)
    requests = serve(good)
    with pytest.raises(RuntimeError, match="not asked: the 0 s for all sources together are over"):
        FashionMNIST()
    assert not requests


@pytest.mark.parametrize("length", ["abc", "-5", "", "1, 1", "9" * 5000, "٣", "0x10"])
def test_an_odd_length_is_no_length(cache, serve, length):
    def answer(handler, name):
        body = gzip.compress(PAYLOADS[name])
        handler.wfile.write(f"HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + body)

    serve(answer)
    with contextlib.suppress(RuntimeError):  # urllib3 refuses some of them: no server of ours
        assert is_the_set(FashionMNIST())


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 301 Go\r\nLocation: \xff\xfe:\x00//\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 301 Go\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 301 Go\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 9999999999 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x00" * 1000,
        b"",
    ],
)
def test_any_header_is_an_answer_that_is_refused(cache, serve, head):
    serve(lambda handler, name: handler.wfile.write(head))
    with pytest.raises(RuntimeError, match="(?s)What was tried:.*127.*What to do"):
        FashionMNIST()
    assert os.listdir(cache) == []


def test_what_a_server_says_cannot_control_the_terminal(cache, serve):
    serve(lambda handler, name: handler.wfile.write(b"HTTP/1.1 404 \x1b]0;hi\x07\x1b[2J\r\nContent-Length: 0\r\n\r\n"))
    with pytest.raises(RuntimeError, match=r"404 .*\\x1b\]0;hi\\x07\\x1b\[2J"):
        FashionMNIST()


def test_a_dead_proxy_is_named_without_its_password(cache, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "MIRRORS", ("http://example.org/", "https://example.org/"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://me:secret@127.0.0.1:1")
    with pytest.raises(RuntimeError) as caught:
        FashionMNIST()
    for scheme in ("http", "https"):
        (line,) = (line for line in str(caught.value).splitlines() if line.startswith(f"  {scheme}:"))
        assert (
            "refused" in line
            and f"by the proxy http://127.0.0.1:1, which the environment names, see {scheme}_proxy" in line
        )
    assert "secret" not in str(caught.value)


def test_a_given_mirror_takes_the_place_of_the_known_ones(cache, serve, monkeypatch):
    asked = serve(good)
    mirror, monkeypatch_known = fashion_mnist.MIRRORS[0].rstrip("/"), serve(good)
    monkeypatch.setenv("MINITORCH_CNN_MIRROR", f"http://127.0.0.1:1/ {mirror}")
    assert is_the_set(FashionMNIST())
    assert len(asked) == 4 and not monkeypatch_known


OFFLINE = """
import sys
from minitorch_cnn.data import FashionMNIST, fashion_mnist
def refuse(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.posix_spawn"):
        print("opened", event, arguments, flush=True)
sys.addaudithook(refuse)
try:
    FashionMNIST(*sys.argv[1:])
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize("root", [[], ["mine"]])
def test_offline_no_socket_is_opened(cache, tmp_path, root):
    environment = {
        **os.environ,
        "MINITORCH_CNN_OFFLINE": "1",
        "PYTHONPATH": str(Path(fashion_mnist.__file__).parents[2]),
    }
    command = [sys.executable, "-c", OFFLINE, *root]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    if (cache.parent / "debian").exists() or not Path("/usr/share/datasets/fashion-mnist").exists():
        assert "not asked, since MINITORCH_CNN_OFFLINE is set" in done.stdout
    assert "opened" not in done.stdout and done.stderr == ""


def test_the_rests_of_killed_downloads_are_swept_at_the_next_load(cache):
    fill(cache)
    past = time.time() - STALE_AFTER - 1
    file, young, folder = (cache / f".{name}.tmp" for name in (f"{IMAGES}.gz.1-ab", f"{LABELS}.gz.2-cd", "package.xyz"))
    file.touch()
    young.touch()
    folder.mkdir()
    (folder / "some.deb").touch()
    for path in (file, folder):
        os.utime(path, (past, past))
    assert is_the_set(FashionMNIST())
    assert {path.name for path in cache.glob(".*")} == {young.name}


# Faults of this computer


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of a process are POSIX's")
def test_a_file_that_may_not_grow_is_no_fault_of_a_mirror(cache, serve):
    requests = serve(lambda handler, name: send(handler, os.urandom(900) if "labels" not in name else b""))
    serve(good)

    def child():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))  # bytes
        FashionMNIST()

    text = error_of(child)
    assert f"{cache}: cannot be written to: File too large: {cache}/" in text
    assert "127.0.0.1" not in text and text.count("--data-dir") == 1
    assert len(requests) <= 1 and os.listdir(cache) == []


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 32 kB, full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", folder]).returncode:
        pytest.skip("no right to mount a disk")
    with contextlib.suppress(OSError), open(folder / "full", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_full_is_named_once(cache, serve, full_disk, monkeypatch):
    requests = serve(good) + serve(good)
    with pytest.raises(RuntimeError) as caught:
        FashionMNIST(full_disk / "data")
    assert "No space left on device" in str(caught.value) and len(str(caught.value).splitlines()) == 1
    assert "127.0.0.1" not in str(caught.value) and len(requests) <= 1


@pytest.fixture
def public():
    """A folder that other users can read; those of pytest are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="users are POSIX's")
def test_a_folder_that_may_not_be_written_to_is_named_once(cache, serve, public):
    requests = serve(good)
    public.chmod(0o555)
    text = error_of(lambda: FashionMNIST(public), user=12345)
    assert re.match(f"RuntimeError: .*{public}: cannot be written to: Permission denied", text) and "root=" in text
    assert len(text.splitlines()) == 1 and not requests


@pytest.mark.skipif(not hasattr(os, "fork"), reason="users are POSIX's")
@pytest.mark.parametrize("given", [False, True])
def test_no_home_and_no_account(cache, monkeypatch, public, given):
    for name in ("HOME", "XDG_CACHE_HOME", "MINITORCH_CNN_DATA"):
        monkeypatch.delenv(name, raising=False)
    if given:
        fill(public / "mine")
        assert error_of(lambda: FashionMNIST(public / "mine"), user=12345) == ""
    else:
        text = error_of(FashionMNIST, user=12345)
        assert text.startswith("RuntimeError: Fashion-MNIST was not found")
        assert "the user's cache: Could not determine home directory" in text and "MINITORCH_CNN_DATA" in text
        monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", fill(public / "debian"))
        assert error_of(FashionMNIST, user=12345) == ""


def error_of(function, user=None):
    """Call it in a process of its own, as another user where this one is root; return its error as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        text = ""
        try:
            if user and os.geteuid() == 0:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            function()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as file:
        text = file.read()
    os.waitpid(child, 0)
    return text


# Processes

CHILD = """
import json, sys
from minitorch_cnn.data import FashionMNIST, fashion_mnist
settings = json.loads(sys.argv[1])
fashion_mnist.FILES, fashion_mnist.MIRRORS = settings["files"], settings["mirrors"]
fashion_mnist.DEBIAN_PACKAGE = "no-such-package"
print(len(FashionMNIST(settings["root"])))
"""


def start_child(root):
    settings = {"files": fashion_mnist.FILES, "mirrors": fashion_mnist.MIRRORS, "root": str(root)}
    command = [sys.executable, "-c", CHILD, json.dumps(settings)]
    package = str(Path(fashion_mnist.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_two_processes_that_download_into_one_folder(cache, serve):
    both = threading.Barrier(2)

    def answer(handler, name):
        if name == next(iter(fashion_mnist.FILES)):
            both.wait(timeout=20)  # each has begun before one ends
        good(handler, name)

    requests = serve(answer)
    children = [start_child(cache), start_child(cache)]
    assert [child.communicate(timeout=30)[0] for child in children] == ["6\n", "6\n"]
    assert len(requests) > 4
    assert sorted(os.listdir(cache)) == sorted(f"{name}.gz" for name in PAYLOADS)
    assert is_the_set(FashionMNIST(download=False))


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_a_killed_download_leaves_no_half_file_and_its_rest_is_swept(cache, serve):
    halfway, over = threading.Event(), threading.Event()

    def answer(handler, name):
        if halfway.is_set():
            return good(handler, name)
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(gzip.compress(PAYLOADS[name])[:10])
        halfway.set()
        return over.wait(20)

    serve(answer)
    child = start_child(cache)
    assert halfway.wait(20)
    while not os.listdir(cache):
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    over.set()
    (rest,) = os.listdir(cache)
    assert rest.endswith(".tmp")
    past = time.time() - STALE_AFTER - 1
    os.utime(cache / rest, (past, past))
    assert is_the_set(FashionMNIST())
    assert rest not in os.listdir(cache) and len(os.listdir(cache)) == 4


# Debian's archive


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """``tools(script)`` puts an apt-get and a dpkg-deb of that shell script on the PATH, alone."""
    if os.name == "nt":
        pytest.skip("shell scripts")

    def install(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        for tool in ("apt-get", "dpkg-deb"):
            (folder / tool).write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin\necho {tool} $* >> {tmp_path}/log\n{script}\n")
            (folder / tool).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return install


def test_the_package_is_downloaded_and_unpacked_without_root(tools, tmp_path):
    tools("case $* in *download*) touch some-package_1_all.deb;; -x*) mkdir $3;; *) exit 9;; esac")
    (tmp_path / "work").mkdir()
    root = download.unpack_debian_package("some-package", tmp_path / "work")
    assert root.is_dir()
    log = (tmp_path / "log").read_text().splitlines()
    assert len(log) == 2 and log[1] == "dpkg-deb -x some-package_1_all.deb root"


def test_missing_package_lists_are_fetched_into_the_work_folder(tools, tmp_path):
    tools(
        "case $* in *Lists=*download*) touch some-package_1_all.deb;; *Lists=*update) ;; "
        "*download*) echo E: Unable to locate package >&2; exit 100;; -x*) mkdir $3;; esac"
    )
    (tmp_path / "work").mkdir()
    assert download.unpack_debian_package("some-package", tmp_path / "work").is_dir()
    update = (tmp_path / "log").read_text().splitlines()[1]
    assert f"Dir::State::Lists={tmp_path}/work/lists" in update and f"Dir::Cache={tmp_path}/work/cache" in update


def test_what_update_warned_of_is_the_cause(tools, tmp_path):
    tools(
        "case $* in *update) echo W: Failed to fetch, no network >&2;; *) echo E: Unable to locate >&2; exit 100;; esac"
    )
    (tmp_path / "work").mkdir()
    with pytest.raises(
        OSError, match=r"`apt-get update` warned: W: Failed to fetch, no network\. Then .* Unable to loc"
    ):
        download.unpack_debian_package("some-package", tmp_path / "work")


@pytest.mark.parametrize(
    ("script", "timeout", "message"),
    [
        ("echo E: no network >&2; exit 100", 300, "`apt-get .*update` failed: E: no network"),
        ("exit 0", 300, "apt-get download left no some-package_"),
        ("exec sleep 5", 0.1, r"took longer than 0\.1 s"),
    ],
)
def test_failing_tools_are_reported(tools, tmp_path, monkeypatch, script, timeout, message):
    tools(script)
    monkeypatch.setattr(download, "_APT_TIMEOUT", timeout)
    (tmp_path / "work").mkdir()
    with pytest.raises(OSError, match=message):
        download.unpack_debian_package("some-package", tmp_path / "work")


def test_a_system_without_the_tools(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="this system has no apt-get"):
        download.unpack_debian_package("some-package", tmp_path)


# Places


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"MINITORCH_CNN_DATA": "/my/data"}, "/my/data"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/minitorch_cnn/fashion-mnist"),
        ("linux", {}, "/home/me/.cache/minitorch_cnn/fashion-mnist"),
        ("darwin", {}, "/home/me/Library/Caches/minitorch_cnn/fashion-mnist"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/minitorch_cnn/fashion-mnist"),
    ],
)
def test_the_cache_is_where_the_platform_keeps_such_things(monkeypatch, platform, environment, expected):
    for name in ("MINITORCH_CNN_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert fashion_mnist.cache_folder() == Path(expected)


# The real set


@pytest.fixture(scope="module")
def real():
    try:
        return FashionMNIST(train=True), FashionMNIST(train=False)
    except RuntimeError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.mark.elsewhere("Fashion-MNIST, or the internet")
def test_the_real_set(real):
    for dataset, n in zip(real, (60_000, 10_000)):
        assert dataset.data.shape == (n, 28, 28)
        assert np.bincount(dataset.targets).tolist() == [n // 10] * 10
    assert real[0].data.mean() / 255 == pytest.approx(0.2860, abs=5e-5)
    assert real[0].data.std() / 255 == pytest.approx(0.3530, abs=5e-5)


def test_the_pinned_hashes_are_the_published_ones():
    assert {name: digest[:8] for name, (_, digest) in REAL_FILES.items()} == {
        "train-images-idx3-ubyte": "c59f468a",
        "train-labels-idx1-ubyte": "bad3541b",
        "t10k-images-idx3-ubyte": "5b4141f0",
        "t10k-labels-idx1-ubyte": "0402a96d",
    }
