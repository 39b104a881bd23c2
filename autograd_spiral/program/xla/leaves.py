"""Leaves whose values are on a device, and are copied to NumPy only when they are read.

The slot `_value` of such a leaf is empty, and `_away` holds the array on the device. As soon as XLA is used, `_value`
becomes a property that looks in `_away`. Before that, `_value` is a plain slot, so that programs without XLA are not
slowed down. A leaf with a NumPy value may also have an array on a device. The two hold the same value until the leaf is
given another one. Values are frozen: they are replaced but never written to. So a leaf still has its old value if its
array is still the same object.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.frozen import frozen
from autograd_spiral.engine.tensor import Tensor, as_leaf
from autograd_spiral.errors import CaptureError

__all__ = ["OnDevice", "allow_leaves_on_devices", "known_on_device", "leaf_on_device", "put", "update"]

_SLOT: Any = Tensor.__dict__["_value"]
_STARTED: list[int] = []  # the number of the process that uses the device


class OnDevice:
    """An array on a device, and its NumPy copy once there is one."""

    __slots__ = ("array", "home")

    def __init__(self, array: Any, home: NDArray[Any] | None = None) -> None:
        self.array, self.home = array, home

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.read(), dtype=dtype, copy=copy)

    def read(self) -> NDArray[Any]:
        """Return a read-only NumPy array. Raises `CaptureError` in a forked process, which has no device."""
        if self.home is None:
            refuse_forked()
            self.home = fetch(self.array)
        return self.home


def fetch(array: Any) -> NDArray[Any]:
    """Return a read-only NumPy copy of an array on a device."""
    return frozen(np.array(array))


def refuse_forked() -> None:
    """Raise `CaptureError` in a process that was forked from the process that uses the device."""
    if os.getpid() not in _STARTED:
        raise CaptureError(
            "XLA cannot be used in a forked process, since its threads do not exist there: start processes with "
            'multiprocessing.get_context("spawn"), or read what they need of the state before the fork'
        )


def allow_leaves_on_devices() -> None:
    """Make it possible to read leaves whose values are on a device."""
    if Tensor.__dict__["_value"] is _SLOT:
        _STARTED.append(os.getpid())
        cast(Any, Tensor)._value = property(_read, _SLOT.__set__, _SLOT.__delete__)


def _read(leaf: Tensor) -> Any:
    try:
        return _SLOT.__get__(leaf)
    except AttributeError:
        return leaf._away.read()


def known_on_device(leaf: Tensor) -> OnDevice | None:
    """Return the value of `leaf` if it is on a device, else None."""
    found: OnDevice | None = getattr(leaf, "_away", None)
    try:
        return found if found is not None and _SLOT.__get__(leaf) is found.home else None
    except AttributeError:  # the leaf has no NumPy value
        return found


def put(leaf: Tensor, value: OnDevice) -> None:
    """Give `leaf` a value that is on a device."""
    leaf._away = value
    with contextlib.suppress(AttributeError):  # the leaf has no NumPy value if it was on a device before
        _SLOT.__delete__(leaf)


def leaf_on_device(value: OnDevice) -> Tensor:
    """Return a new leaf whose value is on a device."""
    leaf = as_leaf(_NOTHING)
    put(leaf, value)
    return leaf


_NOTHING = frozen(np.zeros(0))


def update(leaves: Sequence[Tensor], before: Sequence[OnDevice], new: Iterable[OnDevice]) -> None:
    """Give the first leaves the values in `new`; if this is interrupted, all leaves keep their old values."""
    try:
        for leaf, value in zip(leaves, new, strict=False):
            put(leaf, value)
    except BaseException:
        for leaf, value in zip(leaves, before, strict=True):
            put(leaf, value)
        raise
