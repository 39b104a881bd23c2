"""NumPy's signatures: each function here turns the arguments of a NumPy function into the form that its rules expect.

It takes the supported arguments of the NumPy function, and returns `(arrays, params)`. Axes are counted from the front.
Each array of a sequence or an index is a separate argument. The rows in `rules/` name these functions as `bind`. A
composition has its own signature, in `compositions/`, and a ufunc takes no keywords: `engine/tensor.py` refuses them.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autograd_spiral.errors import NoRuleError

Bound = tuple[tuple[Any, ...], dict[str, Any]]


def where(condition: Any, x: Any, y: Any, /) -> Bound:
    """Bind the form with three arguments, the only one that has a gradient."""
    return (condition, x, y), {}


def astype(x: Any, dtype: Any) -> Bound:
    """Bind `dtype` as a NumPy dtype."""
    return (x,), {"dtype": np.dtype(dtype)}


def einsum(subscripts: str, *operands: Any, optimize: Any = False) -> Bound:
    """Bind the subscripts as a parameter; `optimize` changes no value."""
    return operands, {"subscripts": subscripts}


# --- axes and shapes ------------------------------------------------------------------------------------------------


def reduction(a: Any, axis: Any = None, *, keepdims: bool = False) -> Bound:
    """Bind `axis` as a tuple of all reduced axes, counted from the front."""
    axes = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
    return (a,), {"axis": axes, "keepdims": bool(keepdims)}


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Bound:
    """Bind `axis` as in `reduction`, and the order."""
    arrays, params = reduction(x, axis, keepdims=keepdims)
    return arrays, {"ord": ord, **params}


def scan(a: Any, axis: int | None = None) -> Bound:
    """Bind `axis` counted from the front; without one, ravel the array."""
    if axis is None:
        return (np.ravel(a),), {"axis": 0}
    return (a,), {"axis": normalize_axis_index(axis, a.ndim)}


def search(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Bound:
    """Bind `axis` unchanged, since no rule uses it."""
    return (a,), {"axis": axis, "keepdims": keepdims}


def reshape(a: Any, /, shape: Any) -> Bound:
    """Bind `shape` as a tuple of Python integers."""
    return (a,), {"shape": tuple(map(operator.index, shape)) if np.iterable(shape) else (operator.index(shape),)}


def broadcast_to(array: Any, shape: Any) -> Bound:
    """Bind `shape` as a tuple of Python integers."""
    return reshape(array, shape)


def transpose(a: Any, axes: Any = None) -> Bound:
    """Bind `axes` as the order of all axes, counted from the front."""
    order = range(a.ndim)[::-1] if axes is None else normalize_axis_tuple(axes, a.ndim)
    return (a,), {"axes": tuple(order)}


def concatenate(arrays: Any, /, axis: int | None = 0) -> Bound:
    """Bind each array of the sequence as a separate argument."""
    parts = tuple(array if hasattr(array, "ndim") else np.asarray(array) for array in arrays)
    if axis is None:
        return tuple(part.reshape(-1) for part in parts), {"axis": 0}
    return parts, {"axis": normalize_axis_index(axis, parts[0].ndim)}


def pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Bound:
    """Bind the widths before and after each axis; raise `NoRuleError` for modes without a rule."""
    if mode != "constant":
        raise NoRuleError(f"np.pad with mode={mode!r} has no gradient rule: use mode='constant', or np.concatenate")
    widths = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    pairs = tuple((operator.index(before), operator.index(after)) for before, after in widths)
    return (array,), {"pad_width": pairs, "constant_values": constant_values}


# --- indices --------------------------------------------------------------------------------------------------------


ARRAY = "array"
"""Marks the positions of index arrays in a recorded index; the arrays themselves are arguments."""


def fill(index: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the index that NumPy understands: `index` with each `ARRAY` replaced by the next of `arrays`.

    >>> fill((ARRAY, slice(1, 3)), ([0, 2],))
    ([0, 2], slice(1, 3, None))
    """
    remaining = iter(arrays)
    return tuple([next(remaining) if item is ARRAY else item for item in index])  # from a generator, it takes longer


def getitem(x: Any, index: Any) -> Bound:
    """Bind the index with `ARRAY` in place of its arrays, which become separate arguments."""
    items: list[Any] = []
    arrays = []
    for item in index if isinstance(index, tuple) else (index,):
        if item is None or item is Ellipsis:
            items.append(item)
        elif isinstance(item, slice):
            bounds = (item.start, item.stop, item.step)
            items.append(slice(*(bound if bound is None else operator.index(bound) for bound in bounds)))
        elif isinstance(item, int | np.integer) and not isinstance(item, bool):
            items.append(int(item))
        else:
            array = item if hasattr(item, "ndim") else np.asarray(item)
            arrays.append(array if array.size or array is item else array.astype(np.intp))  # x[[]] selects nothing
            items.append(ARRAY)
    return (x, *arrays), {"index": tuple(items)}


def scatter(ct: Any, *arrays: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Bound:
    """Bind an index that is in the form of `getitem` already."""
    return (ct, *arrays), {"index": index, "shape": shape}
