"""Special values and keywords of elementwise functions: jumps, knots, infinities, and arguments that do not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaves import leaf

from autograd_spiral import Tensor, capture, grad
from autograd_spiral.errors import AutogradError, CaptureError, InPlaceError
from autograd_spiral.vocabulary import functions

SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 3.0, -3.0, 1e300, -1e300, np.inf, -np.inf, np.nan]


def slope(function: Any, x: Any) -> Any:
    x = leaf(x)
    return grad(function(x), x, np.ones(x.shape)).data


def assert_identical(ours: Any, theirs: Any) -> None:
    """Equal values, NaNs and signs of 0."""
    np.testing.assert_array_equal(ours.data, theirs)
    np.testing.assert_array_equal(np.signbit(ours.data[~np.isnan(theirs)]), np.signbit(theirs[~np.isnan(theirs)]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize(
    "function",
    [
        np.modf,
        np.fix,
        np.nan_to_num,
        np.around,
        lambda x: np.divmod(x, 2),
        lambda x: np.divmod(-2.5, x),
        np.real,
        np.imag,
    ],
)
def test_values_of_compositions_are_numpys_at_special_numbers(function: Any, dtype: Any) -> None:
    with np.errstate(all="ignore"):
        x = np.array(SPECIAL).astype(dtype)
        ours, theirs = function(Tensor(x)), function(x)
    for one, other in zip(ours, theirs, strict=True) if isinstance(theirs, tuple) else [(ours, theirs)]:
        assert one.dtype == other.dtype
        assert_identical(one, other)


@pytest.mark.parametrize("function", [np.isposinf, np.isneginf, np.isreal, np.iscomplex])
def test_masks_of_special_numbers_are_numpys(function: Any) -> None:
    np.testing.assert_array_equal(function(Tensor(SPECIAL)).data, function(np.array(SPECIAL)))


def test_isclose_compares_infinities_and_nans_as_numpy_does() -> None:
    x, y = (a.ravel() for a in np.meshgrid(SPECIAL, SPECIAL))
    for equal_nan in (False, True):
        close = np.isclose(leaf(x), y, rtol=0.2, atol=0.6, equal_nan=equal_nan)
        assert not close.requires_grad
        np.testing.assert_array_equal(close.data, np.isclose(x, y, rtol=0.2, atol=0.6, equal_nan=equal_nan))


# --- remainders and roundings -----------------------------------------------------------------------------------------


@given(st.floats(-100, 100), st.floats(0.1, 10), st.booleans())
def test_a_remainder_changes_by_the_whole_quotient_with_the_divisor(x: float, y: float, negative: bool) -> None:
    y = -y if negative else y
    for function, whole in ((np.remainder, np.floor_divide), (np.fmod, lambda x, y: np.rint((x - np.fmod(x, y)) / y))):
        a, b = leaf(x), leaf(y)
        to_a, to_b = grad(function(a, b), (a, b))
        assert (to_a.item(), to_b.item()) == (1, -whole(x, y))


def test_operators_of_whole_quotients() -> None:
    t = leaf([7.5, -7.5])
    np.testing.assert_array_equal((t % 2).data, [1.5, 0.5])
    np.testing.assert_array_equal((t // 2).data, [3, -4])
    np.testing.assert_array_equal((16 % t).data, [1, -6.5])
    np.testing.assert_array_equal((16 // t).data, [2, -3])
    for quotient, rest in (divmod(t, 2), np.divmod(t, 2)):
        np.testing.assert_array_equal([quotient.data, rest.data], [[3, -4], [1.5, 0.5]])
    quotient, rest = divmod(16, t)
    np.testing.assert_array_equal([quotient.data, rest.data], [[2, -3], [1, -6.5]])
    np.testing.assert_array_equal(grad((t % 2).sum(), t).data, [1, 1])


def test_the_quotient_of_fmod_is_whole_where_the_division_rounds_up() -> None:
    y = leaf(0.1)
    x = np.nextafter(0.3, 0)  # x / 0.1 rounds to 3, but only 2 go into it
    assert grad(np.fmod(x, y), y).item() == -2


def test_modf_has_slope_1_in_the_fraction_and_0_in_the_whole_part() -> None:
    x = [2.5, -2.5, 0.0]
    np.testing.assert_array_equal(slope(lambda x: np.modf(x)[0], x), [1, 1, 1])
    np.testing.assert_array_equal(slope(lambda x: np.modf(x)[1], x), [0, 0, 0])


# --- functions with a limit at 0 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "derivatives"),
    [
        (np.sinc, [1, 0, -(np.pi**2) / 3, 0, np.pi**4 / 5]),
        (np.i0, [1, 0, 1 / 2, 0, 3 / 8]),
    ],
)
def test_derivatives_at_0_are_right_at_every_order(function: Any, derivatives: list[float]) -> None:
    x = leaf(0.0)
    out = function(x)
    for derivative in derivatives:
        np.testing.assert_allclose(out.item(), derivative, rtol=1e-13, atol=1e-15)
        out = grad(out, x, create_graph=True)


def test_copysign_has_no_slope_at_0_and_none_in_the_sign() -> None:
    x, y = leaf([2.0, -2.0, 0.0]), leaf([-1.0, -1.0, -1.0])
    to_x, to_y = grad(np.copysign(x, y), (x, y), np.ones(3))
    assert (to_x.data.tolist(), to_y.data.tolist()) == ([-1, 1, 0], [0, 0, 0])


# --- choosing ---------------------------------------------------------------------------------------------------------


def test_select_takes_the_first_condition_that_holds() -> None:
    x = leaf([-1.0, 0.5, 2.0])
    out = np.select([x > 1, x > 0], [x**2, 3 * x], -1.0)
    np.testing.assert_array_equal(out.data, [-1, 1.5, 4])
    np.testing.assert_array_equal(grad(out.sum(), x).data, [0, 3, 4])
    for conditions, choices in (([x > 1], [x, x]), ([x], [x])):
        with pytest.raises(AutogradError, match=r"np\.select"):
            np.select(conditions, choices)


def test_piecewise_calls_each_function_within_its_domain() -> None:
    x = leaf([-4.0, 0.0, 4.0])
    out = np.piecewise(x, [x > 0, x < 0], [np.sqrt, lambda v: np.log(-v)])
    np.testing.assert_allclose(out.data, [np.log(4), 0, 2])
    np.testing.assert_allclose(grad(out.sum(), x).data, [-0.25, 0, 0.25])


def test_conditions_of_piecewise_cannot_be_read_in_a_captured_step() -> None:
    step = capture(lambda x: np.piecewise(x, [x > 0], [np.sqrt]))
    with pytest.raises(CaptureError, match=r"choose with np\.where"):
        step(np.ones(3))


def test_a_choice_out_of_range_raises_also_in_a_replay() -> None:
    x = leaf([1.0, 2.0])
    step = capture(lambda i: np.choose(i, [x, 2 * x]))
    np.testing.assert_array_equal(step(np.array([0, 1])).data, [1, 4])
    with pytest.raises(ValueError, match="invalid entry"):
        step(np.array([0, 2]))


def test_nan_to_num_never_writes_into_a_tensor() -> None:
    x = leaf([np.nan, 1.0])
    with pytest.raises(InPlaceError, match="leave copy=False out"):
        np.nan_to_num(x, copy=False)
    np.testing.assert_array_equal(slope(np.nan_to_num, [np.nan, 1, np.inf, -np.inf]), [0, 1, 0, 0])


# --- interpolation ----------------------------------------------------------------------------------------------------


@given(st.data())
def test_interp_is_numpys_with_any_points_and_keywords(data: st.DataObject) -> None:
    numbers = st.integers(-8, 8).map(lambda n: n / 2)
    n = data.draw(st.integers(1, 5))
    xp = np.array(sorted(data.draw(st.lists(numbers, min_size=n, max_size=n, unique=True))))
    fp = np.array(data.draw(st.lists(numbers, min_size=n, max_size=n)))
    x = np.array(data.draw(st.lists(numbers | st.just(np.nan), min_size=1, max_size=6)))
    ends = st.none() | numbers
    keywords = {"left": data.draw(ends), "right": data.draw(ends)}
    for given_keywords in (keywords, {"period": 20.0}):
        expected = np.interp(x, xp, fp, **given_keywords)
        for args in ((leaf(x), xp, fp), (x, xp, leaf(fp)), (leaf(x), leaf(xp), leaf(fp))):
            np.testing.assert_allclose(np.interp(*args, **given_keywords).data, expected, rtol=1e-13, atol=1e-13)


def test_the_slope_of_interp_at_a_knot_is_that_on_the_right_and_0_outside() -> None:
    x = [-1, 0, 0.5, 1, 2, 3]
    np.testing.assert_array_equal(slope(lambda x: np.interp(x, [0, 1, 2], [0, 3, -2]), x), [0, 3, 3, -5, -5, 0])


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=8), st.sampled_from([4, 5, 3.0]), st.sampled_from([None, 3]))
def test_unwrap_is_numpys_also_where_a_step_is_half_a_period(steps: list[int], period: Any, discont: Any) -> None:
    for p in (np.array(steps), np.array(steps) / 2):
        ours, theirs = np.unwrap(Tensor(p), discont, period=period), np.unwrap(p, discont, period=period)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours.data, theirs, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(slope(lambda p: np.unwrap(p, discont, period=period), steps), 1)


def test_entries_for_which_a_condition_holds() -> None:
    x = leaf([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    for mask in (x.data > 2.5, x > 2.5):
        out = np.extract(mask, x)
        assert out.data.tolist() == [3, 4, 5, 6]
    assert x.compress([False, True], axis=0).data.tolist() == [[4, 5, 6]]
    np.testing.assert_array_equal(grad(np.compress([True, False, True], x, axis=1).sum(), x).data, [[1, 0, 1]] * 2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("period", [4, 3.5, np.float64(4)])
def test_unwrapped_angles_have_numpys_dtype(dtype: Any, period: Any) -> None:
    angles = np.array([0, 2, -2, 7, -7, -3, 1], dtype)
    found, expected = np.unwrap(Tensor(angles), period=period).data, np.unwrap(angles, period=period)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


def _kinks() -> dict[Any, list[float]]:
    """Where the branches of rules meet."""
    special = pytest.importorskip("scipy.special")
    return {
        np.sinc: [-0.5, 0, 0.5, 0.75, 1, 1.25, 1.5, 2],
        np.exp2: [0.0],
        np.arctan: [-1.0, 0, 1],
        lambda x: np.logaddexp(x, -x): [-1.0, 0, 1],
        functions.softplus: [-1.0, 0, 1],
        special.erfinv: [0, special.erf(0.6), -special.erf(0.6)],
        special.erfcx: [0, 0.25, 6],
        special.log_ndtr: [-0.7, 0],
        special.gammaln: [-1.75, -1.5, -1.25, -0.5, 0.5, 1],
        special.digamma: [-1.75, -1.5, -1.25, -0.5, 0.5, 1],
    }


def test_branches_of_a_rule_meet_with_all_their_derivatives() -> None:
    def derivative(function: Any, x: Any, order: int) -> Any:
        out = function(x := leaf(x))
        for _ in range(order):
            out = grad(out, x, np.ones(x.shape), create_graph=True)
        return out.data

    for function, points in _kinks().items():
        x, step = np.array(points), 1e-4
        for order in (1, 2, 3):
            before, after = (derivative(function, x + side, order - 1) for side in (-step, step))
            found = derivative(function, x, order)
            np.testing.assert_allclose(found, (after - before) / (2 * step), rtol=1e-5, atol=1e-6, err_msg=f"{order}")
