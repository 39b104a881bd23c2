"""Verdicts on derivatives: `judge` reaches them, on `noise` that it measures; `directions` and `neighbours` ask it for
those of large inputs, and beside the inputs.
"""

from autograd_spiral.gradcheck.judging.directions import along_directions
from autograd_spiral.gradcheck.judging.judge import Judge, Swept
from autograd_spiral.gradcheck.judging.neighbours import beside

__all__ = ["Judge", "Swept", "along_directions", "beside"]
