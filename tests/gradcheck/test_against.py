"""Gradients derived by hand."""

import numpy as np
import pytest
from checks import FAULTS, X, normal, only

from autograd_spiral import softmax_cross_entropy
from autograd_spiral.errors import GradientMismatch, ShapeError
from autograd_spiral.gradcheck import check_against, check_gradients
from autograd_spiral.gradcheck.verdicts import Verdict
from autograd_spiral.spiral import by_hand
from autograd_spiral.spiral.data import spiral
from autograd_spiral.spiral.models import TwoLayerNet


@pytest.mark.parametrize("diagnosis", FAULTS)
def test_hand_gradients_off_by_a_factor_are_named(diagnosis):
    report = check_against(lambda x: np.sum(x * x), FAULTS[diagnosis](2 * X), X, raise_on_mismatch=False)
    assert only(report).diagnosis == diagnosis


def test_a_missing_mean_over_data_that_the_function_holds_is_named():
    data, W = normal(*(300, 2)), normal(*(2, 3))
    labels = np.arange(300) % 3

    def loss(W):
        return softmax_cross_entropy(data @ W, labels)

    right = by_hand.linear_gradients(data, labels, W, np.zeros((1, 3)), 0.0)[1][0]
    row = only(check_against(loss, 300 * right, W, raise_on_mismatch=False))
    assert row.diagnosis == "300 × too large: missing factor of 1/N, N = 300"


def test_hand_gradients_of_the_wrong_shape_are_named():
    b, data = np.zeros((1, 3)), X
    unsummed = only(check_against(lambda b: np.sum(data * b), data, b, raise_on_mismatch=False))
    assert unsummed.verdict is Verdict.WRONG_SHAPE
    assert unsummed.diagnosis == "gradient of a broadcast not summed: shape (4, 3) for an input of shape (1, 3)"
    turned = only(check_against(lambda x: np.sum(x * x), 2 * X.T, X, raise_on_mismatch=False))
    assert turned.diagnosis == "transposed: shape (3, 4) for an input of shape (4, 3)"
    other = only(check_against(lambda x: np.sum(x * x), np.ones(7), X, raise_on_mismatch=False))
    assert other.diagnosis == "shape (7,) for an input of shape (4, 3)"


def test_a_hand_gradient_of_the_wrong_shape_fails_for_an_input_without_elements():
    row = only(check_against(np.sum, np.ones(3), np.zeros(0), raise_on_mismatch=False))
    assert row.verdict is Verdict.WRONG_SHAPE


def test_a_double_gradient_for_a_single_input_is_named():
    row = only(check_against(lambda x: np.sum(x * x), 2 * X, X.astype(np.float32), raise_on_mismatch=False))
    assert row.verdict is Verdict.WRONG_DTYPE
    assert row.diagnosis == "a float64 gradient for a float32 input"


def test_hands_are_judged_beside_outputs_that_are_not_finite():
    x = np.array([0.5, -1.0, 2.0])
    ones = np.ones(3)
    assert only(check_against(np.log, 1 / x, x, cotangent=ones)).counts == {Verdict.OK: 2, Verdict.UNJUDGED: 1}
    row = only(check_against(np.log, 2 / x, x, cotangent=ones, raise_on_mismatch=False))
    assert row.counts == {Verdict.WRONG: 2, Verdict.UNJUDGED: 1}
    assert row.diagnosis == "2.00 × too large; 1 of 3 elements not judged: the function is nan at (1,)"
    with pytest.raises(GradientMismatch):
        check_against(lambda x: np.sum(np.log(x)), 1 / x, x)


def test_cotangents_weight_the_outputs():
    x = np.array([1.0, 2.0, 3.0])
    report = check_against(lambda x: (x * x, np.sum(x)), 2 * x * [1, 0, -1] + 5, x, cotangent=([1, 0, -1], 5.0))
    assert report.ok
    with pytest.raises(ShapeError, match=r"shapes \(2,\) do not fit outputs of shapes \(3,\)"):
        check_gradients(lambda x: x * x, x, cotangent=[np.ones(2)])


def test_the_other_convention_at_a_kink_is_accepted():
    points, classes = spiral(20, generator=np.random.default_rng(0))
    classes[[0, 20, 40]] = 1  # the three points at the origin, whose gradients would nearly cancel
    W1, b1, W2, b2 = TwoLayerNet.random(np.random.default_rng(1)).parameters()

    def loss(W1, b1, W2, b2):  # np.maximum shares the gradient of a tie, the derivation by hand gives it away
        scores = np.maximum(0, points @ W1 + b1) @ W2 + b2
        return softmax_cross_entropy(scores, classes)

    hand = by_hand.two_layer_gradients(points, classes, W1.data, b1.data, W2.data, b2.data, 0.0)[1]
    report = check_against(loss, hand, W1, b1, W2, b2)
    assert report.ok
    assert report.rows[1].counts[Verdict.KINK] > 50
