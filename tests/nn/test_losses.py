"""Losses against PyTorch's: values, gradients, and what they refuse."""

import contextlib
import itertools

import numpy as np
import pytest
from helpers import assert_same_as_torch, needs_torch, to_numpy, torch

import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.backend import deferred_checks

rng = np.random.default_rng(2)
F = nn.functional

SHAPES = [(5, 4), (4,), (3, 4, 2), (2, 4, 3, 2), (0, 4)]
SETTINGS = [
    {"reduction": reduction, "ignore_index": ignore_index, "label_smoothing": smoothing}
    for reduction, ignore_index, smoothing in itertools.product(("none", "mean", "sum"), (-100, 1), (0.0, 0.3))
]


def logits(shape):
    return rng.standard_normal(shape)


def labels(shape, classes=4):
    return rng.integers(0, classes, shape[:1] + shape[2:] if len(shape) > 1 else ())


WEIGHT = np.array([0.5, 2.0, 1.0, 0.25])


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_cross_entropy_of_labels(shape, settings, weight, device):
    def loss(lib, x, t):
        w = None if weight is None else lib.tensor(weight, device=device if lib is mt else "cpu")
        return lib.nn.functional.cross_entropy(x, t, w, **settings)

    x, t = logits(shape), np.array(labels(shape))
    if t.ndim:
        t.flat[1::3] = settings["ignore_index"]
    assert_same_as_torch(loss, [x, t], device)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("settings", [s for s in SETTINGS if s["ignore_index"] < 0], ids=str)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_cross_entropy_of_probabilities(shape, settings, weight, device):
    def loss(lib, x, t):
        w = None if weight is None else lib.tensor(weight, device=device if lib is mt else "cpu")
        return lib.nn.functional.cross_entropy(x, t, w, **settings)

    assert_same_as_torch(loss, [logits(shape), rng.random(shape)], device)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_nll_loss(reduction, ignore_index, device):
    def loss(lib, x, t):
        w = lib.tensor(WEIGHT, device=device if lib is mt else "cpu")
        return lib.nn.functional.nll_loss(x, t, w, reduction=reduction, ignore_index=ignore_index)

    assert_same_as_torch(loss, [logits((6, 4)), labels((6, 4))], device)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_mse_loss(reduction, device):
    def loss(lib, x, t):
        return lib.nn.functional.mse_loss(x, t, reduction=reduction)

    assert_same_as_torch(loss, [logits((3, 4)), logits((3, 4))], device)


def test_loss_layers_pass_on_their_settings():
    x, t = logits((6, 4)), labels((6, 4))

    def cross_entropy(lib, x, t):
        layer = lib.nn.CrossEntropyLoss(lib.tensor(WEIGHT), ignore_index=1, reduction="sum", label_smoothing=0.2)
        return layer(x, t)

    def nll(lib, x, t):
        return lib.nn.NLLLoss(lib.tensor(WEIGHT), ignore_index=1, reduction="none")(x, t)

    assert_same_as_torch(cross_entropy, [x, t])
    assert_same_as_torch(nll, [x, t])
    assert_same_as_torch(lambda lib, x, y: lib.nn.MSELoss(reduction="sum")(x, y), [x, logits((6, 4))])
    assert [repr(loss()) for loss in (nn.CrossEntropyLoss, nn.NLLLoss, nn.MSELoss)] == [
        "CrossEntropyLoss()",
        "NLLLoss()",
        "MSELoss()",
    ]


def test_the_mean_is_nan_when_every_label_is_ignored():
    needs_torch()
    settings = {"ignore_index": 3}
    ours = F.cross_entropy(mt.zeros(2, 4), mt.tensor([3, 3]), **settings)
    theirs = torch.nn.functional.cross_entropy(torch.zeros(2, 4), torch.tensor([3, 3]), **settings)
    assert np.isnan(ours.item()) and np.isnan(theirs.item())


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_large_logits_are_exact(scale, device):
    x = np.array([[scale, 0.0, -scale], [0.0, scale, 3.0]])
    assert_same_as_torch(lambda lib, x, t: lib.nn.functional.cross_entropy(x, t), [x, np.array([2, 0])], device)
    assert_same_as_torch(
        lambda lib, x, t: lib.nn.functional.cross_entropy(x, t), [x.astype("float32"), np.array([2, 0])], device, 1e-6
    )


