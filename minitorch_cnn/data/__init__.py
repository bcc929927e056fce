"""Data sets, samplers, the loader that makes batches of them, and Fashion-MNIST with its verified download."""

from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.data import dataloader, dataset, fashion_mnist, folder, idx, own_files, sampler, transforms
from minitorch_cnn.data.dataloader import *
from minitorch_cnn.data.dataset import *
from minitorch_cnn.data.fashion_mnist import *
from minitorch_cnn.data.folder import *
from minitorch_cnn.data.idx import *
from minitorch_cnn.data.own_files import *
from minitorch_cnn.data.sampler import *

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = ["transforms"]
    __all__ += dataloader.__all__
    __all__ += dataset.__all__
    __all__ += fashion_mnist.__all__
    __all__ += folder.__all__
    __all__ += idx.__all__
    __all__ += own_files.__all__
    __all__ += sampler.__all__
