"""Checks of scores and labels: which ones raise, and what the error says to write."""

import re

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import (
    Tensor,
    capture,
    elu,
    gelu,
    grad,
    leaky_relu,
    mean_squared_error,
    softmax_cross_entropy,
)
from autograd_spiral.errors import LabelError, ShapeError

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
def test_scores_that_are_not_a_matrix_raise(shape):
    with pytest.raises(ShapeError, match=r"scores must have shape \(N, K\)"):
        softmax_cross_entropy(leaf(np.zeros(shape)), [0])


def test_integer_scores_and_unknown_reductions_raise():
    with pytest.raises(TypeError, match="scores must be floating, not int64"):
        softmax_cross_entropy(Tensor([[1, 2]]), [0])
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none', not 'avg'"):
        softmax_cross_entropy(leaf([[1, 2]]), [0], reduction="avg")


@pytest.mark.parametrize("row", [[0.5, 0.6, 0.4], [1.5, -0.5, 0.0], [np.nan, 0.5, 0.5], [3.0, 1.0, 2.0]])
def test_rows_that_are_not_probabilities_raise_and_are_named(row):
    with pytest.raises(LabelError, match="row 1 is"):
        softmax_cross_entropy(Tensor(np.zeros((2, 3))), np.array([[0.2, 0.3, 0.5], row]))


def test_labels_numbered_from_1_say_what_to_write():
    with pytest.raises(LabelError, match=r"row 2 is 3, but 3 classes are numbered 0 to 2; .* write labels - 1"):
        softmax_cross_entropy(np.zeros((3, 3)), np.array([1, 2, 3]))


def test_one_hot_rows_of_integers_say_what_to_write():
    with pytest.raises(LabelError, match=r"rows of 0 and 1: write labels.argmax\(axis=1\)"):
        softmax_cross_entropy(np.zeros((3, 4)), np.eye(3, 4, dtype=int))


class Column:
    """Like a column of pandas: it has some attributes of arrays, and NumPy turns it into an array."""

    ndim, dtype, shape = 1, np.dtype(int), (2,)

    def __array__(self, dtype=None, copy=None):
        return np.array([0, 1], dtype)


def test_labels_may_be_anything_that_numpy_turns_into_an_array():
    scores = Tensor(np.eye(2), requires_grad=True)
    assert softmax_cross_entropy(scores, Column()).item() == softmax_cross_entropy(scores, [0, 1]).item()


def test_labels_that_are_strings_say_what_to_write():
    with pytest.raises(LabelError, match=r"not <U3: .* 'cat'; write np\.unique\(labels, return_inverse=True\)\[1\]"):
        softmax_cross_entropy(np.eye(2), np.array(["cat", "dog"]))


def test_fractional_labels_do_not_suggest_a_conversion():
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


# --- weighted and ignored rows ----------------------------------------------------------------------------------------


def recipe(said):
    """The code that a message says to write."""
    code = said.partition("write ")[2].partition(", with a weight")[0]
    return code if "loss = " in code else f"loss = {code}"


@pytest.mark.parametrize("captured", [False, True])
def test_labels_to_ignore_say_what_to_write_and_it_is_the_mean_of_the_other_rows(captured):
    scores, labels = leaf(np.arange(12).reshape(4, 3) ** 2 / 50), np.array([2, -100, 0, -100])
    with pytest.raises(
        LabelError, match=r"row 1 is -100, but 3 classes are numbered 0 to 2; to ignore the rows"
    ) as caught:
        softmax_cross_entropy(scores, labels)
    with pytest.raises(TypeError, match="'ignore_index': to ignore the rows") as of_keyword:
        softmax_cross_entropy(scores, labels, ignore_index=-100)
    assert recipe(str(caught.value)) == recipe(str(of_keyword.value))

    def step(labels):
        names = {"np": np, "softmax_cross_entropy": softmax_cross_entropy, "scores": scores, "labels": labels}
        exec(recipe(str(caught.value)), names)
        return names["loss"], grad(names["loss"], scores)

    loss, slope = (capture(step) if captured else step)(labels)
    kept = labels >= 0
    others = leaf(scores.data[kept])
    expected = softmax_cross_entropy(others, labels[kept])
    assert np.isclose(loss.item(), expected.item())
    np.testing.assert_allclose(slope.data[kept], grad(expected, others).data, atol=1e-15)
    assert not slope.data[~kept].any()


@pytest.mark.parametrize("captured", [False, True])
def test_weights_of_classes_say_what_to_write_and_it_is_the_weighted_mean(captured):
    scores, labels, weights = leaf(np.eye(3)[[0, 1, 0]]), np.array([0, 2, 1]), np.array([1.0, 2.0, 5.0])
    with pytest.raises(TypeError, match=r"'weight': write np.*; the weights of .* classes are (.*)$") as caught:
        softmax_cross_entropy(scores, labels, weight=weights)
    assert str(caught.value).endswith(" are Tensor(class_weights)[labels]")
    code = re.search(r"write (.*weights=)…\), with a weight for each row", str(caught.value))[1]
    names = {"np": np, "Tensor": Tensor, "softmax_cross_entropy": softmax_cross_entropy, "class_weights": weights}

    def step(labels):
        return eval(f"{code}Tensor(class_weights)[labels])", {**names, "scores": scores, "labels": labels})

    losses = [softmax_cross_entropy(scores.data[[i]], labels[[i]]) for i in range(3)]
    expected = np.sum(weights[labels] * losses) / np.sum(weights[labels])
    assert np.isclose((capture(step) if captured else step)(labels).item(), expected)


def test_smoothed_labels_say_what_to_write():
    scores, labels, classes, smoothing = leaf(np.eye(3)), np.array([0, 2, 1]), 3, 0.1
    with pytest.raises(TypeError, match="'label_smoothing': write") as caught:
        softmax_cross_entropy(scores, labels, label_smoothing=0.1)
    smooth = eval(str(caught.value).partition("write ")[2], {**globals(), **locals()})
    hard = [softmax_cross_entropy(scores, np.full(3, k)).item() for k in range(classes)]
    expected = (1 - smoothing) * softmax_cross_entropy(scores, labels).item() + smoothing * np.mean(hard)
    assert np.isclose(smooth.item(), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: softmax_cross_entropy(logits=x, labels=[0]), "'logits': write scores= instead of logits="),
        (
            lambda x: softmax_cross_entropy(x, [0], from_logits=True),
            "'from_logits': leave it out, since the scores are",
        ),
        (lambda x: softmax_cross_entropy(x, [0], axis=1), "'axis': leave it out, since each row"),
        (lambda x: mean_squared_error(x, x, reduction="sum"), "'reduction': write np.square(prediction - target)"),
        (lambda x: leaky_relu(x, negative_slope=0.1), "'negative_slope': write slope= instead of negative_slope="),
        (lambda x: elu(x, inplace=True), "'inplace': leave it out"),
        (lambda x: gelu(x, approximate="none"), "gelu: approximate must be True or False, not 'none'"),
    ],
)
def test_keywords_of_other_libraries_say_what_to_write(call, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        call(leaf([[1, 2]]))
