"""LeNet as the notes have it, with a Sigmoid after the last Linear: what that costs, measured by training it.

minitorch-cnn train --model benchmarks.last_sigmoid:net --seed 0
"""

from minitorch_cnn import models, nn


def net():
    """The chapter's LeNet, its weights Xavier-uniform, and after it a Sigmoid."""
    return nn.Sequential(*models.LeNet().apply(models.xavier_uniform), nn.Sigmoid())
