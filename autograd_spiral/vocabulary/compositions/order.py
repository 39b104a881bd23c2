"""Sorting, and statistics of the order of entries: medians and quantiles."""

from __future__ import annotations

import math
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.errors import NoRuleError
from autograd_spiral.vocabulary.compositions.arguments import converted
from autograd_spiral.vocabulary.rules.order import reorder

np: Any = numpy  # its type stubs know nothing of Tensors

composes(np.sort)(
    lambda a, axis=-1, kind=None, *, stable=None: reorder(a, np.argsort(a, axis, kind, stable=stable), axis=axis)
)
composes(np.partition)(lambda a, kth, axis=-1: reorder(a, np.argpartition(a, kth, axis), axis=axis))


def _lanes(a: Any, axis: Any, keepdims: bool) -> tuple[Any, tuple[int, ...]]:
    """Return `a` with the axes `axis` as one, the last; and the shape of a reduction over them."""
    axes = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
    kept = tuple(i for i in range(a.ndim) if i not in axes)
    shape = tuple(a.shape[i] for i in kept)
    flat = (*shape, math.prod(a.shape[i] for i in axes))
    lanes = a if a.ndim == 1 else np.reshape(np.transpose(a, kept + axes), flat)
    return lanes, tuple(1 if i in axes else n for i, n in enumerate(a.shape)) if keepdims else shape


def _ranked(lanes: Any, ranks: list[int]) -> Any:
    """Return the entries of these ranks along the last axis; NaN in lanes with a NaN."""
    last = lanes.shape[-1] - 1  # the rank of NaNs
    order = np.argpartition(lanes, sorted({*ranks, last}), axis=-1)[..., [*ranks, last]]
    entries = np.take_along_axis(lanes, order, axis=-1)
    known = np.where(np.isnan(entries[..., -1:]), *np.array([np.nan, 1], lanes.dtype))
    return entries[..., :-1] * known


def _floating(a: Any) -> Any:
    return a if a.dtype.kind == "f" else a.astype(np.float64)


@composes(np.median)
def _median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    lanes, shape = _lanes(_floating(a), axis, keepdims)
    half = lanes.shape[-1] // 2
    return np.reshape(np.mean(_ranked(lanes, list(range((lanes.shape[-1] - 1) // 2, half + 1))), axis=-1), shape)


def _by_partition(lanes: Any, q: Any, method: str) -> tuple[Any, Any]:
    """Return the ranks that `q` stand for, and the entries below and then those above them."""
    last = lanes.shape[-1] - 1
    ranks = last * q if method == "linear" else np.quantile(np.arange(last + 1.0), q, method=method)
    return ranks, _ranked(lanes, [int(rank) for end in (np.floor, np.ceil) for rank in end(ranks)])


def _by_sorting(lanes: Any, q: Any, method: str) -> tuple[Any, Any]:
    """Return the same for the entries that are not NaN, whose number differs from lane to lane."""
    if method != "linear":
        raise NoRuleError(f"quantiles beside NaNs with method={method!r} have no gradient rule: use method='linear'")
    lanes = np.sort(lanes, axis=-1)
    count = np.sum(np.logical_not(np.isnan(lanes)), axis=-1, keepdims=True)
    ranks = np.maximum(count - 1, 0) * q
    ends = np.concatenate([np.floor(ranks), np.ceil(ranks)], axis=-1).astype(int)
    return ranks, np.take_along_axis(lanes, ends, axis=-1)


def _quantiles(ranked: Any, unit: int, a: Any, q: Any, axis: Any, keepdims: bool, method: str = "linear") -> Any:
    q = q if isinstance(q, int | float) else np.asarray(q)
    q = q if unit == 1 else q / unit
    dtype = np.quantile(np.zeros(1, a.dtype), q, method=method).dtype  # in which a Python number q is weak
    lanes, shape = _lanes(_floating(a), axis, keepdims)
    q = np.asarray(q)
    ranks, entries = ranked(converted(lanes, dtype if dtype.kind == "f" else lanes.dtype), q.ravel(), method)
    lower, upper, part = entries[..., : q.size], entries[..., q.size :], converted(ranks - np.floor(ranks), lanes.dtype)
    out = converted(lower * (1 - part) + np.where(part == 0, 0, upper) * part, dtype)  # infinity · 0 is no number
    return np.reshape(out if out.ndim == 1 else np.moveaxis(out, -1, 0), (*q.shape, *shape))


def _quantile(ranked: Any, unit: int) -> Any:
    return lambda a, q, axis=None, *, method="linear", keepdims=False: _quantiles(
        ranked, unit, a, q, axis, keepdims, method
    )


for _function, _ranks, _unit in (
    *((np.quantile, _by_partition, 1), (np.percentile, _by_partition, 100)),
    *((np.nanquantile, _by_sorting, 1), (np.nanpercentile, _by_sorting, 100)),
):
    composes(_function)(_quantile(_ranks, _unit))
composes(np.nanmedian)(
    lambda a, axis=None, *, keepdims=False: _quantiles(_by_sorting, 1, _floating(a), 0.5, axis, keepdims)
)
