"""Programs: a step captured once, then optimised, printed as NumPy, and replayed."""

from autograd_spiral.program.capture import CapturedStep, capture

__all__ = ["CapturedStep", "capture"]
