"""Losses and softmax at their edges: bad labels, mismatched shapes, and scores where naive formulas overflow."""

import numpy as np
import pytest

from autograd_spiral import (
    Tensor,
    grad,
    log_softmax,
    logsumexp,
    mean_squared_error,
    relu,
    sigmoid,
    softmax,
    softmax_cross_entropy,
    softplus,
)
from autograd_spiral.errors import LabelError, ShapeError

INF = np.inf


def leaf(data):
    return Tensor(np.array(data, dtype=float), requires_grad=True)


# --- labels ---------------------------------------------------------------------------------------------------------

BAD_LABELS = [
    ([0, 3], "label at row 1 is 3, but 3 classes are numbered 0 to 2"),
    ([7, 3], "label at row 0 is 7"),
    ([0, -1], "label at row 1 is -1"),
    (np.array([0, 2**63], np.uint64), "label at row 1 is 9223372036854775808"),
    (np.array([-128, 0], np.int8), "label at row 0 is -128"),
    ([2.0, 1.0], r"integers, not float64: the label at row 0 is 2\.0; write labels\.astype\(int\)$"),
    (np.array([2.0, 1.0], np.float32), r"integers, not float32: the label at row 0 is 2\.0; write"),
    ([True, False], "integers, not bool: the label at row 0 is True; write"),
    ([None, 1], "integers, not object: the label at row 0 is None"),
    ([0], r"shape \(2,\), one per row of scores, not \(1,\)"),
    ([0, 1, 2], r"shape \(2,\), one per row of scores, not \(3,\)"),
    ([[0], [1]], r"not \(2, 1\) .*labels\.ravel\(\)"),
    ([[0, 1]], r"not \(1, 2\)"),
    ([[0, 1, 0], [1, 0, 0]], r"not \(2, 3\)"),
    (1, r"not \(\)"),
]


@pytest.mark.parametrize(("labels", "message"), BAD_LABELS)
@pytest.mark.parametrize("wrap", [lambda scores: scores, lambda scores: scores.data], ids=["tensor", "array"])
def test_bad_labels_are_named(labels, message, wrap):
    scores = wrap(leaf(np.zeros((2, 3))))
    with pytest.raises(LabelError, match=message):
        softmax_cross_entropy(scores, labels)
    with pytest.raises(ValueError, match=message):
        softmax_cross_entropy(scores, np.asarray(labels))


def test_label_tensors_are_checked_too():
    scores = leaf(np.zeros((2, 3)))
    with pytest.raises(LabelError, match="row 1 is 3"):
        softmax_cross_entropy(scores, Tensor([0, 3]))
    assert softmax_cross_entropy(scores, Tensor([0, 2])).item() == pytest.approx(np.log(3))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, np.uint64])
def test_labels_of_any_integer_dtype(dtype):
    scores = leaf([[0, 0, np.log(2)], [0, 0, np.log(2)]])
    loss = softmax_cross_entropy(scores, np.array([0, 2], dtype))
    loss.backward()
    assert loss.item() == pytest.approx(np.log(4) - np.log(2) / 2)
    np.testing.assert_allclose(scores.grad, [[-0.375, 0.125, 0.25], [0.125, 0.125, -0.25]])


def test_overwriting_labels_after_the_loss_changes_nothing():
    scores, labels = leaf(np.zeros((1, 2))), np.array([0])
    loss = softmax_cross_entropy(scores, labels)
    labels[:] = 1
    loss.backward()
    assert scores.grad.tolist() == [[-0.5, 0.5]]


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), ()])
def test_scores_that_are_no_matrix(shape):
    with pytest.raises(ShapeError, match=r"scores must have shape \(N, K\)"):
        softmax_cross_entropy(leaf(np.zeros(shape)), [0])


def test_scores_of_integers_and_unknown_reductions():
    with pytest.raises(TypeError, match="scores must be floating, not int64"):
        softmax_cross_entropy(Tensor([[1, 2]]), [0])
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none', not 'avg'"):
        softmax_cross_entropy(leaf([[1, 2]]), [0], reduction="avg")


# --- mean squared error ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prediction", "target"), [((4, 1), (4,)), ((4,), (4, 1)), ((4,), (1,)), ((4, 1), ()), ((3,), (4,))]
)
def test_mean_squared_error_does_not_broadcast(prediction, target):
    for wrap in (lambda a: a, Tensor):
        with pytest.raises(ShapeError) as caught:
            mean_squared_error(leaf(np.zeros(prediction)), wrap(np.zeros(target)))
        assert f"prediction of shape {prediction} and target of shape {target}" in str(caught.value)


