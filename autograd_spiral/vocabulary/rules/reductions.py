"""Reductions and scans: each rule spreads the cotangent of a result over the entries that it came from."""

from __future__ import annotations

import functools
import math
from typing import Any, cast

import numpy as np

from autograd_spiral.engine.calls import overridable
from autograd_spiral.engine.sweep import wide
from autograd_spiral.engine.table import PRIMITIVES, define
from autograd_spiral.vocabulary import fast_paths, signatures
from autograd_spiral.vocabulary.rules.shapes import inverse


def restore_axes(ct: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return a reduction's cotangent (or result) with the reduced axes put back, with length 1.

    >>> restore_axes(np.ones(3), np.ones((2, 3)), (0,), False).shape
    (1, 3)
    """
    if keepdims or ct.ndim == 0:  # a `ct` without axes broadcasts anyway
        return ct
    return ct.reshape(tuple(1 if i in axis else n for i, n in enumerate(x.shape)))


def share(ct: Any, count: int) -> Any:
    """Return `ct / count`; multiply by the reciprocal if `count` is too large for float16.

    >>> float(share(np.float16(7.0), 70000)) > 0
    True
    """
    return ct / count if count <= 65504 else ct * (1 / count)


def _sum_rule(ct: Any, out: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    return fast_paths.broadcast_to(restore_axes(ct, x, axis, keepdims), x.shape)


def _mean_rule(ct: Any, out: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    count = math.prod(x.shape[i] for i in axis)
    return fast_paths.broadcast_to(share(restore_axes(ct, x, axis, keepdims), count), x.shape)


def _cumsum_rule(ct: Any, out: Any, x: Any, axis: int) -> Any:
    return np.flip(np.cumsum(np.flip(wide(ct, ct.shape[axis]), axis), axis), axis)


def _linear_recurrence(b: Any, a: Any, axis: int) -> Any:
    """Return y with `y[k] = b[k] + a[k] · y[k + 1]` along `axis`; `a` has one entry fewer than `b`."""
    b, a = b.swapaxes(axis, 0), a.swapaxes(axis, 0)
    if b.ndim == 2 and b.shape[1] <= 16:  # loops along the short rows would take longer than these copies
        b, a = np.asfortranarray(b), np.asfortranarray(a)
    with np.errstate(all="ignore"):
        y = _by_halves(b, a, 8)
    if not np.isfinite(y).all():  # a product of several entries of `a` may overflow even if no y does
        y = _by_halves(b, a, len(b))
    return y.swapaxes(axis, 0)


def _by_halves(b: Any, a: Any, short: int) -> Any:
    """Return y along the first axis: every second entry from a recurrence of half the length, then the others.

    A recurrence of at most `short` entries is computed one by one.
    """
    y = b.copy(order="K")
    if len(b) <= short:
        for k in range(len(a) - 1, -1, -1):
            y[k] += a[k] * y[k + 1]
        return y
    even, odd = a[::2], a[1::2]
    y[:-1:2] += even * b[1::2]
    y[::2] = _by_halves(y[::2], even[: len(odd)] * odd, short)
    y[1:-1:2] += odd * y[2::2]
    return y


linear_recurrence = overridable(_linear_recurrence)


def _recurrence_b(ct: Any, out: Any, b: Any, a: Any, axis: int) -> Any:
    """Return the cotangent of `b`: the same recurrence of `ct`, in the other direction."""
    return np.flip(linear_recurrence(np.flip(ct, axis), np.flip(a, axis), axis=axis), axis)


def _recurrence_a(ct: Any, out: Any, b: Any, a: Any, axis: int) -> Any:
    before = (slice(None),) * axis
    return _recurrence_b(ct, out, b, a, axis)[(*before, slice(-1))] * out[(*before, slice(1, None))]


def _accumulation_rule(ufunc: np.ufunc) -> Any:
    """Return the rule of `ufunc.accumulate`, where `out[k] = ufunc(out[k - 1], x[k])`, from the rules of `ufunc`."""

    def rule(ct: Any, out: Any, x: Any, axis: int) -> Any:
        along_out, along_x = cast(Any, PRIMITIVES[ufunc].vjps)
        first, rest, last = ((*(slice(None),) * axis, s) for s in (slice(1), slice(1, None), slice(-1)))
        ct, out, wider = (wide(each, math.inf) for each in (ct, out, x))  # products of slopes may overflow
        step = out[rest], out[last], wider[rest]
        slopes = step[2] if ufunc is np.multiply else along_out(1.0, *step)  # for a product, they are known already
        total = linear_recurrence(ct, slopes, axis=axis)
        pieces = np.concatenate([total[first], along_x(total[rest], *step)], axis=axis)
        return pieces if pieces.dtype == x.dtype else pieces.astype(x.dtype)

    return rule


def _extremum_rule(ct: Any, out: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return the cotangent, shared equally among the entries that attain the extremum."""
    attains = wide((x == restore_axes(out, x, axis, keepdims)).astype(x.dtype), x.size / max(out.size, 1))
    return restore_axes(ct, x, axis, keepdims) * attains / np.sum(attains, axis=axis, keepdims=True)


def others(x: Any) -> Any:
    """Return, for each entry along the last axis, the product of the others: exact even with zeros, at any order.

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
    moved = np.transpose(wide(x, math.inf), order)  # products of some entries may overflow
    flat = (*moved.shape[: x.ndim - len(axis)], math.prod(x.shape[i] for i in axis))
    rest = np.transpose(np.reshape(others(np.reshape(moved, flat)), moved.shape), inverse(order))
    pieces = restore_axes(ct, x, axis, keepdims) * rest
    return pieces if pieces.dtype == x.dtype else pieces.astype(x.dtype)


define(np.sum, _sum_rule, bind=signatures.reduction, evaluate=np.add.reduce)
define(np.mean, _mean_rule, bind=signatures.reduction, evaluate=np.ndarray.mean)
define(np.prod, _prod_rule, bind=signatures.reduction, evaluate=np.multiply.reduce)
define(np.max, _extremum_rule, bind=signatures.reduction, evaluate=functools.partial(fast_paths.extremum, np.maximum))
define(np.min, _extremum_rule, bind=signatures.reduction, evaluate=functools.partial(fast_paths.extremum, np.minimum))
for extremum in (np.nanmax, np.nanmin):
    define(extremum, _extremum_rule, bind=signatures.reduction)
define(np.cumsum, _cumsum_rule, bind=signatures.scan)
define(np.cumprod, _accumulation_rule(np.multiply), bind=signatures.scan)
for ufunc in (np.maximum, np.minimum, np.logaddexp, np.hypot):
    define(ufunc.accumulate, _accumulation_rule(ufunc), bind=signatures.accumulation)
define(linear_recurrence, _recurrence_b, _recurrence_a, bind=signatures.along, evaluate=_linear_recurrence)
for test in (np.all, np.any):
    define(test, None, bind=signatures.reduction)
