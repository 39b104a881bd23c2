"""An error is raised if a step computes something else in its second run, or returns what a program cannot return."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from programs import assert_same

from autograd_spiral import CaptureError, Tensor, capture

w = leaf(name="w")


@pytest.mark.parametrize("draw", [lambda rng: rng.standard_normal(2), lambda rng: rng.standard_normal()])
def test_random_numbers_inside_are_refused_with_the_line(draw: Any) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(
        CaptureError,
        match=r"test_verify.py:\d+[\s\S]*\n<lambda> draws random numbers from rng, and a program would repeat them",
    ):
        capture(lambda x: w * draw(rng))(ONES)


def test_constants_that_differ_are_shown() -> None:
    numbers = iter([0.3, 0.7])
    with pytest.raises(
        CaptureError, match=r"a constant of np.divide was 0\.3 in one run of the step, and 0\.7 in the other"
    ):
        capture(lambda x: w / next(numbers))(ONES)
    arrays = iter([np.zeros(3), np.arange(1000.0)[:3]])
    with pytest.raises(
        CaptureError, match=r"np.add was \[0. 0. 0.\] in one run of the step, and \[0. 1. 2.\] in the other"
    ):
        capture(lambda x: w.sum() + next(arrays))(ONES)


class _Drawing:
    def __init__(self, rng: Any) -> None:
        self.rng = rng

    def step(self, x: Any) -> Any:
        return w * x * (0 if self.rng.random() < 0.01 else 1)


@pytest.mark.parametrize("seed", range(20))
def test_random_numbers_that_rarely_change_anything_are_refused(seed: int) -> None:
    rng, old, python = np.random.default_rng(seed), np.random.RandomState(seed), random.Random(seed)
    draw = rng.random
    steps: dict[str, Any] = {
        "rng": lambda x: w * x * (rng.random(2) > 0.001),
        "old": lambda x: w * x * (0 if old.rand() < 0.01 else 1),
        "python": lambda x: w * x * (0 if python.random() < 0.01 else 1),
        "draw": lambda x: w * x * (0 if draw() < 0.01 else 1),
        "np.random": lambda x: w * x * (0 if np.random.rand() < 0.01 else 1),  # noqa: NPY002
        "the module random": lambda x: w * x * (0 if random.random() < 0.01 else 1),
    }
    for name, step in steps.items():
        with pytest.raises(CaptureError, match=f"random numbers from {name}, .*"):
            capture(step)(ONES)
    with pytest.raises(CaptureError, match=r"from rng, [\s\S]* as arrays"):
        capture(_Drawing(rng).step)(ONES)
    with pytest.raises(CaptureError, match=r"from a generator among its arguments"):
        capture(lambda x, source: w * x * (0 if source.random() < 0.01 else 1))(ONES, rng)
    with pytest.raises(CaptureError, match=r"without a seed"):
        capture(lambda x: w * x * (0 if np.random.default_rng().random() < 0.01 else 1))(ONES)


def test_a_generator_that_is_not_used_or_made_from_a_seed_is_fine() -> None:
    rng = np.random.default_rng(0)
    step = capture(lambda x: w * x * (np.random.default_rng(1).random(2) > 0.5) if rng is not None else w)
    for _ in range(3):
        assert_same([step(ONES).data], [step.eager(ONES).data], "the mask of a seed")
    assert count_of(step) == 1


def test_a_step_that_does_more_the_second_time_is_refused() -> None:
    seen: list[int] = []

    def step(x: Any) -> Any:
        seen.append(1)
        return w * x if len(seen) % 2 else w * x + 1

    with pytest.raises(CaptureError, match=r"here was returning the result in one run of the step, and np.add in the"):
        capture(step)(ONES)


@pytest.mark.parametrize("change", [lambda seen: w.assign(w * seen), lambda seen: seen > 1 and w.assign(w)])
def test_a_step_that_assigns_something_else_the_second_time_is_refused(change: Any) -> None:
    seen: list[int] = []

    def step(x: Any) -> Any:
        seen.append(1)
        change(len(seen))
        return (w * x).sum()

    with pytest.raises(CaptureError, match=r"one run"):
        capture(step)(ONES)
    assert_same([w.data], [[1.0, -2.0]], "the state")


def test_a_step_that_passes_another_number_of_arguments_the_second_time_is_refused() -> None:
    parts = iter([[w], [w[:1], w[1:]]])
    with pytest.raises(CaptureError, match=r"computed before the step began"):
        capture(lambda x: np.concatenate([*next(parts), x]))(ONES)
    counts = iter([[ONES], [np.ones(1), np.ones(1)]])
    with pytest.raises(CaptureError, match=r"np.concatenate .* in one run of the step"):
        capture(lambda x: np.concatenate([w, *next(counts)]))(ONES)


def test_a_step_that_returns_something_else_the_second_time_is_refused() -> None:
    seen: list[int] = []

    def step(x: Any) -> Any:
        seen.append(1)
        return (w * x).sum(), len(seen)

    with pytest.raises(CaptureError, match=r"returning the result \(constants=\[1\]\) in one run of the step"):
        capture(step)(ONES)


def test_returning_an_array_is_refused() -> None:
    with pytest.raises(CaptureError, match="return a Tensor"):
        capture(lambda x: np.ones(2))(ONES)


def test_results_that_a_program_cannot_return_are_named() -> None:
    for thing, kind in (({1, 2}, "set"), (object(), "object"), ((i for i in ()), "generator")):
        with pytest.raises(CaptureError, match=f"returns a {kind}"):
            capture(lambda x, thing=thing: (x, thing))(ONES)


def _counting(x: Any, array: Any) -> Any:
    array += 1
    return x * array


def _counting_afterwards(x: Any, array: Any) -> Any:
    result = x * array
    array += 1
    return result


def _with_one_buffer_for_two(x: Any, array: Any) -> Any:
    array[:] = 1
    one = x * array
    array[:] = 2
    return one + w * array


@pytest.mark.parametrize("step", [_counting, _counting_afterwards, _with_one_buffer_for_two])
def test_a_step_that_overwrites_an_outside_array_which_it_reads_is_refused(step: Any) -> None:
    array = np.zeros(2)
    with pytest.raises(CaptureError, match=r"changes in place was \[\d. \d.\] in one run of the step, and \[\d. \d.\]"):
        capture(lambda x: step(x, array))(ONES)
    made_inside = capture(lambda x: step(x, np.zeros(2)))
    for _ in range(9):
        assert_same([made_inside(ONES).data], [made_inside.eager(Tensor(ONES)).data], "an array of its own")


def test_an_outside_array_that_the_step_fills_must_be_filled_with_the_same_each_time() -> None:
    array, hidden = np.zeros(2), deque([1.0])

    def step(x: Any) -> Any:
        array[:] = hidden[0]
        return x * array

    captured = capture(step)
    for _ in range(3):
        assert_same([captured(ONES).data], [ONES], "value")
    hidden[0] = 2.0
    with pytest.raises(CaptureError, match=r"changes in place was \[1. 1.\] when .*, and \[2. 2.\] at call 4"):
        captured(ONES)
    assert_same([captured(ONES).data], [2 * ONES], "value")


def test_the_sign_of_zero_is_compared() -> None:
    for zeros in ([0.0, -0.0], [np.zeros(2), -np.zeros(2)], [np.float32(0), np.float32(-0.0)]):
        numbers = iter(zeros)
        with pytest.raises(CaptureError, match=r"a constant of np.multiply was "):
            capture(lambda x, numbers=numbers: w * next(numbers))(ONES)


def test_verification_can_be_turned_off() -> None:
    hidden, runs = deque([1.0]), []

    @capture(verify=False)
    def step(x: Any) -> Any:
        runs.append(1)
        return x * hidden[0]

    for _ in range(9):
        step(ONES)
        hidden[0] += 1
    assert_same([step(ONES).data], [ONES], "value")
    assert len(runs) == 2


def test_each_program_is_verified_at_calls_2_4_8_and_so_on_of_its_own() -> None:
    runs: list[int] = []

    @capture
    def step(x: Any) -> Any:
        runs.append(len(x))
        return x * 2.0

    for _ in range(20):
        step(np.ones(2))
        step(np.ones(3))
    for n in (2, 3):
        assert runs.count(n) == 2 + 4  # twice to capture it, then at calls 2, 4, 8 and 16


def test_a_verification_that_fails_leaves_the_state_and_makes_room_for_a_new_program() -> None:
    p, hidden = leaf(1, 2), deque([1.0])

    @capture
    def step(x: Any) -> Any:
        p.assign(p + hidden[0] * x)
        return p * 1.0

    step(ONES)
    hidden[0] = 5.0
    with pytest.raises(CaptureError, match=r"p\.assign\(p \+ hidden\[0\] \* x\)\na constant of np.multiply"):
        step(ONES)
    assert_same([p.data], [[2.0, 3.0]], "state")
    assert_same([step(ONES).data, p.data], [[7.0, 8.0]] * 2, "the new program")
    assert count_of(step) == 1


def test_what_only_a_verification_computes_warns_of_nothing() -> None:
    @capture
    def step(x: Any) -> Any:
        np.log(w * w * x)  # no result depends on it: the program does without
        return x * 2.0

    for k in (1.0, 0.0, 1.0, 0.0):  # at calls 2 and 4 the logarithm is infinite, and warnings are errors
        assert_same([step(k * ONES).data], [2 * k * ONES], "value")
