"""Replay: buffers are shared only by values that are not alive together, and nothing grows."""

from __future__ import annotations

import resource
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import assert_same, flat
from test_random_programs import steps

from autograd_spiral import CaptureError, Tensor, capture, grad, primitive, relu, softmax_cross_entropy
from autograd_spiral.program.ir import Value
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.running.buffers import Memory, aligned, column_ordered
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.kernels import respelled
from autograd_spiral.program.running.replay import written
from autograd_spiral.spiral import TwoLayerNet, descent, spiral


def code_of(step: Any, *args: Any) -> Code:
    captured = capture(step)
    captured(*args)
    return written(respelled(readable(captured.program)))


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


@settings(max_examples=60)
@given(steps())
def test_values_that_are_alive_together_share_no_memory(drawn: Any) -> None:
    step, _, calls = drawn
    layout = code_of(step, *calls[0]).layout
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


def test_an_operand_that_is_also_read_turned_is_not_overwritten() -> None:
    def step(x: Any) -> Any:
        y = np.sin(x)
        return np.exp(y + y.T).sum(axis=0)

    x = np.random.default_rng(0).standard_normal((40, 40))
    expected = np.exp(np.sin(x) + np.sin(x).T).sum(axis=0)
    assert_same(flat(capture(step)(x)), [expected], "value")


def test_a_view_outlives_what_is_computed_in_the_place_of_its_base() -> None:
    rng = np.random.default_rng(0)
    w, b = (Tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((4, 3), (1, 3)))
    x = rng.standard_normal((40, 4))
    for view in (np.transpose, lambda y: y[:, 0], lambda y: y.reshape(-1)[::2]):

        def step(x: Any, view: Any = view) -> Any:
            y = np.sin(x)
            shown = view(y)
            z = np.tanh(np.cos(y) @ w + b)
            return z.sum(), (shown * 2).sum() * z.sum()

        assert_same(flat(capture(step)(x)), flat(step(Tensor(x))), "value")


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[..., 0],
        lambda x: x[1, ...],
        lambda x: x[0],
        lambda x: x[::-1],
        lambda x: x[None, ..., ::-2],
        lambda x: np.einsum("i->i", x),
        lambda x: np.einsum("ij->ji", x[None]),
        lambda x: x.reshape(2, 2).T.reshape(-1),
        lambda x: np.broadcast_to(x, (2, 4))[:, 1],
        lambda x: np.broadcast_to(x[2:3].reshape(()), (2,)),
        lambda x: x[:1].reshape(()),
    ],
)
def test_results_that_are_views_are_copied(view: Any) -> None:
    """Of an input, of a state, and of a buffer: none of which a later call, or the caller, may change in a result."""
    state = Tensor([5.0, 6.0, 7.0, 8.0], requires_grad=True)
    captured = capture(lambda x: [view(x), view(state), view(np.sin(x) * 2), np.exp(view(np.cos(x)))])
    x = np.array([1.0, 2.0, 3.0, 4.0])
    results = flat(captured(x))
    copies = [result.copy() for result in results]
    assert_same(results, flat(captured.eager(Tensor(x))), "value")
    x[:] = -1
    captured(x)
    assert_same(results, copies, "results of earlier calls")
    assert x.flags.writeable


def test_weights_of_an_affine_map_may_be_results() -> None:
    rng = np.random.default_rng(0)
    w, b = (Tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((4, 3), (1, 3)))

    def step(x: Any) -> Any:
        W2, b2 = np.tanh(w), np.tanh(b)
        return W2, b2, np.tanh(x @ W2 + b2) * 2

    captured = capture(step)
    for _ in range(3):
        x = rng.standard_normal((5, 4))
        assert_same(flat(captured(x)), flat(step(Tensor(x))), "value")


@pytest.mark.parametrize("reduction", [np.max, np.min, np.sum])
def test_short_rows_of_a_view_of_an_input_are_reduced(reduction: Any) -> None:
    x = np.random.default_rng(0).standard_normal((40, 4))
    result = capture(lambda x: np.sin(reduction(x[1:], axis=1)) * 2)(x)
    assert_same(flat(result), [np.sin(reduction(x[1:], axis=1)) * 2], "value")


def test_integers_of_any_size_are_factors() -> None:
    assert_same(flat(capture(lambda x: x * 2**40 * 2**40)(np.ones(2))), [[2.0**80, 2.0**80]], "value")


