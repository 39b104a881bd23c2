"""The passes over programs, and the order in which they run.

`readable` returns the program that people read and that replay starts from. In it, declared primitives are replaced by
their bodies. There are no unused or repeated equations, no equations on constants alone, and no detours. Constants in
sums and products are combined, so the last bits of results may differ, but sums over arrays keep their order. Phases
are found last, for the equations that remain.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from autograd_spiral.engine.frozen import frozen
from autograd_spiral.program.ir import Atom, Equation, Program, Value, shape_of
from autograd_spiral.program.passes.builder import Builder, rebuilt
from autograd_spiral.program.passes.phases import PHASES, with_phases
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
    if program not in _READABLE:
        _READABLE[program] = optimised(inlined(program))
    return _READABLE[program]


_READABLE: WeakKeyDictionary[Program, Program] = WeakKeyDictionary()  # replay, text and pictures all ask for it


def optimised(program: Program) -> Program:
    """Return `program` after all passes except `inlined`, so that calls of declared primitives stay calls."""
    for _ in range(20):
        before = program.equations
        for improved in (simplified, with_constants_folded, without_common_subexpressions, without_dead_code):
            program = improved(program)
        if program.equations == before:  # compared by identity
            break
    return with_phases(program)


def inlined(program: Program) -> Program:
    """Return `program` with declared primitives replaced by the equations of their bodies, if these are known."""

    def equations(given: Iterable[Equation]) -> Iterable[Equation]:
        for equation in given:
            if equation.body:
                yield from equations(equation.body)
            else:
                yield equation

    return program.with_equations(tuple(equations(program.equations)))


def without_dead_code(program: Program) -> Program:
    """Return `program` with only those equations that some result depends on."""
    needed = set(program.results())
    kept = []
    for equation in reversed(program.equations):
        if equation.output in needed:
            needed.update(equation.reads())
            kept.append(equation)
    return program if len(kept) == len(program.equations) else program.with_equations(tuple(reversed(kept)))


def with_constants_folded(program: Program) -> Program:
    """Return `program` without equations on constants alone, except those that make large arrays from small ones."""
    return rebuilt(program, _folded)


def _folded(equation: Equation, builder: Builder) -> Equation | Atom:
    if (
        equation.opaque
        or equation.function is np.broadcast_to  # functions that read the result may broadcast it themselves
        or any(isinstance(atom, Value) for atom in equation.inputs)
        or equation.output.size > max(64, *(math.prod(shape_of(atom)) for atom in equation.inputs))
    ):
        return equation
    value = np.asarray(equation.primitive.evaluate(*equation.inputs, **equation.params))
    return frozen(np.array(value, equation.output.dtype))


def without_common_subexpressions(program: Program) -> Program:
    """Return `program` with equal equations computed once, except opaque ones, whose results may vary.

    The first of several equal equations stays, in the earliest of their phases.
    """
    known: dict[Any, Equation] = {}

    def first(equation: Equation, builder: Builder) -> Equation | Atom:
        key = equation if equation.opaque else (equation.primitive, *map(_key, (*equation.inputs, equation.params)))
        earlier = known.setdefault(key, equation)
        if earlier is equation:
            return equation
        if PHASES.index(equation.phase) < PHASES.index(earlier.phase):
            known[key] = replace(earlier, phase=equation.phase)
            builder.add(known[key])  # replaces the earlier one
        return earlier.output

    return rebuilt(program, first)


def _key(item: Any) -> Any:
    """Return something hashable that is equal for equal inputs and parameters."""
    if isinstance(item, Value):
        return item
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
