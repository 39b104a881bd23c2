"""NumPy's signatures: they bring a call into one form for the rules, its arrays and its parameters.

Each takes those arguments of its NumPy function that recording honours and returns `(arrays, params)`: axes are counted
from the front, and sequences of arrays and the arrays of an index are arguments of their own. Imports numpy alone.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autograd_spiral.engine.table import ARRAY

__all__ = [
    "astype",
    "broadcast_to",
    "concatenate",
    "einsum",
    "getitem",
    "pad",
    "reduction",
    "reshape",
    "scan",
    "scatter",
    "search",
    "transpose",
    "where",
]

Bound = tuple[tuple[Any, ...], dict[str, Any]]


def where(condition: Any, x: Any, y: Any, /) -> Bound:
    """The form with three arguments, the only one that has a gradient."""
    return (condition, x, y), {}


def astype(x: Any, dtype: Any) -> Bound:
    """`dtype` as one of NumPy's dtypes."""
    return (x,), {"dtype": np.dtype(dtype)}


def einsum(subscripts: str, *operands: Any) -> Bound:
    """Explicit subscripts, as a parameter."""
    return operands, {"subscripts": subscripts}


# --- axes and shapes ------------------------------------------------------------------------------------------------


def reduction(a: Any, axis: Any = None, *, keepdims: bool = False) -> Bound:
    """`axis` as a tuple of all axes meant, counted from the front."""
    axes = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
    return (a,), {"axis": axes, "keepdims": bool(keepdims)}


def scan(a: Any, axis: int | None = None) -> Bound:
    """One axis, counted from the front; without one the array is ravelled."""
    if axis is None:
        return (np.ravel(a),), {"axis": 0}
    return (a,), {"axis": normalize_axis_index(axis, a.ndim)}


def search(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Bound:
    """One axis or None, as NumPy takes it: no rule reads it."""
    return (a,), {"axis": axis, "keepdims": keepdims}


def reshape(a: Any, /, shape: Any) -> Bound:
    """`shape` as a tuple of Python integers."""
    return (a,), {"shape": tuple(map(operator.index, shape)) if np.iterable(shape) else (operator.index(shape),)}


def broadcast_to(array: Any, shape: Any) -> Bound:
    """`shape` as a tuple of Python integers."""
    return reshape(array, shape)


def transpose(a: Any, axes: Any = None) -> Bound:
    """`axes` as the order of all axes, counted from the front."""
    order = range(a.ndim)[::-1] if axes is None else normalize_axis_tuple(axes, a.ndim)
    return (a,), {"axes": tuple(order)}


def concatenate(arrays: Any, /, axis: int | None = 0) -> Bound:
    """A sequence of arrays as arguments of their own."""
    parts = tuple(array if hasattr(array, "ndim") else np.asarray(array) for array in arrays)
    if axis is None:
        return tuple(part.reshape(-1) for part in parts), {"axis": 0}
    return parts, {"axis": normalize_axis_index(axis, parts[0].ndim)}


def pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Bound:
    """The width before and after each axis; `mode="constant"` alone has a rule."""
    if mode != "constant":
        raise TypeError(f"mode={mode!r} has no gradient rule, only mode='constant' has")
    widths = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    pairs = tuple((operator.index(before), operator.index(after)) for before, after in widths)
    return (array,), {"pad_width": pairs, "constant_values": constant_values}


# --- indices --------------------------------------------------------------------------------------------------------


def getitem(x: Any, index: Any) -> Bound:
    """An index with `ARRAY` where it has arrays, and these as arguments."""
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
    """The adjoint of indexing is called with an index in that form."""
    return (ct, *arrays), {"index": index, "shape": shape}
