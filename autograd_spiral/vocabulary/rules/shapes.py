"""Shapes: each rule puts the entries of the cotangent back where they were."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_spiral.engine.table import define
from autograd_spiral.vocabulary import signatures


def inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the order of axes that undoes a transposition to the order `axes`.

    >>> inverse((2, 0, 1))
    (1, 2, 0)
    """
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def _concatenate_rule(ct: Any, out: Any, *args: Any, axis: int) -> Callable[[int], Any]:
    ends = [0, *itertools.accumulate(x.shape[axis] for x in args)]
    before = (slice(None),) * axis
    return lambda argument: ct[(*before, slice(ends[argument], ends[argument + 1]))]


def _pad_rule(ct: Any, out: Any, x: Any, pad_width: tuple[tuple[int, int], ...], constant_values: float) -> Any:
    return ct[tuple(slice(before, before + n) for (before, _), n in zip(pad_width, x.shape, strict=True))]


define(
    np.reshape,
    lambda ct, out, x, shape: np.reshape(ct, x.shape),
    bind=signatures.reshape,
    evaluate=lambda x, shape: np.reshape(x, shape),  # by position: the keyword is `newshape` in NumPy 2.0
)
define(np.transpose, lambda ct, out, x, axes: np.transpose(ct, inverse(axes)), bind=signatures.transpose)
define(np.broadcast_to, lambda ct, out, x, shape: ct, bind=signatures.broadcast_to)  # the sweep undoes broadcasting
define(
    np.concatenate,
    variadic=True,
    rest=_concatenate_rule,
    bind=signatures.concatenate,
    evaluate=lambda *arrays, axis: np.concatenate(arrays, axis=axis),
)
define(np.pad, _pad_rule, bind=signatures.pad)
