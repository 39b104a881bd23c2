"""Verdicts on derivatives.

From the ground up: `noise` measures how noisy values are, `values` has the values of the function, and `verdict`
compares a derivative with their differences. `doubts` says whether the values could hide the right slope: it looks for
`jumps`, and takes `complex_steps`. `judge` judges the elements of gradients, `directions` gradients of many elements,
and `neighbours` gradients at points next to the inputs.
"""

from autograd_spiral.gradcheck.judging.directions import along_directions, whole_gradient
from autograd_spiral.gradcheck.judging.judge import Judge
from autograd_spiral.gradcheck.judging.neighbours import beside

__all__ = ["Judge", "along_directions", "beside", "whole_gradient"]
