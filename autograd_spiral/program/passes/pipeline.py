"""The passes over programs: each is a small function from program to program that keeps the results.

`readable` is what people read and what replay starts from: declared primitives replaced by their bodies, no dead or
repeated equations, no equations on constants alone, no detours. Sums and products of constants are combined, so last
bits may differ; the order of sums over arrays stays.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Equation, Program, Value, shape_of
from autograd_spiral.program.passes.builder import Builder
from autograd_spiral.program.passes.simplify import simplified

__all__ = [
    "inlined",
    "optimised",
    "readable",
    "with_constants_folded",
    "without_common_subexpressions",
    "without_dead_code",
]


def readable(program: Program) -> Program:
    """Return `program` after all passes, repeated until none of them changes anything."""
    return optimised(inlined(program))


def optimised(program: Program) -> Program:
    """Return `program` after all passes but the first: declared primitives stay calls."""
    for _ in range(20):
        before = program.equations
        for improved in (simplified, with_constants_folded, without_common_subexpressions, without_dead_code):
            program = improved(program)
        if len(before) == len(program.equations) and all(map(_unchanged, before, program.equations)):
            break
    return program


def _unchanged(one: Equation, other: Equation) -> bool:
    same_inputs = len(one.inputs) == len(other.inputs) and all(map(operator.is_, one.inputs, other.inputs))
    return one.output is other.output and one.primitive is other.primitive and same_inputs


def inlined(program: Program) -> Program:
    """Each declared primitive replaced by the equations of its body, if they are known."""

    def equations(given: Iterable[Equation]) -> Iterable[Equation]:
        for equation in given:
            if equation.body:
                yield from equations(equation.body)
            else:
                yield equation

    return program.with_equations(tuple(equations(program.equations)))


def without_dead_code(program: Program) -> Program:
    """Only the equations that some result depends on."""
    needed = set(program.results())
    kept = []
    for equation in reversed(program.equations):
        if equation.output in needed:
            needed.update(equation.reads())
            kept.append(equation)
    return program.with_equations(tuple(reversed(kept)))


def with_constants_folded(program: Program) -> Program:
    """Equations on constants alone replaced by what they compute, unless that makes a large array of small ones."""
    builder = Builder(program)
    for equation in program.equations:
        equation = builder.current(equation)
        if (
            equation.opaque
            or equation.function is np.broadcast_to  # the functions that read the result may broadcast by themselves
            or any(isinstance(atom, Value) for atom in equation.inputs)
            or equation.output.size > max(64, *(math.prod(shape_of(atom)) for atom in equation.inputs))
        ):
            builder.add(equation)
        else:
            constant = np.asarray(equation.primitive.evaluate(*equation.inputs, **equation.params))
            constant = np.array(constant, equation.output.dtype)
            constant.flags.writeable = False
            builder.replace(equation.output, constant)
    return builder.program()


def without_common_subexpressions(program: Program) -> Program:
    """Equal equations computed once. Opaque ones stay: they may return something else at each call."""
    builder = Builder(program)
    known: dict[Any, Value] = {}
    for equation in program.equations:
        equation = builder.current(equation)
        key = equation if equation.opaque else _key((equation.primitive, equation.inputs, equation.params))
        if key in known:
            builder.replace(equation.output, known[key])
        else:
            builder.add(equation)
            known[key] = equation.output
    return builder.program()


def _key(item: Any) -> Any:
    """Return something hashable that is equal for equal inputs and parameters."""
    if isinstance(item, np.ndarray):
        return item.shape, item.dtype.str, item.tobytes()
    if isinstance(item, Mapping):
        return tuple((name, _key(value)) for name, value in item.items())
    if isinstance(item, tuple | list):
        return tuple(map(_key, item))
    if isinstance(item, slice):
        return "slice", item.start, item.stop, item.step
    if isinstance(item, bool | int | float):
        return type(item), repr(item)
    return item
