"""Runs PyTorch's samples of layers and of optimizers."""

import functools
import warnings

from bank.compare import (
    Pass,
    Translator,
    Unsupported,
    assert_equal,
    assert_same_gradients,
    flat,
    refuse,
    torch,
)
from bank.runner import Result

import minitorch_cnn as mt

MODULES = [
    *("Conv2d", "ConvTranspose2d", "Linear", "AvgPool2d", "MaxPool2d", "AdaptiveAvgPool2d", "BatchNorm1d"),
    *("BatchNorm2d", "Sigmoid", "Tanh", "ReLU", "Softmax", "LogSoftmax", "CrossEntropyLoss", "NLLLoss", "MSELoss"),
    *("LeakyReLU", "GELU", "AdaptiveMaxPool2d", "L1Loss", "BCELoss", "BCEWithLogitsLoss"),
]
TOLERANCES = {"BCELoss": 1e-8}  # PyTorch adds 1e-12 to the divisor of its second derivative; else 1e-10
OPTIMIZERS = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta"]


@functools.cache
def infos():
    """PyTorch's descriptions of its layers and optimizers, by name; imported when first asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_modules import module_db
        from torch.testing._internal.common_optimizers import optim_db
    modules = {
        info.module_cls.__name__: info for info in module_db if info.module_cls.__module__.startswith("torch.nn")
    }
    return modules | {info.optim_cls.__name__: info for info in optim_db}


class Call:
    """Arguments under the names that `Translator` and `describe` read."""

    def __init__(self, args, kwargs):
        self.input, self.args, self.kwargs = args[0] if args else None, args[1:], kwargs
        self.empty = not args

    @classmethod
    def of(cls, function_input):
        return cls(tuple(function_input.args), function_input.kwargs)


def translated(call, translate=None):
    """The arguments (theirs, ours) of a call that may have none."""
    pairs = (translate or Translator())(call)
    return [(args[1:] if call.empty else args, kwargs) for args, kwargs in pairs]


# --- layers -----------------------------------------------------------------------------------------------


def run_module(name):
    """All samples of a layer, in training and in evaluation, in float64."""
    info, result = infos()[name], Result()
    for training in (True, False):
        options = {"device": "cpu", "dtype": torch.float64, "requires_grad": True, "training": training}
        for sample in info.module_inputs_func(info, **options):
            result.note("samples", Call.of(sample.constructor_input), compare_module, name, sample, training)
        if info.module_error_inputs_func:
            for error in info.module_error_inputs_func(info, **options):
                call = Call.of(error.module_error_input.constructor_input)
                result.note("errors", call, refuse_module, name, error, training)
    return result


def make_modules(name, sample, training):
    """The layer of both libraries, with equal parameters and buffers."""
    (torch_args, torch_kwargs), (args, kwargs) = translated(Call.of(sample.constructor_input))
    theirs = getattr(torch.nn, name)(*torch_args, **torch_kwargs).to(torch.float64).train(training)
    ours = getattr(mt.nn, name)(*args, **kwargs).train(training)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    for key, value in ours.state_dict(keep_vars=True).items():
        value.data = mt.tensor(state[key].numpy())
    return ours, theirs


def compare_module(name, sample, training):
    """Output, gradients of first and second order of inputs and parameters, and the buffers afterwards."""
    ours, theirs = make_modules(name, sample, training)
    translate = Translator()
    (torch_args, torch_kwargs), (args, kwargs) = translated(Call.of(sample.forward_input), translate)
    torch_y, y = flat(theirs(*torch_args, **torch_kwargs)), flat(ours(*args, **kwargs))
    for a, b in zip(y, torch_y, strict=True):
        assert_equal(a, b, "output")
    parameters = list(zip(theirs.parameters(), ours.parameters(), strict=True))
    leaves = [*translate.leaves, *parameters]
    passes = Pass(mt, y, [x for _, x in leaves]), Pass(torch, torch_y, [x for x, _ in leaves])
    tolerance = TOLERANCES.get(name, 1e-10)
    assert_same_gradients(passes[0].first(), passes[1].first(), "gradient", tolerance)
    assert_same_gradients(passes[0].second(), passes[1].second(), "second derivative", tolerance)
    for key, value in theirs.named_buffers():
        assert_equal(ours.state_dict()[key], value, key)
    return 2


def refuse_module(name, error, training):
    sample = error.module_error_input
    if error.error_on.name == "CONSTRUCTION_ERROR":
        _, (args, kwargs) = translated(Call.of(sample.constructor_input))
        refuse(getattr(mt.nn, name), args, kwargs, error.error_type)
    else:
        ours, _ = make_modules(name, sample, training)
        _, (args, kwargs) = translated(Call.of(sample.forward_input))
        refuse(ours, args, kwargs, error.error_type)
    return 0


# --- optimizers -------------------------------------------------------------------------------------------

LEFT_OUT = ("foreach", "fused", "capturable", "differentiable")  # these choose an implementation, not a result


def run_optimizer(name):
    """All settings of an optimizer that PyTorch tries: ten steps each."""
    info, result = infos()[name], Result()
    for sample in info.optim_inputs_func(device="cpu"):
        result.note("samples", Call((), sample.kwargs), compare_optimizer, name, sample.kwargs)
    for error in info.optim_error_inputs_func(device="cpu", dtype=torch.float64):
        sample = error.optimizer_error_input
        result.note("errors", Call((sample.params,), sample.kwargs), refuse_optimizer, name, sample, error.error_type)
    return result


def optimizer_arguments(kwargs, params):
    for keyword in LEFT_OUT:
        if kwargs.get(keyword):
            raise Unsupported(f"{keyword}=")
    groups = params if isinstance(params, list) else []
    listed = [*groups, *(p for group in groups if isinstance(group, dict) for p in group["params"])]
    if any(isinstance(p, tuple) for p in listed):
        raise Unsupported("named parameters of an optimizer")
    return translated(Call((params,), kwargs))


def compare_optimizer(name, kwargs):
    """Ten steps on the squares of a linear map: the parameters after each."""
    generator = torch.Generator().manual_seed(3)
    params = [torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_() for shape in [(3, 2), (2,)]]
    (torch_args, torch_kwargs), (args, kwargs) = optimizer_arguments(kwargs, params)
    theirs, ours = getattr(torch.optim, name)(*torch_args, **torch_kwargs), getattr(mt.optim, name)(*args, **kwargs)
    x = torch.randn(5, 3, dtype=torch.float64, generator=generator)
    for step in range(10):
        for optimizer, (weight, bias), data in ((theirs, torch_args[0], x), (ours, args[0], mt.tensor(x.numpy()))):
            optimizer.zero_grad()
            ((data @ weight + bias - 1) ** 2).mean().backward()
            optimizer.step()
        for a, b in zip(args[0], torch_args[0]):
            assert_equal(a, b, f"a parameter after {step + 1} steps", 1e-12)
    return 0


def refuse_optimizer(name, sample, error_type):
    params = [torch.ones(2, requires_grad=True)] if sample.params is None else sample.params
    _, (args, kwargs) = optimizer_arguments(sample.kwargs, params)
    make = getattr(mt.optim, name)
    if issubclass(error_type, Warning):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            refuse(make, args, kwargs, error_type)
    else:
        refuse(make, args, kwargs, error_type)
    return 0
