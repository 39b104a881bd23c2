"""Diagnoses: what the numbers of a wrong gradient have in common, in a few words.

Nothing is guessed: each statement holds for every number it covers, within the bounds. `words` has the order in which
statements are tried; `factors` (a common factor, a multiple of an input, a constant), `order` (the right numbers in
another order), `places` (where the wrong elements are) and `shapes` make them from the
numbers alone, and `record` from other gradients that the recorded function could have had: `backward` repeats its
reverse sweep with the mistakes of `changes`.
"""

from autograd_spiral.gradcheck.diagnoses.record import Record
from autograd_spiral.gradcheck.diagnoses.shapes import broadcasts_to, diagnose_shape
from autograd_spiral.gradcheck.diagnoses.words import SCALE, Evidence, diagnose

__all__ = ["SCALE", "Evidence", "Record", "broadcasts_to", "diagnose", "diagnose_shape"]
