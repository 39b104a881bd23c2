"""Recorded graphs as programs: they compute what was recorded, with the names that pictures show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograd_spiral import Tensor, backward_source, grad, primitive, scope, softmax_cross_entropy
from autograd_spiral.errors import StaleLeafError
from autograd_spiral.program.evaluate import compute, evaluate
from autograd_spiral.program.ir import Equation
from autograd_spiral.program.recorded import recorded_graph
from autograd_spiral.spiral import TwoLayerNet, spiral


def assert_computes_what_was_recorded(outputs: list[Tensor], inputs: list[Tensor]) -> Any:
    """Evaluate the graph as a program: every value in it is the recorded one, bit for bit."""
    program, tensors = recorded_graph(outputs, inputs, {})

    def each(equation: Equation, operands: tuple[Any, ...]) -> Any:
        value = compute(equation, operands)
        np.testing.assert_array_equal(value, tensors[equation.output].data)
        return value

    arrays = [tensors[value].data for value in (*program.inputs, *program.state, *program.outside)]
    evaluate(program, *arrays, each=each)
    return program


def test_a_graph_and_its_backward_pass_compute_what_was_recorded() -> None:
    X, y = spiral(10, generator=np.random.default_rng(0))
    net = TwoLayerNet.random(np.random.default_rng(1), hidden=5)
    for data in ((X, y), (Tensor(X, name="X"), Tensor(y, name="y"))):
        loss = net.loss(*data, 1e-3)
        for inputs in ([], list(net.parameters()), [loss]):
            program = assert_computes_what_was_recorded([loss], inputs)
            phases = [equation.phase for equation in program.equations]
            assert phases == sorted(phases, reverse=True)  # forward, then backward
            assert ("backward" in phases) == bool(inputs)


def test_gradients_are_named_after_what_they_are_taken_of_and_paired_with_it() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    h = np.tanh(w)
    loss = np.sum(h * h).named("loss")
    program, tensors = recorded_graph([loss], [w, h], {"w": w, "hidden": h, "again": h})
    assert {"w", "hidden", "loss", "dw", "dhidden", "dloss"} == {name.text for name in program.names.values()}
    paired = {(program.call(ct), program.call(of)) for ct, of in program.primals.items()}
    assert {("dw", "w"), ("dhidden", "hidden"), ("dloss", "loss")} <= paired
    for value, tensor in tensors.items():
        assert (value.shape, value.dtype) == (tensor.shape, tensor.dtype)


def test_rules_belong_to_the_scope_of_their_operation() -> None:
    w, b = (Tensor(np.ones((1, 3)), requires_grad=True, name=name) for name in "wb")
    with scope("layer"):
        h = np.ones((4, 3)) * w + b
    with scope("loss"):
        loss = softmax_cross_entropy(h, np.array([0, 1, 2, 0]))
    program, _ = recorded_graph([loss], [w, b], {})
    scopes = {program.names[e.output].text: e.scope for e in program.equations if e.output in program.names}
    assert scopes["dw"] == scopes["db"] == ("layer",)
    assert all(equation.scope for equation in program.equations)


def test_bodies_are_not_called_again_and_their_rules_get_the_arrays_they_were_given() -> None:
    calls = []

    @primitive(lambda ct, out, x, y: ct * np.linalg.inv(y), None)
    def times_inverse(x: Any, y: Any) -> Any:
        calls.append(1)
        return x * np.linalg.inv(y)

    w = Tensor(np.ones((2, 2)), requires_grad=True)
    loss = np.sum(times_inverse(w, 2 * np.eye(2)))
    program, _ = recorded_graph([loss], [w], {})
    assert len(calls) == 1
    assert [equation.body for equation in program.equations] == [()] * len(program.equations)


def test_leaves_assigned_since_matter_only_to_the_backward_pass_that_reads_them() -> None:
    w, v = (Tensor([1.0, 2.0], requires_grad=True, name=name) for name in "wv")
    h = np.exp(w * w)
    loss = np.sum(h * v)
    w.assign([3.0, 4.0])
    recorded_graph([loss], [h], {})
    with pytest.raises(StaleLeafError):
        recorded_graph([loss], [w], {})


def test_a_graph_that_grad_recorded_is_a_forward_pass() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    slope = grad(np.sum(w**3), w, create_graph=True)
    program = assert_computes_what_was_recorded([np.sum(slope**2)], [])
    assert {equation.phase for equation in program.equations} == {"forward"}


def test_the_gradients_of_values_on_the_way_are_printed_too() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    h = (x * 2).named("h")
    loss = np.sum(h * h * np.sin(x)).named("loss")
    namespace: dict[str, Any] = {}
    exec(backward_source(loss, [h, x]), namespace)
    results = namespace["loss_and_gradients"](x.data)
    for found, expected in zip(results, (loss, *grad(loss, [h, x])), strict=True):
        np.testing.assert_allclose(found, expected.data, rtol=1e-12)
