"""Programs: a step captured once, then optimised, printed as NumPy, and replayed."""

from autograd_spiral.program.capturing.recorded import backward_source
from autograd_spiral.program.capturing.step import BoundStep, CapturedStep, capture

__all__ = ["BoundStep", "CapturedStep", "backward_source", "capture"]
