"""What is saved comes back; what was changed on the way is found out; and no file of PyTorch's is ever run."""

import collections
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from helpers import needs_torch, torch

import minitorch_cnn as mt
from minitorch_cnn import nn, optim
from minitorch_cnn.training import CheckpointError


def same(a, b):
    """Equal values of equal kinds; tensors element by element, and of one type."""
    if isinstance(a, mt.Tensor) or isinstance(b, mt.Tensor):
        return isinstance(b, mt.Tensor) and a.dtype == b.dtype and mt.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


def trained(make=optim.Adam):
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = make(net.parameters())
    net(mt.rand(4, 3)).square().sum().backward()
    optimizer.step()
    return net, optimizer


OBJECTS = {
    "tensor": mt.arange(3),
    "list": [mt.ones(2), mt.zeros(1, 2)],
    "empty": {},
    "scalars": {"a": 1, "b": 0.1, "c": "été", "d": None, "e": True, "f": float("nan"), 7: -(2**70), 0.5: ()},
    "names that meet": {"a.b": mt.ones(1), "a": {"b": mt.zeros(1)}, "": mt.ones(2), "_": [mt.zeros(3)]},
    "types": [mt.ones(2, dtype=t) for t in (mt.float32, mt.float64, mt.int32, mt.int64, mt.uint8, mt.bool)],
    "nested": {"x": [({"y": (mt.tensor(2.5), [])},)]},
    "strides": mt.arange(6.0).reshape(2, 3).t(),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_saved_comes_back(name, tmp_path):
    mt.save(OBJECTS[name], tmp_path / "x")
    assert same(mt.load(tmp_path / "x"), OBJECTS[name])
    file = io.BytesIO()
    mt.save(OBJECTS[name], file)
    file.seek(0)
    assert same(mt.load(file), OBJECTS[name])


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, momentum=0.9), optim.Adam, optim.RMSprop])
def test_a_training_goes_on_from_what_scripts_save(make, tmp_path):
    net, optimizer = trained(make)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2)
    state = {"epoch": 3, "model": net.state_dict(), "optimizer": optimizer.state_dict(), "s": scheduler.state_dict()}
    mt.save(state, tmp_path / "c.pth")
    loaded = mt.load(tmp_path / "c.pth", map_location="cpu", weights_only=True)
    assert same(loaded, state) and loaded["epoch"] == 3
    other, other_optimizer = trained(make)
    other.load_state_dict(loaded["model"])
    other_optimizer.load_state_dict(loaded["optimizer"])
    for n, o in ((net, optimizer), (other, other_optimizer)):
        o.zero_grad()
        n(mt.ones(4, 3)).square().sum().backward()
        o.step()
    assert same(net.state_dict(), other.state_dict())


