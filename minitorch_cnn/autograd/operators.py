"""Python's operators on tensors: each is a function of `minitorch_cnn`."""

# The one import cycle of the package: a tensor's methods call operations, and operations make tensors. The names
# behind `mt.` are looked up when a method runs, and by then the package is complete.
import minitorch_cnn as mt


class Operators:
    """``a + b``, ``a @ b``, ``a < b``, ``a[i]``, ...: the operators of `Tensor`."""

    __slots__ = ()

    # --- arithmetic --------------------------------------------------------------------------------------

    def __add__(self, other):
        return mt.add(self, other)

    def __radd__(self, other):
        return mt.add(other, self)

    def __sub__(self, other):
        return mt.sub(self, other)

    def __rsub__(self, other):
        return mt.sub(other, self)

    def __mul__(self, other):
        return mt.mul(self, other)

    def __rmul__(self, other):
        return mt.mul(other, self)

    def __truediv__(self, other):
        return mt.div(self, other)

    def __rtruediv__(self, other):
        return mt.div(other, self)

    def __floordiv__(self, other):
        return mt.floor_divide(self, other)

    def __rfloordiv__(self, other):
        return mt.floor_divide(other, self)

    def __mod__(self, other):
        return mt.remainder(self, other)

    def __rmod__(self, other):
        return mt.remainder(other, self)

    def __pow__(self, other):
        return mt.pow(self, other)

    def __rpow__(self, other):
        return mt.pow(other, self)

    def __matmul__(self, other):
        return mt.matmul(self, other)

    def __rmatmul__(self, other):
        return mt.matmul(other, self)

    def __neg__(self):
        return mt.neg(self)

    def __pos__(self):
        return self

    def __abs__(self):
        return mt.abs(self)

    # --- comparison and logic ----------------------------------------------------------------------------

    def __eq__(self, other):
        return mt.eq(self, other) if mt.ops.operands.is_operand(other) else NotImplemented

    def __ne__(self, other):
        return mt.ne(self, other) if mt.ops.operands.is_operand(other) else NotImplemented

    __hash__ = None  # Tensor restores it: a tensor is its own key

    def __lt__(self, other):
        return mt.lt(self, other)

    def __le__(self, other):
        return mt.le(self, other)

    def __gt__(self, other):
        return mt.gt(self, other)

    def __ge__(self, other):
        return mt.ge(self, other)

    def __and__(self, other):
        return mt.bitwise_and(self, other)

    __rand__ = __and__

    def __or__(self, other):
        return mt.bitwise_or(self, other)

    __ror__ = __or__

    def __xor__(self, other):
        return mt.bitwise_xor(self, other)

    __rxor__ = __xor__

    def __invert__(self):
        return mt.bitwise_not(self)

    # --- indexing ----------------------------------------------------------------------------------------

    def __getitem__(self, index):
        return mt.ops.indexing.getitem(self, index)
