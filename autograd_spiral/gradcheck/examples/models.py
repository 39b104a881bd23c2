"""Examples of functions that models use and that are not elementwise: softmax and its relatives, and losses."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import REAL, Function, below, example
from autograd_spiral.vocabulary import functions

np: Any = numpy  # its stubs know nothing of Tensors

ALONG_AN_AXIS = (functions.softmax, functions.log_softmax, functions.logsumexp)
_CROSS_ENTROPIES: tuple[Function, ...] = (functions.softmax_cross_entropy, functions._label_cross_entropy)

example(ALONG_AN_AXIS, REAL(2, 3))
example(ALONG_AN_AXIS, REAL(2, 3), axis=0)
for _how in ("mean", "sum", "none"):
    example(_CROSS_ENTROPIES, REAL(4, 3), below(3, 4), reduction=_how)
example(functions.mean_squared_error, REAL(2, 3), REAL(2, 3))
# rows of probabilities must sum to 1, at every step of a difference
example(functions.softmax_cross_entropy, REAL(2, 3), REAL(2, 3), call=lambda f, x, z: f(x, functions.softmax(z)))
