"""Examples of functions that order entries."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import REAL, example

np: Any = numpy  # its stubs know nothing of Tensors

SEARCHES = (np.argmax, np.argmin)

for _f in (*SEARCHES, np.argsort):
    example(_f, REAL(2, 3))
example(np.searchsorted, REAL(4), REAL(2, 3), call=lambda x, y: np.searchsorted(x, y, sorter=np.argsort(x)))
