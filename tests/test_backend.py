"""NumPy or CuPy: devices, transfers, and what is said when there is no GPU."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import backend


@pytest.fixture
def no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(backend.devices, "_why_absent", None)


@pytest.fixture
def no_driver(standin, monkeypatch):
    """CuPy is installed, but there is no GPU: importing works, asking fails."""

    def count():
        raise standin.cuda.runtime.CUDARuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")

    monkeypatch.setattr(standin.cuda.runtime, "getDeviceCount", count)


@pytest.fixture
def no_gpu(standin, monkeypatch):
    monkeypatch.setattr(standin.cuda.runtime, "getDeviceCount", lambda: 0)


# --- devices -------------------------------------------------------------------------------------------------


def test_names_of_devices():
    assert (str(mt.device("cpu")), mt.device("cpu").type, mt.device("cpu").index) == ("cpu", "cpu", None)
    assert (str(mt.device("cuda")), mt.device("cuda").type, mt.device("cuda:0").index) == ("cuda:0", "cuda", 0)
    assert mt.device("cuda") == mt.device("cuda:0") == mt.device(mt.device("cuda"))
    assert mt.device("cpu") != mt.device("cuda")
    assert len({mt.device("cuda"), mt.device("cuda:0"), mt.device("cpu")}) == 2
    assert repr(mt.device("cuda")) == "device(type='cuda', index=0)" and repr(mt.device("cpu")) == "device(type='cpu')"


@pytest.mark.parametrize("spec", ["gpu", "cuda:1", "CPU", "", "cuda:x"])
def test_a_device_that_does_not_exist(spec):
    with pytest.raises(RuntimeError, match=f"expected the device 'cpu' or 'cuda', got '{spec}'"):
        mt.device(spec)


@pytest.mark.parametrize("spec", [0, None, 1.5])
def test_a_device_that_is_no_name(spec):
    with pytest.raises(TypeError, match="named by a string"):
        mt.device(spec)


def test_without_cupy(no_cupy):
    assert not mt.cuda.is_available() and mt.cuda.device_count() == 0
    assert backend.auto_device() == backend.CPU
    with pytest.raises(RuntimeError, match=r"'cuda' cannot be used: CuPy is not installed.*pip install.*cuda12"):
        mt.zeros(2, device="cuda")
    with pytest.raises(RuntimeError, match="CuPy is not installed"):
        mt.zeros(2).cuda()


def test_with_cupy_but_no_driver(no_driver):
    """``import cupy`` succeeds without a GPU; only asking tells."""
    assert not mt.cuda.is_available()
    with pytest.raises(RuntimeError, match=r"but CUDA fails with cudaErrorInsufficientDriver.*nvidia-smi.*older"):
        mt.ones(1).to("cuda")


def test_with_a_driver_but_no_gpu(no_gpu):
    assert not mt.cuda.is_available()
    with pytest.raises(RuntimeError, match="finds no GPU.*nvidia-smi.*CUDA_VISIBLE_DEVICES"):
        mt.ones(1, device="cuda:0")


def test_with_a_gpu(gpu):
    assert mt.cuda.is_available() and mt.cuda.device_count() == 1
    assert backend.auto_device() == backend.CUDA
    mt.cuda.synchronize()


def test_the_name_of_the_gpu(standin):
    assert mt.cuda.get_device_name() == mt.cuda.get_device_name("cuda:0") == "stand-in"
    with pytest.raises(ValueError, match="expected a GPU, got the device 'cpu'"):
        mt.cuda.get_device_name("cpu")


def test_the_name_of_no_gpu(no_gpu):
    with pytest.raises(RuntimeError, match="finds no GPU"):
        mt.cuda.get_device_name()


def test_synchronize_without_a_gpu(no_cupy):
    mt.cuda.synchronize()


def test_the_cpu_needs_no_cupy(no_cupy):
    x = mt.ones(2, 3, requires_grad=True)
    (x * 2).sum().backward()
    assert x.grad.device == mt.device("cpu")


# --- transfers -----------------------------------------------------------------------------------------------


def test_there_and_back(device):
    values = np.arange(6.0).reshape(2, 3)
    x = mt.tensor(values, device=device)
    assert x.device.type == device and x.is_cuda == (device == "cuda")
    np.testing.assert_array_equal(x.cpu().numpy(), values)
    assert x.to("cpu").to(device).tolist() == values.tolist()
    assert x.to(x.device) is x and x.to(device, mt.float64) is x
    assert x.to(mt.zeros(1, dtype=mt.float32)).dtype == mt.float32


@pytest.mark.parametrize("make", ["zeros", "ones", "empty", "rand", "randn"])
def test_tensors_are_made_where_they_are_asked_for(make, device):
    x = getattr(mt, make)(2, 3, device=device)
    assert x.device.type == device and x.shape == (2, 3) and x.dtype == mt.float32
    if make != "empty":
        assert getattr(mt, f"{make}_like")(x).device.type == device


def test_random_numbers_do_not_depend_on_the_device(gpu):
    drawn = {}
    for device in ("cpu", "cuda"):
        mt.manual_seed(3)
        drawn[device] = [mt.rand(5, device=device).tolist(), mt.randn(5, device=device).tolist()]
        drawn[device] += [mt.randperm(5, device=device).tolist(), mt.zeros(3, device=device).normal_().tolist()]
    assert drawn["cpu"] == drawn["cuda"]


@pytest.mark.parametrize(
    "mix",
    [
        lambda here, there: here + there,
        lambda here, there: there @ here,
        lambda here, there: mt.cat([here, there]),
        lambda here, there: mt.where(here > 0, here, there),
        lambda here, there: here == there,
        lambda here, there: there < here,
        lambda here, there: mt.logical_and(here, there),
        lambda here, there: (here > 0) & (there > 0),
        lambda here, there: mt.allclose(here, there),
        lambda here, there: mt.equal(there, here),
        lambda here, there: here.clone().add_(there),
        lambda here, there: mt.nn.functional.cross_entropy(there, here[0].long()),
        lambda here, there: mt.nn.functional.mse_loss(here, there),
        lambda here, there: mt.training.count_correct(there, here[0].long()),
        lambda here, there: mt.nn.Linear(2, 2)(there),
        lambda here, there: mt.nn.BatchNorm1d(2).cuda()(here),
    ],
)
def test_tensors_of_two_devices_are_refused(mix, gpu):
    with pytest.raises(RuntimeError, match=r"on one device.*(cpu.*cuda:0|cuda:0.*cpu).*move (it|them) "):
        mix(mt.ones(2, 2), mt.ones(2, 2, device="cuda"))


def test_what_is_written_and_where_is_refused_on_two_devices(gpu):
    here, there = mt.ones(2, 2), mt.ones(2, 2, device="cuda")
    with pytest.raises(RuntimeError, match=r"expected a tensor on cpu, got one on cuda:0; move it with \.to\(\)"):
        here[0] = there[0]
    with pytest.raises(
        RuntimeError, match=r"expected an index on the CPU .* got one on cuda:0; move it with \.cpu\(\)"
    ):
        here[there[0].long()]
    assert there[here[0].long()].is_cuda  # an index follows to the GPU, as in PyTorch


CREATED = {
    "tensor": lambda **place: mt.tensor([1, 2], **place),
    "as_tensor": lambda **place: mt.as_tensor([1, 2], **place),
    "full": lambda **place: mt.full((2,), 3.0, **place),
    "full_like": lambda **place: mt.full_like(mt.ones(2), 3.0, **place),
    "arange": lambda **place: mt.arange(2, **place),
    "linspace": lambda **place: mt.linspace(0, 1, 2, **place),
    "eye": lambda **place: mt.eye(2, **place),
    "normal": lambda **place: mt.normal(0.0, 1.0, (2,), **place),
    "randint": lambda **place: mt.randint(3, (2,), **place),
    "randperm": lambda **place: mt.randperm(2, **place),
}


@pytest.mark.parametrize("name", CREATED)
def test_every_creation_function_takes_a_device(name, gpu):
    mt.manual_seed(3)
    here = CREATED[name]()
    mt.manual_seed(3)
    there = CREATED[name](device="cuda")
    assert str(here.device) == "cpu" and str(there.device) == "cuda:0"
    assert there.dtype == here.dtype and there.tolist() == here.tolist()


def test_everything_moves(gpu):
    x, net = mt.ones(2), mt.nn.Linear(2, 1)
    assert [str(y.device) for y in (x.cuda(), x.to("cuda"), x.to(mt.device("cuda:0")), x.cuda().cpu(), x.cpu())] == [
        "cuda:0", "cuda:0", "cuda:0", "cpu", "cpu",
    ]  # fmt: skip
    assert net.cuda().weight.is_cuda and not net.cpu().weight.is_cuda and net.to("cuda").bias.is_cuda


def test_the_extras_that_the_error_names_exist(no_cupy):
    """And each of them is the CuPy of that CUDA."""
    text = (Path(__file__).parents[1] / "setup.cfg").read_text(encoding="utf-8")
    named = re.findall(r"minitorch_cnn\[(\w+)\]", backend.unavailable_reason())
    assert named == ["cuda12", "cuda13"]
    for extra in named:
        assert re.search(rf"^{extra} = cupy-{extra}x>=[\d.]+$", text, re.MULTILINE)


def test_numpy_of_a_tensor_on_the_gpu(gpu):
    with pytest.raises(TypeError, match=r"cuda:0.*cpu\(\)"):
        mt.ones(2, device="cuda").numpy()
    with pytest.raises(TypeError):
        np.asarray(mt.ones(2, device="cuda"))


def test_a_step_of_training_reads_nothing_back(standin):
    """Each read waits for the GPU: forward, backward and update must not do it, nor copy anything to it."""
    from minitorch_cnn import nn
    from minitorch_cnn.nn import functional as F

    x, y = mt.randn(4, 1, 8, 8, device="cuda"), mt.tensor([0, 1, 2, 0], device="cuda")
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.Sigmoid(), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )
    net.to("cuda")
    optimizer = mt.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step():
        optimizer.zero_grad()
        F.log_softmax(net(x), 1)[:, 0].mean().backward()
        optimizer.step()

    step()
    standin.transfers.reset()
    step()
    assert (standin.transfers.to_host, standin.transfers.to_device) == (0, 0)
    assert int(y[1]) == 1 and standin.transfers.to_host == 1


def test_constants_are_made_on_the_device(standin):
    """A full array of zeros sent from the host would cost more than most of what is done with it."""
    x = mt.ones(4, device="cuda")
    standin.transfers.reset()
    mt.zeros(3, device="cuda")
    mt.full_like(x, 2.5)
    x.zero_().fill_(3)
    x[1:] = 0
    assert standin.transfers.to_device <= 1  # the number that was assigned


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_out_of_range_are_refused(label, device):
    """CuPy would wrap them around and train on the wrong class."""
    from minitorch_cnn.nn import functional as F

    with pytest.raises((IndexError, RuntimeError, ValueError), match=f"{label}"):
        F.cross_entropy(mt.zeros(2, 3, device=device), mt.tensor([0, label], device=device))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 1, 3, 0), (3, 2, 1, 0)])
def test_a_multiple_lies_in_memory_as_the_tensor_does(order, device):
    """CuPy's own product would lie in the order of the indices."""
    host = np.arange(120.0).reshape(2, 3, 4, 5)
    x = mt.tensor(host.transpose(order), device=device).permute(*np.argsort(order).tolist())
    for y, expected in ((x * 2, host * 2), (x / 2, host / 2)):
        assert y.array.strides == x.array.strides and y.tolist() == expected.tolist()
    assert (mt.ones((), device=device) * 2).item() == 2