def test_a_class_that_is_ruled_out_by_minus_infinity_does_not_spoil_the_others():
    x = np.array([[1.0, -np.inf, 2.0], [0.5, 0.0, -np.inf]])
    assert_same_as_torch(lambda lib, x, t: lib.nn.functional.cross_entropy(x, t), [x, np.array([2, 0])])


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1, "weight": mt.tensor(WEIGHT), "ignore_index": 1}])
def test_gradients_to_second_order(settings):
    target = mt.tensor([0, 3, 1])
    x = mt.tensor(logits((3, 4)), requires_grad=True)
    assert mt.gradcheck(lambda x: F.cross_entropy(x, target, **settings), [x])
    assert mt.gradgradcheck(lambda x: F.cross_entropy(x, target, **settings), [x])


@pytest.mark.parametrize("dtype", [mt.int64, mt.int32, mt.uint8])
def test_labels_may_be_of_any_integer_type(dtype, device):
    target = mt.tensor([3, 0], device=device).to(dtype)
    loss = F.cross_entropy(mt.zeros(2, 4, device=device), target)
    assert loss.dtype == mt.float32
    np.testing.assert_allclose(loss.item(), np.log(4), rtol=1e-6)


@pytest.mark.parametrize("bad", [-1, 10, 255])
def test_a_label_out_of_range_is_refused(bad, device):
    x, t = mt.zeros(3, 10, device=device), mt.tensor([0, bad, 9], device=device)
    with pytest.raises(IndexError, match=rf"Target {bad} is out of bounds, at index \[1\]: .* from 0 to 9"):
        F.cross_entropy(x, t)
    with pytest.raises(IndexError, match="out of bounds"):
        F.nll_loss(x, t)
    with pytest.raises(IndexError, match=r"at index \[0, 1, 2\]"):
        F.cross_entropy(mt.zeros(1, 3, 2, 3), mt.tensor([[[0, 1, 2], [2, 1, bad]]]))


def test_a_step_reads_the_labels_once_and_nothing_else(standin):
    x = mt.tensor(logits((8, 4)), device="cuda", requires_grad=True)
    t = mt.tensor(labels((8, 4)), device="cuda")
    standin.transfers.reset()
    F.cross_entropy(x, t).backward()
    assert standin.transfers.to_host == 1
    assert standin.transfers.to_device == 0


SETTINGS_ON_THE_WAY = [{}, {"weight": WEIGHT}, {"label_smoothing": 0.1}, {"reduction": "sum"}, {"reduction": "none"}]


@pytest.mark.parametrize("settings", SETTINGS_ON_THE_WAY, ids=str)
@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 2)], ids=str)
def test_with_deferred_checks_nothing_is_read_and_nothing_else_changes(settings, shape, standin):
    settings = {key: mt.tensor(v, device="cuda") if key == "weight" else v for key, v in settings.items()}
    x = mt.tensor(logits(shape), device="cuda", requires_grad=True)
    t = labels(shape)
    t.flat[1::3] = -100
    t = mt.tensor(t, device="cuda")
    results = []
    for checks in (contextlib.nullcontext, deferred_checks):
        with checks():
            standin.transfers.reset()
            loss = F.cross_entropy(x, t, **settings)
            loss.sum().backward()
            assert standin.transfers.to_host == (0 if checks is deferred_checks else 1)
        results.append((loss.tolist(), x.grad.tolist()))
        x.grad = None
    assert results[0] == results[1]


@pytest.mark.parametrize("settings", SETTINGS_ON_THE_WAY, ids=str)
@pytest.mark.parametrize("bad", [-1, 4])
def test_with_deferred_checks_the_loss_of_a_wrong_label_is_nan(settings, bad, gpu):
    settings = {key: mt.tensor(v, device="cuda") if key == "weight" else v for key, v in settings.items()}
    x, t = mt.tensor(logits((3, 4)), device="cuda"), mt.tensor([0, bad, -100], device="cuda")
    with deferred_checks():
        loss = F.cross_entropy(x, t, **settings).tolist()
    assert np.isnan(loss).tolist() == ([False, True, False] if settings.get("reduction") == "none" else True)
    with pytest.raises(IndexError, match=f"Target {bad} is out of bounds, at index \\[1\\]"):
        F.cross_entropy(x, t, **settings)


