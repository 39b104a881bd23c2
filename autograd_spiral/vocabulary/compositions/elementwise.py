"""Elementwise functions, and facts of an array that need no computing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.errors import NoRuleError

composes(np.shape)(lambda a: a.shape)
composes(np.ndim)(lambda a: a.ndim)


@composes(np.size)
def _size(a: Any, axis: Any = None) -> int:
    return int(a.size if axis is None else math.prod(a.shape[i] for i in normalize_axis_tuple(axis, a.ndim)))


def _constant(array: Any, like: Any) -> Any:
    """Return `array` as an array or as a Tensor, whichever `like` is."""
    return array if isinstance(like, np.ndarray) else type(like)(array)


@composes(np.zeros_like)
def _zeros_like(a: Any, dtype: Any = None) -> Any:
    return _constant(np.zeros(a.shape, dtype or a.dtype), a)


@composes(np.ones_like)
def _ones_like(a: Any, dtype: Any = None) -> Any:
    return _constant(np.ones(a.shape, dtype or a.dtype), a)


@composes(np.full_like)
def _full_like(a: Any, fill_value: Any, dtype: Any = None) -> Any:
    if hasattr(fill_value, "backward"):
        raise NoRuleError("np.full_like makes a constant: for a gradient write np.broadcast_to(fill_value, a.shape)")
    return _constant(np.full(a.shape, fill_value, dtype or a.dtype), a)


composes(np.copy)(lambda a: a.astype(bool) if a.dtype == bool else np.positive(a))  # NumPy has no +a for bools
composes(np.astype)(lambda x, dtype, /: x.astype(dtype))


@composes(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    if a.dtype.kind in "iu":  # as in NumPy, a Python integer outside the dtype's range does not clip
        low = None if type(low) is int and low <= np.iinfo(a.dtype).min else low
        high = None if type(high) is int and high >= np.iinfo(a.dtype).max else high
    out = a if low is None else np.maximum(a, low)
    return out if high is None else np.minimum(out, high)
