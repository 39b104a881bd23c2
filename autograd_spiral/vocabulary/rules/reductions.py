"""Reductions and scans: each rule spreads the cotangent of a result over the entries that it came from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd_spiral.engine.sweep import wide
from autograd_spiral.engine.table import define
from autograd_spiral.vocabulary import fast_paths, signatures
from autograd_spiral.vocabulary.rules.shapes import inverse


def restore_axes(ct: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return a reduction's cotangent (or result) with the reduced axes put back, with length 1.

    >>> restore_axes(np.ones(3), np.ones((2, 3)), (0,), False).shape
    (1, 3)
    """
    if keepdims or ct.ndim == 0:  # without axes it broadcasts anyway
        return ct
    return ct.reshape(tuple(1 if i in axis else n for i, n in enumerate(x.shape)))


def share(ct: Any, count: int) -> Any:
    """Return `ct / count`; multiply by the reciprocal if `count` is too large for float16.

    >>> float(share(np.float16(7.0), 70000)) > 0
    True
    """
    return ct / count if count <= 65504 else ct * (1 / count)


def _mean_rule(ct: Any, out: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    count = math.prod(x.shape[i] for i in axis)
    return fast_paths.broadcast_to(share(restore_axes(ct, x, axis, keepdims), count), x.shape)


def _cumsum_rule(ct: Any, out: Any, x: Any, axis: int) -> Any:
    return np.flip(np.cumsum(np.flip(wide(ct, ct.shape[axis]), axis), axis), axis)


def _extremum_rule(ct: Any, out: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return the cotangent, shared equally among the entries that attain the extremum."""
    attains = wide((x == restore_axes(out, x, axis, keepdims)).astype(x.dtype), x.size / max(out.size, 1))
    return restore_axes(ct, x, axis, keepdims) * attains / np.sum(attains, axis=axis, keepdims=True)


def others(x: Any) -> Any:
    """Return, for each entry along the last axis, the product of the others: exact with zeros, at any order.

    >>> others(np.array([2.0, 0.0, 3.0]))
    array([0., 6., 0.])
    """
    n = x.shape[-1]
    if n < 2:
        return np.ones_like(x)
    left, right, last = x[..., : n - 1 : 2], x[..., 1::2], x[..., n - n % 2 :]
    products = left * right
    around = others(np.concatenate([products, last], axis=-1) if n % 2 else products)
    pairs = around[..., : n // 2]
    both = np.stack([pairs * right, pairs * left], axis=-1).reshape((*x.shape[:-1], n - n % 2))
    return np.concatenate([both, around[..., n // 2 :]], axis=-1) if n % 2 else both


def _prod_rule(ct: Any, out: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    order = tuple(i for i in range(x.ndim) if i not in axis) + axis
    moved = np.transpose(x, order)
    flat = (*moved.shape[: x.ndim - len(axis)], math.prod(x.shape[i] for i in axis))
    rest = np.transpose(np.reshape(others(np.reshape(moved, flat)), moved.shape), inverse(order))
    return restore_axes(ct, x, axis, keepdims) * rest


define(
    np.sum,
    lambda ct, out, x, axis, keepdims: fast_paths.broadcast_to(restore_axes(ct, x, axis, keepdims), x.shape),
    bind=signatures.reduction,
    evaluate=np.add.reduce,
)
define(np.mean, _mean_rule, bind=signatures.reduction, evaluate=np.ndarray.mean)
define(np.prod, _prod_rule, bind=signatures.reduction, evaluate=np.multiply.reduce)
define(np.max, _extremum_rule, bind=signatures.reduction, evaluate=np.maximum.reduce)
define(np.min, _extremum_rule, bind=signatures.reduction, evaluate=np.minimum.reduce)
define(np.cumsum, _cumsum_rule, bind=signatures.scan)
for test in (np.all, np.any):
    define(test, None, bind=signatures.reduction)
