"""NumPy functions composed from primitives: each takes NumPy's arguments, and calls NumPy functions that have rules.

Each composition runs on arrays and on Tensors; on arrays it returns the same as NumPy's function. If it returns
NotImplemented, the primitive of the same name is called.
"""

from __future__ import annotations

import math
import operator
import string
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.errors import NoRuleError


def _array(x: Any) -> Any:
    return x if hasattr(x, "ndim") else np.asarray(x)


# --- answered without computing ---------------------------------------------------------------------------------

composes(np.shape)(lambda a: a.shape)
composes(np.ndim)(lambda a: a.ndim)


@composes(np.size)
def _size(a: Any, axis: Any = None) -> int:
    return int(a.size if axis is None else math.prod(a.shape[i] for i in normalize_axis_tuple(axis, a.ndim)))


def _constant(array: Any, like: Any) -> Any:
    """Return `array` as an array or as a Tensor, whichever `like` is."""
    return array if isinstance(like, np.ndarray) else type(like)(array)


@composes(np.zeros_like)
def _zeros_like(a: Any, dtype: Any = None) -> Any:
    return _constant(np.zeros(a.shape, dtype or a.dtype), a)


@composes(np.ones_like)
def _ones_like(a: Any, dtype: Any = None) -> Any:
    return _constant(np.ones(a.shape, dtype or a.dtype), a)


@composes(np.full_like)
def _full_like(a: Any, fill_value: Any, dtype: Any = None) -> Any:
    if hasattr(fill_value, "backward"):
        raise NoRuleError("np.full_like makes a constant: for a gradient write np.broadcast_to(fill_value, a.shape)")
    return _constant(np.full(a.shape, fill_value, dtype or a.dtype), a)


# --- elementwise ------------------------------------------------------------------------------------------------

composes(np.copy)(lambda a: a.astype(bool) if a.dtype == bool else np.positive(a))  # NumPy has no +a for bools
composes(np.astype)(lambda x, dtype, /: x.astype(dtype))
composes(np.amax)(lambda a, axis=None, *, keepdims=False: np.max(a, axis, keepdims=keepdims))
composes(np.amin)(lambda a, axis=None, *, keepdims=False: np.min(a, axis, keepdims=keepdims))


