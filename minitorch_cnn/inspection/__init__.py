"""What can be seen of a network: what it consists of and costs, layer by layer."""

from minitorch_cnn.inspection.summaries import summary

__all__ = ["summary"]
