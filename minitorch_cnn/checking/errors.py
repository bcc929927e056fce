"""What a check raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitorch_cnn.checking.report import GradcheckReport

__all__ = ["GradcheckError"]


class GradcheckError(RuntimeError):
    """A gradient and its difference quotient disagree.

    Attributes
    ----------
    report : GradcheckReport or None
        What was found for every tensor; None if the function could not be checked at all.
    """

    __module__ = "minitorch_cnn.autograd"  # where users find it

    def __init__(self, message: str, report: GradcheckReport | None = None) -> None:
        super().__init__(message)
        self.report = report


class ShapeChanged(GradcheckError):
    """A function returns other shapes when an input is moved."""
