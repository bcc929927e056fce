"""CUDA C compiled as C++ and run on the CPU: what ``cupy.RawModule`` is to a GPU, with no GPU.

The kernels are those that the package ships, to the last character; `cuda_on_cpu.h` gives the words of CUDA their
meaning. Checked at each launch, as no GPU would check it: that arguments have the types of the kernel's parameters.
"""

import ctypes
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
POINTERS = {"long long": "i8", "int": "i4"}  # of CUDA's types, the NumPy type of the array behind a pointer
order = 1  # -1: the threads of a block take their turns from the last to the first


def compiler():
    """A C++ compiler; where there is none the test is skipped, but not in continuous integration."""
    found = next(filter(None, map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))), None)
    if found is None:
        message = "no C++ compiler is installed: kernels cannot be run on the CPU"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return found


class Module:
    """The kernels of a source; `options` are those of NVRTC, of which only definitions matter here."""

    def __init__(self, code, options=()):
        definitions = [option for option in options if option.startswith("-D")]
        self.real = next(option.partition("=")[2] for option in definitions if option.startswith("-DREAL="))
        found = re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)\s*\{(.*?)\n\}', code, re.DOTALL)
        kernels = [f"KERNEL({name}, {str('__syncthreads' in body).lower()})" for name, _, body in found]
        self.parameters = {name: [p.strip() for p in parameters.split(",")] for name, parameters, _ in found}
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
            header = f'#include "{HERE / "cuda_on_cpu.h"}"\n#line 1 "kernels.cu"\n'
            source.write_text(header + code + "\n" + "\n".join(kernels), encoding="utf-8")
            flags = ["-std=c++17", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
            command = [compiler(), *flags, *definitions, str(source), "-o", str(library)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stderr
            self.library = ctypes.CDLL(str(library))

    def get_function(self, name):
        return Kernel(self, name)


class Kernel:
    """A kernel: called as CuPy's are, with a grid, a block, and arguments that are laid before it by address."""

    def __init__(self, module, name):
        self.name, self.parameters, self.real = name, module.parameters[name], module.real
        self.launch = getattr(module.library, f"launch_{name}")
        self.launch.restype = ctypes.c_bool
        sizes = (ctypes.c_size_t * 64)()
        count = getattr(module.library, f"sizes_of_{name}")(sizes)
        self.sizes = list(sizes)[:count]

    def prepare(self, args):
        """The arguments in memory, checked: an array becomes its address, as in CuPy; others go by value."""
        assert len(args) == len(self.parameters), f"{self.name} takes {len(self.parameters)} arguments, got {len(args)}"
        prepared = []
        for value, parameter, size in zip(args, self.parameters, self.sizes, strict=True):
            kind = re.sub(r"\bconst\b|\b\w+$", "", parameter).strip()  # "const real* x" -> "real*"
            if kind.endswith("*"):
                kind = kind.removesuffix("*").strip()
                expected = {"float": "f4", "double": "f8"}[self.real] if kind == "real" else POINTERS[kind]
                assert hasattr(value, "data_ptr"), f"{self.name}: {parameter} is a pointer, got {type(value)}"
                assert value.dtype == expected, f"{self.name}: {parameter} got an array of {value.dtype}"
                value = np.array([value.data_ptr], "u8")
            elif kind in POINTERS:
                assert type(value) is np.dtype(POINTERS[kind]).type, f"{self.name}: {parameter} got {type(value)}"
                value = np.array([value])
            else:
                assert isinstance(value, np.ndarray) and value.dtype.names, f"{self.name}: {parameter} is a structure"
            assert value.nbytes == size, f"{self.name}: {parameter} has {size} bytes, got {value.nbytes}"
            prepared.append(value)
        return prepared

    def run(self, grid, block, prepared):
        """All threads of a launch, whose arguments are in memory."""
        sizes = [(ctypes.c_uint * 3)(*(*size, 1, 1)[:3]) for size in (grid, block)]
        assert np.prod([*block]) <= 1024 and max(*grid[1:], 0, 0) <= 65535, f"{self.name}: {grid} x {block} is too much"
        addresses = (ctypes.c_void_p * len(prepared))(*(value.ctypes.data for value in prepared))
        assert self.launch(*sizes, addresses, order), f"{self.name}: not all threads reached __syncthreads()"
