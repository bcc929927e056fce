"""The command ``minitorch-cnn``."""

from minitorch_cnn.cli.command import main

__all__ = ["main"]
