"""Programs: a step captured once, then optimised, printed as NumPy, and replayed."""

from autograd_spiral.program.capturing.step import CapturedStep, capture
from autograd_spiral.program.recorded import backward_source

__all__ = ["CapturedStep", "backward_source", "capture"]
