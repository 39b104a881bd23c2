"""A captured step never goes on silently with what it read before a change, however it read it.

From a change on, each call either agrees with `step.eager`, or, before as many further calls as had been made, raises
with the line and both values. A step that always computes the same thing never raises.
"""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from captured import ONES, leaf
from ways_to_read import HOLDERS, WRAPPERS

from autograd_spiral import CaptureError, Tensor, capture, grad

w = leaf(1, 2, name="w")


class Watched:
    """A captured step, whose calls are compared with eager ones; `changed` says that what it reads has changed."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self.step, self.captured = step, capture(step)
        self.calls = self.allowed = self.further = 0

    def changed(self) -> None:
        self.allowed, self.further = self.calls, 0

    def call(self) -> bool:
        """Make a call, and return whether it raised."""
        before = w.data
        expected = self.captured.eager(Tensor(ONES)), w.data
        w.assign(before)
        self.calls, self.further = self.calls + 1, self.further + 1
        raised, found = "", None
        try:
            found = self.captured(ONES), w.data
        except CaptureError as error:
            raised = str(error)
        where = f"call {self.further} of {self.allowed} since the change"
        if raised:
            assert self.further <= self.allowed, f"{where} raised {raised}"
            assert re.match(r"(.*\.py:\d+: .*\n)?.* was .+ when .* was captured, and .+ at call \d", raised), raised
            assert re.match(r".*\.py:\d+: .*\n|what the step does here was returning the result", raised), raised
            assert np.array_equal(w.data, before), "a call that raises changes no state"
        elif not _equal(found, expected):
            assert self.further < self.allowed, f"{where} was silently wrong"
        return bool(raised)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    a, b = (x.data if isinstance(x, Tensor) else x for x in (a, b))
    return type(a) is type(b) and np.shape(a) == np.shape(b) and np.allclose(a, b, 1e-12, 1e-12)


def assert_not_silent(read: Any, put: Any, calls: int) -> None:
    """Change a number after some calls of a step that reads it: then at most one call raises, and none is wrong."""
    watched = Watched(lambda x: x * read())
    for _ in range(calls):
        assert not watched.call()
    put(2.0)
    watched.changed()
    assert sum(watched.call() for _ in range(calls + 3)) <= 1


@pytest.mark.parametrize("make", HOLDERS)
def test_a_number_that_changes_where_it_is_kept(make: Any) -> None:
    for calls in (1, 2, 3, 5, 9):
        get, put = make()
        assert_not_silent(get, put, calls)
        assert get() == 2.0


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_a_number_that_changes_through_what_it_is_read(wrap: Any) -> None:
    for calls in (1, 3):
        for make in HOLDERS[calls::9]:
            get, put = make()
            assert_not_silent(wrap(get), put, calls)


def _assigning(x: Any, v: float) -> Any:
    loss = (w * x).sum()
    w.assign(w - v * grad(loss, w))
    return loss


USES: list[Callable[[Any, float], Any]] = [
    lambda x, v: x * v,
    lambda x, v: w * x + v,
    lambda x, v: (w * x) ** v,
    lambda x, v: x * np.full(2, v),
    lambda x, v: x * Tensor(v),
    lambda x, v: w * x if v > 1 else x,
    lambda x, v: (x * w, v),
    lambda x, v: x.sum() * int(v),
    lambda x, v: np.stack([x] * int(v)).sum(axis=0),
    lambda x, v: x[: int(v)].sum(),
    lambda x, v: np.clip(w * x, 0.0, v),
    lambda x, v: np.concatenate([x, np.ones(int(v))]),
    lambda x, v: grad((w * w * x).sum() * v, w),
    lambda x, v: np.outer(x, x).sum(axis=int(v) % 2) * v,
    lambda x, v: (w * x).astype(np.float32 if v > 1 else np.float64),
    lambda x, v: np.einsum("i,i->i" if v > 1 else "i,i->", w, x),
    lambda x, v: np.where(np.arange(2) < v - 1, w, x),
    _assigning,
]


class RandomStep:
    """A step that reads a few numbers in random ways and uses them in random ones, and puts that change them."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = random.Random(seed)
        self.puts, parts = [], []
        for _ in range(rng.choice([1, 1, 2, 3])):
            get, put = rng.choice(HOLDERS)()
            for _ in range(rng.choice([0, 1, 1, 2, 3])):
                get = rng.choice(WRAPPERS)(get)
            self.puts.append(put)
            parts.append((rng.choice(USES), get))
        self.step: Any = self._of(parts)

    def _of(self, parts: Any) -> Any:
        (use, get), *others = parts
        if not others:
            return lambda x: use(x, get())
        if self.rng.random() < 0.5:
            return lambda x: tuple(use(x, get()) for use, get in parts)
        rest = self._of(others)
        return lambda x: (use(x, get()), rest(x))


def follow_a_random_step(seed: int) -> None:
    """Make calls of a random step, and random changes between them; hold it to the promise."""
    made = RandomStep(seed)
    rng, watched = made.rng, Watched(made.step)
    state = w.data
    try:
        for _ in range(rng.choice([1, 1, 2, 3])):
            for _ in range(rng.choice([1, 2, 3, 4, 5, 8, 9])):
                watched.call()
            rng.choice(made.puts)(rng.choice([1.0, 2.0, 3.0]))
            watched.changed()
        for _ in range(watched.allowed + 3):
            watched.call()
    finally:
        w.assign(state)


@pytest.mark.parametrize("start", range(0, 120, 40))
def test_random_steps_after_random_changes(start: int) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "invalid value|divide by zero|overflow", RuntimeWarning)
        for seed in range(start, start + 40):
            try:
                follow_a_random_step(seed)
            except BaseException as error:
                error.add_note(f"seed {seed}")
                raise
