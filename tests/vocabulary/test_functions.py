"""The functions that NumPy lacks: compared with independent formulas and finite differences, and at extreme inputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from examples import Example, Examples
from function_cases import FUNCTION_CASES
from leaves import leaf
from properties import assert_close, assert_gradients, assert_precision, assert_second_order, assert_value

from autograd_spiral import Tensor, capture, grad
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.errors import ShapeError
from autograd_spiral.vocabulary import functions

EXAMPLES = {function: Examples(function, case) for function, case in FUNCTION_CASES.items()}

every_function = pytest.mark.parametrize("function", EXAMPLES, ids=name_of)


def test_every_function_has_a_case() -> None:
    public = {getattr(functions, name) for name in functions.__all__}
    assert {f for f in public if name_of(f) != "check_labels"} <= set(FUNCTION_CASES)
    assert {f for f in PRIMITIVES if getattr(f, "__module__", None) == functions.__name__} <= set(FUNCTION_CASES)


@every_function
def test_the_value_is_the_formulas(function: Any) -> None:
    EXAMPLES[function].check(assert_value)


@every_function
def test_on_arrays_the_value_is_a_plain_array(function: Any) -> None:
    def holds(example: Example) -> None:
        value, expected = example.call(*example.arrays), example.oracle(*example.arrays)
        assert type(value) in (np.ndarray, np.float64)
        assert value.shape == np.shape(expected)
        assert_close(value, expected, 1e-13, "on arrays")

    EXAMPLES[function].check(holds)


@every_function
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_narrow_dtypes_are_kept(function: Any, dtype: Any) -> None:
    EXAMPLES[function].check(lambda example: assert_precision(example, dtype), count=10)


@every_function
def test_the_gradient_is_that_of_finite_differences(function: Any) -> None:
    EXAMPLES[function].check(assert_gradients)


@every_function
def test_the_second_order_is_that_of_finite_differences(function: Any) -> None:
    EXAMPLES[function].check(assert_second_order)


# --- conventions --------------------------------------------------------------------------------------------------


def gradients_of(function: Any, x: Any) -> tuple[Any, Any, Any]:
    """The value, the gradient of its sum, and the gradient of the sum of that."""
    x = leaf(x)
    out = function(x)
    first = grad(out, x, np.ones(out.shape), create_graph=True)
    return out.data, first.data, grad(first, x, np.ones(x.shape)).data


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


def test_logsumexp_of_a_row_of_minus_infinity_has_gradient_0() -> None:
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


def test_the_gradient_of_the_mean_loss_is_the_one_derived_by_hand() -> None:
    scores = Tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]], requires_grad=True)
    functions.softmax_cross_entropy(scores, [2, 0]).backward()
    p = np.exp(scores.data) / np.exp(scores.data).sum(axis=1, keepdims=True)
    p[[0, 1], [2, 0]] -= 1
    assert scores.grad is not None
    np.testing.assert_allclose(scores.grad, p / 2, rtol=1e-14)


ON_LISTS = ("relu", "sigmoid", "leaky_relu", "elu", "gelu", "silu", "softplus", "softmax", "log_softmax", "logsumexp")


@pytest.mark.parametrize("name", ON_LISTS)
def test_lists_are_accepted_as_arrays(name):
    function = getattr(functions, name)
    np.testing.assert_array_equal(function([1.0, -2.0]), function(np.array([1.0, -2.0])))


@pytest.mark.parametrize("wrap", [list, np.array, lambda x: np.array(x, np.uint8), lambda x: Tensor(np.array(x))])
def test_erf_of_integers_is_floating(wrap):
    found = functions.erf(wrap([0, 1, 2]))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(getattr(found, "data", found), [math.erf(n) for n in range(3)])


def test_erf_of_integers_is_captured():
    step = capture(lambda x: functions.erf(x))
    np.testing.assert_array_equal(step(np.arange(3)).data, [math.erf(n) for n in range(3)])


# --- mean squared error -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prediction", "target"), [((4, 1), (4,)), ((4,), (4, 1)), ((4,), (1,)), ((4, 1), ()), ((3,), (4,))]
)
def test_mean_squared_error_does_not_broadcast(prediction, target):
    for wrap in (lambda a: a, Tensor):
        with pytest.raises(ShapeError) as caught:
            functions.mean_squared_error(leaf(np.zeros(prediction)), wrap(np.zeros(target)))
        assert f"prediction of shape {prediction} and target of shape {target}" in str(caught.value)


def test_mean_squared_error_and_its_gradients():
    x, y = leaf([[1, 2]]), leaf([[3, 5]])
    loss = functions.mean_squared_error(x, y)
    loss.backward()
    assert loss.item() == 6.5
    assert (x.grad.tolist(), y.grad.tolist()) == ([[-2, -3]], [[2, 3]])


# --- extreme scores ---------------------------------------------------------------------------------------------------

THIRD, HALF = 1 / 3, 1 / 2
EXTREME_ROWS = {
    "huge": ([1e4, -1e4, 0], [1, 0, 0]),
    "huge and negative": ([-1e4, -1e4, -3e4], [HALF, HALF, 0]),
    "minus infinity at another class": ([0, 0, -np.inf], [HALF, HALF, 0]),
    "all but one minus infinity": ([-np.inf, 5, -np.inf], [0, 1, 0]),
    "all equal": ([7, 7, 7], [THIRD] * 3),
    "all equal and huge": ([1e4] * 3, [THIRD] * 3),
    "beyond the square root of the largest": ([1e200, 1e200, -1e200], [HALF, HALF, 0]),
}
extreme = pytest.mark.parametrize(("row", "p"), EXTREME_ROWS.values(), ids=EXTREME_ROWS)


@extreme
def test_softmax_and_its_derivatives_are_exact(row, p):
    p, ct = np.array(p), np.array([1.0, 2.0, 4.0])
    x = leaf(row)
    out = functions.softmax(x)
    np.testing.assert_allclose(out.data, p, rtol=1e-15)
    first = grad(out, x, ct, create_graph=True)
    np.testing.assert_allclose(first.data, p * (ct - p @ ct), atol=1e-15)
    assert np.isfinite(grad(first, x, ct).data).all()


@extreme
def test_log_softmax_and_its_derivatives_are_exact(row, p):
    p, ct = np.array(p), np.array([1.0, 2.0, 4.0])
    x = leaf(row)
    out = functions.log_softmax(x)
    np.testing.assert_allclose(np.exp(out.data), p, rtol=1e-15)
    assert not np.isnan(out.data).any()
    first = grad(out, x, ct, create_graph=True)
    np.testing.assert_allclose(first.data, ct - 7 * p, atol=1e-14)
    assert np.isfinite(grad(first, x, ct).data).all()


@extreme
def test_logsumexp_and_its_derivatives_are_exact(row, p):
    p = np.array(p)
    x = leaf(row)
    out = functions.logsumexp(x)
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
    loss = functions.softmax_cross_entropy(x, [label])
    shifted = np.array(row) - max(row)
    np.testing.assert_allclose(loss.item(), np.log(np.exp(shifted).sum()) - shifted[label], rtol=1e-14)
    first = grad(loss, x, create_graph=True)
    np.testing.assert_allclose(first.data, [p - onehot], atol=1e-15)
    assert np.isfinite(grad(first, x, np.array([[1.0, 2.0, 4.0]])).data).all()


@extreme
def test_cross_entropy_with_class_probabilities_is_exact(row, p):
    x = leaf([row])
    target = np.array([p], dtype=float)
    loss = functions.softmax_cross_entropy(x, target)
    loss.backward()
    positive = target[target > 0]
    assert loss.item() == pytest.approx(-(positive @ np.log(positive)), abs=1e-12)
    np.testing.assert_allclose(x.grad, np.zeros((1, 3)), atol=1e-12)


@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_of_a_row_of_minus_infinity(keepdims):
    x = leaf([[-np.inf, -np.inf], [0, 0]])
    out = functions.logsumexp(x, axis=1, keepdims=keepdims)
    assert out.data.ravel().tolist() == [-np.inf, np.log(2)]
    out.backward(np.ones(out.shape))
    assert x.grad.tolist() == [[0, 0], [0.5, 0.5]]


def test_logsumexp_gradients_in_single_precision_are_right_for_a_large_result():
    x = Tensor(np.float32([1e4, 1e4, 1e4]), requires_grad=True)
    functions.logsumexp(x).backward()
    np.testing.assert_allclose(x.grad, np.full(3, 1 / 3), rtol=2e-7)


@pytest.mark.parametrize(
    ("function", "value", "slope"),
    [
        (functions.sigmoid, [0, 0.5, 1], [0, 0.25, 0]),
        (functions.relu, [0, 0, 1e4], [0, 0, 1]),
        (functions.softplus, [0, np.log(2), 1e4], [0, 0.5, 1]),
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
    loss = functions.softmax_cross_entropy(scores, [0, 1])
    loss.backward()
    assert loss.dtype == scores.grad.dtype == np.float16
    assert scores.grad.tolist() == [[0, 0], [0.25, -0.25]]
