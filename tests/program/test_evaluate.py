"""`evaluate` computes what the eager step computes, and calls its hook for every equation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from captured import ONES, leaf
from programs import assert_same, flat

from autograd_spiral import CaptureError, Tensor, capture, grad, primitive, softmax_cross_entropy
from autograd_spiral.errors import LabelError
from autograd_spiral.program.evaluate import compute, evaluate
from autograd_spiral.program.ir import Equation, Program, Value

p = Tensor([[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]], requires_grad=True, name="p")
FACTORS = np.array([1.0, 2.0, 4.0])
X = np.array([[1.0, -2.0], [0.5, 3.0], [2.0, 1.0]])
LABELS = np.array([0, 2, 1])


def step(x: Any, labels: Any) -> Any:
    scores = np.tanh(x @ p) * FACTORS
    loss = softmax_cross_entropy(scores, labels)
    p.assign(p - 0.5 * grad(loss, p))
    return [loss, scores.T]


def program_and_arrays() -> tuple[Program, list[Any]]:
    """The program of `step`, and arrays for its inputs, state and outside."""
    before = p.data
    captured = capture(step)
    captured(X, LABELS)
    p.assign(before)
    prepared = captured._programs.last.lowered()
    return captured.program, [X, LABELS, *(leaf.data for leaf in prepared.state), *prepared.outside]


def test_evaluating_a_program_computes_what_the_eager_step_does() -> None:
    program, arrays = program_and_arrays()
    before = p.data
    expected = [*flat(step(Tensor(X), LABELS)), p.data]
    p.assign(before)
    assert_same(evaluate(program, *arrays), expected, "outputs and new state")


def test_the_hook_sees_every_equation_once_in_order_with_its_operands() -> None:
    program, arrays = program_and_arrays()
    known: dict[Value, Any] = dict(zip((*program.inputs, *program.state, *program.outside), arrays, strict=True))
    seen: list[Equation] = []

    def look(equation: Equation, operands: tuple[Any, ...]) -> Any:
        seen.append(equation)
        for atom, operand in zip(equation.inputs, operands, strict=True):
            expected = known[atom] if isinstance(atom, Value) else atom
            assert type(operand) is type(expected)
            assert np.array_equal(operand, expected)
            assert not isinstance(operand, np.ndarray) or not operand.flags.writeable
        known[equation.output] = compute(equation, operands)
        return known[equation.output]

    results = evaluate(program, *arrays, each=look)
    assert seen == list(program.equations)
    assert_same(results, evaluate(program, *arrays), "results")


def test_the_hook_can_change_operands_and_values() -> None:
    program, arrays = program_and_arrays()
    (tanh,) = [equation for equation in program.equations if equation.function is np.tanh]

    def changed(equation: Equation, operands: tuple[Any, ...]) -> Any:
        return np.zeros(equation.output.shape) if equation is tanh else compute(equation, operands)

    loss, scores, _ = evaluate(program, *arrays, each=changed)
    assert_same([loss, scores], [np.log(3.0), np.zeros((3, 3))], "with tanh replaced by 0")


def test_results_are_fresh_and_frozen_and_given_arrays_stay_as_they_are() -> None:
    q = leaf(1, 2)
    captured = capture(lambda x: [x, x.T, x[:1], q, q * x, Tensor([1.0])])
    captured(ONES)
    given = [np.array([3.0, 4.0]), np.array([5.0, 6.0])]
    copies = [array.copy() for array in given]
    first, second = (evaluate(captured.program, *given) for _ in range(2))
    assert_same(given, copies, "given")
    assert all(array.flags.writeable for array in given)
    assert not any(array.flags.writeable for array in (*first, *second))
    assert not any(np.shares_memory(a, b) for a in first for b in (*second, *given))
    assert not any(np.shares_memory(a, b) for i, a in enumerate(first) for b in first[:i])


@pytest.mark.parametrize("change", [lambda arrays: arrays[:-1], lambda arrays: [*arrays, ONES], lambda arrays: []])
def test_another_number_of_arrays_is_refused(change: Any) -> None:
    program, arrays = program_and_arrays()
    with pytest.raises(ValueError, match=rf"step takes 4 arrays, but got {len(change(arrays))}"):
        evaluate(program, *change(arrays))


def test_checks_run_on_inputs_and_on_computed_values() -> None:
    program, arrays = program_and_arrays()
    with pytest.raises(LabelError, match="row 1 is 3"):
        evaluate(program, X, np.array([0, 3, 1]), *arrays[2:])
    captured = capture(lambda x: softmax_cross_entropy(np.outer(x, x), x.astype(int)))
    captured(np.array([0.0, 1.0]))
    with pytest.raises(LabelError, match="row 0 is 7"):
        evaluate(captured.program, np.array([7.0, 1.0]))


def test_a_check_raises_before_later_equations_run() -> None:
    program, arrays = program_and_arrays()

    def never(equation: Equation, operands: tuple[Any, ...]) -> Any:
        raise AssertionError("an equation ran")

    with pytest.raises(LabelError):
        evaluate(program, X, LABELS + 5, *arrays[2:], each=never)


def test_a_declared_primitive_that_returns_another_shape_is_named_with_its_line() -> None:
    @primitive(lambda ct, out, x: ct)
    def positive(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            raise TypeError("arrays alone")
        return x[x > 0]

    captured = capture(lambda x: positive(x * 1.0))  # the line
    captured(ONES)
    with pytest.raises(CaptureError, match=r"# the line\npositive returned .* shape \(1,\) .* but of shape \(2,\)"):
        evaluate(captured.program, np.array([1.0, -1.0]))
