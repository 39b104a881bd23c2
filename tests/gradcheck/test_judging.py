"""Verdicts on derivatives that are right, wrong, or hard to judge."""

import numpy as np
import pytest
from checks import X, checked, declared, only, square, squares_with, wrong_log

from autograd_spiral import primitive, relu, softmax_cross_entropy
from autograd_spiral.errors import GradientMismatch
from autograd_spiral.gradcheck import check_against, check_gradients
from autograd_spiral.gradcheck.judging import judge
from autograd_spiral.gradcheck.verdicts import Verdict


@pytest.mark.parametrize(("slope", "reported"), [(2e-7, 1e-7), (1e-7, 2e-7), (3e-9, 2e-9)])
def test_tiny_slopes_are_told_apart(slope, reported):
    @primitive(lambda ct, out, x: ct * reported)
    def tilted(x):
        return 1 + slope * x

    row = only(checked(tilted, X))
    assert row.counts == {Verdict.WRONG: X.size}
    assert checked(lambda x: 1 + slope * x, X).ok


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("function", "kinks"),
    [
        (relu, 1),
        (np.absolute, 1),
        (lambda x: np.maximum(x, x), 0),
        (lambda x: np.maximum(x, 0), 1),
        (lambda x: np.minimum(x, 0), 1),
        (lambda x: np.where(x > 0, x, 3 * x), 1),
        (lambda x: np.where(x >= 0, x, 3 * x), 1),
        (lambda x: relu(2 * x - 1) + relu(x), 2),
        (lambda x: np.sum(np.absolute(x - 0.5)), 1),
        (lambda x: np.maximum(2 * x, 1), 1),
    ],
)
def test_kinks_are_never_wrong(function, kinks, dtype, order):
    x = np.array([0.0, 0.5, -1.25, 2.0, 1e-3, -1e-5], dtype)
    for row in checked(function, x, order=order).rows:
        assert row.verdict in (Verdict.OK, Verdict.KINK)
        assert row.order == 2 or row.counts.get(Verdict.KINK, 0) == kinks
        assert not row.counts.get(Verdict.NOISE)


def test_a_slope_outside_of_a_kink_is_wrong():
    @primitive(lambda ct, out, x: ct * np.where(x == 0, 1.5, x > 0))
    def rectified(x):
        return np.maximum(x, 0)

    row = only(checked(rectified, np.array([0.0, 1.0, -1.0])))
    assert row.worst.index == (0,)
    assert row.counts[Verdict.WRONG] == 1


def test_a_middling_slope_near_a_kink_but_not_on_it_is_wrong():
    @primitive(lambda ct, out, x: ct * 0.5 * (x > -1))
    def rectified(x):
        return np.maximum(x, 0)

    row = only(checked(rectified, np.array([1e-4, 1e-7, -1e-6, 0.0, 1.0])))
    assert row.counts == {Verdict.WRONG: 4, Verdict.KINK: 1}


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(np.exp(x)) / 300,
        lambda x: np.mean(x, axis=0) * 1e-4 + 1,
        lambda x: np.tanh(8 * x),
        lambda x: (x - np.mean(x)) / np.std(x),
        lambda x: np.log(np.sum(np.exp(x - 20))),
        lambda x: softmax_cross_entropy(30 * x, np.zeros(len(x), int)),
        lambda x: np.sin(50 * x),
        lambda x: (1 + x) ** 2 - 2 * x - 1,
        lambda x: np.sum(x) - np.sum(x * (1 - 1e-3)),
    ],
)
def test_right_functions_in_float32_are_ok(function):
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal((20, 3)).astype(np.float32)
        assert checked(function, x).ok is True


HARD = {
    "cancellation": lambda x, w: (x * w + 1e4) - 1e4,
    "cancellation of long sums": lambda x, w: np.sum(np.tile(x * w, 500)) - np.sum(np.tile(x, 500)),
    "a cone": lambda x, w: np.sqrt(np.absolute(x) + np.absolute(w)),
    "a cusp of order 2": lambda x, w: np.absolute(x) ** (2 + w * w),
    "masked": lambda x, w: np.clip(x * w, -0.5, 0.5),
    "two layers": lambda x, w: np.sum(relu(relu(x * w) @ x.mT - 0.3)),
    "normalised": lambda x, w: (x - np.mean(x, axis=1, keepdims=True)) / np.sqrt(np.var(x) + 1e-5) * w,
    "saturated": lambda x, w: softmax_cross_entropy(100 * x * w, np.arange(5) % 3),
    "maxima": lambda x, w: np.max(x * w, axis=1),
}


