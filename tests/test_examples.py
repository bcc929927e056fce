"""Every example runs, says what it shows, does what it says, and saves a picture of it."""

import runpy
import sys
from pathlib import Path

import pytest
from tiny_fashion import TinyFashion

from minitorch_cnn import data

EXAMPLES = Path(__file__).parents[1] / "examples"
PRINTED = {  # white space does not count
    "01_dense_to_convolution.py": [
        "614,656weights", "translationinvariance):3,025", "locality):25", "convolutionmovesalong,withanerrorof0%",
        "784ofthe784", "25ofthe784",
    ],
    "02_cross_correlation.py": [
        "tensor([[19.,25.],[37.,43.]])", "without a loop: True", "tensor([[5.,11.],[23.,29.]])",
    ],
    "03_a_layer_by_hand.py": [
        "weight(2,2),bias(1,),5numbers", "tensor([[8.,12.],[20.,24.]])", "bias:4,", "isthesame:True",
    ],
    "04_edge_detection.py": ["[0.0,1.0,0.0,0.0,0.0,-1.0,0.0]", "largest answer is 0", "turned as well sees them: 1."],
    "05_learning_a_kernel.py": ["step9:", "loss0.131", "[1.0272,-0.9532]", "by0.64,", "by-0.80."],
    "06_padding.py": [
        "kernel3,padding0:(6,6)", "padding(2,1):(8,8)", "After6layers", "are(28,28)", "of9windows,4see",
        "of9windows,9see",
    ],
    "07_stride.py": ["(4,4)", "(5,8)", "(2,2)", "Stride4:7×7", "gives:True"],
    "08_dilation.py": ["9weights,aviewof9×9,inwhich9of81", "aviewof15×15,inwhich225of225"],
    "09_groups.py": [
        "weight(8,2,3,3),144numbers;eachoutputsees2of8", "136weights,whereafulllayerhas576", "sees8of8inputsagain",
    ],
    "10_padding_modes.py": ["zeros:00123400", "reflect:32123432", "replicate:11123444", "circular:34123412"],
    "11_channels.py": ["tensor([[56.,72.],[104.,120.]])", "(3,2,2,2)", "atonce:True", "red1.00,green0.75,blue0.10"],
    "12_one_by_one.py": ["(3,3)times(3,1024)", "shuffledresults:True", "16,384weightswith1×1,147,456with3×3"],
    "13_pooling.py": [
        "tensor([[4.,5.],[7.,8.]])", "tensor([[2.,3.],[5.,6.]])", "[[[[5.,7.],[13.,15.]]]]", "(1,2,2,2)",
    ],
    "14_lenet.py": ["Flatten(1,400)", "61,706inall,96%", "Itsays:"],
    "15_training_loop.py": ["Beforetraining,", "epoch3:loss", "stepsof32imageseachhavechanged61,706numbers"],
    "16_train_and_eval.py": ["nothinghappens", "eval()alonestillrecordsgradients:True", "stopsit:False"],
    "17_xavier.py": ["here0.0078", "byatmost0.0039", "log10=2.3026"],
    "18_autodiff.py": ["Pow←Sub←Sigmoid←Add←Mul", "loss0.5344,then0.2667", "at3is7", "firstderivativeis27,thesecond18"],
    "19_checking_gradients.py": ["parameterlikethis:True", "backwardgives8,thedifferencequotient12", "below 0.10"],
    "20_your_own_operation.py": ["differencequotients:True", "byitself:True", "at√½=0.71"],
    "21_your_own_data.py": ["1000imagestotrainon,200keptaside", "epoch5:", "ring:"],
}  # fmt: skip
CLAIMS = {  # of what stands in a script's names when it is done
    "01_dense_to_convolution.py": lambda of: of["rows"][1][4].abs().max() < 1e-5 < 0.1 < of["rows"][0][4].abs().max(),
    "05_learning_a_kernel.py": lambda of: [round(w) for w in of["ways"][0][0][-1]] == [1, -1],
    "12_one_by_one.py": lambda of: max(abs(of[f"by_{name}"] - of["Y"]).max() for name in ("conv2d", "linear")) < 1e-6,
    "13_pooling.py": lambda of: of["change"](of["pools"]["max, 8×8"]) < of["change"](of["pools"]["no pooling"]) / 2,
    "14_lenet.py": lambda of: len(of["best"]) == 3 and abs(of["p"].sum() - 1) < 1e-5,
    "15_training_loop.py": lambda of: len(of["losses"]) == 3 * len(of["train_iter"]),
    "16_train_and_eval.py": lambda of: abs(of["drawn"].mean() - of["fixed"]) < 0.03,
    "17_xavier.py": lambda of: [0.01 < forth[-1] < 100 for forth, _ in of["sizes"].values()] == [False, True, False],
    "19_checking_gradients.py": lambda of: [min(found) < 1e-3 for found in of["errors"].values()] == [True] * 3,
    "20_your_own_operation.py": lambda of: abs(of["steepest"] - 0.5**0.5) < 0.03 and of["losses"][-1] < 0.03,
    "21_your_own_data.py": lambda of: of["unknown"] > 0.8,
}


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """What a script prints, without white space, the names that it leaves, and its picture as an array."""

    def run(name, *options):
        from matplotlib.image import imread

        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(EXAMPLES)
        monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
        monkeypatch.setattr(sys, "argv", [name, *options])
        names = runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        folder = tmp_path / (options[0] if options else "pictures")
        dark = "-dark" if "--dark" in options else ""
        picture = imread(folder / f"{name.removesuffix('.py')}{dark}.png")
        return "".join(capsys.readouterr().out.split()), names, picture

    return run


def test_every_example_is_tested():
    assert sorted(path.name for path in EXAMPLES.glob("[0-9]*.py")) == ["00_from_nothing.py", *PRINTED]
    assert set(CLAIMS) <= set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_example(name, run):
    printed, names, picture = run(name)
    for expected in PRINTED[name]:
        assert "".join(expected.split()) in printed
    assert name not in CLAIMS or CLAIMS[name](names)
    assert f"Thepictureispictures/{name.removesuffix('.py')}.png" in printed
    height, width = picture.shape[:2]
    assert 250 < height <= 1200 and 700 < width <= 1600
    assert picture[..., :3].std() > 0.05, "it is blank"


def test_a_picture_for_a_dark_page_in_a_folder_of_ones_own(run):
    light = run("06_padding.py", "of/my/own")[2][0, 0, :3]
    dark = run("06_padding.py", "of/my/own", "--dark")[2][0, 0, :3]
    assert light.min() > 0.9 and dark.max() < 0.2


def test_arguments_are_read_before_the_work_begins_and_the_idea_is_said_first(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delitem(sys.modules, "drawing", raising=False)
    monkeypatch.setattr(data, "FashionMNIST", None)  # the work would begin with it
    monkeypatch.setattr(sys, "argv", ["15_training_loop.py", "--nonsense"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(EXAMPLES / "15_training_loop.py"), run_name="__main__")
    assert "unrecognized arguments: --nonsense" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["15_training_loop.py"])
    with pytest.raises(TypeError):
        runpy.run_path(str(EXAMPLES / "15_training_loop.py"), run_name="__main__")
    assert capsys.readouterr().out.startswith("The training loop in the open")
