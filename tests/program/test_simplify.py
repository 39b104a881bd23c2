"""Simplification removes operations that change nothing, and keeps those that only seem to."""

from __future__ import annotations

import operator as op
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import assert_same, executed, flat, functions_in, leaf, program_of

from autograd_spiral import Tensor, capture, grad, softmax
from autograd_spiral.program.executor import interpret
from autograd_spiral.program.ir import Value
from autograd_spiral.program.passes.broadcasting import with_numbers
from autograd_spiral.program.passes.pipeline import readable

X = np.random.default_rng(1).uniform(0.5, 1, (3, 4))


SAME = [
    lambda x: x * 1.0,
    lambda x: 1 * x,
    lambda x: x / 1,
    lambda x: x**1,
    lambda x: x - 0,
    lambda x: +x,
    lambda x: np.negative(-x),
    lambda x: x.T.T,
    lambda x: x.reshape(12).reshape(3, 4),
    lambda x: np.broadcast_to(x, (3, 4)),
    lambda x: x.astype(float),
    lambda x: x.max(axis=()),
    lambda x: np.transpose(x, (1, 0)).T,
    lambda x: x * Tensor(np.ones((1, 1))),
]


@pytest.mark.parametrize("detour", SAME)
def test_detours_are_left_out(detour: Any) -> None:
    assert functions_in(readable(program_of(lambda x: np.sin(detour(x)), X))) == [np.sin]


SIMPLER = [
    (lambda x: x * 2 * 3 / 4, [np.multiply]),
    (lambda x: x**2, [np.square]),
    (lambda x: x + (-x * 3), [np.multiply, np.add]),
    (lambda x: np.sin(x) + (-np.cos(x)), [np.sin, np.cos, np.subtract]),
    (lambda x: np.sin(x) - (-np.cos(x)), [np.sin, np.cos, np.add]),
    (lambda x: x.sum(axis=0).reshape(1, 4), [np.sum]),
    (lambda x: np.broadcast_to(Tensor(3.0), (3, 4)) * x, [np.multiply]),
    (lambda x: x.reshape(3, 4, 1).min(axis=2) * 2, [np.multiply]),
    (lambda x: np.broadcast_to(Tensor(3.0), (2, 6)).reshape(3, 4) * x, [np.multiply]),
    (lambda x: np.broadcast_to(Tensor(3.0), (4, 3)).T + x, [np.add]),
    (
        lambda x: np.sin(np.broadcast_to(np.broadcast_to(x[0], (3, 4)), (2, 3, 4))),
        [op.getitem, np.broadcast_to, np.sin],
    ),
]


@pytest.mark.parametrize(("longer", "functions"), SIMPLER)
def test_longer_ways_are_simplified(longer: Any, functions: Any) -> None:
    assert functions_in(readable(program_of(longer, X))) == functions


KEPT = [
    (lambda x: x + 0.0, [np.add]),  # which turns -0 into 0
    (lambda x: x * np.ones((2, 3, 4)), [np.multiply]),  # which broadcasts
    (lambda x: x * Tensor(np.ones(4)), [np.multiply]),
    (lambda x: (x > 0.7) * 1.0, [np.greater, np.multiply]),  # which makes floats
    (lambda x: x.astype(np.float32) * Tensor(1.0), [np.ndarray.astype, np.multiply]),  # which widens
    (lambda x: x[:1].sum(axis=0), [op.getitem, np.sum]),  # which turns -0 into 0
    (lambda x: x[:, :1].mean(axis=1), [op.getitem, np.mean]),
    (lambda x: x.sum(axis=()), [np.sum]),
    (lambda x: np.broadcast_to(x[0], (3, 4)).T.sum(axis=0), [op.getitem, np.broadcast_to, np.transpose, np.sum]),
    (lambda x: np.sin(np.broadcast_to(x[0], (3, 4)).reshape(12)), [op.getitem, np.broadcast_to, np.reshape, np.sin]),
]


