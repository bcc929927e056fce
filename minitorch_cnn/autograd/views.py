"""Tensors that show the same memory: views, and how they stay at their place in the graph.

A view is a tensor that a function made of another one, its base, without copying: ``x[0]``, ``x.T``. Whoever changes
the one changes the other, and with it the place of both in the graph. The tensor at the root of all its views is given
its new place at once; a view finds its own when it is asked for, by running its functions again on the root.
"""

from minitorch_cnn.autograd.mode import enable_grad


class Memory:
    """What tensors that show the same memory have in common."""

    version = 0  # how often it was changed
    is_shown = False  # whether another tensor or array than the one that it was made for was given it


class View:
    """Whose memory a tensor shows, and by which function.

    Parameters
    ----------
    base : Tensor
    function : Function
        What made the tensor of the base.
    is_copy : bool
        Whether it stands for a view, but has memory of its own, because the base lies in memory in another order than
        in PyTorch (see `view` in ops/shape.py). Then a change of the one would be lost to the other, and is refused.
    """

    __slots__ = ("base", "function", "is_copy", "root", "root_grad_fn", "version")

    def __init__(self, base, function, is_copy=False):
        self.base, self.function, self.is_copy, self.root = base, function, is_copy, base
        if base._view is not None:
            self.root, self.is_copy = base._view.root, is_copy or base._view.is_copy
        self.version, self.root_grad_fn = self.root._memory.version, self.root._grad_fn

    def path(self):
        """The functions that lead from the root to this view."""
        functions, view = [], self
        while view is not None:
            functions.append(view.function)
            view = view.base._view
        return functions[::-1]

    def catch_up(self, tensor):
        """Give the tensor its place in the graph, if that of the root has changed since it was last asked for.

        Raises
        ------
        RuntimeError
            If the tensor is a copy that stands for a view: it has not changed with the root.
        """
        if self.version == self.root._memory.version:
            return
        if self.is_copy:
            raise RuntimeError(
                "the tensor that this one was taken from was changed in place since; take it again, after the change. "
                "It had to be copied, because the elements lie in memory in another order"
            )
        self.version = self.root._memory.version
        if self.root._grad_fn is not self.root_grad_fn:
            self.place(tensor)

    def place(self, tensor):
        """Give the tensor its place in the graph behind the root."""
        with enable_grad():
            again = self.root
            for function in self.path():
                again = function(again)
        self.root_grad_fn = self.root._grad_fn
        tensor._grad_fn, tensor._requires_grad = again._grad_fn, again._requires_grad
