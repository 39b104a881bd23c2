"""Locks that are free in a forked process: the thread that held one there does not exist."""

from __future__ import annotations

import functools
import itertools
import os
import threading
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from autograd_spiral.engine.tensor import Tensor

__all__ = ["holding", "locks_of", "new_lock"]

T = TypeVar("T")

_MADE: weakref.WeakSet[Any] = weakref.WeakSet()


def new_lock() -> Any:
    """Return a lock that its thread may take again: a `threading.RLock`.

    >>> with (lock := new_lock()), lock:
    ...     pass
    """
    lock = threading.RLock()
    _MADE.add(lock)
    return lock


def _renew() -> None:
    for lock in _MADE:
        if not lock._is_owned():  # by this thread, which goes on in the child
            lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

_OF_LEAVES: dict[int, tuple[int, Any, Any]] = {}
"""The locks of leaves, by serial number: the number of each lock, the lock, and a reference that ends the entry."""

_numbers = itertools.count()
_assigning = new_lock()


def locks_of(leaves: Collection[Tensor]) -> tuple[Any, ...]:
    """Return the locks to hold while some leaves are read or updated together, in the order in which all take them.

    Leaves that have no lock yet get one together, as those of a model do when its first step is captured.
    """
    with _assigning:
        number, together = next(_numbers), new_lock()
        for leaf in leaves:
            if leaf.serial not in _OF_LEAVES:
                ended = functools.partial(_OF_LEAVES.pop, leaf.serial)  # which gets the reference as the default
                _OF_LEAVES[leaf.serial] = number, together, weakref.ref(leaf, ended)
        found = {number: lock for number, lock, _ in (_OF_LEAVES[leaf.serial] for leaf in leaves)}
    return tuple(found[number] for number in sorted(found))


def holding(locks: Sequence[Any], function: Callable[..., T], *args: Any) -> T:
    """Return `function(*args)`, called while this thread holds these locks.

    >>> w, b = Tensor(1.0), Tensor(2.0)
    >>> holding(locks_of([w, b]), sum, [1, 2])
    3
    """
    if not locks:
        return function(*args)
    with locks[0]:  # each in a with statement of its own: an interrupt at any moment then leaves none locked
        return holding(locks[1:], function, *args)
