"""gradcheck lets right derivatives pass, rejects wrong ones, and says of each why."""

import io
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sabotage
from sabotage import HIDDEN, WRONG, Conv, MeanOfDy, NumberForgetsDy, PowWithoutExponent, ReluOfDy, WrongSign

import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.autograd import Function, GradcheckError, walk
from minitorch_cnn.checking import check
from minitorch_cnn.checking.operations import noted
from minitorch_cnn.nn import functional as F


def double(*shape):
    return mt.randn(*shape, dtype=mt.float64, requires_grad=True)


def point(*values):
    return mt.tensor(values, dtype=mt.float64, requires_grad=True)


# --- what is wrong is found, and named ---------------------------------------------------------------------------


def weighted(function, xs):
    """A function that returns one number: then gradients are shown as they are, without gradcheck's weights."""
    weights = mt.randn(*function(*xs).shape, dtype=mt.float64)
    return lambda *xs: (function(*xs) * weights).sum()


def difference(function, xs, x, index):
    """The difference quotient of one element, by hand."""
    values = []
    for eps in (1e-5, -1e-5):
        x.array[index] += eps
        values.append(function(*xs).item())
        x.array[index] -= eps
    return (values[0] - values[1]) / 2e-5


each_wrong = pytest.mark.parametrize(
    ("wrong", "spoiled", "shapes"),
    [(case[0](), case[1], case[2:]) for case in WRONG],
    ids=[getattr(case[0], "__name__", "") for case in WRONG],
)


@each_wrong
@pytest.mark.parametrize("fast_mode", [False, True])
def test_the_report_names_tensor_and_index(wrong, spoiled, shapes, fast_mode, monkeypatch):
    monkeypatch.setattr(check, "LARGE", 1)
    xs = [double(*shape) for shape in shapes]
    function = weighted(wrong, xs)
    report = mt.gradcheck_report(function, xs, fast_mode=fast_mode)
    assert [row.name for row in report.rows if row.verdict != "ok"] == [f"input {i}" for i in spoiled]
    for i in map(int, spoiled):
        row, x = report.rows[i], xs[i]
        assert row.verdict == "wrong" and len(row.index) == x.ndim
        assert row.analytic == pytest.approx(mt.autograd.grad(function(*xs), x)[0].array[row.index])
        assert row.numeric == pytest.approx(difference(function, xs, x, row.index), rel=1e-5, abs=1e-8)
        assert abs(row.analytic - row.numeric) > 1e-5 + 1e-3 * abs(row.numeric)
        assert f"input {i}" in str(report) and f"at index {row.index}" in str(report)


@each_wrong
def test_rejects(wrong, spoiled, shapes):
    """With gradcheck's own weights of the outputs, too."""
    with pytest.raises(
        GradcheckError, match=f"with respect to input {spoiled[0]}, .* is wrong in .* at index"
    ) as error:
        mt.gradcheck(wrong, [double(*shape) for shape in shapes])
    assert not error.value.report.ok and error.value.report.has_mistakes


def test_there_are_enough_slips():
    assert (len(WRONG), len(HIDDEN)) == (41, 18)  # the sum stands in README


each_hidden = pytest.mark.parametrize(
    ("wrong", "verdict", "shapes"),
    [(case[0], case[1], case[2:]) for case in HIDDEN],
    ids=[case[0].__name__ for case in HIDDEN],
)


@each_hidden
@pytest.mark.parametrize("fast_mode", [False, True])
def test_what_equal_gradients_hide_is_found(wrong, verdict, shapes, fast_mode, monkeypatch):
    """In the README's own form, f(x).sum(), and in a loss of one number; by both orders of derivative."""
    monkeypatch.setattr(check, "LARGE", 1)
    xs = [double(*shape) for shape in shapes]

    def function(*xs):
        return wrong()(*xs).sum()

    report = mt.gradcheck_report(function, xs, fast_mode=fast_mode)
    found = {row.name: row.verdict for row in report.rows if row.verdict != "ok"}
    assert found.pop(f"operation {wrong.__name__}") == verdict
    assert set(found.values()) <= {"not linear"} and report.has_mistakes and not report.passes(allow_kinks=True)
    for checked in (mt.gradcheck, mt.gradgradcheck):
        with pytest.raises(GradcheckError):
            checked(function, xs, fast_mode=fast_mode)
        assert checked(function, xs, fast_mode=fast_mode, raise_exception=False, allow_kinks=True) is False


@each_hidden
def test_equal_gradients_do_hide_it(wrong, verdict, shapes):
    """The slips are what they claim to be: along dy = 1 there is nothing to see."""
    xs = [double(*shape) for shape in shapes]
    for x, dx in zip(xs, mt.autograd.grad(wrong()(*xs).sum(), xs)):
        index = (0,) * x.ndim
        expected = difference(lambda *xs: wrong()(*xs).sum(), xs, x, index)
        assert dx.array[index] == pytest.approx(expected, abs=1e-5)


