"""gradcheck lets right derivatives pass, rejects wrong ones, and says of each why."""

import io
import re

import numpy as np
import pytest
from sabotage import WRONG, Conv, PowWithoutExponent, ReluOfDy, WrongSign

import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.autograd import Function, GradcheckError, walk
from minitorch_cnn.checking import check
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
    assert len(WRONG) > 40


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
        (lambda x: x * 2, [(0, 3)]),
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
    header, *lines = str(report).split("\n\n")[0].splitlines()[1:]
    assert re.split(" {2,}", header)[:6] == ["tensor", "shape", "checked", "abs error", "rel error", "worst at"]
    assert re.split(" {2,}", header)[6:] == ["backward", "quotient", "least at eps", "verdict"]
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
    assert pixels.shape == (500, 900, 4) and pixels[..., :3].std() > 0.05


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
