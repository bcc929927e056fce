"""The benchmarks measure what they say: equal work for all, in turns; and what they print is what they measured."""
# ruff: noqa: E402

import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import busy
import chapter
import epoch
import floor
import gradchecks
import layers
import lenet_step
import overhead
import report
import shown
import turns
import worker
from contenders import layer, lenet, operation, ours
from tiny_fashion import TinyFashion

import minitorch_cnn as mt

OURS = "contenders.ours:lenet"


def in_other_words(losses):
    """LeNet's losses by explicit formulas in float64: an oracle for `contenders.lenet`."""
    torch = pytest.importorskip("torch")
    parameters = [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in lenet.weights()]
    images, labels = lenet.batch(8)
    F = torch.nn.functional
    for _ in range(losses):
        x = torch.tensor(images, dtype=torch.float64)
        for i, (w, b) in enumerate(zip(parameters[::2], parameters[1::2])):
            if w.ndim == 4:
                x = F.avg_pool2d(F.conv2d(x, w, b, padding=2 if i == 0 else 0).sigmoid(), 2)
            else:
                x = x.flatten(1) @ w.T + b
                x = x.sigmoid() if i < 4 else x
        l = -x.log_softmax(1)[range(8), labels].mean()
        yield l.item()
        gradients = torch.autograd.grad(l, parameters)
        parameters = [(p - lenet.LR * g).detach().requires_grad_() for p, g in zip(parameters, gradients)]


def test_our_step_is_that_of_the_formulas():
    _, check = ours.lenet(8)
    np.testing.assert_allclose(check(), list(in_other_words(5)), atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"channels_last": True}])
def test_pytorch_takes_the_same_step(options):
    pytest.importorskip("torch")
    from contenders import pytorch

    np.testing.assert_allclose(pytorch.lenet(8, **options)[1](), list(in_other_words(5)), atol=1e-5)


@pytest.mark.elsewhere("the environments of benchmarks/environments.py")
@pytest.mark.parametrize("name", ["jax", "dezero", "mygrad", "autograd"])
def test_the_other_frameworks_take_the_same_step(name):
    """In the environments that `make bench-all` makes, where they are."""
    module, options, environment = next(c for c in lenet_step.CONTENDERS.values() if c[0] == name)
    python = lenet_step.python_of(environment)
    if not python.exists():
        pytest.skip(f"there is no environment {environment}; benchmarks/environments.py makes it")
    with turns.Worker(f"contenders.{module}:lenet", {"batch": 8, **options}, python) as process:
        np.testing.assert_allclose(process.greeting["check"], list(in_other_words(5)), atol=1e-3)


def test_workers_take_turns():
    with turns.Worker(OURS, {"batch": 8}) as one, turns.Worker(OURS, {"batch": 8}) as other:
        lenet_step.check({lenet_step.OURS: one, "other": other})
        measured = turns.take_turns({"a": one, "b": other}, turns=2, seconds=0.001, pause=0)
        assert re.search(r"minitorch_cnn [\d.]+, NumPy [\d.]+, \w+", one.greeting["versions"])
    assert {name: len(values) for name, values in measured.items()} == {"a": 2, "b": 2}
    assert all((values > 0).all() for values in measured.values())


def test_who_computes_something_else_is_turned_away():
    right = SimpleNamespace(greeting={"check": [2.4, 2.3, 2.2, 2.1, 2.0]})
    wrong = SimpleNamespace(greeting={"check": [2.4, 2.3, 2.2, 2.1, 2.01]})
    with pytest.raises(RuntimeError, match="wrong one computes something else"):
        lenet_step.check({lenet_step.OURS: right, "the wrong one": wrong})
    with pytest.raises(RuntimeError, match="wrong one computes something else"):
        layers.check({layers.OURS: right, "the wrong one": wrong}, layers.OURS)


def test_a_worker_that_dies_is_named():
    with pytest.raises(RuntimeError, match="contenders.ours:nothing {} ended with exit code 1"):
        turns.Worker("contenders.ours:nothing", {})


def test_a_turn_counts_its_steps():
    steps = []
    assert worker.turn(lambda: steps.append(1), seconds=0.0) > 0
    assert len(steps) == 2  # one that does not count, and one that does


def test_ratios_are_taken_turn_by_turn():
    rows = turns.compare({"ours": np.array([1.0, 10.0, 100.0]), "theirs": np.array([2.0, 40.0, 300.0])}, "ours")
    assert rows["theirs"] == {"seconds": 40.0, "ratio": [2.5, 3.0, 3.5]}
    assert rows["ours"]["ratio"] == [1.0, 1.0, 1.0]
    assert shown.times(rows["theirs"]["ratio"]) == "3.00 (2.50 to 3.50)"


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone tells the peak")
def test_peak_memory_is_that_of_the_step():
    """A sigmoid adds its output, and the gradient of its input, each as large as the input."""
    mib = 32
    peak = turns.peak_memory(
        "contenders.layer:layer",
        {"library": "minitorch_cnn", "kind": "Sigmoid", "args": [], "shape": [2**18], "batch": mib},
    )
    assert 1.9 * mib <= peak <= 4 * mib  # the backward may need another array or two