def test_the_message_names_the_operation_and_what_it_does_with_dy():
    with pytest.raises(GradcheckError) as error:
        mt.gradcheck(NumberForgetsDy(), point(1.0, 2.0))
    assert str(error.value) == (
        "the gradient with respect to input 0, of shape (2,), is not linear in dy in 2 of 2 elements. The worst is at "
        "index (1,): where the gradient of the result is -1000 times as large, backward gives 4, not -4000. It gives "
        "the same whatever dy is: is dy forgotten? Multiply by it.\n"
        "the operation NumberForgetsDy, called by itself for a result of shape (), has a backward that is not linear "
        "in dy: for -1000 dy it gives 4 where -4000 is right. It gives the same whatever dy is: is dy forgotten? "
        "Multiply by it."
    )
    assert "0 of 1 gradients agree" in str(error.value.report)
    report = mt.gradcheck_report(lambda x: MeanOfDy()(x).sum(), point(1.0, 2.0))
    assert [(row.name, row.verdict) for row in report.rows] == [("input 0", "ok"), ("operation MeanOfDy", "wrong")]
    assert re.search(
        r"the operation MeanOfDy, called by itself for a result of shape \(2,\), has a wrong backward: for a random "
        r"dy, and along a random direction, backward gives \S+, the difference quotient \S+\. In the function checked, "
        r"something hides it: behind sum\(\), all entries of dy are equal\.",
        report.message(),
    )
    assert str(report).endswith("1 of 1 gradients agree with their difference quotients. Wrong by itself: MeanOfDy.")
    assert report.figure().axes


@pytest.mark.parametrize("name", ["NumberSquaresDy", "NumberTakesTheMagnitude", "NumberTakesTheSign"])
def test_what_is_done_with_dy_is_recognised(name):
    words = {"Squares": "dy is squared", "Magnitude": "loses the sign of dy", "Sign": "loses the size of dy"}
    (expected,) = (text for part, text in words.items() if name.endswith((part, part + "Dy")))
    with pytest.raises(GradcheckError, match=expected):
        mt.gradcheck(getattr(sabotage, name)(), double(3))


def test_a_function_that_does_not_see_its_input_move():
    remembered = {}

    def remembers(x):
        if not remembered:
            remembered[0] = (x * x).detach()
        return 2 * x * 0 + remembered[0] + (x - x.detach())

    with pytest.raises(GradcheckError, match="The quotient is 0 everywhere: .* Does it round, or remember an earlier"):
        mt.gradcheck(remembers, double(3))


def test_an_operation_that_is_used_often_is_named_once():
    report = mt.gradcheck_report(lambda x: (MeanOfDy()(x) + MeanOfDy()(2 * x)).sum(), double(3))
    assert [row.name for row in report.rows] == ["input 0", "operation MeanOfDy"]


def test_operations_are_not_checked_where_they_have_kinks_jumps_or_infinities():
    """What the function does not meet is no business of its operations: zeros behind relu are ties of the maximum."""
    x = mt.tensor([[-1.0, -2.0, -3.0, 0.5]], dtype=mt.float64, requires_grad=True)
    assert mt.gradcheck(lambda x: F.max_pool2d(x.relu().reshape(1, 1, 2, 2), 2).sum(), x)
    assert mt.gradcheck(lambda x: x.relu().amax() + (x.relu().reshape(2, 2).max(0)[0]).sum(), x)
    assert mt.gradcheck(lambda x: F.max_pool2d(x.reshape(1, 1, 2, 2), 2, padding=1), x)  # pads with -inf


def test_operations_in_place_and_in_single_precision_are_let_be():
    def function(x):
        y = x * 1
        y[0] = x[1] * 2
        y += x
        return y.float().exp().double().sum()

    assert mt.gradcheck(function, double(3), eps=1e-3, atol=1e-2, rtol=1e-2)


def test_an_operation_that_refuses_other_inputs_is_let_be():
    class OfProbabilities(Function):
        """y = Σ x² / Σ x, and only for x that sum to 1;  dx = 2 x dy."""

        def forward(self, x):
            if not np.isclose(x.sum(), 1, rtol=0, atol=1e-12):
                raise ValueError("no probabilities")
            return (x**2).sum()

        def backward(self, dy, _y, x):
            return (2 * x * dy,)

    assert mt.gradcheck(lambda x: OfProbabilities()(mt.cat([x, 1 - x])), point(0.25))


def test_threads_check_side_by_side():
    with ThreadPoolExecutor(4) as pool:
        right = [pool.submit(mt.gradcheck, lambda x: x.exp().sum(), double(5)) for _ in range(8)]
        wrong = [pool.submit(mt.gradcheck, NumberForgetsDy(), double(5), raise_exception=False) for _ in range(8)]
    assert all(future.result() for future in right) and not any(future.result() for future in wrong)
    assert Function.__call__.__name__ == "__call__"


def test_a_check_that_waits_for_another_leaves_no_trace_of_it():
    entered, go, call = threading.Event(), threading.Event(), Function.__call__

    def check(first):
        with noted():
            if first:
                entered.set()
                go.wait(10)

    threads = [threading.Thread(target=check, args=(first,)) for first in (True, False)]
    threads[0].start()
    entered.wait(10)
    threads[1].start()
    threads[1].join(0.1)  # it waits
    go.set()
    for thread in threads:
        thread.join(10)
    assert Function.__call__ is call


