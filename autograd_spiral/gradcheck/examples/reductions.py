"""Examples of reductions and scans."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import REAL, Domain, example

np: Any = numpy  # its stubs know nothing of Tensors

SUMS = (np.sum, np.mean, np.prod, np.var, np.std)
EXTREMA = (np.max, np.min, np.amax, np.amin)
TRUTHS = (np.all, np.any)

for _f in (*SUMS, *TRUTHS):
    example(_f, REAL(2, 3))
for _f in SUMS:
    example(_f, REAL(2, 3, 2), call=lambda x, f=_f: f(x, axis=(0, 2), keepdims=True))
for _f in EXTREMA:
    example(_f, Domain(kink=-0.5)(2, 3), call=lambda x, f=_f: f(x, 1))
example(np.max, lambda rng: np.append(rng.uniform(-1, 1, 3), [1.5, 1.5]))
example(np.cumsum, REAL(2, 3), call=lambda x: np.cumsum(x, 1))
example(np.add.reduce, REAL(2, 3))
