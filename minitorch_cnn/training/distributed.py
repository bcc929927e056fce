"""One training run on many processes and machines, by MPI: ``mpiexec -n 8 minitorch-cnn train``.

Every process has the whole network and draws the same batches, but reads and computes only its part of each. One sum
over all processes, of one flat buffer, then gives each of them the gradients of the whole batch: they take the same
step, which is that of one process up to rounding. The loop need not know: `Group.prepare` wraps what it works with.

MPI cannot lose a process and go on. A process that fails ends them all; the last epoch's checkpoint is what stays.
"""

from __future__ import annotations

import io
import math
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from minitorch_cnn import nn
from minitorch_cnn.autograd import no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import asarray, parallel, random, to_numpy
from minitorch_cnn.backend.annotations import Batches, Loss, Self
from minitorch_cnn.ops.shape import cat
from minitorch_cnn.optim.optimizer import Optimizer
from minitorch_cnn.training.parts import Parts

__all__ = ["Group", "join"]

LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")  # MPICH and Intel, Open MPI, MVAPICH
PATIENCE, READING_TIME = 1.5, 0.3  # seconds


def join() -> Group:
    """Join the processes that mpiexec started with this one.

    Returns
    -------
    Group
        For a ``with`` block around the run. Without mpiexec it is a group of one, and nothing of MPI is imported.

    Raises
    ------
    RuntimeError
        If mpiexec started this process, but mpi4py is missing, or belongs to another MPI.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> net, loss = mt.nn.Linear(1, 2), mt.nn.CrossEntropyLoss()
    >>> optimizer = mt.optim.SGD(net.parameters(), lr=0.1)
    >>> batches = [(mt.tensor([[-1.0], [1.0]]), mt.tensor([0, 1]))]
    >>> with join() as group:
    ...     batches, loss, optimizer = group.prepare(net, batches, loss, optimizer)
    ...     for x, y in batches:
    ...         optimizer.zero_grad()
    ...         loss(net(x), y).backward()
    ...         optimizer.step()
    """
    sizes = [int(os.environ[name]) for name in LAUNCHED if name in os.environ]
    launched = max(sizes, default=2 if "PMIX_RANK" in os.environ else 1)
    if launched == 1:
        return Group()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise RuntimeError(
            f"mpiexec started several processes, but mpi4py cannot be used: {error}. "
            "To install it: pip install 'minitorch_cnn[mpi]'. It needs an MPI library as well, such as mpich"
        ) from error
    if sizes and MPI.COMM_WORLD.size != launched:
        raise RuntimeError(
            f"mpiexec started {launched} processes, but mpi4py sees {MPI.COMM_WORLD.size}: mpiexec has to be that of "
            f"the library that mpi4py uses, {MPI.Get_library_version().splitlines()[0]}"
        )
    return Group(MPI)