def test_a_shared_parameter_that_is_overwritten(monkeypatch):
    """The slip is in the engine itself: where two gradients meet, the later one wins."""
    monkeypatch.setattr(walk, "_gather", lambda pending, target, gradient: pending.update({target: gradient}))
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    net[2].weight = net[0].weight
    with pytest.raises(GradcheckError, match=r"parameter 0\.weight, of shape \(3, 3\), is wrong in 9 of 9"):
        mt.gradcheck(net, double(2, 3))
    monkeypatch.undo()
    assert mt.gradcheck(net, double(2, 3))


def test_the_convolution_behind_the_slips_is_right():
    class Right(Conv):
        """No slip."""

        def backward(self, dy, y, x, w):
            return self.right(dy, x, w)

    assert mt.gradcheck(Right(), [double(2, 1, 4, 4), double(1, 1, 2, 2)])


class WrongSecond(Function):
    """y = x³;  dx = 3 x² dy: right, but computed off the graph, so that it has no derivative of its own."""

    def forward(self, x):
        return x**3

    def backward(self, dy, y, x):
        return (dy * (3 * x.detach() ** 2),)


def test_gradgradcheck_rejects_what_gradcheck_cannot_see():
    x = [double(3)]
    assert mt.gradcheck(WrongSecond(), x)
    with pytest.raises(GradcheckError, match="input 0"):
        mt.gradgradcheck(WrongSecond(), x)
    report = mt.gradgradcheck_report(WrongSecond(), x)
    assert [(row.name, row.verdict) for row in report.rows] == [("input 0", "wrong"), ("gradient of output 0", "ok")]


# --- what is right passes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda x, y: x * y + x.exp(), [(2, 3), (3,)]),
        (lambda x: (x.sum(), x**2), [(3,)]),  # several outputs
        (lambda x, w: F.conv2d(x, w, stride=2, padding=1), [(1, 2, 4, 5), (2, 2, 3, 3)]),
        (lambda x: x.T.reshape(-1), [(2, 3)]),
        (lambda x: x, [()]),
    ],
)
def test_passes(function, shapes, device, fast_mode, monkeypatch):
    monkeypatch.setattr(check, "LARGE", 1)
    inputs = [mt.randn(*shape, dtype=mt.float64, device=device, requires_grad=True) for shape in shapes]
    assert mt.gradcheck(function, inputs, fast_mode=fast_mode) is True
    assert mt.gradgradcheck(function, inputs, fast_mode=fast_mode) is True


def test_a_single_tensor_is_a_list_of_one():
    assert mt.gradcheck(lambda x: x * x, double(3))


def test_inputs_without_gradient_and_numbers_are_passed_on():
    assert mt.gradcheck(lambda x, y, p: (x * y) ** p, [double(3), mt.tensor([1.0, 2.0, 3.0], dtype=mt.float64), 2])


def test_outputs_of_integers_do_not_matter():
    assert mt.gradcheck(lambda x: x.max(0), double(3, 2))


def test_a_false_result_in_place_of_an_error():
    assert mt.gradcheck(WrongSign(), [double(3), double(3)], raise_exception=False) is False


def test_first_gradients_can_be_given_to_gradgradcheck():
    x, dy = double(3), double(3)
    assert mt.gradgradcheck(lambda x: x**3, x, dy)


def test_inputs_and_buffers_are_left_as_they_were():
    x, norm = double(4, 2), nn.BatchNorm1d(2).double()
    before = x.tolist(), norm.running_mean.tolist(), norm.num_batches_tracked.item()
    assert mt.gradcheck(norm, [x])
    assert (x.tolist(), norm.running_mean.tolist(), norm.num_batches_tracked.item()) == before
    assert x.grad is None and norm.weight.grad is None


def test_inputs_are_put_back_when_the_function_fails():
    x = double(2)
    before = x.tolist()

    def fails_when_moved(x):
        if x.tolist() != before:
            raise KeyError("moved")
        return x * 2

    with pytest.raises(KeyError):
        mt.gradcheck(fails_when_moved, x)
    assert x.tolist() == before


def test_weights_are_no_inputs_of_a_user():
    """Random weights that equal the inputs, drawn from the same seed, would hide the slip of ReluOfDy."""
    for seed in range(5):
        mt.manual_seed(seed)
        with pytest.raises(GradcheckError):
            mt.gradcheck(ReluOfDy(), [double(3, 4)])


def test_lenet_in_fast_mode():
    net = mt.models.LeNet().double()
    images = mt.rand(2, 1, 28, 28, dtype=mt.float64, requires_grad=True)
    report = mt.gradcheck_report(net, images, fast_mode=True, atol=1e-7)
    assert report.ok
    assert [row.name for row in report.rows][:2] == ["input 0", "parameter 0.weight"] and len(report.rows) == 11
    assert {row.checked for row in report.rows if row.unit == "directions"} == {3}
    assert max(row.rel_error for row in report.rows) < 1e-3


def test_fast_mode_sees_one_wrong_element_among_many():
    class OneWrong(Function):
        """y = x²;  dx = 2 x dy but for one element."""

        def forward(self, x):
            return x**2

        def backward(self, dy, y, x):
            right = np.full(x.shape, 2.0)
            right[41, 17] = 3.0
            return (dy * mt.tensor(right) * x,)

    report = mt.gradcheck_report(lambda x: OneWrong()(x).sum(), double(60, 50), fast_mode=True)
    (row,) = report.rows
    assert (row.verdict, row.index, row.failed, row.unit) == ("wrong", (41, 17), 3, "directions")
    assert row.analytic / row.numeric == pytest.approx(1.5)


