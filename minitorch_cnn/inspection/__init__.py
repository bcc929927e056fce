"""Looking at a network: its layers and what they cost, tables and pictures."""

from minitorch_cnn.inspection.summaries import summary

__all__ = ["summary"]
