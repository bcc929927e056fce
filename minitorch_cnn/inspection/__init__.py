"""Looking at a network: its layers and what they cost, what it has learned and answers, tables and pictures."""

from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.inspection import answers, explore, figures, graphs, learned, outputs, pixels, tracing
from minitorch_cnn.inspection.answers import *
from minitorch_cnn.inspection.explore import *
from minitorch_cnn.inspection.figures import *
from minitorch_cnn.inspection.graphs import *
from minitorch_cnn.inspection.learned import *
from minitorch_cnn.inspection.outputs import *
from minitorch_cnn.inspection.pixels import *
from minitorch_cnn.inspection.summaries import summary
from minitorch_cnn.inspection.tracing import *

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = ["summary"]
    __all__ += figures.__all__
    __all__ += outputs.__all__
    __all__ += answers.__all__
    __all__ += learned.__all__
    __all__ += pixels.__all__
    __all__ += explore.__all__
    __all__ += graphs.__all__
    __all__ += tracing.__all__
