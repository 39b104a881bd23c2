"""State, results and checks of a captured step, with every executor."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import pytest
from captured import ONES, leaf
from executors import EXECUTORS
from programs import assert_same, flat

import autograd_spiral
from autograd_spiral import Tensor, grad, softmax_cross_entropy
from autograd_spiral.errors import LabelError, StaleLeafError
from autograd_spiral.program.executor import update

w = leaf(name="w")


@pytest.fixture(params=EXECUTORS.values(), ids=EXECUTORS)
def capture(request: pytest.FixtureRequest) -> Any:
    return functools.partial(autograd_spiral.capture, executor=request.param)


def test_leaves_that_require_gradients_are_state_as_arguments_too(capture: Any) -> None:
    p, q = leaf(1, 2), leaf(3, 4)

    def step(p: Any, x: Any) -> Any:
        p.assign(p - grad((p * p * x).sum(), p))
        return p

    captured = capture(step)
    for t in (p, q, p):
        captured(t, 0.25 * ONES)
    assert_same([p.data, q.data], [[0.25, 0.5], [1.5, 2]], "state")


def test_results_are_what_leaves_and_copies_held_when_they_were_returned(capture: Any) -> None:
    p, q = leaf(1, 2), leaf(3, 4)

    def step(x: Any) -> Any:
        before, inside = p.detach(), (p * x).detach()
        p.assign(q)
        q.assign(before)
        after = (q + x).detach()
        inside.assign(after * x)
        return before, inside, after, p, q, p.detach()

    expected = [step(2 * ONES), step(3 * ONES)]
    captured = capture(step)
    for x, results in zip((2, 3, 2, 3), expected * 2, strict=True):
        assert_same(flat(captured(x * ONES)), flat(results), "results")


def test_a_change_of_state_outside_the_step_is_noticed(capture: Any) -> None:
    p = leaf(1, 2)
    captured = capture(lambda x: (p * x).sum())
    assert float(captured(ONES)) == 3
    p.assign([10.0, 20.0])
    assert float(captured(ONES)) == 30


def test_an_interrupt_between_two_leaves_changes_neither() -> None:
    p, q = leaf(1, 2), leaf(3, 4)

    def interrupted() -> Any:
        yield ONES
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update([p, q], [p.data, q.data], interrupted())
    assert_same([p.data, q.data], [[1.0, 2.0], [3.0, 4.0]], "state")


def test_tensors_made_inside_are_constants(capture: Any) -> None:
    def step(x: Any) -> Any:
        inner = Tensor([2.0, 3.0], requires_grad=True)
        (d,) = grad((inner * inner * x).sum(), [inner])
        inner.assign(inner - d)
        return inner, d

    captured = capture(step)
    for _ in range(2):
        assert_same(flat(captured(ONES)), [[-2.0, -3.0], [4.0, 6.0]], "value")


def test_results_are_fresh_and_stay_distinct(capture: Any) -> None:
    p = leaf(1, 2, name="p")

    def step(x: Any) -> Any:
        y = p * x
        p.assign(x)
        return p, x, y, y.T, y.reshape(1, 2), y[:1], p.detach(), x.T

    captured = capture(step)
    inputs = [np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([5.0, 6.0])]
    results = [flat(captured(x)) for x in inputs]
    copies = [[array.copy() for array in arrays] for arrays in results]
    held = p.data
    for x in inputs:
        x[:] = -1
    captured(np.zeros(2))
    for arrays, before in zip(results, copies, strict=True):
        assert_same(arrays, before, "results of earlier calls")
        assert not any(array.flags.writeable for array in arrays)
    assert_same([held], [[5.0, 6.0]], "the array that the state held")


def test_swaps_and_repeated_assignments_see_what_was_before(capture: Any) -> None:
    a, b = leaf(1, 1), leaf(2, 2)

    def step(x: Any) -> Any:
        before = a.detach()
        a.assign(b)
        b.assign(before)
        a.assign(a * x)
        return a + b

    captured = capture(step)
    assert_same(flat(captured(3 * ONES)), [[7.0, 7.0]], "value")
    assert_same([a.data, b.data], [[6.0, 6.0], [1.0, 1.0]], "state")
    captured(ONES)
    assert_same([a.data, b.data], [[1.0, 1.0], [6.0, 6.0]], "state")


def test_an_array_of_another_dtype_that_a_step_assigns_is_read_at_each_call(capture: Any) -> None:
    outside = np.array([1.5, 2.5])
    p = Tensor(np.float32([0, 0]))

    @capture
    def step(x: Any) -> Any:
        p.assign(outside)
        return p * x

    for values in ([1.5, 2.5], [3.5, 4.5], [5.0, 6.0]):
        outside[...] = values
        assert step(np.float32([2, 2])).data.tolist() == [2 * value for value in values]
        assert p.data.tolist() == values
        assert p.dtype == np.float32
    assert repr(step) == "<captured step step, 1 program>"
    assert step.source.count(".astype(np.float32)") == 1


def test_gradients_are_taken_at_the_values_from_before_an_assignment(capture: Any) -> None:
    p, q = leaf(1, 2), leaf(3, 4)

    def step(x: Any) -> Any:
        loss = (p * p * q * x).sum()
        p.assign(p - grad(loss, p))
        q.assign(q - grad(loss, q))  # at the old p
        return loss

    eager_p, eager_q = leaf(1, 2), leaf(3, 4)
    loss = (eager_p * eager_p * eager_q).sum()
    expected = [eager_p.data - grad(loss, eager_p).data, eager_q.data - grad(loss, eager_q).data]
    capture(step)(ONES)
    assert_same([p.data, q.data], expected, "state")


def test_gradients_are_taken_at_the_value_of_another_leaf_from_before_that_one_was_assigned_too(capture: Any) -> None:
    def make() -> tuple[Any, list[Tensor]]:
        p, q = leaf(1, 2), leaf(3, 4)

        def step(x: Any) -> Any:
            p.assign(q)
            loss = (p * p * x).sum()
            q.assign(q * 10)
            p.assign(p * 100)
            return grad(loss, p)

        return step, [p, q]

    (eager, expected), (step, found) = make(), make()
    captured = capture(step)
    for _ in range(2):
        assert_same(flat(captured(ONES)), flat(eager(Tensor(ONES))), "gradient")
        assert_same([leaf.data for leaf in found], [leaf.data for leaf in expected], "state")


def test_a_graph_of_gradients_at_an_old_value_is_refused_as_in_eager_mode(capture: Any) -> None:
    p = leaf(1, 2)

    def step(x: Any) -> Any:
        loss = (p * p * x).sum()
        p.assign(p * 2)
        return grad(loss, p, create_graph=True)

    with pytest.raises(StaleLeafError, match="was assigned"):
        capture(step)(ONES)


def test_dtypes_of_state_are_kept(capture: Any) -> None:
    p = Tensor(np.ones(2, np.float32), requires_grad=True)

    def step(x: Any) -> Any:
        p.assign(p - x)
        return p

    assert capture(step)(np.full(2, 0.1)).dtype == np.float32
    assert p.dtype == np.float32


def test_an_exception_leaves_no_state_changed(capture: Any) -> None:
    p = leaf(1, 2)

    def step(x: Any, labels: Any) -> Any:
        p.assign(p * 2)
        return softmax_cross_entropy(p * x, labels)

    captured = capture(step)
    captured(np.ones((2, 2)), np.array([0, 1]))
    for labels, message in [([0, 2], "row 1 is 2"), ([-1, 0], "row 0 is -1")]:
        with pytest.raises(LabelError, match=message):
            captured(np.ones((2, 2)), np.array(labels))
        assert_same([p.data], [[2.0, 4.0]], "state")

    def failing(x: Any) -> Any:
        p.assign(p * 2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(failing)(ONES)
    assert_same([p.data], [[2.0, 4.0]], "state")


def test_checks_on_what_is_computed_run_too(capture: Any) -> None:
    def step(x: Any) -> Any:
        return softmax_cross_entropy(w * np.ones((2, 2)), (x + 1).astype(int))

    captured = capture(step)
    captured(np.array([0.0, -1.0]))
    with pytest.raises(LabelError, match="row 1 is 6"):
        captured(np.array([0.0, 5.0]))


def test_replay_from_several_threads(capture: Any) -> None:
    p = leaf(0, 0)

    def step(x: Any) -> Any:
        h = np.tanh(np.outer(x, x) @ np.ones((x.size, 2)))
        p.assign(p + 1)
        return h.sum(axis=0)

    captured = capture(step)
    inputs = [np.full(40, k / 10) for k in range(4)]
    expected = [flat(captured(x))[0] for x in inputs]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(100):
            if not np.array_equal(flat(captured(inputs[k]))[0], expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert_same([p.data], [[404.0, 404.0]], "no update is lost")


def test_replay_of_several_programs_from_several_threads_loses_no_update(capture: Any) -> None:
    p = leaf(0, 0)

    long = np.linspace(0, 1, 3_000)  # which takes some time, between reading the state and writing it
    captured = capture(lambda x: p.assign(p + 1 + 0 * np.sum(np.sin(p[0] * long))))
    sizes = (1, 2, 3)
    for n in sizes:
        captured(np.ones(n))

    def work(n: int) -> None:
        for _ in range(30):
            captured(np.ones(n))

    threads = [threading.Thread(target=work, args=(n,)) for n in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_same([p.data], [[93.0, 93.0]], "state")
