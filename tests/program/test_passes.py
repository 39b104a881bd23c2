"""Each pass keeps the results of any program, and does what it is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import assert_same, flat
from test_random_programs import steps

from autograd_spiral import Tensor, capture, grad, primitive, relu, sigmoid, softmax, softmax_cross_entropy
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.evaluate import evaluate
from autograd_spiral.program.ir import Equation, Program, Value
from autograd_spiral.program.passes import pipeline, simplify
from autograd_spiral.program.running import kernels

PASSES: Sequence[Callable[[Program], Program]] = (
    pipeline.inlined,
    pipeline.without_dead_code,
    pipeline.with_constants_folded,
    pipeline.without_common_subexpressions,
    simplify.simplified,
    pipeline.readable,
    lambda program: kernels.respelled(pipeline.readable(program)),
)


def program_of(step: Callable[..., Any], *args: Any) -> Program:
    captured = capture(step)
    captured(*args)
    return captured.program


def functions_in(program: Program) -> list[Any]:
    return [equation.function for equation in program.equations]


@settings(max_examples=40)
@given(steps())
def test_every_pass_keeps_the_results(drawn: Any) -> None:
    step, leaves, calls = drawn
    held = {id(leaf): leaf.data for leaf in leaves}
    captured = capture(step)
    captured(*calls[0])
    program = captured.program
    arrays = [*calls[1], *(held[id(leaf)] for leaf in captured._last.state), *captured._last.outside]
    expected = evaluate(program, *arrays)
    for improve in PASSES:
        assert_same(evaluate(improve(program), *arrays), expected, str(improve))


@settings(max_examples=20)
@given(steps())
def test_a_readable_program_stays_as_it_is(drawn: Any) -> None:
    step, _, calls = drawn
    once = pipeline.readable(program_of(step, *calls[0]))
    twice = pipeline.readable(once)
    assert functions_in(once) == functions_in(twice)


# --- single passes ------------------------------------------------------------------------------------------------


def leaf(shape: Any = (3, 4), dtype: Any = float) -> Tensor:
    values = np.random.default_rng(0).uniform(0.5, 1, shape).astype(dtype)
    return Tensor(values, requires_grad=True, name="w")


X = np.random.default_rng(1).uniform(0.5, 1, (3, 4))


def test_bodies_take_the_place_of_declared_primitives() -> None:
    program = program_of(lambda x: relu(sigmoid(x)), X)
    assert [f.__name__ for f in functions_in(program)] == ["sigmoid", "relu"]
    assert all(isinstance(f, np.ufunc) or f is np.where for f in functions_in(pipeline.inlined(program)))


def test_what_no_result_depends_on_is_not_computed() -> None:
    def step(x: Any) -> Any:
        np.exp(x) * 3
        return np.sin(x)

    assert functions_in(pipeline.without_dead_code(program_of(step, X))) == [np.sin]


def test_constants_are_computed_once_and_for_all() -> None:
    def step(x: Any) -> Any:
        c = Tensor([1.0, 2.0, 3.0, 4.0])
        return x + np.exp(c) * c.sum()

    assert functions_in(pipeline.readable(program_of(step, X))) == [np.add]


def test_large_constants_of_small_ones_are_not_stored() -> None:
    program = pipeline.readable(program_of(lambda x: x.sum() * np.broadcast_to(Tensor([1.0, 2.0]), (500, 2)), X))
    assert max(np.size(atom) for e in program.equations for atom in e.inputs if isinstance(atom, np.ndarray)) <= 2


def test_equal_equations_are_computed_once() -> None:
    program = pipeline.readable(program_of(lambda x: np.exp(x).sum(axis=0) * np.exp(x).sum(axis=0), X))
    assert functions_in(program) == [np.exp, np.sum, np.multiply]


def test_forward_and_backward_share_the_exponentials_of_softmax_cross_entropy() -> None:
    w = leaf()
    program = pipeline.readable(program_of(lambda y: grad(softmax_cross_entropy(w, y), w), np.array([0, 1, 3])))
    assert functions_in(program).count(np.exp) == 1
    assert functions_in(program).count(np.max) == 1


def test_opaque_primitives_are_neither_shared_nor_folded() -> None:
    calls = []

    @primitive(lambda ct, out, x: ct)
    def noisy(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            raise TypeError
        calls.append(1)
        return x * 1.0

    captured = capture(lambda x: noisy(x) + noisy(x) + noisy(Tensor(np.ones(4))))
    captured(X)
    calls.clear()
    captured(X)
    assert len(calls) == 3


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
    lambda x: x.sum(axis=()),
    lambda x: np.transpose(x, (1, 0)).T,
    lambda x: x * Tensor(np.ones((1, 1))),
]


@pytest.mark.parametrize("detour", SAME)
def test_detours_are_left_out(detour: Any) -> None:
    assert functions_in(pipeline.readable(program_of(lambda x: np.sin(detour(x)), X))) == [np.sin]


SHORTER = [
    (lambda x: x * 2 * 3 / 4, [np.multiply]),
    (lambda x: x**2, [np.square]),
    (lambda x: x + (-x * 3), [np.multiply, np.add]),
    (lambda x: x.sin() if hasattr(x, "sin") else np.sin(x) + (-np.cos(x)), [np.sin, np.cos, np.subtract]),
    (lambda x: np.sin(x) - (-np.cos(x)), [np.sin, np.cos, np.add]),
    (lambda x: x.sum(axis=0).reshape(1, 4), [np.sum]),
    (lambda x: np.broadcast_to(Tensor(3.0), (3, 4)) * x, [np.multiply]),
    (lambda x: x.reshape(3, 4, 1).sum(axis=2) * 2, [np.multiply]),
]


@pytest.mark.parametrize(("longer", "functions"), SHORTER)
def test_longer_ways_are_shortened(longer: Any, functions: Any) -> None:
    assert functions_in(pipeline.readable(program_of(longer, X))) == functions


KEPT = [
    (lambda x: x + 0.0, [np.add]),  # which turns -0 into 0
    (lambda x: x * np.ones((2, 3, 4)), [np.multiply]),  # which broadcasts
    (lambda x: x * Tensor(np.ones(4)), [np.multiply]),
    (lambda x: (x > 0.7) * 1.0, [np.greater, np.multiply]),  # which makes floats
    (lambda x: x.astype(np.float32) * Tensor(1.0), [np.ndarray.astype, np.multiply]),  # which widens
]


@pytest.mark.parametrize(("step", "functions"), KEPT)
def test_what_only_looks_like_a_detour_is_kept(step: Any, functions: Any) -> None:
    assert functions_in(pipeline.readable(program_of(step, X))) == functions


def test_the_gradient_of_a_sum_of_squares_is_one_product() -> None:
    w = leaf()
    program = pipeline.readable(program_of(lambda x: grad(0.5e-3 * np.square(w).sum(), w), X))
    (equation,) = program.equations
    assert equation.function is np.multiply
    assert 1e-3 in equation.inputs[:2]


def test_picking_entries_of_rows_goes_backward_as_a_comparison() -> None:
    w = leaf()

    def step(y: Any) -> Any:
        return grad(softmax(w)[np.arange(3), y].sum(), w)

    functions = functions_in(pipeline.readable(program_of(step, np.array([0, 3, 1], np.uint8))))
    assert np.equal in functions
    assert not any(f.__name__ == "_scatter" for f in functions)


# --- kernels --------------------------------------------------------------------------------------------------------


def respelled(step: Any, *args: Any) -> list[str]:
    program = kernels.respelled(pipeline.readable(program_of(step, *args)))
    return [equation.primitive.name.removeprefix("np.") for equation in program.equations]


LARGE = np.random.default_rng(2).standard_normal((64, 32))
SPELLINGS = [
    (lambda x, w: x @ w + np.ones(24), ["affine"]),
    (lambda x, w: np.ones((1, 24)) + x @ w, ["affine"]),
    (lambda x, w: x @ w + np.ones((64, 24)), ["matmul", "add"]),
    (lambda x, w: x @ w[:, :3] + np.ones(3), ["getitem", "matmul", "add"]),  # x has more columns than its image
    (lambda x, w: np.sin(x) @ w[:, :3] + np.ones(3), ["sin", "getitem", "affine"]),  # here it need not be copied
    (lambda x, w: x.sum(axis=0, keepdims=True) * 2, ["column_sums", "multiply"]),
    (lambda x, w: np.square(x).sum() * 2, ["sum_of_squares", "multiply"]),
    (lambda x, w: x.mean(axis=1), ["sum", "divide"]),
    (lambda x, w: np.sin(x) * (x > 0), ["sin", "greater", "astype", "multiply"]),
    (lambda x, w: w[:4].sum(axis=0, keepdims=True) * 2, ["getitem", "sum", "multiply"]),  # too small to gain
]


@pytest.mark.parametrize(("step", "names"), SPELLINGS)
def test_fast_spellings(step: Any, names: Any) -> None:
    assert respelled(step, LARGE, LARGE[:32, :24].copy()) == names


def test_a_bound_becomes_a_full_array_where_that_is_faster() -> None:
    program = kernels.respelled(pipeline.readable(program_of(lambda x: np.maximum(0, x), LARGE)))
    assert program.equations[0].inputs[0].shape == LARGE.shape
    program = kernels.respelled(pipeline.readable(program_of(lambda x: np.maximum(0, x), X)))
    assert type(program.equations[0].inputs[0]) is int


def test_the_gradients_of_an_affine_map_are_one_product() -> None:
    w, b = leaf((32, 20)), leaf((1, 20))

    def step(x: Any) -> Any:
        return grad(np.square(np.tanh(x @ w + b)).sum(), [w, b])

    names = respelled(step, LARGE)
    assert names.count("product_and_sums") == 1
    assert "matmul" not in names


MASKED = [  # columns of x, columns of a, columns of m, dtype of all, whether a @ b is needed besides: is it worth it?
    (2, 3, 40, float, False, True),
    (3, 3, 48, float, False, True),
    (3, 4, 48, float, False, False),  # more columns of products than it pays for
    (2, 3, 32, float, False, False),  # m is hardly wider than those
    (2, 3, 40, np.float32, False, False),
    (2, 3, 40, float, True, False),
]


@pytest.mark.parametrize(("columns", "inner", "width", "dtype", "needed", "expected"), MASKED)
def test_a_masked_product_of_narrow_matrices_is_not_made(
    columns: int, inner: int, width: int, dtype: Any, needed: bool, expected: bool
) -> None:
    rng = np.random.default_rng(0)
    x, w, a, b = (
        rng.standard_normal(shape).astype(dtype)
        for shape in ((60, columns), (columns, width), (60, inner), (inner, width))
    )

    def step(x: Any, w: Any, a: Any, b: Any) -> Any:
        h = relu(x @ w + b[0])
        product = a @ b
        masked = product * (h > 0)
        return x.T @ masked, masked.sum(axis=0, keepdims=True), np.tanh(h), *([product] if needed else [])

    assert ("masked_product_and_sums" in respelled(step, x, w, a, b)) == expected


ONE_HOTS = [
    (lambda x, y: x - (y[:, None] == np.arange(4)), True),
    (lambda x, y: x - (y[:, None] == np.arange(1, 5)), False),
    (lambda x, y: (y[:, None] == np.arange(4)) - x, False),
    (lambda x, y: x - (x[:, :1] == np.arange(4)), False),
    (lambda x, y: x[:, :1] - (y[:, None] == np.arange(4)), False),
]


@pytest.mark.parametrize(("step", "expected"), ONE_HOTS)
def test_one_hot_rows_are_subtracted_at_one_place_of_each_row(step: Any, expected: bool) -> None:
    x, y = np.random.default_rng(0).standard_normal((6, 4)), np.array([0, 3, 1, 2, 0, 1])
    names = respelled(lambda x, y: (step(np.sin(x), y) * 2, softmax_cross_entropy(x, y)), x, y)
    assert ("less_one_hot" in names) == expected
    matrix = np.array([[0, 3], [1, 2]])
    assert "less_one_hot" not in respelled(
        lambda x, y: np.sin(x) - (y[:, None] == np.arange(2)), np.ones((2, 1, 2)), matrix
    )
    assert "less_one_hot" not in respelled(lambda x, y: step(np.sin(x), y) * 2, x, y)  # nothing is known of y


# --- programs are checked -------------------------------------------------------------------------------------------


def test_malformed_programs_are_refused() -> None:
    x, y = Value((2,), np.dtype(float)), Value((2,), np.dtype(float))
    sine = Equation(PRIMITIVES[np.sin], (x,), {}, y)
    Program("fine", (x,), (), (sine,), (y,))
    wrong = Value((3,), np.dtype(float))
    for build in (
        lambda: Program("p", (), (), (sine,), (y,)),
        lambda: Program("p", (x,), (), (sine, sine), (y,)),
        lambda: Program("p", (x,), (x,), (), ()),
        lambda: Program("p", (x,), (), (), (y,)),
        lambda: Program("p", (x, wrong), (), (), (), ((x, x),)),
        lambda: Program("p", (), (x, wrong), (), (), ((x, wrong),)),
        lambda: Program("p", (x,), (), (Equation(PRIMITIVES[np.sin], (x,), {}, Value((None,), np.dtype(float))),), ()),
    ):
        with pytest.raises(CaptureError, match="p: "):
            build()


# --- at the limits of numbers -----------------------------------------------------------------------------------------

EXTREMES = [0.0, -0.0, 1.0, np.inf, -np.inf, np.nan, 5e-324, 1e-300, 1e300, 1.7e308]
FACTORS = [3.0, -0.1, 1e200, 1e-200, 1e30, 1e-30, 1000, 2**40, -1]
DETOURS = [
    lambda x, a, b: x * a * b,
    lambda x, a, b: a * (x / b),
    lambda x, a, b: x / a / b,
    lambda x, a, b: -x * a,
    lambda x, a, b: np.negative(-x),
    lambda x, a, b: x - (-0.0),
    lambda x, a, b: x - 0,
    lambda x, a, b: x + (-x * b),
    lambda x, a, b: x - (-x),
    lambda x, a, b: x + x,
    lambda x, a, b: x**1 + x**2,
]


@pytest.mark.parametrize("detour", DETOURS)
@given(
    a=st.sampled_from(FACTORS), b=st.sampled_from(FACTORS), dtype=st.sampled_from([np.float64, np.float32, np.float16])
)
def test_shorter_ways_overflow_and_vanish_as_longer_ones_do(detour: Any, a: float, b: float, dtype: Any) -> None:
    """Up to a factor of 2**16 from the limits, within which factors that shrink and grow may be merged."""
    with np.errstate(all="ignore"):
        x = np.array(EXTREMES, dtype)
        if any(2**-16 <= abs(factor) <= 2**16 for factor in (a, b)):
            x = np.where((np.abs(x) > 2**16) & np.isfinite(x), 2.0**15, np.where(np.abs(x) < 1, 0 * x, x)).astype(dtype)
        expected = np.asarray(detour(Tensor(x), a, b).data)
        result = capture(lambda x: detour(x, a, b))(x).data
    np.testing.assert_allclose(result, expected, rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)
    zeros = (expected == 0) & (x == 0)
    assert np.array_equal(np.signbit(result[zeros]), np.signbit(expected[zeros]))


INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int64, np.uint64]


@pytest.mark.parametrize("detour", [lambda x, y: x + (-y), lambda x, y: x - (-y), lambda x, y: np.negative(-y) + x])
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("other", [*INTEGERS, np.float32])
def test_integers_that_wrap_around_keep_doing_so(detour: Any, dtype: Any, other: Any) -> None:
    x, y = np.array([3, 7, 1], other), np.array([0, 5, np.iinfo(dtype).min], dtype)
    assert_same(flat(capture(detour)(x, y)), [detour(x, y)], "value")


def test_opaque_primitives_may_have_parameters_of_any_kind() -> None:
    @primitive(lambda ct, out, x, keep: ct)
    def chosen(x: Any, keep: Any = None) -> Any:
        if not isinstance(x, np.ndarray):
            raise TypeError
        return x * len(keep)

    assert_same(flat(capture(lambda x: chosen(x, keep={1, 2}))(X)), [2 * X], "value")


# --- where kernels do not fit -----------------------------------------------------------------------------------------


def test_a_product_that_is_broadcast_against_a_row_is_no_affine_map() -> None:
    w, b = leaf((4, 1)), leaf((1, 5))
    assert_same(flat(capture(lambda x: np.tanh(x @ w + b))(X)), [np.tanh(X @ w.data + b.data)], "value")


def test_column_sums_that_a_matrix_is_computed_from_come_before_it() -> None:
    w, b = leaf((4, 4)), leaf((1, 4))

    def step(x: Any) -> Any:
        y = np.sin(x)
        sums = y.sum(axis=0)
        h = np.tanh(y + sums)
        return (h @ w + b).sum(), h.T @ y, sums * 2

    x = np.random.default_rng(0).standard_normal((40, 4))
    assert_same(flat(capture(step)(x)), flat(step(Tensor(x))), "value")


def test_a_product_of_matrices_of_two_dtypes_keeps_the_wider_one() -> None:
    w, b = leaf((4, 4)), leaf((1, 4))

    def step(x: Any) -> Any:
        y = np.sin(x).astype(np.float32)
        h = np.tanh(x @ w + b)
        return (h @ w + b).sum(), (h.T @ y) * 2, y.sum(axis=0) * 2

    x = np.random.default_rng(0).standard_normal((40, 4))
    assert_same(flat(capture(step)(x)), flat(step(Tensor(x))), "value")
