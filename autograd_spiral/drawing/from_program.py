"""From a program to the record of a picture: forward, backward and update, of shapes and no values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.drawing.record import Item, Kind, Record
from autograd_spiral.program.ir import Atom, Equation, Program, Rank, Value, dtype_of, shape_of
from autograd_spiral.program.passes.pipeline import optimised

__all__ = ["of_program"]


def of_program(program: Program) -> Record:
    """The record of `program`, optimised as its printed source is, with declared primitives as they are."""
    return _Reader(optimised(program)).record


class _Reader:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.items: dict[Value, Item] = {}
        self.record = Record()
        self.constants: dict[object, NDArray[Any]] = {}  # one array for all that are equal
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
        for atom in program.outputs:
            if not isinstance(atom, Value) or self.items[atom].primitive is None:  # no equation computes it
                copy = Item(Kind.OUTPUT, shape_of(atom), _dtype(atom), args=(self._argument(atom),), result=True)
                self.record.items.append(copy)
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
        state = self.updated.get(output) if item.phase == "update" else None
        if item.phase == "update":
            item.scope = item.scope or into.get(output, ())
        if state is not None:
            item.kind, item.state = Kind.NEW_STATE, self.items[state]
        elif output in self.outputs:
            item.kind = Kind.OUTPUT
        elif item.phase != "forward":
            item.kind = Kind.BACKWARD if item.phase == "backward" else Kind.UPDATE
        if item.phase == "backward" and primal in self.program.trained:
            item.kind, item.scope = Kind.GRADIENT, self.first_scope.get(primal, item.scope)
        item.result = item.kind in (Kind.GRADIENT, Kind.OUTPUT, Kind.NEW_STATE)
        self._add(output, item)

    def _update(self, state: Value, new: Atom) -> None:
        """A new state that no equation of the update computes, or that another state has too, is a copy."""
        of = self.items[state]
        if not (isinstance(new, Value) and self.items[new].state is of):
            copy = Item(Kind.NEW_STATE, state.shape, state.dtype, args=(self._argument(new),), phase="update")
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
        if not isinstance(atom, np.ndarray):
            return self.items[atom] if isinstance(atom, Value) else atom
        return self.constants.setdefault((atom.shape, atom.dtype.str, atom.tobytes()), atom)

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


def _dtype(atom: Atom) -> np.dtype[Any]:
    return dtype_of(atom) or np.asarray(atom).dtype


def _with_phases(equations: Sequence[Equation]) -> list[Equation]:
    """The equations, those in the phase "update" that depend on gradients and come after the last backward pass."""
    last = max((i for i, equation in enumerate(equations) if equation.phase == "backward"), default=-1)
    late: set[Value] = set()
    phased = []
    for i, equation in enumerate(equations):
        if equation.phase == "backward" or any(value in late for value in equation.reads()):
            late.add(equation.output)
            if i > last:
                equation = replace(equation, phase="update")
        phased.append(equation)
    return phased