# --- what it says ------------------------------------------------------------------------------------------------


def test_the_message_shows_both_values_of_a_single_number():
    with pytest.raises(GradcheckError) as error:
        mt.gradcheck(lambda x: PowWithoutExponent()(x).sum(), point(1.0, 2.0))
    assert str(error.value) == (
        "the gradient with respect to input 0, of shape (2,), is wrong in 2 of 2 elements. The worst is at index (1,): "
        "backward gives 4, the difference quotient 12. The error stays near 8 from eps 1e-01 to 1e-11: that is a wrong "
        "formula; rounding would change with the step. Everywhere, backward gives 0.3333 times the quotient."
    )


def test_the_message_shows_both_values_times_a_weight():
    with pytest.raises(RuntimeError, match=r"input 0, of shape \(2,\).*index \(.,\)") as error:
        mt.gradcheck(PowWithoutExponent(), point(2.0, 1.0))
    found = re.search(r"backward gives ([-\d.]+), the difference quotient ([-\d.]+)\. ", str(error.value))
    analytic, numeric = map(float, found.groups())
    assert numeric / analytic == pytest.approx(3.0, rel=1e-6)


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        (lambda dx: dx * 0, "zero everywhere: is the tensor cut off"),
        (lambda dx: -dx, "Everywhere, backward gives -1 times the quotient"),
        (lambda dx: dx.transpose(0, 1), "last two dimensions swapped, what backward gives would be right"),
        (lambda dx: dx[[2, 1, 0]][:, [2, 1, 0]], "last two dimensions reversed, what backward gives would be right"),
    ],
)
def test_simple_slips_are_recognised(scale, words):
    class Slip(Function):
        """y = x²;  dx = something made of 2 x dy."""

        def forward(self, x):
            return x**2

        def backward(self, dy, y, x):
            return (scale(2 * x * dy),)

    with pytest.raises(GradcheckError, match=words):
        mt.gradcheck(lambda x: Slip()(x).sum(), double(3, 3))


def verdict(function, x, **settings):
    (row,) = mt.gradcheck_report(function, x, **settings).rows
    return row.verdict, row.index, row.explanation


@pytest.mark.parametrize(
    ("function", "x", "index", "slopes"),
    [
        (mt.relu, (1.0, 0.0, -1.0), (1,), "0 below this point and 0.917222 above"),
        (lambda x: x.max(0)[0], (1.0, 2.0, 2.0), (2,), "0 below this point and 1 above"),
        (lambda x: x.clamp(0, 1).sum(), (0.5, 1.0), (1,), "1 below this point and 0 above"),
        (
            lambda x: F.max_pool2d(x.reshape(1, 1, 2, 2), 2),
            (3.0, 1.0, 3.0, 2.0),
            (2,),
            "0 below this point and 1 above",
        ),
    ],
)
def test_kinks_are_reported_as_such(function, x, index, slopes):
    found, where, explanation = verdict(function, point(*x))
    assert (found, where) == ("kink", index)
    assert slopes in explanation and "no mistake" in explanation and "Move the input away" in explanation
    with pytest.raises(GradcheckError, match="meets a kink in"):
        mt.gradcheck(function, point(*x))
    assert mt.gradcheck(function, point(*x), raise_exception=False) is False
    assert mt.gradcheck(function, point(*x), allow_kinks=True)


def test_a_kink_within_the_step():
    found, _, explanation = verdict(mt.relu, point(3e-7))
    assert found == "kink" and "a step of 1e-06 reaches over a kink" in explanation


def test_the_slope_in_the_middle_of_a_kink_is_what_the_quotient_says():
    assert mt.gradcheck(mt.abs, point(0.0)) and mt.gradcheck(lambda x: x.amax(), point(1.0, 1.0))


def test_a_kink_does_not_hide_a_mistake():
    def function(x):
        return mt.relu(x).sum() + PowWithoutExponent()(x).sum()

    found, index, _ = verdict(function, point(0.0, 0.1, 0.0))
    assert (found, index) == ("wrong", (1,))
    with pytest.raises(GradcheckError, match=r"wrong in 1 of 3 elements. The worst is at index \(1,\)"):
        mt.gradcheck(function, point(0.0, 0.1, 0.0), allow_kinks=True)


def test_kinks_of_fast_mode_are_set_aside():
    values = np.linspace(-1, 1, 301)
    values[[7, 130]] = 0  # with that in the middle, three kinks
    x = mt.tensor(values, requires_grad=True)
    found, index, explanation = verdict(lambda x: x.relu().sum(), x, fast_mode=True)
    assert found == "kink" and index[0] in (7, 130, 150) and "0 below this point and 1 above it" in explanation
    found, index, _ = verdict(lambda x: x.relu().sum() + PowWithoutExponent()(x + 2).sum(), x, fast_mode=True)
    assert found == "wrong"


