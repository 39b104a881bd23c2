"""Joining, splitting, and moving axes."""

from __future__ import annotations

import functools
import itertools
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.errors import NoRuleError
from autograd_spiral.vocabulary.compositions.arguments import available, operand, operands, stand_in
from autograd_spiral.vocabulary.compositions.indexing import picked
from autograd_spiral.vocabulary.compositions.numpys_own import numpys_own
from autograd_spiral.vocabulary.signatures import pad_widths

composes(np.ravel)(lambda a: np.reshape(a, (a.size,)))


composes(np.swapaxes)(  # found by swapping the axes of an array whose axis i has length i
    lambda a, axis1, axis2: np.transpose(a, np.swapaxes(np.empty(range(a.ndim)), axis1, axis2).shape)
)
composes(np.squeeze)(lambda a, axis=None: np.reshape(a, np.squeeze(stand_in(a), axis).shape))


@composes(np.stack)
def _stack(arrays: Any, axis: int = 0, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    parts = [operand(array) for array in arrays]
    np.stack([*map(stand_in, parts)])  # raises if shapes differ
    return np.concatenate([np.expand_dims(part, axis) for part in parts], axis=axis, dtype=dtype, casting=casting)


for _function in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    composes(_function)(functools.partial(lambda own, *arys: own(*operands(arys)), numpys_own(_function)))

_DIRECT = 8
"""At most this many parts are cut directly from an array, since the gradient of each such part is as large as the
array."""


def _parts(ary: Any, cuts: list[int], axis: int) -> list[Any]:
    """Return the parts of `ary` between `cuts`; if there are many, cut the array into halves, and cut these in turn."""
    before, length = (slice(None),) * axis, ary.shape[axis]
    middle = len(cuts) // 2
    if len(cuts) <= _DIRECT or any(a > b for a, b in itertools.pairwise([0, *cuts, length])):
        return [ary[(*before, slice(a, b))] for a, b in zip([0, *cuts], [*cuts, length], strict=True)]
    at = cuts[middle]
    left, right = ary[(*before, slice(at))], ary[(*before, slice(at, None))]
    return _parts(left, cuts[:middle], axis) + _parts(right, [cut - at for cut in cuts[middle + 1 :]], axis)


@composes(np.array_split)
def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    axis = normalize_axis_index(axis, ary.ndim)
    if np.iterable(indices_or_sections):
        return _parts(ary, [operator.index(i) for i in indices_or_sections], axis)
    sections = operator.index(indices_or_sections)
    if sections < 1:
        raise ValueError(f"np.array_split: {sections} sections, but there must be one or more")
    size, longer = divmod(ary.shape[axis], sections)
    return _parts(ary, [size * i + min(i, longer) for i in range(1, sections)], axis)


@composes(*available("unstack"))
def _unstack(x: Any, /, *, axis: int = 0) -> Any:
    length = x.shape[normalize_axis_index(axis, x.ndim)]
    return tuple(np.squeeze(part, axis) for part in np.array_split(x, length, axis)) if length else ()


@composes(np.block)
def _block(arrays: Any) -> Any:
    return _joined(arrays, np.block(_stand_ins(arrays)).ndim)[0]  # NumPy raises if nesting or shapes are wrong


def _stand_ins(nested: Any) -> Any:
    return [*map(_stand_ins, nested)] if isinstance(nested, list) else stand_in(nested)


def _joined(nested: Any, width: int) -> tuple[Any, int]:
    """Return nested lists of arrays as one array with `width` axes, and the depth of the nesting."""
    if not isinstance(nested, list):
        return np.reshape(nested, (1,) * (width - np.ndim(nested)) + np.shape(nested)), 0
    parts, depths = zip(*(_joined(part, width) for part in nested), strict=True)
    return np.concatenate(parts, axis=-1 - depths[0]), depths[0] + 1


def blocks(join: Any, a: Any, b: Any) -> Any:
    """Return `join(entry, b)` for each entry of `a`, as blocks in one array.

    >>> blocks(np.multiply, np.array([1, 10]), np.array([2, 3]))
    array([ 2,  3, 20, 30])
    """
    width = max(np.ndim(a), np.ndim(b))
    high, low = ((1,) * (width - np.ndim(x)) + np.shape(x) for x in (a, b))
    pairs = join(np.reshape(a, [k for n in high for k in (n, 1)]), np.reshape(b, [k for n in low for k in (1, n)]))
    return np.reshape(pairs, [n * m for n, m in zip(high, low, strict=True)])


@composes(np.tile)
def _tile(A: Any, reps: Any) -> Any:
    copies = np.broadcast_to(np.int8(0), reps)  # only its shape counts
    return blocks(lambda a, b: np.broadcast_to(b, np.broadcast_shapes(a.shape, b.shape)), copies, A)


@composes(np.roll)
def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.roll(np.ravel(a), shift, 0).reshape(a.shape)
    axes = normalize_axis_tuple(axis, a.ndim, allow_duplicate=True)
    for i, by in np.broadcast(axes, shift):
        a = picked(np.roll, a, i, by)
    return a


@composes(np.broadcast_arrays)
def _broadcast_arrays(*args: Any) -> Any:
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(a if a.shape == shape else np.broadcast_to(a, shape) for a in operands(args))


@composes(np.meshgrid)
def _meshgrid(*xi: Any, sparse: bool = False, indexing: Any = "xy", copy: bool = True) -> Any:
    along = np.meshgrid(*(np.zeros(np.size(x)) for x in xi), sparse=True, indexing=indexing)
    grids = tuple(np.reshape(x, axis.shape) for x, axis in zip(operands(xi), along, strict=True))
    return grids if sparse else np.broadcast_arrays(*grids)


@composes(np.resize)
def _resize(a: Any, new_shape: Any) -> Any:
    flat = np.ravel(a) if a.size else np.pad(np.ravel(a), (0, 1))  # NumPy repeats a 0 if there is nothing to repeat
    return flat[np.resize(np.arange(flat.size), new_shape)]


@composes(np.pad)
def _pad(array: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0) -> Any:
    if mode == "constant":
        return NotImplemented
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        known = "'constant', 'edge', 'reflect', 'symmetric' or 'wrap'"
        raise NoRuleError(f"np.pad with mode={mode!r} has no gradient rule: use {known}, or np.concatenate")
    for axis, width in enumerate(pad_widths(pad_width, array.ndim)):
        if any(width):
            array = picked(np.pad, array, axis, width, mode)
    return array
