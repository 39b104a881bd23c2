"""Makes arrays read-only, as all recorded values are, and calls users' functions so that they cannot change them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from sys import getrefcount
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine import messages
from autograd_spiral.engine.modes import MODE
from autograd_spiral.engine.table import Primitive

__all__ = ["call_isolated", "frozen", "frozen_copy", "frozen_result", "sealed", "taken"]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Make `array` read-only, and return it.

    >>> frozen(np.zeros(3)).flags.writeable
    False
    """
    array.setflags(False)  # type: ignore[call-arg]  # by position, which is three times faster than by keyword
    return array


def frozen_copy(data: Any, use: str) -> NDArray[Any]:
    """Return a read-only copy of `data`, which may be anything that NumPy turns into an array of real numbers.

    If `data` is an array, the current trace is told of the copy. Raises `DtypeError`, naming `use`, for masked arrays
    and for data that are not real numbers.

    >>> frozen_copy([1, 2], "Tensor(data)")
    array([1, 2])
    """
    if isinstance(data, np.ma.MaskedArray):
        raise messages.masked_array(use)
    array = np.array(data)
    if not isinstance(data, np.ndarray) and hasattr(data, "__array__"):
        array = array.copy()  # since __array__ may return an array that the object keeps, even if asked for a copy
    if array.dtype.kind not in "fiub":
        raise messages.data_dtype(use, array.dtype)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if isinstance(data, np.ndarray):
        MODE.get().trace.froze(data, array)
    return frozen(array)


def frozen_result(value: Any, primitive: Primitive) -> NDArray[Any]:
    """Return `value`, the result of `primitive`, as a read-only array; copy it if it is a view of a writable array.

    A new array that was reshaped is such a view, too. It is not copied, since nothing else refers to what it views.
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
    if base is None:
        return frozen(array)
    del base
    if _references_to_base(array) != _ONE_VIEW:
        return frozen(array.copy())
    frozen(array.base)  # type: ignore[arg-type]
    return frozen(array)


def _references_to_base(array: NDArray[Any]) -> int:
    """Return the number of references to the array that `array` reshapes; 0 if it is any other view."""
    base = array.base
    whole = type(base) is np.ndarray and base.flags.owndata and base.nbytes == array.nbytes
    return getrefcount(base) if whole and array.flags.c_contiguous else 0


_ONE_VIEW = _references_to_base(np.zeros(1)[:])


def taken(holder: list[Any]) -> NDArray[Any]:
    """Take the only array out of `holder`, and return it read-only; return a copy if anything else refers to it.

    >>> array = np.zeros(2)
    >>> taken([array]) is array, taken([np.ones(2)])
    (False, array([1., 1.]))
    """
    array = holder.pop()
    own = getrefcount(array) == _TAKEN and type(array) is np.ndarray and array.base is None
    return frozen(array if own else np.array(array))


def _references(holder: list[Any]) -> int:
    array = holder.pop()
    return getrefcount(array)


_TAKEN = _references([np.zeros(1)])


def sealed(array: NDArray[Any]) -> NDArray[Any]:
    """Make `array` and the owner of its memory read-only, so that no view can be made writable again; return `array`.

    >>> sealed(np.zeros((2, 3)).T).view().setflags(write=True)
    Traceback (most recent call last):
      ...
    ValueError: cannot set WRITEABLE flag to True of this array
    """
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner.setflags(False)  # type: ignore[call-arg]
        owner = owner.base
    return array


# --- calls of functions that users wrote ------------------------------------------------------------------------------

_ndarray = np.ndarray


def call_isolated(function: Callable[..., Any], /, *given: Any, **params: Any) -> Any:
    """Return `function(*given, **params)`, without letting the function write to any memory of the engine.

    `function` is the body of a declared primitive or one of its rules, and the arrays given are sealed. The function
    gets views of the arrays, and copies of containers. If anything else refers to the array that it returns, for
    example because the function keeps it as a buffer, a copy is returned.

    >>> buffer = np.zeros(2)
    >>> result = call_isolated(lambda x: np.multiply(x, 2, out=buffer), sealed(np.ones(2)))
    >>> buffer[:] = 100
    >>> result
    array([2., 2.])
    """
    views = [x.view() if type(x) is _ndarray else x for x in given]
    if params:
        params = {name: _handed_out(value) for name, value in params.items()}
    result, references = _counted_call(function, views, params)
    if type(result) is _ndarray and references == _UNSHARED and result.base is None and result.flags.owndata:
        return result
    for view, x in zip(views, given, strict=True):
        if result is view:
            return x
    if isinstance(result, np.generic | np.ma.MaskedArray) or hasattr(result, "_value"):  # a Tensor
        return result
    return np.array(np.asarray(result)) if hasattr(result, "__array__") else result


def _handed_out(value: Any) -> Any:
    """Return a view or a copy of a parameter, safe to give to a function that might change it."""
    if type(value) is _ndarray:
        return value.view()
    if type(value) is tuple:
        return tuple(map(_handed_out, value))
    return copy.deepcopy(value) if isinstance(value, list | dict | set) else value


def _counted_call(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> tuple[Any, int]:
    """Return the result of a call, and the number of references to it."""
    result = function(*args, **kwargs)
    return result, getrefcount(result)


_, _UNSHARED = _counted_call(np.zeros, [1], {})