def test_a_state_dict_is_a_file_for_anyone_and_equal_ones_are_equal_files(tmp_path):
    from safetensors.numpy import load_file

    net, _ = trained()
    mt.save(net.state_dict(), tmp_path / "a")
    mt.save(net.state_dict(), str(tmp_path / "b"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(load_file(tmp_path / "a")) == sorted(net.state_dict())
    assert same(mt.training.load_weights(tmp_path / "a"), mt.load(tmp_path / "b"))


def test_what_is_loaded_can_be_changed_and_goes_where_it_is_asked_for(tmp_path, device):
    mt.save([mt.ones(2), {"x": (mt.zeros(1),)}], tmp_path / "x")
    ones, rest = mt.load(tmp_path / "x", map_location=device)
    ones.add_(1)
    assert ones.tolist() == [2.0, 2.0] and ones.device.type == rest["x"][0].device.type == device
    assert mt.load(tmp_path / "x", map_location=lambda storage, place: storage)[0].device.type == "cpu"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (nn.Linear(1, 1), r"of type Linear: save its state_dict\(\)"),
        ({"x": np.ones(2)}, "of type ndarray: make a Tensor of it"),
        ({"x": {1, 2}}, r"expected what JSON can hold, got \{1, 2\} of type set"),
        ({(1, 2): 3}, r"expected texts or numbers as keys, got \(1, 2\)"),
        ([lambda: 0], "of type function"),
        (nn.LazyLinear(2).state_dict(), "is not known before the layer's first call"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_the_older_file_stays(value, message, tmp_path):
    mt.save(1, tmp_path / "x")
    with pytest.raises((TypeError, RuntimeError), match=message):
        mt.save(value, tmp_path / "x")
    assert mt.load(tmp_path / "x") == 1 and os.listdir(tmp_path) == ["x"]


def test_a_name_of_the_format_itself_can_be_saved(tmp_path):
    mt.save({"__metadata__": mt.ones(1)}, tmp_path / "x")
    assert mt.load(tmp_path / "x")["__metadata__"].tolist() == [1.0]


def test_a_file_of_texts_is_refused():
    with pytest.raises(TypeError, match=r"load reads bytes, got .*str.*: open it with open\(name, \"rb\"\)"):
        mt.load(io.StringIO("text"))


def test_files_that_are_not_there_damaged_or_something_else(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(FileNotFoundError):
        mt.load(path)
    mt.save({"a": [mt.ones(3)], "b": 1}, path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match="damaged|cannot be read"):
            mt.load(path)
    for content in (b"", whole[:-1], b"not a file"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="is no readable checkpoint"):
            mt.load(path)
    net, optimizer = trained()
    mt.training.save_checkpoint(path, net, optimizer, mt.training.History())
    with pytest.raises(CheckpointError, match=r"read it with training.load_checkpoint\(path\)"):
        mt.load(path)


# --- the files of torch.save ------------------------------------------------------------------------------


TYPES = ("float16", "int8", "int16", "int32", "int64", "uint8", "bool")


def theirs(value, **options):
    needs_torch()
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def as_numpy(value):
    if hasattr(value, "numpy"):
        return value.numpy(force=True) if isinstance(value, torch.Tensor) else value.detach().numpy()
    if isinstance(value, dict):
        return {key: as_numpy(item) for key, item in value.items()}
    return [as_numpy(item) for item in value] if isinstance(value, (list, tuple)) else value


def test_tensors_of_pytorch_are_read():
    needs_torch()
    base = torch.arange(24.0, dtype=torch.float64).reshape(2, 3, 4)
    values = {
        "views": [base, base.permute(2, 0, 1), base[1, 1:, ::2], base.expand(2, 2, 3, 4), torch.ones(0, 3)],
        "types": [torch.ones(2, dtype=getattr(torch, str(t))) for t in TYPES],
        "scalar": torch.tensor(2.5), "rest": (1, 2.5, "été", None, True, [], {}), "shape": base.shape,
    }  # fmt: skip
    loaded = mt.load(io.BytesIO(theirs(values)))
    np.testing.assert_equal(as_numpy(loaded), as_numpy(values))
    for ours, other in zip(loaded["types"], values["types"]):
        assert f"torch.{ours.dtype}" == str(other.dtype)
    loaded["views"][0][0, 0, 0] = 7.0  # views of one storage share it, as there
    assert loaded["views"][1][0, 0, 0].item() == 7.0
    assert isinstance(loaded["rest"], tuple) and loaded["shape"] == (2, 3, 4)


def test_a_training_goes_on_from_a_file_of_pytorch(tmp_path):
    needs_torch()
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).double()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.rand(4, 3, dtype=torch.float64)).square().sum().backward()
    optimizer.step()
    state = {"epoch": 3, "state_dict": net.state_dict(), "optimizer": optimizer.state_dict(), "w": net[0].weight}
    (tmp_path / "c.pth").write_bytes(theirs(state))
    ours, our_optimizer = trained()
    ours.double()
    loaded = mt.load(tmp_path / "c.pth")
    assert loaded["w"].requires_grad and loaded["w"].is_leaf
    ours.load_state_dict(loaded["state_dict"])
    our_optimizer.load_state_dict(loaded["optimizer"])
    for n, o, lib in ((net, optimizer, torch), (ours, our_optimizer, mt)):
        o.zero_grad()
        n(lib.arange(12, dtype=lib.float64).reshape(4, 3)).square().sum().backward()
        o.step()
    np.testing.assert_allclose(ours[0].weight.detach().numpy(), net[0].weight.detach().numpy(), rtol=1e-10)


class Runs:
    """What pickle makes a call of."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def archive(program, compression=zipfile.ZIP_STORED, **parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as z:
        for name, content in {"data.pkl": program, "byteorder": b"little", **parts}.items():
            z.writestr(f"x/{name}", content)
    return file.getvalue()


TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI2\ntQ%s\x89NtR."
PROGRAMS = {
    "an old opcode": (b"(Vtrue\niposix\nsystem\n.", r"it asks for posix\.system"),
    "by way of the table": (b"ccollections\nOrderedDict.__init__.__globals__\n.", r"it asks for collections\.Ordered"),
    "a function of the reader": (b"cminitorch_cnn.data.pth\nread_pth\n.", r"it asks for minitorch_cnn\.data\.pth"),
    "a network": (pickle.dumps(collections.Counter), r"it asks for collections\.Counter.*save net\.state_dict\(\)"),
    "an extension": (b"\x80\x02\x82\x01.", "unregistered extension code 1"),
    "a change of the table": (b"ctorch._utils\n_rebuild_tensor_v2\n}Vx\nI1\nsb.", "damaged"),
    "a change of the table's name": (b"ctorch._utils\n_rebuild_tensor_v2\n(N}V__defaults__\nI1\nstb.", "damaged"),
    "a change of the class": (b"ccollections\nOrderedDict\n(N}V__len__\nI1\nstb.", "damaged"),
    "a memo for nothing": (b"I1\nr\xff\xff\xff\x7f.", "would keep value number 2147483647 of 9"),
    "a long text": (b"X\xff\xff\xff\x7fa.", "damaged|expected 2147483647 bytes"),
    "no end": (b"I1\n", "damaged|no STOP|exhausted before"),
    "another reference": (b"(Vmodule\nctorch\nFloatStorage\nV0\nVcpu\nI2\ntQ.", "which is no storage"),
    "a storage that is not there": (TENSOR.replace(b"V0", b"V7") % b"I0\n(I2\nt(I1\nt", "damaged.*KeyError"),
    "a storage of another size": (TENSOR.replace(b"I2\ntQ", b"I3\ntQ") % b"I0\n(I2\nt(I1\nt", "has 8 bytes, for 3"),
    "too many numbers": (TENSOR % b"I0\n(I3\nt(I1\nt", "a tensor of 3 numbers and more of a storage that has 2"),
    "beyond the end": (TENSOR % b"I1\n(I2\nt(I1\nt", "a tensor of 3 numbers"),
    "before the start": (TENSOR % b"I-1\n(I1\nt(I1\nt", "of sizes that are none: -1"),
    "walking backwards": (TENSOR % b"I1\n(I2\nt(I-1\nt", "of sizes that are none"),
    "more sizes than strides": (TENSOR % b"I0\n(I2\nt(t", "of sizes that are none"),
    "a size that is no number": (TENSOR % b"I0\n(Va\nt(I1\nt", "of sizes that are none"),
    "bfloat16": (TENSOR.replace(b"Float", b"BFloat16") % b"I0\n(I2\nt(I1\nt", r"bfloat16.*convert with \.float\(\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_lies_or_asks_for_more_is_refused(name):
    program, message = PROGRAMS[name]
    with pytest.raises(CheckpointError, match=message):
        mt.load(io.BytesIO(archive(program, **{"data/0": b"\0" * 8})))


@pytest.mark.parametrize("function", [os.system, eval, os.mkdir], ids=lambda f: f.__name__)
def test_what_would_run_code_is_refused_and_not_run(function, tmp_path):
    canary = tmp_path / "c"
    call = {os.system: (f"touch {canary}",), eval: (f"open({str(canary)!r}, 'w').close()",), os.mkdir: (str(canary),)}
    program = pickle.dumps({"model": Runs(function, *call[function])}, protocol=2)
    pickle.loads(program)
    assert canary.exists()  # as for anyone who unpickles it
    (canary.rmdir if canary.is_dir() else canary.unlink)()
    with pytest.raises(CheckpointError, match=r"it asks for .*which is neither a tensor nor .* Nothing was run"):
        mt.load(io.BytesIO(archive(program)))
    assert not canary.exists()


def test_a_tensor_by_hand_is_read():
    content = archive(TENSOR % b"I0\n(I2\nt(I1\nt", **{"data/0": np.float32([1, 2]).tobytes()})
    assert mt.load(io.BytesIO(content)).tolist() == [1.0, 2.0]


def test_archives_that_are_packed_damaged_or_something_else():
    needs_torch()
    whole = theirs({"x": torch.arange(1000.0)})
    flipped = whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]
    bomb = archive(b"N.", zipfile.ZIP_DEFLATED, **{"data/0": b"\0" * 10**6})
    npz = io.BytesIO()
    np.savez(npz, x=np.ones(2))
    for content, message in [
        (whole[:-30], "damaged"),
        (flipped, "damaged"),
        (bomb, "its parts are larger than the file"),
        (npz.getvalue(), "without the one data.pkl that torch.save writes"),
        (archive(b"N.", byteorder=b"big"), "another byte order"),
        (theirs(torch.nn.Linear(1, 1)), r"it asks for torch\.nn\.modules\.linear\.Linear"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            mt.load(io.BytesIO(content))
    old = theirs({"x": torch.ones(2)}, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"an older torch.save writes. In PyTorch: torch.save\(torch.load"):
        mt.load(io.BytesIO(old))
