"""Functions of NumPy spelled faster for some shapes of arrays. The values are the same, but for the rounding of sums.

On anything else, Tensors too, each does what its docstring says in plain NumPy. Imports numpy alone.
"""

from __future__ import annotations

from typing import Any

import numpy

__all__ = ["add", "broadcast_to", "by_column", "mask", "one_hot", "transposed"]

np: Any = numpy  # its stubs know nothing of Tensors


def add(x: Any, y: Any) -> Any:
    """`x + y`; a row is added to a matrix by adding the matrix to copies of the row.

    >>> add(np.zeros((9, 9)), np.arange(9.0))[0, :4]
    array([0., 1., 2., 3.])
    """
    if (
        type(x) is type(y) is np.ndarray
        and x.ndim == 2
        and len(x) > 8 < x.shape[1] == y.size == y.shape[-1]
        and y.ndim <= 2
        and x.dtype is y.dtype
        and x.flags.c_contiguous
    ):
        out = np.empty(x.shape, x.dtype)
        out[...] = y
        out += x
        return out
    return np.add(x, y)


def mask(ct: Any, where: Any) -> Any:
    """`ct * where`, for booleans `where`: converted first, as NumPy is slower at converting within a product.

    >>> mask(np.array([2.0, 3.0]), np.array([False, True]))
    array([0., 3.])
    """
    if type(ct) is not np.ndarray:
        return ct * where
    kept = where.astype(ct.dtype)
    kept *= ct
    return kept


def transposed(y: Any) -> Any:
    """`y.mT`; of a matrix of few columns a copy by row, by which BLAS multiplies faster.

    >>> transposed(np.array([[1.0, 2.0, 3.0]])).shape
    (3, 1)
    """
    return y.mT.copy() if type(y) is np.ndarray and y.shape[-1] <= 16 else y.mT


def broadcast_to(ct: Any, shape: tuple[int, ...]) -> Any:
    """`np.broadcast_to(ct, shape)`; on arrays by assignment, which costs a fraction of that call.

    >>> broadcast_to(np.array(2.0), (3,))
    array([2., 2., 2.])
    """
    if not isinstance(ct, np.ndarray | np.generic):
        return np.broadcast_to(ct, shape)
    out = np.empty(shape, ct.dtype)
    out[...] = ct
    return out


def by_column(x: Any, axis: int) -> Any:
    """`x`; a matrix is laid out by column before it is reduced along `axis` 1, several times faster for short rows.

    >>> by_column(np.ones((3, 2)), axis=1).flags.f_contiguous
    True
    """
    return np.asfortranarray(x) if type(x) is np.ndarray and x.ndim == 2 and axis in (1, -1) else x


def one_hot(labels: Any, classes: int) -> Any:
    """`labels[:, None] == np.arange(classes)`, comparing within one dtype, in loops along the long axis.

    >>> one_hot(np.array([1, 0]), 2)
    array([[False,  True],
           [ True, False]])
    """
    if type(labels) is not np.ndarray:
        return labels[:, None] == np.arange(classes)
    return np.equal(labels[:, None], np.arange(classes, dtype=labels.dtype if classes <= 128 else None), order="F")
