"""Locks that are free in a forked process: the thread that held one there does not exist."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
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

_STATE = [new_lock() for _ in range(1024)]  # leaves share them: a lock for each would have to live as long as the leaf


def locks_of(leaves: Iterable[Tensor]) -> tuple[Any, ...]:
    """Return the locks to hold while some leaves are read or updated together, in the order in which all take them."""
    made_together = {leaf.serial // 16 for leaf in leaves}  # as those of a model are, which so have one lock or two
    return tuple(_STATE[i] for i in sorted({i % len(_STATE) for i in made_together}))


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
