"""Programs: a step is recorded once, and its program is then simplified, printed as NumPy code, and replayed."""

from autograd_spiral.program.capturing.step import CapturedStep, capture
from autograd_spiral.program.recorded import backward_source
from autograd_spiral.program.running.blocks import blocks

__all__ = ["CapturedStep", "backward_source", "blocks", "capture"]
