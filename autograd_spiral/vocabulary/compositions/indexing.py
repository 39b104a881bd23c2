"""Taking entries by their positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autograd_spiral.engine.table import composes
from autograd_spiral.vocabulary.compositions.arguments import operand


@composes(np.take)
def _take(a: Any, indices: Any, axis: int | None = None) -> Any:
    index = operand(indices)
    if index.dtype == bool or (index is not indices and not index.size):  # np.take has no masks; [] becomes float
        index = index.astype(np.intp)
    if axis is None:
        return np.ravel(a)[index]
    return a[(*(slice(None),) * normalize_axis_index(axis, a.ndim), index)]


@composes(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    if axis is None:
        return np.ravel(arr)[indices]
    axis = normalize_axis_index(axis, arr.ndim)
    if indices.ndim != arr.ndim:
        raise ValueError(f"np.take_along_axis: shapes {arr.shape} and {indices.shape} differ in their number of axes")
    grids = [np.arange(n).reshape((-1,) + (1,) * (arr.ndim - i - 1)) for i, n in enumerate(arr.shape)]
    return arr[tuple(indices if i == axis else grid for i, grid in enumerate(grids))]


@composes(np.compress)
def _compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    return np.take(operand(a), np.flatnonzero(np.asarray(condition)), axis=axis)


composes(np.extract)(lambda condition, arr: np.compress(np.ravel(condition), np.ravel(arr)))


@composes(np.repeat)
def _repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis_index(axis, a.ndim)
    return np.take(a, np.repeat(np.arange(a.shape[axis]), repeats), axis=axis)


@composes(np.diagonal)
def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    planes = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = planes.shape[-2:]
    start = max(-offset, 0)
    row = np.arange(start, max(min(rows, columns - offset), start))
    return planes[..., row, row + offset]


def _lower(m: Any, k: int) -> Any:
    return np.tri(m.shape[-2] if m.ndim > 1 else m.size, m.shape[-1], k, dtype=bool)


@composes(np.tril)
def _tril(m: Any, k: int = 0) -> Any:
    return np.where(_lower(m, k), m, np.zeros(1, m.dtype))


@composes(np.triu)
def _triu(m: Any, k: int = 0) -> Any:
    return np.where(_lower(m, k - 1), np.zeros(1, m.dtype), m)
