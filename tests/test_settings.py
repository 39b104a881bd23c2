"""Settings in a net, such as a rate or None: transforms, checks and optimizers leave them as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from autograd_spiral import (
    SGD,
    Adam,
    Tensor,
    backward_source,
    capture,
    check_gradients,
    clip_by_norm,
    flatten,
    grad,
    hessian,
    hvp,
    jvp,
    named_parameters,
    relu,
    value_and_grad,
)
from autograd_spiral.errors import DtypeError, GradientError

X = np.array([[1.0, -2.0], [0.5, 3.0]])


@dataclass
class Layer:
    W: Any
    b: Any = None
    activation: Any = relu
    name: str = "hidden"
    rate: float = 0.5
    widths: Any = field(default_factory=lambda: [2, 3])
    scaled: bool = True

    def __call__(self, x: Any) -> Any:
        assert type(self.rate) is float
        assert self.widths == [2, 3]
        h = self.activation(x @ self.W)
        return self.rate * h if self.scaled else h


def leaf(scale: float = 1.0) -> Tensor:
    return Tensor(scale * np.arange(1.0, 5.0).reshape(2, 2), requires_grad=True)


def loss_of(net: Any) -> Any:
    return np.mean(net["layers"][1](net["layers"][0](X)) ** 2)


def made() -> dict[str, Any]:
    return {"layers": [Layer(leaf(0.1)), Layer(leaf(-0.2), activation=np.tanh)], "note": "two", "size": 2}


def settings_of(net: Any) -> Any:
    return net["note"], net["size"], [(x.b, x.activation, x.name, x.rate, x.widths) for x in net["layers"]]


@pytest.mark.parametrize(
    "transform",
    [
        lambda net: grad(loss_of(net), net),
        lambda net: value_and_grad(loss_of)(net)[1],
        lambda net: clip_by_norm(grad(loss_of(net), net), 1e9),
    ],
)
def test_gradients_have_the_settings_in_place(transform: Callable[[Any], Any]) -> None:
    net = made()
    found = transform(net)
    weights = [layer.W for layer in net["layers"]]
    assert settings_of(found) == settings_of(net)
    for layer, expected in zip(found["layers"], grad(loss_of(net), weights), strict=True):
        np.testing.assert_allclose(layer.W.data, expected.data, rtol=1e-12)


def test_a_captured_step_takes_and_returns_them() -> None:
    step = capture(lambda net, x: value_and_grad(lambda net: net["rate"] * np.sum(net["W"] * x))(net)[1])
    for k in (1.0, 2.0):
        found = step({"W": leaf(), "rate": 0.5, "b": None, "activation": "tanh"}, k * X)
        np.testing.assert_array_equal(found.pop("W").data, 0.5 * k * X)
        assert found == {"rate": 0.5, "b": None, "activation": "tanh"}


def test_other_transforms_pass_them_through() -> None:
    net = made()
    tangent = grad(loss_of(net), net)
    (product,) = hvp(loss_of, (net,), (tangent,))
    assert settings_of(product) == settings_of(net)
    slope = sum(np.sum(layer.W.data**2) for layer in tangent["layers"])
    np.testing.assert_allclose(jvp(loss_of, (net,), (tangent,))[1].data, slope, rtol=1e-12)
    assert settings_of(hessian(loss_of)(net))[:2] == ("two", 2)
    vector, unflatten = flatten(net)
    assert vector.shape == (8,)
    assert settings_of(unflatten(vector)) == settings_of(net)
    assert "return t5, dlayers_0_W, dlayers_1_W" in backward_source(loss_of(net), net)


def test_a_check_has_no_row_for_them() -> None:
    report = check_gradients(loss_of, made())
    assert report.ok
    assert "rate" not in str(report)
    assert str(report).count(".W") == 2


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("make", [lambda net: SGD(net, 0.1), lambda net: Adam(net, 0.1, weight_decay=0.1)])
def test_optimizers_skip_them(make: Callable[[Any], Any], captured: bool) -> None:
    net, other = made(), made()
    weights = [layer.W for layer in other["layers"]]
    optimizer, plain = make(net), make(weights)

    def step() -> None:
        optimizer.update(grad(loss_of(net), net))

    run = capture(step) if captured else step
    for _ in range(3):
        run()
        plain.update(grad(loss_of(other), weights))
    assert list(named_parameters(net)) == ["layers.0.W", "layers.1.W"]
    for p, expected in zip(named_parameters(net).values(), weights, strict=True):
        np.testing.assert_allclose(p.data, expected.data, rtol=1e-12)
    assert settings_of(net) == settings_of(made())


def test_gradients_made_by_hand_may_have_them_or_not() -> None:
    net = Layer(leaf())
    optimizer = SGD(net, 1.0)
    optimizer.update(Layer(np.ones((2, 2)), rate=0.5))
    optimizer.update({"W": np.ones((2, 2))})
    assert net.W.data.tolist() == (leaf().data - 2).tolist()


def test_a_setting_that_becomes_a_tensor_is_noticed() -> None:
    net = Layer(leaf())
    optimizer = SGD(net, 1.0)
    net.b = Tensor(np.zeros(2), requires_grad=True)
    with pytest.raises(GradientError, match="the container now holds other parameters"):
        optimizer.update(Layer(np.ones((2, 2)), np.ones(2)))


def test_numbers_beside_arrays_alone_are_parameters() -> None:
    found = value_and_grad(lambda net: net["W"].sum() * net["scale"])({"W": np.ones(2), "scale": 3.0, "note": "x"})[1]
    assert (found["W"].tolist(), found["scale"], found["note"]) == ([3.0, 3.0], 2.0, "x")
    assert value_and_grad(lambda x: x**2)(3.0) == (9.0, 6.0)
    with pytest.raises(DtypeError, match="size must be floating-point, not int64"):
        value_and_grad(lambda net: net["W"].sum())({"W": np.ones(2), "size": 3})


class Plain:
    def __init__(self) -> None:
        self.layers = [Layer(leaf())]

    def __call__(self, x: Any) -> Any:
        return self.layers[0](x)


@pytest.mark.parametrize(
    "use",
    [
        lambda net: Adam(net),
        lambda net: Adam({"net": net, "W": leaf()}),
        lambda net: named_parameters(net),
        lambda net: grad(np.sum(net(X)), net),
        lambda net: grad(np.sum(net(X)), [net, net.layers[0].W]),
        lambda net: value_and_grad(lambda net: np.sum(net(X)))(net),
    ],
)
def test_an_object_of_a_plain_class_is_refused_with_what_to_write(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=re.escape("write @dataclass above class Plain")):
        use(Plain())
    use(dataclass(type("Net", (), {"__init__": Plain.__init__, "__call__": Plain.__call__}))())


def test_settings_alone_are_no_parameters() -> None:
    loss = np.sum(leaf())
    with pytest.raises(TypeError, match="input 0 must be a Tensor, not str"):
        grad(loss, ["W", "b"])
    with pytest.raises(TypeError, match="'0' is of type str"):
        Adam(["W"])
