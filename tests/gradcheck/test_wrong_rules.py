"""Wrong rules of every kind are found, whatever hides them: kinks, noise, exact values, weights of 1."""

import numpy as np
import pytest
from checks import X, checked, declared, only, squares_with
from hypothesis import given, settings
from hypothesis import strategies as st
from wrong_rules import WRONG

from autograd_spiral import GradientMismatch, check_gradients, relu
from autograd_spiral.gradcheck.verdicts import Verdict

few = settings(max_examples=8)


def test_they_are_many():
    assert len(WRONG) >= 80


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_found(name):
    function, vjps, inputs, how = WRONG[name]
    body = (lambda x: function(x)) if len(vjps) == 1 else (lambda x, y: function(x, y))
    with pytest.raises(GradientMismatch) as caught:
        check_gradients(declared(body, *vjps), *inputs, **how)
    assert caught.value.report.ok is False


# --- properties: whole kinds of them --------------------------------------------------------------------------------


@few
@given(st.floats(0, 13), st.floats(0.5, 0.99))
def test_a_smooth_function_far_out_has_no_kink(place, factor):
    deviation = declared(lambda x: np.std(x), lambda ct, out, x: factor * ct * (x - np.mean(x)) / (x.size * out))
    counts = only(checked(deviation, 10**place + np.array([0.0, 1.0, 3.0]))).counts
    assert not counts[Verdict.KINK]
    assert counts[Verdict.WRONG] if place < 10 else counts[Verdict.WRONG] + counts[Verdict.NOISE]


@few
@given(st.integers(1, 10**6), st.lists(st.integers(1, 4000), min_size=1, max_size=3))
def test_a_wave_at_whole_periods_is_not_flat(turns, places):
    wave = declared(lambda t: np.sin(2 * np.pi * turns * t), lambda ct, out, t: 0 * ct)
    assert checked(wave, np.array(places, float)).ok is False


@few
@given(st.lists(st.integers(-40, 40).filter(bool), min_size=1, max_size=4), st.integers(0, 3), st.booleans())
def test_a_rule_that_jumps_at_exact_values_is_found_on_either_side(numbers, places, there):
    x = np.array(numbers, float) / 2**places

    def spoiled(ct, out, x):
        exact = x * 2**places == np.round(x * 2**places)
        return ct * 2 * x * np.where(exact == there, 1.25, 1)

    row = only(checked(declared(lambda x: x * x, spoiled), x))
    assert row.verdict is Verdict.WRONG
    assert row.diagnosis.startswith("right only at these numbers; beside them: 1.25 × too large") is not there


def test_a_rule_that_jumps_is_found_among_many_elements():
    x = np.arange(1.0, 1202.0)
    spoiled = declared(lambda x: x * x, lambda ct, out, x: ct * 2 * x * np.where(x == np.round(x), 1, 2))
    row = only(checked(spoiled, x))
    assert row.diagnosis.startswith("right only at these numbers; beside them: 2.00 × too large")


@few
@given(st.sampled_from([1.3, -1.0, 0.0]), st.sampled_from(["float32", "float64"]))
def test_faults_show_through_a_hidden_dtype(factor, dtype):
    """The values are rounded to float32, so that they move in jumps."""
    rounded = declared(
        lambda x: np.asarray(np.sin(np.asarray(x, np.float32)), x.dtype), lambda ct, out, x: factor * ct * np.cos(x)
    )
    assert checked(rounded, np.array([0.2, 0.7, 1.1], dtype)).ok is False


MASKS = {
    "maximum": lambda x: np.maximum(x, 0),
    "relu": relu,
    "clip": lambda x: np.clip(x, -0.5, 0.5),
    "where": lambda x: np.where(x > 0, x, 0),
    "largest": lambda x: np.max(x, axis=0),
    "shifted": lambda x: x - np.max(x, axis=1, keepdims=True),
    "absolute": np.absolute,
    "cancelled": lambda x: (x + 8) - 8,
    "product": lambda x: relu(x) * (x > 0),
}


