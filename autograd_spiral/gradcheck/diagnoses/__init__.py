"""Diagnoses: what the numbers of a wrong gradient have in common, in a few words.

Nothing is guessed: each statement holds for every number it covers, within the bounds. `words` has the order in which
statements are tried. Some are made from the numbers alone: `factors` (a common factor, a multiple of an input, a
constant), `order` (the right numbers in the wrong places) and `places` (where the wrong elements are). Others compare
the gradient with wrong gradients of the recorded function, in `record`: `mistakes` says which mistakes can be made,
`changes` has those in the rule of one operation, and `backward` repeats the reverse sweep with them.
"""

from autograd_spiral.gradcheck.diagnoses.order import broadcasts_to, diagnose_shape
from autograd_spiral.gradcheck.diagnoses.record import Record
from autograd_spiral.gradcheck.diagnoses.words import SCALE, Evidence, diagnose

__all__ = ["SCALE", "Evidence", "Record", "broadcasts_to", "diagnose", "diagnose_shape"]
