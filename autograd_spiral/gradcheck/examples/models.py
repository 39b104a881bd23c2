"""Examples of functions that models use and that are not elementwise: softmax and its relatives, and losses."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import REAL, Function, below, example
from autograd_spiral.vocabulary import functions

np: Any = numpy  # its stubs know nothing of Tensors

ALONG_AN_AXIS = (functions.softmax, functions.log_softmax, functions.logsumexp)
_CROSS_ENTROPIES: tuple[Function, ...] = (functions.softmax_cross_entropy, functions._label_cross_entropy)

for _f in ALONG_AN_AXIS:
    example(_f, REAL(2, 3))
    example(_f, REAL(2, 3), call=lambda x, f=_f: f(x, 0))
for _g in _CROSS_ENTROPIES:
    for _how in ("mean", "sum", "none"):
        example(_g, REAL(4, 3), below(3, 4), call=lambda x, labels, f=_g, how=_how: f(x, labels, reduction=how))
example(functions.mean_squared_error, REAL(2, 3), REAL(2, 3))
example(  # rows of probabilities must sum to 1, at every step of a difference
    functions.softmax_cross_entropy,
    *(REAL(2, 3), REAL(2, 3)),
    call=lambda x, z: functions.softmax_cross_entropy(x, functions.softmax(z)),
)
