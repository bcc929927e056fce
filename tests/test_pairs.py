"""check_pair and assert_gradients: the check of plain functions of arrays, and the check as an assertion."""

import subprocess
import sys

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn.checking import GradcheckError, GradcheckReport, assert_gradients, check_pair

rng = np.random.default_rng(0)
X, W, B = rng.standard_normal((3, 4)), rng.standard_normal((4, 2)), rng.standard_normal(2)


def affine(x, w, b):
    return x @ w + b


def affine_backward(dy, x, w, b):
    return dy @ w.T, x.T @ dy, dy.sum(0)


def wrong_affine_backward(dy, x, w, b):
    return dy @ w.T, x.T @ dy, dy.mean(0)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_right_pair_and_a_wrong_one(fast_mode):
    report = check_pair(affine, affine_backward, X, W, B, fast_mode=fast_mode)
    assert isinstance(report, GradcheckReport) and report.ok
    assert [row.name for row in report.rows] == ["input 0", "input 1", "input 2"]
    assert {row.sweep is None for row in report.rows} == {False}
    report = check_pair(affine, wrong_affine_backward, X, W, B, fast_mode=fast_mode)
    assert [row.verdict for row in report.rows] == ["ok", "ok", "wrong"]
    assert "input 2, of shape (2,), is wrong in 2 of 2 elements" in str(report)
    assert "Everywhere, backward gives 0.3333 times the quotient." in str(report)


@pytest.mark.parametrize(
    ("forward", "backward", "inputs"),
    [
        (np.sin, lambda dy, x: dy * np.cos(x), [X]),
        (np.sin, lambda dy, x: (dy * np.cos(x),), [X]),
        (lambda x: (x**2).sum(), lambda dy, x: 2 * x * dy, [X]),  # a NumPy number
        (lambda x: float((x**2).sum()), lambda dy, x: 2 * x * float(dy), [X]),  # a number of Python's
        (lambda x: x * 2, lambda dy, x: dy * 2, [1.5]),
        (lambda x: np.square(x), lambda dy, x: (2 * np.array(x) * dy).tolist(), [[0.5, 1.0]]),  # lists
        (lambda x: (x.sum(), x**2), lambda dys, x: dys[0] + 2 * x * dys[1], [X]),  # two results
        (lambda x, i: x[i], lambda dy, x, i: (np.bincount(i, dy, len(x)), None), [B, np.array([0, 1, 1])]),
        (lambda x, i: x[i], lambda dy, x, i: np.bincount(i, dy, len(x)), [B, np.array([0, 1, 1])]),  # labels left out
        (lambda x, y: x * 1, lambda dy, x, y: (dy, None), [B, B]),  # no gradient is zero
        (lambda x: x, lambda dy, x: dy, [X]),  # its input itself
        (lambda x: x.T, lambda dy, x: dy.T, [X]),
    ],
)
def test_what_a_pair_may_be(forward, backward, inputs):
    report = check_pair(forward, backward, *inputs)
    assert report.ok, report


def test_a_result_in_single_precision_wants_a_larger_step():
    report = check_pair(lambda x: np.float32(2) * x.astype(np.float32), lambda dy, x: 2 * dy.astype(float), B)
    assert report.rows[0].verdict == "rounding" and "Pass eps=1e-01" in str(report)


def test_a_pair_on_a_gpu(gpu):
    from minitorch_cnn import backend

    x = backend.asarray(X, backend.as_device("cuda"))
    assert check_pair(lambda x: x * x, lambda dy, x: 2 * x * dy, x).ok
    assert not check_pair(lambda x: x * x, lambda dy, x: x * dy, x).ok


@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (lambda dy, x: 2 * x, "is dy forgotten"),
        (lambda dy, x: 2 * x * dy**2, "dy is squared"),
        (lambda dy, x: 2 * x * abs(dy), "loses the sign of dy"),
    ],
)
def test_the_gradient_of_a_number_must_be_linear_in_dy(backward, words):
    report = check_pair(lambda x: (x**2).sum(), backward, X)
    assert report.rows[0].verdict == "not linear" and words in str(report)


