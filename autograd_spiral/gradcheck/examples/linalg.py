"""Examples of linear algebra."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import NONZERO, REAL, example

np: Any = numpy  # its stubs know nothing of Tensors

for _order in (None, 1, np.inf, 3):
    example(np.linalg.norm, REAL(4), call=lambda x, order=_order: np.linalg.norm(x, order))
for _order in (2, 3, 1):
    example(np.linalg.vector_norm, NONZERO(2, 3), call=lambda x, o=_order: np.linalg.vector_norm(x, axis=1, ord=o))
example(np.trace, REAL(2, 3))
