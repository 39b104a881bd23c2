"""Sorting, and order statistics: medians and quantiles."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.errors import NoRuleError, ShapeError
from autograd_spiral.vocabulary.compositions.arguments import converted, floating
from autograd_spiral.vocabulary.rules.order import argselect, reorder

np: Any = numpy  # its type stubs know nothing of Tensors

composes(np.sort)(
    lambda a, axis=-1, kind=None, *, stable=None: reorder(a, np.argsort(a, axis, kind, stable=stable), axis=axis)
)
composes(np.partition)(lambda a, kth, axis=-1: reorder(a, np.argpartition(a, kth, axis), axis=axis))


def _lanes(a: Any, axis: Any, keepdims: bool) -> tuple[Any, tuple[int, ...]]:
    """Return `a` with the axes in `axis` merged into one last axis; and the shape of a reduction over these axes."""
    axes = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
    kept = tuple(i for i in range(a.ndim) if i not in axes)
    shape = tuple(a.shape[i] for i in kept)
    flat = (*shape, math.prod(a.shape[i] for i in axes))
    if not flat[-1]:
        raise ShapeError("an axis of length 0 has no median or quantile")
    lanes = a if axes == (a.ndim - 1,) else np.reshape(np.transpose(a, kept + axes), flat)
    return lanes, tuple(1 if i in axes else n for i, n in enumerate(a.shape)) if keepdims else shape


def _ranked(lanes: Any, ranks: list[int]) -> Any:
    """Return the entries with these `ranks` along the last axis, or NaN in lanes that contain a NaN."""
    entries = np.take_along_axis(lanes, argselect(lanes, tuple(ranks)), axis=-1)
    lost = np.isnan(np.max(lanes, axis=-1, keepdims=True))
    return entries * np.where(lost, *np.array([np.nan, 1], lanes.dtype))


def _by_partition(lanes: Any, q: Any, method: str) -> tuple[Any, Any]:
    """Return the ranks of the quantiles `q`, and the entries just below and then just above these ranks."""
    last = lanes.shape[-1] - 1
    ranks = last * q if method == "linear" else np.quantile(np.arange(last + 1.0), q, method=method)
    return ranks, _ranked(lanes, [int(rank) for end in (np.floor, np.ceil) for rank in end(ranks)])


def _by_sorting(lanes: Any, q: Any, method: str) -> tuple[Any, Any]:
    """Return the same as `_by_partition`, but ignore NaNs: lanes may then have different numbers of entries."""
    if method != "linear":
        raise NoRuleError(f"quantiles that ignore NaNs need method='linear': method={method!r} has no gradient rule")
    lanes = np.sort(lanes, axis=-1)
    count = np.sum(np.logical_not(np.isnan(lanes)), axis=-1, keepdims=True)
    ranks = np.maximum(count - 1, 0) * q
    ends = np.concatenate([np.floor(ranks), np.ceil(ranks)], axis=-1).astype(int)
    return ranks, np.take_along_axis(lanes, ends, axis=-1)


def _quantiles(
    ranked: Any, unit: int, a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False
) -> Any:
    q = q if isinstance(q, int | float) else np.asarray(q)
    q = q if unit == 1 else q / unit
    dtype = np.quantile(np.zeros(1, a.dtype), q, method=method).dtype  # where a Python number q is weak
    lanes, shape = _lanes(floating(a), axis, keepdims)
    q = np.asarray(q)
    ranks, entries = ranked(converted(lanes, dtype if dtype.kind == "f" else lanes.dtype), q.ravel(), method)
    lower, upper, part = entries[..., : q.size], entries[..., q.size :], converted(ranks - np.floor(ranks), lanes.dtype)
    out = converted(lower * (1 - part) + np.where(part == 0, 0, upper) * part, dtype)  # infinity · 0 would be NaN
    return np.reshape(out if out.ndim == 1 else np.moveaxis(out, -1, 0), (*q.shape, *shape))


@composes(np.median)
def _median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    lanes, shape = _lanes(floating(a), axis, keepdims)
    out = np.mean(_ranked(lanes, [*{(lanes.shape[-1] - 1) // 2, lanes.shape[-1] // 2}]), axis=-1)
    return np.reshape(out, shape) if keepdims else out


for _prefix, _entries in (("", _by_partition), ("nan", _by_sorting)):
    for _name, _unit in (("quantile", 1), ("percentile", 100)):
        composes(getattr(np, _prefix + _name))(functools.partial(_quantiles, _entries, _unit))
composes(np.nanmedian)(
    lambda a, axis=None, *, keepdims=False: np.nanquantile(floating(a), 0.5, axis, keepdims=keepdims)
)
