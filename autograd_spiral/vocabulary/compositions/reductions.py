"""Reductions: variance and deviation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd_spiral.engine.table import composes


@composes(np.var)
def _var(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, correction: Any = None) -> Any:
    if a.dtype == np.float16:  # in which sums of squares leave the range
        wide = np.var(a.astype(np.float32), axis, ddof=ddof if correction is None else correction, keepdims=keepdims)
        return wide.astype(np.float16)
    deviation = a - np.mean(a, axis=axis, keepdims=True)
    squares = np.sum(np.square(deviation), axis=axis, keepdims=keepdims)
    count = a.size // max(squares.size, 1)
    return squares / max(count - (ddof if correction is None else correction), 0)


@composes(np.std)
def _std(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, correction: Any = None) -> Any:
    if a.dtype == np.float16:
        wide = np.std(a.astype(np.float32), axis, ddof=ddof if correction is None else correction, keepdims=keepdims)
        return wide.astype(np.float16)
    deviation = a - np.mean(a, axis=axis, keepdims=True)
    length = np.linalg.vector_norm(deviation, axis=axis, keepdims=keepdims)
    count = a.size // max(length.size, 1)
    return length / math.sqrt(max(count - (ddof if correction is None else correction), 0))


# --- methods of ufuncs ------------------------------------------------------------------------------------------------


@composes(np.add.reduce)
def _add_reduce(array: Any, axis: Any = 0, keepdims: bool = False) -> Any:
    return np.sum(array, axis=axis, keepdims=keepdims)