@pytest.mark.parametrize("directions", [None, 2])
@pytest.mark.parametrize("name", HARD)
def test_hard_functions_that_are_right_are_ok(name, directions):
    rng = np.random.default_rng(1 if directions is None else 0)
    x, w = rng.standard_normal((2, 5, 3)).round(5 if directions is None else 1)  # some numbers tie if they are rounded
    x[0] = w[1] = 0
    assert checked(HARD[name], x, w, order=2, directions=directions).ok is True
    single = (a.astype(np.float32) for a in (x, w))
    assert checked(HARD[name], *single, directions=directions).ok is True


def test_a_function_that_insists_on_float32_is_checked_there():
    def rounding(x):
        return np.tanh(x.astype(np.float32)).astype(np.float64) * 3

    assert checked(rounding, X, cotangent=np.ones(X.shape)).ok is not False
    assert checked(lambda x: np.tanh(x.astype(np.float32)), X.astype(np.float32)).ok
    wrong = squares_with(lambda right: 1.2 * right)
    row = only(checked(lambda x: wrong(x.astype(np.float32)), X.astype(np.float32)))
    assert row.diagnosis.startswith("1.20 × too large")


def test_rounding_that_the_record_does_not_show_is_measured():
    @primitive(lambda ct, out, x: ct * np.cos(x))
    def coarse(x):  # what is recorded is float64
        return np.asarray(np.sin(np.asarray(x, np.float32)), np.float64)

    for seed in range(5):
        assert checked(coarse, np.random.default_rng(seed).uniform(0.1, 1.4, 9)).ok is not False


def test_most_noise_is_undecided_and_raises_nothing():
    def steep(x):
        return np.sqrt(x)

    report = check_gradients(steep, np.zeros(3))
    assert report.ok is None
    assert report.verdict == "undecided"
    assert only(report).counts == {Verdict.NOISE: 3}


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_steps_fit_the_scale_of_the_input(scale):
    x = scale * np.array([0.5, 1.0, 3.0])
    assert checked(lambda x: np.log(x), x, order=2).ok is True
    assert checked(lambda x: np.sum((x / scale) ** 3), x, order=2).ok is True
    assert checked(lambda x: squares_with(lambda right: 1.001 * right)(x), x).ok is False


def test_small_elements_among_large_ones():
    assert checked(lambda x: np.log(x), np.array([1e-7, 1.0, 5.0, 1e4])).ok is True
    assert checked(lambda x: 1 / x, np.array([1e-4, -1e-3, 5.0])).ok is True
    assert checked(lambda x: np.sin(x), np.array([0.0, 1e-9, 5.0, 1e3])).ok is True


def test_borders_of_the_domain_are_checked_from_inside():
    assert checked(lambda x: np.arccos(x), np.array([0.999, -0.9999])).ok is True
    assert checked(lambda x: np.where(x > 0, np.log1p(x) ** 2, 0), np.array([0.0, 1e-9, 1.0])).ok is True
    assert only(checked(lambda x: x * np.sqrt(x), np.array([0.0, 1.0]))).counts == {Verdict.NAN: 1, Verdict.OK: 1}


def test_scores_of_minus_infinity():
    scores = np.array([[0.0, -np.inf, 1.0], [1e4, 0.0, -1e4]])
    assert checked(lambda s: softmax_cross_entropy(s, np.array([0, 0])), scores).ok is True


def test_nan_gradients_are_named():
    positive = squares_with(lambda right: np.where(right > 0, right, np.nan))
    row = only(checked(positive, X, cotangent=np.ones(X.shape)))
    assert row.verdict is Verdict.NAN
    assert row.counts[Verdict.NAN] == np.sum(X <= 0)
    hand = np.where(X > 0, 2 * X, np.nan)
    assert only(check_against(lambda x: np.sum(x * x), hand, X, raise_on_mismatch=False)).verdict is Verdict.NAN


