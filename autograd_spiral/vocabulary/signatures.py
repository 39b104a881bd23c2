"""NumPy's signatures: each function here turns the arguments of a NumPy function into the form that its rules expect.

Each takes the supported arguments, and returns `(arrays, params)`. Axes are counted from the front. Each array of a
sequence or an index is a separate argument. The rows in `rules/` name these functions as `bind`. A composition has its
own signature, in `compositions/`. A ufunc takes no keywords here: `engine/tensor.py` refuses them.
"""

from __future__ import annotations

import inspect
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autograd_spiral.errors import NoRuleError

Bound = tuple[tuple[Any, ...], dict[str, Any]]


def where(condition: Any, x: Any, y: Any, /) -> Bound:
    """Bind the form with three arguments, the only one that has a gradient."""
    return (condition, x, y), {}


def alone(x: Any) -> Bound:
    """Bind the only argument."""
    return (x,), {}


def rounding(a: Any, decimals: Any = 0) -> Bound:
    """Bind the number of decimals, an integer."""
    return (a,), {"decimals": operator.index(decimals)}


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Bound:
    """Bind the tolerances as parameters."""
    return (a, b), {"rtol": rtol, "atol": atol, "equal_nan": equal_nan}


def choose(a: Any, choices: Any, *, mode: str = "raise") -> Bound:
    """Bind each choice as a separate argument; for `mode` "wrap" or "clip", bring the indices into range first."""
    if mode in ("wrap", "clip"):
        a = np.remainder(a, len(choices)) if mode == "wrap" else np.clip(a, 0, len(choices) - 1)
    elif mode != "raise":
        raise NoRuleError(f"np.choose: the mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    return (a, *choices), {}


def astype(x: Any, dtype: Any) -> Bound:
    """Bind `dtype` as a NumPy dtype."""
    return (x,), {"dtype": np.dtype(dtype)}


def einsum(subscripts: str, *operands: Any, optimize: Any = False) -> Bound:
    """Bind the subscripts as a parameter, and `optimize` unless it has NumPy's default."""
    how = tuple(optimize) if isinstance(optimize, list) else optimize
    return operands, {"subscripts": subscripts, **({"optimize": how} if how else {})}


def convolve(a: Any, v: Any, mode: str = "full") -> Bound:
    """Bind the mode by name."""
    if mode not in ("full", "same", "valid"):
        raise NoRuleError(f"np.convolve with mode={mode!r} has no gradient rule: use 'full', 'same' or 'valid'")
    return (np.atleast_1d(a), np.atleast_1d(v)), {"mode": mode}


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
    """Bind `axis` counted from the front; without an axis, flatten the array."""
    if axis is None:
        return (a if a.ndim == 1 else np.ravel(a),), {"axis": 0}
    return (a,), {"axis": normalize_axis_index(axis, a.ndim)}


def accumulation(array: Any, axis: int = 0) -> Bound:
    """Bind `axis` as in `scan`."""
    return scan(array, axis)


def along(x: Any, other: Any, axis: int | None) -> Bound:
    """Bind two arrays, and `axis` as in `scan`."""
    arrays, params = scan(x, axis)
    return (*arrays, other), params


def search(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Bound:
    """Bind `axis` unchanged, since no rule uses it."""
    return (a,), {"axis": axis, "keepdims": keepdims}


def argsort(a: Any, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None) -> Bound:
    """Bind `axis` as in `scan`, and whether equal entries keep their order."""
    arrays, params = scan(a, axis)
    return arrays, {**params, "stable": stable or kind in ("stable", "mergesort") or None}


def argpartition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect") -> Bound:
    """Bind `kth` as integers, and `axis` as in `scan`."""
    arrays, params = scan(a, axis)
    return arrays, {"kth": tuple(map(operator.index, kth)) if np.iterable(kth) else operator.index(kth), **params}


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Bound:
    """Bind `a`, sorted by `sorter` if that is given."""
    return (a if sorter is None else np.take(a, sorter), v), {"side": side}


def reshape(a: Any, /, shape: Any) -> Bound:
    """Bind `shape` as a tuple of Python integers."""
    return (a,), {"shape": tuple(map(operator.index, shape)) if np.iterable(shape) else (operator.index(shape),)}


def broadcast_to(array: Any, shape: Any) -> Bound:
    """Bind `shape` as a tuple of Python integers."""
    return reshape(array, shape)


def transpose(a: Any, axes: Any = None) -> Bound:
    """Bind `axes` as the order of all axes, counted from the front."""
    return (a,), {"axes": tuple(range(a.ndim)[::-1] if axes is None else normalize_axis_tuple(axes, a.ndim))}


def concatenate(arrays: Any, /, axis: int | None = 0, *, dtype: Any = None, casting: Any = "same_kind") -> Bound:
    """Bind each array of the sequence as a separate argument, converted to `dtype`."""
    parts = tuple(array if hasattr(array, "ndim") else np.asarray(array) for array in arrays)
    if dtype is not None:
        np.concatenate([np.empty(0, part.dtype) for part in parts], dtype=dtype, casting=casting)  # raises if it cannot
        parts = tuple(part if part.dtype == dtype else part.astype(dtype) for part in parts)
    if axis is None:
        return tuple(part.reshape(-1) for part in parts), {"axis": 0}
    return parts, {"axis": normalize_axis_index(axis, parts[0].ndim)}


def pad_widths(pad_width: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    """Return the widths before and after each axis; `pad_width` may be a dict that maps axes to widths.

    >>> pad_widths({-1: 2}, 2), pad_widths((1, 0), 2)
    (((0, 0), (2, 2)), ((1, 0), (1, 0)))
    """
    if isinstance(pad_width, dict):
        known = {normalize_axis_index(axis, ndim): width for axis, width in pad_width.items()}
        pad_width = [np.broadcast_to(known.get(axis, 0), 2) for axis in range(ndim)]
    widths = np.broadcast_to(np.asarray(pad_width), (ndim, 2))
    return tuple((operator.index(before), operator.index(after)) for before, after in widths)


def pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Bound:
    """Bind the widths before and after each axis; the other modes are compositions."""
    return (array,), {"pad_width": pad_widths(pad_width, array.ndim), "constant_values": constant_values}


def windows(x: Any, window_shape: Any, axis: Any = None) -> Bound:
    """Bind the lengths of windows, and for each the axis along which it slides, counted from the front."""
    lengths = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    return (x,), {"window_shape": tuple(map(operator.index, lengths)), "axis": axes}


# --- linear algebra -------------------------------------------------------------------------------------------------

NO_RTOL = inspect.signature(np.linalg.pinv).parameters["rtol"].default
"""NumPy's default for a tolerance that is not given; passing None means something else."""


def pinv(a: Any, rcond: Any = None, *, rtol: Any = NO_RTOL) -> Bound:
    """Bind the fraction of the largest singular value below which the others count as 0; None means NumPy's default."""
    if rcond is not None and rtol is not NO_RTOL:
        raise ValueError("np.linalg.pinv takes rcond or rtol, not both")
    if rtol is not NO_RTOL:
        rcond = max(a.shape[-2:]) * np.finfo(a.dtype).eps if rtol is None else rtol
    if np.ndim(rcond):
        raise NoRuleError("np.linalg.pinv with an array of tolerances has no gradient rule: pass one number")
    return (a,), {"rcond": None if rcond is None else float(rcond)}


# --- indices --------------------------------------------------------------------------------------------------------


ARRAY = "array"
"""Marks the positions of index arrays in a recorded index; the arrays themselves are arguments."""


def fill(index: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return `index` as NumPy understands it: with each `ARRAY` replaced by the next of `arrays`.

    >>> fill((ARRAY, slice(1, 3)), ([0, 2],))
    ([0, 2], slice(1, 3, None))
    """
    remaining = iter(arrays)
    return tuple([next(remaining) if item is ARRAY else item for item in index])  # a generator would take longer


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
