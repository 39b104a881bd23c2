"""Locks that are free in a forked process: the thread that held one there does not exist."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Collection, Iterator
from typing import Any

from autograd_spiral.engine.tensor import Tensor

__all__ = ["holding", "locks_of", "new_lock"]

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
        lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

_STATE = [new_lock() for _ in range(1024)]  # leaves share them: a lock for each would have to live as long as the leaf


def locks_of(leaves: Collection[Tensor]) -> list[Any]:
    """Return the locks of some leaves, in an order that is the same for all threads, so that none waits for another.

    >>> w, b = Tensor(1.0), Tensor(2.0)
    >>> locks_of([w, b]) == locks_of([b, w])
    True
    """
    neighbours = {leaf.serial // 8 for leaf in leaves}  # the leaves of a model are made together: one or two locks
    return [_STATE[i] for i in sorted({i % len(_STATE) for i in neighbours})]


@contextlib.contextmanager
def holding(leaves: Collection[Tensor]) -> Iterator[None]:
    """Hold the locks of some leaves.

    >>> with holding([Tensor(1.0)]):
    ...     pass
    """
    with contextlib.ExitStack() as stack:
        for lock in locks_of(leaves):
            stack.enter_context(lock)
        yield
