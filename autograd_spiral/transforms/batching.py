"""Batching: how a function of the vocabulary is computed for many rows at once, where each row is a whole operand.

A batching rule gets the arguments of a call, a flag for each that says whether it has a leading axis of rows, the shape
of the result for one row, and the parameters of the call. It runs on arrays and on Tensors. A function without a rule
is computed row by row. Functions that are not linear need no rule, since the cotangents of a sweep pass through linear
functions only.
"""

from __future__ import annotations

import math
import operator
import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from autograd_spiral.engine.table import Primitive
from autograd_spiral.engine.tensor import Tensor, record
from autograd_spiral.vocabulary.rules.indexing import scatter
from autograd_spiral.vocabulary.signatures import ARRAY, fill

__all__ = ["in_rows"]

np: Any = numpy  # its type stubs know nothing of Tensors


def in_rows(
    primitive: Primitive, args: Sequence[Any], rows: Sequence[bool], shape: tuple[int, ...], params: dict[str, Any]
) -> Any:
    """Return the results of `primitive` for all rows, each of shape `shape`, stacked along a new first axis.

    `args` are arrays, or Tensors and constants. An argument with True in `rows` (there is at least one) has a leading
    axis of rows; the other arguments are the same for all rows.

    >>> from autograd_spiral.engine.table import PRIMITIVES
    >>> in_rows(PRIMITIVES[np.multiply], [np.arange(4.0).reshape(2, 2), np.array([1.0, 10.0])], [True, False], (2,), {})
    array([[ 0., 10.],
           [ 2., 30.]])
    """
    rule = _RULES.get(primitive.function)
    result = NotImplemented if rule is None else rule(args, rows, shape, **params)
    return _one_by_one(primitive, args, rows, params) if result is NotImplemented else result


def _one_by_one(primitive: Primitive, args: Sequence[Any], rows: Sequence[bool], params: dict[str, Any]) -> Any:
    results = [
        record(primitive, tuple(x[i] if is_rows else x for x, is_rows in zip(args, rows, strict=True)), params)
        for i in range(_count(args, rows))
    ]
    return np.stack(results if any(type(x) is Tensor for x in args) else [result.data for result in results])


def _count(args: Sequence[Any], rows: Sequence[bool]) -> int:
    return int(args[list(rows).index(True)].shape[0])


def _aligned(args: Sequence[Any], rows: Sequence[bool], ndim: int) -> list[Any]:
    """Return the arguments with axes of length 1 inserted after the axis of rows, so that each row has `ndim` axes."""
    return [
        x.reshape((x.shape[0], *(1,) * (ndim + 1 - x.ndim), *x.shape[1:])) if is_rows and x.ndim <= ndim else x
        for x, is_rows in zip(args, rows, strict=True)
    ]


def _elementwise(function: Any) -> Callable[..., Any]:
    return lambda args, rows, shape: function(*_aligned(args, rows, len(shape)))


def _matmul(args: Any, rows: Any, shape: tuple[int, ...]) -> Any:
    """Return the products of all rows: one large product of matrices, if the other operand is a single matrix."""
    (x, y), count = args, _count(args, rows)
    if rows[0] and not rows[1] and y.ndim == 2:
        return (x.reshape((math.prod(x.shape[:-1]), x.shape[-1])) @ y).reshape((count, *shape))
    if rows[1] and not rows[0] and x.ndim == 2 and y.shape[1:] == (x.shape[1], 1):
        return (y.reshape((count, x.shape[1])) @ x.mT).reshape((count, *shape))
    return np.matmul(*_aligned(args, rows, len(shape)))


def _einsum(args: Any, rows: Any, shape: Any, subscripts: str, optimize: Any = False) -> Any:
    letter = next((letter for letter in string.ascii_letters if letter not in subscripts), None)
    if letter is None:
        return NotImplemented
    terms, result = subscripts.split("->")
    pairs = zip(terms.split(","), rows, strict=True)
    form = f"{','.join(is_rows * letter + term for term, is_rows in pairs)}->{letter}{result}"
    return np.einsum(form, *args, optimize=optimize)


def _reduction(function: Any) -> Callable[..., Any]:
    def batched(args: Any, rows: Any, shape: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        return function(args[0], axis=tuple(i + 1 for i in axis), keepdims=keepdims)

    return batched


def _broadcast_to(args: Any, rows: Any, one: Any, shape: Any) -> Any:
    (x,) = _aligned(args, rows, len(shape))
    return np.broadcast_to(x, (x.shape[0], *shape))


def _concatenate(args: Any, rows: Any, shape: Any, axis: int) -> Any:
    count = _count(args, rows)
    pairs = zip(args, rows, strict=True)
    parts = [x if is_rows else np.broadcast_to(x, (count, *x.shape)) for x, is_rows in pairs]
    return np.concatenate(parts, axis=axis + 1)


def _pad(args: Any, rows: Any, shape: Any, pad_width: Any, constant_values: Any) -> Any:
    return np.pad(args[0], ((0, 0), *pad_width), constant_values=constant_values)


def _getitem(args: Any, rows: Any, shape: Any, index: tuple[Any, ...]) -> Any:
    return args[0][(slice(None), *fill(index, args[1:]))] if _adjacent(index) else NotImplemented


def _scatter(args: Any, rows: Any, one: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    if not _adjacent(index):
        return NotImplemented
    return scatter(*args, index=(slice(None), *index), shape=(args[0].shape[0], *shape))


def _adjacent(index: tuple[Any, ...]) -> bool:
    """Return whether the index arrays are adjacent; if they are not, NumPy moves their axes to the front."""
    if ARRAY not in index:
        return True
    places = [i for i, item in enumerate(index) if item is ARRAY or isinstance(item, int)]
    return places == list(range(places[0], places[-1] + 1))


_RULES: dict[Callable[..., Any], Callable[..., Any]] = {
    **{f: _elementwise(f) for f in (np.positive, np.negative, np.add, np.subtract, np.multiply, np.divide, np.where)},
    **{f: _reduction(f) for f in (np.sum, np.mean)},
    np.ndarray.astype: lambda args, rows, shape, dtype: args[0].astype(dtype),
    np.broadcast_to: _broadcast_to,
    np.concatenate: _concatenate,
    np.cumsum: lambda args, rows, shape, axis: np.cumsum(args[0], axis=axis + 1),
    np.einsum: _einsum,
    np.matmul: _matmul,
    np.pad: _pad,
    np.reshape: lambda args, rows, one, shape: np.reshape(args[0], (args[0].shape[0], *one)),
    np.transpose: lambda args, rows, shape, axes: np.transpose(args[0], (0, *(i + 1 for i in axes))),
    operator.getitem: _getitem,
    scatter: _scatter,
}
