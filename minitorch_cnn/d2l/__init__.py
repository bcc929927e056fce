"""The helpers that *Dive into Deep Learning* calls ``d2l``, with their names and signatures there, for both editions.

``from d2l import torch as d2l`` becomes ``from minitorch_cnn import d2l``. The classic edition's helpers stand by
chapter, and so do the 1.0 edition's classes; `docs/book.md` says which section needs which. Some are those of
`minitorch_cnn.training`, the others stand on top of it.
"""

from typing import TYPE_CHECKING

from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.backend.arguments import no_attribute
from minitorch_cnn.d2l import classification, convolution, design, modules, names, optimization, plotting, regression
from minitorch_cnn.d2l.classification import *
from minitorch_cnn.d2l.convolution import *
from minitorch_cnn.d2l.design import *
from minitorch_cnn.d2l.modules import *
from minitorch_cnn.d2l.names import *
from minitorch_cnn.d2l.optimization import *
from minitorch_cnn.d2l.plotting import *
from minitorch_cnn.d2l.regression import *
from minitorch_cnn.training import Accumulator, Timer, accuracy

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = ["Accumulator", "Timer", "accuracy"]
    __all__ += names.__all__
    __all__ += plotting.__all__
    __all__ += regression.__all__
    __all__ += classification.__all__
    __all__ += convolution.__all__
    __all__ += optimization.__all__
    __all__ += design.__all__
    __all__ += modules.__all__


if TYPE_CHECKING:
    from matplotlib import pyplot

    plt = pyplot
else:  # with it, to a type checker every name would be one of ours

    def __getattr__(name):
        if name == "plt":  # matplotlib.pyplot, imported when it is first asked for
            return plotting.pyplot()
        if name in ("DATA_HUB", "DATA_URL", "download", "download_extract", "download_all"):
            raise AttributeError(
                f"d2l has no {name}: it fetches Fashion-MNIST alone. Put other files into a folder yourself, and read "
                "them from there",
                name=name,
            )
        raise no_attribute("module 'minitorch_cnn.d2l'", name, [*__all__, "plt"])