def test_infinite_gradients_are_wrong_where_the_slope_is_finite():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    infinite = declared(square, lambda ct, out, x: ct * np.where(x == 0, np.inf, 2 * x))
    for dtype in ("float64", "float32"):
        row = only(checked(infinite, x.astype(dtype)))
        assert row.counts == {Verdict.WRONG: 1, Verdict.OK: 3}
        assert row.diagnosis == "inf in 1 of 4 elements: where the input is 0"
        assert abs(row.worst.numeric) <= row.worst.bound < 1e-9
    row = only(checked(infinite, np.linspace(0, 5, 2000)))
    assert row.worst.index == (0,)
    assert row.diagnosis == "inf in at least 1 of 2000 elements"
    hand = check_against(lambda x: np.sum(x * x), np.where(x == 1, np.inf, 2 * x), x, raise_on_mismatch=False)
    assert only(hand).diagnosis == "inf in 1 of 4 elements"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "function",
    [
        np.cbrt,
        lambda x: np.cbrt(x) + 100 * x,
        lambda x: np.sqrt(x),
        lambda x: np.sqrt(np.clip(x, 0, None)),
        lambda x: np.sum(x**0.9),
        lambda x: x**0.99,
        lambda x: np.tanh(np.cbrt(x)),
        lambda x: np.log1p(-np.cbrt(x) / 2),
    ],
)
def test_slopes_that_are_infinite_are_not_wrong(function, dtype):
    x = np.array([0.0, 1.0, 0.5, 0.0], dtype)
    assert checked(function, x, order=2).ok is not False
    assert checked(function, x, directions=2).ok is not False


def test_slopes_too_large_for_their_dtype_are_not_wrong():
    assert checked(lambda x: 1 / x, np.array([1e-25, 1.0], np.float32)).ok is not False


# --- outputs that are not finite ----------------------------------------------------------------------------------


def test_elements_are_judged_beside_outputs_that_are_not_finite():
    x = np.array([0.5, -1.0, 2.0])
    for order in (1, 2):
        for row in checked(np.log, x, order=order).rows:
            assert row.counts == {Verdict.OK: 2, Verdict.UNJUDGED: 1}
            assert row.diagnosis == "1 of 3 elements not judged: the function is nan at (1,)"
    assert only(checked(np.exp, np.array([1.0, np.nan]))).counts == {Verdict.OK: 1, Verdict.UNJUDGED: 1}
    assert only(checked(np.log, np.array([0.0, 1.0]))).diagnosis.endswith("not judged: the function is inf at (0,)")
    row = only(checked(wrong_log, x))
    assert row.counts == {Verdict.WRONG: 2, Verdict.UNJUDGED: 1}
    with pytest.raises(GradientMismatch):
        check_gradients(wrong_log, x)


def test_an_output_that_is_not_finite_spoils_no_input_that_leads_to_others_too():
    a, b = np.array([[1.0, np.nan], [2.0, 3.0]]), np.ones((2, 2))
    report = checked(lambda a, b: b @ a, a, b, order=2)
    assert report.ok is True
    report = checked(lambda a, b: (a[0] * b, np.log(-np.exp(b))), a, np.ones(2))
    assert all("output 1 is nan everywhere" in row.diagnosis for row in report.rows)
    assert only(checked(lambda x: np.concatenate([np.log(x[:1]), x * x]), np.array([-1.0, 2.0]))).diagnosis == (
        "checked with the remaining outputs only: the function is nan at (0,)"
    )


@pytest.mark.parametrize("x", [np.array([-1.0, -2.0]), -np.ones(2000)])
@pytest.mark.parametrize("function", [wrong_log, np.log, lambda x: np.sum(np.log(x)), lambda x: 0 * x / 0 * x])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_check_that_judged_nothing_does_not_pass(function, x):
    report = checked(function, x)
    assert report.ok is None
    assert report.verdict == "undecided"
    assert report.unjudged == (only(report).name,)
    assert only(report).verdict is Verdict.UNJUDGED
    assert only(report).diagnosis.startswith("not judged: the function is nan")
    with pytest.raises(GradientMismatch, match="not judged: the function is nan"):
        check_gradients(function, x)


def test_an_input_that_judged_nothing_does_not_pass_beside_one_that_did():
    x, y = np.array([-1.0, -2.0]), np.array([1.0, 2.0, 3.0])
    with pytest.raises(GradientMismatch) as raised:
        check_gradients(lambda x, y: (np.log(x), y * y), x, y)
    assert raised.value.report.unjudged == ("x",)
    assert raised.value.report.rows[1].counts == {Verdict.OK: 3}


@pytest.mark.parametrize("name", HARD)
def test_elements_are_judged_together_as_they_are_alone(name, monkeypatch):
    x, w = np.random.default_rng(2).standard_normal((2, 5, 3)).round(1)
    x[0] = w[1] = 0
    together = checked(HARD[name], x, w)
    monkeypatch.setattr(judge, "VALUES", 1)
    alone = checked(HARD[name], x, w)
    assert [repr(row.slopes) for row in together.rows] == [repr(row.slopes) for row in alone.rows]
