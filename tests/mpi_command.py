"""The command as one of several processes, on the small data set: ``mpiexec -n 2 python tests/mpi_command.py train``.

``FAULT="kill 1 7"`` makes rank 1 fail at its seventh step: by SIGKILL, by an exception with ``raise``, or, with
``hang``, by waiting for ever.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_fashion import TinyFashion

from minitorch_cnn import cli, data, optim


class FaultySGD(optim.SGD):
    steps = 0

    def step(self):
        from mpi4py import MPI

        kind, rank, number = os.environ["FAULT"].split()
        self.steps += 1
        if (MPI.COMM_WORLD.rank, self.steps) == (int(rank), int(number)):
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if kind == "hang":
                print("hanging", file=sys.stderr, flush=True)
                signal.pause()
            raise ZeroDivisionError(f"a fault in step {number}")
        super().step()


if __name__ == "__main__":
    if "FAULT" in os.environ:
        optim.SGD = FaultySGD
    data.FashionMNIST = TinyFashion
    sys.exit(cli.main())
