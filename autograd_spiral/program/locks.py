"""Locks that are free again in a forked process, where the thread that held a lock does not exist."""

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
    """Return a lock that a thread may take again while it holds it: a `threading.RLock`.

    >>> with (lock := new_lock()), lock:
    ...     pass
    """
    lock = threading.RLock()
    _MADE.add(lock)
    return lock


def _renew() -> None:
    for lock in _MADE:
        if not lock._is_owned():  # this thread's locks stay locked, since it continues in the child
            lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

_OF_LEAVES: dict[int, tuple[int, Any, Any]] = {}
"""Maps a leaf's serial number to its lock's number, the lock, and a weak reference that drops the entry with it."""

_numbers = itertools.count()
_assigning = new_lock()


def locks_of(leaves: Collection[Tensor]) -> tuple[Any, ...]:
    """Return the locks to hold while some leaves are read or updated together, in an order common to all threads.

    All given leaves that have no lock yet share a new one, as the leaves of a model do when its first step is captured.
    """
    with _assigning:
        number, together = next(_numbers), new_lock()
        for leaf in leaves:
            if leaf.serial not in _OF_LEAVES:
                ended = functools.partial(_OF_LEAVES.pop, leaf.serial)  # gets the reference as default
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
    with locks[0]:  # each has its own with statement, so that an interrupt never leaves one locked
        return holding(locks[1:], function, *args)
