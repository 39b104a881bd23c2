"""Examples of reductions and scans."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import NONZERO, POSITIVE, REAL, Domain, example, mask
from autograd_spiral.vocabulary.rules.reductions import linear_recurrence

np: Any = numpy  # its stubs know nothing of Tensors

SUMS = (np.sum, np.mean, np.prod, np.var, np.std)
EXTREMA = (np.max, np.min, np.amax, np.amin)
TRUTHS = (np.all, np.any)
WITHOUT_NANS = (np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd)
SCANS = (np.cumsum, np.cumprod, np.nancumsum, np.nancumprod)
CUMULATIVE = tuple(getattr(np, name) for name in ("cumulative_sum", "cumulative_prod") if hasattr(np, name))
COMBINED = (np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.hypot)
CONNECTED = (np.logical_and, np.logical_or)


def _holes(x: Any) -> Any:
    """Return `x` with NaN in place of one of every five entries; two numbers or more remain along the second axis."""
    return np.where(np.arange(x.size).reshape(x.shape) % 5 == 1, np.nan, x)


def _zeros(x: Any) -> Any:
    """Return `x` with zeros in place of two of every five entries."""
    return np.where(np.arange(x.size).reshape(x.shape) % 5 < 2, 0 * x, x)


example((*SUMS, *TRUTHS, np.average, np.count_nonzero), REAL(2, 3))
example(SUMS, REAL(2, 3, 2), axis=(0, 2), keepdims=True)
example(SUMS, REAL(4, 3), mask(4, 3), call=lambda f, x, m: f(x, axis=1, where=m | (np.arange(3) < 2)))
example((np.sum, np.mean), REAL(2, 3), axis=1, dtype=np.float64)
example((np.sum, np.prod), REAL(2, 3), axis=1, initial=2.5)
example(EXTREMA, Domain(kink=-0.5)(2, 3), axis=1)
example(EXTREMA, REAL(3, 3), mask(3), call=lambda f, x, m: f(x, axis=0, where=m, initial=0.5, keepdims=True))
example(np.max, lambda rng: np.append(rng.uniform(-1, 1, 3), [1.5, 1.5]))
example(TRUTHS, mask(3, 2), mask(3, 2), REAL(2), call=lambda f, x, m, y: np.where(f(x, axis=0, where=m), y, 0))
example((*WITHOUT_NANS, np.nanmax, np.nanmin), REAL(2, 3), call=lambda f, x: f(_holes(x), axis=1))
example(np.ptp, REAL(2, 3), axis=1, keepdims=True)
example(np.average, REAL(2, 3), POSITIVE(3), call=lambda f, x, w: f(x, 1, w))
example(np.average, REAL(2, 3), POSITIVE(2, 3), call=lambda f, x, w: f(x, axis=0, weights=w, returned=True))

example(SCANS, REAL(2, 6), call=lambda f, x: f(_zeros(x), 1))
example(np.cumsum, REAL(2, 3), dtype=np.float64)
example(np.cumprod, REAL(2, 3), axis=1)
example((np.nancumsum, np.nancumprod), REAL(2, 3), call=lambda f, x: f(_holes(x), axis=0))
example(CUMULATIVE, REAL(2, 3), axis=1, include_initial=True)
for _length in (1, 5):
    example(linear_recurrence, REAL(2, _length), REAL(2, _length - 1), axis=1)
for _ufunc in (*COMBINED, *CONNECTED):
    example(_ufunc.reduce, NONZERO(3, 2))
    example(_ufunc.reduceat, NONZERO(5, 2), call=lambda f, x: f(x, [0, 3, 1, 2]))
for _ufunc in COMBINED:
    example(_ufunc.accumulate, NONZERO(2, 4), axis=1)

example(np.cov, REAL(2, 4))
example(np.cov, REAL(4, 2), REAL(4), call=lambda f, x, y: f(x, y[:, None], rowvar=False, bias=True))
example(np.cov, REAL(2, 4), POSITIVE(4), call=lambda f, x, w: f(x, fweights=[1, 2, 0, 3], aweights=w))
example(np.corrcoef, REAL(3, 4))
for _n in (1, 2):
    example(np.diff, REAL(2, 4), REAL(2, 1), call=lambda f, x, y, n: f(x, n, prepend=y, append=0.5), n=_n)
example(np.ediff1d, REAL(2, 3), REAL(2), call=lambda f, x, y: f(x, to_begin=y, to_end=[0.5]))
example(np.gradient, REAL(3, 4))
example(np.gradient, REAL(4, 3), call=lambda f, x: f(x, 0.5, axis=0, edge_order=2))
example(np.gradient, REAL(2, 4), POSITIVE(4), call=lambda f, x, h: f(x, np.cumsum(h), axis=1, edge_order=2))
example(np.bincount, REAL(5), call=lambda f, x: f([0, 3, 1, 3, 3], weights=x, minlength=6))
example(np.apply_along_axis, REAL(2, 3), call=lambda f, x: f(np.cumsum, 0, x))
example(np.apply_over_axes, REAL(2, 3, 2), call=lambda f, x: f(np.sum, x, [0, 2]))
