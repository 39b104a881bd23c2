"""Linear algebra: norms of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_spiral.engine.sweep import wide
from autograd_spiral.engine.table import define
from autograd_spiral.vocabulary import signatures
from autograd_spiral.vocabulary.rules.reductions import restore_axes


def _norm(x: Any, ord: float, axis: tuple[int, ...], keepdims: bool) -> Any:
    if ord == 2:
        return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))
    return np.sum(np.absolute(x) ** ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def _norm_rule(ct: Any, out: Any, x: Any, ord: float, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return `ct · sign(x) · |x / out|**(ord - 1)`, of x scaled to a norm near 1: powers of x may leave the range."""
    if not x.size:
        return x
    scale = (np.max if ord > 0 else np.min)(np.absolute(x), axis=axis, keepdims=True)
    flat = scale == 0  # all of x is 0, or an entry if ord is negative: the gradient is 0 by convention
    x = wide(x / np.where(flat, 1, scale), x.size / scale.size)
    if ord != 2:
        return restore_axes(ct, x, axis, keepdims) * np.where(flat, 0, _norm_slope(x, ord, axis, flat))
    none = np.where(flat, np.sqrt(np.where(flat, scale, 1)), 0)  # adds 0, and no second derivative where x is 0
    return restore_axes(ct, x, axis, keepdims) * (x / np.where(flat, 1, _norm(x, 2, axis, True)) + none)


def _norm_slope(x: Any, ord: float, axis: tuple[int, ...], flat: Any) -> Any:
    zero = x == 0
    size = np.where(zero, 1, np.absolute(x))
    total = np.sum(np.where(zero, 0, size**ord), axis=axis, keepdims=True)
    return np.sign(x) * size ** (ord - 1) * np.where(flat, 1, total) ** (1 / ord - 1)


define(np.linalg.vector_norm, _norm_rule, bind=signatures.vector_norm, evaluate=_norm, body=_norm)
