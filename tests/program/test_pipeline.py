"""Each pass does what it is for, and changes no results."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from programs import assert_same, flat, functions_in, leaf, program_of
from test_random_programs import Drawn, check_steps

from autograd_spiral import Tensor, capture, grad, primitive, relu, sigmoid, softmax_cross_entropy
from autograd_spiral.program.evaluate import evaluate
from autograd_spiral.program.ir import Program
from autograd_spiral.program.passes import pipeline
from autograd_spiral.program.passes.simplify import simplified
from autograd_spiral.program.running.kernels.table import with_kernels

PASSES: Sequence[Callable[[Program], Program]] = (
    pipeline.inlined,
    pipeline.without_dead_code,
    pipeline.with_constants_folded,
    pipeline.without_common_subexpressions,
    simplified,
    pipeline.readable,
    lambda program: with_kernels(pipeline.readable(program)),
)


def test_every_pass_keeps_the_results() -> None:
    def holds(drawn: Drawn) -> None:
        program, last = drawn.captured.program, drawn.captured._programs.last.lowered()
        arrays = [*drawn.calls[1], *(leaf.data for leaf in last.state), *last.outside]
        expected = evaluate(program, *arrays)
        for improve in PASSES:
            assert_same(evaluate(improve(program), *arrays), expected, str(improve))

    check_steps(holds, count=40)


def test_a_readable_program_stays_as_it_is() -> None:
    def holds(drawn: Drawn) -> None:
        assert functions_in(pipeline.readable(drawn.readable)) == functions_in(drawn.readable)

    check_steps(holds, count=40)


X = np.random.default_rng(1).uniform(0.5, 1, (3, 4))


def test_bodies_replace_declared_primitives() -> None:
    program = program_of(lambda x: relu(sigmoid(x)), X)
    assert [f.__name__ for f in functions_in(program)] == ["sigmoid", "relu"]
    assert all(isinstance(f, np.ufunc) or f is np.where for f in functions_in(pipeline.inlined(program)))


def test_what_no_result_depends_on_is_not_computed() -> None:
    def step(x: Any) -> Any:
        np.exp(x) * 3
        return np.sin(x)

    assert functions_in(pipeline.without_dead_code(program_of(step, X))) == [np.sin]


def test_constants_are_computed_once_and_for_all() -> None:
    def step(x: Any) -> Any:
        c = Tensor([1.0, 2.0, 3.0, 4.0])
        return x + np.exp(c) * c.sum()

    assert functions_in(pipeline.readable(program_of(step, X))) == [np.add]


def test_large_constants_of_small_ones_are_not_stored() -> None:
    program = pipeline.readable(program_of(lambda x: x.sum() * np.broadcast_to(Tensor([1.0, 2.0]), (500, 2)), X))
    assert max(np.size(atom) for e in program.equations for atom in e.inputs if isinstance(atom, np.ndarray)) <= 2


def test_equal_equations_are_computed_once() -> None:
    program = pipeline.readable(program_of(lambda x: np.exp(x).sum(axis=0) * np.exp(x).sum(axis=0), X))
    assert functions_in(program) == [np.exp, np.sum, np.multiply]


def test_forward_and_backward_share_the_exponentials_of_softmax_cross_entropy() -> None:
    w = leaf()
    program = pipeline.readable(program_of(lambda y: grad(softmax_cross_entropy(w, y), w), np.array([0, 1, 3])))
    assert functions_in(program).count(np.exp) == 1
    assert functions_in(program).count(np.max) == 1


def test_opaque_primitives_are_neither_shared_nor_folded() -> None:
    calls = []

    @primitive(lambda ct, out, x: ct)
    def noisy(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            raise TypeError
        calls.append(1)
        return x * 1.0

    captured = capture(lambda x: noisy(x) + noisy(x) + noisy(Tensor(np.ones(4))), verify=False)
    captured(X)
    calls.clear()
    captured(X)
    assert len(calls) == 3


def test_opaque_primitives_may_have_parameters_of_any_kind() -> None:
    @primitive(lambda ct, out, x, keep: ct)
    def chosen(x: Any, keep: Any = None) -> Any:
        if not isinstance(x, np.ndarray):
            raise TypeError
        return x * len(keep)

    assert_same(flat(capture(lambda x: chosen(x, keep={1, 2}))(X)), [2 * X], "value")


def test_a_program_is_made_readable_once_and_kept_alive_by_nothing() -> None:
    for step in (lambda x: x * 1.0, lambda x: np.exp(x)):
        program = program_of(step, np.ones(3))
        once = pipeline.readable(program)
        assert pipeline.readable(program) is once
        kept = [weakref.ref(each) for each in (program, once, pipeline.readable(once))]
        del program, once
        assert [there() for there in kept] == [None] * 3
