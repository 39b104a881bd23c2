"""Arrays that nobody can change any more, which is what a record is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine import messages
from autograd_spiral.engine.modes import MODE
from autograd_spiral.engine.table import Primitive

__all__ = ["frozen", "frozen_copy", "frozen_result"]


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
        raise messages.masked_array(use)
    array = np.array(data)
    if array.dtype.kind not in "fiub":
        raise messages.data_dtype(use, array.dtype)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if isinstance(data, np.ndarray):
        MODE.get().trace.froze(data, array)
    return frozen(array)


def frozen_result(value: Any, primitive: Primitive) -> NDArray[Any]:
    """What `primitive` gave, as a read-only array: itself, or a copy where it views what somebody could write to.

    Raises `RuleError` for a tuple and `DtypeError` for what is not of real numbers, naming the primitive.

    >>> from autograd_spiral.engine.table import PRIMITIVES
    >>> frozen_result(np.float64(2.0), PRIMITIVES[np.sum])
    array(2.)
    >>> array = np.arange(6)
    >>> np.shares_memory(frozen_result(array.reshape(2, 3), PRIMITIVES[np.reshape]), array)
    False
    """
    if type(value) is tuple:
        raise messages.several_outputs(primitive, len(value))
    if isinstance(value, np.ma.MaskedArray):
        raise messages.masked_array(primitive.name)
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise messages.result_dtype(primitive, array.dtype)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    base = array.base
    while isinstance(base, np.ndarray) and not base.flags.writeable:
        base = base.base
    return frozen(array if base is None else array.copy())