@pytest.mark.parametrize("name", layers.GEOMETRIES)
def test_both_libraries_compute_the_same_layer(name):
    pytest.importorskip("torch")
    options = {**layers.GEOMETRIES[name], "batch": 3}
    options["shape"] = tuple(min(size, 16) if i else size for i, size in enumerate(options["shape"]))
    expected = layer.layer("torch", **options)[1]()
    np.testing.assert_allclose(layer.layer("minitorch_cnn", **options)[1](), expected, rtol=1e-4)


@pytest.mark.parametrize("name", operation.OPERATIONS)
def test_both_libraries_compute_the_same_operation(name):
    pytest.importorskip("torch")
    for backward in (False, True):
        step, check = operation.operation("minitorch_cnn", name, backward)
        step()
        assert check() == pytest.approx(operation.operation("torch", name, backward)[1](), abs=1e-5)


@pytest.mark.parametrize("batch", [8, 256])  # small: all in the calling thread; large: in parts, on threads
def test_the_floor_has_all_multiplications_of_the_step(batch):
    """Forward, and twice as many backward; but the images want no gradient. And no more than these are replayed."""
    regions = floor.recorded(batch)
    calls = [call for parts in regions for part in parts for call in part]
    products = [(arrays, out) for function, arrays, out in calls if function is np.matmul]
    rows = mt.nn.summary(mt.models.LeNet(), (batch, 1, 28, 28)).rows
    forward = [row.multiply_adds for row in rows if row.multiply_adds]
    assert sum(out.size * a.shape[-1] for (a, _), out in products) == 3 * sum(forward) - forward[0]
    assert any(len(parts) > 1 for parts in regions) == (batch == 256)
    for function, arrays, out in calls:
        out.fill(np.nan)
        assert function in (np.matmul, np.exp) and not any(np.shares_memory(out, array) for array in arrays)
    floor.replay(regions, np.matmul)()
    for function, arrays, out in calls:
        if function is np.matmul:
            np.testing.assert_array_equal(out, np.matmul(*arrays))
        else:
            assert np.isnan(out).all()


def test_floor_and_profile():
    rows = floor.measure_floor(batch=8, turns=1, seconds=0.0)
    assert rows[floor.FLOOR]["ratio"] == [1, 1, 1]
    profile, total = floor.profile(batch=8, steps=2)
    assert sum(row[-1] for row in profile) < total
    calls = {
        name: sum(row[3] for row in profile if row[0] == name) for name in ("Convolve", "Linear", "FilterGradient")
    }
    assert calls == {"Convolve": 2, "Linear": 3, "FilterGradient": 2}
    assert {row[2] for row in profile if row[0] == "Convolve"} == {"forward"}
    *_, engine = floor.tables({"floor": rows, "profile": profile, "total": total})
    assert engine.startswith("| engine, optimizer, Python")


@pytest.mark.skipif(shutil.which("git") is None, reason="a version is named by git")
def test_an_older_version_beside_this_one(tmp_path):
    """Its package is that of the other checkout; where its training loop had a step of its own, that is measured."""
    with pytest.raises(FileNotFoundError, match="holds no package minitorch_cnn"):
        lenet_step.another(tmp_path)
    package, training = tmp_path / "minitorch_cnn", tmp_path / "minitorch_cnn" / "training"
    shutil.copytree(ROOT / "minitorch_cnn", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text((package / "__init__.py").read_text() + "\n__version__ = '0.0.7'\n")
    step = "def backward_in_shards(net, loss, x, y):\n    loss(net(x), y).backward()\n    return 0, None\n"
    (training / "shards.py").write_text(step)
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "old"]):
        subprocess.run([*git, *arguments], check=True)
    ((name, (factory, options, python, source)),) = lenet_step.another(tmp_path).items()
    assert re.fullmatch("minitorch_cnn at [0-9a-f]{7,}", name)
    with turns.Worker(factory, {"batch": 8, **options}, python, source) as older:
        assert "minitorch_cnn 0.0.7" in older.greeting["versions"] and older.greeting["check"] == [0] * 5


def test_a_step_beside_busy_processes(monkeypatch):
    monkeypatch.setattr(busy, "CONTENDERS", {busy.OURS: ("ours", {})})
    rows, used = busy.measure(batch=8, turns=2, seconds=0.001)
    low, middle, high = rows[busy.OURS]["ratio"]
    assert 0 < low <= middle <= high and set(used) == {busy.OURS}
    assert busy.tables({"rows": rows})[-1].startswith("| minitorch_cnn ")
    with busy.others(1):
        pass


def test_the_mean_and_the_least_of_the_layers():
    measured = {name: {layers.THEIRS: {"ratio": [0, ratio, 9]}} for name, ratio in (("a", 2.0), ("b", 0.5), ("c", 8.0))}
    assert layers.summary(measured) == {"geometric mean": 2.0, "least": ["b", 0.5]}