def test_on_the_cpu_no_check_is_deferred():
    with deferred_checks(), pytest.raises(IndexError, match="Target 4 is out of bounds"):
        F.cross_entropy(mt.zeros(1, 4), mt.tensor([4]))


def test_a_plain_loss_is_one_operation():
    x = mt.tensor(logits((3, 4)), requires_grad=True)
    loss = F.cross_entropy(x, mt.tensor([0, 1, 2]))
    assert loss.grad_fn.name == "CrossEntropy" and loss.grad_fn.edges[0] is x


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_third_derivatives_and_ignored_labels(reduction):
    target = mt.tensor([0, 9, 3])
    x = mt.tensor(logits((3, 4)), requires_grad=True)

    def gradient(x):
        loss = F.cross_entropy(x, target, ignore_index=9, reduction=reduction)
        return mt.autograd.grad((loss * loss).sum(), x, create_graph=True)

    assert mt.gradcheck(gradient, [x])
    assert mt.gradgradcheck(gradient, [x])


@pytest.mark.parametrize(
    ("x", "t", "error", "message"),
    [
        ((3, 4), np.zeros(2, int), ValueError, r"batch_size \(3\) to match target batch_size \(2\)"),
        ((3, 4), np.zeros((3, 1), int), RuntimeError, r"Expected labels of shape \(3,\) .* got \(3, 1\)"),
        ((3, 4, 5), np.zeros((3, 6), int), RuntimeError, r"Expected labels of shape \(3, 5\)"),
        ((3, 4), np.zeros(3), RuntimeError, r"integer type and shape \(3,\), or probabilities of shape \(3, 4\)"),
        ((3, 4), np.zeros((3, 4), int), RuntimeError, r"one-hot: target.float\(\), or as labels target.argmax\(1\)"),
        ((), np.zeros((), int), ValueError, "got a scalar"),
    ],
)
def test_shapes_and_types_that_do_not_fit_are_explained(x, t, error, message):
    with pytest.raises(error, match=message):
        F.cross_entropy(mt.zeros(x), mt.tensor(t))


def test_exchanged_arguments_are_noticed():
    with pytest.raises(RuntimeError, match="are the two exchanged"):
        F.cross_entropy(mt.tensor([0, 1, 2]), mt.zeros(3, 4))


@pytest.mark.parametrize(
    "options",
    [{}, {"weight": [0.5, 1.0, 2.0]}, {"label_smoothing": 0.2}, *({"ignore_index": i} for i in (255, -100, 1))],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_of_every_integer_type(device, options, dtype):
    needs_torch()
    x = np.random.default_rng(0).standard_normal((4, 3))
    t = np.array([0, 1, 2, 255 if options.get("ignore_index") == 255 else 1])
    ours = {k: mt.tensor(v, dtype=mt.float64, device=device) if k == "weight" else v for k, v in options.items()}
    theirs = {k: torch.tensor(v, dtype=torch.float64) if k == "weight" else v for k, v in options.items()}
    loss = F.cross_entropy(mt.tensor(x, device=device), mt.tensor(t.astype(dtype), device=device), **ours)
    expected = torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor(t), **theirs)
    assert loss.item() == pytest.approx(expected.item())


@pytest.mark.parametrize("dtype", [mt.uint8, mt.int64])
def test_the_squared_error_of_integers_is_refused(dtype):
    with pytest.raises(NotImplementedError, match="mse_loss is for floating-point numbers"):
        F.mse_loss(mt.ones(2, dtype=dtype), mt.ones(2, dtype=dtype), reduction="none")
    assert F.mse_loss(mt.ones(2, dtype=dtype), mt.zeros(2)).item() == 1


def test_settings_that_do_not_fit_are_explained():
    x, t = mt.zeros(3, 4), mt.tensor([0, 1, 2])
    with pytest.raises(ValueError, match="average is not a valid value for reduction; expected 'mean'"):
        F.cross_entropy(x, t, reduction="average")
    with pytest.raises(RuntimeError, match="label_smoothing must be between 0.0 and 1.0. Got: 1.5"):
        F.cross_entropy(x, t, label_smoothing=1.5)
    with pytest.raises(RuntimeError, match=r"for all 4 classes .* shape: \[3\]"):
        F.cross_entropy(x, t, mt.ones(3))
    with pytest.raises(RuntimeError, match="ignore_index is not supported for targets that are probabilities"):
        F.cross_entropy(x, mt.ones(3, 4), ignore_index=1)
    with pytest.raises(TypeError, match="expects target as a Tensor, got a list"):
        F.cross_entropy(x, [0, 1, 2])