class Group:
    """The processes of a run: those of `join`, or one alone.

    As a context manager it lets the first process alone print, and ends all of them when one fails.

    Attributes
    ----------
    rank, size : int
        Which process this is, from 0, and how many there are.
    threads : int
        On how many threads it computes them: its share of the cores of its machine.
    """

    def __init__(self, mpi: Any = None) -> None:
        self.rank, self.size, self.threads = 0, 1, len(parallel.available_cores())
        if mpi is not None:
            self.world, self.in_place = mpi.COMM_WORLD, mpi.IN_PLACE
            self.rank, self.size = self.world.rank, self.world.size
            self.threads = self._share_of_cores(self.world.Split_type(mpi.COMM_TYPE_SHARED))
            parallel.use_threads(self.threads)

    def __repr__(self) -> str:
        return f"Group(process {self.rank} of {self.size}, {self.threads} threads)"

    def prepare(
        self, net: nn.Module, batches: Batches, loss: Loss, optimizer: Optimizer
    ) -> tuple[Batches, Loss, Optimizer]:
        """Make ready what a training loop works with. With one process, all stays as it is.

        Parameters
        ----------
        net : Module
            It gets the weights of the first process, see `start`.
        batches : iterable of (Tensor, Tensor), with a length
        loss : callable
            Maps outputs and targets to their mean over the examples.
        optimizer : Optimizer
            It is to take one step for each batch.

        Returns
        -------
        batches
            This process's part of each, see `parts`.
        loss
            The same, which is 0 for a part without examples, and refuses to be anything but a mean, see `mean`.
        optimizer
            Its `step` first gives the parameters the gradients of the whole batch.

        Raises
        ------
        ValueError
            As `start`; and by the loss.
        """
        self.start(net)
        if self.size == 1:
            return batches, loss, optimizer
        if isinstance(loss, nn.Module):
            self.start(loss)
        batches = self.parts(batches)
        return batches, self.mean(loss), _SharedOptimizer(optimizer, self, batches)

    def start(self, net: nn.Module) -> None:
        """Give every process the weights, and the state of the random numbers, that the first one has.

        Raises
        ------
        ValueError
            If there are several processes, and a layer looks at the batch as a whole or draws random numbers: batch
            normalization and dropout, in training.
        """
        if self.size == 1:
            return
        for name, module in net.named_modules():
            if _needs_whole_batch(module):
                raise ValueError(
                    f"{type(module).__name__} (layer {name!r}) cannot be trained on {self.size} processes: each has a "
                    "part of the batch, and it looks at the whole, or draws random numbers. Train it on one process"
                )
        weights = {name: to_numpy(tensor.array) for name, tensor in net.state_dict().items()}
        weights, state = self.world.bcast((weights, random.get_rng_state()))
        net.load_state_dict(weights)
        random.set_rng_state(state)

    def parts(self, batches: Batches) -> Batches:
        """Return batches of which each is this process's part; of one process, as they are. See `Parts`.

        Raises
        ------
        RuntimeError
            At the beginning of a pass, if the processes would not shuffle alike.
        """
        return batches if self.size == 1 else Parts(batches, self.rank, self.size, self._require_one_stream)

    def mean(self, loss: Loss) -> Loss:
        """Return a loss for parts of batches: 0 for one without examples.

        Raises
        ------
        ValueError
            By the loss, if it is not a mean over examples, of which each has the same weight: a sum, one with weights
            of classes or labels to ignore. The gradients of parts could not be put together.
        """
        return loss if self.size == 1 else lambda y_hat, y: _mean_of_part(loss, y_hat, y, self.size)

    def average_gradients(self, parameters: Iterable[Tensor], share: float) -> None:
        """Make gradients of the mean loss over a part those of the mean loss over the batch.

        Parameters
        ----------
        parameters : iterable of Tensor
        share : float
            This part's share of the examples of the batch.

        Raises
        ------
        RuntimeError
            If the shares do not add up to 1.
        """
        if self.size == 1:
            return
        parameters = [p for p in parameters if p.requires_grad]
        gradients = [p.grad if share else None for p in parameters]
        arrays = [np.zeros(p.shape) if g is None else to_numpy(g.array) for p, g in zip(parameters, gradients)]
        rest = [*(g is not None for g in gradients), share]
        dtype = np.result_type(*(p.dtype for p in parameters))
        flat = np.concatenate([*(array.ravel() for array in arrays), rest], dtype=dtype)
        flat[: -len(rest)] *= share
        self.world.Allreduce(self.in_place, flat)  # sums, which is MPI's default
        *arrays, held, total = np.split(flat, np.cumsum([*(p.numel() for p in parameters), len(parameters)]))
        if abs(total[0] - 1) > 1e-3:
            raise RuntimeError(
                f"the parts of a batch add up to {total[0]:.3f} of it: the processes do not draw the same batches. "
                "All need the same data, batch size and seed"
            )
        for p, array, holders in zip(parameters, arrays, held):
            p.grad = Tensor(asarray(array.reshape(p.shape), p.device, p.dtype)) if holders else None

    def sum(self, value: Any) -> Any:
        """Return the sum of a number, an array or a list of numbers over the processes."""
        if self.size == 1:
            return value
        total = self.world.allreduce(np.asarray(value))
        return total.tolist() if isinstance(value, list) else total

    def once(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return what a function returns on the first process; the others do not call it."""
        result = function(*args) if self.rank == 0 else None
        return result if self.size == 1 else self.world.bcast(result)

    def __enter__(self) -> Self:
        self.stdout, sys.stdout = sys.stdout, io.StringIO() if self.rank else sys.stdout
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        sys.stdout = self.stdout
        if self.size == 1 or error is None:
            return
        if self.rank:  # what all ran into, the first one tells, and then ends the others
            time.sleep(PATIENCE)
        if not isinstance(error, RuntimeError | OSError | KeyboardInterrupt):
            traceback.print_exception(kind, error, trace)
        place = traceback.extract_tb(trace)[-1]
        where = f"rank {self.rank} of {self.size}, {socket.gethostname()}, {place.filename}:{place.lineno}"
        print(f"{kind.__name__} on {where}: {error}\nThis ends all {self.size} processes.", file=sys.stderr, flush=True)
        sys.stdout.flush()
        time.sleep(READING_TIME)  # for mpiexec, which drops what it has not read when the processes end
        code = getattr(error, "exit_code", 130 if isinstance(error, KeyboardInterrupt) else 1)
        self.world.Abort(code)
        os._exit(code)  # Abort may return before it strikes, and the error would be told again

    def _share_of_cores(self, machine):
        cores = parallel.available_cores()  # mpiexec may have given each process its own, or all to all
        return max(1, len(cores) // sum(not cores.isdisjoint(others) for others in machine.allgather(cores)))

    def _require_one_stream(self):
        """All processes are about to draw the random numbers that the first one draws."""
        state = random.get_rng_state()
        if self.world.bcast(state) != state:
            raise RuntimeError(
                f"process {self.rank} is not at the same place in the stream of random numbers as the first one, and "
                "would shuffle otherwise: a layer, a loss or a function of yours drew some for its part alone"
            )


class _SharedOptimizer:
    """An optimizer whose step first makes the gradients those of the whole batch; all else is the optimizer's own."""

    def __init__(self, optimizer, group, parts):
        self.optimizer, self.group, self.parts = optimizer, group, parts

    def step(self):
        parameters = [p for settings in self.optimizer.param_groups for p in settings["params"]]
        self.group.average_gradients(parameters, self.parts.share)
        return self.optimizer.step()

    def __getattr__(self, name):
        return getattr(self.optimizer, name)


def _needs_whole_batch(module):
    """Whether a layer of ours looks at several examples at once, or draws random numbers, in the mode that it is in."""
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return module.training or module.running_mean is None
    if isinstance(module, nn.Softmax | nn.LogSoftmax):
        return module.dim == 0
    return isinstance(module, nn.Dropout) and module.training


def _mean_of_part(loss, y_hat, y, size):
    """The loss of a part. It has to be a mean, as far as this part and its first two examples show."""
    n = len(y)
    if n == 0:
        return y_hat.sum()
    l = loss(y_hat, y)
    with no_grad():
        if n == 1:
            _require_equal(l, loss(cat([y_hat, y_hat]), cat([y, y])), size)
        for m in {n, min(n, 2)} - {1}:
            half = m // 2
            of_halves = loss(y_hat[:half], y[:half]) * half + loss(y_hat[half:m], y[half:m]) * (m - half)
            _require_equal(l if m == n else loss(y_hat[:m], y[:m]), of_halves / m, size)
    return l


def _require_equal(whole, of_halves, size):
    whole, of_halves = float(whole), float(of_halves)
    if math.isfinite(whole) and not math.isclose(whole, of_halves, rel_tol=1e-3, abs_tol=1e-5):
        raise ValueError(
            f"this loss is {whole:g}, but the mean of its two halves {of_halves:g}: {size} processes share a batch, "
            "and need a loss that is the mean over examples, without weights or labels to ignore"
        )
