"""Warnings on the explorer's page: each one is shown where its problem is, and nowhere else."""

import numpy as np
import pytest
from pages import data_of

from autograd_spiral import Tensor, explore, relu, softmax_cross_entropy


def advice(loss, parameters):
    data = data_of(explore(loss, gradients_of=parameters))
    return {(data["boxes"][i]["name"], text) for i, text in data["advice"][0]}


def leaf(data, name):
    return Tensor(np.asarray(data, dtype=float), requires_grad=True, name=name)


def test_a_healthy_net_has_no_warnings():
    rng = np.random.default_rng(0)
    W1, W2 = leaf(rng.standard_normal((3, 8)), "W1"), leaf(rng.standard_normal((8, 2)), "W2")
    h = relu(rng.standard_normal((50, 3)) @ W1).named("h")
    assert advice(softmax_cross_entropy(h @ W2, np.arange(50) % 2), [W1, W2]) == set()


def test_dead_units_are_counted():
    b = leaf([[0.0, -100.0, 0.0, -100.0]], "b")
    h = relu(np.random.default_rng(0).standard_normal((20, 4)) + b).named("h")
    assert advice(np.sum(h), b) == {("h", "dead relu: 2 of 4 units are 0 in every row: no gradient passes")}


@pytest.mark.parametrize(("scale", "saturated"), [(1.0, False), (1000.0, True)])
def test_a_softmax_that_is_sure_of_everything_is_saturated(scale, saturated):
    scores = leaf(scale * np.random.default_rng(0).standard_normal((40, 3)), "scores")
    found = advice(softmax_cross_entropy(scores, np.arange(40) % 3), scores)
    assert any("saturated softmax" in text for _, text in found) == saturated


def test_a_gradient_of_0_is_told():
    x, y = leaf([1.0, 2.0], "x"), leaf([3.0, 4.0], "y")
    found = advice(np.sum(relu(-x) * y), [x, y])
    assert ("dx", "this gradient is 0 everywhere") in found


def test_gradients_that_are_not_finite_are_counted():
    x = leaf([0.0, 4.0, 0.0], "x")
    with np.errstate(divide="ignore"):
        assert ("dx", "2 of 3 elements are not finite") in advice(np.sum(np.sqrt(x)), x)


def test_a_layer_that_gets_next_to_no_gradient_is_told():
    rng = np.random.default_rng(0)
    W1, W2 = leaf(rng.standard_normal((4, 4)), "W1"), leaf(1e-6 * rng.standard_normal((4, 4)), "W2")
    loss = np.sum(np.tanh(np.tanh(rng.standard_normal((9, 4)) @ W1) @ W2))
    ((name, text),) = advice(loss, [W1, W2])
    assert name == "dW1"
    assert text.startswith("vanishing gradient: its elements are ")
    assert text.endswith(" times those of dW2")
