"""Verdicts on derivatives: `judge` reaches them, given the noise that `noise` measures.
`directions` asks it about inputs with many elements, `neighbours` about points next to the inputs.
"""

from autograd_spiral.gradcheck.judging.directions import along_directions
from autograd_spiral.gradcheck.judging.judge import Judge, Swept
from autograd_spiral.gradcheck.judging.neighbours import beside

__all__ = ["Judge", "Swept", "along_directions", "beside"]
