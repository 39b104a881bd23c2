"""What the numbers of a wrong gradient have in common, in a few words. Imports numpy alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["diagnose", "diagnose_shape"]

Array: TypeAlias = NDArray[Any]


def diagnose(analytic: Array, numeric: Array, bound: Array, wrong: Array, sizes: Collection[int]) -> str:
    """What the wrong elements of a gradient have in common, in a few words; "" where it is nothing known.

    `numeric` is NaN where it was not determined; `bound` is how far the two may differ; `sizes` are the lengths of
    axes, and their products, that a forgotten factor could be.

    >>> numeric, bound = np.array([1.0, 3.0]), np.full(2, 1e-9)
    >>> diagnose(2 * numeric, numeric, bound, np.full(2, True), ())
    '2.00 × too large'
    >>> diagnose(numeric / 300, numeric, bound, np.full(2, True), {300})
    '300 × too small: missing factor of N = 300'
    """
    if not wrong.any():
        return ""
    if not np.any(analytic):
        return "zero: no path from this input"
    known = np.isfinite(numeric) & np.isfinite(bound)
    wrong = wrong & known & np.isfinite(analytic)
    square = analytic.ndim == 2 and analytic.shape[0] == analytic.shape[1]
    if square and known.all() and np.all(np.abs(analytic - numeric.T) <= bound + bound.T):
        return "transposed"
    text = _of_ratio(analytic[wrong], numeric[wrong], bound[wrong], sizes)
    right = known & ~wrong & (np.abs(numeric) > 10 * bound)
    few = wrong.sum() == 1 or right.any()
    where = f"{wrong.sum()} of {analytic.size} elements" if few and wrong.any() and analytic.size > 1 else ""
    return ", ".join(part for part in (text, where) if part)


def _of_ratio(analytic: Array, numeric: Array, bound: Array, sizes: Collection[int]) -> str:
    telling = np.abs(numeric) > 10 * bound
    if not telling.any():
        return "not 0, where it should be" if np.any(np.abs(analytic) > bound) else ""
    best = int(np.argmax(np.where(telling, np.abs(numeric) / np.maximum(bound, 1e-300), 0)))
    ratio = float(analytic[best] / numeric[best])
    slack = bound + abs(ratio) * bound + np.abs(numeric) * (1 + abs(ratio)) * bound[best] / abs(numeric[best])
    if np.any(np.abs(analytic - ratio * numeric) > slack):
        return ""
    if ratio == 0:
        return "zero"
    sign = "sign flipped" if ratio < 0 else ""
    size = max(abs(ratio), 1 / abs(ratio))
    direction = "large" if abs(ratio) > 1 else "small"
    accuracy = 10 * (bound[best] / abs(numeric[best])) + 1e-6
    if size - 1 <= accuracy:
        return sign
    whole = round(size)
    if whole in sizes and whole > 2 and abs(size / whole - 1) <= accuracy:
        factor = f"1/N, N = {whole}" if direction == "large" else f"N = {whole}"
        much = f"{whole} × too {direction}: missing factor of {factor}"
        if whole < 5:  # so small a factor may be another one that an axis is as long as by chance
            much += ", the length of an axis, or another factor"
    elif size < 1.1:
        much = f"{100 * abs(abs(ratio) - 1):.2g} % too {direction}"
    else:
        much = f"{size:.2f} × too {direction}"
    return " and ".join(part for part in (sign, much) if part)


def diagnose_shape(given: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """What is wrong with a gradient of shape `given` for an input of `shape`.

    >>> diagnose_shape((300, 3), (1, 3))
    'gradient of a broadcast not summed: shape (300, 3) for an input of shape (1, 3)'
    >>> diagnose_shape((3, 2), (2, 3))
    'transposed: shape (3, 2) for an input of shape (2, 3)'
    """
    shapes = f"shape {given} for an input of shape {shape}"
    if len(shape) > 1 and given == shape[::-1]:
        return f"transposed: {shapes}"
    extra = len(given) - len(shape)
    if extra >= 0 and all(n in (1, m) for n, m in zip(shape, given[extra:], strict=True)):
        return f"gradient of a broadcast not summed: {shapes}"
    return shapes
