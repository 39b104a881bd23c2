"""Faster ways to write some NumPy expressions, for some shapes of arrays.

The values are the same, except for the rounding of sums. On other arrays, and on Tensors, each function evaluates the
expression in its docstring.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

__all__ = ["add", "broadcast_to", "by_column", "extremum", "mask", "matmul", "one_hot"]

_ndarray, _add, _matmul = numpy.ndarray, numpy.add, numpy.matmul
np: Any = numpy  # its type stubs know nothing of Tensors


def add(x: Any, y: Any) -> Any:
    """Return `x + y`; add a row to a matrix by first repeating the row.

    >>> add(np.zeros((9, 9)), np.arange(9.0))[0, :4]
    array([0., 1., 2., 3.])
    """
    if type(x) is not _ndarray or x.ndim != 2 or type(y) is not _ndarray:  # most calls: as fast as possible
        return _add(x, y)
    row = len(x) > 8 < x.shape[1] == y.size == y.shape[-1] and y.ndim <= 2
    if not (row and x.dtype is y.dtype and x.flags.c_contiguous):
        return _add(x, y)
    out = np.empty(x.shape, x.dtype)
    out[...] = y
    out += x
    return out


def mask(ct: Any, where: Any) -> Any:
    """Return `ct * where` for booleans `where`, converting them first: NumPy is slower if the product converts them.

    >>> mask(np.array([2.0, 3.0]), np.array([False, True]))
    array([0., 3.])
    """
    if type(ct) is not np.ndarray:
        return ct * where
    kept = where.astype(ct.dtype)
    kept *= ct
    return kept


def matmul(x: Any, y: Any) -> Any:
    """Return `x @ y`; a column times a row is computed elementwise, which is faster than BLAS.

    The result is then stored column by column if its rows are short. Otherwise, if `y` has few rows, it is first copied
    to C order, since BLAS then multiplies faster.

    >>> matmul(np.array([[1.0], [2.0]]), np.array([[3.0, 4.0]]))
    array([[3., 4.],
           [6., 8.]])
    """
    if type(x) is not _ndarray or type(y) is not _ndarray or x.shape[-1] > 16:
        return _matmul(x, y)
    if x.shape[-1] == 1 and x.ndim == y.ndim == 2:
        out = np.multiply(x, y, order="F" if y.size <= 16 < x.size else "C")
        out += out.dtype.type(0)  # as in any sum of products, -0.0 becomes 0.0
        return out
    return _matmul(x, y if y.flags.c_contiguous else y.copy())


def broadcast_to(ct: Any, shape: tuple[int, ...]) -> Any:
    """Return `np.broadcast_to(ct, shape)`; fill a new array instead, which is faster, unless it is large and constant.

    >>> broadcast_to(np.array(2.0), (3,))
    array([2., 2., 2.])
    """
    if not isinstance(ct, np.ndarray | np.generic):
        return np.broadcast_to(ct, shape)
    out = np.empty(shape, ct.dtype)
    if out.size > 2**15 and ct.size == 1:
        return np.ndarray(shape, ct.dtype, ct, 0, (0,) * len(shape))  # all entries are the same piece of memory
    out[...] = ct
    return out


def extremum(ufunc: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return `ufunc.reduce(x, axis, keepdims=keepdims)`, a maximum or minimum; along short axes, run only long loops.

    NumPy would run a short loop for each entry of the result.

    >>> extremum(np.maximum, np.array([[1.0, 3.0], [2.0, 0.0]]), (1,), False)
    array([3., 2.])
    """
    if x.size < 2**12 or x.shape[-1] > 16 or not 1 < math.prod(x.shape[i] for i in axis) <= 16:
        return ufunc.reduce(x, axis, keepdims=keepdims)
    last = np.moveaxis(x, axis, range(-len(axis), 0))
    out = functools.reduce(ufunc, (last[(..., *place)] for place in np.ndindex(last.shape[x.ndim - len(axis) :])))
    return np.expand_dims(out, axis) if keepdims else out


def by_column(x: Any, axis: int) -> Any:
    """Return `x`; copy a matrix to column-major order if `axis` is 1, since short rows are then reduced faster.

    >>> by_column(np.ones((3, 2)), axis=1).flags.f_contiguous
    True
    """
    return np.asfortranarray(x) if type(x) is np.ndarray and x.ndim == 2 and axis in (1, -1) else x


def one_hot(labels: Any, classes: int) -> Any:
    """Return `labels[:, None] == np.arange(classes)`; compare in one dtype, in loops along the longer axis.

    >>> one_hot(np.array([1, 0]), 2)
    array([[False,  True],
           [ True, False]])
    """
    if type(labels) is not np.ndarray:
        return labels[:, None] == np.arange(classes)
    return np.equal(labels[:, None], np.arange(classes, dtype=labels.dtype if classes <= 128 else None), order="F")
