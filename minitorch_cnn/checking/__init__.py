"""Checking a gradient by its definition, the difference quotient; and saying what is wrong where they disagree.

`check` says what is checked in which order, `subject` what the function may be, `compare` moves the inputs of one
tensor, `operations` those of each operation by itself, `line` follows a function through one point, `diagnosis` tells a
wrong formula from rounding and from kinks, and `report` says it all in words, a table and a picture. `pairs` checks a
forward and a backward that are plain functions of arrays, and `assertion` is the check for tests.
"""

from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.checking import assertion, check, errors, pairs, report
from minitorch_cnn.checking.assertion import *
from minitorch_cnn.checking.check import *
from minitorch_cnn.checking.errors import *
from minitorch_cnn.checking.pairs import *
from minitorch_cnn.checking.report import *

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = []
    __all__ += assertion.__all__
    __all__ += check.__all__
    __all__ += errors.__all__
    __all__ += pairs.__all__
    __all__ += report.__all__
