"""Helper threads: results, errors, when they end, and interrupts at any moment."""

from __future__ import annotations

import gc
import random
import signal
import threading
import time
from typing import Any

import pytest
from alarms import alarms_call, is_interrupted, needs_timers

from autograd_spiral.program.threads import Helpers


def test_results_come_in_order_and_the_first_function_runs_in_the_callers_thread() -> None:
    helpers = Helpers(2)
    for _ in range(50):
        first, *others = helpers.call(threading.get_ident, [threading.get_ident] * 3)
        assert first == threading.get_ident()
        assert first not in others
    assert helpers.call(lambda: 0, [lambda i=i: i for i in range(1, 9)]) == list(range(9))


@pytest.mark.parametrize("fails", [0, 1, 2])
def test_an_error_is_raised_when_all_functions_have_returned(fails: int) -> None:
    helpers, running = Helpers(2), []

    def function(i: int) -> Any:
        running.append(i)
        try:
            if i == fails:
                raise ZeroDivisionError
            time.sleep(0.01)
        finally:
            running.remove(i)

    with pytest.raises(ZeroDivisionError):
        helpers.call(lambda: function(0), [lambda: function(1), lambda: function(2)])
    assert not running
    assert helpers.call(lambda: 1, [lambda: 2]) == [1, 2]


def test_threads_end_with_their_owner() -> None:
    before = set(threading.enumerate())
    helpers = Helpers(3)
    helpers.call(int, [int] * 3)
    threads = set(threading.enumerate()) - before
    assert len(threads) == 3
    del helpers
    gc.collect()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


@needs_timers
def test_an_interrupt_at_any_moment_leaves_them_usable() -> None:
    helpers, rng, interrupted, running = Helpers(2), random.Random(0), 0, [0, 0]

    def function(i: int) -> int:
        running[i] += 1
        assert running[i] == 1  # that of an earlier call has returned
        running[i] -= 1
        return i

    def calls() -> None:
        for _ in range(5):
            helpers.call(int, [lambda: function(0), lambda: function(1)])

    with alarms_call(signal.default_int_handler):
        for _ in range(1500):
            interrupted += is_interrupted(10.0 ** rng.uniform(-5.5, -3.5), calls)
    assert interrupted > 100
    assert helpers.call(int, [lambda: function(0), lambda: function(1)]) == [0, 0, 1]
