"""Examples of functions that order entries."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import REAL, example
from autograd_spiral.vocabulary.rules.order import argselect, reorder, restore_order

np: Any = numpy  # its stubs know nothing of Tensors

SEARCHES = (np.argmax, np.argmin, np.nanargmax, np.nanargmin)
RANKED = (np.median, np.nanmedian)
QUANTILES = {np.quantile: 1, np.nanquantile: 1, np.percentile: 100, np.nanpercentile: 100}

for _f in (*SEARCHES, np.argsort, np.sort):
    example(_f, REAL(2, 3))
for _f in (np.argpartition, np.partition):
    example(_f, REAL(2, 5), call=lambda x, f=_f: f(x, (1, 3), axis=-1))
example(np.sort, REAL(3, 2), call=lambda x: np.sort(x, axis=0, stable=True))
for _g in (reorder, restore_order):
    example(_g, REAL(3, 2), call=lambda x, f=_g: f(x, np.array([[2, 0], [0, 1], [1, 2]]), axis=0))
example(argselect, REAL(2, 5), call=lambda x: argselect(x, (1, 3, 3)))
example(np.searchsorted, REAL(4), REAL(2, 3), call=lambda x, y: np.searchsorted(np.sort(x), y, side="right"))
example(np.searchsorted, REAL(4), REAL(3), call=lambda x, y: np.searchsorted(x, y, sorter=np.argsort(x)))
for _f in RANKED:
    example(_f, REAL(2, 3))
    example(_f, REAL(2, 4, 2), call=lambda x, f=_f: f(x, axis=(0, 2), keepdims=True))
for _f, _full in QUANTILES.items():
    example(_f, REAL(2, 5), call=lambda x, f=_f, full=_full: f(x, 0.3 * full, axis=1))
for _f in (np.quantile, np.nanquantile):
    example(_f, REAL(4, 2), call=lambda x, f=_f: f(x, [0.25, 1], axis=0, keepdims=True))
for _f in (np.nanmedian, np.nanquantile):
    example(
        _f,
        REAL(2, 4),
        call=lambda x, f=_f: f(np.where([0, 1, 0, 0], np.nan, x), *[0.6] * (f is np.nanquantile), axis=1),
    )
example(np.quantile, REAL(6), call=lambda x: np.quantile(x, [0.3, 0.5], method="hazen"))