def test_a_value_outside_of_a_kink_is_no_excuse():
    class Outside(Function):
        """y = max(x, 0);  dx = 2 dy."""

        def forward(self, x):
            return np.maximum(x, 0)

        def backward(self, dy, y, x):
            return (2 * dy,)

    found, _, explanation = verdict(lambda x: Outside()(x).sum(), point(0.0))
    assert found == "unclear" and "neither nor a value between: the formula is wrong, or several kinks" in explanation
    with pytest.raises(GradcheckError, match="cannot be judged"):
        mt.gradcheck(Outside(), point(0.0), allow_kinks=True)


def test_rounding_is_told_from_a_wrong_formula():
    found, _, explanation = verdict(lambda x: (x + 1e11) - 1e11, point(1.0))
    assert found == "rounding"
    assert "the formula is right, and the step of 1e-06 too small" in explanation and "Pass eps=1e-01" in explanation
    assert mt.gradcheck(lambda x: (x + 1e11) - 1e11, point(1.0), eps=1e-1)


def test_a_large_output_does_not_drown_the_small_ones():
    """Differences are taken of each output before they are summed."""
    assert mt.gradcheck(lambda x: x * x, point(1e8, 1.0))
    assert mt.gradcheck(lambda x: (x, mt.full((2,), 1e15, dtype=mt.float64)), point(0.5, 1.0))


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: (x * x).sum(), (1e8, 1.0)),
        (lambda x: mt.tanh(x) + 1e12, (0.3, 0.5)),
        (lambda x: mt.tanh(x) + 1e15, (0.3, 0.5)),
        (lambda x: mt.tanh(x) + 1e17, (0.3, 0.5)),  # no step changes that value at all
    ],
)
def test_what_no_step_shows_is_rounding(function, x, fast_mode, monkeypatch):
    monkeypatch.setattr(check, "LARGE", 1)
    found, _, explanation = verdict(function, point(*x), fast_mode=fast_mode)
    assert found == "rounding" and "No step shows the slope: values of this size are rounded by about" in explanation
    assert "subtract what is constant" in explanation


def test_a_better_step_is_named_where_there_is_one():
    found, _, explanation = verdict(lambda x: mt.tanh(x) + 1e10, point(0.3, 0.5))
    assert found == "rounding" and "Pass eps=1e-02" in explanation


def test_a_wrong_formula_is_found_under_a_large_constant():
    assert verdict(lambda x: PowWithoutExponent()(x) + 1e10, point(2.0))[0] == "wrong"


def test_a_kink_is_found_under_a_large_constant_and_noise_is_none():
    assert verdict(lambda x: mt.relu(x) + 1e7, point(0.0))[0] == "kink"


def test_curvature_under_rounding_is_no_kink():
    """In the larger steps, the slopes on both sides differ; a wrong gradient that lies between them is wrong."""

    class Off(Function):
        """y = 500 x² + 10⁷;  dx = (1000 x + 0.004) dy."""

        def forward(self, x):
            return 500 * x**2 + 1e7

        def backward(self, dy, y, x):
            return ((1000 * x + 0.004) * dy,)

    for allow_kinks in (False, True):
        assert not mt.gradcheck(Off(), point(0.0), allow_kinks=allow_kinks, raise_exception=False)


def test_curvature_is_told_from_a_wrong_formula():
    def steep(x):
        return (1e6 * x).exp().sum()

    found, _, explanation = verdict(steep, point(1e-7))
    assert found == "curvature" and "the formula is right, and the step of 1e-06 too large" in explanation
    assert mt.gradcheck(steep, point(1e-7), eps=1e-9)


def test_infinite_slopes_are_not_finite():
    assert verdict(mt.sqrt, point(0.0, 1.0))[:2] == ("not finite", (0,))


def test_what_never_settles_is_unclear():
    """A slope that grows like 1 / sqrt(eps), and a gradient that is off both sides."""

    class Cusp(Function):
        """y = sqrt|x| sign x;  dx = -dy."""

        def forward(self, x):
            return np.sqrt(np.abs(x)) * np.sign(x)

        def backward(self, dy, y, x):
            return (-dy,)

    found, _, explanation = verdict(Cusp(), point(0.0))
    assert found == "unclear" and "settles at no step" in explanation


def test_values_below_the_tolerance_are_pointed_out():
    report = mt.gradcheck_report(lambda x: 1e-7 * x.exp(), point(0.0))
    assert report.ok and "no value exceeds atol=1e-05: pass a smaller one" in str(report)


def test_sweep_of_a_right_gradient_is_a_v():
    (row,) = mt.gradcheck_report(mt.exp, point(1.0)).rows
    error = dict(zip(np.round(np.log10(row.sweep.steps)), row.sweep.error))
    assert error[-1] / error[-2] == pytest.approx(100, rel=0.05)  # falls like eps²
    assert error[-2] > error[-5] < error[-10] and row.sweep.error[row.sweep.best] < 1e-9
    assert mt.gradcheck_report(mt.exp, point(1.0), sweep=False).rows[0].sweep is None