def test_matrices_with_short_rows_and_narrow_products_are_kept_by_column() -> None:
    rng = np.random.default_rng(0)
    X, y = spiral(100, generator=rng)
    step = descent(TwoLayerNet.random(rng))
    step(X, y)
    program = respelled(readable(step.program))
    columns = column_ordered(program)
    shapes = {value.shape for value in columns}
    assert {(300, 3), (300, 100)} <= shapes
    given = {*program.inputs, *program.state}
    assert not columns & given


def test_steps_of_other_shapes_do_not_disturb_each_other() -> None:
    w = Tensor(np.ones((4, 3)), requires_grad=True)
    captured = capture(lambda x: grad(np.square(relu(x @ w)).sum(), w))
    inputs = [np.random.default_rng(n).standard_normal((n, 4)) for n in (3, 50, 3, 7, 50)]
    expected = [flat(captured.eager(Tensor(x)))[0] for x in inputs]
    for _ in range(2):
        for x, value in zip(inputs, expected, strict=True):
            assert_same(flat(captured(x)), [value], "gradient")


def test_inputs_may_have_any_layout() -> None:
    w = Tensor(np.random.default_rng(1).standard_normal((4, 3)), requires_grad=True)
    captured = capture(lambda x, y: grad((np.tanh(x @ w + 1.0) * y[:, None]).sum(), w))
    base = np.random.default_rng(0).standard_normal((20, 8))
    for x in (base[:, ::2], base[::-1, :4], np.asfortranarray(base[:, 4:]), base[:, :4].copy()):
        for y in (base[:, 0], base[:, 1].copy(), base[::-1, 2]):
            assert_same(flat(captured(x, y)), flat(captured.eager(Tensor(x), Tensor(y))), "gradient")
    assert len(captured._cache) == 1


def test_bytes_in_another_order_are_read_right() -> None:
    captured = capture(lambda x: np.sin(x) * 2)
    x = np.arange(3.0)
    assert_same(flat(captured(x.astype(">f8"))), [np.sin(x) * 2], "value")


def test_warnings_are_numpys() -> None:
    captured = capture(lambda x: np.log(x).sum())
    captured(np.ones(3))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        captured(np.zeros(3))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        captured(np.zeros(3))


def test_the_memory_of_the_process_does_not_grow_with_steps() -> None:
    rng = np.random.default_rng(0)
    X, y = spiral(2000, generator=rng)
    step = descent(TwoLayerNet.random(rng))
    for _ in range(5):
        step(X, y)
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    for _ in range(100):
        step(X, y)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before
    assert grown < 2 * X.shape[0] * 100 * 8  # two of the hidden layers, of a hundred steps


def test_infinite_weights_with_a_penalty_become_nan_as_they_do_eagerly() -> None:
    w = Tensor([np.inf, -np.inf, 1e308, 1.0], requires_grad=True)

    def step(x: Any) -> Any:
        w.assign(w - (1e-3 * w + x))

    with np.errstate(invalid="ignore"):
        capture(step)(np.ones(4))
    assert_same([w.data], [[np.nan, np.nan, 1e308 * (1 - 1e-3), 1 - 1e-3 - 1]], "state")


