"""What can be computed with a tensor: each method is the function of the same name in `minitorch_cnn`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, overload

import minitorch_cnn as mt  # the names behind `mt.` are looked up when a method runs: see operators.py
from minitorch_cnn.backend.annotations import DeviceLike, Dims, DType, Ints, TensorLike, Tensors

if TYPE_CHECKING:
    from minitorch_cnn.autograd.hooks import RemovableHandle
    from minitorch_cnn.autograd.tensor import Tensor
    from minitorch_cnn.ops.reduce import Extremum, TopK


class Conversions:
    """The methods of `Tensor` that are named after types; apart, so that elsewhere ``int`` means Python's."""

    __slots__ = ()

    def float(self) -> Tensor:
        """This tensor in float32."""
        return self.to(mt.float32)

    def double(self) -> Tensor:
        """This tensor in float64."""
        return self.to(mt.float64)

    def int(self) -> Tensor:
        """This tensor in int32."""
        return self.to(mt.int32)

    def long(self) -> Tensor:
        """This tensor in int64."""
        return self.to(mt.int64)

    def bool(self) -> Tensor:
        """Which elements are not zero."""
        return self.to(mt.bool)

    def type(self, dtype: DType) -> Tensor:
        """This tensor in another type."""
        return self.to(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """This tensor in the type of `other`."""
        return self.to(other.dtype)


class Methods:
    """The methods of `Tensor` that compute something new."""

    __slots__ = ()

    # --- element by element -------------------------------------------------------------------------------

    def exp(self) -> Tensor:
        """e to the power of each element."""
        return mt.exp(self)

    def log(self) -> Tensor:
        """The natural logarithm of each element."""
        return mt.log(self)

    def sqrt(self) -> Tensor:
        """The square root of each element."""
        return mt.sqrt(self)

    def square(self) -> Tensor:
        """Each element times itself."""
        return mt.square(self)

    def sin(self) -> Tensor:
        """The sine of each element."""
        return mt.sin(self)

    def cos(self) -> Tensor:
        """The cosine of each element."""
        return mt.cos(self)

    def abs(self) -> Tensor:
        """The absolute value of each element."""
        return mt.abs(self)

    def neg(self) -> Tensor:
        """Minus each element."""
        return mt.neg(self)

    def sign(self) -> Tensor:
        """-1, 0 or 1 by the sign of each element."""
        return mt.sign(self)

    def floor(self) -> Tensor:
        """The largest integer not above each element."""
        return mt.floor(self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x)) of each element x."""
        return mt.sigmoid(self)

    def tanh(self) -> Tensor:
        """The hyperbolic tangent of each element."""
        return mt.tanh(self)

    def relu(self) -> Tensor:
        """max(x, 0) of each element x."""
        return mt.relu(self)

    def isnan(self) -> Tensor:
        """Which elements are not a number."""
        return mt.isnan(self)

    def isinf(self) -> Tensor:
        """Which elements are infinite."""
        return mt.isinf(self)

    def isfinite(self) -> Tensor:
        """Which elements are finite."""
        return mt.isfinite(self)

    def add(self, other: TensorLike, *, alpha: float = 1) -> Tensor:
        """The sum with ``alpha * other``, element by element."""
        return mt.add(self, other, alpha=alpha)

    def sub(self, other: TensorLike, *, alpha: float = 1) -> Tensor:
        """The difference from ``alpha * other``, element by element."""
        return mt.sub(self, other, alpha=alpha)

    def mul(self, other: TensorLike) -> Tensor:
        """The product, element by element."""
        return mt.mul(self, other)

    def div(self, other: TensorLike, *, rounding_mode: Literal["trunc", "floor"] | None = None) -> Tensor:
        """The quotient, element by element."""
        return mt.div(self, other, rounding_mode=rounding_mode)

    def pow(self, exponent: TensorLike) -> Tensor:
        """Each element to the power of `exponent`."""
        return mt.pow(self, exponent)

    def eq(self, other: TensorLike) -> Tensor:
        """Where the elements are equal."""
        return mt.eq(self, other)

    def ne(self, other: TensorLike) -> Tensor:
        """Where the elements differ."""
        return mt.ne(self, other)

    def lt(self, other: TensorLike) -> Tensor:
        """Where this tensor's elements are smaller."""
        return mt.lt(self, other)

    def le(self, other: TensorLike) -> Tensor:
        """Where this tensor's elements are smaller or equal."""
        return mt.le(self, other)

    def gt(self, other: TensorLike) -> Tensor:
        """Where this tensor's elements are larger."""
        return mt.gt(self, other)

    def ge(self, other: TensorLike) -> Tensor:
        """Where this tensor's elements are larger or equal."""
        return mt.ge(self, other)

    def clamp(self, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
        """Each element, held between `min` and `max`."""
        return mt.clamp(self, min, max)

    def where(self, condition: Tensor, other: TensorLike) -> Tensor:
        """This tensor's elements where `condition` holds, else those of `other`."""
        return mt.where(condition, self, other)

    # --- reductions ---------------------------------------------------------------------------------------

    def sum(
        self, dim: Dims = None, keepdim: bool = False, *, dtype: DType = None, axis: Dims = None, keepdims: bool = False
    ) -> Tensor:
        """The sum over all dimensions or over some."""
        return mt.sum(self, dim, keepdim or keepdims, dtype=dtype, axis=axis)

    def mean(
        self, dim: Dims = None, keepdim: bool = False, *, dtype: DType = None, axis: Dims = None, keepdims: bool = False
    ) -> Tensor:
        """The mean over all dimensions or over some."""
        return mt.mean(self, dim, keepdim or keepdims, dtype=dtype, axis=axis)

    def var(
        self,
        dim: Dims = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: int = 1,
        axis: Dims = None,
        keepdims: bool = False,
    ) -> Tensor:
        """The variance over all dimensions or over some."""
        return mt.var(self, dim, unbiased, keepdim or keepdims, correction=correction, axis=axis)

    def std(
        self,
        dim: Dims = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: int = 1,
        axis: Dims = None,
        keepdims: bool = False,
    ) -> Tensor:
        """The standard deviation over all dimensions or over some."""
        return mt.std(self, dim, unbiased, keepdim or keepdims, correction=correction, axis=axis)

    def norm(
        self,
        p: float | str = "fro",
        dim: Dims = None,
        keepdim: bool = False,
        dtype: DType = None,
        *,
        axis: Dims = None,
        keepdims: bool = False,
    ) -> Tensor:
        """The norm of the elements, over all dimensions or over some."""
        return mt.norm(self, p, dim, keepdim or keepdims, dtype, axis=axis)

    def cumsum(self, dim: int | None = None, *, dtype: DType = None, axis: int | None = None) -> Tensor:
        """The sums of the elements up to each along `dim`."""
        return mt.cumsum(self, dim, dtype=dtype, axis=axis)

    def gather(self, dim: int, index: Tensor) -> Tensor:
        """Of each line along `dim`, the elements at the places that `index` names."""
        return mt.gather(self, dim, index)

    def topk(
        self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, axis: int | None = None
    ) -> TopK:
        """The `k` largest or smallest elements along `dim`: the pair (values, indices)."""
        return mt.topk(self, k, dim, largest, sorted, axis=axis)

    @overload
    def max(
        self, dim: Tensor | None = None, keepdim: bool = False, *, axis: None = None, keepdims: bool = False
    ) -> Tensor: ...
    @overload
    def max(
        self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
    ) -> Extremum: ...
    def max(
        self, dim: int | Tensor | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
    ) -> Tensor | Extremum:
        """The largest element; with `dim`, the pair (values, indices) along it."""
        return mt.max(self, dim, keepdim or keepdims, axis=axis)

    @overload
    def min(
        self, dim: Tensor | None = None, keepdim: bool = False, *, axis: None = None, keepdims: bool = False
    ) -> Tensor: ...
    @overload
    def min(
        self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
    ) -> Extremum: ...
    def min(
        self, dim: int | Tensor | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
    ) -> Tensor | Extremum:
        """The smallest element; with `dim`, the pair (values, indices) along it."""
        return mt.min(self, dim, keepdim or keepdims, axis=axis)

    def amax(self, dim: Dims = (), keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
        """The largest element over all dimensions or over some."""
        return mt.amax(self, dim, keepdim or keepdims, axis=axis)

    def amin(self, dim: Dims = (), keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
        """The smallest element over all dimensions or over some."""
        return mt.amin(self, dim, keepdim or keepdims, axis=axis)

    def argmax(
        self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
    ) -> Tensor:
        """The index of the first largest element."""
        return mt.argmax(self, dim, keepdim or keepdims, axis=axis)

    def argmin(
        self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
    ) -> Tensor:
        """The index of the first smallest element."""
        return mt.argmin(self, dim, keepdim or keepdims, axis=axis)

    def logsumexp(
        self, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False
    ) -> Tensor:
        """log(sum(exp(x))) along `dim`, without overflow."""
        return mt.logsumexp(self, dim, keepdim or keepdims, axis=axis)

    def softmax(self, dim: int | None = None, dtype: DType = None, *, axis: int | None = None) -> Tensor:
        """exp(x) / sum(exp(x)) along `dim`."""
        return mt.softmax(self, dim, dtype, axis=axis)

    def log_softmax(self, dim: int | None = None, dtype: DType = None, *, axis: int | None = None) -> Tensor:
        """The logarithm of `softmax`, without overflow."""
        return mt.log_softmax(self, dim, dtype, axis=axis)

    def any(self, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
        """Whether any element is true."""
        return mt.any(self, dim, keepdim or keepdims, axis=axis)

    def all(self, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
        """Whether all elements are true."""
        return mt.all(self, dim, keepdim or keepdims, axis=axis)

    # --- products -----------------------------------------------------------------------------------------

    def matmul(self, other: TensorLike) -> Tensor:
        """The matrix product."""
        return mt.matmul(self, other)

    def mm(self, mat2: Tensor) -> Tensor:
        """The product of two matrices."""
        return mt.mm(self, mat2)

    def mv(self, vec: Tensor) -> Tensor:
        """The product of a matrix and a vector."""
        return mt.mv(self, vec)

    def dot(self, tensor: Tensor) -> Tensor:
        """The dot product of two vectors."""
        return mt.dot(self, tensor)

    # --- shape --------------------------------------------------------------------------------------------

    def reshape(self, *shape: Ints) -> Tensor:
        """The same elements in another shape; one size may be -1."""
        return mt.reshape(self, *shape)

    def view(self, *shape: Ints) -> Tensor:
        """The same memory in another shape; one size may be -1."""
        return mt.ops.shape.view(self, *shape)

    def view_as(self, other: Tensor) -> Tensor:
        """The same memory in the shape of `other`."""
        return self.view(other.shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """The dimensions from `start_dim` to `end_dim` made one."""
        return mt.flatten(self, start_dim, end_dim)

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Tensor:
        """One dimension split into several."""
        return mt.unflatten(self, dim, sizes)

    def permute(self, *dims: Ints) -> Tensor:
        """The dimensions in another order."""
        return mt.permute(self, *dims)

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Two dimensions exchanged."""
        return mt.transpose(self, dim0, dim1)

    def t(self) -> Tensor:
        """A matrix transposed."""
        return mt.t(self)

    @property
    def T(self) -> Tensor:
        """The dimensions in reverse order."""
        return mt.permute(self, *reversed(range(self.ndim)))

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged."""
        return mt.transpose(self, -2, -1)

    def squeeze(self, dim: Dims = None, *, axis: Dims = None) -> Tensor:
        """Without dimensions of size 1."""
        return mt.squeeze(self, dim, axis=axis)

    def unsqueeze(self, dim: int | None = None, *, axis: int | None = None) -> Tensor:
        """With a new dimension of size 1."""
        return mt.unsqueeze(self, dim, axis=axis)

    def expand(self, *sizes: Ints) -> Tensor:
        """Dimensions of size 1 repeated, without a copy."""
        return mt.expand(self, *sizes)

    def repeat(self, *sizes: Ints) -> Tensor:
        """A copy that is this tensor, so many times along each dimension; further dimensions stand in front."""
        return mt.ops.shape.repeated(self, sizes)

    def expand_as(self, other: Tensor) -> Tensor:
        """Expanded to the shape of `other`."""
        return mt.expand(self, other.shape)

    def unbind(self, dim: int = 0, *, axis: int | None = None) -> tuple[Tensor, ...]:
        """The slices along a dimension, as a tuple."""
        return mt.unbind(self, dim, axis=axis)

    # --- copies -------------------------------------------------------------------------------------------

    def clone(self) -> Tensor:
        """A copy with memory of its own, in the graph."""
        return mt.clone(self)

    def contiguous(self) -> Tensor:
        """The elements in memory in the order of the indices; itself if they are."""
        return mt.contiguous(self)

    def _converted(self, device, dtype):
        """This tensor on a device, in a type."""
        return mt.ops.operands.convert(self, device, dtype)

    def new_zeros(
        self, *size: Ints, dtype: DType = None, device: DeviceLike = None, requires_grad: bool = False
    ) -> Tensor:
        """Zeros, unless said otherwise of this tensor's type and on its device."""
        dtype, device = dtype or self.dtype, device or self.device
        return mt.zeros(*size, dtype=dtype, device=device, requires_grad=requires_grad)

    def new_ones(
        self, *size: Ints, dtype: DType = None, device: DeviceLike = None, requires_grad: bool = False
    ) -> Tensor:
        """Ones, unless said otherwise of this tensor's type and on its device."""
        dtype, device = dtype or self.dtype, device or self.device
        return mt.ones(*size, dtype=dtype, device=device, requires_grad=requires_grad)

    # --- differentiation ------------------------------------------------------------------------------------

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensors | None = None,
    ) -> None:
        """Add the gradient of this tensor with respect to each leaf to that leaf's `grad`.

        Parameters
        ----------
        gradient : Tensor, optional
            The gradient of the loss with respect to this tensor; 1 for a tensor of one element.
        retain_graph : bool, optional
            Keep what the graph remembers, for a second call. By default, only if `create_graph`.
        create_graph : bool
            Record the computation of the gradients too, for derivatives of higher order.
        inputs : Tensor or sequence of Tensor, optional
            What receives a gradient, leaves or results; by default, all leaves.

        Raises
        ------
        RuntimeError
            If the tensor is off the graph, is not a scalar and no `gradient` is given, was walked back from
            before, or if a tensor that the graph remembers has been changed since.
        """
        mt.autograd.backward(self, [gradient], retain_graph, create_graph, inputs)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Have ``hook(gradient)`` called whenever the gradient with respect to this tensor is computed.

        Parameters
        ----------
        hook : function
            Of the gradient, a Tensor; what it returns takes the gradient's place, unless that is None.

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook off again.

        Examples
        --------
        >>> x = mt.tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_hook(lambda dx: dx.clamp(max=3))
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 3.])
        >>> handle.remove()
        """
        return mt.autograd.hooks.hook_on(self, hook)

    def retain_grad(self) -> None:
        """Let `backward` leave a gradient in the `grad` of this tensor, although it is a result and no leaf."""
        mt.autograd.hooks.retain(self)

    @property
    def retains_grad(self) -> bool:
        """Whether this is a result whose `grad` is filled: see `retain_grad`."""
        return id(self) in mt.autograd.hooks.retaining
