"""A program made anew, equation by equation, with some of its values replaced: what passes build with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.program.ir import Atom, Equation, Name, Program, Rank, Value

__all__ = ["Substitution", "rewritten"]


class Substitution:
    """Builds a program from another one, equation by equation, with values replaced as they come up."""

    def __init__(self, program: Program) -> None:
        self.before = program
        self.made: dict[Value, Equation] = {}  # what computes a value, so far
        self.names: dict[Value, Name] = dict(program.names)
        self.checks = list(program.checks)
        self.uses = Counter(value for equation in program.equations for value in equation.reads())
        self.uses.update(program.results())
        self._instead: dict[Value, Atom] = {}
        self._kept: list[Equation] = []

    def into(self, equation: Equation) -> Equation:
        """`equation`, reading the replacements."""
        if not any(value in self._instead for value in equation.reads()):
            return equation
        return rewritten(equation, inputs=tuple(map(self._now, equation.inputs)))

    def _now(self, atom: Atom) -> Atom:
        return self._instead.get(atom, atom) if isinstance(atom, Value) else atom

    def keep(self, equation: Equation) -> None:
        """Take over `equation`."""
        self._kept.append(equation)
        self.made[equation.output] = equation

    def put(self, value: Value, atom: Atom) -> None:
        """Replace `value` by `atom` from here on, whose name stays unless that of `value` was given by the user."""
        self._instead[value] = atom
        if not isinstance(atom, Value):
            return
        self.uses[atom] += self.uses[value] - 1
        if value in self.names:
            known, other = self.names.get(atom), self.names[value]
            if known is None or known.rank == Rank.BODY or other.rank == Rank.GIVEN < known.rank:
                self.names[atom] = other

    def program(self) -> Program:
        """The program that was built."""
        before = self.before
        checks = []
        for check in self.checks:
            atom = self._now(check.value)
            if isinstance(atom, Value):
                checks.append(check._replace(value=atom))
            else:
                check.function(np.asarray(atom), *check.details)
        return before.with_equations(
            tuple(self._kept),
            outputs=tuple(map(self._now, before.outputs)),
            updates=tuple((state, self._now(new)) for state, new in before.updates),
            checks=tuple(checks),
            names=self.names,
            primals=self._primals(),
        )

    def _primals(self) -> dict[Value, Value]:
        """What gradients are the gradients of now; where two became one, that of a trained state wins."""
        primals: dict[Value, Value] = {}
        for ct, primal in self.before.primals.items():
            now, of = self._now(ct), self._now(primal)
            if not isinstance(now, Value) or not isinstance(of, Value):
                continue
            if now not in primals or of in self.before.trained:
                primals[now] = of
        return primals


def rewritten(
    equation: Equation,
    function: Callable[..., Any] | None = None,
    inputs: tuple[Atom, ...] | None = None,
    params: Mapping[str, Any] | None = None,
    output: Value | None = None,
) -> Equation:
    """An equation that takes the place of `equation`, or is a part of what does."""
    return Equation(
        equation.primitive if function is None else PRIMITIVES[function],
        equation.inputs if inputs is None else inputs,
        equation.params if params is None and function is None else params or {},
        equation.output if output is None else output,
        equation.phase,
        equation.scope,
        equation.place,
    )
