"""Executors: what they are given, what they must return, and how their results are checked."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from executors import every_executor
from programs import assert_same, eagerly

from autograd_spiral import CaptureError, Tensor, capture, grad, softmax_cross_entropy
from autograd_spiral.errors import LabelError
from autograd_spiral.program.evaluate import evaluate
from autograd_spiral.program.executor import HOST, Executor, OutOfStep, Peers, Run, interpret
from autograd_spiral.program.ir import Program

p, q = leaf(0.5, -0.25, name="p"), leaf(1, 2, name="q")
FACTORS = np.array([3.0, 5.0])


def descent(x: Any) -> Any:
    loss = np.sum(np.square(np.tanh(p * x) - q))
    dp, dq = grad(loss, [p, q])
    p.assign(p - 0.25 * dp)
    q.assign(q - 0.25 * dq)
    return loss, {"dp": dp}, [p * FACTORS, x]


def swap(x: Any) -> Any:
    before = p.detach()
    p.assign(q)
    q.assign(before * x)
    return p, q, p.T, q.reshape(1, 2), np.broadcast_to(p, (2, 2))


def stateless(x: Any) -> Any:
    return x.sum(), Tensor([1.0, 2.0]), x, x


STEPS: dict[str, Callable[..., Any]] = {"descent": descent, "swap": swap, "stateless": stateless}
every_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)


def leaves_of(result: Any) -> list[Any]:
    """The arrays of a result with tuples, lists and dicts in it."""
    if isinstance(result, Tensor):
        return [result.data]
    parts = result.values() if isinstance(result, dict) else result
    return [array for part in parts for array in leaves_of(part)]


@every_executor
@every_step
def test_every_executor_computes_what_the_eager_step_does(step: Callable[..., Any], executor: Executor) -> None:
    inputs = [[np.array([1.0, 2.0])], [np.array([-3.0, 0.5])], [np.array([1.0, 2.0])]]
    expected = eagerly(lambda x: [Tensor(a) for a in leaves_of(step(x))], [p, q], inputs)
    captured = capture(step, executor=executor)
    for (x,), (results, state) in zip(inputs, expected, strict=True):
        assert_same([*leaves_of(captured(x)), p.data, q.data], [*results, *state], "results and state")
    assert count_of(captured) == 1


@every_executor
@every_step
def test_results_of_every_executor_are_fresh_and_frozen(step: Callable[..., Any], executor: Executor) -> None:
    captured = capture(step, executor=executor)
    captured(ONES)
    assert captured._programs.last is not None
    lowered, run = captured._programs.last.lowered(), executor(captured.program)
    given = [np.array([1.0, 2.0]), *(leaf.data.copy() for leaf in lowered.state), *lowered.outside]
    copies = [array.copy() for array in given]
    first, second = (run(*given) for _ in range(2))
    assert_same(given, copies, "the given arrays stay as they are")
    assert_same(first, second, "two runs")
    assert not any(array.flags.writeable for array in (*first, *second))
    assert not any(np.shares_memory(a, b) for a in first for b in (*second, *given))


@every_executor
def test_checks_run_before_the_state_changes(executor: Executor) -> None:
    w = leaf(1, 2)

    def step(scores: Any, labels: Any) -> Any:
        w.assign(w * 2)
        return softmax_cross_entropy(scores * w, labels)

    captured = capture(step, executor=executor)
    captured(np.ones((2, 2)), np.array([0, 1]))
    with pytest.raises(LabelError, match="row 1 is 2"):
        captured(np.ones((2, 2)), np.array([0, 2]))
    assert_same([w.data], [[2.0, 4.0]], "state")


def watched_run(*, reentrant: bool) -> tuple[Run, list[int]]:
    """A run that counts how many threads are inside its function."""
    inside, seen = 0, []

    def function(x: Any) -> Any:
        nonlocal inside
        inside += 1
        time.sleep(0.02)
        seen.append(inside)
        inside -= 1
        return (x + 1,)

    return Run(function, reentrant=reentrant), seen


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_run_lets_one_thread_in_at_a_time_unless_it_is_reentrant(reentrant: bool) -> None:
    run, seen = watched_run(reentrant=reentrant)
    step = capture(lambda x: x + 1, executor=lambda program: run)
    step(ONES)
    threads = [threading.Thread(target=step, args=(ONES,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert (max(seen) > 1) == reentrant


def test_a_run_that_raises_lets_the_next_call_in() -> None:
    def function(x: Any) -> Any:
        if x[0] == 0:
            raise ValueError("zero")
        return (1 / x,)

    run = Run(function, reentrant=False)
    with pytest.raises(ValueError, match="zero"):
        run(np.zeros(1))
    assert_same(run(np.ones(1)), [[1.0]], "value")


def test_an_executor_is_called_once_for_each_program() -> None:
    programs: list[Program] = []

    def noting(program: Program) -> Run:
        programs.append(program)
        return interpret(program)

    step = capture(lambda x: p * x, executor=noting)
    for x in (ONES, 2 * ONES, np.ones((3, 2)), ONES):
        assert_same([step(x).data], [p.data * x], "value")
    assert len(programs) == count_of(step) == 2
    assert step.program is programs[0]


STATED = r", but the program states \['float64\[2\]', 'float64\[2\]'\]: return a tuple of these arrays"
WRONG: dict[str, tuple[Callable[..., Any], str]] = {
    "an array": (lambda x, w: x, r"float64\[2\]" + STATED),
    "too few": (lambda x, w: (x * 2,), r"\['float64\[2\]'\]" + STATED),
    "too many": (lambda x, w: (x * 2,) * 3, r"\['float64\[2\]', 'float64\[2\]', 'float64\[2\]'\]" + STATED),
    "a number": (lambda x, w: (2.0, w * 2), r"\['float', 'float64\[2\]'\]" + STATED),
    "a list": (lambda x, w: (x * 2, [1.0, 2.0]), r"\['float64\[2\]', 'list'\]" + STATED),
    "a shape": (lambda x, w: (x * 2, w[:1] * 2), r"\['float64\[2\]', 'float64\[1\]'\]" + STATED),
    "a dtype": (lambda x, w: (x.astype(np.int8), w * 2), r"\['int8\[2\]', 'float64\[2\]'\]" + STATED),
    "a subclass": (lambda x, w: (np.ma.masked_array(x), w * 2), r"\['MaskedArray', 'float64\[2\]'\]" + STATED),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_results_of_an_executor_raise_before_the_state_changes(name: str) -> None:
    function, message = WRONG[name]
    w = leaf(1, 2)

    def step(x: Any) -> Any:
        w.assign(w + x)
        return 2 * x

    with pytest.raises(CaptureError, match=f"the executor of step returned {message}"):
        capture(step, executor=lambda program: Run(function, reentrant=True))(ONES)
    assert_same([w.data], [[1.0, 2.0]], "state")


def test_results_that_an_executor_keeps_or_was_given_are_copied() -> None:
    buffer, w = np.empty(2), leaf(1, 2)

    def run(x: Any, held: Any) -> Any:
        np.multiply(x, 2, out=buffer)
        return buffer, held[::-1]

    def step(x: Any) -> Any:
        w.assign(w + x)
        return 2 * x

    captured = capture(step, executor=lambda program: Run(run, reentrant=False))
    first, given = captured(ONES), np.array([5.0, 5.0])
    second = captured(given)
    assert_same([first.data, second.data, w.data], [[2.0, 2.0], [10.0, 10.0], [1.0, 2.0]], "copies")
    assert given.flags.writeable


def test_an_executor_cannot_write_to_what_it_is_given() -> None:
    def run(x: Any) -> Any:
        x += 1
        return (x,)

    x = np.zeros(2)
    with pytest.raises(ValueError, match="read-only"):
        capture(lambda x: x + 1, executor=lambda program: Run(run, reentrant=True))(x)
    assert_same([x], [[0.0, 0.0]], "the argument")


def test_an_executor_must_return_a_run() -> None:
    def compiling(program: Program) -> Any:
        return lambda x: (x + 1,)

    step = capture(lambda x: x + 1, executor=compiling)
    with pytest.raises(TypeError, match=r"'compiling' returned function: return Run\(function, reentrant=False\)"):
        step(ONES)
    assert count_of(step) == 0


def test_results_of_an_executor_become_read_only() -> None:
    step = capture(lambda x: x + 1, executor=lambda program: Run(lambda x: (x + 1,), reentrant=True))
    result = step(ONES)
    assert not result.data.flags.writeable
    assert_same([result.data], [ONES + 1], "value")


def test_what_an_executor_raises_leaves_the_state_unchanged() -> None:
    w = leaf(1, 2)

    def failing(program: Program) -> Run:
        def function(*arrays: Any) -> Any:
            raise OSError("no device")

        return Run(function, reentrant=False)

    with pytest.raises(OSError, match="no device"):
        capture(lambda x: w.assign(w + x), executor=failing)(ONES)
    assert_same([w.data], [[1.0, 2.0]], "state")


# --- executors that run in several processes --------------------------------------------------------------------------


class Twins(Peers):
    """Two processes that pass the same rows, in one: an executor, and its own peers."""

    def __init__(self) -> None:
        self.peers, self.fails = self, False
        self.told: list[Exception | None] = []

    def __call__(self, program: Program) -> Run:
        def run(x: Any, *others: Any) -> Any:
            if self.fails:
                raise OutOfStep("the other one does something else")
            return evaluate(program, np.concatenate([x, x]), *others)

        return Run(run, reentrant=True)

    def stand_in(self, name: str, array: Any) -> Any:
        return np.concatenate([array, array]) if name == "x" else array

    @contextlib.contextmanager
    def alike(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.told.append(error)
            raise
        self.told.append(None)


@pytest.mark.parametrize("make", [np.asarray, Tensor])
def test_a_step_is_captured_for_the_rows_of_all_processes_and_selected_by_its_own(make: Callable[..., Any]) -> None:
    twins, x = Twins(), make(np.array([1.0, 2.0, 3.0]))
    step = capture(lambda x, w: (x * w).sum() / len(x), executor=twins)
    for _ in range(8):
        assert float(step(x, make(np.array(3.0)))) == 6
    assert [value.shape for value in step.program.inputs] == [(6,), ()]
    assert count_of(step) == 1
    assert twins.told == [None] * 4  # as it was captured, and as it was verified at calls 2, 4 and 8
    step(make(np.ones(2)), make(np.array(3.0)))
    assert count_of(step) == 2


def test_what_a_step_raises_as_it_is_captured_or_verified_is_told_to_all_processes() -> None:
    twins, numbers = Twins(), iter(range(9))
    for _ in range(2):
        with pytest.raises(LabelError):
            capture(lambda x: softmax_cross_entropy(np.zeros((4, 3)), x), executor=twins)(np.array([0, 3]))
    unsteady = capture(lambda x: x * len(str(10 ** (next(numbers) // 2))), executor=twins)
    unsteady(ONES)
    with pytest.raises(CaptureError, match="when <lambda> was captured"):
        unsteady(ONES)
    assert [type(told) for told in twins.told] == [LabelError, LabelError, type(None), CaptureError]


def test_a_step_makes_new_programs_once_the_processes_are_out_of_step() -> None:
    twins = Twins()
    step = capture(lambda x: x.sum(), executor=twins)
    step(ONES)
    before, twins.fails = step.program, True
    with pytest.raises(OutOfStep):
        step(ONES)
    assert count_of(step) == 0
    twins.fails = False
    assert float(step(ONES)) == 4
    assert step.program is not before


def test_a_signal_handler_between_two_leaves_that_are_read_leaves_no_half_of_an_update() -> None:
    parts, called = [leaf(0, 0), leaf(0, 0), leaf(0, 0)], [0]

    @capture
    def step(x: Any) -> None:
        for part in parts:
            part.assign(part + x)

    def take(part: Tensor) -> Any:
        called[0] += 1
        if called[0] in (2, 5, 9):  # once the first leaves are read, twice, and while they are read again
            step(np.ones(2))
        return HOST.take(part)

    def slowly(program: Program) -> Run:
        run = interpret(program)
        return Run(run.function, reentrant=True, memory=HOST._replace(take=take))

    reading = capture(lambda x: np.stack(parts) * x, executor=slowly)
    step(np.ones(2))
    called[0] = 0
    assert_same(reading(np.ones(2)), np.full((3, 2), 4.0), "all leaves after the same update")
