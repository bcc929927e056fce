"""The kernels for a GPU: compiled by NVIDIA's compiler, and run on the CPU against NumPy.

What runs here on the stand-in for CuPy is the source that the package ships, thread by thread (``cuda_on_cpu.py``). It
shows that the arithmetic of the indices and of the results is right; how fast a kernel is, only a GPU can show.
"""

import ctypes
import itertools
import os
import subprocess
import sys
from pathlib import Path

import cuda_on_cpu
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minitorch_cnn
from minitorch_cnn import backend
from minitorch_cnn.gpu import kernels, launch
from minitorch_cnn.ops import classification as ce
from minitorch_cnn.ops import elementwise, linalg

SOURCE = Path(launch.__file__).with_name("kernels.cu").read_text(encoding="utf-8")
rng = np.random.default_rng(3)
on_gpu = pytest.mark.parametrize("device", ["cuda"], indirect=True)
each_type = pytest.mark.parametrize("dtype", ["float32", "float64"])
on_cpu = pytest.mark.elsewhere("a C++ compiler")
TOLERANCE = {"float32": 2e-6, "float64": 1e-13}


def numbers(*shape, dtype="float64"):
    return np.asarray(rng.standard_normal(shape), dtype)


def close(array, expected, tolerance=None):
    found, expected = backend.to_numpy(array), np.asarray(expected)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    tolerance = tolerance or TOLERANCE[found.dtype.name]
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


# --- they compile --------------------------------------------------------------------------------------------


def nvrtc():
    """NVIDIA's run-time compiler, from its wheel: it needs neither a GPU nor a driver."""
    places = [Path(folder, "nvidia") for folder in sys.path]
    found = sorted(itertools.chain.from_iterable(place.glob("*/lib/libnvrtc.so.*") for place in places))
    if not found:
        message = "NVRTC is not installed: pip install nvidia-cuda-nvrtc-cu12"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return ctypes.CDLL(str(found[-1]))


@pytest.mark.elsewhere("the NVRTC that setup.cfg pins")
@each_type
@pytest.mark.parametrize("architecture", [70, 80, 90])
def test_the_kernels_compile(architecture, dtype):
    """For GPUs of 2017 (V100), 2020 (A100) and 2022 (H100)."""
    compiler, program, size = nvrtc(), ctypes.c_void_p(), ctypes.c_size_t()
    count = ctypes.c_int()
    compiler.nvrtcGetNumSupportedArchs(ctypes.byref(count))
    supported = (ctypes.c_int * count.value)()
    compiler.nvrtcGetSupportedArchs(supported)
    if architecture not in list(supported):
        pytest.skip(f"this NVRTC no longer knows the architecture {architecture}")
    real = {"float32": "float", "float64": "double"}[dtype]
    options = ["-std=c++14", f"-DREAL={real}", f"-arch=sm_{architecture}"]
    options = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    compiler.nvrtcCreateProgram(ctypes.byref(program), SOURCE.encode(), b"kernels.cu", 0, None, None)
    failed = compiler.nvrtcCompileProgram(program, len(options), options)
    compiler.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    compiler.nvrtcGetProgramLog(program, log)
    warnings = [line for line in log.value.decode().splitlines() if "kernels.cu" in line]
    assert not failed and not warnings, log.value.decode()
    assert compiler.nvrtcGetCUBINSize(program, ctypes.byref(size)) == 0 and size.value > 1000
    compiler.nvrtcDestroyProgram(ctypes.byref(program))


# --- sigmoid -------------------------------------------------------------------------------------------------

LAYOUTS = {
    "in order": lambda x: x,
    "batch innermost": lambda x: x.transpose(1, 2, 3, 0).copy().transpose(3, 0, 1, 2),
    "with gaps": lambda x: x[:, ::2, :, ::-1],
    "repeated": lambda x: np.broadcast_to(x[:1], x.shape),
    "empty": lambda x: x[:0],
    "a number": lambda x: x[0, 0, 0, 0, ...],
}


