"""Captured steps in several threads, in forked processes, in signal handlers, and interrupted at any moment."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from alarms import alarms_call, is_interrupted, needs_timers
from captured import ONES, fork, leaf
from executors import EXECUTORS
from programs import assert_same

import autograd_spiral
from autograd_spiral import CaptureError, Tensor, capture, grad, primitive
from autograd_spiral.engine.modes import MODE
from autograd_spiral.program import locks
from autograd_spiral.program.locks import holding, new_lock


def spread_out(count: int) -> list[Tensor]:
    """Leaves at 0 that do not share a lock, since other tensors were made between them."""
    return [[leaf(0, 0), *(Tensor(0.0) for _ in range(20))][0] for _ in range(count)]


class Model:
    def __init__(self) -> None:
        self.parts = spread_out(2)

    @capture
    def step(self, x: Any) -> Any:
        a, b = self.parts
        a.assign(a + x)
        b.assign(b + x)
        return (a * b).sum()


def everywhere(works: list[Callable[[], Any]]) -> list[Any]:
    """Return what these functions return, each called in a thread of its own at the same time."""
    ready = threading.Barrier(len(works))

    def work(function: Callable[[], Any]) -> Any:
        ready.wait()
        return function()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(work, works))
    finally:
        sys.setswitchinterval(before)


@pytest.fixture(params=EXECUTORS.values(), ids=EXECUTORS)
def capture_on(request: pytest.FixtureRequest) -> Any:
    """`capture`, with every executor."""
    return functools.partial(autograd_spiral.capture, executor=request.param)


@pytest.mark.parametrize("repeats", [40])
def test_steps_that_share_leaves_lose_no_update(repeats: int, capture_on: Any) -> None:
    a, b, c = spread_out(3)
    first = capture_on(lambda x: (a.assign(a + x), b.assign(b - x)))
    second = capture_on(lambda x: (c.assign(c + x), b.assign(b - x)))
    both = capture_on(lambda x: (a + b + c).sum() * x[0])

    def checked() -> None:
        for _ in range(repeats):
            assert float(both(ONES)) == 0.0, "half an update was read"

    works = [lambda step=step: [step(ONES) for _ in range(repeats)] and None for step in 4 * [first, second]]
    everywhere([*works, checked, checked])
    assert_same([a.data, b.data, c.data], [4 * repeats * ONES, -8 * repeats * ONES, 4 * repeats * ONES], "state")


def test_many_models_in_many_threads_are_trained_as_in_one() -> None:
    models = [Model() for _ in range(4)]
    alone = Model()
    expected = [float(alone.step(ONES)) for _ in range(20)]
    found = everywhere([lambda model=model: [float(model.step(ONES)) for _ in range(10)] for model in 2 * models])
    for k, model in enumerate(models):
        assert sorted([*found[k], *found[k + 4]]) == expected
        assert_same([part.data for part in model.parts], [20 * ONES, 20 * ONES], "state")


def test_a_step_that_is_captured_and_verified_in_many_threads(capture_on: Any) -> None:
    hidden = [*[1.0] * 99, 2.0]
    w = leaf(1, 2)
    step = capture_on(lambda x: (w * x * hidden[-1]).sum(axis=-1))

    def work(n: int) -> Any:
        results = []
        for k in range(9):
            results.append(step(np.full((1 + (n + k) % 3, 2), float(n))).data)
        return results

    for n, results in enumerate(everywhere([lambda n=n: work(n) for n in range(6)])):
        assert_same(results, [np.full(1 + (n + k) % 3, 6.0 * n) for k in range(9)], "values")


@pytest.fixture
def _busy() -> Iterator[None]:
    """Threads that replay and capture, whatever this one does."""
    stop, model = threading.Event(), Model()
    big, x = leaf(*np.ones(30_000)), np.ones(30_000)
    step = capture(lambda x: np.tanh(x * big).sum())

    def work() -> None:
        while not stop.is_set():
            step(x)
            model.step(ONES)
            capture(lambda x: (big * x).sum())(x)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    globals().update(STEP=step, MODEL=model, X=x)
    yield
    stop.set()
    for thread in threads:
        thread.join()


STEP: Any = None
MODEL: Any = None
X: Any = None

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")


def _in_a_child(function: Callable[[], Any]) -> int:
    """Return the exit status of a forked process: 0 if `function` returned something true, and within two minutes."""
    child = fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(120)
            status = 0 if function() else 2
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


@forks
@pytest.mark.usefixtures("_busy")
def test_a_process_that_is_forked_while_threads_replay_and_capture_does_both() -> None:
    expected = float(STEP(X))

    def replayed() -> bool:
        MODEL.step(ONES)
        a, b = (part.data for part in MODEL.parts)
        fresh = capture(lambda x: (x * 2).sum())
        return bool(float(STEP(X)) == expected and np.array_equal(a, b) and float(fresh(ONES)) == 4.0)

    assert [_in_a_child(replayed) for _ in range(8)] == [0] * 8


@forks
def test_a_process_that_is_forked_within_a_step_ends_the_step() -> None:
    inside: list[int] = []

    @primitive(lambda ct, out, x: ct)
    def forking(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            raise TypeError
        if inside:
            inside.append(fork())
        return x

    w = leaf(1, 2)
    step = capture(lambda x: w.assign(forking(w + x)))
    step(ONES)
    inside.append(1)
    parent = os.getpid()
    try:
        step(ONES)
        inside, child = [], inside[1]
        step(ONES)
    finally:
        if os.getpid() != parent:
            os._exit(0 if w.data.tolist() == [4.0, 5.0] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert_same([w.data], [[4.0, 5.0]], "state")


@needs_timers
def test_a_signal_handler_that_calls_the_step_in_the_middle_of_itself_raises() -> None:
    ringing: list[str] = []
    w = leaf(1, 2)

    @primitive(lambda ct, out, x: ct)
    def ring(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            raise TypeError
        if ringing:
            signal.raise_signal(signal.SIGALRM)
        return x

    def handle(*_: object) -> None:
        ringing.clear()
        try:
            step(ONES)
        except CaptureError as error:
            ringing.append(str(error))

    step = capture(lambda x: w.assign(ring(w + x)))
    with alarms_call(handle):
        step(ONES)
        step(ONES)
        ringing.append("now")
        step(ONES)  # neither captured nor verified
    assert "in the middle of a call of step, in the same thread, for example by a signal handler" in ringing[0]
    ringing.clear()
    step(ONES)
    assert_same([w.data], [[5.0, 6.0]], "state")


@needs_timers
def test_a_signal_handler_at_any_moment_loses_no_update_and_sees_no_half_of_one(capture_on: Any) -> None:
    parts, rng, handled = spread_out(4), random.Random(0), [0]

    @capture_on
    def step(x: Any) -> None:
        for part in parts:
            part.assign(part + x)

    reading = capture_on(lambda x: np.stack(parts) * x)

    def handle(*_: object) -> None:
        with contextlib.suppress(CaptureError):
            step(ONES)
            handled[0] += 1

    with alarms_call(handle):
        for _ in range(1000):
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 5e-5))
            step(ONES)
            rows = reading(ONES).data
            assert np.all(rows == rows[0])
    assert handled[0] > 10
    assert_same([part.data for part in parts], [(1000 + handled[0]) * ONES] * 4, "state")


@needs_timers
def test_a_step_that_is_captured_in_a_signal_handler_is_captured_as_anywhere() -> None:
    w, found = leaf(1, 2), []
    inner = capture(lambda x: (w * x).sum())
    outer = capture(lambda x: inner(x) * 2)
    refused = capture(lambda x: (w * x).sum() * float(w.sum()))

    def handle(*_: object) -> None:
        for _ in range(3):
            found.append(float(outer(ONES)))
            w.assign(2 * w)
        with pytest.raises(CaptureError, match="reading a value"):
            refused(ONES)

    with alarms_call(handle):
        signal.raise_signal(signal.SIGALRM)
    assert found == [6.0, 12.0, 24.0]


@needs_timers
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a generator as it is closed
@pytest.mark.parametrize("kind", ["replay", "capture and verification"])
def test_an_interrupt_at_any_moment_leaves_no_lock_held_no_mode_on_and_no_half_of_an_update(
    kind: str, capture_on: Any
) -> None:
    a, b, c = spread_out(3)
    rng = random.Random(0)

    def body(x: Any) -> Any:
        loss = ((a + b + c) * x).sum()
        step = grad(loss, a)
        for part in (a, b, c):
            part.assign(part + step)
        return loss

    mode, interrupted = MODE.get(), 0
    step = capture_on(body)
    step(ONES)
    with alarms_call(signal.default_int_handler):
        for _ in range(60):
            if kind != "replay":
                step = capture_on(lambda x: body(x))
            calls = functools.partial(lambda step: [step(ONES) for _ in range(3)], step)
            interrupted += is_interrupted(10.0 ** rng.uniform(-5.5, -2.7), calls)
            assert MODE.get() is mode
            assert sys.getprofile() is None
            assert np.array_equal(a.data, b.data)
            assert np.array_equal(a.data, c.data)
        assert everywhere([_all_locks_are_free]) == [True]
    assert interrupted > 3
    value = a.data
    step(ONES)
    assert_same([a.data, b.data, c.data], [value + 1] * 3, "state")


def _all_locks_are_free() -> bool:
    free = [lock.acquire(blocking=False) and not lock.release() for lock in list(locks._MADE)]
    return all(free)


def test_locks_that_are_held_together_are_released_in_any_case() -> None:
    held = [new_lock(), new_lock(), new_lock()]
    assert holding(held, everywhere, [_all_locks_are_free]) == [False]
    with pytest.raises(ZeroDivisionError):
        holding(held, lambda: 1 / 0)
    assert everywhere([_all_locks_are_free]) == [True]
