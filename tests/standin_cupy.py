"""A stand-in for CuPy that computes with NumPy and refuses what CuPy refuses, for tests on machines without a GPU.

What it keeps of CuPy:

* An array of the device never turns into a NumPy array by itself, and the two never meet in one operation (TypeError).
* Reductions and indexing return arrays of no dimension where NumPy returns scalars.
* Integer arrays used as indices wrap around silently when out of range.
* Only the names and keywords of the real library exist (``cupy_names.txt``): no ``errstate``, no ``exp(x, where=)``.
* What an elementwise operation returns lies in memory in C order, whatever the order of its arguments.
* Division by zero and overflow warn of nothing.
* ``RawModule`` runs the source of kernels itself, thread by thread (``cuda_on_cpu.py``).
* Between ``stream.begin_capture()`` and ``end_capture()`` nothing is computed: what is asked of the device is noted,
  and each ``launch()`` of the graph computes it anew, in the same memory. Until the first, results are garbage.
  Refused, as by CuPy, are reads back, cuBLAS, and whatever waits for the device; here also copies from the host, whose
  memory a graph would read again at each launch, and memory from outside a private pool, which others would get too.
* A pool that goes takes its memory along, also that of arrays which are still there: they hold garbage from then on.

It counts the copies in ``transfers``, so that a test can say "this loop reads nothing back". It is stricter than CuPy
in one point: NumPy's functions refuse its arrays, where CuPy answers some of them through ``__array_function__``.
"""

import contextlib
import functools
import itertools
import operator
import types
import weakref

import cuda_on_cpu
import cupy_names
import numpy as np

__version__ = "0 (stand-in)"
_NAMES = cupy_names.load()


