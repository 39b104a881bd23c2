"""Sorting, and statistics of the order of entries: medians and quantiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.vocabulary.rules.order import reorder

composes(np.sort)(
    lambda a, axis=-1, kind=None, *, stable=None: reorder(a, np.argsort(a, axis, kind, stable=stable), axis=axis)
)
composes(np.partition)(lambda a, kth, axis=-1: reorder(a, np.argpartition(a, kth, axis), axis=axis))


def _quantiles(a: Any, q: Any, axis: Any, keepdims: bool, method: str | None) -> Any:
    """Return quantiles, by a partition; without a method, linear ones of what is not NaN, by sorting."""
    q = q if isinstance(q, int | float) else np.asarray(q)
    dtype = np.quantile(np.zeros(1, a.dtype), q, method=method or "linear").dtype  # a Python number is weak
    q, a = np.asarray(q), a.astype(dtype)
    axes = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
    kept = tuple(i for i in range(a.ndim) if i not in axes)
    shape = tuple(a.shape[i] for i in kept)
    lanes = np.reshape(np.transpose(a, kept + axes), (*shape, math.prod(a.shape[i] for i in axes)))
    last = lanes.shape[-1] - 1  # the rank of NaNs
    if method is None:
        lanes = np.sort(lanes, axis=-1)
        count = np.sum(np.logical_not(np.isnan(lanes)), axis=-1, keepdims=True)
        ranks = np.maximum(count - 1, 0) * q.ravel()
        ends = np.concatenate([np.floor(ranks), np.ceil(ranks)], axis=-1).astype(int)
        entries, factor = np.take_along_axis(lanes, ends, axis=-1), 1
    else:
        ranks = np.quantile(np.arange(last + 1.0), q.ravel(), method=method)
        ends = np.concatenate([np.floor(ranks), np.ceil(ranks), [last]]).astype(int)
        order = np.argpartition(lanes, tuple(np.unique(ends)), axis=-1)[..., ends]
        entries = np.take_along_axis(lanes, order, axis=-1)
        factor = np.where(np.isnan(entries[..., -1:]), entries[..., -1:], 1)
    lower, upper, part = (
        entries[..., : q.size],
        entries[..., q.size : 2 * q.size],
        (ranks - np.floor(ranks)).astype(dtype),
    )
    out = np.where(part == 0, lower, lower * (1 - part) + upper * part) * factor
    shape = tuple(1 if i in axes else n for i, n in enumerate(a.shape)) if keepdims else shape
    return np.reshape(np.moveaxis(out, -1, 0), (*q.shape, *shape))


def _hundredths(q: Any) -> Any:
    return q / 100 if isinstance(q, int | float) else np.asarray(q) / 100


def _floating(a: Any) -> Any:
    return a if a.dtype.kind == "f" else a.astype(np.float64)


composes(np.quantile)(
    lambda a, q, axis=None, *, method="linear", keepdims=False: _quantiles(a, q, axis, keepdims, method)
)
composes(np.percentile)(
    lambda a, q, axis=None, *, method="linear", keepdims=False: _quantiles(a, _hundredths(q), axis, keepdims, method)
)
composes(np.median)(lambda a, axis=None, *, keepdims=False: _quantiles(_floating(a), 0.5, axis, keepdims, "linear"))
composes(np.nanquantile)(lambda a, q, axis=None, *, keepdims=False: _quantiles(a, q, axis, keepdims, None))
composes(np.nanpercentile)(
    lambda a, q, axis=None, *, keepdims=False: _quantiles(a, _hundredths(q), axis, keepdims, None)
)
composes(np.nanmedian)(lambda a, axis=None, *, keepdims=False: _quantiles(_floating(a), 0.5, axis, keepdims, None))
