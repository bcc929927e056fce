"""--model and --preset: which network a run trains and remembers, and by which recipe."""

import sys

import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import cli, data, models, training
from minitorch_cnn.cli import networks, recipes
from minitorch_cnn.training.history import Epoch, History

MODEL = """
from minitorch_cnn import nn

def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, 10))

def two_classes():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 2))

def colours():
    return nn.Conv2d(3, 10, kernel_size=28)

def lazy():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(10))

def quits():
    raise SystemExit(3)

class Odd(nn.Module):
    def __init__(self, make=lambda y: y):
        super().__init__()
        self.layer, self.make = nn.Linear(784, 10), make

    def forward(self, x):
        return self.make(self.layer(x.flatten(1)))

def array():
    return Odd(lambda y: y.detach().numpy())

def detached():
    return Odd(lambda y: y.detach())

def whole_numbers():
    return Odd(lambda y: y.long())

def pair():
    return Odd(lambda y: (y, 1))

def two_at_once():
    def refuse(y):
        assert len(y) < 3, "too many"
        return y
    return Odd(refuse)
"""
TRAIN = ("train", "--device", "cpu", "--epochs", 1, "--batch-size", 32)


@pytest.fixture(autouse=True)
def _tiny_data_and_a_module_in_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_nets.py").write_text(MODEL)
    yield
    sys.modules.pop("own_nets", None)


def recipe(folder):
    return training.Run(folder).load().recipe


# --- --model -----------------------------------------------------------------------------------------------


def test_a_run_trains_a_network_of_ones_own_and_remembers_it(command):
    code, out, err = command(*TRAIN, "--model", "own_nets:net", "--lr", 0.1)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("own_nets:net on Fashion-MNIST: ")
    assert lines[1] == "9,550 parameters, at first as the network makes them"
    assert lines[2].endswith("results in runs/own_nets-net")
    assert recipe("runs/own_nets-net")["model"] == "own_nets:net"
    code, out, err = command("evaluate")
    assert (code, err) == (0, "") and out.startswith("runs/own_nets-net/checkpoint.safetensors on ")
    code, out, err = command("train", "--resume", "--epochs", 2)
    assert (code, err) == (0, "") and "own_nets:net on" in out and "going on after epoch 1" in out


def test_the_network_of_a_run_has_its_weights_and_is_in_evaluation_mode(command):
    assert command(*TRAIN, "--model", "own_nets:net", "--epochs", 3, "--lr", 0.1, "--out", "run")[0] == 0
    for best in (False, True):
        net, path = networks.trained_network("run", best=best)
        weights = training.load_weights(path)
        assert str(path) == ("run/best.safetensors" if best else "run/checkpoint.safetensors")
        assert not any(module.training for module in net.modules())
        assert all(mt.equal(value, weights[name]) for name, value in net.state_dict().items())


def test_the_initial_weights_are_xaviers_for_lenet_and_the_networks_own_for_others():
    mt.manual_seed(3)
    expected = models.LeNet().apply(models.xavier_uniform).state_dict()
    mt.manual_seed(3)
    found = networks.network_of("lenet").state_dict()
    assert all(mt.equal(found[name], value) for name, value in expected.items())
    mt.manual_seed(3)
    own = models.LeNet().state_dict()
    mt.manual_seed(3)
    found = networks.network_of("minitorch_cnn.models:LeNet").state_dict()
    assert all(mt.equal(found[name], value) for name, value in own.items())


def test_a_recipe_without_a_model_means_lenet(command):
    net = models.LeNet()
    optimizer = mt.optim.SGD(net.parameters(), lr=0.9)
    history = History([Epoch(1, 2.3, 0.1, 0.1, 9.0, 9.0)])
    settings = {"epochs": 2, "lr": 0.9, "batch_size": 32, "seed": 0}
    run = training.Run("run")
    run.prepare()
    run.save(net, optimizer, history, settings)
    assert command("evaluate", "run")[0] == 0
    assert command("train", "--resume", "--out", "run")[0] == 0
    assert recipe("run") == {"model": "lenet", "preset": "classic", **settings}


