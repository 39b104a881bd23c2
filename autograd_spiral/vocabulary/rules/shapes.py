"""Shapes: each rule puts the entries of the cotangent back where they were."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.engine.calls import overridable
from autograd_spiral.engine.frozen import frozen
from autograd_spiral.engine.sweep import wide
from autograd_spiral.engine.table import define
from autograd_spiral.vocabulary import signatures


def inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the order of axes that undoes a transposition to the order `axes`.

    >>> inverse((2, 0, 1))
    (1, 2, 0)
    """
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def _reshape(x: Any, shape: tuple[int, ...]) -> Any:
    return np.reshape(x, shape)  # by position: the keyword is `newshape` in NumPy 2.0


def _concatenate_rule(ct: Any, out: Any, *args: Any, axis: int) -> Callable[[int], Any]:
    return np.split(ct, list(itertools.accumulate(x.shape[axis] for x in args[:-1])), axis).__getitem__


def _pad_rule(ct: Any, out: Any, x: Any, pad_width: tuple[tuple[int, int], ...], constant_values: float) -> Any:
    return ct[tuple(slice(before, before + n) for (before, _), n in zip(pad_width, x.shape, strict=True))]


def _windows(x: Any, window_shape: tuple[int, ...], axis: tuple[int, ...]) -> Any:
    """Return NumPy's windows as a view whose base is an array, so that the view can be frozen without a copy."""
    x = x if x.flags.c_contiguous else frozen(x.copy())
    found = sliding_window_view(x, window_shape, axis)
    return np.ndarray(found.shape, x.dtype, x, 0, found.strides)


def _add_windows(ct: Any, window_shape: tuple[int, ...], axis: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """Return zeros of `shape` with each entry of the windows `ct` added at its position: the adjoint of `_windows`."""
    wider = wide(ct, math.prod(window_shape))
    out = np.zeros(shape, wider.dtype)
    windows = sliding_window_view(out, window_shape, axis, writeable=True)
    for place in np.ndindex(window_shape):
        windows[(..., *place)] += wider[(..., *place)]
    return out.astype(ct.dtype, copy=False)


add_windows = overridable(_add_windows)

define(np.reshape, lambda ct, out, x, shape: np.reshape(ct, x.shape), bind=signatures.reshape, evaluate=_reshape)
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
define(
    sliding_window_view,
    lambda ct, out, x, window_shape, axis: add_windows(ct, window_shape=window_shape, axis=axis, shape=x.shape),
    bind=signatures.windows,
    evaluate=_windows,
)
define(
    add_windows,
    lambda ct, out, x, window_shape, axis, shape: sliding_window_view(ct, window_shape, axis),
    bind=lambda ct, **params: ((ct,), params),
    evaluate=_add_windows,
)