def test_every_tensor_of_a_module_is_in_the_table():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 2, 3), nn.Linear(8, 2)

        def forward(self, x):
            return self.fc(PowWithoutExponent()(self.conv(x)).flatten(1))

    report = mt.gradcheck_report(Net().double(), double(2, 1, 4, 4))
    above, header, *lines = str(report).split("\n\n")[0].splitlines()[1:]
    assert above.split() == ["abs", "rel", "worst"]
    assert header.split() == ["tensor", "checked", "error", "error", "at", "backward", "quotient", "verdict"]
    page = report._repr_html_()  # of a notebook: all there is
    assert all(f">{name}</th>" in page for name in ("shape", "abs error", "least at eps", "verdict"))
    assert page.count("<tr>") == 6 and "(2, 1, 3, 3)" in page and "src='data:image/png;base64,iVBOR" in page
    assert [line.split()[0] for line in lines] == ["input", "conv.weight", "conv.bias", "fc.weight", "fc.bias"]
    assert [line.split()[-1] for line in lines] == ["wrong", "wrong", "wrong", "ok", "ok"]
    assert str(report).endswith("2 of 5 gradients agree with their difference quotients.")
    with pytest.raises(GradcheckError) as error:
        mt.gradcheck(Net().double(), double(2, 1, 4, 4))
    assert [line.split(",")[0].split()[-1] for line in str(error.value).splitlines()] == [
        "0",
        "conv.weight",
        "conv.bias",
    ]


def test_the_picture_has_a_line_for_each_tensor():
    report = mt.gradcheck_report(lambda x, y: x.exp() * PowWithoutExponent()(y), [point(1.0), point(2.0)])
    (axes,) = report.figure().axes
    lines = {line.get_label(): line for line in axes.lines}
    assert {"input 0: ok", "input 1: wrong"} <= set(lines)
    assert axes.get_xscale() == axes.get_yscale() == "log" and axes.get_xlabel() == "step size eps"
    np.testing.assert_array_equal(lines["input 1: wrong"].get_ydata(), report.rows[1].sweep.error)

    from matplotlib.image import imread

    pixels = imread(io.BytesIO(report.to_png()), format="png")
    assert pixels.shape == (600, 1080, 4) and pixels[..., :3].std() > 0.05


# --- what is refused ---------------------------------------------------------------------------------------------


def test_single_precision_is_refused():
    """Finite differences in float32 differ from any derivative: the check would say nothing."""
    with pytest.raises(TypeError, match=r"needs float64, but input 0 is float32: .*\.double\(\)"):
        mt.gradcheck(lambda x: x * x, [mt.randn(3, requires_grad=True)])
    with pytest.raises(TypeError, match="parameter weight is float32"):
        mt.gradcheck(nn.Linear(2, 2), double(1, 2))


def test_nothing_to_check_is_refused():
    with pytest.raises(ValueError, match="at least one input that requires grad"):
        mt.gradcheck(lambda x: x * x, [mt.randn(3, dtype=mt.float64)])


@pytest.mark.parametrize("shape", [(0, 3), (0,)])
def test_a_check_of_nothing_is_refused(shape):
    """An empty batch: every gradient of every parameter is 0 then, and right."""
    for checked in (mt.gradcheck, mt.gradcheck_report, mt.gradgradcheck):
        with pytest.raises(ValueError, match=r"nothing to check: no (in|out)put has an element, got \(0"):
            checked(lambda x: x * 2, double(*shape))
        with pytest.raises(ValueError, match=r"nothing to check: no output has an element, got \(0, 2\)"):
            checked(nn.Linear(3, 2).double(), double(0, 3))


def test_an_empty_batch_behind_a_sum_is_refused():
    """The loss of nothing is a number, and all its gradients are 0."""
    net = nn.Linear(3, 2).double()
    for checked in (mt.gradcheck, mt.gradcheck_report, mt.gradgradcheck):
        with pytest.raises(ValueError, match=r"input 0, of shape \(0, 3\), has no elements, and all gradients are 0"):
            checked(lambda x, w: (x @ w.T).sum(), [double(0, 3), net.weight])


def test_an_empty_input_beside_others_is_pointed_out():
    report = mt.gradcheck_report(lambda x, y: x.sum() + (y**2).sum(), [double(0, 2), double(3)])
    assert [row.verdict for row in report.rows] == ["empty", "ok"] and report.ok and not report.has_mistakes
    assert "input 0, of shape (0, 2), has no elements: nothing was checked." in str(report)
    assert "1 of 1 gradients agree" in str(report)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_shape_that_depends_on_the_values_is_refused(fast_mode, monkeypatch):
    monkeypatch.setattr(check, "LARGE", 1)

    def positive(x):
        return x[x > 0]

    for checked in (mt.gradcheck, mt.gradgradcheck):
        with pytest.raises(
            GradcheckError,
            match=r"input 0 cannot be checked: the shape of what the function returns depends on the values of its "
            r"inputs: \(2,\) at the point given, and \(3,\) when .* indices that stay",
        ):
            checked(positive, point(0.0, 1.0, 2.0), fast_mode=fast_mode)
        assert checked(positive, point(0.0, 1.0), fast_mode=fast_mode, raise_exception=False) is False
        assert checked(positive, point(-0.01, 0.01, 1.0), fast_mode=fast_mode)
    report = mt.gradcheck_report(positive, point(0.01))  # the largest steps of its sweep change the shape
    assert report.ok and np.isnan(report.rows[0].sweep.error[0])
    assert verdict(lambda x: PowWithoutExponent()(x[x > 0]), point(-0.01, 0.01, 1.0))[0] == "wrong"


