"""What a module consists of: parameters, buffers and parts, registered by name and found by path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn.parameter import Parameter

if TYPE_CHECKING:
    from minitorch_cnn.nn.module import Module

# What a module keeps, what it is called in messages, and what belongs there.
_REGISTRIES = {
    "_parameters": ("parameter", "nn.Parameter"),
    "_buffers": ("buffer", "Tensor"),
    "_modules": ("child module", "nn.Module"),
}


class Registry:
    """The attributes of a `Module`: its parameters, buffers and parts are kept in registries of their own."""

    def __init__(self) -> None:
        for registry in _REGISTRIES:
            object.__setattr__(self, registry, {})
        object.__setattr__(self, "_transient", set())  # the names of buffers that state_dict leaves out

    # --- attributes --------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._register("_parameters", name, value)
        elif isinstance(value, Registry):
            self._register("_modules", name, value)
        elif (registry := self._registry_of(name)) is None:
            object.__setattr__(self, name, value)
        elif value is None or (registry == "_buffers" and isinstance(value, Tensor)):
            self.__dict__[registry][name] = value
        else:
            self._refuse_value(registry, name, value)

    def __getattr__(self, name: str) -> Any:  # called only where the ordinary lookup has failed
        registry = self._registry_of(name)
        if registry is not None:
            return self.__dict__[registry][name]
        hint = ""
        if name == "training" or name in _REGISTRIES:
            hint = f": call super().__init__() first in {type(self).__name__}.__init__"
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{hint}")

    def __delattr__(self, name: str) -> None:
        registry = self._registry_of(name)
        if registry is None:
            object.__delattr__(self, name)
        else:
            del self.__dict__[registry][name]
            self._transient.discard(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def _registry_of(self, name):
        for registry in _REGISTRIES:
            if name in self.__dict__.get(registry, ()):
                return registry
        return None

    def _register(self, registry, name, value, is_new=False):
        kind = _REGISTRIES[registry][0]
        if registry not in self.__dict__:
            raise AttributeError(f"cannot assign a {kind} before Module.__init__() call: call super().__init__() first")
        if not isinstance(name, str):
            raise TypeError(f"the name of a {kind} should be a string, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f'the name of a {kind} can\'t be empty or contain ".", got {name!r}')
        if is_new and name not in self.__dict__[registry] and hasattr(self, name):
            raise KeyError(f"attribute '{name}' exists already; assign to it to replace it by a {kind}")
        if name in self.__dict__:
            object.__delattr__(self, name)
        elif self._registry_of(name) not in (None, registry):
            delattr(self, name)
        self.__dict__[registry][name] = value

    def _refuse_value(self, registry, name, value):
        kind, expected = _REGISTRIES[registry]
        raise TypeError(f"cannot assign '{type(value).__name__}' as {kind} '{name}' ({expected} or None expected)")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a `Parameter`, or None for one that is switched off, where no other attribute has its name."""
        if param is not None and not isinstance(param, Parameter):
            self._refuse_value("_parameters", name, param)
        self._register("_parameters", name, param, is_new=True)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module's state but is not learned, such as a running mean.

        Parameters
        ----------
        name : str
        tensor : Tensor or None
        persistent : bool
            Whether `state_dict` includes it.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            self._refuse_value("_buffers", name, tensor)
        self._register("_buffers", name, tensor, is_new=True)
        (self._transient.discard if persistent else self._transient.add)(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a part; the same as assigning it to an attribute, but that nothing else is replaced."""
        if module is not None and not isinstance(module, Registry):
            self._refuse_value("_modules", name, module)
        self._register("_modules", name, module, is_new=True)

    add_module = register_module

    # --- walks -------------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Yield ``(path, module)`` for this module and everything inside it, each module once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def _named_members(self, registry, prefix, recurse, remove_duplicate):
        seen = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in getattr(module, registry).items():
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield f"{path}.{name}" if path else name, member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield ``(path, Parameter)``; a parameter that is shared between modules comes once."""
        yield from self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield ``(path, Tensor)`` for the state that is not learned."""
        yield from self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield ``(name, module)`` for the direct parts."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self) -> Iterator[Module]:
        """Yield this module and everything inside it."""
        yield from (module for _, module in self.named_modules())

    def children(self) -> Iterator[Module]:
        """Yield the direct parts."""
        yield from (module for _, module in self.named_children())

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters, as an optimizer wants them."""
        yield from (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the state that is not learned."""
        yield from (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as ``"features.3"``; ``""`` is this module itself."""
        module = self
        for name in target.split(".") if target else ():
            if name not in module._modules:
                raise AttributeError(
                    f"{type(module).__name__} has no part `{name}`, looking for {target!r}; "
                    f"its parts are: {', '.join(module._modules) or 'none'}"
                )
            module = module._modules[name]
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as ``"features.3.weight"``."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if module._parameters.get(name) is None:
            raise AttributeError(
                f"{type(module).__name__} has no parameter `{name}`, looking for {target!r}; "
                f"its parameters are: {', '.join(module._parameters) or 'none'}"
            )
        return module._parameters[name]
