"""Mistakes that are recognised because the engine can imitate them on the recorded function."""

import numpy as np
import pytest
from checks import normal, only
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_spiral import Tensor, primitive, softmax_cross_entropy
from autograd_spiral.gradcheck import check_against
from autograd_spiral.gradcheck.diagnoses import Record

X, V, W, SQUARE = normal(4, 3), normal(2, 4, 3)[1], normal(3, 5), normal(3, 3)
ROWS = np.array([0, 2, 2, 1, 0])


def said(function, gradient, *inputs):
    return only(check_against(function, gradient, *inputs, raise_on_mismatch=False)).diagnosis


def test_masks():
    def masked(x):
        return np.sum(np.maximum(x, 0) * V)

    assert said(masked, np.where(X > 0, V, 0), X) == ""
    assert said(masked, V, X).startswith("as if the mask of np.maximum were forgotten, in `return np.sum(np.maximum(")
    assert said(masked, np.where(X > 0, 0, V), X).startswith("as if the mask of np.maximum were turned round")


def test_rows_that_are_picked_more_than_once():
    def picked(x):
        return np.sum(x[ROWS] ** 2)

    assigned = np.zeros_like(X)
    assigned[ROWS] = 2 * X[ROWS]
    says = said(picked, assigned, X)
    assert says.startswith("as if repeated indices of getitem were assigned, not added up, in `return np.sum(x[ROWS]")
    rows = only(check_against(lambda x, at: np.sum(x[at] ** 2), assigned, X, ROWS, raise_on_mismatch=False)).diagnosis
    assert rows.startswith("as if repeated indices of getitem were assigned")

    def without_a_record(x, at):
        return float(np.sum(np.asarray(x)[at] ** 2))

    row = only(check_against(without_a_record, assigned, X, ROWS, raise_on_mismatch=False))
    assert row.diagnosis == "2.00 × too small, 6 of 12 elements: where an index is repeated"


def test_factors_of_products():
    def product(w):
        return np.sum(np.sin(SQUARE @ w))

    right = np.cos(SQUARE @ W)
    assert said(product, SQUARE.T @ right, W) == ""
    assert said(product, SQUARE @ right, W).startswith("as if a factor of np.matmul were not transposed")
    tall = said(lambda w: np.sum(np.sin(X @ w)), X.reshape(3, 4) @ np.cos(X @ W), W)
    assert tall.startswith("as if a factor of np.matmul were reshaped where it should be transposed")
    assert said(lambda x: np.sum(np.sin(SQUARE @ x)), SQUARE @ np.cos(SQUARE @ X[0]), X[0]).startswith(
        "as if a factor of np.matmul were not transposed"
    )


def test_a_transpose_that_went_back_by_a_reshape():
    def turned(x):
        return np.sum(np.sin(x.T) * V)

    right = np.cos(V * 2) * V
    assert said(turned, right.T, 2 * V.T) == ""
    assert said(turned, right.reshape(3, 4), 2 * V.T).startswith("as if np.transpose were undone by a reshape")


def test_derivatives_at_the_wrong_place_or_forgotten():
    assert said(lambda x: np.sum(np.tanh(x) * V), V, X).startswith("as if the derivative of np.tanh were forgotten")
    at_input = said(lambda x: np.sum(np.tanh(x) * V), (1 - X * X) * V, X)
    assert at_input.startswith("as if the derivative of np.tanh were taken at its input in place of its output")
    at_output = said(lambda x: np.sum(np.sin(x) * V), np.cos(np.sin(X)) * V, X)
    assert at_output.startswith("as if the derivative of np.sin were taken at its output in place of its input")
    assert said(lambda x: np.sum(3 - x * V), V, X) == "sign flipped"


