"""Training: the loop, what it measures, and what it leaves behind on disk."""

from minitorch_cnn.backend.parallel import use_threads
from minitorch_cnn.training.checkpoint import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
from minitorch_cnn.training.distributed import Group, join
from minitorch_cnn.training.history import Epoch, History
from minitorch_cnn.training.loop import Evaluation, evaluate, train
from minitorch_cnn.training.metrics import Accumulator, Timer, accuracy, count_correct
from minitorch_cnn.training.progress import Progress
from minitorch_cnn.training.runs import Run

__all__ = [
    "train", "evaluate", "Evaluation", "Progress",
    "Group", "join", "use_threads",
    "Accumulator", "Timer", "accuracy", "count_correct",
    "Epoch", "History",
    "save_checkpoint", "load_checkpoint", "save_weights", "load_weights", "Checkpoint", "CheckpointError", "Run",
]  # fmt: skip
