"""Examples of functions that order entries."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import REAL, example

np: Any = numpy  # its stubs know nothing of Tensors

SEARCHES = (np.argmax, np.argmin)

for _f in SEARCHES:
    example(_f, REAL(2, 3))
example(np.searchsorted, lambda rng: np.sort(rng.uniform(-2, 2, 5)), REAL(2, 3))
