"""``plot`` and ``predict``: the files they leave, what they print, and how they refuse."""

import numpy as np
import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import data, inspection, nn, optim, training
from minitorch_cnn.cli import pictures
from minitorch_cnn.training import Epoch, History, Run


@pytest.fixture
def here(monkeypatch, tmp_path):
    """A run of two epochs in the present folder, and a small data set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    run, net, history = Run("run"), mt.models.LeNet(), History()
    run.prepare()
    run.begin(net)
    for epoch in (1, 2):
        with mt.no_grad():
            net[0].weight.mul_(1.5)
        history.append(Epoch(epoch, 2.0 / epoch, 0.3, 0.2 * epoch, 10.0, 1.0))
        run.save(net, optim.SGD(net.parameters(), lr=0.1), history, {"model": "lenet"})
    return run


def test_all_pictures_are_drawn_in_the_runs_folder(here, command):
    code, out, err = command("plot", "run")
    assert (code, err) == (0, "")
    assert out.split() == [f"run/pictures/{name}.png" for name in pictures.PICTURES]
    for name in pictures.PICTURES:
        assert (here.folder / "pictures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert training.Run("run").load().history, "the run is as it was"


def noting(made, name, function):
    def noted(*args, **settings):
        made[name] = args, settings
        return function(*args, **settings)

    return noted


def test_pictures_are_chosen_by_name_and_have_their_numbers(here, command, monkeypatch):
    made = {}
    for name in ("draw_overview", "draw_changes", "draw_confusion", "draw_mistakes"):
        monkeypatch.setattr(inspection, name, noting(made, name, getattr(inspection, name)))
    chosen = ["confusion", "changes", "overview", "confusion"]
    code, out, _ = command("plot", "run", *chosen, "--image", 7, "--dark", "--out", "there")
    assert code == 0 and out.split() == [f"there/{name}.png" for name in ("confusion", "changes", "overview")]
    (net, image, classes, label), settings = made["draw_overview"]
    assert (
        label == 7
        and classes == TinyFashion.classes
        and settings == {"title": "What a trained LeNet sees", "dark": True}
    )
    assert mt.equal(image, TinyFashion(train=False)[7][0])
    assert mt.equal(net[0].weight.detach(), here.load_weights()["0.weight"])
    assert sorted(made["draw_changes"][0][1]) == [0, 1, 2]
    confusion = made["draw_confusion"][0][0]
    result = training.evaluate(net, data.DataLoader(TinyFashion(train=False), 16))
    np.testing.assert_array_equal(confusion, result.confusion)
    assert "draw_mistakes" not in made


@pytest.fixture
def quick(monkeypatch):
    """Pictures that are made, but not drawn."""
    monkeypatch.setattr(inspection, "to_png", lambda figure: b"\x89PNG")


def test_what_a_file_of_weights_has_not_is_left_out(here, command, quick):
    code, out, err = command("plot", "run/weights.safetensors", "--out", "p")
    assert code == 0 and out.split() == [
        f"p/{name}.png" for name in pictures.PICTURES if name not in ("curves", "changes")
    ]
    assert (
        "minitorch-cnn: curves is left out: run/weights.safetensors is a file of weights: give the folder of a run"
        in err
    )
    code, _, err = command("plot", "run/weights.safetensors", "curves")
    assert code == 1 and err.startswith("minitorch-cnn: curves: run/weights.safetensors is a file of weights")


def test_a_network_without_convolutions(here, command, quick, tmp_path):
    (tmp_path / "flat_net.py").write_text(
        "from minitorch_cnn import nn\ndef Net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n"
    )
    training.save_weights("flat.safetensors", nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    code, out, err = command("plot", "flat.safetensors", "--model", "flat_net:Net", "--out", "p")
    assert code == 0 and "p/overview.png" in out and "p/maps.png" in out
    assert "filters is left out: expected a network with a Conv2d" in err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["run", "filter"], 2, "expected one of overview, curves, filters, maps"),
        (["nowhere"], 1, "there is no checkpoint nowhere/checkpoint.safetensors"),
        (["run", "maps", "--image", "50"], 1, "--image 50: the test images have the numbers 0 to 49"),
        (["run", "--image", "-1"], 2, "--image"),
        (["run/weights.safetensors", "--best"], 1, "--best is for the folder of a run"),
    ],
)
def test_plot_refuses(here, command, arguments, code, told):
    got, _, err = command("plot", *arguments)
    assert got == code and told in err and "Traceback" not in err


def save_picture(name, image):
    from PIL import Image

    Image.fromarray(image).save(name)


def test_predict_says_the_three_likeliest_and_what_it_has_inverted(here, command):
    image = np.zeros((28, 28), np.uint8)
    image[:, 6:22] = np.arange(60, 60 + 28 * 6, 6, dtype=np.uint8)[:, None]
    save_picture("a.png", image)
    save_picture("b.png", 255 - image.repeat(10, 0).repeat(10, 1))
    code, out, err = command("predict", "run", "a.png", "b.png", "--best", "--picture", "said.png")
    assert (code, err) == (0, "")
    a, b, inverted, drawn = out.splitlines()
    net = mt.models.LeNet()
    net.load_state_dict(here.load_weights(best=True))
    expected = mt.softmax(net(mt.from_numpy(image / np.float32(255))[None, None]), dim=1)[0].detach().numpy()
    best = np.argsort(-expected)[:3]
    assert a == "a.png: " + ", ".join(f"{TinyFashion.classes[i]} {expected[i]:.1%}" for i in best)
    assert b == a.replace("a.png", "b.png"), "inverted, and the mean of ten by ten pixels"
    assert inverted.strip().startswith("it is dark on bright, and was inverted")
    assert drawn == "drawn in said.png"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["run"], 2, "the following arguments are required: IMAGE"),
        (["run", "words.png"], 1, "words.png is no picture that can be read"),
        (["run", "missing.png"], 1, "No such file or directory: 'missing.png'"),
        (["nowhere", "words.png"], 1, "there is no checkpoint nowhere/checkpoint.safetensors"),
        (["run", "a.png", "--picture", "p.jpg"], 2, "expected a name that ends in .png, got 'p.jpg'"),
    ],
)
def test_predict_refuses(here, command, arguments, code, told):
    (here.folder.parent / "words.png").write_text("words")
    got, out, err = command("predict", *arguments)
    assert got == code and told in err and "Traceback" not in err and out == ""
    if code == 1:
        assert len(err.splitlines()) == 1
