"""Programs in blocks of rows: the results are the same as for all rows at once, with less memory and any threads."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from captured import fork
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from programs import assert_same, program_of

from autograd_spiral import Tensor, capture, grad, relu, softmax_cross_entropy
from autograd_spiral.errors import LabelError
from autograd_spiral.program.executor import interpret
from autograd_spiral.program.ir import Program
from autograd_spiral.program.running.blocks import blocks, replay_or_blocks
from autograd_spiral.program.running.replay import replay
from autograd_spiral.program.threads import Helpers

RNG = np.random.default_rng(7)
N = 203


def weights(*shape: int) -> Tensor:
    return Tensor(0.3 * RNG.standard_normal(shape), requires_grad=True)


W, b, V, c, S = weights(4, 8), weights(1, 8), weights(8, 3), weights(3), weights(5, 4)
LEAVES = [W, b, V, c]
OUTSIDE = RNG.standard_normal((N, 3))


def trained(loss: Any, *results: Any) -> Any:
    """Update the leaves, and return `loss` with `results` and the gradients."""
    gradients = grad(loss, LEAVES)
    for leaf, gradient in zip(LEAVES, gradients, strict=True):
        leaf.assign(leaf - 0.1 * gradient)
    return loss, *results, gradients


def net(X: Any, y: Any) -> Any:
    return trained(softmax_cross_entropy(relu(X @ W + b) @ V + c, y) + 0.1 * np.sum(W * W))


def results_per_row(X: Any, y: Any) -> Any:
    hidden = np.tanh(X @ W + b)
    scores = hidden @ V + c
    return trained(softmax_cross_entropy(scores, y), hidden, scores.T, np.argmax(scores, axis=1), X)


def batch_normalised(X: Any, y: Any) -> Any:
    hidden = X @ W + b
    normal = (hidden - hidden.mean(axis=0)) / np.sqrt(hidden.var(axis=0) + 1e-5)
    return trained(softmax_cross_entropy(normal @ V + c, y))


def recurrent(X: Any, y: Any) -> Any:
    state = np.zeros((len(X), 8))
    for t in range(3):
        state = np.tanh(state * 0.5 + X[:, t : t + 1] * W[t] + b)
    return trained(np.mean((state @ V + c - OUTSIDE) ** 2))


def transposed(X: Any, y: Any) -> Any:
    hidden = W.T @ X.T + b.T
    return trained(np.sum(np.logaddexp(V.T @ hidden + c[:, None], 0)), hidden)


def with_barriers(X: Any, y: Any) -> Any:
    hidden = X @ W + b
    scaled = hidden / np.max(np.absolute(hidden), axis=0)  # of all rows
    scores = np.cumsum(scaled @ V + c, axis=0)
    differences = scores[1:] - scores[:-1]
    return trained(np.sum(np.square(differences)) + scores[5, 1] * X[3, 0], scaled)


def embedded(X: Any, y: Any) -> Any:
    rows = S[y] + X
    return (*trained(np.mean(np.square(rows @ W + b @ np.ones((8, 8))) @ V + c)), grad(np.sum(rows * X), S))


def convolved(X: Any, y: Any) -> Any:
    windows = np.stack([X[:, i : i + 2] for i in range(3)], axis=1)  # (N, 3, 2)
    maps = np.einsum("nij,jk->nik", windows, W[:2]) + b
    return trained(np.sum(maps.max(axis=1) @ V + c), maps.reshape((len(X), 24)))


def windowed(X: Any, y: Any) -> Any:
    maps = np.einsum(
        "nijk,jl->nikl", sliding_window_view((X @ W + b).reshape(-1, 4, 2), 3, axis=1).swapaxes(2, 3), V[:3]
    )
    down = sliding_window_view(X @ W, 2, axis=0)  # from row to row
    return trained(np.sum(np.tanh(maps)) + np.sum(down[:, :, 0] * down[:, :, 1]) + np.sum(c), maps)


def indexed(X: Any, y: Any) -> Any:
    hidden, i = (X @ W + b).reshape(-1, 4, 2), np.arange(3)[:, None] + np.arange(2)  # windows of two rows
    patches = hidden[:, i, np.arange(2)]
    table = np.tanh(hidden)[i, 1:, np.array([1, 0])]  # the first axis is that of rows
    return trained(np.sum(np.square(patches) @ V[:2]) + np.sum(c) + np.sum(table), patches)


def alike(X: Any, y: Any) -> Any:
    """Rows that are all the same, and products of rows with each other."""
    kernel = X @ X.T
    rows = np.broadcast_to(c, (len(X), 3)) + kernel @ OUTSIDE
    return trained(np.sum(np.tanh(rows)) + np.sum(np.exp(-np.square(X @ W + b)) @ V))


def masked(X: Any, y: Any) -> Any:
    scores = np.where(X.sum(axis=1, keepdims=True) > 0, X @ W + b, 0) @ V + c
    anywhere, everywhere = np.any(scores > 1), np.all(scores > -9, axis=0)
    return trained(np.min(scores, axis=0).sum(), anywhere, everywhere, np.max(scores))


STEPS: list[Callable[..., Any]] = [
    *(
        net,
        results_per_row,
        batch_normalised,
        recurrent,
        transposed,
        with_barriers,
        embedded,
        convolved,
        windowed,
        indexed,
        alike,
        masked,
    )
]
CUTS = [(1, 1), (10, 1), (64, 2), (67, 3), (202, 1), (100, 2)]


def inputs(dtype: Any = float) -> tuple[Any, Any]:
    return RNG.standard_normal((N, 4)).astype(dtype), RNG.integers(0, 3, N)


def arrays_of(step: Any, given: Any) -> tuple[Program, list[Any]]:
    """The program of a step, and the arrays that a run of it takes."""
    captured = capture(step, executor=interpret)
    before = [(leaf, leaf.data) for leaf in (*LEAVES, S)]
    captured(*given)
    for leaf, value in before:
        leaf.assign(value)
    lowered = captured._programs.last.lowered()
    return captured.program, [*given, *(leaf.data for leaf in lowered.state), *lowered.outside]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_blocks_of_any_length_compute_what_all_rows_at_once_do(step: Callable[..., Any]) -> None:
    program, arrays = arrays_of(step, inputs())
    expected = interpret(program)(*arrays)
    for rows, threads in CUTS:
        run = blocks(rows, threads)(program)
        for _ in range(2):  # buffers hold the values of the first call
            assert_same(run(*arrays), expected, f"{rows} rows, {threads} threads")


@settings(max_examples=20, deadline=None)
@given(st.integers(1, N + 5), st.integers(1, 4))
def test_the_net_is_the_same_for_all_cuts(rows: int, threads: int) -> None:
    run = blocks(rows, threads)(NET[0])
    assert_same(run(*NET[1]), NET[2], f"{rows} rows, {threads} threads")


NET = (*(made := arrays_of(net, inputs())), interpret(made[0])(*made[1]))


def test_a_wrong_label_raises_with_its_row_and_leaves_the_state() -> None:
    X, y = inputs()
    y[150] = 7
    step = capture(net, executor=blocks(64))
    step(*inputs())
    before = [leaf.data for leaf in LEAVES]
    with pytest.raises(LabelError, match="the label at row 150 is 7"):
        step(X, y)
    assert_same([leaf.data for leaf in LEAVES], before, "state")


@pytest.mark.parametrize("row", [0, 199])  # of the first thread, and of the second one
def test_threads_follow_the_callers_errstate(row: int) -> None:
    X = np.ones((200, 3))
    program, _ = arrays_of(lambda X: np.sum(np.log(X)), [X])
    run = blocks(20, threads=2)(program)
    X[row] = 0
    with np.errstate(divide="ignore"):
        assert run(X)[0] == -np.inf
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero"):
        run(X)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("rows", [30_000, 41_000])
def test_threads_get_equal_shares(rows: int, threads: int) -> None:
    program = program_of(lambda X: np.square(np.tanh(X)).sum(), np.zeros((rows, 40)))
    workers = blocks(threads=threads)(program).function._workers
    assert len(workers) == threads
    assert len({len(worker._bounds) for worker in workers}) == 1


def test_threads_give_the_same_last_bits_at_every_call() -> None:
    run = blocks(8, threads=2)(NET[0])
    first = [result.tobytes() for result in run(*NET[1])]
    assert all([result.tobytes() for result in run(*NET[1])] == first for _ in range(5))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")
def test_blas_has_one_thread_in_each_of_several_and_as_many_as_before_afterwards(monkeypatch: Any) -> None:
    control = pytest.importorskip("threadpoolctl")
    seen = []

    class Watched(Helpers):
        def call(self, *functions: Any) -> Any:
            seen.append(threads_of_blas())
            return super().call(*functions)

    def threads_of_blas() -> list[int]:
        return [library["num_threads"] for library in control.threadpool_info() if library["user_api"] == "blas"]

    monkeypatch.setattr("autograd_spiral.program.running.blocks.Helpers", Watched)
    run = blocks(20, threads=2)(NET[0])
    for count in (2, 3):
        with control.threadpool_limits(count, "blas"):
            before = threads_of_blas()
            run(*NET[1])
            assert threads_of_blas() == before
    assert seen
    assert all(threads == [1] * len(before) for threads in seen)


def test_a_forked_process_starts_threads_of_its_own() -> None:
    run = blocks(20, threads=2)(NET[0])
    run(*NET[1])
    child = fork()
    if not child:
        status = 1
        try:
            assert_same(run(*NET[1]), NET[2], "in the child")
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_results_are_fresh_and_frozen() -> None:
    program, arrays = arrays_of(results_per_row, inputs())
    run = blocks(32)(program)
    first, second = run(*arrays), run(*arrays)
    assert not any(result.flags.writeable for result in (*first, *second))
    assert not any(np.shares_memory(a, b) for a in first for b in (*second, *arrays))
    assert_same(first, second, "two calls")


def sums_of(rows: int) -> tuple[Program, list[Any]]:
    X = np.random.default_rng(0).uniform(0, 1, (rows, 3)).astype(np.float32)
    return arrays_of(lambda X: np.sum(X * X, axis=0), [X])


def test_sums_of_many_float32_numbers_are_accurate() -> None:
    program, (X,) = sums_of(300_000)
    (total,) = blocks(128)(program)(X)
    exact = np.sum(np.square(X.astype(float)), axis=0)
    np.testing.assert_allclose(total, exact, rtol=4 * np.finfo(np.float32).eps)


def large_net(rows: int) -> tuple[Program, list[Any]]:
    first, second = weights(4, 64), weights(64, 3)

    def step(X: Any, y: Any) -> Any:
        loss = softmax_cross_entropy(relu(X @ first) @ second, y)
        return loss, grad(loss, [first, second])

    rng = np.random.default_rng(1)
    return arrays_of(step, [rng.standard_normal((rows, 4)), rng.integers(0, 3, rows)])


def test_the_memory_of_a_large_program_does_not_grow_with_its_rows() -> None:
    program, arrays = large_net(20_000)
    tracemalloc.start()
    run = replay_or_blocks(program)
    results = [run(*arrays) for _ in range(3)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8e6  # bytes; the hidden layer alone has 10 million
    assert_same(results[-1], interpret(program)(*arrays), "results")


def mostly_of_all_rows(rows: int) -> tuple[Program, list[Any]]:
    first = weights(4, 64)
    return arrays_of(lambda X: np.sum(np.tanh(np.cumsum(X @ first, axis=0)) ** 2), [np.ones((rows, 4))])


def is_replayed(program: Program) -> bool:
    return type(replay_or_blocks(program).function) is type(replay(program).function)


def test_programs_that_would_gain_nothing_are_replayed_as_a_whole() -> None:
    assert is_replayed(NET[0])  # small
    assert is_replayed(large_net(4000)[0])  # buffers of a few blocks
    assert is_replayed(arrays_of(batch_normalised, inputs())[0])  # several passes
    assert is_replayed(sums_of(2000)[0])
    assert is_replayed(mostly_of_all_rows(20_000)[0])
    assert not is_replayed(large_net(20_000)[0])


@pytest.mark.parametrize(("rows", "threads", "name"), [(0, 1, "rows"), (-3, 1, "rows"), (None, 0, "threads")])
def test_rows_and_threads_are_at_least_1(rows: Any, threads: int, name: str) -> None:
    with pytest.raises(ValueError, match=f"blocks: {name} must be at least 1"):
        blocks(rows, threads)
