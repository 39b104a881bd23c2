"""Reductions, scans and order statistics at special values: zeros, ties, NaNs, infinities, long arrays; and errors."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autograd_spiral import Tensor, capture, grad, hessian
from autograd_spiral.errors import ArgumentError, AutogradError, DtypeError, LostGraphError, NoRuleError, ShapeError
from autograd_spiral.vocabulary.rules.reductions import linear_recurrence


def slopes(function: Any, x: Any, cotangent: Any = None) -> Any:
    """The gradient of `function` at `x`, weighted by `cotangent`, or summed."""
    leaf = Tensor(np.asarray(x, float) if not isinstance(x, np.ndarray) else x, requires_grad=True)
    out = function(leaf)
    return grad(out, leaf, np.ones(out.shape, out.dtype) if cotangent is None else cotangent).data


# --- scans ------------------------------------------------------------------------------------------------------------


EXTREME = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.3, 1e-160, -1e-320, 1e160, 1.7, -2.5])


@given(st.lists(EXTREME, min_size=1, max_size=7), st.sampled_from([1.0, 1e-170]), st.integers(0, 99))
def test_slopes_of_cumulative_products_are_right_beyond_their_range(x: list[float], scale: float, seed: int) -> None:
    assume(sum(abs(factor) > 1e100 for factor in x) < 2)  # beyond, slopes leave the range
    weights = scale * np.random.default_rng(seed).uniform(0.5, 2, len(x))
    factors = [Fraction(factor) for factor in x]
    with np.errstate(all="ignore"):
        found = slopes(np.cumprod, x, weights)
    for i, slope in enumerate(found):
        without = [Fraction(1) if j == i else factor for j, factor in enumerate(factors)]
        terms = [Fraction(weights[k]) * math.prod(without[: k + 1]) for k in range(i, len(x))]
        size, true = sum(map(abs, terms)), sum(terms)
        if Fraction(1, 10**290) < size < 10**290:
            assert abs(Fraction(slope) - true) <= size / 10**13


ZEROS = [[2.0, 0.0, 3.0, 0.0, 5.0], [0.0, 0.0, 0.0], [0.0], [-1.5, 2.0, 0.0, 4.0]]


@pytest.mark.parametrize("x", ZEROS)
def test_products_of_zeros_have_the_derivatives_of_polynomials(x: list[float]) -> None:
    n, weights = len(x), np.arange(1.0, len(x) + 1)

    def without(*left_out: int) -> Any:  # the weighted sum of the products of x[: k + 1] without some factors
        factors = [1.0 if i in left_out else x[i] for i in range(n)]
        return sum(weights[k] * np.prod(factors[: k + 1]) for k in range(n) if k >= max(left_out))

    first = [without(i) for i in range(n)]
    second = [[0.0 if i == j else without(i, j) for j in range(n)] for i in range(n)]
    function = lambda x: np.sum(weights * np.cumprod(x))  # noqa: E731
    np.testing.assert_array_equal(slopes(function, x), first)
    np.testing.assert_array_equal(hessian(function)(np.array(x)), second)


def test_entries_far_apart_do_not_spoil_each_others_slopes() -> None:
    x = np.full(5, 1e200)
    with np.errstate(over="ignore"):
        with np.errstate(invalid="ignore"):  # from the second on, the products themselves overflow
            np.testing.assert_array_equal(slopes(np.cumprod, x, np.eye(5)[0])[:2], [1, 0])
            np.testing.assert_array_equal(slopes(np.cumprod, x, np.eye(5)[1])[:2], [1e200, 1e200])
        for dtype, large in ((np.float32, 1e30), (np.float16, 1e4)):
            narrow = np.array([1 / large, 1, large, large], dtype)  # no product of a beginning overflows
            found = slopes(np.cumprod, narrow, np.array([0, 0, 0, 1], dtype))
            np.testing.assert_allclose(found[1:].astype(float), [large, 1, 1], rtol=4 * np.finfo(dtype).eps)
            found = slopes(np.prod, narrow)
            np.testing.assert_allclose(found[1:].astype(float), [large, 1, 1], rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1001])
@pytest.mark.parametrize("size", [1.0, 1e180])
def test_the_recurrence_by_halves_is_the_one_from_the_end(n: int, size: float) -> None:
    rng = np.random.default_rng(n)
    b, a = rng.uniform(-1, 1, (2, n)), rng.uniform(-1, 1, (2, n - 1)) * np.where(np.arange(n - 1) < 9, size, 0.5)
    b = np.where(np.arange(n) < 12, 0, b) if size > 1 else b
    expected = b.copy()
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(n - 2, -1, -1):
            expected[:, k] += a[:, k] * expected[:, k + 1]
        found = linear_recurrence(b, a, axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum])
def test_ties_of_a_running_extremum_are_split_in_halves(ufunc: Any) -> None:
    np.testing.assert_array_equal(slopes(ufunc.accumulate, [1, 1, 1], np.array([0.0, 0, 1])), [0.25, 0.25, 0.5])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_long_scans_keep_the_digits_of_their_dtype(dtype: Any) -> None:
    x = np.ones(5000, dtype)
    np.testing.assert_array_equal(
        slopes(np.cumprod, x, np.full(5000, 1 / 8, dtype))[[0, 2500, -1]], [625, 312.5, 1 / 8]
    )
    total = slopes(np.logaddexp.accumulate, np.zeros(5000, dtype), np.ones(5000, dtype)).astype(float)
    np.testing.assert_allclose(np.sum(total), 5000, rtol=64 * np.finfo(dtype).eps)


# --- order ------------------------------------------------------------------------------------------------------------


def test_sorting_sends_each_cotangent_to_where_its_entry_was() -> None:
    x, weights = [3.0, 1.0, 2.0, 1.0], np.array([1.0, 2, 4, 8])
    np.testing.assert_array_equal(slopes(lambda x: np.sort(x, stable=True), x, weights), [8, 1, 4, 2])
    assert sorted(slopes(np.sort, x, weights)) == [1, 2, 4, 8]
    np.testing.assert_array_equal(slopes(lambda x: np.partition(x, 3)[3], x), [1, 0, 0, 0])


def test_a_tied_median_gives_its_gradient_away_once() -> None:
    found = slopes(np.median, [2.0, 1.0, 2.0, 2.0])
    assert found.sum() == 1
    assert found[1] == 0


@pytest.mark.parametrize("n", [2, 63, 64, 65, 66, 128, 1000])
def test_the_median_of_many_entries_is_the_mean_of_the_two_in_the_middle(n: int) -> None:
    rng = np.random.default_rng(n)
    middle = [(n - 1) // 2, n // 2]
    for x in (rng.permutation(n) * 1.0, rng.integers(0, 3, n) * 1.0, np.zeros(n), np.full(n, np.inf)):
        ranked = np.sort(x)[middle]
        assert np.median(Tensor(x)).item() == np.mean(ranked)
        found = slopes(np.median, x)
        assert found.sum() == 1
        assert np.count_nonzero(found) == len({*middle})  # also if they are equal
        np.testing.assert_array_equal(np.sort(x[found != 0]), ranked[: len({*middle})])
    lanes = np.stack([rng.permutation(n), rng.permutation(n)]) * 1.0
    lanes[1, 0] = np.nan
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(np.median(Tensor(lanes), axis=1), np.median(lanes, axis=1))
    assert np.quantile(Tensor(lanes[0]), []).shape == (0,)


@pytest.mark.parametrize("function", [np.median, lambda x: np.quantile(x, 0.3)])
def test_a_nan_spoils_a_quantile_and_its_gradient(function: Any) -> None:
    x = Tensor([1.0, np.nan, 2.0, 5.0], requires_grad=True)
    out = function(x)
    assert np.isnan(out.item())
    assert np.isnan(grad(out, x).data).any()
    np.testing.assert_array_equal(slopes(lambda x: np.nanmedian(x), x.data.copy()), [0, 0, 1, 0])


def test_quantiles_of_infinities_are_those_that_exist() -> None:
    x = Tensor([np.inf, 1.0, 2.0, -np.inf, np.inf])
    assert np.median(x).item() == 2
    assert np.quantile(x, 0.75).item() == np.inf
    assert np.quantile(x, 0.0).item() == -np.inf


def test_the_ranks_of_quantiles_must_be_numbers_without_a_gradient() -> None:
    with pytest.raises(LostGraphError, match=r"float\(t\)"):
        np.quantile(Tensor([1.0, 2.0]), Tensor(0.5, requires_grad=True))
    with pytest.raises(LostGraphError, match=r"t\.data"):
        np.percentile([1.0, 2.0], Tensor([50.0], requires_grad=True))


def test_the_order_of_a_step_may_differ_from_call_to_call() -> None:
    step = capture(lambda x: (np.sort(x), np.median(x), np.nanquantile(x, 0.25), np.searchsorted(np.sort(x), 0.3)))
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = rng.uniform(size=9)
        expected = (np.sort(x), np.median(x), np.nanquantile(x, 0.25), np.searchsorted(np.sort(x), 0.3))
        for result, value in zip(step(x), expected, strict=True):
            np.testing.assert_allclose(result.data, value)


def test_the_missing_methods_that_work_in_place_name_the_function() -> None:
    for name in ("sort", "partition"):
        with pytest.raises(AttributeError, match=rf"np\.{name}\(t.*new tensor"):
            getattr(Tensor([1.0]), name)


# --- what does not count ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin])
def test_nans_get_no_gradient_and_change_none(function: Any) -> None:
    x, missing = np.array([[1.5, np.nan, 0.5, 2.0], [np.nan, 3.0, 1.0, -2.0]]), [1, 4]
    known = np.delete(x.ravel(), missing)
    plain = getattr(np, function.__name__.removeprefix("nan"))
    found = slopes(function, x).ravel()
    np.testing.assert_array_equal(found[missing], 0)
    np.testing.assert_allclose(np.delete(found, missing), slopes(plain, known), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_moments_of_long_arrays_beside_nans(dtype: Any) -> None:
    x = Tensor(np.array([1.0, np.nan, 3.0] * 30_000, dtype), requires_grad=True)
    rtol = 8 * np.finfo(dtype).eps
    for function, value, slope in ((np.nanmean, 2, 1), (np.nanvar, 1, -2), (np.nanstd, 1, -1)):
        out = function(x)
        assert out.dtype == dtype
        np.testing.assert_allclose(float(out), value, rtol=rtol)
        np.testing.assert_allclose(
            float(grad(out, x).data[0]), slope / 60_000, rtol=3e-3 if dtype == np.float16 else rtol
        )
    maximum = grad(np.nanmax(x), x).data[:3]
    np.testing.assert_allclose(maximum.astype(float), [0, 0, 1 / 30_000], rtol=3e-3)


def test_a_lane_of_nans_has_no_largest_entry() -> None:
    x = Tensor([[np.nan, np.nan], [1.0, np.nan]], requires_grad=True)
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        out = np.nanmax(x, axis=1)
    np.testing.assert_array_equal(out.data, [np.nan, 1])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(grad(out, x, np.ones(2)).data, [[np.nan, np.nan], [1, 0]])


def test_what_where_leaves_out_may_be_anything() -> None:
    x = np.array([[1.0, np.nan], [np.inf, 3.0]])
    counts = np.isfinite(x)
    for function in (np.sum, np.prod, np.mean, np.var):
        found = slopes(lambda x, f=function: f(x, axis=1, where=counts), x)
        assert np.all(np.isfinite(found))
        np.testing.assert_array_equal(found[~counts], 0)


def test_initial_is_the_result_where_nothing_counts() -> None:
    for function in (np.max, np.min):
        nothing = Tensor(np.zeros((0, 2), np.float32))
        np.testing.assert_array_equal(function(nothing, axis=0, initial=-3).data, [-3, -3])
        np.testing.assert_array_equal(function(Tensor([1.0, 2.0]), where=[False, False], initial=7.0).data, 7)
        with pytest.raises(ArgumentError, match="initial="):
            function(Tensor([1.0, 2.0]), where=[True, False])


def test_methods_take_the_keywords_of_their_functions() -> None:
    x, counts = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[True, False], [True, True]])
    t = Tensor(x.astype(np.float16))
    np.testing.assert_array_equal(t.sum(axis=0, where=counts, initial=1.0).data, [5, 6])
    np.testing.assert_allclose(t.std(where=counts, dtype=np.float64).data, x.std(where=counts), rtol=1e-15)
    assert t.mean(dtype=np.float32).dtype == t.cumprod(0, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(t.max(axis=1, where=counts, initial=-1).data, [1, 5])
    np.testing.assert_array_equal(t.argsort(axis=0, stable=True).data, [[0, 0], [1, 1]])


# --- errors -----------------------------------------------------------------------------------------------------------


ERRORS: dict[str, tuple[Any, type[Exception], str]] = {
    "integer moments": (lambda t: np.mean(t, dtype=int), NoRuleError, "floating dtype"),
    "weights of another length": (lambda t: np.average(t, weights=[1.0, 2.0]), ShapeError, r"shape \(2,\)"),
    "a scan of a matrix": (lambda t: np.cumulative_sum(t.reshape(3, 1)), ValueError, "argument is required"),
    "a negative order": (lambda t: np.diff(t, -1), ValueError, "must be non-negative"),
    "ends that do not fit": (lambda t: np.ediff1d(t.astype(int), to_end=0.5), DtypeError, "dtype of the differences"),
    "too few entries": (lambda t: np.gradient(t[:1]), ShapeError, "more than edge_order=1"),
    "too many spacings": (lambda t: np.gradient(t, 1.0, 2.0), ShapeError, "for each axis"),
    "covariances of a cube": (lambda t: np.cov(t.reshape(3, 1, 1)), ShapeError, "at most 2 axes"),
    "weights of bins": (
        lambda t: np.bincount([0, 1], weights=t),
        ShapeError,
        r"\(3,\) do not fit bins of shape \(2,\)",
    ),
    "bins to differentiate": (lambda t: np.bincount(t), LostGraphError, "drop the graph"),
    "parts out of range": (lambda t: np.add.reduceat(t, [0, 3]), IndexError, "out of range for axis 0"),
    "nothing along an axis": (
        lambda t: np.apply_along_axis(np.sum, 0, t.reshape(3, 1)[:, :0]),
        ShapeError,
        "no entries",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_was_wrong(name: str) -> None:
    call, kind, said = ERRORS[name]
    if name == "a scan of a matrix" and not hasattr(np, "cumulative_sum"):
        pytest.skip("NumPy 2.0 has no cumulative sums of this name")
    with pytest.raises(kind, match=said) as caught:
        call(Tensor([1.0, 2.0, 4.0], requires_grad=True))
    assert isinstance(caught.value, AutogradError) or kind in (ValueError, IndexError)
    assert not re.search("lambda|_reduction", str(caught.value))


def test_other_quantiles_beside_nans_are_refused() -> None:
    x = Tensor([1.0, np.nan, 2.0], requires_grad=True)
    assert np.nanpercentile(x, 50, method="linear").item() == 1.5
    with pytest.raises(NoRuleError, match="method='linear'"):
        np.nanquantile(x, 0.5, method="hazen")


@pytest.mark.parametrize("ufunc", [np.hypot, np.logaddexp])
@pytest.mark.parametrize("setting", [{"initial": 1.0}, {"where": np.array([True, False])}, {"dtype": np.float32}])
def test_reductions_without_settings_say_so_by_their_own_name(ufunc: Any, setting: Any) -> None:
    x = Tensor([3.0, 4.0], requires_grad=True)
    (name,) = setting
    with pytest.raises(NoRuleError, match=rf"np\.{ufunc.__name__}\.reduce on a Tensor is called as .*'{name}'"):
        ufunc.reduce(x, **setting)
