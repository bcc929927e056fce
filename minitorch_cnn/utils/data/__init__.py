"""What `minitorch_cnn.data` has, by the name that PyTorch has for it: ``torch.utils.data``."""

from minitorch_cnn import data as _data
from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.data import *

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = _data.__all__
