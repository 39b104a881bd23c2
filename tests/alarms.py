"""Signals that a timer sends while a test runs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

needs_timers = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals that a timer sends")


@contextlib.contextmanager
def alarms_call(handler: Callable[..., Any]) -> Iterator[None]:
    """Call `handler` when a timer ends; afterwards there is no timer, and the handler is that of before."""
    before = signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def is_interrupted(seconds: float, run: Callable[[], object]) -> bool:
    """Whether a timer, whose handler raises KeyboardInterrupt, ended `run()`."""
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            run()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return True
    return False
