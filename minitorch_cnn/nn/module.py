"""Module: the base class of layers and networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from minitorch_cnn.autograd.hooks import Hooks, RemovableHandle
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import DeviceLike, DType, HasForward, P, R, Self
from minitorch_cnn.backend.arguments import destination
from minitorch_cnn.backend.dtypes import is_floating
from minitorch_cnn.nn import state
from minitorch_cnn.nn.explain import run
from minitorch_cnn.nn.registry import Registry
from minitorch_cnn.nn.state import IncompatibleKeys
from minitorch_cnn.optim.optimizer import zero_grad

__all__ = ["Module"]


class Module(Registry):
    """The base class of layers and networks.

    Assign parameters and other modules to attributes in ``__init__``, after ``super().__init__()``, and write
    ``forward``. Names and behaviour are those of ``torch.nn.Module``.

    Attributes
    ----------
    training : bool
        True after construction and `train`, False after `eval`. Dropout and batch normalisation look at it.
    receptive_field : {None, "same", "all"} or (kernel, stride)
        What an element of the output sees of the input, for `summary`: the element at its own place, everything, or a
        window: its size and the step from one to the next, numbers or pairs of them for height and width. None, unless
        a layer states it: then it is what the operations of `forward` tell, or unknown.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> from minitorch_cnn import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(mt.tensor(3.0))
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(mt.tensor([1.0, 2.0])).tolist()
    [3.0, 6.0]
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    training: bool
    receptive_field: Any = None
    _is_hooked = False  # whether a user ever hung a hook on it

    def __init__(self) -> None:
        super().__init__()
        self.training = True

    def __call__(self: HasForward[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return run(self, args, kwargs)  # self.forward(*args, **kwargs), with errors that name the layer

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    # --- hooks -------------------------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Have ``hook(module, args)`` called before each `forward`.

        Parameters
        ----------
        hook : function
            Of this module and the tuple of its inputs; what it returns takes their place, unless that is None.
        prepend : bool
            Whether to call it before the hooks that are there.
        with_kwargs : bool
            Whether it is called as ``hook(module, args, kwargs)``; then it may return a pair (args, kwargs).

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook off again.
        """
        return self._hang("_forward_pre_hooks", hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Have ``hook(module, args, output)`` called after each `forward`.

        Parameters
        ----------
        hook : function
            Of this module, the tuple of its inputs and its output; what it returns takes the place of the output,
            unless that is None.
        prepend : bool
            Whether to call it before the hooks that are there.
        with_kwargs : bool
            Whether it is called as ``hook(module, args, kwargs, output)``.

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook off again.

        Examples
        --------
        >>> import minitorch_cnn as mt
        >>> from minitorch_cnn import nn
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> handle = net[0].register_forward_hook(lambda module, args, output: print(output.shape))
        >>> y = net(mt.zeros(3, 2, 2))
        (3, 4)
        >>> handle.remove()
        """
        return self._hang("_forward_hooks", hook, prepend, with_kwargs)

    def _hang(self, place, hook, prepend, with_kwargs):
        if not self._is_hooked:
            self._is_hooked, self._forward_pre_hooks, self._forward_hooks = True, Hooks(), Hooks()
        return getattr(self, place).add(hook, prepend, with_kwargs)

    # --- modes, devices, types ---------------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn(module)`` on every part, innermost first, and on this module. Returns this module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch to training (or, with False, to evaluation), with everything inside. Returns this module."""
        if not isinstance(mode, bool):
            raise ValueError(f"training mode is expected to be boolean, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation: the same as ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set `requires_grad` of every parameter; False freezes them. Returns this module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of every parameter."""
        zero_grad(self.parameters(), set_to_none)

    def to(
        self,
        *args: DeviceLike | DType | Tensor | bool,
        device: DeviceLike = None,
        dtype: DType = None,
        non_blocking: bool = False,
    ) -> Self:
        """Move to a device, change the floating-point type, or both. Returns this module.

        Parameters are converted in place: an optimizer that was made before keeps working.

        Parameters
        ----------
        *args : device, dtype or Tensor
            As in `Tensor.to`.
        non_blocking : bool
            Without meaning here: a transfer is complete when this returns.

        Examples
        --------
        >>> import minitorch_cnn as mt
        >>> from minitorch_cnn import nn
        >>> nn.Linear(2, 1).to("cpu", mt.float64).weight.dtype
        dtype('float64')
        """
        device, dtype = destination(args, device, dtype)
        if dtype is not None and not is_floating(dtype):
            raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype}")
        for tensor in [*self.parameters(), *self.buffers()]:
            state.convert_(tensor, device, dtype)
        return self

    def float(self) -> Self:
        """Make every floating-point parameter and buffer float32."""
        return self.to(dtype="float32")

    def double(self) -> Self:
        """Make every floating-point parameter and buffer float64, as numerical gradient checks need."""
        return self.to(dtype="float64")

    def cuda(self) -> Self:
        """Move to the GPU."""
        return self.to("cuda")

    def cpu(self) -> Self:
        """Move to the CPU."""
        return self.to("cpu")

    # --- state -------------------------------------------------------------------------------------------

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """Every parameter and persistent buffer by its path; the tensors share their memory with the module.

        Parameters
        ----------
        prefix : str
            Put before every path.
        keep_vars : bool
            Whether to return the parameters themselves, not detached tensors.

        Returns
        -------
        dict of str to Tensor
        """
        return state.collect(self, prefix, keep_vars)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy tensors from a `state_dict` into the parameters and buffers of the same path.

        Parameters
        ----------
        state_dict : dict of str to Tensor, numpy.ndarray or torch.Tensor
            Values are converted to the type and device of what they are copied into.
        strict : bool
            Whether the paths have to agree exactly.

        Returns
        -------
        IncompatibleKeys
            ``missing_keys`` and ``unexpected_keys``.

        Raises
        ------
        RuntimeError
            With all that does not fit. In this case nothing has been changed.
        """
        return state.load_(self, state_dict, strict)

    # --- cost and text --------------------------------------------------------------------------------------------

    def multiply_adds(self, input: Any, output: Any) -> int:
        """How many multiplications, each with an addition, made this output of this input; for `summary`."""
        return 0

    def extra_repr(self) -> str:
        """What stands between the brackets of the layer's repr."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        lines += [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        if not self._modules and len(lines) <= 1:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"
