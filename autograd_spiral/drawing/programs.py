"""From a program to the record of a picture: forward, backward and update, of shapes and no values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autograd_spiral.drawing.record import Item, Kind, Record
from autograd_spiral.program.equations import Atom, Equation, Program, Rank, Value
from autograd_spiral.program.optimise import tidied

__all__ = ["of_program"]


def of_program(program: Program) -> Record:
    """The record of `program`, tidied as its printed source is, with declared primitives as they are."""
    return _Reader(tidied(program)).record


class _Reader:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.items: dict[Value, Item] = {}
        self.record = Record()
        self.outputs = {atom for atom in program.outputs if isinstance(atom, Value)}
        self.first_scope = self._first_scopes()
        self.updated = {new: state for state, new in reversed(program.updates) if isinstance(new, Value)}
        equations = _with_phases(program.equations)
        into = self._scopes_of_updates(equations)
        for role, values in (("x", program.inputs), ("w", program.state), ("a", program.outside)):
            for i, value in enumerate(values):
                self._given(value, f"{role}{i + 1}")
        for equation in equations:
            self._equation(equation, into)
        for state, new in program.updates:
            self._update(state, new)
        self._pairs()

    def _given(self, value: Value, otherwise: str) -> None:
        program = self.program
        kind = Kind.PARAMETER if value in program.trained else Kind.STATE if value in program.state else Kind.DATA
        known = program.names.get(value)
        self._add(value, Item(kind, value.shape, value.dtype, name=known.text if known else otherwise))

    def _equation(self, equation: Equation, into: dict[Value, tuple[str, ...]]) -> None:
        output = equation.output
        item = Item(Kind.OPERATION, output.shape, output.dtype, equation.primitive, params=equation.params)
        item.args = tuple(self._argument(atom) for atom in equation.inputs)
        item.place, item.phase, item.scope = equation.place, equation.phase, equation.scope
        known = self.program.names.get(output)
        if known is not None and known.rank < Rank.BODY:
            item.name = known.text
        primal = self.program.primals.get(output)
        if item.phase == "update":
            item.kind = Kind.UPDATE
            item.scope = item.scope or into.get(output, ())
            if output in self.updated:
                item.state = self.items[self.updated[output]]
        elif primal in self.program.trained:
            item.kind = Kind.GRADIENT
            item.scope = self.first_scope.get(primal, item.scope)
        elif output in self.outputs:
            item.kind = Kind.OUTPUT
        elif item.phase == "backward":
            item.kind = Kind.BACKWARD
        item.result = (
            item.kind in (Kind.GRADIENT, Kind.OUTPUT) or output in self.program.outputs or item.state is not None
        )
        self._add(output, item)

    def _update(self, state: Value, new: Atom) -> None:
        """A new state that no equation of the update computes, or that another state has too, is a copy."""
        of = self.items[state]
        if not (isinstance(new, Value) and self.items[new].state is of):
            copy = Item(Kind.UPDATE, state.shape, state.dtype, args=(self._argument(new),), phase="update")
            copy.result, copy.state, copy.scope = True, of, self.first_scope.get(state, ())
            self.record.items.append(copy)
            self.record.pairs.append((of, copy))

    def _pairs(self) -> None:
        for ct, primal in self.program.primals.items():
            if ct in self.items and primal in self.items:
                self.record.pairs.append((self.items[primal], self.items[ct]))
        self.record.pairs += [(item.state, item) for item in self.items.values() if item.state is not None]

    def _add(self, value: Value, item: Item) -> None:
        self.items[value] = item
        self.record.items.append(item)

    def _argument(self, atom: Atom) -> object:
        return self.items[atom] if isinstance(atom, Value) else atom

    def _first_scopes(self) -> dict[Value, tuple[str, ...]]:
        """The scope of the first forward equation that reads a value, of each that is given."""
        scopes: dict[Value, tuple[str, ...]] = {}
        for equation in self.program.equations:
            if equation.phase == "forward":
                for value in equation.reads():
                    scopes.setdefault(value, equation.scope)
        return scopes

    def _scopes_of_updates(self, equations: Sequence[Equation]) -> dict[Value, tuple[str, ...]]:
        """Of what the update computes: the scope in which the state that it leads to is used first."""
        into = {new: self.first_scope.get(state, ()) for new, state in self.updated.items()}
        for equation in reversed(equations):
            if equation.phase == "update" and equation.output in into:
                for value in equation.reads():
                    into.setdefault(value, into[equation.output])
        return into


def _with_phases(equations: Sequence[Equation]) -> list[Equation]:
    """The equations, those that come after the backward pass in the phase "update", whatever they are for."""
    late: set[Value] = set()
    for equation in equations:
        if equation.phase == "backward" or any(value in late for value in equation.reads()):
            late.add(equation.output)
    early: set[Value] = set()  # what a backward pass reads, as in a penalty on gradients
    for equation in reversed(equations):
        if equation.phase == "backward" or equation.output in early:
            early.update(equation.reads())
    return [
        replace(equation, phase="update")
        if equation.phase == "forward" and equation.output in late and equation.output not in early
        else equation
        for equation in equations
    ]