def test_what_shows_a_run_reads_the_test_images_alone(command, monkeypatch):
    read = []

    class Watched(TinyFashion):
        def __init__(self, root=None, train=True):
            read.append(train)
            super().__init__(root, train)

    assert command("train", "--epochs", "1", "--device", "cpu", "--out", "run")[0] == 0
    monkeypatch.setattr(data, "FashionMNIST", Watched)
    for words in (["evaluate", "run", "--device", "cpu"], ["plot", "run", "overview"], ["explore", "run"]):
        assert command(*words)[0] == 0
    assert read == [False] * 3


def test_a_run_goes_on_with_its_own_model_and_preset_alone(command):
    assert command(*TRAIN)[0] == 0
    for option, given, begun in (("model", "own_nets:net", "lenet"), ("preset", "book-v1", "classic")):
        code, _, err = command("train", "--resume", "--epochs", 2, f"--{option}", given)
        assert code == 1
        assert (
            f"runs/lenet was begun with --{option} {begun}, it cannot go on with {given}: leave --{option} out" in err
        )
    assert command("train", "--resume", "--epochs", 2, "--model", "lenet", "--preset", "classic")[0] == 0


def test_a_run_whose_network_has_changed_says_what_differs(command, tmp_path):
    assert command(*TRAIN, "--model", "own_nets:net", "--out", "run")[0] == 0
    (tmp_path / "own_nets.py").write_text(MODEL.replace("nn.Linear(12, 10))", "nn.Linear(12, 9), nn.Linear(9, 10))"))
    sys.modules.pop("own_nets")
    code, _, err = command("train", "--resume", "--out", "run", "--epochs", 2)
    assert (
        code == 1 and "the checkpoint does not fit the network: " in err and 'Missing key(s) in state_dict: "5.' in err
    )


def test_weights_alone_are_lenets_or_those_of_the_model_that_is_named(command):
    assert command(*TRAIN, "--model", "own_nets:net", "--out", "run")[0] == 0
    code, out, _ = command("evaluate", "run/weights.safetensors", "--model", "own_nets:net")
    assert code == 0 and "test acc" in out
    code, _, err = command("evaluate", "run/weights.safetensors")
    assert code == 1 and "the weights in run/weights.safetensors are not those of --model lenet: " in err
    assert "\tMissing key(s)" in err and "\\t" not in err


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lenett", "--model expected lenet, lenet-modern, or a module and a name, such as mynet:Net, got 'lenett'"),
        ("own_nets:nett", "--model own_nets:nett: the module own_nets has no nett"),
        (
            "own_nets:two_classes",
            "--model own_nets:two_classes: of images of shape (2, 1, 28, 28), expected floating-point outputs of shape "
            "(2, 10), one for each class, got (2, 2)",
        ),
        ("own_nets:array", "one for each class, got a numpy.ndarray"),
        ("own_nets:pair", "one for each class, got a tuple of (Tensor, int): take the part"),
        ("own_nets:whole_numbers", "one for each class, got (2, 10) of int64"),
        ("own_nets:detached", "--model own_nets:detached: nothing of it can be trained: its outputs depend on no"),
        ("own_nets:quits", "--model own_nets:quits: SystemExit: 3"),
        (
            "gone.nets:net",
            "--model gone.nets:net: there is no module gone.nets: go to the folder that has gone/nets.py",
        ),
        ("../own_nets:net", "--model expected a module and a name, such as mynet:Net, got '../own_nets:net'"),
        ("own_nets:colours", "--model own_nets:colours: RuntimeError: conv2d expected an input"),
    ],
)
def test_a_network_that_cannot_be_trained_is_explained_and_leaves_no_folder(command, tmp_path, spec, message):
    code, _, err = command(*TRAIN, "--model", spec)
    assert code == 1 and message in err and "Traceback" not in err
    assert not list(tmp_path.glob("runs/*"))


def test_what_a_network_does_wrong_later_is_no_traceback(command):
    code, _, err = command(*TRAIN, "--model", "own_nets:two_at_once", "--out", "run")
    assert code == 1 and "minitorch-cnn: the network failed: AssertionError: too many" in err
    for line in (("graph",), ("trace", "--repeat", 1)):
        code, _, err = command(*line, "--model", "own_nets:pair")
        assert code == 1 and "output has the shape (N, classes), got a tuple of (Tensor, int)" in err


