"""Read-only arrays, the building blocks of a record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine import messages
from autograd_spiral.engine.modes import MODE
from autograd_spiral.engine.table import Primitive

__all__ = ["frozen", "frozen_copy", "frozen_result"]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Make `array` read-only, and return it.

    >>> frozen(np.zeros(3)).flags.writeable
    False
    """
    array.setflags(False)  # type: ignore[call-arg]  # by position, which is three times faster than by keyword
    return array


def frozen_copy(data: Any, use: str) -> NDArray[Any]:
    """Return a read-only copy of `data`, anything that NumPy turns into an array of real numbers.

    If `data` is an array, the current trace is told of the copy. Raises `DtypeError`, naming `use`, for other data and
    for masked arrays.

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
    """Return `value`, the result of `primitive`, as a read-only array; copy it if it is a view of a writable array.

    Raises `RuleError` for a tuple, and `DtypeError` for anything but real numbers; both name the primitive.

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
