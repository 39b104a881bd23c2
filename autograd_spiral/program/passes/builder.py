"""A builder for passes: rebuilds a program equation by equation, with some of its values replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from autograd_spiral.engine.table import PRIMITIVES, Primitive
from autograd_spiral.program.ir import Atom, Check, Equation, Name, Program, Rank, Value

__all__ = ["Builder", "rebuilt", "rewritten"]


class Builder:
    """A program that is being made from another one: `add` appends an equation, `replace` replaces a value."""

    def __init__(self, program: Program) -> None:
        self.before = program
        self.producers: dict[Value, Equation] = {}  # for each value, the equation added so far that computes it
        self.names: dict[Value, Name] = dict(program.names)
        self.checks: dict[Value, list[Check]] = {}
        for check in program.checks:
            self.checks.setdefault(check.value, []).append(check)
        self.uses = program.uses.copy()
        self._replacements: dict[Value, Atom] = {}

    def current(self, equation: Equation) -> Equation:
        """Return `equation` with each input replaced by the atom that stands for it now."""
        if not self._replacements or not any(value in self._replacements for value in equation.reads()):
            return equation
        return replace(equation, inputs=tuple(map(self._current, equation.inputs)), body=())

    def _current(self, atom: Atom) -> Atom:
        return self._replacements.get(atom, atom) if isinstance(atom, Value) else atom

    def add(self, equation: Equation) -> None:
        """Append `equation` to the program."""
        self.producers[equation.output] = equation

    def add_check(self, check: Check) -> None:
        """Append a check to the program."""
        self.checks.setdefault(check.value, []).append(check)

    def replace(self, value: Value, atom: Atom) -> None:
        """Read `atom` instead of `value` from now on.

        If `atom` is a value, then of the two names, it keeps the better one: a name that the user gave is best, and the
        name of a local variable in the body of a primitive is worst.
        """
        self._replacements[value] = atom
        if not isinstance(atom, Value):
            return
        self.uses[atom] += self.uses[value] - 1
        if value in self.names:
            known, other = self.names.get(atom), self.names[value]
            if known is None or known.rank == Rank.BODY or other.rank == Rank.GIVEN < known.rank:
                self.names[atom] = other

    def program(self) -> Program:
        """Return the program that was built; run the checks of values that have become constants."""
        before = self.before
        if not self._replacements and tuple(self.producers.values()) == before.equations:  # compared by identity
            return before
        checks = []
        for value, its_checks in self.checks.items():
            atom = self._current(value)
            for check in its_checks:
                if isinstance(atom, Value):
                    checks.append(check._replace(value=atom))
                else:
                    check.function(np.asarray(atom), *check.details)
        return before.with_equations(
            tuple(self.producers.values()),
            outputs=tuple(map(self._current, before.outputs)),
            updates=tuple((state, self._current(new)) for state, new in before.updates),
            checks=tuple(checks),
            names=self.names,
            primals=self._primals(),
        )

    def _primals(self) -> dict[Value, Value]:
        """Return the primals of the current gradients; if two gradients became one, prefer a trained state."""
        primals: dict[Value, Value] = {}
        for ct, primal in self.before.primals.items():
            current, of = self._current(ct), self._current(primal)
            if not isinstance(current, Value) or not isinstance(of, Value):
                continue
            if current not in primals or of in self.before.trained:
                primals[current] = of
        return primals


def rebuilt(program: Program, step: Callable[[Equation, Builder], Equation | Atom]) -> Program:
    """Return `program` with each equation replaced by what `step` returns: an equation, or an atom for its output."""
    builder = Builder(program)
    for equation in program.equations:
        equation = builder.current(equation)
        result = step(equation, builder)
        if isinstance(result, Equation):
            builder.add(result)
        else:
            builder.replace(equation.output, result)
    return builder.program()


def rewritten(
    equation: Equation,
    function: Callable[..., Any] | Primitive,
    *inputs: Atom,
    output: Value | None = None,
    **params: Any,
) -> Equation:
    """Return a call of `function` to replace `equation`.

    It belongs to the same line of the user's code, and computes the same output unless `output` is given.
    """
    primitive = function if isinstance(function, Primitive) else PRIMITIVES[function]
    output = output or equation.output
    return replace(equation, primitive=primitive, inputs=inputs, params=params, output=output, body=())
