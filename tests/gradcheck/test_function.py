"""The function that is checked, with its inputs and outputs."""

import numpy as np
from checks import X, checked, normal, only

from autograd_spiral import Tensor, primitive
from autograd_spiral.gradcheck import check_gradients
from autograd_spiral.gradcheck.function import CheckedFunction
from autograd_spiral.gradcheck.verdicts import Verdict


def test_several_inputs_and_outputs_and_constants():
    labels = np.array([0, 2, 1, 1])

    def both(x, w, rows):
        return x @ w, np.sum(x, axis=1), x[rows]

    report = checked(both, X, Tensor(normal(*(3, 2)), name="w"), labels, order=2)
    assert report.ok
    assert [row.name for row in report.rows] == ["input 0", "w"] * 2


def test_an_argument_without_a_rule_is_a_constant():
    @primitive(lambda ct, out, x, mask: ct * mask / np.sum(mask), None)
    def masked_mean(x, mask):
        assert not isinstance(mask, Tensor)
        return np.sum(x * mask) / np.sum(mask)

    mask = np.array([1.0, 0.5, 2.0])
    for given in (mask, Tensor(mask)):
        report = checked(masked_mean, normal(3), given, order=2)
        assert report.ok is True
        assert [(row.name, row.order) for row in report.rows] == [("input 0", 1), ("input 0", 2)]
    assert checked(lambda x, mask: masked_mean(x, mask), mask, mask).ok is False

    @primitive(None)
    def flat(x):
        return x * x

    assert only(checked(flat, X)).diagnosis == "zero: no path from this input"


def test_an_input_that_the_outputs_ignore_and_one_whose_path_is_cut():
    assert checked(lambda x, y: np.sum(x) + 0 * np.sum(y), X, X).ok
    assert checked(lambda x, y: np.sum(x), X, X).ok
    cut = checked(lambda x, y: np.sum(x * Tensor(y.data)), X, X)
    assert [row.diagnosis for row in cut.rows] == ["", "zero: no path from this input"]
    constant = checked(lambda x: np.sum(np.exp(x.data)), X)
    assert only(constant).diagnosis == "zero: no path from this input"


def test_functions_that_differ_between_calls_are_named():
    rng = np.random.default_rng()
    row = only(checked(lambda x: x * rng.standard_normal(), X))
    assert row.verdict is Verdict.NOT_DETERMINISTIC
    assert "two calls" in row.diagnosis


def test_functions_that_overwrite_their_inputs_are_named():
    def on_tensors(x):
        x += 1
        return x

    def on_arrays(x, places):
        places[0] = 1
        return x[places]

    def through_data(x):
        x.data[0] = 1
        return x * x

    row = only(checked(on_tensors, X))
    assert row.verdict is Verdict.OVERWRITTEN
    assert "assign" in row.diagnosis
    assert checked(on_arrays, X, np.array([0, 2])).rows[0].verdict is Verdict.OVERWRITTEN
    assert only(checked(through_data, X)).verdict is Verdict.OVERWRITTEN


def test_inputs_are_left_as_they_were():
    x = X.copy()
    w = Tensor(X, requires_grad=True)
    check_gradients(lambda a, b: a * b, x, w)
    assert np.array_equal(x, X)
    assert w.grad is None


def test_random_cotangents_stay_away_from_0():
    low, high = (f(np.abs(CheckedFunction(np.exp, [np.zeros(10**5)]).cotangents(None)[0])) for f in (np.min, np.max))
    assert (low.round(3), high.round(3)) == (0.5, 1.5)
