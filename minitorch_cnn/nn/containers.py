"""Modules made of modules: Sequential and ModuleList."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, overload

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import Self
from minitorch_cnn.nn.module import Module

__all__ = ["ModuleList", "Sequential"]


class _Numbered(Module):
    """Modules in order, reached by their index as well as by their name."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Module | Self:
        if isinstance(index, slice):
            return self._slice(index)
        return self._modules[self._name_of(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_of(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._name_of(index)]
        for name in names:
            delattr(self, name)
        if all(name.isdigit() for name in self._modules):  # close the gap
            self._renumber(self)

    def __add__(self, other: Iterable[Module]) -> Self:
        """A container of the same kind with the modules of both."""
        if not isinstance(other, _Numbered):
            return NotImplemented
        return self._of([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one at `index`; those after it move by one. Returns this container.

        Raises
        ------
        IndexError
            If the index is out of range.
        """
        modules = list(self)
        if not -len(modules) <= index <= len(modules):
            raise IndexError(f"index {index} is out of range: {type(self).__name__} has {len(modules)} modules")
        modules.insert(index, module)
        self.register_module(str(len(self)), module)
        self._renumber(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Take out the module at `index`, the last by default, and return it."""
        module = self[index]
        del self[index]
        return module

    def _renumber(self, modules):
        object.__setattr__(self, "_modules", {str(i): module for i, module in enumerate(modules)})

    def _name_of(self, index):
        names = list(self._modules)
        if not -len(names) <= index < len(names):
            raise IndexError(f"index {index} is out of range: {type(self).__name__} has {len(names)} modules")
        return names[index]

    def append(self, module: Module) -> Self:
        """Add a module at the end. Returns this container."""
        self.register_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end. Returns this container."""
        for module in modules:
            self.append(module)
        return self


class Sequential(_Numbered):
    """Modules that are called one after the other, each on the output of the one before.

    Parameters
    ----------
    *modules : Module
        Named ``"0"``, ``"1"``, ...; or a single dict, which names them.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> from minitorch_cnn import nn
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> net(mt.zeros(3, 2, 2)).shape
    (3, 2)
    >>> net[-1]
    Linear(in_features=4, out_features=2, bias=True)
    """

    def __init__(self, *modules: Module | dict[str, Module]) -> None:
        super().__init__()
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], dict) else None
        for name, module in enumerate(modules) if named is None else named.items():
            self.register_module(str(name), module)

    def forward(self, input: Any) -> Tensor:
        for module in self:
            input = module(input)
        return input

    def _slice(self, index):
        return type(self)(dict(list(self._modules.items())[index]))

    def _of(self, modules):
        return type(self)(*modules)


class ModuleList(_Numbered):
    """A list of modules whose parameters are found, which those of a Python list are not. It has no `forward`.

    Parameters
    ----------
    modules : iterable of Module, optional

    Examples
    --------
    >>> from minitorch_cnn import nn
    >>> layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def _slice(self, index):
        return self._of(list(self)[index])

    def _of(self, modules):
        return type(self)(modules)
