"""What a check raises."""

__all__ = ["GradcheckError"]


class GradcheckError(RuntimeError):
    """A gradient and its difference quotient disagree.

    Attributes
    ----------
    report : GradcheckReport or None
        What was found for every tensor; None if the function could not be checked at all.
    """

    __module__ = "minitorch_cnn.autograd"  # where users find it

    def __init__(self, message, report=None):
        super().__init__(message)
        self.report = report


class ShapeChanged(GradcheckError):
    """A function returns other shapes when an input is moved."""
