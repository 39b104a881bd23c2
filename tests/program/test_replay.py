"""Replay: values share a buffer only if they are never needed at the same time, and memory does not grow."""

from __future__ import annotations

import resource
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import assert_same, flat, program_of

from autograd_spiral import CaptureError, Tensor, capture, grad, primitive, relu, softmax_cross_entropy
from autograd_spiral.errors import LabelError
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.running.replay import generate
from autograd_spiral.spiral import TwoLayerNet, descent, spiral


def test_an_operand_that_is_also_read_turned_is_not_overwritten() -> None:
    def step(x: Any) -> Any:
        y = np.sin(x)
        return np.exp(y + y.T).sum(axis=0)

    x = np.random.default_rng(0).standard_normal((40, 40))
    expected = np.exp(np.sin(x) + np.sin(x).T).sum(axis=0)
    assert_same(flat(capture(step)(x)), [expected], "value")


@pytest.mark.parametrize("rows", [1, 40])
def test_products_of_a_column_and_a_row_have_the_zeros_of_the_eager_step(rows: int) -> None:
    w = Tensor(np.zeros((1, 5)), requires_grad=True)

    def step(x: Any, y: Any) -> Any:
        product = (2 * x) @ (3 * y)
        return product, grad(np.sum(((2 * x) @ (w + y)) * -1.0), w)

    x, y = -np.ones((rows, 1)), np.zeros((1, 5))
    captured = capture(step)
    for replayed, eager in zip(flat(captured(x, y)), flat(step(Tensor(x), Tensor(y))), strict=True):
        np.testing.assert_array_equal(np.signbit(replayed), np.signbit(eager))


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", [-0.5, 0, 2, 0.1, 1e300, np.inf, -0.0])
def test_numbers_take_the_dtype_of_what_they_are_combined_with(dtype: Any, number: float) -> None:
    count, x = Tensor(np.asarray(3.0, dtype), name="count"), np.array([-1.5, -0.0, 0.25], dtype)

    def step(x: Any) -> Any:
        count.assign(count + 1)
        return x * number, np.maximum(x, 0.5) - number, x > number, number**count, count**2 / 3, np.power(3, count)

    with np.errstate(all="ignore"):
        count.assign(3.0)
        expected = flat(step(Tensor(x)))
        count.assign(3.0)
        found = flat(capture(step)(x))
    assert [value.dtype for value in found] == [value.dtype for value in expected]
    np.testing.assert_allclose(found[3:], expected[3:], rtol=1e-6 if dtype is np.float32 else 1e-15)
    for value, other in zip(found[:3], expected, strict=False):
        np.testing.assert_array_equal(value, other)
        np.testing.assert_array_equal(np.signbit(value), np.signbit(other))


@given(
    rows=st.integers(1, 200),
    columns=st.integers(1, 200),
    operand=st.sampled_from(["row", "column", "vector", "number"]),
    swapped=st.booleans(),
    dtypes=st.tuples(*[st.sampled_from([np.float32, np.float64, np.int64])] * 2),
    seed=st.integers(0, 2**32 - 1),
)
def test_rows_and_columns_are_broadcast_as_in_numpy(
    rows: int, columns: int, operand: str, swapped: bool, dtypes: Any, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = {"row": (1, columns), "column": (rows, 1), "vector": (columns,), "number": (1, 1)}[operand]
    x, y = (
        rng.integers(-9, 9, size).astype(dtype) for size, dtype in zip(((rows, columns), shape), dtypes, strict=True)
    )

    def step(x: Any, y: Any) -> Any:
        x, y = np.negative(x), np.negative(y)
        first = np.subtract(y, x) if swapped else np.subtract(x, y)
        return np.square(first), np.square(np.maximum(x, y) + first), np.square(first * y)

    assert_same(flat(capture(step)(x, y)), flat(step(Tensor(x), Tensor(y))), "values")


@pytest.mark.parametrize(("rows", "copies"), [(100, 1), (10_000, 0)])
def test_a_row_is_copied_to_a_full_array_if_the_array_is_small(rows: int, copies: int) -> None:
    program = readable(program_of(lambda x, b: np.square(np.sin(x) - np.sin(b)), np.ones((rows, 10)), np.ones(10)))
    lines = generate(program).lines
    assert sum("[...] =" in line for line in lines) == copies


def test_powers_of_integers_wrap_around_without_a_warning() -> None:
    count = Tensor(3)

    def step() -> Any:
        count.assign(count + 1)
        return count, np.power(count, 40), np.power(2.5, count), np.power(np.array(2.5), count)

    assert_same(flat(capture(step)()), [4, 0, 2.5**4, 2.5**4], "value")


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
    assert len(captured._programs.kept) == 1


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
    X, y = spiral(500, generator=rng)
    step = descent(TwoLayerNet.random(rng))
    for _ in range(5):
        step(X, y)
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    for _ in range(60):
        step(X, y)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before
    assert grown < 2 * X.shape[0] * 100 * 8  # two of the hidden layers, of sixty steps


def test_infinite_weights_with_a_penalty_become_nan_as_they_do_eagerly() -> None:
    w = Tensor([np.inf, -np.inf, 1e308, 1.0], requires_grad=True)

    def step(x: Any) -> Any:
        w.assign(w - (1e-3 * w + x))

    with np.errstate(invalid="ignore"):
        capture(step)(np.ones(4))
    assert_same([w.data], [[np.nan, np.nan, 1e308 * (1 - 1e-3), 1 - 1e-3 - 1]], "state")


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

    @capture(verify=False)
    def step(x: Any) -> Any:
        total.assign(total + 1)
        return np.sum(positives(x) * 2.0)  # the line

    assert float(step(np.array([1.0, -1.0, 2.0]))) == 6
    for x, shape in (([-1.0, -1.0, 3.0], r"\(1,\)"), ([1.0, 1.0, 3.0], r"\(3,\)")):
        message = (
            r"test_replay.py:\d+: return np.sum\(positives\(x\) \* 2.0\)  # the line\n"
            rf"positives returned an array of shape {shape} and dtype float64, but of shape \(2,\) and dtype float64"
        )
        with pytest.raises(CaptureError, match=message):
            step(np.array(x))
        assert float(total) == 1
    assert float(step(np.array([5.0, -1.0, 2.0]))) == 14
    halved = capture(lambda x: halves(x) * 2, verify=False)
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


@pytest.mark.parametrize("code", [*"bBhHiIlLqQ", ">i4", ">u2", ">i8"])
@pytest.mark.parametrize("classes", [4, 200, 70_000])
def test_labels_of_every_dtype_are_checked(code: str, classes: int) -> None:
    dtype, scores = np.dtype(code), Tensor(np.zeros((5, classes)), requires_grad=True)
    limits = np.iinfo(dtype)
    step = capture(lambda y: softmax_cross_entropy(scores, y))
    # every other label, so that they are not contiguous
    good = np.array([0, 9, 1, 9, 3, 9, 2, 9, min(classes - 1, limits.max), 9], dtype)[::2]
    for loss in (step, step.eager):
        assert abs(float(loss(good)) - np.log(classes)) < 1e-12
        for bad in {-1, limits.min, classes, limits.max} - {*range(classes)}:
            if limits.min <= bad <= limits.max:
                with pytest.raises(LabelError, match=f"the label at row 3 is {bad},"):
                    loss(np.where(np.arange(5) == 3, bad, good).astype(dtype))