class Transfers:
    """How many arrays went to the device, and how many reads waited for it, since the last ``reset()``."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.to_device = self.to_host = 0


transfers = Transfers()


class _State:
    """What the device is at: the stream that is current, the pool that memory comes from, the graph in the making."""

    def __init__(self):
        self.stream = self.allocator = self.graph = None


_state = _State()
CUBLAS = {"matmul", "dot", "vdot", "inner", "outer", "tensordot", "einsum", "kron", "ndarray.dot", "linalg.norm"}
WAITING = {"nonzero", "ndarray.nonzero", "flatnonzero", "argwhere", "unique", "extract", "array_equal", "allclose"}
NOT_COMPUTED = {"empty", "empty_like"}  # memory, and no launch
IN_PLACE = {"ndarray.fill", "ndarray.sort", "ndarray.partition", "ndarray.put"}


def _refuse_in_capture(what):
    if _state.graph is not None:
        raise cuda.runtime.CUDARuntimeError(
            f"cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing ({what})"
        )


def _refuse_cublas():
    if _state.graph is not None:
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")


def _result(compute):
    """What a function computes, as arrays of the device; while a graph is captured, noted to be computed later."""
    with np.errstate(all="ignore"):
        value = compute()
        if _state.graph is not None:
            value = type(value)(map(np.asarray, value)) if isinstance(value, (tuple, list)) else np.asarray(value)
            _state.graph.note_result(compute, value)
    return _wrap(value)


def _change(perform):
    """Change arrays in place; while a graph is captured, later."""
    if _state.graph is not None:
        _state.graph.note(perform)
    else:
        with np.errstate(all="ignore"):
            perform()


class ndarray:
    """An array "on the device": a NumPy array that nobody can reach but through this module."""

    __slots__ = ("__weakref__", "_host")
    __array_ufunc__ = None  # so that `numpy_array + x` comes to x.__radd__, which refuses it
    __hash__ = None

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        self._host = np.ndarray(shape, dtype, order=order)

    # What NumPy would call to make an array of it.
    def __array__(self, *args, **kwargs):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_function__(self, function, *_):
        raise TypeError(f"numpy.{function.__name__} was called with a cupy array; find it by get_array_module(x)")

    # What shares the memory with another library: here the host's array, there a device's.
    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        return self._host.__dlpack__(max_version=max_version)

    def __dlpack_device__(self):
        return 2, 0

    # Reads back to the host.
    def get(self, stream=None, order="C", out=None, blocking=True):
        _refuse_in_capture("a read back")
        transfers.to_host += 1
        if out is not None:
            np.copyto(out, self._host)
            return out
        return self._host.copy(order)

    def item(self):
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def tobytes(self, order="C"):
        return self.get(order=order).tobytes(order)

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __complex__(self):
        return complex(self.item())

    def __bool__(self):
        return bool(self.get())

    def __repr__(self):
        return repr(self.get())

    def __str__(self):
        return str(self.get())

    def __format__(self, spec):
        return format(self.item() if self.ndim == 0 else str(self), spec)

    # What costs no copy.
    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    @property
    def device(self):
        return cuda.Device(0)

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self._host.ctypes.data)

    @property
    def T(self):
        return _wrap(self._host.T)

    @property
    def base(self):
        return None if self._host.base is None else _wrap(self._host.base)

    @property
    def flags(self):  # CuPy knows three; "writeable" is not among them
        flags = self._host.flags
        return types.SimpleNamespace(
            c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata
        )

    def __getitem__(self, key):
        if any(getattr(getattr(e, "dtype", e), "kind", "") == "b" for e in (key if isinstance(key, tuple) else (key,))):
            _refuse_in_capture("indexing by a mask waits for the number of its elements")

        def compute():
            value = self._host[_key(key, self.shape)]
            if isinstance(value, np.generic):  # one element: in CuPy a view of it, of no dimension
                value = self._host[(*_key(key if isinstance(key, tuple) else (key,), self.shape), ...)]
            return value

        return _result(compute)

    def __setitem__(self, key, value):
        value = _unwrap(value)
        _change(lambda: operator.setitem(self._host, _key(key, self.shape), value))

    def __getattr__(self, name):
        if f"ndarray.{name}" not in _NAMES:
            raise AttributeError(f"'cupy.ndarray' object has no attribute '{name}'")
        value = getattr(self._host, name)
        return _function(value, f"ndarray.{name}") if callable(value) else value

    def take(self, indices, axis=None, out=None):
        return take(self, indices, axis, out)

    def copy(self, order="C"):
        return _result(lambda: self._host.copy(order))

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()


def _operator(name, reverse=False, in_place=False):
    function = getattr(operator, name + "_" if name in ("and", "or") else name)

    def method(self, *other):
        if name == "matmul":
            _refuse_cublas()
        other = tuple(_unwrap(value) for value in other)
        if in_place:
            _change(lambda: function(self._host, *other))
            return self
        operands = (*other, self._host) if reverse else (self._host, *other)
        return _result(lambda: np.asarray(function(*operands), order="C"))

    return method


for _name in ("neg", "pos", "abs", "invert", "eq", "ne", "lt", "le", "gt", "ge"):
    setattr(ndarray, f"__{_name}__", _operator(_name))
for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
):
    setattr(ndarray, f"__{_name}__", _operator(_name))
    setattr(ndarray, f"__r{_name}__", _operator(_name, reverse=True))
    if _name != "matmul":
        setattr(ndarray, f"__i{_name}__", _operator(f"i{_name}", in_place=True))


def _wrap(value):
    """Make arrays of the device out of what NumPy returned: a scalar becomes an array of no dimension."""
    if isinstance(value, (np.ndarray, np.generic)):
        array = ndarray.__new__(ndarray)
        array._host = value if isinstance(value, np.ndarray) else np.asarray(value)
        _allocated(array._host)
        return array
    if isinstance(value, (tuple, list)):
        return type(value)(_wrap(v) for v in value)
    return value


def _unwrap(value):
    """Open the arrays of the device for NumPy; refuse what comes from the host."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (tuple, list)):
        return type(value)(_unwrap(v) for v in value)
    return value


def _key(key, shape):
    """An index with its integer arrays wrapped around, as CuPy's kernels do (NumPy raises IndexError)."""
    if not isinstance(key, tuple):
        return _key((key,), shape)[0]
    entries = [k._host if isinstance(k, ndarray) else np.array(k) if isinstance(k, list) else k for k in key]
    consumed = [_axes_of(entry) for entry in entries]
    wrapped, axis = [], 0
    for entry, axes in zip(entries, consumed):
        if isinstance(entry, np.ndarray) and entry.dtype.kind in "iu" and entry.ndim and axis < len(shape):
            entry = entry % max(shape[axis], 1)
        wrapped.append(entry)
        axis = len(shape) - sum(consumed) + axis if entry is Ellipsis else axis + axes
    return tuple(wrapped)


