"""Optimizers, and the schedules of their learning rates."""

from minitorch_cnn.optim import lr_scheduler
from minitorch_cnn.optim.adam import Adam
from minitorch_cnn.optim.optimizer import Optimizer
from minitorch_cnn.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "lr_scheduler"]
