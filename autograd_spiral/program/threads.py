"""Threads that help to compute a call, and can still be used after an interrupt at any moment.

Threads of `concurrent.futures` cannot: an interrupt (Ctrl-C) inside that module's Python code may leave one of its
locks locked forever. Here, threads share only queues, which are written in C, and any message about a job may be sent
twice.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Helpers"]


class Helpers:
    """Threads that run functions next to the caller's thread. They end when nothing refers to this object.

    >>> Helpers(2).call(lambda: "a", [lambda: "b", lambda: "c"])
    ['a', 'b', 'c']
    """

    def __init__(self, count: int) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._pending: list[_Job] = []
        for _ in range(count):
            weakref.finalize(self, self._jobs.put, None)
            threading.Thread(target=_serve, args=(self._jobs,), name="blocks", daemon=True).start()

    def call(self, first: Callable[[], Any], others: Sequence[Callable[[], Any]]) -> list[Any]:
        """Return the results of `first`, which runs in this thread, and of `others`, which run in other threads.

        No function keeps running after the call, unless an interrupt ends the call early. The next call then waits for
        the functions that are still running.
        """
        self._settle()
        self._pending = [_Job(other) for other in others]
        try:
            for job in self._pending:
                self._jobs.put(job)
            return [first(), *(job.result() for job in self._pending)]
        finally:
            self._settle()

    def _settle(self) -> None:
        for job in self._pending:
            job.settle()


class _Job:
    """A function that a thread runs once."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._owner: dict[str, str] = {}
        self._finished = False
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._value: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        if self._owner.setdefault("is", "helper") == "caller":
            return
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error
        finally:
            self._finished = True
            self._news.put(None)

    def settle(self) -> None:
        """If the function has not begun, make sure that it never does; otherwise wait until it has returned."""
        if self._owner.setdefault("is", "caller") == "helper":
            self._wait()

    def result(self) -> Any:
        self._wait()
        if self._error is not None:
            raise self._error
        return self._value

    def _wait(self) -> None:
        while not self._finished:
            with contextlib.suppress(queue.Empty):  # an interrupt may lose a message, so look again now and then
                self._news.get(timeout=0.1)


def _serve(jobs: queue.SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job.run()
        del job  # so that its objects may be freed while this thread waits
