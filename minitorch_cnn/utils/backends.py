"""The switches of ``torch.backends.cudnn``, which scripts set: here nothing depends on them.

There is no cuDNN, no algorithm is chosen by trial, and equal runs give equal bits.
"""

from types import SimpleNamespace

cudnn = SimpleNamespace(enabled=False, benchmark=False, deterministic=True)