@pytest.mark.parametrize("first", ["cpu", "cuda"])
def test_an_optimizer_takes_parameters_of_two_devices(first, gpu):
    second = "cpu" if first == "cuda" else "cuda"
    params = [mt.ones(3, device=device, requires_grad=True) for device in (first, second, first)]
    for momentum in (0, 0.5):
        optimizer = mt.optim.SGD(params, lr=0.5, momentum=momentum)
        for param in params:
            param.grad = mt.full_like(param, 2)
        optimizer.step()
    assert [p.tolist() for p in params] == [[-1.0] * 3] * 3


# --- what code above sets for a while --------------------------------------------------------------------------


def test_a_setting_is_the_own_of_its_thread_and_ends_with_its_block():
    setting, seen = backend.settings.Setting("default"), []
    with pytest.raises(KeyError), setting.set("outer"):
        with setting.set("inner"):
            thread = threading.Thread(target=lambda: seen.append(setting.value))
            thread.start()
            thread.join()
            seen.append(setting.value)
        seen.append(setting.value)
        raise KeyError
    assert [*seen, setting.value] == ["default", "inner", "outer", "default"]


# --- the stand-in itself keeps CuPy's refusals -----------------------------------------------------------------


def test_standin_refuses_implicit_conversion(standin):
    x = standin.asarray(np.ones((2, 3)))
    for convert in (
        np.asarray,
        np.array,
        np.exp,
        np.sum,
        lambda x: np.add(x, 1),
        lambda x: np.copyto(np.ones(3), x[0]),
    ):
        with pytest.raises(TypeError):
            convert(x)


