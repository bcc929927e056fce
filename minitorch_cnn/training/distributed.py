"""One training run on many processes and machines, by MPI: ``mpiexec -n 8 minitorch-cnn train``.

Every process has the whole network and draws the same batches, but reads and computes only its part of each. One sum
over all processes, of one flat buffer, then gives each of them the gradients of the whole batch: they take the same
step. A batch is cut into the shards that one process would cut it into, and two processes sum them in the order of
one: they make its weights, to the last bit if batches are even. Otherwise the difference is rounding.

MPI cannot lose a process and go on. A process that fails ends them all; the last epoch's checkpoint is what stays.
"""

import io
import math
import os
import socket
import sys
import time
import traceback

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import asarray, random, to_numpy
from minitorch_cnn.training import shards
from minitorch_cnn.training.parts import Parts

LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")  # MPICH and Intel, Open MPI, MVAPICH
PATIENCE, READING_TIME = 1.5, 0.3  # seconds


def join():
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
    ...     group.start(net)
    ...     for x, y, n in group.parts(batches):
    ...         optimizer.zero_grad()
    ...         loss(net(x), y).backward()
    ...         sums = group.average_gradients(net, len(x) / n)
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

    def __init__(self, mpi=None):
        self.rank, self.size, self.threads = 0, 1, len(shards.available_cores())
        if mpi is not None:
            self.world, self.in_place = mpi.COMM_WORLD, mpi.IN_PLACE
            self.rank, self.size = self.world.rank, self.world.size
            self.threads = self._share_of_cores(self.world.Split_type(mpi.COMM_TYPE_SHARED))
            shards.use_threads(self.threads)

    def shards(self, n):
        """Return into how many shards a process cuts its part of a batch of `n` examples, for `backward_in_shards`."""
        return math.ceil(shards.shard_count(n) / self.size)

    def start(self, net):
        """Give every process the weights, and the state of the random numbers, that the first one has.

        Raises
        ------
        ValueError
            If there are several processes, and a module is not `shardable` in the mode that it is in.
        """
        if self.size == 1:
            return
        for name, module in net.named_modules():
            if not shards.is_shardable(module):
                raise ValueError(
                    f"{type(module).__name__} (layer {name!r}) cannot be trained on {self.size} processes: it may look "
                    "at the batch as a whole, or draw random numbers. If it does not, set shardable = True in its class"
                )
        weights = {name: to_numpy(tensor.array) for name, tensor in net.state_dict().items()}
        weights, state = self.world.bcast((weights, random.get_rng_state()))
        net.load_state_dict(weights)
        random.set_rng_state(state)

    def parts(self, batches):
        """Return this process's part ``(x, y, n)`` of each batch ``(x, y)``, with n examples in all; see `Parts`."""
        return Parts(batches, self.rank, self.size)

    def average_gradients(self, net, share, *numbers):
        """Make gradients of the mean loss over a part those of the mean loss over the batch, and sum some numbers.

        Parameters
        ----------
        net : Module
        share : float
            This part's share of the examples of the batch: ``len(x) / n``.
        *numbers : float or Tensor of one element
            What to sum over the parts, in the same message.

        Returns
        -------
        sequence of float or Tensor
            The sums.

        Raises
        ------
        RuntimeError
            If the shares do not add up to 1.
        """
        if self.size == 1:
            return numbers
        parameters = [p for p in net.parameters() if p.requires_grad]
        gradients = [p.grad if share else None for p in parameters]
        arrays = [np.zeros(p.shape) if g is None else to_numpy(g.array) for p, g in zip(parameters, gradients)]
        rest = [*(g is not None for g in gradients), share, *map(float, numbers)]
        dtype = np.result_type(*(p.dtype for p in parameters))
        flat = np.concatenate([*(array.ravel() for array in arrays), rest], dtype=dtype)
        flat[: -len(rest)] *= share
        self.world.Allreduce(self.in_place, flat)  # sums, which is MPI's default
        *arrays, held, rest = np.split(flat, np.cumsum([*(p.numel() for p in parameters), len(parameters)]))
        if abs(rest[0] - 1) > 1e-3:
            raise RuntimeError(
                f"the parts of a batch add up to {rest[0]:.3f} of it: the processes do not draw the same batches. "
                "All need the same data, batch size and seed"
            )
        for p, array, holders in zip(parameters, arrays, held):
            p.grad = Tensor(asarray(array.reshape(p.shape), p.device, p.dtype)) if holders else None
        return rest[1:].tolist()

    def sum(self, value):
        """Return the sum of a number or an array over the processes."""
        return value if self.size == 1 else self.world.allreduce(value)

    def once(self, function, *args):
        """Return what a function returns on the first process; the others do not call it."""
        result = function(*args) if self.rank == 0 else None
        return result if self.size == 1 else self.world.bcast(result)

    def __enter__(self):
        self.stdout, sys.stdout = sys.stdout, io.StringIO() if self.rank else sys.stdout
        return self

    def __exit__(self, kind, error, trace):
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
        code = 130 if isinstance(error, KeyboardInterrupt) else 1
        self.world.Abort(code)
        os._exit(code)  # Abort may return before it strikes, and the error would be told again

    def _share_of_cores(self, machine):
        cores = shards.available_cores()  # mpiexec may have given each process its own, or all to all
        return max(1, len(cores) // sum(not cores.isdisjoint(others) for others in machine.allgather(cores)))