@pytest.mark.parametrize("name", ["evaluate", "plot", "predict"])
def test_a_network_for_something_else_has_no_classes_to_tell(command, tmp_path, name):
    net = mt.nn.Sequential(mt.nn.Flatten(), mt.nn.Linear(784, 2))
    training.save_weights("w.safetensors", net)
    images = ("picture.png",) if name == "predict" else ()
    code, _, err = command(name, "w.safetensors", *images, "--model", "own_nets:two_classes")
    assert code == 1 and "expected floating-point outputs of shape (2, 10)" in err


def test_lazy_networks_can_be_looked_at(command):
    for line in (("summary",), ("gradcheck", "--quiet"), ("graph",)):
        code, _, err = command(*line, "--model", "own_nets:lazy", "--input-shape", "2,1,28,28")
        assert (code, err) == (0, "")


def test_lenet_modern_brings_its_recipe(command):
    code, out, err = command("train", "--device", "cpu", "--model", "lenet-modern", "--epochs", 1)
    assert (code, err) == (0, "")
    expected = recipes.recipe_of(preset="modern")
    assert recipe("runs/lenet-modern") == {**expected, "model": "lenet-modern", "epochs": 1}
    assert "preset modern: " in out and "published" not in out
    group = training.Run("runs/lenet-modern").load().optimizer["param_groups"][0]
    assert group["momentum"] == 0.9 and group["lr"] == 0  # it has fallen


# --- --preset ----------------------------------------------------------------------------------------------


def test_a_preset_gives_the_settings_and_options_change_them(command):
    assert command("train", "--device", "cpu", "--preset", "book-v1", "--epochs", 1, "--out", "run")[0] == 0
    expected = {"model": "lenet", "preset": "book-v1", "epochs": 1, "lr": 0.1, "batch_size": 128, "seed": 0}
    assert recipe("run") == expected
    code, _, err = command(*TRAIN, "--preset", "book-v3")
    assert code == 2 and "--preset: expected one of classic, book-v1" in err and "got 'book-v3'" in err


@pytest.mark.parametrize(
    ("preset", "published"),
    [
        (
            "classic",
            [
                "result     this run  199 published runs", "loss       LOSS     0.468 [0.449, 0.525]",
                "train acc  TRAIN     0.824 [0.799, 0.834]", "test acc   TEST     0.806 [0.752, 0.828]",
            ],
        ),
        (
            "book-v1",
            [
                "result          this run  the book, version 1.0", "epochs at 10 %  COUNT         4",
                "test acc        TEST     about 0.728",
            ],
        ),
    ],
)  # fmt: skip
def test_what_was_published_stands_beside_our_results(command, preset, published):
    code, out, _ = command("train", "--device", "cpu", "--preset", preset, "--seed", 1)
    assert code == 0
    history = training.Run("runs/lenet").load().history
    last, count = history[-1], sum(row.test_acc < 0.11 for row in history)
    values = {"LOSS": last.loss, "TRAIN": last.train_acc, "TEST": last.test_acc}
    expected = "\n".join(published).replace("COUNT", f"{count:<2}")
    for name, value in values.items():
        expected = expected.replace(name, f"{value:.3f}")
    assert [line.split() for line in out.splitlines()[-len(published) :]] == [
        line.split() for line in expected.splitlines()
    ]


def test_nothing_stands_beside_the_results_of_another_recipe():
    history = History([Epoch(1, 2.3, 0.1, 0.1, 9.0, 9.0)])
    assert recipes.beside_published(recipes.recipe_of(seed=7), history)
    for other in ({"lr": 0.5}, {"epochs": 11}, {"model": "lenet-modern"}, {"preset": "book-v1", "batch_size": 256}):
        assert recipes.beside_published(recipes.recipe_of(**other), history) == ""


def test_the_epochs_at_ten_percent_are_counted():
    history = History(Epoch(i, 2.3, acc, acc, 9.0, 9.0) for i, acc in enumerate((0.1, 0.1, 0.1, 0.4, 0.7), start=1))
    ours = recipes.beside_published(recipes.recipe_of(preset="book-v1"), history).splitlines()
    assert ours[1].split() == ["epochs", "at", "10", "%", "3", "4"]


def test_help_names_the_models_and_the_presets(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name in (*networks.NETWORKS, *recipes.PRESETS, "MODULE:NAME"):
        assert name in text
