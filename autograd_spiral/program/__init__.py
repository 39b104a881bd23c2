"""Programs: a step captured once, then optimised, printed as NumPy, and replayed."""

from autograd_spiral.program.capture import BoundStep, CapturedStep, capture
from autograd_spiral.program.recorded import backward_source

__all__ = ["BoundStep", "CapturedStep", "backward_source", "capture"]
