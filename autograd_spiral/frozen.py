"""Arrays that nobody can change any more, which is what a record is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral import refusals
from autograd_spiral.modes import MODE

__all__ = ["frozen", "frozen_copy", "frozen_view"]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """`array` itself, read-only from here on.

    >>> frozen(np.zeros(3)).flags.writeable
    False
    """
    array.setflags(False)  # type: ignore[call-arg]  # by position: three times faster than by keyword
    return array


def frozen_copy(data: Any, use: str) -> NDArray[Any]:
    """A read-only copy of `data`, anything that NumPy makes an array of real numbers from.

    Raises `DtypeError`, naming `use`, for other data and for masked arrays. Traces are told of copies of arrays.

    >>> frozen_copy([1, 2], "Tensor(data)")
    array([1, 2])
    """
    if isinstance(data, np.ma.MaskedArray):
        raise refusals.masked_array(use)
    array = np.array(data)
    if array.dtype.kind not in "fiub":
        raise refusals.data_dtype(use, array.dtype)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if isinstance(data, np.ndarray):
        MODE.get().trace.froze(data, array)
    return frozen(array)


def frozen_view(view: NDArray[Any]) -> NDArray[Any]:
    """`view` itself, read-only, if what it views is frozen; else a copy, since somebody could still write to that.

    >>> array = np.zeros(3)
    >>> np.shares_memory(frozen_view(array[1:]), array)
    False
    """
    base = view.base
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return frozen(view.copy())
        base = base.base
    return frozen(view if base is None else view.copy())
