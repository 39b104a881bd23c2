"""Every row of the rule table: value, dtype, and gradients of first and second order, by finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import CASES, ROWS
from examples import Examples, from_table
from function_cases import FUNCTION_CASES
from leaves import leaf
from properties import (
    assert_gradients,
    assert_precision,
    assert_recorded_without_gradient,
    assert_second_order,
    assert_value,
)

from autograd_spiral import Tensor, grad
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import PRIMITIVES

ROW_CASES = CASES | {function: case for function, case in FUNCTION_CASES.items() if function in PRIMITIVES}
EXAMPLES = {function: Examples(function, case, 5 if case is from_table else 14) for function, case in ROW_CASES.items()}


def has_gradient(function: Any) -> bool:
    row = PRIMITIVES[function]
    return row.rest is not None or any(row.vjps)


every_row = pytest.mark.parametrize("function", EXAMPLES, ids=name_of)
every_rule = pytest.mark.parametrize("function", [f for f in EXAMPLES if has_gradient(f)], ids=name_of)
every_row_without = pytest.mark.parametrize("function", [f for f in EXAMPLES if not has_gradient(f)], ids=name_of)


def test_every_row_has_a_case_and_every_case_a_row() -> None:
    assert set(ROW_CASES) == set(ROWS)


@every_row
def test_the_value_is_numpys(function: Any) -> None:
    EXAMPLES[function].check(assert_value)


@every_row
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_narrow_dtypes_are_kept(function: Any, dtype: Any) -> None:
    EXAMPLES[function].check(lambda example: assert_precision(example, dtype), count=10)


@every_row_without
def test_rows_without_rules_have_no_gradient(function: Any) -> None:
    EXAMPLES[function].check(assert_recorded_without_gradient, count=5)


@every_rule
def test_the_gradient_is_that_of_finite_differences(function: Any) -> None:
    EXAMPLES[function].check(assert_gradients)


@every_rule
def test_the_second_order_is_that_of_finite_differences(function: Any) -> None:
    EXAMPLES[function].check(assert_second_order)


# --- conventions --------------------------------------------------------------------------------------------------


def gradients_of(function: Any, *arrays: Any) -> list[Any]:
    """The gradients of the summed output with respect to each argument."""
    leaves = [Tensor(np.asarray(a, float), requires_grad=True) for a in arrays]
    return [piece.data for piece in grad(np.sum(function(*leaves)), leaves)]


@pytest.mark.parametrize("function", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_a_tie_is_split_in_halves(function: Any) -> None:
    to_x, to_y = gradients_of(function, [1, -3, 0], [1, -3, 0])
    np.testing.assert_array_equal(to_x, [0.5, 0.5, 0.5])
    np.testing.assert_array_equal(to_y, [0.5, 0.5, 0.5])


@pytest.mark.parametrize("function", [np.fmax, np.fmin])
def test_the_gradient_of_fmax_and_fmin_goes_to_the_number_beside_a_nan(function: Any) -> None:
    to_x, to_y = gradients_of(function, [np.nan, 2], [1, np.nan])
    np.testing.assert_array_equal(to_x, [0, 1])
    np.testing.assert_array_equal(to_y, [1, 0])


@pytest.mark.parametrize("function", [np.max, np.min])
def test_entries_that_tie_for_the_extremum_share_equally(function: Any) -> None:
    (piece,) = gradients_of(lambda x: function(x, axis=1), [[2, 2, 2, 2], [1, 1, 1, 1]])
    np.testing.assert_array_equal(piece, np.full((2, 4), 0.25))
    (piece,) = gradients_of(function, [3, 3])
    np.testing.assert_array_equal(piece, [0.5, 0.5])


def test_the_absolute_value_has_derivative_0_at_0() -> None:
    (piece,) = gradients_of(np.absolute, [-0.0, 0.0, 2, -2])
    np.testing.assert_array_equal(piece, [0, 0, 1, -1])


@pytest.mark.parametrize("exponent", [0, 0.0, np.zeros(4), np.zeros(4, int), Tensor(np.zeros(4))])
def test_x_to_the_0_has_derivative_0_everywhere(exponent: Any) -> None:
    x = Tensor([0.0, -0.0, -2.0, np.inf], requires_grad=True)
    first = grad(x**exponent, x, np.ones(4), create_graph=True)
    np.testing.assert_array_equal(first.data, np.zeros(4))


@pytest.mark.parametrize("exponent", [0, 1, 2, 3])
def test_whole_powers_are_exact_at_0_at_both_orders(exponent: int) -> None:
    x = Tensor(0.0, requires_grad=True)
    first = grad(x**exponent, x, create_graph=True)
    assert float(first) == (exponent == 1)
    assert float(grad(first, x)) == 2 * (exponent == 2)


def test_0_to_the_y_has_derivative_0_with_respect_to_y() -> None:
    (_, piece) = gradients_of(np.power, [0, 0], [1, 2])
    np.testing.assert_array_equal(piece, [0, 0])


def test_hypot_has_gradient_0_at_0() -> None:
    to_x, to_y = gradients_of(np.hypot, [0, 3], [0, 4])
    np.testing.assert_allclose(to_x, [0, 0.6])
    np.testing.assert_allclose(to_y, [0, 0.8])


def test_logaddexp_of_two_minus_infinities_has_gradient_0() -> None:
    for piece in gradients_of(np.logaddexp, [-np.inf], [-np.inf]):
        np.testing.assert_array_equal(piece, [0])


@pytest.mark.parametrize(("before", "after"), [(np.float64, np.float32), (np.float32, np.float16)])
def test_the_gradient_of_astype_has_the_dtype_before_the_conversion(before: Any, after: Any) -> None:
    x = Tensor(np.array([1, 2], before), requires_grad=True)
    converted = x.astype(after)
    assert converted.dtype == after
    (converted * np.array([3, 4], after)).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == before
    np.testing.assert_array_equal(x.grad, [3, 4])


def test_an_entry_indexed_twice_gets_both_cotangents() -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    np.testing.assert_array_equal(grad(x[[0, 2, 0, -3]], x, np.array([1.0, 2, 4, 8])).data, [13, 0, 2])


@pytest.mark.parametrize("shapes", [((3, 4), (1, 5)), ((3, 1), (4, 5)), ((3, 1), (1, 5))])
def test_gradients_of_einsum_broadcast_axes_of_length_1(shapes: Any) -> None:
    x, y = (np.arange(1.0, np.prod(shape) + 1).reshape(shape) for shape in shapes)
    wide = gradients_of(lambda x, y: np.sum(x[:, :, None] * y[None, :, :], axis=1), x, y)
    for piece, expected in zip(gradients_of(lambda x, y: np.einsum("ij,jk->ik", x, y), x, y), wide, strict=True):
        np.testing.assert_allclose(piece, expected)


@pytest.mark.parametrize("other", [np.int8(100), np.int32(50000), np.float16(300)])
def test_a_rule_is_not_computed_in_the_narrow_dtype_of_the_other_argument(other: Any) -> None:
    y, wide = np.array(other), float(other)
    (along_x,) = gradients_of(lambda x: np.arctan2(x, y), np.array(1.0))
    np.testing.assert_allclose(along_x, wide / (1 + wide**2), rtol=1e-14)
    (along_y,) = gradients_of(lambda x: np.arctan2(y, x), np.array(1.0))
    np.testing.assert_allclose(along_y, -wide / (1 + wide**2), rtol=1e-14)
    (of_power,) = gradients_of(lambda x: np.power(y, x), np.array(0.5))
    np.testing.assert_allclose(of_power, wide**0.5 * np.log(wide), rtol=1e-14)


@pytest.mark.parametrize("base", [2.0, 0.25])
def test_mixed_second_derivatives_of_a_power_are_the_same_at_the_power_0(base: float) -> None:
    x, y = Tensor(base, requires_grad=True), Tensor(0.0, requires_grad=True)
    assert grad(grad(x**y, x, create_graph=True), y).item() == 1 / base
    assert grad(grad(x**y, y, create_graph=True), x).item() == 1 / base


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, np.float64])
@pytest.mark.parametrize("base", [np.float64(20), np.float32(1.5), np.float16(1e-5), np.float64(5e-310)])
def test_the_gradient_of_the_power_0_never_overflows(base: Any, dtype: Any) -> None:
    x = Tensor(base, requires_grad=True)
    for power in (np.array(0, dtype), np.array([0, 0], dtype)):
        assert grad(np.sum(x**power), x).item() == 0


def test_the_power_0_has_derivative_0_for_any_base() -> None:
    for power in (0.0, Tensor(0.0), Tensor([0.0] * 5)):
        x = Tensor([0.0, 2.0, -1.0, np.inf, np.nan], requires_grad=True)
        np.testing.assert_array_equal(grad(np.sum(x**power), x).data, 0)


def test_the_gradient_of_a_mean_over_more_entries_than_float16_can_count() -> None:
    x = Tensor(np.ones(70_000, np.float16), requires_grad=True)
    np.testing.assert_array_equal(grad(np.mean(x), x).data, np.float16(1 / 70_000))


def test_logaddexp_of_minus_infinity() -> None:
    x, y = leaf([-np.inf, 0, -np.inf]), leaf([-np.inf, -np.inf, 1e4])
    out = np.logaddexp(x, y)
    assert out.data.tolist() == [-np.inf, 0, 1e4]
    out.backward(np.ones(3))
    assert x.grad.tolist() == [0, 1, 0]
    assert y.grad.tolist() == [0, 0, 1]


@pytest.mark.parametrize("score", [1e4, -1e4, 1e200])
def test_logaddexp_of_equal_and_huge_scores_shares_equally(score: float) -> None:
    x, y = leaf(score), leaf(score)
    np.logaddexp(x, y).backward()
    assert (x.grad, y.grad) == (0.5, 0.5)
