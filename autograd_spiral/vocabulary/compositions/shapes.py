"""Joining, splitting, and moving axes."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.vocabulary.compositions.arguments import operand


@composes(np.ravel)
def _ravel(a: Any) -> Any:
    return np.reshape(a, (a.size,))


@composes(np.moveaxis)
def _moveaxis(a: Any, source: Any, destination: Any) -> Any:
    sources = normalize_axis_tuple(source, a.ndim, "source")
    destinations = normalize_axis_tuple(destination, a.ndim, "destination")
    if len(sources) != len(destinations):
        raise ValueError(f"np.moveaxis: {len(sources)} source axes but {len(destinations)} destination axes")
    order = [i for i in range(a.ndim) if i not in sources]
    for to, from_ in sorted(zip(destinations, sources, strict=True)):
        order.insert(to, from_)
    return np.transpose(a, tuple(order))


@composes(np.swapaxes)
def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    order = list(range(a.ndim))
    i, j = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    order[i], order[j] = j, i
    return np.transpose(a, tuple(order))


composes(np.matrix_transpose)(lambda x, /: np.swapaxes(x, -1, -2))


@composes(np.expand_dims)
def _expand_dims(a: Any, axis: Any) -> Any:
    width = a.ndim + (len(axis) if isinstance(axis, tuple | list) else 1)
    axes = normalize_axis_tuple(axis, width)
    lengths = iter(a.shape)
    return np.reshape(a, tuple(1 if i in axes else next(lengths) for i in range(width)))


@composes(np.squeeze)
def _squeeze(a: Any, axis: Any = None) -> Any:
    ones = tuple(i for i, n in enumerate(a.shape) if n == 1)
    axes = ones if axis is None else normalize_axis_tuple(axis, a.ndim)
    if not set(axes) <= set(ones):
        raise ValueError(f"np.squeeze: axis {axis} of shape {a.shape} does not have length 1")
    return np.reshape(a, tuple(n for i, n in enumerate(a.shape) if i not in axes))


@composes(np.stack)
def _stack(arrays: Any, axis: int = 0) -> Any:
    parts = [operand(array) for array in arrays]
    if len({part.shape for part in parts}) != 1:
        raise ValueError(f"np.stack: all shapes must be the same, not {[part.shape for part in parts]}")
    return np.concatenate([np.expand_dims(part, axis) for part in parts], axis=axis)


@composes(np.split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    axis = normalize_axis_index(axis, ary.ndim)
    length = ary.shape[axis]
    if np.iterable(indices_or_sections):
        cuts = [operator.index(i) for i in indices_or_sections]
    else:
        sections = operator.index(indices_or_sections)
        if sections < 1 or length % sections:
            raise ValueError(f"np.split: length {length} does not divide into {sections} equal parts")
        cuts = [length // sections * i for i in range(1, sections)]
    before = (slice(None),) * axis
    return [ary[(*before, slice(a, b))] for a, b in zip([0, *cuts], [*cuts, length], strict=True)]


@composes(np.tile)
def _tile(A: Any, reps: Any) -> Any:
    repeats = tuple(reps) if np.iterable(reps) else (reps,)
    width = max(len(repeats), A.ndim)
    repeats = (1,) * (width - len(repeats)) + repeats
    shape = (1,) * (width - A.ndim) + A.shape
    apart = np.reshape(A, tuple(n for length in shape for n in (1, length)))
    tiled = np.broadcast_to(apart, tuple(n for pair in zip(repeats, shape, strict=True) for n in pair))
    return np.reshape(tiled, tuple(r * n for r, n in zip(repeats, shape, strict=True)))


@composes(np.flip)
def _flip(m: Any, axis: Any = None) -> Any:
    axes = range(m.ndim) if axis is None else normalize_axis_tuple(axis, m.ndim)
    return m[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(m.ndim))]


@composes(np.roll)
def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.roll(np.ravel(a), shift, 0).reshape(a.shape)
    axes = normalize_axis_tuple(axis, a.ndim, allow_duplicate=True)
    for i, by in np.broadcast(axes, shift):
        indices = (np.arange(a.shape[i]) - by) % max(a.shape[i], 1)
        a = np.take(a, indices, axis=i)
    return a