def test_inputs_are_left_as_they_are():
    memory = X.copy()
    x, row = memory, memory[0]
    x.flags.writeable = row.flags.writeable = False
    assert check_pair(lambda x, row: x * row, lambda dy, x, row: (dy * row, (dy * x).sum(0)), x, row).ok

    def overwrites(x):
        x *= 2
        return x.copy()

    x = X.copy()
    with pytest.raises(GradcheckError, match="changes input 0, of shape"):
        check_pair(overwrites, lambda dy, x: 2 * dy, x)
    with pytest.raises(GradcheckError, match="backward changes dy in place"):
        check_pair(np.sin, lambda dy, x: np.multiply(dy, np.cos(x), out=dy), x)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    ("forward", "backward", "inputs", "error", "match"),
    [
        (np.sin, np.cos, [], ValueError, "at least one array of float64 to check, got none"),
        (np.sin, np.cos, [np.arange(3)], ValueError, r"got int64; array\.astype\(float\)"),
        (np.sin, np.cos, [X.astype(np.float32)], TypeError, r"input 0 is float32.*\.astype\(float\)"),
        (np.sin, np.cos, [X + 0j], TypeError, "real numbers, but input 0"),
        (np.sin, np.cos, ["x"], TypeError, "real numbers, but input 0 is of type str"),
        (np.sin, np.cos, [mt.ones(2)], TypeError, "takes arrays, got a Tensor as input 0; gradcheck takes"),
        (np.sin, np.cos, [np.empty((0, 2))], ValueError, "nothing to check"),
        (lambda x: None, np.cos, [X], TypeError, "what forward returns is of type NoneType"),
        (lambda x: (x, (x, B)), np.cos, [X], TypeError, r"type tuple: pick the arrays, as in .*forward\(\*xs\)\[0\]"),
        (lambda x: x > 0, np.cos, [X], ValueError, "floating-point numbers, got bool"),
        (lambda x: (), np.cos, [X], ValueError, "floating-point numbers, got nothing"),
        (affine, lambda dy, x, w, b: dy, [X, W, B], TypeError, "one gradient for each of 3 inputs, .* got 1"),
        (np.sin, lambda dy, x: (dy, dy), [X], TypeError, "got 2"),
        (np.sin, lambda dy, x: dy.sum(), [X], GradcheckError, r"gradient of shape \(\) .* of shape \(3, 4\)"),
        (np.sin, lambda dy, x: dy.astype(np.float32), [X], GradcheckError, "type float32 for input 0"),
        (np.sin, lambda dy, x: "dx", [X], TypeError, "gradient with respect to input 0 is of type str"),
        (lambda x: x + np.random.rand(), lambda dy, x: dy, [X], GradcheckError, "two calls .* differ in the outputs"),
        (lambda x: x[x > 0], lambda dy, x: dy, [np.zeros(1)], ValueError, "nothing to check: no output"),
    ],
)
def test_what_cannot_be_checked_is_refused(forward, backward, inputs, error, match):
    with pytest.raises(error, match=match):
        check_pair(forward, backward, *inputs)


def test_an_assertion_for_tests():
    x = mt.tensor([0.5, 2.0], dtype=mt.float64, requires_grad=True)
    assert_gradients(mt.sigmoid, x)
    assert_gradients(affine, [X, W, B], affine_backward)
    assert_gradients(np.abs, np.zeros(2), lambda dy, x: dy, allow_kinks=True)
    with pytest.raises(AssertionError) as error:
        assert_gradients(affine, (X, W, B), wrong_affine_backward, atol=1e-7)
    text = str(error.value)
    assert text.startswith("the gradient with respect to input 2, of shape (2,), is wrong in 2 of 2 elements.")
    assert "eps 1e-06, allowed error 1e-07" in text and len([x for x in text.splitlines() if "input " in x]) == 4
    with pytest.raises(AssertionError, match="meets a kink"):
        assert_gradients(mt.relu, mt.zeros(2, dtype=mt.float64, requires_grad=True))


def test_what_pytest_shows_of_it(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import numpy as np\nfrom minitorch_cnn.checking import assert_gradients\n\n"
        "def test_sin():\n    assert_gradients(np.sin, np.ones(2), lambda dy, x: -dy * np.cos(x))\n"
    )
    arguments = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    shown = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "AssertionError: the gradient with respect to input 0, of shape (2,), is wrong in 2 of 2" in shown
    assert "Everywhere, backward gives -1 times the quotient." in shown and "assertion.py" not in shown