def test_standin_refuses_numpy_arrays(standin):
    x, host = standin.asarray(np.ones(3)), np.ones(3)
    for mix in (
        lambda: x + host,
        lambda: host * x,
        lambda: standin.maximum(x, host),
        lambda: standin.concatenate([x, host]),
        lambda: standin.sum(host),
        lambda: x.__setitem__(0, host[0:1]),
        lambda: x.__iadd__(host),
        lambda: x == host,
    ):
        with pytest.raises(TypeError):
            mix()


def test_standin_knows_what_cupy_knows(standin):
    x = standin.ones((2, 3))
    with pytest.raises(AttributeError, match="errstate"):
        standin.errstate  # noqa: B018
    with pytest.raises(TypeError, match="where"):
        standin.exp(x, where=x > 0)
    with pytest.raises(TypeError, match="initial"):
        x.max(initial=0)
    with pytest.raises(AttributeError):
        x.flags.writeable  # noqa: B018


def test_standin_reduces_to_arrays(standin):
    x = standin.asarray(np.arange(6.0).reshape(2, 3))
    for result in (x.sum(), standin.max(x), x[1, 2], x.mean(axis=0)[1], standin.add(1.0, 2.0)):
        assert isinstance(result, standin.ndarray) and result.shape == ()


def test_standin_gives_a_view_of_one_element(standin):
    x = standin.asarray(np.arange(6.0).reshape(2, 3))
    y = x[1, 2]
    y += 10
    x[0][1].fill(7)
    assert x.tolist() == [[0, 7, 2], [3, 4, 15]]


def test_standin_wraps_indices(standin):
    x, outside = standin.asarray(np.arange(3.0)), standin.asarray(np.array([3, -1, 10]))
    assert x[outside].tolist() == standin.take(x, outside).tolist() == [0.0, 2.0, 1.0]
    y = standin.asarray(np.arange(6.0).reshape(2, 3))
    assert y[..., outside].tolist() == [[0.0, 2.0, 1.0], [3.0, 5.0, 4.0]]
    with pytest.raises(IndexError):
        x[3]


def test_standin_counts_transfers(standin):
    standin.transfers.reset()
    x = standin.asarray(np.arange(3.0)) * 2
    assert (standin.transfers.to_device, standin.transfers.to_host) == (1, 0)
    for read in (float, int, bool, str, standin.asnumpy, lambda x: x.item(), lambda x: x.get(), lambda x: f"{x:.2f}"):
        before = standin.transfers.to_host
        read(x.sum())
        assert standin.transfers.to_host > before


# --- import --------------------------------------------------------------------------------------------------


def test_the_gpu_library_is_imported_when_it_is_asked_for():
    code = (
        "import sys, minitorch_cnn as mt; (mt.ones(2, requires_grad=True) * 2).sum().backward();"
        "assert 'cupy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
