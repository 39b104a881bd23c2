"""Taking entries by their positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autograd_spiral.engine.table import composes
from autograd_spiral.vocabulary.compositions.arguments import operand, operands
from autograd_spiral.vocabulary.compositions.numpys_own import numpys_own


@composes(np.take)
def take(a: Any, indices: Any, axis: int | None = None, *, mode: str = "raise") -> Any:
    """Return `np.take(a, indices, axis)`, recorded even if only the indices are a Tensor, which NumPy overlooks.

    >>> take(np.array([1.0, 2.0]), [1, 0])
    array([2., 1.])
    """
    index = operand(indices)
    if index.dtype == bool or (index is not indices and not index.size):  # a mask counts as 0 and 1; [] became float
        index = index.astype(np.intp)
    a = operands((a, index))[0] if isinstance(a, np.ndarray) else a
    a, axis = (np.ravel(a), 0) if axis is None else (a, normalize_axis_index(axis, a.ndim))
    if mode in ("wrap", "clip"):
        index = index % a.shape[axis] if mode == "wrap" else np.clip(index, 0, a.shape[axis] - 1)
    elif mode != "raise":
        raise ValueError(f"np.take: mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    return a[(*(slice(None),) * axis, index)]


def picked(function: Any, a: Any, axis: int | None, *settings: Any) -> Any:
    """Apply to `a`, along `axis`, a `function` that only moves, repeats or drops entries.

    >>> picked(np.repeat, np.array([1.0, 2.0]), 0, 2)
    array([1., 1., 2., 2.])
    """
    a, axis = (np.ravel(a), 0) if axis is None else (a, normalize_axis_index(axis, a.ndim))
    return np.take(a, function(np.arange(a.shape[axis]), *settings), axis)


@composes(np.repeat)
def _repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    if not isinstance(repeats, int):
        return picked(np.repeat, a, axis, repeats)
    a, axis = (np.ravel(a), 0) if axis is None else (a, normalize_axis_index(axis, a.ndim))
    before, after = a.shape[: axis + 1], a.shape[axis + 1 :]
    copies = np.broadcast_to(np.expand_dims(a, axis + 1), (*before, repeats, *after))
    return np.reshape(copies, (*before[:-1], before[-1] * repeats, *after))


composes(np.delete)(lambda arr, obj, axis=None: picked(np.delete, arr, axis, _plain(obj)))
composes(np.compress)(
    lambda condition, a, axis=None: picked(lambda at: np.compress(np.asarray(condition), at), operand(a), axis)
)
composes(np.extract)(lambda condition, arr: np.compress(np.ravel(condition), np.ravel(arr)))


@composes(np.insert)
def _insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    old, new = (np.arange(np.size(x)).reshape(np.shape(x)) for x in (arr, values))
    return np.append(arr, operand(values).astype(operand(arr).dtype))[np.insert(old, _plain(obj), old.size + new, axis)]


def _plain(obj: Any) -> Any:
    """Return positions as an array; for a Tensor, read its value, since a shape depends on it."""
    return np.asarray(obj) if hasattr(obj, "ndim") else obj


@composes(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    if axis is None:
        return take(arr, indices)
    return numpys_own(np.take_along_axis)(operands((arr, indices))[0], indices, axis)


@composes(np.diagonal)
def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    planes = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = planes.shape[-2:]
    start = max(-offset, 0)
    row = np.arange(start, max(min(rows, columns - offset), start))
    return planes[..., row, row + offset]


@composes(np.diag)
def _diag(v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return np.diagonal(v, k)
    if v.ndim != 1:
        raise ValueError(f"np.diag takes a vector or a matrix, not shape {v.shape}")
    row = np.pad(v, (max(k, 0), max(-k, 0))) if k else v
    return np.where(np.eye(row.size, k=k, dtype=bool), row, np.zeros(1, v.dtype))


composes(np.diagflat)(lambda v, k=0: np.diag(np.ravel(v), k))
