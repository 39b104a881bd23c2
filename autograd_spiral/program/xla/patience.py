"""Waits for other processes, but not longer than a time limit: work that involves them runs in a separate thread.

By itself, XLA waits for other processes as long as they exist, even if they never answer, and nothing can interrupt it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["in_time"]

T = TypeVar("T")
_Task = tuple[Callable[[], Any], "queue.SimpleQueue[tuple[Any, BaseException | None]]"]

_tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
_starting = threading.Lock()
_thread: threading.Thread | None = None


def in_time(work: Callable[[], T], patience: float) -> T:
    """Return `work()`, which runs after all earlier work; raise the errors that it raises.

    Raises TimeoutError after `patience` seconds. The work continues after that, and after an interrupt, too.

    >>> in_time(lambda: 2 * 3, patience=60)
    6
    """
    global _thread
    with _starting:
        if _thread is None:  # never a second thread: all processes must compute in the same order
            _thread = threading.Thread(target=_run_tasks, name="autograd_spiral.xla", daemon=True)
            _thread.start()
    answer: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
    _tasks.put((work, answer))
    try:
        value, error = answer.get(timeout=min(patience, threading.TIMEOUT_MAX))
    except queue.Empty:
        raise TimeoutError(f"no answer for {patience:g} s") from None
    if error is not None:
        raise error
    result: T = value
    return result


def _run_tasks() -> None:
    while True:
        work, answer = _tasks.get()
        try:
            answer.put((work(), None))
        except BaseException as error:
            answer.put((None, error))
        del work, answer  # free the objects to which they refer