def _axes_of(entry):
    """How many axes an entry of an index uses up."""
    if entry is None or entry is Ellipsis:
        return 0
    return entry.ndim if isinstance(entry, np.ndarray) and entry.dtype.kind == "b" else 1


def _function(function, name):
    """NumPy's function between a device's arguments and a device's result, with the keywords that CuPy knows."""
    parameters = _NAMES[name]

    @functools.wraps(function, updated=())
    def call(*args, **kwargs):
        for keyword in kwargs:
            if parameters is not None and keyword not in parameters:
                raise TypeError(f"cupy.{name}() got an unexpected keyword argument '{keyword}'")
        if parameters and parameters[0] in ("a", "condition") and args and not isinstance(args[0], ndarray):
            raise TypeError(f"cupy.{name}() takes a cupy.ndarray, not {type(args[0])}")
        if name in CUBLAS:
            _refuse_cublas()
        if name in WAITING:
            _refuse_in_capture(name)
        opened, args = {key: _unwrap(value) for key, value in kwargs.items()}, _unwrap(args)
        if kwargs.get("out") is not None or name in IN_PLACE:
            _change(lambda: function(*args, **opened))
            return kwargs.get("out")
        if name in NOT_COMPUTED and _state.graph is not None:
            return _wrap(_state.graph.new(function(*args, **opened)))
        if isinstance(function, np.ufunc):
            return _result(lambda: np.asarray(function(*args, **opened), order="C"))
        return _result(lambda: function(*args, **opened))

    if function is np.add:
        call.at = _add_at
    return call


def _add_at(a, indices, b=None):
    host, b = _require_device(a)._host, _unwrap(b)
    _change(lambda: np.add.at(host, _key(indices, a.shape), b))


def __getattr__(name):
    """Any other name of CuPy: NumPy's function of that name, a constant or a type as it is."""
    if name not in _NAMES:
        raise AttributeError(f"module 'cupy' has no attribute '{name}'")
    value = getattr(np, name)
    return _function(value, name) if callable(value) and not isinstance(value, type) else value


# Between host and device.


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    if isinstance(obj, ndarray):
        return _result(lambda: np.array(obj._host, dtype, copy=copy or None, order=order, ndmin=ndmin))
    _refuse_in_capture("a copy from the host")
    transfers.to_device += 1
    return _wrap(np.array(_from_device(obj), dtype, order=order if order != "A" else "K", ndmin=ndmin))


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    if isinstance(a, ndarray):
        is_right = order is None and (dtype is None or a.dtype == dtype)
        return a if is_right else _result(lambda: np.asarray(a._host, dtype, order))
    return array(a, dtype, order=order or "K")


class _Exported:
    """The memory that something on the device gives away, as NumPy takes it."""

    def __init__(self, owner):
        self.owner = owner

    def __dlpack__(self, *, max_version=None, **_):
        return self.owner.__dlpack__(max_version=max_version)

    def __dlpack_device__(self):
        return 1, 0


def from_dlpack(array, device=None, copy=None):
    return _wrap(np.from_dlpack(_Exported(array)))


def ascontiguousarray(a, dtype=None):
    host = _require_device(a)._host
    return _result(lambda: np.ascontiguousarray(host, dtype))


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get(stream, order, out) if isinstance(a, ndarray) else np.asarray(a, order=order)


def get_array_module(*args):
    import sys

    return sys.modules[__name__] if any(isinstance(a, ndarray) for a in args) else np


def copyto(dst, src, casting="same_kind", where=None):
    host, src, where = _require_device(dst)._host, _unwrap(src), True if where is None else _unwrap(where)
    _change(lambda: np.copyto(host, src, casting, where))


def _from_device(obj):
    """Lists may hold the device's arrays; CuPy stacks them."""
    if isinstance(obj, (list, tuple)):
        return [_from_device(o) for o in obj]
    return obj._host if isinstance(obj, ndarray) else obj


def _require_device(a):
    if not isinstance(a, ndarray):
        raise TypeError(f"Unsupported type {type(a)}")
    return a


