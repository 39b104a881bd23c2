"""The layout: values share a buffer only if they are never needed at the same time."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from programs import leaf
from test_random_programs import check_steps

from autograd_spiral import Tensor, capture, grad
from autograd_spiral.program.ir import Value
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.running.axis_order import column_major
from autograd_spiral.program.running.buffers import Memory, aligned
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.kernels.table import with_kernels
from autograd_spiral.program.running.layout import Layout
from autograd_spiral.program.running.replay import generate
from autograd_spiral.spiral import TwoLayerNet, descent, spiral


def code_of(step: Any, *args: Any) -> Code:
    captured = capture(step)
    captured(*args)
    return generate(with_kernels(readable(captured.program)))


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_begin_at_cache_lines(order: str) -> None:
    for shape in [(3,), (7, 5), (1, 1), (0, 3)]:
        array = aligned(shape, np.dtype(float), order)
        assert array.shape == shape
        assert array.size == 0 or array.ctypes.data % 64 == 0
        assert array.flags[f"{order}_CONTIGUOUS"]


def test_memory_gives_the_smallest_block_that_fits() -> None:
    memory = Memory()
    large, small = Value((1000,), np.dtype(float)), Value((900,), np.dtype(float))
    blocks = [memory.take(large), memory.take(small)]
    assert memory.allocated == large.nbytes + small.nbytes
    for block in blocks:
        memory.free(block)
    assert memory.take(small) is blocks[1]
    assert memory.take(small) is blocks[0]
    assert memory.take(small) not in blocks
    assert memory.take(Value((1,), np.dtype(float))).raw.nbytes == 8


def test_values_that_are_alive_together_share_no_memory() -> None:
    check_steps(lambda drawn: assert_separate(generate(with_kernels(drawn.readable)).layout), count=40)


def assert_separate(layout: Layout) -> None:
    program, last = layout.program, layout.last
    born = {equation.output: i for i, equation in enumerate(program.equations)}
    views: dict[Value, Value] = {}  # from a view to what it shows
    for equation in program.equations:
        (first, *_) = [*equation.reads(), None]
        shows = first is not None and first in layout.array and equation.output in layout.array
        if shows and equation.function.__name__ in ("reshape", "transpose", "getitem", "broadcast_to"):
            views[equation.output] = views.get(first, first)
    kept = [value for value in layout.array if value in born]
    ends: dict[Value, int] = {}
    for value in kept:
        root = views.get(value, value)
        ends[root] = max(ends.get(root, 0), last[value])
    roots = [value for value in kept if value not in views]
    for i, one in enumerate(roots):
        for other in roots[i + 1 :]:
            together = born[one] < ends[other] and born[other] < ends[one]
            if together and np.may_share_memory(layout.array[one], layout.array[other]):
                assert not np.shares_memory(layout.array[one], layout.array[other])


def test_an_elementwise_result_takes_the_place_of_an_operand_that_dies() -> None:
    layout = code_of(lambda x: np.sin(np.cos(np.exp(x * 2.0))).sum(), np.ones((50, 50))).layout
    assert layout.memory.allocated == 50 * 50 * 8


def test_rows_that_are_copied_to_full_arrays_share_one_of_them() -> None:
    x, row = np.ones((50, 50)), np.ones(50)
    layout = code_of(lambda x, r, s: np.sin((x * 2.0 + r) * s).sum(), x, row, row).layout
    assert layout.memory.allocated == 2 * x.nbytes


def test_a_large_result_takes_the_place_of_a_new_operand_that_dies() -> None:
    w = Tensor(np.ones((80, 80)), requires_grad=True)

    def step(x: Any) -> Any:
        w.assign(w - 0.1 * (x @ w))

    code = code_of(step, np.ones((80, 80)))
    assert code.layout.memory.allocated == 0  # the product is a new array, which the new state overwrites
    assert sum("out=" in line for line in code.lines) == 2
    program, x, before = code.program, np.full((80, 80), 2.0), w.data
    run = code.function([f"x{i}" for i in range(2)])
    first, second = run(x, before)[-1], run(x, before)[-1]
    assert np.array_equal(first, before - 0.1 * (x @ before))
    assert not any(np.shares_memory(first, other) for other in (second, x, before))
    assert len(program.updates) == 1


def test_matrices_with_short_rows_and_narrow_products_are_kept_by_column() -> None:
    rng = np.random.default_rng(0)
    X, y = spiral(100, generator=rng)
    step = descent(TwoLayerNet.random(rng))
    step(X, y)
    program = with_kernels(readable(step.program))
    columns = column_major(program)
    shapes = {value.shape for value in columns}
    assert {(300, 3), (300, 100)} <= shapes
    given = {*program.inputs, *program.state}
    assert not columns & given


def test_what_is_read_row_after_row_is_kept_by_row() -> None:
    def joined(x: Any, dy: Any) -> Any:
        product = np.sin(x).T @ (dy * 2.0)
        return np.concatenate([np.reshape(product, (300,)), np.reshape(product[:50], (150,))]) + 1.0

    def product(code: Code) -> Value:
        return next(e.output for e in code.program.equations if e.function is np.matmul)

    x, dy = np.ones((300, 100)), np.ones((300, 3))
    by_column, by_row = (
        code_of(lambda x, dy: np.tanh(np.sin(x).T @ (dy * 2.0)).sum(axis=1), x, dy),
        code_of(joined, x, dy),
    )
    assert product(by_column) in by_column.layout.column_major
    assert product(by_row) not in by_row.layout.column_major
    array = by_row.layout.array
    views = [array[e.output] for e in by_row.program.equations if e.function is np.reshape]
    assert [np.may_share_memory(view, array[product(by_row)]) for view in views] == [True, True]


@pytest.mark.parametrize(("width", "order"), [(2, "F"), (24, "C"), (50, None)])
def test_what_is_given_is_copied_next_to_ones_in_the_faster_order_unless_it_is_wide(
    width: int, order: str | None
) -> None:
    W, b = Tensor(np.ones((width, 40)), requires_grad=True), Tensor(np.ones(40), requires_grad=True)
    code = code_of(lambda x: grad(np.tanh(x @ W + b).sum(), [W, b]), np.ones((100, width)))
    if order is None:
        assert not code.layout.augmented
        return
    ((x, whole),) = code.layout.augmented.items()
    assert x in code.program.inputs
    assert whole.flags[f"{order}_CONTIGUOUS"]
    assert whole.shape == (100, width + 1)


def test_rows_of_a_matrix_have_the_order_of_what_is_computed_from_them() -> None:
    """A gradient and the sums beside it are rows of one product, and the new state is kept by row."""
    W, b, V, c = leaf((8, 60)), leaf((60,)), leaf((60, 5)), leaf((5,))

    def step(x: Any) -> None:
        loss = np.square(np.tanh(x @ W + b) @ V + c).sum()
        for w, dw in zip((V, c), grad(loss, [V, c]), strict=True):
            w.assign(w - 0.1 * dw)

    code = code_of(step, np.ones((100, 8)))
    rows = [e.output for e in code.program.equations if e.function is operator.getitem]
    assert {value.shape for value in rows} == {(60, 5), (5,)}
    assert all(code.layout.array[value].flags.c_contiguous for value in rows)
