"""Checking a gradient by its definition, the difference quotient; and saying what is wrong where they disagree.

`check` moves the inputs and compares, `line` follows the function through one point, `diagnosis` tells a wrong
formula from rounding and from kinks, and `report` says it all in words, a table and a picture.
"""

from minitorch_cnn.checking.check import gradcheck, gradcheck_report, gradgradcheck, gradgradcheck_report
from minitorch_cnn.checking.report import GradcheckError, GradcheckReport

__all__ = [
    "GradcheckError",
    "GradcheckReport",
    "gradcheck",
    "gradcheck_report",
    "gradgradcheck",
    "gradgradcheck_report",
]
