"""How each function treats rows: whether a block of rows of its inputs yields a block of rows of its output, or a sum.

The code that splits a program into blocks reads this table. A function that is not in the table needs all rows at once.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.program.ir import Atom, Equation, shape_of
from autograd_spiral.program.passes.entries import counts
from autograd_spiral.vocabulary.rules.indexing import scatter
from autograd_spiral.vocabulary.rules.shapes import add_windows
from autograd_spiral.vocabulary.signatures import ARRAY

__all__ = ["Axes", "Treatment", "treatment", "with_length"]

Shape: TypeAlias = tuple[int, ...]
Axes: TypeAlias = tuple[int | None, ...]
"""For each input of an equation, the axis that holds the rows; None for an input without rows."""


class Treatment(NamedTuple):
    """How an equation is computed for a block of n rows.

    `axis` is the axis of rows in the output, or None for a partial result; `combine` puts partial results together.
    `sliced` has the inputs that have no rows but must still be cut into blocks, each with the axis to cut. `counting`
    has the inputs that contain the row numbers. `params(n)` returns the parameters if they depend on the number of
    rows.
    """

    axis: int | None
    combine: np.ufunc | None = None
    sliced: Mapping[int, int] = {}
    counting: tuple[int, ...] = ()
    params: Callable[[int], Mapping[str, Any]] | None = None


_COMBINED = {np.sum: np.add, np.max: np.maximum, np.min: np.minimum, np.all: np.logical_and, np.any: np.logical_or}


def treatment(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    """Return how to compute `equation` if its inputs have rows along `axes`; None if it needs all rows at once."""
    function = equation.function
    if equation.opaque:
        return None
    if equation.elementwise or function in (np.where, np.ndarray.astype):
        return _aligned(equation, axes, rows)
    if function in _COMBINED or function is np.mean:
        (axis,), reduced, kept = axes, equation.params["axis"], equation.params["keepdims"]
        if axis in reduced:
            return Treatment(None, _COMBINED[function]) if function in _COMBINED else None
        assert axis is not None
        return Treatment(axis if kept else axis - sum(i < axis for i in reduced))
    treat = _TREATMENTS.get(function)
    return treat(equation, axes, rows) if treat else None


def with_length(shape: Shape, axis: int, length: int) -> Shape:
    """Return `shape` with `length` in place of its length along `axis`.

    >>> with_length((300, 2), 0, 64)
    (64, 2)
    """
    return (*shape[:axis], length, *shape[axis + 1 :])


def _aligned(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    """Treat inputs that broadcast: their rows must be along the same axis, counted from the last axis."""
    shapes, width = [shape_of(atom) for atom in equation.inputs], equation.output.ndim
    found = {width - len(shape) + axis for shape, axis in zip(shapes, axes, strict=True) if axis is not None}
    if len(found) != 1:
        return None
    (place,) = found
    own = [place - (width - len(shape)) for shape in shapes]
    sliced = {i: at for i, at in enumerate(own) if axes[i] is None and at >= 0 and shapes[i][at] == rows}
    return Treatment(place, sliced=sliced)


def _matmul(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    (a, b), (m, n) = axes, (len(shape_of(atom)) for atom in equation.inputs)
    if a == m - 1 or b == n - 2:  # the rows are along the axis that is summed over
        if a not in (None, m - 1) or b not in (None, n - 2):
            return None
        return Treatment(None, np.add, {0: m - 1} if a is None else {1: n - 2} if b is None else {})
    found, core = _aligned(equation, axes, rows), equation.output.ndim - 2
    if found is not None and found.axis is not None and found.axis >= core:
        return found._replace(sliced={})  # the other operand has another axis there
    return found


def _einsum(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    terms, result = equation.params["subscripts"].split("->")
    inputs = terms.split(",")
    letters = {term[axis] for term, axis in zip(inputs, axes, strict=True) if axis is not None}
    if len(letters) != 1:
        return None
    (letter,) = letters
    others = [(i, term.index(letter)) for i, term in enumerate(inputs) if axes[i] is None and letter in term]
    sliced = {i: at for i, at in others if shape_of(equation.inputs[i])[at] == rows}
    return Treatment(result.index(letter), sliced=sliced) if letter in result else Treatment(None, np.add, sliced)


def _reshape(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    (axis,), shape, before = axes, equation.output.shape, shape_of(equation.inputs[0])
    for i, length in enumerate(shape):
        if length == rows and math.prod(shape[:i]) == math.prod(before[:axis]):
            return Treatment(i, params=lambda n, i=i: {"shape": with_length(shape, i, n)})  # type: ignore[misc]
    return None


def _broadcast_to(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    shape, before = equation.output.shape, shape_of(equation.inputs[0])
    if axes == (None,):  # the input has no rows: all rows are the same
        new = shape[:1] == (rows,) and (len(before) < len(shape) or before[0] == 1)
        found, at = (Treatment(0), 0) if new else (None, 0)
    else:
        found = _aligned(equation, axes, rows)
        at = found.axis or 0 if found else 0
    return found and found._replace(params=lambda n: {"shape": with_length(shape, at, n)})


def _concatenate(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    found = _aligned(equation, axes, rows)
    if found is None or found.axis == equation.params["axis"]:
        return None
    return None if any(axis is None and i not in found.sliced for i, axis in enumerate(axes)) else found


# --- indexing ---------------------------------------------------------------------------------------------------------


def _after_index(index: tuple[Any, ...], shape: Shape, axis: int, dims: int = 0) -> int | None:
    """Return the position of `axis` after indexing, if all of it is kept; `dims` axes replace the index arrays."""
    rest = len(shape) - sum(item is not None and item is not Ellipsis for item in index)
    at = index.index(Ellipsis) if Ellipsis in index else len(index)
    items = (*index[:at], *(slice(None),) * rest, *index[at + 1 :])
    count, first = index.count(ARRAY), items.index(ARRAY) if ARRAY in index else 0
    if count and (items[first : first + count].count(ARRAY) < count or any(type(item) is int for item in index)):
        return None  # separated index arrays: their axes come first; a number counts as an index array
    before = after = 0
    for i, item in enumerate(items):
        if item is None:
            after += 1
            continue
        if before == axis:
            full = type(item) is slice and item.start in (None, 0) and item.step in (None, 1)
            return after if full and (item.stop is None or item.stop >= shape[axis]) else None
        before += 1
        if item is ARRAY:
            after += dims if i == first else 0
        elif type(item) is not int:
            after += 1
    return None


def _depth(arrays: Sequence[Atom]) -> int:
    """Return the number of axes of index arrays after broadcasting."""
    return max((len(shape_of(array)) for array in arrays), default=0)


def _place_of_array(index: tuple[Any, ...]) -> int | None:
    """Return the first axis of the result that comes from the only index array."""
    if index.count(ARRAY) != 1 or any(type(item) is int for item in index) or Ellipsis in index:
        return None
    return index.index(ARRAY)


def _one_of_each_row(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    """Treat `x[np.arange(rows), labels]`, or its scatter."""
    index, (_, *arrays) = equation.params["index"], equation.inputs
    own = index == (ARRAY, ARRAY) and axes[0] == 0 and counts(arrays[0], rows) and shape_of(arrays[1]) == (rows,)
    return Treatment(0, counting=(1,), sliced={} if axes[2] == 0 else {2: 0}) if own else None


def _getitem(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    index, (x, *arrays) = equation.params["index"], equation.inputs
    if found := _one_of_each_row(equation, axes, rows):
        return found
    if axes[0] is None:  # rows of a table, picked by an index for each row
        place = _place_of_array(index)
        return None if place is None or axes[1] is None else Treatment(place + axes[1])
    if any(axis is not None for axis in axes[1:]):
        return None
    after = _after_index(index, shape_of(x), axes[0], _depth(arrays))
    return None if after is None else Treatment(after)


def _scatter(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    index, shape, arrays = equation.params["index"], equation.params["shape"], equation.inputs[1:]

    def along(axis: int) -> Callable[[int], Mapping[str, Any]]:
        return lambda n: {"index": index, "shape": with_length(shape, axis, n)}

    if found := _one_of_each_row(equation, axes, rows):
        return found._replace(params=along(0)) if shape[0] == rows else None
    if any(axis is not None for axis in axes[1:]):  # added to the rows of a table
        place = _place_of_array(index)
        at = None if place is None or axes[1] is None else place + axes[1]
        if at is None or axes[0] not in (None, at):
            return None
        return Treatment(None, np.add, {0: at} if axes[0] is None else {})
    for axis, length in enumerate(shape):
        if length == rows and _after_index(index, shape, axis, _depth(arrays)) == axes[0]:
            return Treatment(axis, params=along(axis))
    return None


def _search(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    (own,), axis = axes, equation.params["axis"]
    if axis is None or axis % len(shape_of(equation.inputs[0])) == own:
        return None
    assert own is not None
    return Treatment(own if equation.params["keepdims"] else own - (axis % len(shape_of(equation.inputs[0])) < own))


def _transpose(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    return Treatment(equation.params["axes"].index(axes[0]))


def _pad(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    assert axes[0] is not None
    return Treatment(axes[0]) if equation.params["pad_width"][axes[0]] == (0, 0) else None


def _windows(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    return Treatment(axes[0]) if axes[0] not in equation.params["axis"] else None


def _add_windows(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    (axis,), params = axes, equation.params
    if axis is None or axis in params["axis"] or axis >= len(params["shape"]):
        return None
    return Treatment(axis, params=lambda n: {**params, "shape": with_length(params["shape"], axis, n)})


def _scan(equation: Equation, axes: Axes, rows: int) -> Treatment | None:
    return Treatment(axes[0]) if equation.params["axis"] != axes[0] else None


_TREATMENTS: dict[Any, Callable[[Equation, Axes, int], Treatment | None]] = {
    np.matmul: _matmul,
    np.einsum: _einsum,
    np.reshape: _reshape,
    np.broadcast_to: _broadcast_to,
    np.concatenate: _concatenate,
    operator.getitem: _getitem,
    scatter: _scatter,
    np.transpose: _transpose,
    np.pad: _pad,
    sliding_window_view: _windows,
    add_windows: _add_windows,
    np.cumsum: _scan,
    np.argmax: _search,
    np.argmin: _search,
}
