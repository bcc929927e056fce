"""The check as an assertion, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minitorch_cnn.checking.check import gradcheck_report
from minitorch_cnn.checking.pairs import check_pair

__all__ = ["assert_gradients"]


def assert_gradients(
    func: Callable[..., Any],
    inputs: Any,
    backward: Callable[..., Any] | None = None,
    *,
    allow_kinks: bool = False,
    **settings: Any,
) -> None:
    """Fail, with the whole report, if gradients disagree with difference quotients.

    Parameters
    ----------
    func : callable or Module
        A function of tensors; or of arrays, if `backward` is given.
    inputs : Tensor, array or sequence of them
        What to call it with.
    backward : callable, optional
        ``backward(dy, *arrays)``, as `check_pair` takes it.
    allow_kinks : bool
        Whether to tolerate a disagreement at a kink, such as relu at 0.
    **settings
        Those of `gradcheck_report`, such as `atol` and `fast_mode`.

    Raises
    ------
    AssertionError
        Naming each gradient that disagrees, where, by how much and why; and the table of all.

    Examples
    --------
    >>> import numpy as np
    >>> from minitorch_cnn.checking import assert_gradients
    >>> def test_sin():
    ...     assert_gradients(np.sin, np.array([0.5, 2.0]), lambda dy, x: dy * np.cos(x))
    >>> test_sin()
    """
    __tracebackhide__ = True  # pytest shows the test, not this function
    settings = {"sweep": False, **settings}
    if backward is None:
        report = gradcheck_report(func, inputs, **settings)
    else:
        report = check_pair(func, backward, *(inputs if isinstance(inputs, (tuple, list)) else (inputs,)), **settings)
    if not report.passes(allow_kinks):
        raise AssertionError(f"{report.message()}\n\n{report.table()}")