def test_mean_squared_error_and_its_gradients():
    x, y = leaf([[1, 2]]), leaf([[3, 5]])
    loss = mean_squared_error(x, y)
    loss.backward()
    assert loss.item() == 6.5
    assert (x.grad.tolist(), y.grad.tolist()) == ([[-2, -3]], [[2, 3]])


# --- extreme scores -------------------------------------------------------------------------------------------------

THIRD, HALF = 1 / 3, 1 / 2
SCORES = {
    "huge": ([1e4, -1e4, 0], [1, 0, 0]),
    "huge and negative": ([-1e4, -1e4, -3e4], [HALF, HALF, 0]),
    "minus infinity at another class": ([0, 0, -INF], [HALF, HALF, 0]),
    "all but one minus infinity": ([-INF, 5, -INF], [0, 1, 0]),
    "all equal": ([7, 7, 7], [THIRD] * 3),
    "all equal and huge": ([1e4] * 3, [THIRD] * 3),
    "beyond the square root of the largest": ([1e200, 1e200, -1e200], [HALF, HALF, 0]),
}
extreme = pytest.mark.parametrize(("row", "p"), SCORES.values(), ids=SCORES)


@extreme
def test_softmax_and_its_derivatives_are_exact(row, p):
    p, ct = np.array(p), np.array([1.0, 2.0, 4.0])
    x = leaf(row)
    out = softmax(x)
    np.testing.assert_allclose(out.data, p, rtol=1e-15)
    first = grad(out, x, ct, create_graph=True)
    np.testing.assert_allclose(first.data, p * (ct - p @ ct), atol=1e-15)
    assert np.isfinite(grad(first, x, ct).data).all()


@extreme
def test_log_softmax_and_its_derivatives_are_exact(row, p):
    p, ct = np.array(p), np.array([1.0, 2.0, 4.0])
    x = leaf(row)
    out = log_softmax(x)
    np.testing.assert_allclose(np.exp(out.data), p, rtol=1e-15)
    assert not np.isnan(out.data).any()
    first = grad(out, x, ct, create_graph=True)
    np.testing.assert_allclose(first.data, ct - 7 * p, atol=1e-14)
    assert np.isfinite(grad(first, x, ct).data).all()


@extreme
def test_logsumexp_and_its_derivatives_are_exact(row, p):
    p = np.array(p)
    x = leaf(row)
    out = logsumexp(x)
    assert out.item() == pytest.approx(max(row) - np.log(p[p > 0].max()), rel=1e-15)
    first = grad(out, x, create_graph=True)
    np.testing.assert_allclose(first.data, p, rtol=1e-15)
    second = grad(first, x, np.array([1.0, 2.0, 4.0])).data
    np.testing.assert_allclose(second, p * (np.array([1, 2, 4]) - p @ [1, 2, 4]), atol=1e-15)


@extreme
@pytest.mark.parametrize("label", [0, 1, 2])
def test_cross_entropy_and_its_derivatives_are_exact(row, p, label):
    p, onehot = np.array(p), np.eye(3)[label]
    x = leaf([row])
    loss = softmax_cross_entropy(x, [label])
    shifted = np.array(row) - max(row)
    np.testing.assert_allclose(loss.item(), np.log(np.exp(shifted).sum()) - shifted[label], rtol=1e-14)
    first = grad(loss, x, create_graph=True)
    np.testing.assert_allclose(first.data, [p - onehot], atol=1e-15)
    assert np.isfinite(grad(first, x, np.array([[1.0, 2.0, 4.0]])).data).all()


@extreme
def test_cross_entropy_with_class_probabilities_is_exact(row, p):
    x = leaf([row])
    target = np.array([p], dtype=float)
    loss = softmax_cross_entropy(x, target)
    loss.backward()
    positive = target[target > 0]
    assert loss.item() == pytest.approx(-(positive @ np.log(positive)), abs=1e-12)
    np.testing.assert_allclose(x.grad, np.zeros((1, 3)), atol=1e-12)


@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_of_a_row_of_minus_infinity(keepdims):
    x = leaf([[-INF, -INF], [0, 0]])
    out = logsumexp(x, axis=1, keepdims=keepdims)
    assert out.data.ravel().tolist() == [-INF, np.log(2)]
    out.backward(np.ones(out.shape))
    assert x.grad.tolist() == [[0, 0], [0.5, 0.5]]


def test_logaddexp_of_minus_infinity():
    x, y = leaf([-INF, 0, -INF]), leaf([-INF, -INF, 1e4])
    out = np.logaddexp(x, y)
    assert out.data.tolist() == [-INF, 0, 1e4]
    out.backward(np.ones(3))
    assert x.grad.tolist() == [0, 1, 0]
    assert y.grad.tolist() == [0, 0, 1]


