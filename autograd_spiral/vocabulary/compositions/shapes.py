"""Joining, splitting, and moving axes."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.errors import NoRuleError
from autograd_spiral.vocabulary.compositions.arguments import available, operand, operands
from autograd_spiral.vocabulary.signatures import pad_widths


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


def _at_least(function: Any) -> Any:
    """Return the composition of np.atleast_1d or one of its relatives, which add axes of length 1."""

    def raised(*arys: Any) -> Any:
        shapes = [function(np.broadcast_to(0, np.shape(a))).shape for a in arys]
        views = [a if a.shape == to else np.reshape(a, to) for a, to in zip(operands(arys), shapes, strict=True)]
        return views[0] if len(views) == 1 else tuple(views)

    return raised


for _function in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    composes(_function)(_at_least(_function))

composes(np.vstack)(lambda tup: np.concatenate([np.atleast_2d(part) for part in tup], axis=0))
composes(np.dstack)(lambda tup: np.concatenate([np.atleast_3d(part) for part in tup], axis=2))


@composes(np.hstack)
def _hstack(tup: Any) -> Any:
    parts = [np.atleast_1d(part) for part in tup]
    return np.concatenate(parts, axis=min(parts[0].ndim - 1, 1))


@composes(np.column_stack)
def _column_stack(tup: Any) -> Any:
    columns = (np.atleast_1d(part) for part in tup)
    return np.concatenate([part[:, None] if part.ndim == 1 else part for part in columns], axis=1)


composes(np.append)(lambda arr, values, axis=None: np.concatenate([arr, values], axis=axis))

_DIRECT = 8
"""Up to so many parts are taken from the whole: gradients of n parts of it are n arrays of its size."""


def _parts(ary: Any, cuts: list[int], axis: int) -> list[Any]:
    """Return the parts of `ary` between `cuts`; many of them are parts of its halves, and so on."""
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


@composes(np.split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    if not np.iterable(indices_or_sections):
        length, sections = ary.shape[normalize_axis_index(axis, ary.ndim)], operator.index(indices_or_sections)
        if sections < 1 or length % sections:
            raise ValueError(f"np.split: length {length} does not divide into {sections} equal parts")
    return np.array_split(ary, indices_or_sections, axis)


@composes(*available("unstack"))
def _unstack(x: Any, /, *, axis: int = 0) -> Any:
    length = x.shape[normalize_axis_index(axis, x.ndim)]
    return tuple(np.squeeze(part, axis) for part in np.array_split(x, length, axis)) if length else ()


composes(np.vsplit)(lambda ary, indices_or_sections: np.split(ary, indices_or_sections, 0))
composes(np.dsplit)(lambda ary, indices_or_sections: np.split(ary, indices_or_sections, 2))
composes(np.hsplit)(lambda ary, indices_or_sections: np.split(ary, indices_or_sections, min(ary.ndim - 1, 1)))


@composes(np.block)
def _block(arrays: Any) -> Any:
    return _joined(arrays, np.block(_stand_ins(arrays)).ndim)[0]  # where nesting or shapes are wrong, NumPy says so


def _stand_ins(nested: Any) -> Any:
    return [*map(_stand_ins, nested)] if isinstance(nested, list) else np.broadcast_to(0, np.shape(nested))


def _joined(nested: Any, width: int) -> tuple[Any, int]:
    """Return nested lists of arrays as one array of `width` axes, and how deeply they are nested."""
    if not isinstance(nested, list):
        return np.reshape(nested, (1,) * (width - np.ndim(nested)) + np.shape(nested)), 0
    parts, depths = zip(*(_joined(part, width) for part in nested), strict=True)
    return np.concatenate(parts, axis=-1 - depths[0]), depths[0] + 1


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


composes(np.flipud)(lambda m: np.flip(m, 0))
composes(np.fliplr)(lambda m: np.flip(m, 1))


@composes(np.rot90)
def _rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    first, second = normalize_axis_tuple(axes, m.ndim)
    turns = k % 4
    flipped = np.flip(m, (second,) * (turns in (1, 2)) + (first,) * (turns in (2, 3)))
    return np.swapaxes(flipped, first, second) if turns % 2 else flipped


@composes(np.rollaxis)
def _rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    axis = normalize_axis_index(axis, a.ndim)
    start = normalize_axis_index(start + a.ndim * (start < 0), a.ndim + 1)
    return np.moveaxis(a, axis, start - (axis < start))


@composes(np.roll)
def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.roll(np.ravel(a), shift, 0).reshape(a.shape)
    axes = normalize_axis_tuple(axis, a.ndim, allow_duplicate=True)
    for i, by in np.broadcast(axes, shift):
        indices = (np.arange(a.shape[i]) - by) % max(a.shape[i], 1)
        a = np.take(a, indices, axis=i)
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
def _pad(
    array: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0, reflect_type: Any = "even"
) -> Any:
    if mode == "constant":
        return NotImplemented
    if mode not in ("edge", "reflect", "symmetric", "wrap") or reflect_type != "even":
        unknown = f"np.pad with mode={mode!r} and reflect_type={reflect_type!r} has no gradient rule"
        raise NoRuleError(f"{unknown}: use 'constant', 'edge', 'reflect', 'symmetric' or 'wrap', or np.concatenate")
    for axis, width in enumerate(pad_widths(pad_width, array.ndim)):
        if any(width):
            array = np.take(array, np.pad(np.arange(array.shape[axis]), width, mode), axis)
    return array
