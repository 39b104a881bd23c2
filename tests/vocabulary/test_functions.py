"""The functions that NumPy lacks: against independent formulas, finite differences, and far out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from examples import strategy
from function_cases import FUNCTION_CASES
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import assert_close, assert_gradients, assert_precision, assert_second_order, assert_value

from autograd_spiral import Tensor, grad
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.vocabulary import functions

EXAMPLES = {function: strategy(function, case) for function, case in FUNCTION_CASES.items()}

every_function = pytest.mark.parametrize("function", EXAMPLES, ids=name_of)


def test_every_function_has_a_case() -> None:
    public = {getattr(functions, name) for name in functions.__all__}
    assert {f for f in public if name_of(f) != "check_labels"} <= set(FUNCTION_CASES)
    assert {f for f in PRIMITIVES if getattr(f, "__module__", None) == functions.__name__} <= set(FUNCTION_CASES)


@every_function
@settings(max_examples=30)
@given(data=st.data())
def test_the_value_is_the_formulas(function: Any, data: st.DataObject) -> None:
    assert_value(data.draw(EXAMPLES[function]))


@every_function
@settings(max_examples=30)
@given(data=st.data())
def test_on_arrays_the_value_is_a_plain_array(function: Any, data: st.DataObject) -> None:
    example = data.draw(EXAMPLES[function])
    value, expected = example.call(*example.arrays), example.oracle(*example.arrays)
    assert type(value) in (np.ndarray, np.float64)
    assert value.shape == np.shape(expected)
    assert_close(value, expected, 1e-13, "on arrays")


@every_function
@settings(max_examples=10)
@given(data=st.data(), dtype=st.sampled_from((np.float32, np.float16)))
def test_narrow_dtypes_are_kept(function: Any, data: st.DataObject, dtype: Any) -> None:
    assert_precision(data.draw(EXAMPLES[function]), dtype)


@every_function
@settings(max_examples=30)
@given(data=st.data())
def test_the_gradient_is_that_of_finite_differences(function: Any, data: st.DataObject) -> None:
    assert_gradients(data.draw(EXAMPLES[function]))


@every_function
@settings(max_examples=30)
@given(data=st.data())
def test_the_second_order_is_that_of_finite_differences(function: Any, data: st.DataObject) -> None:
    assert_second_order(data.draw(EXAMPLES[function]))


# --- conventions --------------------------------------------------------------------------------------------------


def gradients_of(function: Any, x: Any) -> tuple[Any, Any, Any]:
    """The value, the gradient of its sum, and the gradient of the sum of that."""
    leaf = Tensor(np.asarray(x, float), requires_grad=True)
    out = function(leaf)
    first = grad(out, leaf, np.ones(out.shape), create_graph=True)
    return out.data, first.data, grad(first, leaf, np.ones(leaf.shape)).data


def test_relu_has_derivative_0_at_0() -> None:
    out, first, _ = gradients_of(functions.relu, [-1, -0.0, 0.0, 2])
    np.testing.assert_array_equal(out, [0, 0, 0, 2])
    np.testing.assert_array_equal(first, [0, 0, 0, 1])


def test_leaky_relu_has_the_slope_at_0() -> None:
    np.testing.assert_array_equal(gradients_of(lambda x: functions.leaky_relu(x, 0.25), [-1, 0, 2])[1], [0.25, 0.25, 1])


@pytest.mark.parametrize(
    ("function", "limits", "slopes"),
    [
        (functions.sigmoid, [0, 1], [0, 0]),
        (functions.softplus, [0, 1e4], [0, 1]),
        (functions.silu, [0, 1e4], [0, 1]),
        (functions.elu, [-1, 1e4], [0, 1]),
        (functions.gelu, [0, 1e4], [0, 1]),
        (lambda x: functions.gelu(x, approximate=True), [0, 1e4], [0, 1]),
    ],
    ids=["sigmoid", "softplus", "silu", "elu", "gelu", "gelu by tanh"],
)
def test_activations_are_stable_far_out(function: Any, limits: Any, slopes: Any) -> None:
    out, first, second = gradients_of(function, [-1e4, 1e4])
    np.testing.assert_allclose(out, limits, atol=1e-300)
    np.testing.assert_allclose(first, slopes, atol=1e-300)
    np.testing.assert_allclose(second, [0, 0], atol=1e-300)


@pytest.mark.parametrize("x", [[-800.0, 800.0], [0.0, -0.0], [-37.0, 37.0]])
def test_the_sigmoid_is_symmetric(x: Any) -> None:
    out, first, _ = gradients_of(functions.sigmoid, x)
    np.testing.assert_allclose(out[0], 1 - out[1], atol=1e-16)
    np.testing.assert_allclose(first[0], first[1], atol=1e-15)


def test_the_smooth_activations_are_right_at_0() -> None:
    assert [float(d) for d in gradients_of(functions.sigmoid, 0)] == [0.5, 0.25, 0]
    assert [float(d) for d in gradients_of(functions.silu, 0)] == [0, 0.5, 0.5]
    np.testing.assert_allclose(gradients_of(functions.softplus, 0), [np.log(2), 0.5, 0.25])
    np.testing.assert_allclose(gradients_of(functions.elu, 0)[:2], [0, 1])


SCORES = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -np.inf], [-np.inf, 3.0, -np.inf]])
SHARES = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0], [0, 1, 0]])


def test_softmax_is_stable() -> None:
    out, first, second = gradients_of(functions.softmax, SCORES)
    np.testing.assert_allclose(out, SHARES)
    np.testing.assert_allclose(first, np.zeros_like(SCORES), atol=1e-15)
    assert np.all(np.isfinite(second))


def test_log_softmax_is_stable() -> None:
    out, first, second = gradients_of(functions.log_softmax, SCORES)
    thirds, halves = -np.log(3), -np.log(2)
    expected = [[0, -2e4, -1e4], [thirds] * 3, [halves, halves, -np.inf], [-np.inf, 0, -np.inf]]
    np.testing.assert_allclose(out, expected)
    np.testing.assert_allclose(first, 1 - 3 * SHARES, atol=1e-14)
    assert np.all(np.isfinite(second))


def test_logsumexp_is_stable() -> None:
    out, first, second = gradients_of(lambda x: functions.logsumexp(x, axis=1), SCORES)
    np.testing.assert_allclose(out, [1e4, -1e4 + np.log(3), 1e4 + np.log(2), 3])
    np.testing.assert_allclose(first, SHARES, atol=1e-11)  # exp of a difference of numbers of size 1e4
    np.testing.assert_allclose(second, np.zeros_like(SCORES), atol=1e-11)


def test_logsumexp_of_nothing_possible_is_impossible_with_gradient_0() -> None:
    out, first, _ = gradients_of(lambda x: functions.logsumexp(x, axis=1), np.full((1, 3), -np.inf))
    assert out[0] == -np.inf
    np.testing.assert_array_equal(first, np.zeros((1, 3)))


@pytest.mark.parametrize("as_probabilities", [False, True])
def test_softmax_cross_entropy_is_stable(as_probabilities: bool) -> None:
    labels = np.array([0, 1, 1, 1])
    targets = np.eye(3)[labels] if as_probabilities else labels
    out, first, second = gradients_of(
        lambda scores: functions.softmax_cross_entropy(scores, targets, reduction="none"), SCORES
    )
    np.testing.assert_allclose(out, [0, np.log(3), np.log(2), 0], atol=1e-15)
    np.testing.assert_allclose(first, SHARES - np.eye(3)[labels], atol=1e-15)
    assert np.all(np.isfinite(second))


def test_the_gradient_of_the_mean_loss_is_the_derived_one() -> None:
    scores = Tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]], requires_grad=True)
    functions.softmax_cross_entropy(scores, [2, 0]).backward()
    p = np.exp(scores.data) / np.exp(scores.data).sum(axis=1, keepdims=True)
    p[[0, 1], [2, 0]] -= 1
    assert scores.grad is not None
    np.testing.assert_allclose(scores.grad, p / 2, rtol=1e-14)


ON_LISTS = ("relu", "sigmoid", "leaky_relu", "elu", "gelu", "silu", "softplus", "softmax", "log_softmax", "logsumexp")


@pytest.mark.parametrize("name", ON_LISTS)
def test_lists_are_taken_as_arrays(name):
    function = getattr(functions, name)
    np.testing.assert_array_equal(function([1.0, -2.0]), function(np.array([1.0, -2.0])))
