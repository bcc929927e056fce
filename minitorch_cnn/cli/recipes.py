"""Recipes: how a run is trained, and the published results that it can be held against."""

from collections.abc import Callable
from dataclasses import dataclass, field

from minitorch_cnn import optim
from minitorch_cnn.cli.arguments import at_least, name_of, one_of, positive
from minitorch_cnn.inspection.tables import table


@dataclass(frozen=True)
class Preset:
    """The settings of a recipe, under one name.

    Attributes
    ----------
    summary : str
        What it is.
    epochs, lr, batch_size :
        What options may change.
    optimizer : callable
        Makes the optimizer of (parameters, learning rate).
    schedule : callable, optional
        Makes of (optimizer, steps of the whole run) what changes the learning rate after each step.
    published : dict of str to str
        What was published for this recipe and LeNet, by the names of `MEASURED`.
    """

    summary: str
    epochs: int
    lr: float
    batch_size: int
    optimizer: Callable = lambda parameters, lr: optim.SGD(parameters, lr=lr)
    schedule: Callable | None = None
    published: dict = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.summary}, {self.epochs} epochs, lr {self.lr:g}, batch size {self.batch_size}"


PRESETS = {
    "classic": Preset(
        "the chapter's", epochs=10, lr=0.9, batch_size=256,
        published={
            "result": "199 published runs",
            "loss": "0.468 [0.449, 0.525]",
            "train acc": "0.824 [0.799, 0.834]",
            "test acc": "0.806 [0.752, 0.828]",
        },
    ),
    "book-v1": Preset(
        "the book's in version 1.0", epochs=10, lr=0.1, batch_size=128,
        published={"result": "the book, version 1.0", "epochs at 10 %": "4", "test acc": "about 0.728"},
    ),
    "modern": Preset(
        "momentum, weight decay and a rate that falls along a cosine to 0", epochs=12, lr=0.05, batch_size=128,
        optimizer=lambda parameters, lr: optim.SGD(parameters, lr, momentum=0.9, nesterov=True, weight_decay=5e-4),
        schedule=lambda optimizer, steps: optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps),
    ),
}  # fmt: skip

PRESET_OF = {"lenet-modern": "modern"}  # of all other networks, it is "classic"

MEASURED = {  # what is measured of a history, to stand beside what was published
    "result": lambda history: "this run",
    "epochs at 10 %": lambda history: str(sum(row.test_acc < 0.11 for row in history)),
    "loss": lambda history: f"{history[-1].loss:.3f}",
    "train acc": lambda history: f"{history[-1].train_acc:.3f}",
    "test acc": lambda history: f"{history[-1].test_acc:.3f}",
}

CONVERTERS = {
    "model": name_of, "preset": one_of(PRESETS), "epochs": at_least(1), "lr": positive, "batch_size": at_least(1),
    "seed": at_least(0),
}  # fmt: skip


def recipe_of(model="lenet", preset=None, **settings):
    """The whole recipe, of which some settings are given, and the others are those of the preset.

    Examples
    --------
    >>> recipe_of(lr=0.5)
    {'model': 'lenet', 'preset': 'classic', 'epochs': 10, 'lr': 0.5, 'batch_size': 256, 'seed': 0}
    """
    preset = preset or PRESET_OF.get(model, "classic")
    named = {name: getattr(PRESETS[preset], name) for name in ("epochs", "lr", "batch_size")}
    return {"model": model, "preset": preset, **named, "seed": 0, **settings}


def beside_published(recipe, history):
    """A table of a run's results and the published ones; nothing, if the recipe is not that of published results."""
    published = PRESETS[recipe["preset"]].published
    if not published or recipe != recipe_of(preset=recipe["preset"], seed=recipe["seed"]):
        return ""
    header, *rows = ([name, MEASURED[name](history), value] for name, value in published.items())
    return table(header, rows, "<<<")