def on_device(host):
    """The same values with the same strides on the GPU."""
    xp = backend.devices.cupy()
    base = host
    while base.base is not None:
        base = base.base
    offset = (host.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // host.itemsize
    flat = xp.asarray(np.ravel(base, "K"))
    return xp.lib.stride_tricks.as_strided(flat[offset:], host.shape, host.strides)


@on_gpu
@each_type
@pytest.mark.parametrize("layout", LAYOUTS)
def test_sigmoid(device, dtype, layout):
    x = LAYOUTS[layout](numbers(7, 4, 3, 6, dtype=dtype))
    dy = numbers(*x.shape, dtype=dtype)
    y, device_y = elementwise.sigmoid_of(x), elementwise.sigmoid_of(on_device(x))
    close(device_y, 1 / (1 + np.exp(-x)))
    close(elementwise.sigmoid_gradient_of(on_device(dy), device_y), dy * y * (1 - y))
    close(elementwise.sigmoid_gradient_of(dy, y), dy * y * (1 - y))
    if layout == "batch innermost":
        assert device_y.strides == x.strides


@on_gpu
@each_type
def test_sigmoid_of_extremes(device, dtype):
    x = np.array([-np.inf, -1e4, 0, 1e4, np.inf, np.nan], dtype)
    close(elementwise.sigmoid_of(on_device(x)), np.array([0, 0, 0.5, 1, 1, np.nan], dtype))


# --- the windows of images -----------------------------------------------------------------------------------


def im2col_in_loops(x, kernel, stride, dilation, before, after, groups):
    """`kernels.im2col` as its description says it."""
    x = np.pad(x, ((0, 0), (0, 0), *zip(before, after)))
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    columns = np.empty((groups, oh, kh, c // groups, kw, ow, n), x.dtype)
    for g, i, k, l, j in itertools.product(*map(range, (groups, oh, kh, c // groups, kw))):
        row = x[:, g * (c // groups) + l, i * sh + k * dh, j * dw :]
        columns[g, i, k, l, j] = row[:, : sw * (ow - 1) + 1 : sw].T
    return columns.reshape(groups, oh, -1, ow * n)


def col2im_in_loops(columns, shape, *geometry):
    """The transpose of `im2col_in_loops`: which pixel an element of a window shows is asked of it."""
    seen = im2col_in_loops(np.arange(1.0, np.prod(shape) + 1).reshape(shape), *geometry).astype(int)  # 0 is padding
    return np.bincount(seen.ravel(), columns.ravel(), np.prod(shape) + 1)[1:].reshape(shape)


@st.composite
def geometries(draw):
    def two(low, high):
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    kernel, stride, dilation, before, after = two(1, 3), two(1, 3), two(1, 3), two(0, 2), two(0, 2)
    groups = draw(st.integers(1, 2))
    least = [max(1, d * (k - 1) + 1 - p - q) for k, d, p, q in zip(kernel, dilation, before, after)]
    h, w = (size + draw(st.integers(0, 4)) for size in least)
    shape = draw(st.integers(1, 5)), groups * draw(st.integers(1, 2)), h, w
    return shape, kernel, stride, dilation, before, after, groups


@on_gpu
@each_type
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(geometries(), st.sampled_from(["in order", "batch innermost"]))
def test_windows_of_images(device, dtype, drawn, layout):
    shape, *geometry = drawn
    x = LAYOUTS[layout](numbers(*shape, dtype=dtype))
    columns = im2col_in_loops(x, *geometry)
    np.testing.assert_array_equal(backend.to_numpy(kernels.im2col(on_device(x), *geometry)), columns)
    dy = numbers(*columns.shape, dtype=dtype)
    dx = kernels.col2im(on_device(dy), shape, *geometry)
    close(dx, col2im_in_loops(dy, shape, *geometry).astype(dtype))
    n, c, h, w = shape
    assert dx.transpose(2, 1, 3, 0).strides == np.empty((h, c, w, n), dtype).strides


@on_gpu
@each_type
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(geometries(), st.sampled_from(["in order", "batch innermost"]))
def test_sums_of_windows(device, dtype, drawn, layout):
    shape, kernel, stride, *_ = drawn
    shape = (*shape[:2], *(max(s, k) for s, k in zip(shape[2:], kernel)))
    x = LAYOUTS[layout](numbers(*shape, dtype=dtype))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, (2, 3))[:, :, :: stride[0], :: stride[1]]
    y = kernels.sum_windows(on_device(x), kernel, stride, 1)
    close(y, windows.sum(axis=(4, 5)))
    n, c, oh, ow = y.shape
    assert y.transpose(2, 1, 3, 0).strides == np.empty((oh, c, ow, n), dtype).strides
    dy = LAYOUTS[layout](numbers(n, c, oh, ow, dtype=dtype))
    dx, expected = kernels.spread_windows(on_device(dy), kernel, stride, 1, shape[2:]), np.zeros(shape, dtype)
    for i, j in itertools.product(range(oh), range(ow)):
        rows, columns = (slice(k * s, k * s + size) for k, s, size in zip((i, j), stride, kernel))
        expected[:, :, rows, columns] += dy[:, :, i, j, None, None]
    close(dx, expected)


@on_gpu
def test_more_elements_than_a_kernel_counts_are_refused(device):
    xp, one = backend.devices.cupy(), (1, 1)
    x = xp.lib.stride_tricks.as_strided(xp.zeros(1), (2**28, 1, 4, 2), (0, 0, 0, 0))
    geometry = one, one, one, (0, 0), (0, 0), 1
    with pytest.raises(ValueError, match="im2col: 2147483648 elements are more than one launch can count; use smaller"):
        kernels.im2col(x, *geometry)
    with pytest.raises(ValueError, match="col2im: 2147483648 elements"):
        kernels.col2im(x[:, :, :, :1], x.shape, *geometry)


# --- cross-entropy -------------------------------------------------------------------------------------------


@on_gpu
@each_type
@pytest.mark.parametrize(("rows", "classes"), [(1, 1), (5, 3), (300, 10), (0, 4)])
@pytest.mark.parametrize("is_transposed", [False, True])
def test_cross_entropy(device, dtype, rows, classes, is_transposed):
    x = numbers(classes, rows, dtype=dtype).T if is_transposed else numbers(rows, classes, dtype=dtype)
    labels = rng.integers(0, classes, rows)
    labels[1::3] = -100
    dys = numbers(dtype=dtype), numbers(rows, dtype=dtype)
    device_x, device_labels = on_device(x), on_device(labels)
    with np.errstate(invalid="ignore"):
        losses, totals = ce.losses_of(x, labels, -100)
    device_losses, device_totals = ce.losses_of(device_x, device_labels, -100)
    close(device_losses, losses)
    for device_total, total in zip(device_totals, totals):
        close(device_total, total, 1e-5 if dtype == "float32" else 1e-12)
    for dy, is_mean in itertools.product(dys[: 1 + (rows > 0)], (False, True)):
        args = on_device(np.asarray(dy)), device_totals, is_mean
        with np.errstate(divide="ignore"):
            expected = ce.gradient_of(x, labels, -100, np.asarray(dy), totals, is_mean)
        close(ce.gradient_of(device_x, device_labels, -100, *args), expected)


@on_gpu
@pytest.mark.parametrize("step", [2, -1])
def test_cross_entropy_of_labels_that_are_a_view(device, step):
    """Its elements are no neighbours in memory, as those of a column of a table are not."""
    x, labels = numbers(4, 3), np.array([0, 1, 2, 2, 0, 1, 1, 0])
    losses, totals = ce.losses_of(x, labels[::step][:4], -100)
    view = on_device(labels)[::step][:4]
    device_losses, device_totals = ce.losses_of(on_device(x), view, -100)
    close(device_losses, losses)
    expected = ce.gradient_of(x, labels[::step][:4], -100, np.ones(()), totals, True)
    args = on_device(np.ones((), x.dtype)), device_totals, True
    close(ce.gradient_of(on_device(x), view, -100, *args), expected)


@on_gpu
@pytest.mark.parametrize("label", [-1, 3, 2**40, -(2**33)])
def test_a_label_that_is_no_class_spoils_its_row_and_the_mean(device, label):
    x, labels = on_device(numbers(3, 3)), on_device(np.array([0, label, 2]))
    losses, totals = ce.losses_of(x, labels, -100)
    assert np.isnan(backend.to_numpy(losses)).tolist() == [False, True, False]
    assert np.isnan(backend.to_numpy(totals)).tolist() == [True, False, True]
    dx = ce.gradient_of(x, labels, -100, on_device(np.ones(())), totals, True)
    assert np.isnan(backend.to_numpy(dx)).all(axis=1).tolist() == [False, True, False]


@on_gpu
def test_cross_entropy_of_extreme_logits(device):
    x = np.array([[1e4, 0, -1e4], [-np.inf, 1, 2], [-1e4, 1e4, 0]])
    labels = np.array([2, 1, 1])
    losses, _ = ce.losses_of(on_device(x), on_device(labels), -100)
    close(losses, np.array([2e4, np.log(1 + np.e), 0]))


# --- stochastic gradient descent -----------------------------------------------------------------------------


@on_gpu
@each_type
@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize(
    "hyperparameters",
    [(0.1, 0, 1, 0, 0, 0), (0.1, 0.9, 1, 0, 0, 0), (0.2, 0.5, 0.7, 0.01, 0, 1), (0.1, 0.9, 1, 0.1, 1, 0)],
    ids=["plain", "momentum", "dampening, decay, maximize", "nesterov"],
)
def test_sgd(device, dtype, count, hyperparameters):
    lr, momentum, fresh, weight_decay, nesterov, maximize = (np.dtype(dtype).type(h) for h in hyperparameters)
    sizes = [1 + 130 * i % 700 for i in range(count)]
    ws, gs, vs = ([numbers(size, dtype=dtype) for size in sizes] for _ in range(3))
    device_ws, device_gs, device_vs = (list(map(on_device, arrays)) for arrays in (ws, gs, vs))
    kernels.sgd(device_ws, device_gs, device_vs, on_device(np.array(hyperparameters, dtype)))
    for w, g, v, device_w, device_g, device_v in zip(ws, gs, vs, device_ws, device_gs, device_vs):
        step = (-g if maximize else g) + weight_decay * w
        if momentum:
            new = momentum * v + fresh * step
            step = step + momentum * new if nesterov else new
        close(device_w, w - lr * step)
        close(device_v, new if momentum else v)
        np.testing.assert_array_equal(backend.to_numpy(device_g), g)


# --- the matrix product --------------------------------------------------------------------------------------

PRODUCTS = [
    ((1, 1), (1, 1)),
    ((6, 25), (25, 130)),
    ((17, 33), (33, 65)),
    ((16, 16), (16, 64)),
    ((3, 16, 10), (3, 10, 7)),
    ((6, 25), (4, 25, 30)),
    ((4, 6, 25), (1, 25, 3)),
    ((2, 1, 3, 5), (4, 5, 2)),
    ((6, 3000), (3000, 25)),  # cut into parts
    ((3, 6, 1100), (3, 1100, 5)),
    ((5, 0), (0, 4)),
    ((0, 3), (3, 4)),
]


@on_gpu
@each_type
@pytest.mark.parametrize("shapes", PRODUCTS, ids=str)
@pytest.mark.parametrize("transposed", [(0, 0), (0, 1), (1, 0), (1, 1)], ids=str)
def test_matrix_product(device, dtype, shapes, transposed):
    a, b = (numbers(*shape, dtype=dtype) for shape in shapes)
    a, b = (x.swapaxes(-1, -2).copy().swapaxes(-1, -2) if t else x for x, t in zip((a, b), transposed))
    close(kernels.in_tiles(on_device(a), on_device(b)), a @ b, 2e-4 if dtype == "float32" else 1e-11)


@on_gpu
def test_matrix_product_of_overlapping_views(device):
    """The rows of windows of an image, unfolded along its height, share memory; a row may also go backwards."""
    x = numbers(12, 7)
    a = np.lib.stride_tricks.as_strided(x, (5, 7, 14), (2 * x.strides[0], x.strides[1], x.strides[1]))
    b = numbers(14, 6)[::-1, ::2]
    close(kernels.in_tiles(on_device(a), on_device(b)), a @ b)


@on_gpu
def test_the_product_is_that_of_the_library_unless_a_graph_is_recorded(device, monkeypatch):
    a, b = on_device(numbers(3, 4)), on_device(numbers(4, 5))
    expected = backend.to_numpy(a) @ backend.to_numpy(b)
    monkeypatch.setattr(kernels, "launch", lambda name, *_: pytest.fail(f"our kernel was called: {name}"))
    close(linalg.matmul_on_threads(a, b), expected)
    with kernels.multiply.set(kernels.in_tiles), pytest.raises(pytest.fail.Exception, match="called: matmul"):
        linalg.matmul_on_threads(a, b)
    with kernels.multiply.set(kernels.in_tiles):  # of integers there is no kernel
        close(
            linalg.matmul_on_threads(on_device(np.ones((2, 3), int)), on_device(np.ones((3, 2), int))),
            np.full((2, 2), 3),
            1e-9,
        )


# --- what the run on the CPU would notice --------------------------------------------------------------------


@on_cpu
@pytest.mark.parametrize("name", ["matmul", "cross_entropy"])
def test_no_thread_depends_on_the_turn_of_another(name, standin, monkeypatch):
    """Threads that take their turns the other way round compute the same, to the last bit."""
    x, labels = on_device(numbers(300, 40)), on_device(rng.integers(0, 40, 300))
    run = {
        "matmul": lambda: kernels.in_tiles(x, x.T),
        "cross_entropy": lambda: ce.losses_of(x, labels, -100)[1],
    }[name]
    forwards = backend.to_numpy(run())
    monkeypatch.setattr(cuda_on_cpu, "order", -1)
    np.testing.assert_array_equal(backend.to_numpy(run()), forwards)


@on_cpu
@pytest.mark.parametrize("name", ["matmul", "cross_entropy"])
def test_a_missing_barrier_is_noticed(name, standin, monkeypatch):
    """The same with each __syncthreads() made to do nothing: here the order must matter, or the test above is blind."""
    broken = SOURCE.replace("__syncthreads();", "if (blockDim.x > 9999) __syncthreads();")
    module = standin.RawModule(code=broken, options=("-DREAL=double",))
    monkeypatch.setattr(launch, "_kernel", lambda xp, name, dtype: module.get_function(name))
    with pytest.raises(AssertionError):
        test_no_thread_depends_on_the_turn_of_another(name, standin, monkeypatch)


@on_cpu
def test_a_barrier_that_not_all_threads_reach_is_noticed(standin):
    body = "if (threadIdx.x == 0)\n__syncthreads();\n*x = 1;"
    code = 'typedef float real; extern "C" __global__ void f(real* x)\n{' + body + "\n}"
    kernel = standin.RawModule(code=code, options=("-DREAL=float",)).get_function("f")
    with pytest.raises(AssertionError, match="not all threads reached"):
        kernel((1,), (4,), (standin.zeros(1, "float32"),))


@on_cpu
@pytest.mark.parametrize(
    "wrong", [{1: np.zeros(3, "f8")}, {1: np.zeros(3, "f4")}, {2: 3}, {2: np.int64(3)}, {2: np.float32(3)}]
)
def test_arguments_of_a_wrong_type_are_noticed(standin, wrong):
    kernel = standin.RawModule(code=SOURCE, options=("-DREAL=float",)).get_function("sigmoid")
    x = standin.zeros(3, "float32")
    args = [x, x, np.int32(3)]
    for place, value in wrong.items():
        args[place] = standin.asarray(value) if getattr(value, "dtype", None) == "f8" else value
    with pytest.raises(AssertionError, match="sigmoid: "):
        kernel((1,), (4,), tuple(args))


@on_cpu
def test_nothing_is_written_beside_an_output(standin, monkeypatch):
    """Each array that the kernels make lies between two strips of memory that must stay as they are."""
    made = []

    def fenced(shape, dtype):
        count = int(np.prod(shape))
        strip = np.full(count + 64, 77, dtype)
        made.append((strip, count))
        return standin._wrap(strip[32 : 32 + count].reshape(shape))

    monkeypatch.setattr(standin, "empty", fenced, raising=False)
    monkeypatch.setattr(standin, "empty_like", lambda x: fenced(x.shape, x.dtype), raising=False)
    x, labels = on_device(numbers(3, 2, 5, 4)), on_device(np.array([0, 1, 1]))
    logits, one = on_device(numbers(3, 2)), on_device(np.ones(()))
    geometry = (3, 2), (2, 1), (1, 2), (1, 0), (0, 1), 2
    elementwise.sigmoid_gradient_of(x, elementwise.sigmoid_of(x))
    kernels.col2im(kernels.im2col(x, *geometry), x.shape, *geometry)
    kernels.spread_windows(kernels.sum_windows(x, (2, 3), (2, 1), 6), (2, 3), (2, 1), 6, x.shape[2:])
    totals = ce.losses_of(logits, labels, -100)[1]
    ce.gradient_of(logits, labels, -100, one, totals, True)
    kernels.in_tiles(on_device(numbers(17, 600)), on_device(numbers(600, 70)))
    assert len(made) == 10
    for strip, count in made:
        assert (strip[:32] == 77).all() and (strip[32 + count :] == 77).all()
        assert not (strip[32 : 32 + count] == 77).any(), "and each element of the array is written"


@on_cpu
@pytest.mark.skipif(sys.platform == "win32", reason="mprotect is a call of Unix")
@pytest.mark.parametrize("side", ["after", "before"])
def test_nothing_is_read_beside_an_array(side):
    cuda_on_cpu.compiler()
    command = [sys.executable, Path(__file__).with_name("fenced_kernels.py"), side]
    environment = {**os.environ, "PYTHONPATH": str(Path(minitorch_cnn.__file__).parents[1])}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.stdout == "all ran\n", f"exit code {result.returncode}: {result.stderr}"


# --- the matrix product on a CPU -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize(
    ("a", "b", "parts"),
    [
        ((16, 150), (150, 1280), 4),
        ((1, 1, 16, 150), (1, 10, 150, 1280), 4),
        ((2, 3, 150, 16), (3, 16, 512), 2),
        ((16, 150), (150, 1283), 1),  # a prime number of columns
        ((64, 576), (576, 896), 1),  # parts would be too narrow
        ((16, 784), (784, 896), 14),
        ((16, 1936), (1936, 896), 1),  # too narrow again, but the sums are cut
        ((6, 25), (25, 3584), 1),  # small enough as it is
    ],
)
def test_products_are_cut_into_small_ones(a, b, parts, dtype):
    x, y = (numbers(*shape).astype(np.float64) * 8 for shape in (a, b))
    x, y = x.astype(dtype), y.astype(dtype)
    assert linalg._parts(*a[-2:], b[-1]) == parts
    for second in (y, np.asfortranarray(y)):
        result = linalg.matmul_on_threads(x, second)
        assert result.dtype == dtype and result.flags.c_contiguous
        rounding = 1e-6 if dtype == np.float32 else 1e-14
        assert (abs(result - np.matmul(x, second)) <= rounding * (abs(x) @ abs(second))).all()
