"""The public checks as a whole: what they take, raise and report."""

import json

import numpy as np
import pytest
from checks import X, checked, declared, normal, only, square, squares_with
from hypothesis import Phase, given, settings

from autograd_spiral import capture, primitive
from autograd_spiral.errors import AutogradError, DtypeError, GradientMismatch, ShapeError
from autograd_spiral.gradcheck import check_against, check_gradients
from autograd_spiral.gradcheck.verdicts import Verdict
from autograd_spiral.spiral import by_hand
from autograd_spiral.spiral.data import spiral
from autograd_spiral.spiral.models import LinearClassifier, TwoLayerNet
from autograd_spiral.testing import arrays_away_from

BENT = {
    "does not depend on the cotangent: multiply by ct": lambda ct, out, x: 2 * x,
    "not linear in the cotangent": lambda ct, out, x: ct * ct * 2 * x,
}


@pytest.mark.parametrize("words", BENT)
@pytest.mark.parametrize("size", [1, 5, 1001])
def test_a_rule_that_is_right_for_a_cotangent_of_1_alone_is_found(words, size):
    x = normal(size)
    row = only(checked(lambda x: np.sum(declared(square, BENT[words])(x)), x))
    assert row.verdict is Verdict.WRONG
    assert row.diagnosis.startswith(words)
    assert row.worst.analytic == pytest.approx(row.worst.numeric)


def test_second_order_faults_are_found():
    @primitive(lambda ct, out, x: ct * once(x))
    def cube(x):
        return x**3

    @primitive(lambda ct, out, x: ct * 3 * x)  # half of what it should be
    def once(x):
        return 3 * x * x

    report = checked(cube, X, order=2)
    assert [(row.order, row.verdict) for row in report.rows] == [(1, Verdict.OK), (2, Verdict.WRONG)]
    assert report.rows[1].diagnosis == "2.00 × too small; only at second order"


def test_what_cannot_be_differentiated_is_refused():
    calls = []

    @capture
    def step(x):
        calls.append(x)
        return np.sum(x * x)

    for check in (lambda f: check_gradients(f, X), lambda f: check_against(f, 2 * X, X)):
        with pytest.raises(
            TypeError, match=r"the captured step step returns tensors without a graph.*pass step\.eager"
        ):
            check(step)
        with pytest.raises(TypeError, match=r"takes a function, as in \w+\(np\.sin, x\), not 'sin'"):
            check("sin")
    assert not calls
    assert check_gradients(step.eager, X).ok is True


def test_bad_calls():
    with pytest.raises(ValueError, match="order must be 1 or 2"):
        check_gradients(np.sin, X, order=3)
    with pytest.raises(ValueError, match=r"no input is floating \(int64\)"):
        check_gradients(np.sin, np.arange(3))
    with pytest.raises(ShapeError, match="2 gradients but 1 floating inputs"):
        check_against(np.sum, [X, X], X)
    with pytest.raises(DtypeError, match=r"returned no floating number \(int64, bool\)"):
        check_gradients(lambda x: (np.argmax(x), x > 0), X)
    with pytest.raises(ZeroDivisionError):
        check_gradients(lambda x: x * (1 / 0), X)


def test_a_mismatch_carries_the_report():
    wrong = squares_with(lambda right: 2 * right)
    with pytest.raises(GradientMismatch, match=r"2\.00 × too large") as caught:
        check_gradients(wrong, X)
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, AutogradError)
    assert caught.value.report.ok is False
    assert json.loads(json.dumps(caught.value.report.to_dict()))["inputs"][0]["diagnosis"] == "2.00 × too large"
    with pytest.raises(GradientMismatch):
        check_against(lambda x: np.sum(x * x), X, X)


@pytest.mark.parametrize(
    ("function", "x", "how", "line"),
    [
        (squares_with(lambda right: -right), X, {}, "squares, {}: sign flipped"),
        (np.log, -np.abs(X), {}, "np.log, {}: not judged: the function is nan everywhere"),
        (declared(square, lambda ct, out, x: 2 * ct), X, {"order": 2}, "square, {}: no common factor"),
    ],
)
def test_a_mismatch_begins_with_the_diagnosis(function, x, how, line):
    with pytest.raises(GradientMismatch) as caught:
        check_gradients(function, x, **how)
    assert str(caught.value).startswith(line.format(caught.value.report.rows[0].name))


@settings(max_examples=5, phases=[Phase.generate, Phase.shrink], database=None)
@given(arrays_away_from([0.0], min_dims=1, max_dims=1, max_side=2, high=1, low=-1))
def forgets_a_factor(x):
    check_gradients(declared(square, lambda ct, out, x: ct * x), x)


def test_within_hypothesis_the_example_shrinks_and_the_diagnosis_comes_first():
    with pytest.raises(GradientMismatch) as caught:
        forgets_a_factor()
    row = caught.value.report.rows[0]
    assert str(caught.value).startswith(f"square, {row.name}: 2.00 × too small\nsquare: wrong\n")
    assert row.x.tolist() == [1.0]
    assert any("x=array([1.])" in note for note in caught.value.__notes__)


def test_the_report_names_the_weights_of_the_outputs_if_one_needs_to_know():
    wrong = squares_with(lambda right: 2 * right)
    by_random_numbers = "slopes of Σ ct · output, with fixed random weights ct from ±0.5 to ±1.5"
    assert str(checked(wrong, X)).endswith(f"{by_random_numbers}; cotangent=np.ones((4, 3)) makes them all 1")
    assert by_random_numbers in str(check_against(lambda x: x * x, X, X, raise_on_mismatch=False))
    ones = checked(wrong, X, cotangent=np.ones((4, 3)))
    for report in (ones, checked(lambda x: np.sum(wrong(x)), X), checked(lambda x: x * x, X, order=2)):
        assert "weights" not in str(report)
    assert only(ones).worst.numeric == pytest.approx(2 * X[only(ones).worst.index])


@pytest.mark.parametrize(
    ("model", "hand"), [(LinearClassifier, by_hand.linear_gradients), (TwoLayerNet, by_hand.two_layer_gradients)]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_case_study_passes_in_full(model, hand, dtype):
    points, classes = spiral(generator=np.random.default_rng(0))
    points = points.astype(dtype)
    smaller = {"hidden": 20} if model is TwoLayerNet and dtype == "float32" else {}  # the same at a fifth of the time
    parameters = [p.data.astype(dtype) for p in model.random(np.random.default_rng(1), **smaller).parameters()]

    def loss(*parameters):
        return model(*parameters).loss(points, classes, 1e-3)

    report = check_gradients(loss, *parameters)
    assert report.ok is True
    assert [row.judged for row in report.rows] == ["elements"] * len(parameters)
    assert sum(sum(row.counts.values()) for row in report.rows) == sum(p.size for p in parameters)
    assert not any(row.counts.get(Verdict.NOISE) for row in report.rows)
    against = check_against(loss, lambda *arrays: hand(points, classes, *arrays, 1e-3)[1], *parameters)
    assert against.ok is True


@pytest.mark.parametrize(
    ("keyword", "message"),
    [
        ("eps", "leave it out, since the step is chosen for each element"),
        ("atol", "leave it out, since each difference has an error bound of its own"),
        ("raise_exception", "write raise_on_mismatch= instead of raise_exception="),
    ],
)
def test_keywords_of_other_checkers_say_what_to_write(keyword, message):
    for check in (check_gradients, check_against):
        with pytest.raises(TypeError, match=rf"^{check.__name__}\(\) got .* '{keyword}': {message}$"):
            check(square, X, **{keyword: 1e-3})
