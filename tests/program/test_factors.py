"""A factor that many gradients share is applied only once, if this changes nothing but the last bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import functions_in

from autograd_spiral import Tensor, capture, grad, relu
from autograd_spiral.program.evaluate import evaluate
from autograd_spiral.program.ir import Program, Value
from autograd_spiral.program.passes.factors import with_factors_collected
from autograd_spiral.program.passes.pipeline import readable

X = np.random.default_rng(3).standard_normal((20, 4))


def training_program(rates: Any, penalty: float = 0.0, dtype: Any = float, mean: bool = True) -> Program:
    """Return the program of a step of gradient descent on a net of two layers, with a rate for each parameter."""
    rng = np.random.default_rng(0)
    net = [Tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in ((4, 6), (6,), (6, 1))]

    @capture
    def step(x: Any) -> Any:
        scores = relu(x @ net[0] + net[1]) @ net[2]
        loss = np.mean(scores**2) if mean else np.sum(np.sin(scores))
        loss = loss + penalty * np.sum(net[0] ** 2) if penalty else loss
        for p, dp, rate in zip(net, grad(loss, net), rates, strict=True):
            p.assign(p - rate * dp)
        return loss

    step(X.astype(dtype))
    return readable(step.program)


def multiplied(program: Program) -> int:
    """Return how many elements of the program are multiplied or divided by numbers in the backward pass or update."""
    return sum(
        equation.output.size
        for equation in program.equations
        if equation.phase != "forward"
        and equation.function in (np.multiply, np.divide)
        and any(not isinstance(atom, Value) and np.size(atom) == 1 for atom in equation.inputs)
    )


def results(program: Program) -> list[Any]:
    rng = np.random.default_rng(5)
    values = (*program.inputs, *program.state, *program.outside)
    return list(evaluate(program, *(rng.standard_normal(v.shape).astype(v.dtype) for v in values)))


def assert_equal_up_to_rounding(program: Program, other: Program) -> None:
    for a, b in zip(results(program), results(other), strict=True):
        eps = np.finfo(a.dtype).eps
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=64 * eps, atol=64 * eps * float(np.max(np.abs(a))))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_rate_for_all_is_applied_to_the_first_cotangent(dtype: Any) -> None:
    program = training_program([0.1] * 3, dtype=dtype)
    collected = with_factors_collected(program)
    assert multiplied(program) == 20 + 24 + 6 + 6
    assert multiplied(collected) == 20  # the cotangent of the scores: the factor 2 / 20 was there before
    assert_equal_up_to_rounding(program, collected)


def test_a_penalty_gets_the_factor_too() -> None:
    program = training_program([0.1] * 3, penalty=0.01)
    collected = with_factors_collected(program)
    assert multiplied(collected) == 20 + 24  # in place of 20, 24 for the penalty, and 24 + 6 + 6 for the rate
    assert_equal_up_to_rounding(program, collected)


def test_a_factor_that_is_nowhere_else_costs_a_multiplication_of_its_own() -> None:
    program = training_program([0.1] * 3, mean=False)
    collected = with_factors_collected(program)
    assert multiplied(program) == 24 + 6 + 6
    assert multiplied(collected) == 20
    assert_equal_up_to_rounding(program, collected)


@pytest.mark.parametrize(
    "program",
    [
        training_program([0.1, 0.2, 0.3]),
        training_program([1.0] * 3, penalty=0.01),
        training_program([1e-30] * 3),
        training_program([0.125] * 3, dtype=np.float16),
    ],
    ids=["several rates", "no rate", "a rate near underflow", "float16"],
)
def test_nothing_moves_without_gain_or_near_the_limits_of_a_dtype(program: Program) -> None:
    assert multiplied(with_factors_collected(program)) == multiplied(program)


def test_a_gradient_that_is_also_returned_keeps_its_value() -> None:
    w = Tensor(np.arange(1.0, 5.0), requires_grad=True)

    @capture
    def step(x: Any) -> Any:
        dw = grad(np.sum(np.sin(x @ w)), w)
        w.assign(w - 0.1 * dw)
        return dw

    step(X)
    program = readable(step.program)
    assert functions_in(with_factors_collected(program)) == functions_in(program)


CHAIN = [
    lambda ct, w: ct * w,
    lambda ct, w: -ct,
    lambda ct, w: ct.T.T,
    lambda ct, w: ct / w,
    lambda ct, w: np.arange(1.0, 4.0) / (ct + 9.0),
    lambda ct, w: 3.0 * ct,
    lambda ct, w: ct + np.sin(w),
    lambda ct, w: ct - 2.0 * ct[::-1],
    lambda ct, w: (ct.reshape(-1) * 1.5).reshape(3, 3),
    lambda ct, w: ct @ w,
    lambda ct, w: ct**2,
    lambda ct, w: ct * ct,
    lambda ct, w: ct + np.sum(ct, axis=0),
    lambda ct, w: ct + 1.0,
    lambda ct, w: ct - ct**3,
    lambda ct, w: np.arange(3.0) - ct,
    lambda ct, w: np.exp(ct),
]


@given(st.lists(st.sampled_from(CHAIN), max_size=4), st.sampled_from([0.1, 0.5, -3.0]))
def test_a_factor_of_several_updates_goes_as_far_as_the_values_allow(chain: Any, rate: float) -> None:
    w, *others = (Tensor(np.random.default_rng(i).uniform(0.5, 1.5, (3, 3)), requires_grad=True) for i in range(5))

    @capture
    def step(x: Any) -> None:
        ct = grad(np.sum(np.sin(x * w)), w)
        for link in chain:
            ct = link(ct, w)
        for p in others:  # so many that it pays to multiply `ct` instead
            p.assign(p - rate * (ct * p))

    step(np.random.default_rng(9).uniform(0.5, 1.5, (3, 3)))
    program = readable(step.program)
    collected = with_factors_collected(program)
    assert multiplied(collected) < multiplied(program)
    assert_equal_up_to_rounding(program, collected)