# Functions whose indices wrap around.


def take(a, indices, axis=None, out=None):
    host, indices = _require_device(a)._host, _from_device(indices)
    if out is not None:
        _change(lambda: np.take(host, indices, axis, out._host, mode="wrap"))
        return out
    return _result(lambda: np.take(host, indices, axis, mode="wrap"))


def take_along_axis(a, indices, axis):
    host = _require_device(a)._host
    length = host.size if axis is None else host.shape[axis]
    indices = _require_device(indices)._host
    return _result(lambda: np.take_along_axis(host, indices % max(length, 1), axis))


def put_along_axis(arr, indices, values, axis):
    host = _require_device(arr)._host
    length = host.size if axis is None else host.shape[axis]
    indices, values = _require_device(indices)._host, _unwrap(values)
    _change(lambda: np.put_along_axis(host, indices % max(length, 1), values, axis))


# Kernels from source.


class RawModule:
    """CUDA C, compiled for the CPU."""

    def __init__(self, code=None, *, options=()):
        self._module = cuda_on_cpu.Module(code, options)

    def get_function(self, name):
        return RawKernel(self._module.get_function(name))


class RawKernel:
    """A kernel; an array among its arguments is passed as a pointer, a NumPy scalar or structure by value."""

    def __init__(self, kernel):
        self._kernel = kernel

    def __call__(self, grid, block, args, *, shared_mem=0):
        prepared = self._kernel.prepare([_Pointer(a) if isinstance(a, ndarray) else a for a in args])
        _change(lambda: self._kernel.run(grid, block, prepared))


class _Pointer:
    """The address of an array, and the type of what lies there."""

    def __init__(self, array):
        self.data_ptr, self.dtype = array.data.ptr, array.dtype


# Questions about shapes and memory, answered by the host without a copy.


def may_share_memory(a, b, max_work=None):
    return np.may_share_memory(_require_device(a)._host, _require_device(b)._host)


def shares_memory(a, b, max_work=None):
    return np.shares_memory(_require_device(a)._host, _require_device(b)._host)


def ndim(a):
    return np.ndim(_from_device(a))


def shape(a):
    return np.shape(_from_device(a))


def size(a, axis=None):
    return np.size(_from_device(a), axis)


def is_available():
    return True


class _Stream:
    """A queue of work that is always done, but for the time of a capture."""

    null = None

    def __init__(self, null=False, non_blocking=False, ptds=False):
        self.before = []

    def synchronize(self):
        _refuse_in_capture("to wait for the device")

    def use(self):
        _state.stream = self
        return self

    def __enter__(self):
        self.before.append(_state.stream)
        return self.use()

    def __exit__(self, *_):
        _state.stream = self.before.pop()

    def is_capturing(self):
        return _state.graph is not None and _state.graph.stream is self

    def begin_capture(self, mode=None):
        if self is _Stream.null:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        assert _state.graph is None
        _state.graph = _Graph(self)

    def end_capture(self):
        graph, _state.graph = _state.graph, None
        return graph


_Stream.null = _state.stream = _Stream()


class _Graph:
    """What was asked of the device during a capture."""

    def __init__(self, stream):
        self.stream, self.work, self.memory = stream, [], []
        self.pool = lambda: None
        if _state.allocator is not None:
            self.pool = weakref.ref(_MemoryPool.of(_state.allocator(1)))

    def note(self, perform):
        assert _state.stream is self.stream, "cudaErrorStreamCaptureImplicit: work for another stream during a capture"
        self.work.append(perform)

    def note_result(self, compute, value):
        """New arrays among the values are to be filled at each launch; a view already shows what it shows."""

        def each(value):
            return value if isinstance(value, (tuple, list)) else (value,)

        again = each(compute())  # what is computed twice lies in two places, unless it is a view
        new = [i for i, (a, b) in enumerate(zip(each(value), again)) if a.ctypes.data != np.asarray(b).ctypes.data]
        if not new:
            return

        def perform():
            computed = each(compute())
            for i in new:
                np.copyto(each(value)[i], computed[i])

        self.note(perform)
        for i in new:
            self.new(each(value)[i])

    def new(self, array):
        """Memory that a graph writes to at each launch, and never holds anything before."""
        assert _state.allocator is not None, "memory from the common pool during a capture: others will get it as well"
        array.fill(np.nan if array.dtype.kind == "f" else 1)
        self.memory.append(array)  # as a pool keeps it: kernels know no more than its address
        return array

    def launch(self, stream=None):
        assert self.pool() is not None, "the memory of this graph was given back"
        _refuse_in_capture("the launch of a graph")
        with np.errstate(all="ignore"):
            for perform in self.work:
                perform()


