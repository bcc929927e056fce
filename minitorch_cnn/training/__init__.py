"""Training: the loop, what it measures, and what it leaves behind on disk."""

from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.backend.parallel import use_threads
from minitorch_cnn.training import checkpoint, distributed, divergence, history, loop, metrics, progress, runs
from minitorch_cnn.training.checkpoint import *
from minitorch_cnn.training.distributed import *
from minitorch_cnn.training.divergence import *
from minitorch_cnn.training.history import *
from minitorch_cnn.training.loop import *
from minitorch_cnn.training.metrics import *
from minitorch_cnn.training.progress import *
from minitorch_cnn.training.runs import *

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = ["use_threads"]
    __all__ += checkpoint.__all__
    __all__ += distributed.__all__
    __all__ += divergence.__all__
    __all__ += history.__all__
    __all__ += loop.__all__
    __all__ += metrics.__all__
    __all__ += progress.__all__
    __all__ += runs.__all__
