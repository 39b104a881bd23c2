"""Patterns find the expressions that they are written as, and nothing else."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from programs import functions_in, program_of

from autograd_spiral.program.passes.builder import rebuilt
from autograd_spiral.program.passes.patterns import ANY, Pattern, Rule

X = np.random.default_rng(0).uniform(0.5, 1, (3, 4))


def found(pattern: Any, step: Any, *args: Any) -> list[Any]:
    """What the variables of `pattern` stand for, wherever it is in the program of `step`, and whether it is alone."""
    matches: list[Any] = []
    program = program_of(step, *args)

    def look(equation: Any, builder: Any) -> Any:
        matches.extend((atoms, match.alone) for match, atoms in Pattern(pattern).matches(equation, builder))
        return equation

    rebuilt(program, look)
    names = {value: name for value, name in zip(program.inputs, "xyz", strict=False)}
    names |= {equation.output: equation.function for equation in program.equations}
    return [
        (*(names.get(a, a) if not isinstance(a, np.ndarray) else "array" for a in atoms), alone)
        for atoms, alone in matches
    ]


def test_variables_stand_for_any_atom() -> None:
    assert found(lambda a, b: a - b, lambda x, y: np.sin(x) - y, X, X) == [(np.sin, "y", True)]
    assert found(lambda a, b: a - b, lambda x, y: x - 2.0, X, X) == [("x", 2.0, True)]
    assert found(lambda a, b: a - b, lambda x, y: x - np.arange(4.0), X, X) == [("x", "array", True)]


def test_a_variable_is_the_same_atom_wherever_it_occurs() -> None:
    assert found(lambda a: a - a, lambda x, y: (x - x) * (x - y), X, X) == [("x", True)]


def test_sums_and_products_match_in_either_order() -> None:
    pattern = lambda a, b: a + np.exp(b)  # noqa: E731
    assert found(pattern, lambda x, y: np.exp(x) + y, X, X) == [("y", "x", True)]
    assert found(pattern, lambda x, y: y + np.exp(x), X, X) == [("y", "x", True)]
    both = found(pattern, lambda x, y: np.exp(y) + np.exp(x), X, X)
    assert sorted(map(str, both)) == sorted(map(str, [(np.exp, "x", True), (np.exp, "y", True)]))
    assert found(lambda a, b: a - np.exp(b), lambda x, y: np.exp(x) - y, X, X) == []


def test_inner_equations_that_something_else_reads_are_told() -> None:
    def step(x: Any) -> Any:
        inner = np.exp(x)
        return np.sin(inner), inner

    assert found(lambda a: np.sin(np.exp(a)), step, X) == [("x", False)]
    assert found(lambda a: np.sin(np.exp(a)), lambda x: np.sin(np.exp(x)), X) == [("x", True)]


@pytest.mark.parametrize(
    ("pattern", "step"),
    [
        (lambda a: np.sum(a), lambda x: np.sum(x)),
        (lambda a: np.sum(a, axis=0), lambda x: x.sum(axis=-2)),
        (lambda a: np.sum(a, axis=1, keepdims=True), lambda x: x.sum(axis=1, keepdims=True)),
        (lambda a: np.transpose(a), lambda x: x.T),
        (lambda a: a[:, None], lambda x: x[:, None]),
        (lambda a: np.concatenate([a, a], axis=1), lambda x: np.concatenate([x, x], axis=1)),
        (lambda a: a.astype(np.float32), lambda x: x.astype(np.float32)),
    ],
)
def test_parameters_must_be_those_that_are_written(pattern: Any, step: Any) -> None:
    assert found(pattern, step, X) == [("x", True)]


@pytest.mark.parametrize(
    ("pattern", "step"),
    [
        (lambda a: np.sum(a), lambda x: np.sum(x, axis=0)),
        (lambda a: np.sum(a, axis=0), lambda x: np.sum(x, axis=0, keepdims=True)),
        (lambda a: np.sum(a, axis=2), lambda x: np.sum(x, axis=0)),
        (lambda a: np.transpose(a, (0, 1)), lambda x: x.T),
        (lambda a: a[:, None], lambda x: x[None]),
        (lambda a: a.astype(np.float32), lambda x: x.astype(int)),
        (lambda a: np.concatenate([a, a], axis=1), lambda x: np.concatenate([x, x])),
        (lambda a: np.concatenate([a, a]), lambda x: np.concatenate([x, x, x])),
    ],
)
def test_other_parameters_do_not_match(pattern: Any, step: Any) -> None:
    assert found(pattern, step, X) == []


def test_any_matches_all_parameters() -> None:
    for step in (lambda x: np.sum(x), lambda x: np.sum(x, axis=0), lambda x: x.sum(axis=1, keepdims=True)):
        assert found(lambda a: np.sum(a, ANY), step, X) == [("x", True)]
    assert found(lambda a: np.reshape(np.reshape(a, ANY), ANY), lambda x: x.reshape(12).reshape(2, 6), X) == [
        ("x", True)
    ]


def test_arrays_in_an_index_are_variables() -> None:
    y = np.array([0, 2, 1])
    assert found(lambda a, i, j: a[i, j], lambda x, y: x[np.arange(3), y], X, y) == [("x", "array", "y", True)]
    assert found(lambda a, i: a[i, 0], lambda x, y: x[y, 0], X, y) == [("x", "y", True)]
    assert found(lambda a, i: a[i, 0], lambda x, y: x[0, y], X, y) == []


def test_numbers_are_equal_in_value_and_in_sign() -> None:
    assert found(lambda a: a - 0, lambda x: x - 0.0, X) == [("x", True)]
    assert found(lambda a: a - 0, lambda x: x - (-0.0), X) == []
    assert found(lambda a: a**2, lambda x: x**2.0, X) == [("x", True)]
    assert found(lambda a: a**2, lambda x: x**3, X) == []
    assert found(lambda a: a * 1, lambda x: x * np.ones((1, 1)), X) == [("x", True)]
    assert found(lambda a: a * 1, lambda x: x * np.ones((3, 4)), X) == []


def test_rules_replace_what_they_match() -> None:
    rules = {
        np.subtract: Rule(lambda x, y: x - np.exp(y), lambda x, y: 2.0 * y, lambda match, x, y: match.alone),
        np.exp: Rule(lambda x: np.exp(np.log(x)), lambda x: x),
        operator.getitem: Rule(
            lambda x: x[ANY], lambda x: np.reshape(x, ANY), params=lambda match: {"shape": (1, 3, 4)}
        ),
    }

    def simpler(equation: Any, builder: Any) -> Any:
        result = rules[equation.function](equation, builder) if equation.function in rules else None
        return equation if result is None else result

    program = rebuilt(program_of(lambda x, y: (x - np.exp(y), np.exp(np.log(x)), x[None]), X, X), simpler)
    assert functions_in(program) == [np.exp, np.multiply, np.log, np.reshape]
    assert program.equations[1].inputs == (2.0, program.inputs[1])
    assert program.outputs[1] is program.inputs[0]
    shared = rebuilt(program_of(lambda x, y: (e := np.exp(y), x - e), X, X), simpler)
    assert functions_in(shared) == [np.exp, np.subtract]