@pytest.mark.parametrize(("step", "functions"), KEPT)
def test_what_only_looks_like_a_detour_is_kept(step: Any, functions: Any) -> None:
    assert functions_in(readable(program_of(step, X))) == functions


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("factors", [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (-1.0, 3.0)])
def test_products_of_constants_alone_stay_arrays(factors: Any, dtype: Any) -> None:
    w = leaf((1, 1), dtype)

    def step(x: Any) -> Any:
        loss = sum(np.sum(w[0, 0] * factor * 1.0) for factor in factors)
        return grad(loss, w), np.sin(x) * (Tensor(2.0) * 1.0)

    captured, x = capture(step), np.ones(2, np.float32)
    expected = [result.data for result in step(Tensor(x))]
    assert_same(flat(captured(x)), expected, "replayed")
    assert_same(executed(captured.source)(x, w.data), expected, "executed")


def test_the_gradient_of_a_sum_of_squares_is_one_product() -> None:
    w = leaf()
    program = readable(program_of(lambda x: grad(0.5e-3 * np.square(w).sum(), w), X))
    (equation,) = program.equations
    assert equation.function is np.multiply
    assert 1e-3 in equation.inputs[:2]


def test_picking_entries_of_rows_goes_backward_as_a_comparison() -> None:
    w = leaf()

    def step(y: Any) -> Any:
        return grad(softmax(w)[np.arange(3), y].sum(), w)

    functions = functions_in(readable(program_of(step, np.array([0, 3, 1], np.uint8))))
    assert np.equal in functions
    assert not any(f.__name__ == "_scatter" for f in functions)


EXTREMES = [0.0, -0.0, 1.0, np.inf, -np.inf, np.nan, 5e-324, 1e-300, 1e300, 1.7e308]
FACTORS = [3.0, -0.1, 1e200, 1e-200, 1e30, 1e-30, 1000, 2**40, -1]
DETOURS = [
    lambda x, a, b: x * a * b,
    lambda x, a, b: a * (x / b),
    lambda x, a, b: x / a / b,
    lambda x, a: -x * a,
    lambda x: np.negative(-x),
    lambda x: x - (-0.0),
    lambda x: x - 0,
    lambda x, a: x + (-x * a),
    lambda x: x - (-x),
    lambda x: x + x,
    lambda x: x**1 + x**2,
]


@pytest.mark.parametrize("detour", DETOURS)
@given(data=st.data())
def test_simpler_ways_overflow_and_underflow_as_longer_ones_do(detour: Any, data: st.DataObject) -> None:
    """Up to a factor of 2**16 from the limits, within which factors that shrink and grow may be merged."""
    dtype = data.draw(st.sampled_from([np.float64, np.float32, np.float16]))
    factors = [data.draw(st.sampled_from(FACTORS)) for _ in range(detour.__code__.co_argcount - 1)]
    with np.errstate(all="ignore"):
        x = np.array(EXTREMES, dtype)
        if any(2**-16 <= abs(factor) <= 2**16 for factor in factors):
            x = np.where((np.abs(x) > 2**16) & np.isfinite(x), 2.0**15, np.where(np.abs(x) < 1, 0 * x, x)).astype(dtype)
        expected = np.asarray(detour(Tensor(x), *factors).data)
        result = capture(lambda x: detour(x, *factors))(x).data
    np.testing.assert_allclose(result, expected, rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)
    zeros = (expected == 0) & (x == 0)
    assert np.array_equal(np.signbit(result[zeros]), np.signbit(expected[zeros]))


ROUNDED = [
    lambda x: x * (1 / 70000),
    lambda x: x * (1 / 3001),
    lambda x: x / 70000,
    lambda x: x * 1e-3 * 1e40,
    lambda x: x * 1e-44 * 1e6,
    lambda x: x * 70000 * 0.5,
    lambda x: x / 1e-7 * 1e-3,
    lambda x: x * 1e200 * 1e200,
    lambda x: x * 1e-200 * 1e-200,
    lambda x: x / 0.0 * 2.0,
    lambda x: (x > 1) * (1 / 300),
    lambda x: x.astype(np.int8) * (1 / 300),
    lambda x: x * np.longdouble(1) / 3,
]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("step", ROUNDED)
def test_numbers_that_the_dtype_rounds_away_stay_as_they_are(step: Any, dtype: Any) -> None:
    x = np.array([0.0, 1.0, 100.0, 30000.0], dtype)
    with np.errstate(all="ignore"):
        expected = [np.asarray(step(Tensor(x)).data)]
        captured = capture(step)
        assert_same(flat(captured(x)), expected, "replayed")
        assert_same([executed(captured.source)(x)], expected, "executed")
        assert np.array_equal(captured(x).data == 0, expected[0] == 0)


