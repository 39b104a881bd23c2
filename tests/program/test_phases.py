"""Each equation is printed in the phase of the step in which a reader would look for it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from captured import leaf

from autograd_spiral import capture, grad, no_grad, sigmoid
from autograd_spiral.program.passes.phases import PHASES, with_phases
from autograd_spiral.program.passes.pipeline import optimised, readable, without_common_subexpressions

X = np.array([0.5, 2.0])


def headings(step: Any) -> list[str]:
    return re.findall(r"^    # (\w+)$", step.source, re.M)


def phase_of(step: Any, function: Any) -> str:
    """The phase of the one equation that calls `function`."""
    (phase,) = {equation.phase for equation in readable(step.program).equations if equation.function is function}
    return phase


def test_a_training_step_reads_forward_backward_update() -> None:
    w, v = leaf(name="w"), leaf(name="v")

    @capture
    def step(x: Any) -> Any:
        loss = np.sum(np.exp(w * x))
        v.assign(0.9 * v + grad(loss, w))
        w.assign(w - 0.1 * np.tanh(v))
        return loss

    step(X)
    assert headings(step) == list(PHASES)
    assert phase_of(step, np.exp) == "forward"
    assert phase_of(step, np.tanh) == "update"


def test_computations_that_nothing_needs_do_not_name_the_phase_of_their_twins() -> None:
    w = leaf(name="w")

    @capture
    def step(x: Any) -> Any:
        unused = np.exp(w) * x  # noqa: F841
        return np.sum(np.exp(w) * x), np.sin(w)

    step(X)
    assert headings(step) == ["forward"]


@pytest.mark.parametrize("order", [("update", "forward"), ("backward", "forward"), ("update", "backward")])
def test_equal_equations_are_one_in_the_earlier_phase(order: tuple[str, str]) -> None:
    step = capture(lambda x: np.exp(x) + np.exp(x))
    step(X)
    first, second, total = step.program.equations
    for one, other in (order, order[::-1]):
        program = step.program.with_equations((replace(first, phase=one), replace(second, phase=other), total))
        merged = without_common_subexpressions(program).equations
        assert [equation.phase for equation in merged] == [order[1], total.phase]


def test_what_is_computed_from_gradients_afterwards_is_no_forward_pass() -> None:
    w = leaf(name="w")

    @capture
    def step(x: Any) -> Any:
        loss = np.sum(w * x * w)
        slope = grad(loss, w)
        return loss, np.sqrt(np.sum(slope * slope)), np.cos(w)

    step(X)
    assert phase_of(step, np.sqrt) == "update"
    assert phase_of(step, np.cos) == "forward"


def test_a_penalty_on_gradients_is_part_of_the_forward_pass() -> None:
    w = leaf(name="w")

    @capture
    def step(x: Any) -> Any:
        slope = grad(np.sum(np.exp(w * x)), w, create_graph=True)
        loss = np.sum(np.sqrt(1 + slope**2))
        w.assign(w - 0.01 * grad(loss, w))
        return loss

    step(X)
    assert phase_of(step, np.sqrt) == "forward"


def test_the_bodies_of_declared_primitives_have_the_phase_of_their_call() -> None:
    w = leaf(name="w")

    @capture
    def step(x: Any) -> Any:
        with no_grad():
            w.assign(sigmoid(w) * x)
        return np.sum(x)

    step(X)
    assert headings(step) == ["update", "forward"]
    assert phase_of(step, np.exp) == "update"


def test_the_phases_of_a_program_that_has_them_stay() -> None:
    w = leaf(name="w")

    @capture
    def step(x: Any) -> Any:
        loss = np.sum(w * x)
        w.assign(w - grad(loss, w))
        return loss

    step(X)
    for program in (step.program, optimised(step.program), readable(step.program)):
        assert with_phases(program).equations == program.equations  # the same objects