@pytest.mark.parametrize("factor", [0.0, 1.01])
@pytest.mark.parametrize("name", MASKS)
def test_faults_show_beside_masks_zeros_and_ties(name, factor):
    spoiled = squares_with(lambda right: factor * right)
    for before, after in ((spoiled, MASKS[name]), (MASKS[name], spoiled)):
        row = only(checked(lambda x, before=before, after=after: np.sum(after(before(x)) * np.arange(1.0, 4.0)), X[:2]))
        assert row.verdict is Verdict.WRONG


# --- second order, through the cotangent ----------------------------------------------------------------------------


def constant(x):
    return x.detach() if hasattr(x, "detach") else x


def test_a_cotangent_that_loses_its_graph_has_a_row_of_its_own():
    right = squares_with(lambda right: right)
    assert [row.order for row in checked(right, np.ones(3), order=2).rows] == [1, 2]
    detached = declared(lambda x: x * x, lambda ct, out, x: constant(ct) * 2 * x)
    rows = checked(detached, np.array([1.0, 2.0]), order=2).rows
    assert [(row.order, row.verdict.fails) for row in rows] == [(1, False), (2, False), (2, True)]
    assert rows[-1].name == "cotangent"
    assert rows[-1].diagnosis == "zero: no path from this input"


def test_only_the_cotangent_that_is_detached_is_wrong():
    def both(x):
        return np.stack([x * x, 3 * x])

    halves = declared(both, lambda ct, out, x: constant(ct[0]) * 2 * x + 3 * ct[1])
    row = checked(halves, np.array([1.0, 2.0]), order=2).rows[-1]
    assert row.name == "cotangent"
    assert row.worst.index[0] == 0
    second = declared(lambda x: x * x, lambda ct, out, x: constant(ct) * 2 * x)
    rows = checked(lambda x: (np.sin(x), second(x)), np.array([1.0, 2.0]), order=2).rows
    assert [row.name for row in rows if row.verdict.fails] == ["cotangent 1"]


def test_outputs_that_are_not_finite_have_no_cotangent_to_judge():
    assert checked(np.log, np.array([-1.0, 0.0, 2.0]), order=2).ok is not False


# --- calls that differ ----------------------------------------------------------------------------------------------


def alternating(first, second):
    calls = iter(range(10**9))
    return lambda x: (first, second)[next(calls) % 2](x)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_calls_that_differ_by_rounding_are_judged_with_a_measured_tolerance(dtype):
    x = np.random.default_rng(0).uniform(0.1, 1.0, 40).astype(dtype)
    summed = alternating(lambda x: np.sum(x * x), lambda x: np.sum((x * x)[::-1].cumsum()[-1]))
    report = checked(summed, x)
    assert report.ok is True
    wrong = squares_with(lambda right: 1.01 * right)
    summed = alternating(lambda x: np.sum(wrong(x)), lambda x: wrong(x)[::-1].cumsum()[-1])
    assert checked(summed, x).ok is False


@pytest.mark.parametrize("relative", [1e-3, 1e-9, 1e-13])
def test_calls_that_differ_by_more_are_not_deterministic(relative):
    drifting = alternating(lambda x: np.sum(x * x), lambda x: np.sum(x * x) * (1 + relative))
    assert only(checked(drifting, np.array([0.3, 1.2]))).verdict is Verdict.NOT_DETERMINISTIC


def test_an_array_that_is_overwritten_by_another_name_is_named():
    data = np.array([1.0, 2.0])
    other = np.array([3.0, 4.0])

    def careless(x, y):
        data[0] += 1
        return x * y

    rows = checked(careless, data, other).rows
    assert [(row.x.tolist(), row.verdict) for row in rows] == [([1.0, 2.0], Verdict.OVERWRITTEN)]
    assert "the caller's array" in rows[0].diagnosis

    def rule(ct, out, x):
        other[0] += 1
        return ct * 2 * x

    rows = checked(declared(lambda x: x * x, rule), other).rows
    assert rows[0].verdict is Verdict.OVERWRITTEN