def test_parts_that_are_lost_or_have_a_factor():
    def function(x):
        return np.sum(np.sin(x)) + np.sum((x - np.mean(x, axis=0)) ** 3)

    centred = X - X.mean(axis=0)
    right = np.cos(X) + 3 * centred**2 - 3 * np.mean(centred**2, axis=0)
    assert said(function, right, X) == ""
    assert said(function, right - np.cos(X), X).startswith("as if nothing came back through np.sin")
    assert said(function, right + np.cos(X), X).startswith("the part through np.sin: 2.00 × too large")
    assert said(function, right + 3 * np.mean(centred**2, axis=0), X).startswith(
        "as if nothing came back through np.mean"
    )
    assert said(function, right - 9 * np.mean(centred**2, axis=0), X).startswith(
        "the part through np.mean: 4 × too large: missing factor of 1/N, N = 4"
    )


def test_rows_that_are_not_summed():
    def biased(b):
        return np.sum(np.exp(X + b))

    rows = np.exp(X + 1)
    assert said(biased, rows[0], np.ones(3)).startswith("as if only row 0 counted, of 4")
    assert said(biased, rows[1:].sum(axis=0), np.ones(3)).startswith("as if row 0 were not summed, of 4")
    assert (
        said(biased, rows.mean(axis=0), np.ones(3))
        == "4 × too small: missing factor of N = 4, the length of an axis, or another factor"
    )


def test_uses_in_a_loop():
    def repeated(w):
        h = X
        for _ in range(3):
            h = np.tanh(h @ w)
        return np.sum(h * X)

    states = [X]
    for _ in range(3):
        states.append(np.tanh(states[-1] @ SQUARE))
    d, pieces = X, []
    for t in reversed(range(3)):
        d = d * (1 - states[t + 1] ** 2)
        pieces.append(states[t].T @ d)
        d = d @ SQUARE.T
    assert said(repeated, sum(pieces), SQUARE) == ""
    assert said(repeated, pieces[-1], SQUARE).startswith("as if only one of its 3 uses in np.matmul counted")
    assert said(repeated, pieces[0], SQUARE).startswith("as if nothing came back through np.")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 10))
def test_nothing_is_said_of_numbers_that_no_mistake_gives(seed, size):
    noise = np.random.default_rng(seed).standard_normal(W.shape)

    def loss(w):
        h = np.maximum(0, X @ w)
        return np.mean(np.tanh(h) ** 2) + 0.1 * np.sum(w * w)

    w = Tensor(W, requires_grad=True)
    record = Record(lambda: ({0: w}, [loss(w)]), [np.ones(())])
    h = np.maximum(0, X @ W)
    right = X.T @ (2 * np.tanh(h) * (1 - np.tanh(h) ** 2) * (X @ W > 0) / h.size) + 0.2 * W
    assert np.isclose(record.multiple_of_input(0), 0.2)
    assert record.explained(0, right, {4, 5}) == ""
    assert record.explained(0, right + size * noise, {4, 5}) == ""
    assert record.explained(0, right * np.nan, {4, 5}) == ""


def test_a_rule_that_cannot_take_another_value_is_passed_over():
    def of_positive(ct, out, x):
        if np.any(x < 0):
            raise ValueError("not for these")
        return ct * 2 * x

    square = primitive(of_positive)(lambda x: x * x)
    x = np.array([1.0, -2.0, 3.0])
    assert said(lambda x: np.sum(square(np.abs(x)) * V[0]), np.array([1.0, 5.0, 2.0]), x).startswith("no common factor")


def test_large_records_are_not_searched():
    def long(x):
        for _ in range(400):
            x = np.sin(x) + x / 2
        return np.sum(x)

    x = Tensor([0.1, 0.2, 0.3], requires_grad=True)
    record = Record(lambda: ({0: x}, [long(x)]), [np.ones(())])
    assert record.explained(0, np.array([1.0, 2.0, 5.0]), set()) == ""
    assert next(record._mistakes(), None) is None


