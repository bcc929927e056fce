"""What the functions of `nn.functional` accept: a check for each, so that the functions are the mathematics alone.

Each refuses what does not fit, with what was expected, what came, and what to do. Settings come back in the form in
which operations take them: a pair, for height and width.
"""

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import checks_are_deferred, to_numpy
from minitorch_cnn.backend.arguments import described, pair
from minitorch_cnn.backend.dtypes import bool_
from minitorch_cnn.backend.geometry import check_fit, paddings, span, window_count


def batch_of(name, images):
    """Images as a batch (N, C, H, W), be they (N, C, H, W) or (C, H, W).

    Raises
    ------
    RuntimeError
        If they are neither.
    TypeError
        If they are no Tensor.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"{name} expected a Tensor, got {described(images)}")
    if images.ndim not in (3, 4):
        raise RuntimeError(
            f"Expected 3D (unbatched) or 4D (batched) input to {name}, (C, H, W) or (N, C, H, W); "
            f"got {images.ndim} dimensions, shape {images.shape}"
        )
    return images if images.ndim == 4 else images.reshape(1, *images.shape)


def _refuse_strangers(name, *parameters):
    """Say of a weight or a bias whose type does not fit that it is another library's, if it is."""
    for x in parameters:
        if x is not None and not isinstance(x, Tensor):
            raise TypeError(f"{name} expected Tensors, got {described(x)}")


# --- the linear map --------------------------------------------------------------------------------------


def check_linear(input, weight, bias):
    """Refuse what `linear` cannot take."""
    if not isinstance(input, Tensor):
        raise TypeError(f"Linear expects a Tensor, got {described(input)}")
    if weight.ndim not in (1, 2):
        raise RuntimeError(f"Linear expects a weight of shape (out_features, in_features), got {weight.shape}")
    expected = weight.shape[-1]
    if input.ndim == 0 or input.shape[-1] != expected:
        came = input.shape[-1] if input.ndim else "none"
        mend = f"or change in_features to {came}" if input.ndim else "the input has no dimension at all"
        raise RuntimeError(
            f"Linear expects {expected} input features, {came} came (input shape {input.shape}). "
            f"Look for the layer before that made this shape, {mend}"
        )
    if input.dtype != weight.dtype:
        _refuse_strangers("Linear", weight)
        raise RuntimeError(
            f"Linear expects an input of the type of its weight, {weight.dtype}, got {input.dtype}; "
            f"convert it: input.to(weight.dtype)"
        )
    if bias is not None and bias.shape not in (weight.shape[:-1], ()):
        raise RuntimeError(
            f"Linear expects a bias of shape {weight.shape[:-1]}, one for each output feature, got {bias.shape}"
        )
    if bias is not None and bias.dtype != weight.dtype:
        raise RuntimeError(
            f"Linear expects a bias of the type of its weight, {weight.dtype}, got {bias.dtype}; "
            f"convert it: bias.to(weight.dtype)"
        )


# --- convolution -----------------------------------------------------------------------------------------


def check_conv2d(input, weight, bias, stride, padding, dilation, groups):
    """The images as a batch; and stride, dilation, padding before and after, and groups, as `Convolve` takes them."""
    x = batch_of("conv2d", input)
    expected = weight.shape[1] * groups if weight.ndim == 4 else None
    _check_filters("conv2d", input, weight, bias, x.shape[1], expected, weight.shape[0])
    if groups < 1 or weight.shape[0] % groups:
        raise RuntimeError(f"conv2d: groups={groups} must divide the {weight.shape[0]} output channels")
    stride, dilation = pair("stride", stride), pair("dilation", dilation)
    before, after = paddings(padding, weight.shape[2:], stride, dilation)
    check_fit("conv2d", x.shape[2:], weight.shape[2:], dilation, before, after)
    return x, (stride, dilation, before, after, groups)


