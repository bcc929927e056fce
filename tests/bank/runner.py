"""Runs all samples of one operation: what agrees is counted, what does not is listed."""

import functools
import warnings
from collections import Counter

from bank.compare import Translator, Unsupported, assert_equal, compare, refuse, torch
from bank.table import TABLE, our_function

import minitorch_cnn as mt


@functools.cache
def op_infos():
    """PyTorch's descriptions of its operations, with their samples; imported when first asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return {f"{op.name}/{op.variant_test_name}".rstrip("/"): op for op in op_db}


class Result:
    """What came of the samples of one operation."""

    def __init__(self):
        self.counts, self.skipped, self.failures = Counter(), Counter(), []

    def note(self, what, sample, function, *args, **kwargs):
        """Run a comparison and note how it went."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                order = function(*args, **kwargs)
        except Unsupported as reason:
            self.skipped[str(reason)] += 1
        except Exception as error:  # whatever ours raises where PyTorch computes is a difference
            self.failures.append((what, describe(sample), f"{type(error).__name__}: {error}"))
        else:
            self.counts[what] += 1
            if what == "samples":
                self.counts["gradients"] += order >= 1
                self.counts["second derivatives"] += order >= 2

    def as_dict(self):
        """For the committed table."""
        counts = {what: count for what, count in self.counts.items() if count}
        return counts | ({"skipped": dict(sorted(self.skipped.items()))} if self.skipped else {})


def describe(sample):
    """A sample in few words."""

    def short(value):
        if isinstance(value, torch.Tensor):
            return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
        if isinstance(value, (list, tuple)):
            return f"{type(value).__name__}({', '.join(map(short, value))})"
        return repr(value)

    parts = [short(value) for value in (sample.input, *sample.args)]
    return ", ".join(parts + [f"{k}={short(v)}" for k, v in sample.kwargs.items()])


def run(name):
    """All samples and error inputs of one operation, in float64, int64 and bool.

    Returns
    -------
    Result
    """
    op, entry, ours, result = op_infos()[name], TABLE[name], our_function(name), Result()
    method, in_place = getattr(mt.Tensor, op.name, None), getattr(mt.Tensor, f"{op.name}_", None)
    for dtype in (torch.float64, torch.int64, torch.bool):
        if dtype not in op.dtypes:
            continue
        has_gradient = op.supports_autograd and dtype.is_floating_point
        order = min(entry.order, 1 + op.supports_gradgrad) if has_gradient else 0

        def note(what, sample, ours, theirs, order, requires_grad=False):
            result.note(what, sample, compare_entry, entry, ours, theirs, sample, order, requires_grad)

        try:
            for sample in op.reference_inputs("cpu", dtype, requires_grad=has_gradient):
                note("samples", sample, ours, op.op, order)
        except ValueError:  # where PyTorch wanted a gradient of integers
            for sample in op.reference_inputs("cpu", dtype, requires_grad=False):
                note("samples", sample, ours, op.op, order, requires_grad=has_gradient)
        for sample in op.sample_inputs("cpu", dtype, requires_grad=has_gradient):
            if sample.input is not None:
                note("strided", sample.noncontiguous(), ours, op.op, min(order, 1))
            if op.method_variant and callable(method):
                note("methods", sample, method, op.method_variant, 0)
            if op.inplace_variant and in_place:
                compare_in_place = functools.partial(note, "in place", sample, changed(in_place))
                compare_in_place(changed(op.inplace_variant), min(order, 1))
    if op.error_inputs_func:
        for error in op.error_inputs("cpu"):
            result.note("errors", error.sample_input, refuse_entry, entry, ours, op.op, error)
    return result


def changed(method):
    """A method whose name ends in an underscore, as a function: the changed tensor."""
    return lambda x, *args, **kwargs: method(x.clone(), *args, **kwargs)


def compare_entry(entry, ours, theirs, sample, order, requires_grad):
    """Compare by the rules of the table. Where PyTorch refuses its own sample, so must we."""
    leave_out(entry, sample)
    is_random = entry.random(sample) if callable(entry.random) else entry.random
    check, order = (assert_same_kind, 0) if is_random else (assert_equal, order)
    return compare(ours, theirs, sample, order, entry.tolerance, check, requires_grad)


def leave_out(entry, sample):
    """Leave out what the table says."""
    for reason, applies in (entry.skip or {}).items():
        if applies(sample):
            raise Unsupported(reason)


def assert_same_kind(ours, theirs, what, tolerance):
    """Equal in shape and type: all that can be said of random numbers."""
    assert_equal(mt.zeros_like(ours), torch.zeros_like(theirs), what)


def refuse_entry(entry, ours, theirs, error):
    """What PyTorch refuses, we refuse by an error of the same type, and a text that says something."""
    leave_out(entry, error.sample_input)
    _, (args, kwargs) = Translator()(error.sample_input)
    refuse(ours, args, kwargs, error.error_type)
    return 0