def test_a_loop_of_hundreds_of_operations_is_searched():
    def long(x):
        for _ in range(150):
            x = np.maximum(x, 0) - x * 0.01
        return np.sum(x * x)

    x = np.array([0.5, -1.0, 2.0])
    leaf = Tensor(x, requires_grad=True)
    record = Record(lambda: ({0: leaf}, [long(leaf)]), [np.ones(())])
    assert len(record._tried) > 450
    ends = x.copy()
    for _ in range(150):
        ends = np.maximum(ends, 0) - ends * 0.01
    without_masks = 2 * ends * 0.99**150
    assert record.explained(0, without_masks, set()).startswith("as if the mask of np.maximum were forgotten")


@pytest.mark.parametrize("label", [np.array([1, 0, 2, 2]), np.array([2, 2, 1, 0])])
def test_one_hot_in_several_spellings(label):
    scores = normal(4, 5)[:, :3]
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    def picked(s):
        return -np.sum(s[np.arange(4), label]) + np.sum(np.log(np.sum(np.exp(s), axis=1)))

    def masked(s):
        return -np.sum((label[:, None] == np.arange(3)) * s) + np.sum(np.log(np.sum(np.exp(s), axis=1)))

    def divided(s):
        shifted = s - np.max(s, axis=1, keepdims=True)
        return np.sum(-np.log((np.exp(shifted) / np.sum(np.exp(shifted), axis=1, keepdims=True))[np.arange(4), label]))

    for function in (picked, masked, divided):
        assert said(function, probs, scores).startswith("as if one-hot were not subtracted"), function


@pytest.mark.parametrize("share", [0, 1])
def test_the_slope_at_ties_is_a_convention_and_no_mistake(share):
    x = np.array([[0.0, 1.0, -1.0], [2.0, 0.0, -0.5], [0.5, -2.0, 1.0]])
    mask = np.where(x == 0, share, x > 0)

    def loss(b):
        return np.sum(np.tanh(np.maximum(x + b, 0)) * V[:3])

    b = np.zeros(3)
    rows = V[:3] * (1 - np.tanh(np.maximum(x, 0)) ** 2)
    assert check_against(loss, np.sum(rows * mask, axis=0), b).ok
    ties = f", with {share} as the slope at ties"
    assert said(loss, 2 * np.sum(rows * mask, axis=0), b) == f"2.00 × too large{ties}"
    forgotten = said(loss, np.sum(V[:3] * mask, axis=0), b)
    assert forgotten.startswith("as if the derivative of np.tanh were forgotten")
    assert forgotten.endswith(ties)


def test_the_one_hot_of_the_packages_own_loss():
    scores, labels = normal(4, 3), np.array([0, 2, 1, 1])
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    for reduction, n in (("mean", 4), ("sum", 1)):
        says = said(lambda s, how=reduction: softmax_cross_entropy(s, labels, reduction=how), probs / n, scores)
        assert says.startswith("as if one-hot were not subtracted in softmax_cross_entropy")


@given(st.integers(0, 11), st.sampled_from([1.01, -1.0, 3.0]))
@settings(max_examples=12)
def test_one_wrong_element_of_a_matrix_is_named_although_a_value_ties_with_its_bound(at, factor):
    x = X.copy()
    x[1, 2] = 0

    def rectified(x):
        return np.sum(np.maximum(x, 0) @ W + np.sin(x) @ W)

    right = ((x > 0) + np.cos(x)) * W.sum(axis=1)
    right[1, 2] += W.sum(axis=1)[2] / 2
    assert said(rectified, right, x) == ""
    right.flat[at] *= factor
    assert said(rectified, right, x).endswith("1 of 12 elements") or at == 5  # at the tie, 1 and 0 are slopes, too
    everywhere = said(rectified, 7.5 * ((x > 0) + np.cos(x)) * W.sum(axis=1), x)
    assert everywhere == "7.50 × too large, with 0 as the slope at ties"