@pytest.mark.parametrize("step", [lambda x: x * (1 / 300), lambda x: x * 0.1 * 0.3, lambda x: x / 3.0 / 7.0])
def test_wider_numbers_than_pythons_keep_their_digits(step: Any) -> None:
    x = np.linspace(1, 2, 7, dtype=np.longdouble)
    captured = capture(step)
    np.testing.assert_allclose(captured(x).data, step(x), rtol=4 * np.finfo(np.longdouble).eps)
    np.testing.assert_allclose(executed(captured.source)(x), step(x), rtol=4 * np.finfo(np.longdouble).eps)


ZEROS = [
    lambda x: x.sum(axis=0),
    lambda x: x.sum(axis=1, keepdims=True),
    lambda x: x.mean(axis=1),
    lambda x: x.sum(),
    lambda x: x.mean(axis=(0, 1)),
    lambda x: (x.T @ x).sum(axis=-1) * x.max(axis=0),
    lambda x: np.negative(x @ np.ones((x.shape[1], 3))).sum(axis=1),  # of short rows, column by column
    lambda x: np.max(x, axis=0, keepdims=True) + np.min(x, axis=1, keepdims=True),
]


@pytest.mark.parametrize("function", ZEROS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (3, 2), (40, 3), (700, 2), (2, 700)])
def test_reductions_of_zeros_have_the_sign_of_numpys(function: Any, shape: Any) -> None:
    """Above all: a sum begins with 0, and 0 + -0.0 is 0.0, so that a sum of one number is not always that number."""

    def step(x: Any) -> Any:
        y = np.arctan2(x, 1.0)  # in a buffer of the replay
        return [np.arctan2(function(z), -1.0) for z in (x, y, np.maximum(y, -0.0))]  # π or -π

    captured = capture(step)
    for x in (np.full(shape, -0.0), np.where(np.arange(shape[1]) % 2, 0.0, -0.0) + np.full(shape, -0.0)):
        expected = [np.asarray(result) for result in step(x)]
        assert_same(flat(captured(x)), expected, "replayed")
        assert_same(executed(captured.source)(x), expected, "executed")


INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int64, np.uint64]


@pytest.mark.parametrize("detour", [lambda x, y: x + (-y), lambda x, y: x - (-y), lambda x, y: np.negative(-y) + x])
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("other", [*INTEGERS, np.float32])
def test_integers_that_wrap_around_keep_doing_so(detour: Any, dtype: Any, other: Any) -> None:
    x, y = np.array([3, 7, 1], other), np.array([0, 5, np.iinfo(dtype).min], dtype)
    assert_same(flat(capture(detour)(x, y)), [detour(x, y)], "value")


NUMBERS = [
    (lambda x: x + np.zeros(4), True),
    (lambda x: np.full((3, 4), -0.0) + x, True),
    (lambda x: np.maximum(x, np.full((3, 1), 2.5)), True),
    (lambda x: x + np.array([0.0, 0.0, -0.0, 0.0]), False),  # of two signs
    (lambda x: x + np.array([1.0, 1.0, 2.0, 1.0]), False),
    (lambda x: x * np.full(4, np.nan), False),
    (lambda x: x[0] * np.ones((3, 4)), False),  # which broadcasts x
    (lambda x: x @ np.ones((4, 4)), False),
]


@pytest.mark.parametrize(("step", "number"), NUMBERS)
def test_arrays_of_one_number_become_numbers_if_another_operand_has_the_shape_of_the_result(
    step: Any, number: bool
) -> None:
    program = program_of(step, X)
    changed = with_numbers(program)
    (constant,) = [atom for atom in changed.equations[-1].inputs if not isinstance(atom, Value)]
    assert (np.ndim(constant) == 0) is number
    for x in (X, np.zeros_like(X), -np.zeros_like(X)):
        (result,), (expected,) = interpret(changed)(x), interpret(program)(x)
        assert result.tobytes() == expected.tobytes()