@composes(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    if a.dtype.kind in "iu":  # as in NumPy, a Python integer outside the dtype's range does not clip
        low = None if type(low) is int and low <= np.iinfo(a.dtype).min else low
        high = None if type(high) is int and high >= np.iinfo(a.dtype).max else high
    out = a if low is None else np.maximum(a, low)
    return out if high is None else np.minimum(out, high)


# --- products ---------------------------------------------------------------------------------------------------


@composes(np.matmul)
def _matmul(x: Any, y: Any, /) -> Any:
    x, y = _array(x), _array(y)
    if x.ndim == 1 and y.ndim == 1:
        return np.matmul(x[None, :], y[:, None])[0, 0]
    if x.ndim == 1 and y.ndim > 1:
        return np.matmul(x[None, :], y)[..., 0, :]
    if y.ndim == 1 and x.ndim > 1:
        return np.matmul(x, y[:, None])[..., 0]
    return NotImplemented


@composes(np.dot)
def _dot(a: Any, b: Any) -> Any:
    a, b = _array(a), _array(b)
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    if b.ndim <= 2:
        return np.matmul(a, b)
    return np.tensordot(a, b, axes=(-1, -2))


composes(np.vdot)(lambda a, b, /: np.dot(np.ravel(_array(a)), np.ravel(_array(b))))


@composes(np.inner)
def _inner(a: Any, b: Any, /) -> Any:
    a, b = _array(a), _array(b)
    return np.multiply(a, b) if a.ndim == 0 or b.ndim == 0 else np.tensordot(a, b, axes=(-1, -1))


@composes(np.outer)
def _outer(a: Any, b: Any) -> Any:
    return np.ravel(_array(a))[:, None] * np.ravel(_array(b))[None, :]


@composes(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = _array(a), _array(b)
    if isinstance(axes, int | np.integer):
        axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    summed_a = normalize_axis_tuple(axes[0], a.ndim)
    summed_b = normalize_axis_tuple(axes[1], b.ndim)
    kept_a = tuple(i for i in range(a.ndim) if i not in summed_a)
    kept_b = tuple(i for i in range(b.ndim) if i not in summed_b)
    if [a.shape[i] for i in summed_a] != [b.shape[i] for i in summed_b]:
        raise ValueError(
            f"np.tensordot: axes {summed_a} of shape {a.shape} do not match axes {summed_b} of shape {b.shape}"
        )
    shape_a = tuple(a.shape[i] for i in kept_a)
    shape_b = tuple(b.shape[i] for i in kept_b)
    length = math.prod(a.shape[i] for i in summed_a)
    rows = np.transpose(a, kept_a + summed_a).reshape((math.prod(shape_a), length))
    columns = np.transpose(b, summed_b + kept_b).reshape((length, math.prod(shape_b)))
    return np.matmul(rows, columns).reshape(shape_a + shape_b)


@composes(np.einsum)
def _einsum(subscripts: Any, /, *operands: Any, optimize: Any = False) -> Any:
    """Rewrite to explicit subscripts without repeated letters in an operand, the only form that the primitive takes."""
    if not isinstance(subscripts, str):
        raise NoRuleError("np.einsum(operand, axes, …) has no gradient rule: write np.einsum('ij,jk->ik', x, y)")
    arrays = [_array(operand) for operand in operands]
    terms, arrow, result = subscripts.replace(" ", "").partition("->")
    inputs = terms.split(",")
    if len(inputs) != len(arrays):
        raise ValueError(f"np.einsum: {subscripts!r} names {len(inputs)} operands but {len(arrays)} were given")
    spare = [letter for letter in string.ascii_letters if letter not in subscripts]
    widths = [a.ndim - len(t) + 3 if "..." in t else 0 for t, a in zip(inputs, arrays, strict=True)]
    dots = "".join(spare[: max(widths)])
    inputs = [t.replace("...", dots[len(dots) - w :]) for t, w in zip(inputs, widths, strict=True)]
    if arrow:
        result = result.replace("...", dots)
    else:
        named = "".join(inputs)
        result = dots + "".join(sorted(c for c in set(named) if named.count(c) == 1 and c not in dots))
    for i, term in enumerate(inputs):
        if len(term) != arrays[i].ndim:
            raise ValueError(f"np.einsum: {term!r} does not fit an operand of shape {arrays[i].shape}")
        while len(set(term)) < len(term):
            twice = next(letter for letter in term if term.count(letter) > 1)
            first = term.index(twice)
            second = term.index(twice, first + 1)
            if arrays[i].shape[first] != arrays[i].shape[second]:
                raise ValueError(
                    f"np.einsum: {twice!r} stands twice in {term!r}, for axes of lengths {arrays[i].shape[first]} and "
                    f"{arrays[i].shape[second]}, but a diagonal needs equal lengths"
                )
            arrays[i] = np.diagonal(arrays[i], 0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + twice
        inputs[i] = term
    explicit = ",".join(inputs) + "->" + result
    if explicit == subscripts and all(a is b for a, b in zip(arrays, operands, strict=True)):
        return NotImplemented
    return np.einsum(explicit, *arrays)


@composes(np.linalg.vector_norm)
def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    if x.dtype.kind != "f":
        return np.linalg.vector_norm(x.astype(float), axis=axis, keepdims=keepdims, ord=ord)
    if not isinstance(ord, int | float) or ord == 0:
        raise NoRuleError(f"a vector norm with ord={ord!r} has no gradient rule: use a number other than 0")
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    if math.isinf(ord) and (ord < 0 or math.prod(x.shape[i] for i in axes)):
        return (np.max if ord > 0 else np.min)(np.absolute(x), axis=axis, keepdims=keepdims)
    return np.sum(np.absolute(x), axis=axis, keepdims=keepdims) if ord in (1, math.inf) else NotImplemented


@composes(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    ord = ord.item() if isinstance(ord, np.number) else ord
    if axis is None and ord is not None and x.ndim not in (1, 2):
        raise ValueError(f"np.linalg.norm with ord={ord!r} needs axis=, one or two axes of shape {x.shape}")
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    if len(axes) == 1 or ord is None or (ord in ("fro", "f") and len(axes) == 2):
        order = ord if len(axes) == 1 and ord is not None else 2
        return np.linalg.vector_norm(x, axis=axes, keepdims=keepdims, ord=order)
    if len(axes) == 2 and ord in (1, -1, math.inf, -math.inf):
        x = x if x.dtype.kind == "f" else x.astype(float)
        summed, searched = axes if abs(ord) == 1 else axes[::-1]
        sums = np.sum(np.absolute(x), axis=summed, keepdims=True)
        out = np.linalg.vector_norm(sums, axis=searched, keepdims=True, ord=math.copysign(math.inf, ord))
        return out if keepdims else np.squeeze(out, axis=axes)
    raise NoRuleError(f"np.linalg.norm with ord={ord!r} over {len(axes)} axes has no gradient rule")


# --- reductions -------------------------------------------------------------------------------------------------


@composes(np.var)
def _var(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, correction: Any = None) -> Any:
    if a.dtype == np.float16:  # in which sums of squares leave the range
        wide = np.var(a.astype(np.float32), axis, ddof=ddof if correction is None else correction, keepdims=keepdims)
        return wide.astype(np.float16)
    deviation = a - np.mean(a, axis=axis, keepdims=True)
    squares = np.sum(np.square(deviation), axis=axis, keepdims=keepdims)
    count = a.size // max(squares.size, 1)
    return squares / max(count - (ddof if correction is None else correction), 0)


@composes(np.std)
def _std(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, correction: Any = None) -> Any:
    if a.dtype == np.float16:
        wide = np.std(a.astype(np.float32), axis, ddof=ddof if correction is None else correction, keepdims=keepdims)
        return wide.astype(np.float16)
    deviation = a - np.mean(a, axis=axis, keepdims=True)
    length = np.linalg.vector_norm(deviation, axis=axis, keepdims=keepdims)
    count = a.size // max(length.size, 1)
    return length / math.sqrt(max(count - (ddof if correction is None else correction), 0))


@composes(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1)


# --- shapes -----------------------------------------------------------------------------------------------------


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
    parts = [_array(array) for array in arrays]
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


# --- indexing ---------------------------------------------------------------------------------------------------


@composes(np.take)
def _take(a: Any, indices: Any, axis: int | None = None) -> Any:
    index = _array(indices)
    if index.dtype == bool or (index is not indices and not index.size):  # np.take has no masks; [] becomes float
        index = index.astype(np.intp)
    if axis is None:
        return np.ravel(a)[index]
    return a[(*(slice(None),) * normalize_axis_index(axis, a.ndim), index)]


@composes(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    if axis is None:
        return np.ravel(arr)[indices]
    axis = normalize_axis_index(axis, arr.ndim)
    if indices.ndim != arr.ndim:
        raise ValueError(f"np.take_along_axis: shapes {arr.shape} and {indices.shape} differ in their number of axes")
    grids = [np.arange(n).reshape((-1,) + (1,) * (arr.ndim - i - 1)) for i, n in enumerate(arr.shape)]
    return arr[tuple(indices if i == axis else grid for i, grid in enumerate(grids))]


@composes(np.repeat)
def _repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis_index(axis, a.ndim)
    return np.take(a, np.repeat(np.arange(a.shape[axis]), repeats), axis=axis)


@composes(np.diagonal)
def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    planes = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = planes.shape[-2:]
    start = max(-offset, 0)
    row = np.arange(start, max(min(rows, columns - offset), start))
    return planes[..., row, row + offset]


def _lower(m: Any, k: int) -> Any:
    return np.tri(m.shape[-2] if m.ndim > 1 else m.size, m.shape[-1], k, dtype=bool)


@composes(np.tril)
def _tril(m: Any, k: int = 0) -> Any:
    return np.where(_lower(m, k), m, np.zeros(1, m.dtype))


@composes(np.triu)
def _triu(m: Any, k: int = 0) -> Any:
    return np.where(_lower(m, k - 1), np.zeros(1, m.dtype), m)