def test_tensors_on_two_devices_are_refused(gpu):
    with pytest.raises(RuntimeError, match="input is on cuda:0, target on cpu"):
        F.cross_entropy(mt.zeros(2, 3, device="cuda"), mt.tensor([0, 1]))


def test_mse_loss_warns_of_broadcasting():
    with pytest.warns(UserWarning, match=r"target size \(\(3, 1\)\) that is different to the input size \(\(3,\)\)"):
        assert F.mse_loss(mt.zeros(3), mt.zeros(3, 1), reduction="none").shape == (3, 3)


def test_float32_is_kept():
    x, t = mt.randn(3, 4, requires_grad=True), mt.tensor([0, 1, 2])
    loss = F.cross_entropy(x, t, mt.tensor(WEIGHT), label_smoothing=0.1)
    loss.backward()
    assert loss.dtype == x.grad.dtype == mt.float32
    assert to_numpy(F.mse_loss(x, mt.ones(3, 4))).dtype == np.float32


@pytest.mark.parametrize("loss", [mt.nn.functional.cross_entropy, mt.nn.functional.nll_loss])
def test_a_weight_that_is_a_list_is_refused(loss):
    with pytest.raises(TypeError, match=f"{loss.__name__} expects weight as a Tensor, got a list: make a"):
        loss(mt.zeros(1, 2), mt.tensor([0]), weight=[1.0, 2.0])


@pytest.mark.parametrize("kind", ["a column", "one label repeated"])
def test_labels_may_lie_in_memory_in_any_way(kind, device):
    x, both = mt.randn(6, 3, dtype=mt.float64), mt.randint(3, (6, 2))
    make = {"a column": lambda y: y[:, 0], "one label repeated": lambda y: y[:1, 0].expand(6)}[kind]
    expected = F.cross_entropy(x, make(both).contiguous())
    there = x.clone().to(device).requires_grad_()
    l = F.cross_entropy(there, make(both.to(device)))
    l.backward()
    assert l.item() == pytest.approx(expected.item())
    y = make(both).numpy()
    p = np.exp(x.numpy()) / np.exp(x.numpy()).sum(1, keepdims=True)
    np.testing.assert_allclose(there.grad.cpu().numpy(), (p - np.eye(3)[y]) / 6)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "has_weight"), [("L1Loss", False), ("BCELoss", True), ("BCEWithLogitsLoss", True)])
def test_losses_of_one_number_each(name, has_weight, reduction, device):
    def loss(lib, x, t, w):
        options = {"weight": w.detach()} if has_weight else {}
        return getattr(lib.nn, name)(reduction=reduction, **options)(lib.sigmoid(x), t.detach())

    assert_same_as_torch(loss, [rng.standard_normal((3, 4)), rng.random((3, 4)), rng.random(4)], device)


def test_a_certain_answer_that_is_wrong_can_be_learned_from():
    needs_torch()
    x, torch_x = (lib.tensor([0.0, 0.0, 1.0, 1.0], dtype=lib.float64, requires_grad=True) for lib in (mt, torch))
    for lib, p in ((mt, x), (torch, torch_x)):
        lib.nn.functional.binary_cross_entropy(p, lib.tensor([0.0, 1.0, 0.0, 1.0], dtype=lib.float64)).backward()
    np.testing.assert_allclose(x.grad.numpy(), torch_x.grad.numpy(), rtol=1e-8)


@pytest.mark.parametrize(
    ("x", "t", "error", "message"),
    [
        ([[0.5], [0.5]], [0.0, 1.0], ValueError, r"target size \(2,\) must be the same as input size \(2, 1\)"),
        ([0.5, 1.5], [0.0, 1.0], RuntimeError, "all elements of input should be between 0 and 1; of logits take"),
        ([0.5, 0.5], [0, 1], RuntimeError, "a target of the type of its input, float32, got int64; convert it"),
        ([0, 1], [0, 1], NotImplementedError, "is for floating-point numbers, got int64"),
    ],
)
def test_binary_cross_entropy_says_what_it_expects(x, t, error, message):
    with pytest.raises(error, match=message):
        F.binary_cross_entropy(mt.tensor(x), mt.tensor(t))
