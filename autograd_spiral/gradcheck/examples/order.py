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

example((*SEARCHES, np.argsort, np.sort), REAL(2, 3))
example((np.argpartition, np.partition), REAL(2, 5), kth=(1, 3), axis=-1)
example(np.sort, REAL(3, 2), axis=0, stable=True)
example((reorder, restore_order), REAL(3, 2), call=lambda f, x: f(x, np.array([[2, 0], [0, 1], [1, 2]]), axis=0))
example(argselect, REAL(2, 5), call=lambda f, x: f(x, (1, 3, 3)))
example(np.searchsorted, REAL(4), REAL(2, 3), call=lambda f, x, y: f(np.sort(x), y, side="right"))
example(np.searchsorted, REAL(4), REAL(3), call=lambda f, x, y: f(x, y, sorter=np.argsort(x)))
example(RANKED, REAL(2, 3))
example(RANKED, REAL(2, 4, 2), axis=(0, 2), keepdims=True)
for _f, _full in QUANTILES.items():
    example(_f, REAL(2, 5), q=0.3 * _full, axis=1)
example((np.quantile, np.nanquantile), REAL(4, 2), q=[0.25, 1], axis=0, keepdims=True)
example(np.nanmedian, REAL(2, 4), call=lambda f, x: f(np.where([0, 1, 0, 0], np.nan, x), axis=1))
example(np.nanquantile, REAL(2, 4), call=lambda f, x: f(np.where([0, 1, 0, 0], np.nan, x), 0.6, axis=1))
example(np.quantile, REAL(6), q=[0.3, 0.5], method="hazen")