def check_conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups, dilation):
    """The images as a batch; and stride, padding, output padding and dilation as pairs."""
    x = batch_of("conv_transpose2d", input)
    expected, o = weight.shape[0], weight.shape[1] * groups if weight.ndim == 4 else None
    _check_filters("conv_transpose2d", input, weight, bias, x.shape[1], expected, o)
    if groups < 1 or expected % groups:
        raise RuntimeError(f"conv_transpose2d: groups={groups} must divide the {expected} input channels")
    stride, dilation = pair("stride", stride), pair("dilation", dilation)
    padding, extra = pair("padding", padding, least=0), pair("output_padding", output_padding, least=0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise RuntimeError(f"output_padding {extra} must be smaller than either stride {stride} or dilation {dilation}")
    axes = zip(x.shape[2:], stride, weight.shape[2:], dilation, extra, strict=True)
    size = tuple((n - 1) * s + span(k, d) + e for n, s, k, d, e in axes)
    if any(s - 2 * p < 1 for s, p in zip(size, padding, strict=True)):
        raise RuntimeError(f"conv_transpose2d: padding {padding} leaves nothing of an output of size {size}")
    return x, stride, padding, extra, dilation


def _check_filters(name, input, weight, bias, channels, expected, out_channels):
    if weight.ndim != 4:
        raise RuntimeError(
            f"{name} expected a weight of 4 dimensions (O, C / groups, KH, KW), got shape {weight.shape}"
        )
    if channels != expected:
        raise RuntimeError(
            f"{name} expected an input of {expected} channels for a weight of shape {weight.shape}, "
            f"but got {channels} channels (input shape {input.shape})"
        )
    if len({x.dtype for x in (input, weight, bias) if x is not None}) > 1:
        _refuse_strangers(name, weight, bias)
        raise RuntimeError(
            f"{name} expected input, weight and bias of one type, got {input.dtype}, {weight.dtype} and "
            f"{getattr(bias, 'dtype', None)}; convert with .to()"
        )
    if not all(weight.shape):
        raise RuntimeError(f"{name} expected a weight with elements, got shape {weight.shape}")
    if bias is not None and bias.shape != (out_channels,):
        raise RuntimeError(
            f"{name} expected a bias of shape ({out_channels},), one for each output channel, got {bias.shape}"
        )


# --- windows ---------------------------------------------------------------------------------------------


def check_unfold(input, kernel_size, dilation, padding, stride):
    """The images as a batch; and the settings as pairs."""
    x = batch_of("unfold", input)
    kernel, dilation = pair("kernel_size", kernel_size), pair("dilation", dilation)
    padding, stride = pair("padding", padding, least=0), pair("stride", stride)
    check_fit("unfold", x.shape[2:], kernel, dilation, padding, padding)
    return x, kernel, dilation, padding, stride


def check_fold(input, output_size, kernel_size, dilation, padding, stride):
    """The columns as a batch (N, C·KH·KW, L); the settings as pairs; and OH and OW, the numbers of windows."""
    if input.ndim not in (2, 3):
        raise RuntimeError(f"fold expected an input of shape (N, C*KH*KW, L) or (C*KH*KW, L), got {input.shape}")
    columns = input if input.ndim == 3 else input.reshape(1, *input.shape)
    output_size, kernel = pair("output_size", output_size), pair("kernel_size", kernel_size)
    dilation, stride = pair("dilation", dilation), pair("stride", stride)
    padding = pair("padding", padding, least=0)
    (kh, kw), rows, length = kernel, *columns.shape[1:]
    if rows % (kh * kw):
        raise RuntimeError(f"fold: the {rows} rows of the input must be a multiple of KH*KW = {kh}*{kw} = {kh * kw}")
    check_fit("fold", output_size, kernel, dilation, padding, padding)
    padded = [s + 2 * p for s, p in zip(output_size, padding, strict=True)]
    oh, ow = map(window_count, padded, kernel, stride, dilation)
    if length != oh * ow:
        raise RuntimeError(f"fold: an image of {output_size} has {oh} x {ow} = {oh * ow} windows, got {length} columns")
    return columns, output_size, kernel, dilation, padding, stride, (oh, ow)


# --- pooling ---------------------------------------------------------------------------------------------


def check_avg_pool2d(input, kernel_size, stride, padding, ceil_mode, divisor_override):
    """The images as a batch; and kernel, stride, padding and dilation as pairs."""
    if divisor_override == 0:
        raise RuntimeError("avg_pool2d: divisor_override must not be zero")
    return _check_windows("avg_pool2d", input, kernel_size, stride, padding, 1, ceil_mode)


def check_max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode):
    """The images as a batch; and kernel, stride, padding and dilation as pairs."""
    if getattr(input, "dtype", None) == bool_:
        raise NotImplementedError("max_pool2d is for numbers, not for booleans; convert with .float()")
    return _check_windows("max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode)


def _check_windows(name, input, kernel_size, stride, padding, dilation, ceil_mode):
    x = batch_of(name, input)
    kernel = pair("kernel_size", kernel_size)
    stride = kernel if stride is None or stride == () else pair("stride", stride)
    padding, dilation = pair("padding", padding, least=0), pair("dilation", dilation)
    if any(2 * p > span(k, d) for p, k, d in zip(padding, kernel, dilation, strict=True)):
        raise RuntimeError(
            f"{name}: padding {padding} should be at most half of the kernel size {kernel} (dilation {dilation})"
        )
    if not all(x.shape[1:]):
        raise RuntimeError(f"{name} expected images with elements, got input shape {x.shape}")
    # With ceil_mode a window may reach beyond the image, but one must start in it.
    beyond = [p + (s - 1 if ceil_mode else 0) for p, s in zip(padding, stride, strict=True)]
    check_fit(name, x.shape[2:], kernel, dilation, padding, beyond)
    return x, kernel, stride, padding, dilation


def check_adaptive_pool2d(name, input, output_size):
    """The images as a batch, and the size of the output as a pair."""
    sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    if isinstance(input, Tensor) and input.ndim < 3:
        raise ValueError(f"{name} expected (N, C, H, W) or (C, H, W), got shape {input.shape}")
    if len(sizes) != 2:
        raise RuntimeError(f"{name}: output_size must be one number or two, got {output_size}")
    x = batch_of(name, input)
    if not x.is_floating_point():
        raise NotImplementedError(f"{name} is for floating-point numbers, got {x.dtype}; use .float()")
    if not all(x.shape[2:]):
        raise RuntimeError(f"{name} expected images with elements, got input shape {x.shape}")
    sizes = [old if new is None else new for old, new in zip(x.shape[2:], sizes, strict=True)]
    return x, pair("output_size", sizes, least=0)


# --- normalisation and dropout ---------------------------------------------------------------------------


def check_batch_norm(input, running_mean, running_var, weight, training, eps):
    """Refuse what `batch_norm` cannot take."""
    if not eps > 0:
        raise ValueError(f"batch_norm eps must be positive, but got {eps}")
    if not isinstance(input, Tensor):
        raise TypeError(f"batch_norm expected a Tensor, got {described(input)}")
    if not input.is_floating_point():
        raise NotImplementedError(f"batch_norm is for floating-point numbers, got {input.dtype}; convert with .float()")
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    if input.numel() == 0:  # nothing to normalise, and nothing to learn from
        return
    c = input.shape[1]
    for name, tensor in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight)):
        if tensor is not None and tensor.shape != (c,):
            raise RuntimeError(
                f"batch_norm expects {tensor.numel()} channels, as {name} has, {c} came (input shape {input.shape})"
            )
    if training and input.numel() // c <= 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {input.shape}: use a larger batch, "
            "leave a last batch of one sample out by DataLoader(..., drop_last=True), or switch to evaluation by eval()"
        )
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError("batch_norm needs running_mean and running_var when training is False")