@pytest.mark.parametrize("score", [1e4, -1e4, 1e200])
def test_logaddexp_of_equal_and_huge_scores_shares_equally(score):
    x, y = leaf(score), leaf(score)
    np.logaddexp(x, y).backward()
    assert (x.grad, y.grad) == (0.5, 0.5)


def test_logsumexp_gradients_in_single_precision_do_not_suffer_from_a_large_result():
    x = Tensor(np.float32([1e4, 1e4, 1e4]), requires_grad=True)
    logsumexp(x).backward()
    np.testing.assert_allclose(x.grad, np.full(3, 1 / 3), rtol=2e-7)


@pytest.mark.parametrize(
    ("function", "value", "slope"),
    [
        (sigmoid, [0, 0.5, 1], [0, 0.25, 0]),
        (relu, [0, 0, 1e4], [0, 0, 1]),
        (softplus, [0, np.log(2), 1e4], [0, 0.5, 1]),
    ],
)
def test_activations_at_extremes(function, value, slope):
    x = leaf([-1e4, 0, 1e4])
    out = function(x)
    np.testing.assert_allclose(out.data, value, rtol=1e-15)
    first = grad(out, x, np.ones(3), create_graph=True)
    np.testing.assert_allclose(first.data, slope, rtol=1e-15)
    assert np.isfinite(grad(first, x, np.ones(3)).data).all()


def test_half_precision_losses_stay_in_half_precision():
    scores = Tensor(np.array([[1e4, -1e4], [3, 3]], np.float16), requires_grad=True)
    loss = softmax_cross_entropy(scores, [0, 1])
    loss.backward()
    assert loss.dtype == scores.grad.dtype == np.float16
    assert scores.grad.tolist() == [[0, 0], [0.25, -0.25]]


@pytest.mark.parametrize("row", [[0.5, 0.6, 0.4], [1.5, -0.5, 0.0], [np.nan, 0.5, 0.5], [3.0, 1.0, 2.0]])
def test_rows_that_are_no_probabilities_are_named(row):
    with pytest.raises(LabelError, match="row 1 is"):
        softmax_cross_entropy(Tensor(np.zeros((2, 3))), np.array([[0.2, 0.3, 0.5], row]))


def test_labels_numbered_from_1_are_told_how_to_be_numbered_from_0():
    with pytest.raises(LabelError, match=r"row 2 is 3, but 3 classes are numbered 0 to 2; .* write labels - 1"):
        softmax_cross_entropy(np.zeros((3, 3)), np.array([1, 2, 3]))


def test_one_hot_rows_of_integers_are_told_what_to_write():
    with pytest.raises(LabelError, match=r"rows of 0 and 1: write labels.argmax\(axis=1\)"):
        softmax_cross_entropy(np.zeros((3, 4)), np.eye(3, 4, dtype=int))


class Column:
    """As of pandas: with some of the names that arrays have, and made an array by NumPy."""

    ndim, dtype, shape = 1, np.dtype(int), (2,)

    def __array__(self, dtype=None, copy=None):
        return np.array([0, 1], dtype)


def test_what_numpy_makes_an_array_of_can_be_labels():
    scores = Tensor(np.eye(2), requires_grad=True)
    assert softmax_cross_entropy(scores, Column()).item() == softmax_cross_entropy(scores, [0, 1]).item()


def test_labels_in_words_are_numbered_first():
    with pytest.raises(LabelError, match=r"not <U3: .* 'cat'; write np\.unique\(labels, return_inverse=True\)\[1\]"):
        softmax_cross_entropy(np.eye(2), np.array(["cat", "dog"]))


def test_labels_that_are_not_whole_are_not_to_be_cut_off():
    with pytest.raises(LabelError, match=r"the label at row 0 is 0\.5; some labels are not whole numbers$"):
        softmax_cross_entropy(np.eye(2), [0.5, 1.7])


@pytest.mark.parametrize(
    ("dtype", "classes"), [(np.int8, 127), (np.int8, 128), (np.int8, 129), (np.int8, 300), (np.int16, 40_000)]
)
def test_negative_labels_of_narrow_dtypes_are_found_among_many_classes(dtype, classes):
    scores = np.zeros((2, classes))
    softmax_cross_entropy(scores, np.array([0, min(classes - 1, np.iinfo(dtype).max)], dtype))
    for bad in (-1, np.iinfo(dtype).min):
        with pytest.raises(LabelError, match=f"the label at row 1 is {bad}, but"):
            softmax_cross_entropy(scores, np.array([0, bad], dtype))