def test_the_chapter_in_both_ways():
    both = chapter.commands("data", 3, "out")
    expected = ["train", "--epochs", "3", "--data-dir", "data", "--out", "out"]
    assert both[chapter.OURS] == [sys.executable, "-m", "minitorch_cnn", *expected]
    assert both[chapter.THEIRS][-4:] == [ROOT / "benchmarks" / "chapter_pytorch.py", "--epochs", "3", "data"]
    line = "print('epoch 1: loss 1.234, train acc 0.500, test acc 0.600'); print('more')"
    seconds, outcome = chapter.run([sys.executable, "-c", line])
    assert seconds > 0 and outcome == "loss 1.234, train acc 0.500, test acc 0.600"


def test_the_stock_script(tmp_path, capsys):
    """Its samples are the pixels divided by 255, and its lines are those that the benchmark reads."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("PIL")
    import chapter_pytorch as stock

    pixels = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8)
    labels = (np.arange(20) % 10).astype(np.uint8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(bytes(16) + pixels.tobytes())
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + labels.tobytes()))
    samples = stock.FashionMNIST(tmp_path, True, stock.Compose([stock.ToTensor()]))
    image, label = samples[13]
    np.testing.assert_array_equal(image.numpy(), pixels[13][None].astype(np.float32) / 255)
    assert label == 3
    batches = torch.utils.data.DataLoader(samples, 10)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    stock.train_ch6(net, batches, batches, 2, 0.1, "cpu")
    assert len(chapter.OUTCOME.findall(capsys.readouterr().out)) == 2


def test_the_parts_of_an_epoch():
    """Steps and evaluation are parts of the wall clock; what is left is data, and little else."""
    rows = epoch.measure((TinyFashion(train=True), TinyFashion(train=False)), batch=32, turns=2)
    for row in rows.values():
        low, middle, high = row["ratio"]
        assert 1 <= low <= middle <= high and 0 < row["data"] < row["wall"]
        assert 0 < row["evaluation"] < row["wall"] and 0 < row["steps"] < row["wall"]
    head, _, *lines = epoch.tables({"epochs": rows})
    assert [line.split("|")[1].strip() for line in lines] == list(epoch.CONTENDERS)
    assert all(line.count("|") == head.count("|") for line in lines)


RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_say_on_what_they_were_measured(path):
    results = json.loads(path.read_text(encoding="utf-8"))
    assert {"machine", "versions", "settings"} < set(results)
    assert {"processor", "cores", "Python"} <= set(results["machine"])


@pytest.mark.parametrize("page", report.PAGES, ids=lambda page: page.name)
def test_the_pages_show_the_results(page):
    """They are what `benchmarks/report.py` writes: nobody has typed a number into them."""
    assert report.render(page) == page.read_text(encoding="utf-8")


def test_docs_show_every_benchmark():
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- begin (\w+) -->", page)) == set(report.BENCHMARKS)


def test_pictures_can_be_drawn(monkeypatch, tmp_path):
    monkeypatch.setattr(shown, "IMAGES", tmp_path)
    for name, benchmark in report.BENCHMARKS.items():
        if hasattr(benchmark, "plot") and (results := shown.load(name)):
            benchmark.plot(results)
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn <= {path.name for path in (ROOT / "docs" / "images").iterdir()}


def test_imports_are_measured(monkeypatch):
    monkeypatch.setattr(overhead, "IMPORTS", ["json"])
    low, median, high = overhead.measure_imports(turns=1)["json"]
    assert low == median == high


def test_gradient_checks_beside_each_other(monkeypatch, capsys):
    """A line for each slip; ours finds all, and passes what is right. A library that is not there is left out."""
    for missing in ("torch", "jax", "autograd", "chainer", "scipy"):
        monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(gradchecks, "ENVIRONMENTS", {"jax": []})
    monkeypatch.setattr(gradchecks, "is_made", lambda name: True)
    theirs = {"jax": {"version": "9.8", "says": dict.fromkeys(gradchecks.SLIPS, True)}}
    answer = subprocess.CompletedProcess([], 0, json.dumps(theirs))
    monkeypatch.setattr(gradchecks.subprocess, "run", lambda *_, **__: answer)
    gradchecks.main([])
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header == "| the sum of | ours | jax 9.8 |"
    said = dict(re.fullmatch(r"\| (.*?) \| ([\w ]+) \| passes \|", row).groups() for row in rows)
    rights = {name: word for name, word in said.items() if name.startswith("right")}
    assert list(rights.values()) == ["passes", "a kink", "rounding"]
    assert {word for name, word in said.items() if name not in rights} == {"found"}


def test_the_page_has_what_the_gradient_checks_answered(capsys):
    """Those that are installed here answer as the page says."""
    page = (Path(__file__).parents[1] / "docs/check-your-own-gradients.md").read_text(encoding="utf-8")
    columns = {"ours": 0, "pytorch": 1, "jax": 2, "autograd": 3, "chainer": 4, "scipy": 5}
    found = gradchecks.answers()
    assert "ours" in found
    for slip in gradchecks.SLIPS:
        (row,) = [line.strip("| ").split(" | ")[1:] for line in page.splitlines() if line.startswith(f"| {slip} |")]
        for name, answer in found.items():
            assert row[columns[name]] == gradchecks.word(answer["says"][slip]), (slip, name)
