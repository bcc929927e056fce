"""The notebooks of the chapter run, show what they make, and are the same in both languages; and what a notebook shows.

The kernel that runs them is a process of its own, which gets the small data set.
"""

import base64
import json
import os
import re
import warnings

import pytest
from helpers import SETTINGS

ROOT = SETTINGS.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SMALL = "from tiny_fashion import TinyFashion\nfrom minitorch_cnn import data\ndata.FashionMNIST = TinyFashion"
pytestmark = pytest.mark.elsewhere("Jupyter's kernel")


def cells(path, kind="code"):
    loaded = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in loaded["cells"] if cell["cell_type"] == kind]


def run(sources, tmp_path, monkeypatch):
    """Run cells with the small data set, and return the outputs of each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it imports
        nbclient = pytest.importorskip("nbclient")
        nbformat = pytest.importorskip("nbformat")
        pytest.importorskip("ipykernel")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in (SMALL, *sources)])
        settings = {"metadata": {"path": str(tmp_path)}}
        nbclient.NotebookClient(made, timeout=60, kernel_name="python3", resources=settings).execute()
    return [cell.outputs for cell in made.cells[1:]]


def shown(outputs, mime):
    return [output["data"][mime] for output in outputs if mime in output.get("data", {})]


def printed(outputs, stream="stdout"):
    return "".join(output["text"] for output in outputs if output.get("name") == stream)


BARS = [  # without ipywidgets too, and without a warning that they are missing
    "from minitorch_cnn import training\n"
    "batches = data.DataLoader(data.FashionMNIST(), 32)\nnet = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))",
    "history = training.train(net, batches, batches, epochs=3, lr=0.1, on_report=training.LiveCurves(3))",
    "history",
    "history.figure()",
    "batches",
]


def test_notebooks_run_and_show_what_they_make(tmp_path, monkeypatch):
    """One test, and one kernel, which takes seconds to start: the chapter in each language, and what else is shown."""
    english, chinese = (["".join(cell["source"]) for cell in cells(path)] for path in NOTEBOOKS)
    short = [source.replace("num_epochs = 0.9, 10", "num_epochs = 0.9, 2") for source in (*english, *chinese)]
    assert short.count("lr, num_epochs = 0.9, 2\nhistory = d2l.train_ch6(" + TRAINED) == 2
    outputs = run([*short, *BARS], tmp_path, monkeypatch)
    check_chapter(english, outputs[: len(english)])
    check_chapter(chinese, outputs[len(english) : len(short)])
    check_bars(outputs[len(short) :])


TRAINED = "net, train_iter, test_iter, num_epochs, lr, d2l.try_gpu())"


def check_chapter(sources, outputs):
    results = dict(zip(sources, outputs))
    (cross_correlation,) = (found for source, found in results.items() if source.startswith("def corr2d(X, K):"))
    assert shown(cross_correlation, "text/plain") == ["tensor([[19., 25.],\n        [37., 43.]])"]
    assert not any(printed(found, "stderr") for found in outputs)
    pictures = [shown(found, "image/png") for found in outputs]
    assert [len(found) for found in pictures if found] == [1] * 5  # edges, images, curves, mistakes, the overview
    assert all(base64.b64decode(found[0]).startswith(b"\x89PNG") for found in pictures if found)
    tables = [source for source, found in results.items() if shown(found, "text/html")]
    assert [re.search(r"(\w+)\(.*\)$", source)[1] for source in tables] == ["summary", "gradcheck_report"]


def check_bars(outputs):
    _, bar, history, figure, loader = outputs
    assert re.search(r"epoch \d/3: +\d+%\|", printed(bar, "stderr")) and "Warning" not in printed(bar, "stderr")
    (curves,) = shown(bar, "image/png")  # one, which was replaced
    assert [len(shown(found, "image/png")) for found in (history, figure)] == [1, 1]
    assert curves not in shown(history, "image/png")
    assert "test acc" in shown(history, "text/plain")[0]
    assert shown(loader, "text/plain")[0].startswith("DataLoader(TinyFashion(160 images")


def test_the_notebooks_are_stripped():
    assert len(NOTEBOOKS) == 2
    for path in NOTEBOOKS:
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path))


def test_both_languages_have_the_same_code_and_as_much_text():
    english, chinese = NOTEBOOKS
    assert [cell["source"] for cell in cells(english)] == [cell["source"] for cell in cells(chinese)]
    texts = [["".join(cell["source"]) for cell in cells(path, "markdown")] for path in NOTEBOOKS]
    assert len(texts[0]) == len(texts[1]) and all(re.search(r"[\u4e00-\u9fff]", text) for text in texts[1])
    formulas = [re.findall(r"\$\$.*?\$\$", "".join(text), re.DOTALL) for text in texts]
    assert formulas[0] == formulas[1] and len(formulas[0]) == 3