class _MemoryPool:
    """A pool; where memory lies is NumPy's business, but whose it is, this tells.

    As in CuPy, a piece of memory does not keep its pool. When that goes, the memory is freed, whoever still has it.
    """

    def __init__(self):
        self.arrays = []
        weakref.finalize(self, _free, self.arrays)

    def malloc(self, size):
        address = 512 * next(_addresses)
        _pools[address] = self
        return _MemoryPointer(_UnownedMemory(address, size, None, 0), 0)

    @staticmethod
    def of(pointer):
        return _pools[pointer.ptr]


class _UnownedMemory:
    def __init__(self, ptr, size, owner, device_id=-1):
        self.ptr, self.size, self.owner, self.device_id = ptr, size, owner, device_id


class _MemoryPointer:
    def __init__(self, mem, offset):
        self.mem, self.ptr, self.device_id = mem, mem.ptr + offset, mem.device_id


_addresses = itertools.count(1)
_pools = weakref.WeakValueDictionary()  # by the address of each piece
_memory = weakref.WeakValueDictionary()  # the memory of all arrays, by id


def _allocated(host):
    """Ask the allocator that is in use for the memory of an array, if it is new; the array keeps the answer.

    What a graph computes keeps nothing: its kernels know no more than addresses.
    """
    while isinstance(host.base, np.ndarray):
        host = host.base
    if _memory.get(id(host)) is host:
        return
    _memory[id(host)] = host
    if _state.allocator is not None and _state.graph is None:
        pointer = _state.allocator(host.nbytes)
        _MemoryPool.of(pointer).arrays.append(weakref.ref(host))
        weakref.finalize(host, id, pointer)


def _free(arrays):
    """Let what lies in freed memory be what somebody else has written there."""
    for host in (array() for array in arrays):
        if host is not None:
            host.fill(np.nan if host.dtype.kind == "f" else 1)


@contextlib.contextmanager
def _using_allocator(allocator=None):
    before, _state.allocator = _state.allocator, allocator
    try:
        yield
    finally:
        _state.allocator = before


class _Device(_Stream):
    """Device 0 is the only one."""

    def __init__(self, device=None):
        self.id = 0 if device is None else int(device)
        if self.id != 0:
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def __int__(self):
        return self.id

    def __eq__(self, other):
        return int(self) == int(other)

    __hash__ = __int__

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    mem_info = property(lambda self: (2**33, 2**33))


cuda = types.SimpleNamespace(
    Device=_Device,
    Stream=_Stream,
    Graph=_Graph,
    MemoryPool=_MemoryPool,
    MemoryPointer=_MemoryPointer,
    UnownedMemory=_UnownedMemory,
    using_allocator=_using_allocator,
    is_available=is_available,
    get_device_id=lambda: 0,
    get_current_stream=lambda device_id=-1: _state.stream,
    runtime=types.SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda device: {"name": b"stand-in"},
        runtimeGetVersion=lambda: 12090,
        driverGetVersion=lambda: 13010,
        deviceSynchronize=lambda: _refuse_in_capture("to wait for the device"),
        CUDARuntimeError=type("CUDARuntimeError", (RuntimeError,), {}),
    ),
)


def _as_strided(x, shape=None, strides=None):
    host = _require_device(x)._host
    return _result(lambda: np.lib.stride_tricks.as_strided(host, shape, strides))


lib = types.SimpleNamespace(
    stride_tricks=types.SimpleNamespace(
        as_strided=_as_strided,
        sliding_window_view=_function(
            np.lib.stride_tricks.sliding_window_view, "lib.stride_tricks.sliding_window_view"
        ),
    )
)
linalg = types.SimpleNamespace(norm=_function(np.linalg.norm, "linalg.norm"))
ufunc = type("ufunc", (), {})
