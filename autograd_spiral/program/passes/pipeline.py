"""Passes over programs, each a small function from program to program that keeps the results.

`readable` is what people read and what replay starts from: bodies in place of declared primitives, nothing dead, no
constant computed, nothing computed twice, no detour where a shorter way gives the same. Sums and products of constants
are collected, so last bits may differ; the order of sums over arrays stays.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Equation, Program, Value, shape_of
from autograd_spiral.program.passes.rebuild import Substitution
from autograd_spiral.program.passes.simplify import SHORTER, stretched_after, unstretched

__all__ = ["expanded", "folded", "readable", "shared", "simplified", "tidied", "without_dead"]


def readable(program: Program) -> Program:
    """`program` after all passes, again and again until none of them finds anything."""
    return tidied(expanded(program))


def tidied(program: Program) -> Program:
    """`program` after all passes but the first: declared primitives stay as they are."""
    for _ in range(20):
        before = program.equations
        for improve in (simplified, folded, shared, without_dead):
            program = improve(program)
        if len(before) == len(program.equations) and all(map(_unchanged, before, program.equations)):
            break
    return program


def _unchanged(one: Equation, other: Equation) -> bool:
    same_inputs = len(one.inputs) == len(other.inputs) and all(map(operator.is_, one.inputs, other.inputs))
    return one.output is other.output and one.primitive is other.primitive and same_inputs


def expanded(program: Program) -> Program:
    """Each declared primitive replaced by the equations of its body, where these are known."""

    def equations(given: Iterable[Equation]) -> Iterable[Equation]:
        for equation in given:
            if equation.body:
                yield from equations(equation.body)
            else:
                yield equation

    return program.with_equations(tuple(equations(program.equations)))


def without_dead(program: Program) -> Program:
    """Only the equations that some result depends on."""
    needed = set(program.results())
    kept = []
    for equation in reversed(program.equations):
        if equation.output in needed:
            needed.update(equation.reads())
            kept.append(equation)
    return program.with_equations(tuple(reversed(kept)))


def folded(program: Program) -> Program:
    """Equations on constants alone computed now, unless that makes a large array of small ones."""
    substitute = Substitution(program)
    for equation in program.equations:
        equation = substitute.into(equation)
        if (
            equation.opaque
            or equation.function is np.broadcast_to  # what uses it may broadcast by itself
            or any(isinstance(atom, Value) for atom in equation.inputs)
            or equation.output.size > max(64, *(math.prod(shape_of(atom)) for atom in equation.inputs))
        ):
            substitute.keep(equation)
        else:
            constant = np.asarray(equation.primitive.evaluate(*equation.inputs, **equation.params))
            constant = np.array(constant, equation.output.dtype)
            constant.flags.writeable = False
            substitute.put(equation.output, constant)
    return substitute.program()


def shared(program: Program) -> Program:
    """Equal equations computed once. Opaque ones stay as they are, since they may not be functions."""
    substitute = Substitution(program)
    known: dict[Any, Value] = {}
    for equation in program.equations:
        equation = substitute.into(equation)
        if equation.opaque:
            substitute.keep(equation)
            continue
        key = (equation.primitive, tuple(map(_key, equation.inputs)), _key(equation.params))
        if key not in known:
            substitute.keep(equation)
            known[key] = equation.output
        else:
            substitute.put(equation.output, known[key])
    return substitute.program()


def _key(item: Any) -> Any:
    """Something hashable that is equal for equal inputs and parameters."""
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


def simplified(program: Program) -> Program:
    """Each equation in its shortest form."""
    substitute = Substitution(program)
    for equation in program.equations:
        equation = substitute.into(equation)
        if equation.elementwise:
            equation = stretched_after(unstretched(equation, substitute.made), substitute)
        simplify = SHORTER.get(equation.function)
        result = equation if simplify is None else simplify(equation, substitute)
        if isinstance(result, Equation):
            substitute.keep(result)
        else:
            substitute.put(equation.output, result)
    return substitute.program()