class Overwrites(Function):
    """y = 2 x, and x is lost;  dx = 2 dy."""

    def forward(self, x):
        x *= 2
        return x.copy()

    def backward(self, dy, _y, _x):
        return (2 * dy,)


class BackwardOverwrites(Function):
    """y = x²;  dx = 2 x dy, and x is doubled."""

    def forward(self, x):
        return x**2

    def backward(self, dy, _y, x):
        dx = 2 * x.detach().clone() * dy
        x.array[...] *= 2
        return (dx,)


def test_a_function_that_changes_its_inputs_is_named_and_they_are_put_back():
    def through_data(x, y):
        y.data = y.detach() + 1
        return x * y.detach()

    def in_place(x, y):
        with mt.no_grad():
            y.add_(1)
        return x * y

    for i, function in (
        (0, lambda x, y: Overwrites()(x)),
        (0, lambda x, y: BackwardOverwrites()(x)),
        (1, through_data),
        (1, in_place),
    ):
        x, y = double(3), mt.ones(3, dtype=mt.float64)
        before = x.tolist(), y.tolist()
        for checked in (mt.gradcheck, mt.gradgradcheck):
            with pytest.raises(GradcheckError, match=rf"changes input {i}, of shape \(3,\), in place.*clone\(\)"):
                checked(function, [x, y])
            assert (x.tolist(), y.tolist()) == before


def test_an_array_that_the_function_changes_is_put_back():
    def function(x, a):
        a += 1
        return x * mt.tensor(a)

    a = np.arange(3.0)
    with pytest.raises(GradcheckError, match="changes input 1"):
        mt.gradcheck(function, [double(3), a])
    assert a.tolist() == [0, 1, 2]
    texts = np.array(["a", "b"])
    assert mt.gradcheck(lambda x, texts, a: x * len(texts) * mt.tensor(a), [double(3), texts, a])


def test_a_module_that_changes_its_parameters_is_named():
    class Normalizes(nn.Linear):
        def forward(self, x):
            with mt.no_grad():
                self.weight.div_(self.weight.abs().max() * 2)
            return super().forward(x)

    net = Normalizes(2, 2).double()
    before = net.weight.tolist()
    with pytest.raises(GradcheckError, match="changes parameter weight"):
        mt.gradcheck(net, double(3, 2))
    assert net.weight.tolist() == before


def test_an_operation_that_works_in_place_is_named():
    with pytest.raises(GradcheckError, match="operation Overwrites, .* works in place: forward changes its inputs"):
        mt.gradcheck(lambda x: Overwrites()(x * 1), double(3))
    with pytest.raises(GradcheckError, match=r"operation DyInPlace, .* works in place: backward changes dy.*clone\(\)"):
        mt.gradcheck(lambda x: sabotage.DyInPlace()(x * 1), double(3))
    with pytest.raises(GradcheckError, match="differ in the gradients of one graph|changes the inputs that it reads"):
        mt.gradcheck(lambda x: BackwardOverwrites()(x * 1), double(3))


def test_a_gradient_in_single_precision_is_named():
    class Single(Function):
        """y = x²;  dx = 2 x dy, in float32."""

        def forward(self, x):
            return x**2

        def backward(self, dy, _y, x):
            return ((2 * x * dy).float(),)

    with pytest.raises((GradcheckError, RuntimeError), match="float32"):
        mt.gradcheck(Single(), double(3))


def test_a_backward_that_gives_nothing_is_refused():
    class Nothing(Function):
        """y = x²;  dx = none."""

        def forward(self, x):
            return x**2

        def backward(self, _dy, _y, _x):
            return (None,)

    with pytest.raises(GradcheckError, match="backward gives zero everywhere"):
        mt.gradcheck(Nothing(), double(3))
    with pytest.raises(ValueError, match="nothing to check: no output has an element, got none"):
        mt.gradgradcheck(Nothing(), double(3))


@pytest.mark.parametrize("inputs", [np.ones(3), 3.0, None, "x"])
def test_inputs_that_are_none_are_refused(inputs):
    for checked in (mt.gradcheck, mt.gradgradcheck):
        with pytest.raises(TypeError, match=f"expected a tensor, or a tuple or list .* got {type(inputs).__name__}"):
            checked(lambda x: x, inputs)


def test_a_backward_that_remembers_its_last_call_is_refused():
    class Once(Function):
        """y = x;  dx = dy, and the second time 2 dy."""

        def forward(self, x):
            self.calls = 0
            return x.copy()

        def backward(self, dy, _y, _x):
            self.calls += 1
            return (dy * self.calls,)

    with pytest.raises(GradcheckError, match="differ in the gradients of one graph"):
        mt.gradcheck(Once(), double(3), atol=100)


def test_a_number_of_outputs_that_varies_is_refused():
    calls = []

    def varying(x):
        calls.append(0)
        return (x, x * 2)[: 1 + len(calls) % 2]

    with pytest.raises(GradcheckError, match=r"two calls with the same inputs differ in the outputs \(number 1"):
        mt.gradcheck(varying, double(3))