def check_dropout(p, input=None):
    """Refuse what is no probability, or an input that is no tensor."""
    if input is not None and not isinstance(input, Tensor):
        raise TypeError(f"dropout expected a Tensor, got {described(input)}")
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


# --- losses ----------------------------------------------------------------------------------------------


def check_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing):
    """Refuse what `cross_entropy` cannot take."""
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    _check_loss("cross_entropy", input, target, weight, reduction)
    if not are_probabilities(target, input):
        _check_labels(input, target, ignore_index)
    elif ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for targets that are probabilities")


def check_nll_loss(input, target, weight, ignore_index, reduction):
    """Refuse what `nll_loss` cannot take."""
    _check_loss("nll_loss", input, target, weight, reduction)
    _check_labels(input, target, ignore_index)


def check_difference(name, input, target, reduction):
    """Refuse what a loss of the difference of two tensors cannot take."""
    _check_two(name, input, target, reduction)
    if not (input.is_floating_point() or target.is_floating_point()):
        raise NotImplementedError(f"{name} is for floating-point numbers, got {input.dtype}; convert with .float()")


def check_binary_cross_entropy(input, target, reduction):
    """Refuse what `binary_cross_entropy` cannot take; on a GPU, the values of the input are not looked at."""
    check_binary_cross_entropy_with_logits(input, target, reduction, "binary_cross_entropy")
    if input.dtype != target.dtype:
        raise RuntimeError(
            f"binary_cross_entropy expects a target of the type of its input, {input.dtype}, got {target.dtype}; "
            "convert it: target.to(input.dtype)"
        )
    if not input.is_cuda and not ((input.array >= 0) & (input.array <= 1)).all():
        raise RuntimeError(
            "binary_cross_entropy: all elements of input should be between 0 and 1; of logits take "
            "binary_cross_entropy_with_logits"
        )


