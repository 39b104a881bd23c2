"""Locks that are free in a forked process: the thread that held one there does not exist."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from autograd_spiral.engine.tensor import Tensor

__all__ = ["lock_of", "new_lock"]

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


class _Together:
    """Locks that are taken in one order by all threads, so that none waits for another."""

    def __init__(self, locks: Sequence[Any]) -> None:
        self._locks = locks

    def __enter__(self) -> None:
        taken = []
        try:
            for lock in self._locks:
                lock.acquire()
                taken.append(lock)
        except BaseException:  # an interrupt
            for lock in taken:
                lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        for lock in self._locks:
            lock.release()

    def _is_owned(self) -> bool:
        """Whether this thread holds one of them: of the locks of `threading`, too, this method has this name."""
        return any(lock._is_owned() for lock in self._locks)


def lock_of(leaves: Iterable[Tensor]) -> Any:
    """Return a lock of some leaves, to be held while they are read or updated together: a context manager.

    >>> w, b = Tensor(1.0), Tensor(2.0)
    >>> with lock_of([w, b]), lock_of([b]):
    ...     pass
    """
    made_together = {leaf.serial // 16 for leaf in leaves}  # as those of a model are, which so have one lock or two
    locks = [_STATE[i] for i in sorted({i % len(_STATE) for i in made_together})]
    return locks[0] if len(locks) == 1 else _Together(locks)