def test_inputs_may_share_memory_with_each_other_and_with_what_the_function_knows():
    """Each is moved by itself: the check works on copies."""
    memory = np.array([1.0, 2.0, 3.0])
    x, y = mt.from_numpy(memory).requires_grad_(), mt.from_numpy(memory[1:]).requires_grad_()
    constant = x.detach()
    for checked in (mt.gradcheck, mt.gradgradcheck):
        assert checked(lambda x, y: x[1:] * y**2, [x, y])
        assert checked(lambda x, y: x[:2] * y.exp(), [x, mt.from_numpy(memory[::-1][:2]).requires_grad_()])
        assert checked(lambda x: (x * constant).sum() + x.prod() if hasattr(x, "prod") else (x * constant).sum(), x)
        assert checked(lambda x, z: x * z, [x, x])
    assert memory.tolist() == [1.0, 2.0, 3.0] and x.array is memory


def test_an_input_that_was_computed_from_another_is_refused():
    base = double(4)
    for view in (base[1:], base[1:] * 2):
        for checked in (mt.gradcheck, mt.gradgradcheck):
            with pytest.raises(ValueError, match="input 0 was computed from another input.*detach"):
                checked(lambda x, y: x * y[1:], [view, base])
            assert checked(lambda x: x * x * x, view)  # alone, it is as good as any
            assert checked(lambda x, y: x * y[1:], [view.detach().requires_grad_(), base])


def test_inputs_may_overlap_themselves():
    windows = np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 3)
    x = mt.from_numpy(np.lib.stride_tricks.as_strided(np.arange(5.0), (3, 3), (8, 8))).requires_grad_()
    assert mt.gradcheck(lambda x: x**2, x) and mt.gradgradcheck(lambda x: x**3, x)
    assert x.tolist() == windows.tolist()


def test_inputs_may_be_read_only():
    x = mt.from_numpy(np.frombuffer(np.arange(3.0).tobytes())).requires_grad_()
    for fast_mode in (False, True):
        assert mt.gradcheck(lambda x: (x * x).sum(), x, fast_mode=fast_mode)
        assert mt.gradgradcheck(lambda x: x * x * x, x, fast_mode=fast_mode)
    assert not x.array.flags.writeable


def test_inputs_are_put_back_after_an_error():
    x = double(3)
    array, values = x.array, x.tolist()
    for function in (lambda x: None, Overwrites(), lambda x: x[x > values[0]], nn.Dropout()):
        with pytest.raises((TypeError, GradcheckError)):
            mt.gradcheck(function, x)
        assert x.array is array and x.tolist() == values


def test_shared_memory_is_refused():
    x = mt.ones(1, dtype=mt.float64).expand(3).requires_grad_()
    with pytest.raises(ValueError, match=r"elements of input 0 share their memory.*clone"):
        mt.gradcheck(lambda x: x * x, x)


def test_random_functions_are_refused():
    with pytest.raises(GradcheckError, match=r"differ in the outputs .*dropout in training.*\.eval\(\)") as error:
        mt.gradcheck(nn.Dropout(), double(8))
    assert error.value.report is None
    assert mt.gradcheck(nn.Dropout(), double(8), raise_exception=False) is False
    assert mt.gradcheck(nn.Dropout().eval(), double(8))


def test_random_gradients_are_refused_beyond_a_tolerance():
    class Noisy(Function):
        """y = x;  dx = dy and a little noise."""

        def forward(self, x):
            return x.copy()

        def backward(self, dy, y, x):
            return (dy + 1e-9 * mt.rand_like(dy),)

    with pytest.raises(GradcheckError, match="differ in the gradients"):
        mt.gradcheck(Noisy(), double(3))
    assert mt.gradcheck(Noisy(), double(3), nondet_tol=1e-8)


@pytest.mark.parametrize(
    ("function", "error", "match"),
    [
        (lambda x: {"y": x * x}, TypeError, "returns a tensor or a tuple of tensors, got dict"),
        (lambda x: (x, (x * x,)), TypeError, r"output 1 is of type tuple"),
        (lambda x: (x, None), TypeError, "output 1 is of type NoneType"),
        (lambda x: None, TypeError, "got NoneType"),
        (lambda x: x.sum().item(), TypeError, "got float"),
        (lambda x: x.detach().numpy() * 2, TypeError, "got ndarray: compute with tensors throughout, or .*check_pair"),
        (lambda x: x.argmax(), ValueError, "none of its outputs is of a floating-point type"),
        (lambda x: (), ValueError, "none of its outputs"),
    ],
)
def test_what_would_not_be_checked_is_refused(function, error, match):
    for checked in (mt.gradcheck, mt.gradcheck_report, mt.gradgradcheck):
        with pytest.raises(error, match=match):
            checked(function, double(3))


def test_second_derivatives_of_what_has_no_first_ones_are_refused():
    with pytest.raises(ValueError, match="no output depends on an input that requires grad"):
        mt.gradgradcheck(lambda x: x.detach() * 2, double(3))


@pytest.mark.parametrize("eps", [0, -1e-6, float("nan")])
def test_a_step_that_is_none_is_refused(eps):
    for checked in (mt.gradcheck, mt.gradgradcheck):
        with pytest.raises(ValueError, match="eps must be positive, got"):
            checked(mt.sigmoid, double(3), eps=eps)