def check_binary_cross_entropy_with_logits(input, target, reduction, name="binary_cross_entropy_with_logits"):
    """Refuse what `binary_cross_entropy_with_logits` cannot take."""
    _check_two(name, input, target, reduction)
    refuse_integers(name, input)
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: target size {target.shape} must be the same as input size {input.shape}; of (N, 1) and (N,) take "
            "input.squeeze(1)"
        )


def refuse_integers(name, input):
    """Refuse what is no Tensor of floating-point numbers; returns one that is."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name} expected a Tensor, got {described(input)}")
    if not input.is_floating_point():
        raise NotImplementedError(f"{name} is for floating-point numbers, got {input.dtype}; convert with .float()")
    return input


def check_reduction(reduction):
    """Refuse what is no name of a reduction."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction; expected 'mean', 'sum' or 'none'")


def are_probabilities(target, input):
    """Whether a target holds a probability for each class, and not the number of one."""
    return target.is_floating_point() and target.shape == input.shape


def are_unchecked(labels):
    """Whether the values of labels are not to be looked at: that would be to wait for the GPU."""
    return labels.is_cuda and checks_are_deferred.value


def class_dim(input):
    """The dimension of the classes: the first of (C,), the second of (N, C, …)."""
    return 0 if input.ndim == 1 else 1


def _check_two(name, input, target, reduction):
    check_reduction(reduction)
    for role, value in (("input", input), ("target", target)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} expects {role} as a Tensor, got {described(value)}")


def _check_loss(name, input, target, weight, reduction):
    check_reduction(reduction)
    for role, value in (("input", input), ("target", target), ("weight", weight)):
        if not isinstance(value, Tensor) and not (value is None and role == "weight"):
            raise TypeError(f"{name} expects {role} as a Tensor, got {described(value)}")
    if input.ndim == 0:
        raise ValueError(f"{name} expects an input of (N, C), (N, C, d1, …) or (C,), got a scalar")
    if input.device != target.device:
        raise RuntimeError(
            f"{name} expects all tensors on one device; input is on {input.device}, target on {target.device}: "
            "move it with target.to(device)"
        )
    c = input.shape[class_dim(input)]
    if weight is not None and weight.shape != (c,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {c} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )


def _check_labels(input, target, ignore_index):
    """Refuse labels of a wrong type or shape, and those that are no class.

    CuPy wraps an index that is out of range silently, so that label 10 would become class 0.
    """
    if target.shape == input.shape and target.ndim > 1:
        raise RuntimeError(
            f"expected probabilities of floating-point type, got a target of {target.dtype} with the shape of the "
            f"input, {input.shape}. If it is one-hot: target.float(), or as labels target.argmax({class_dim(input)})"
        )
    if target.dtype.kind not in "iu":
        if not input.is_floating_point():
            raise RuntimeError(
                f"expected logits or log-probabilities first and the target second, got {input.dtype} of shape "
                f"{input.shape} and {target.dtype} of shape {target.shape}: are the two exchanged?"
            )
        raise RuntimeError(
            f"expected labels of integer type and shape {input.shape[:1] + input.shape[2:]}, or probabilities of shape "
            f"{input.shape}; got a target of {target.dtype} and shape {target.shape}. Convert labels with target.long()"
        )
    dim = class_dim(input)
    c, expected = input.shape[dim], input.shape[:dim] + input.shape[dim + 1 :]
    if target.shape != expected:
        if dim == 1 and target.shape[:1] != expected[:1]:
            came = target.shape[0] if target.ndim else "none"
            raise ValueError(
                f"Expected input batch_size ({expected[0]}) to match target batch_size ({came}): "
                f"input {input.shape} needs labels of shape {expected}, got {target.shape}"
            )
        raise RuntimeError(
            f"Expected labels of shape {expected} for an input of shape {input.shape}, got {target.shape}"
        )
    if are_unchecked(target):
        return
    labels = to_numpy(target.array)
    if labels.size == 0 or (labels.min() >= 0 and labels.max() < c):
        return
    wrong = (labels != ignore_index) & ((labels < 0) | (labels >= c))
    if wrong.any():
        index = np.argwhere(wrong)[0].tolist()
        raise IndexError(
            f"Target {labels[tuple(index)]} is out of bounds, at index {index}: labels of {c} classes go from 0 "
            f"to {c - 1} (or are ignore_index, {ignore_index})"
        )