@pytest.mark.parametrize("computed", [True, False])
@given(st.integers(40, 90), st.integers(1, 5), st.integers(1, 4), st.integers(48, 60), st.integers(0, 2**32 - 1))
def test_masked_products_and_sums(computed: bool, n: int, d: int, k: int, h: int, seed: int) -> None:
    """`x.T @ ((a @ b) * mask)` and column sums, whatever order they are computed in; with a in a buffer or not."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape) for shape in ((n, d), (d, h), (1, h), (n, k), (k, h))]

    def step(x: Any, W: Any, b: Any, a: Any, c: Any) -> Any:
        hidden = relu(x @ W + b)
        masked = ((np.sin(a) if computed else a) @ c) * (hidden > 0)
        return x.T @ masked * 2, masked.sum(axis=0, keepdims=True), hidden.sum()

    captured = capture(step)
    for scale in (1.0, 2.0):
        now = [scale * array for array in arrays]
        assert_same(flat(captured(*now)), flat(captured.eager(*map(Tensor, now))), "value")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64])
@pytest.mark.parametrize("computed", [True, False])
@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_one_entry_of_each_row(dtype: Any, computed: bool, n: int, k: int, seed: int) -> None:
    """Picked, and made less by 1 as in the gradient of a softmax-cross-entropy, of matrices kept in either order."""
    rng = np.random.default_rng(seed)

    def step(x: Any, y: Any) -> Any:
        if computed:
            x = np.sin(x)
        loss = softmax_cross_entropy(x, y)
        return loss, np.exp(x - (y[:, None] == np.arange(k))), x - (y[:, None] == np.arange(k)), x[np.arange(n), y]

    captured = capture(step)
    for _ in range(2):
        x, y = rng.standard_normal((n, k)), rng.integers(0, k, n).astype(dtype)
        assert_same(flat(captured(x, y)), flat(captured.eager(Tensor(x), Tensor(y))), "value")


@pytest.mark.parametrize("constant", [0, 1, 2, (0, 1), (1, 2), (0, 2)])
def test_parts_of_an_affine_map_may_be_constants(constant: Any) -> None:
    chosen = constant if isinstance(constant, tuple) else (constant,)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((30, 3), (3, 8), (1, 8))]
    leaves = [Tensor(array, requires_grad=True) for i, array in enumerate(arrays) if i not in chosen]

    def step(scale: Any) -> Any:
        remaining = iter(leaves)
        x, W, b = (Tensor(a) if i in chosen else next(remaining) for i, a in enumerate(arrays))
        y = np.tanh(x @ W + b)
        return [y, *grad(np.sum(y * y) * scale, leaves)]

    captured = capture(step)
    for scale in (np.array(1.0), np.array(2.0)):
        assert_same(flat(captured(scale)), flat(captured.eager(Tensor(scale))), "value and gradients")


def test_long_sums_of_squares_of_single_precision_are_added_up_in_pairs() -> None:
    step = capture(lambda x: np.sum(np.square(x)))
    x = np.full(2**18, 0.1, np.float32)
    exact = np.sum(np.square(x.astype(float)))
    assert abs(step(x).item() - exact) <= 8 * np.finfo(np.float32).eps * exact


def test_an_opaque_operation_that_gives_another_shape_or_dtype_than_it_did_is_refused() -> None:
    total = Tensor(0.0, name="total")

    @primitive(None)
    def positives(x: Any) -> Any:
        values = np.array(x)
        return values[values > 0]

    @primitive(None)
    def halves(x: Any) -> Any:
        values = np.array(x)
        return values / 2 if values.max() > 1 else values.astype(np.float32)

    @capture
    def step(x: Any) -> Any:
        total.assign(total + 1)
        return np.sum(positives(x) * 2.0)  # the line

    assert float(step(np.array([1.0, -1.0, 2.0]))) == 6
    for x, shape in (([-1.0, -1.0, 3.0], r"\(1,\)"), ([1.0, 1.0, 3.0], r"\(3,\)")):
        message = (
            r"test_replay.py:\d+: return np.sum\(positives\(x\) \* 2.0\)  # the line\n"
            rf"positives returned an array of shape {shape} and dtype float64, but of shape \(2,\) .* when"
        )
        with pytest.raises(CaptureError, match=message):
            step(np.array(x))
        assert float(total) == 1
    assert float(step(np.array([5.0, -1.0, 2.0]))) == 14
    halved = capture(lambda x: halves(x) * 2)
    halved(np.array([2.0]))
    with pytest.raises(CaptureError, match=r"halves returned .* dtype float32, but .* dtype float64 when"):
        halved(np.array([1.0]))


@pytest.mark.parametrize(
    ("x", "value"),
    [
        (np.ones(3), (1, 2)),
        (np.ones((2, 3)), ((1, 2), (3, 4))),
        (np.ones((2, 3)), [5]),
        (np.ones((2, 3)), np.array(0.1, np.float32)),
        (np.ones(3, np.uint8), -1),
        (np.ones(3, np.uint8), 300),
        (np.ones(3, np.int32), -1.9),
        (np.ones(3, np.float32), 0.1),
        (np.ones(3, bool), 3),
        (np.ones(3), 2**70),
    ],
)
def test_padding_is_filled_as_numpy_fills_it(x: Any, value: Any) -> None:
    captured = capture(lambda x: np.pad(x, 1, constant_values=value) * 2)
    for _ in range(2):
        (result,) = flat(captured(x))
        expected = np.pad(x, 1, constant_values=value) * 2
        assert result.dtype == expected.dtype
        assert_same([result], [expected], "padded")
