"""From a program to the record of a picture: forward, backward and update, with values where they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.drawing.record import Item, Kind, Record
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.program.ir import Atom, Equation, Program, Rank, Value, dtype_of, shape_of

__all__ = ["read"]


def read(
    program: Program,
    values: Mapping[Value, NDArray[Any]] | None = None,
    gradients: Mapping[Value, NDArray[Any]] | None = None,
    arrays: Sequence[tuple[str, NDArray[Any]]] = (),
) -> Record:
    """Return the record of `program`, equation by equation.

    If the program was read off a recorded graph, `values` are what its values held, in the order in which they were
    made, and only these become items. `gradients` are noted on the items; `arrays` are names for constants.
    """
    return _Reader(program, values or {}, gradients or {}, list(arrays)).record


class _Reader:
    def __init__(
        self,
        program: Program,
        values: Mapping[Value, NDArray[Any]],
        gradients: Mapping[Value, NDArray[Any]],
        arrays: list[tuple[str, NDArray[Any]]],
    ) -> None:
        self.program, self.values, self.gradients = program, values, gradients
        self.items: dict[Value, Item] = {}
        self.record = Record(arrays=arrays)
        self.constants: dict[object, NDArray[Any]] = {}  # one array for all that are equal
        self.outputs = {atom for atom in program.outputs if isinstance(atom, Value)}
        self.first_scope = self._first_scopes()
        self.updated = {new: state for state, new in reversed(program.updates) if isinstance(new, Value)}
        equations = {equation.output: equation for equation in _with_phases(program.equations)}
        self.into = self._scopes_of_updates(list(equations.values()))
        roles = (("x", program.inputs), ("w", program.state), ("a", program.outside))
        names = {value: f"{role}{i + 1}" for role, given in roles for i, value in enumerate(given)}
        for value in values or [*names, *equations]:
            if value in equations:
                self._equation(equations[value])
            else:
                self._given(value, None if values else names[value])
        for atom in program.outputs:
            if not isinstance(atom, Value) or self.items[atom].equation is None:  # no equation computes it
                copied = Value(shape_of(atom), dtype_of(atom) or np.asarray(atom).dtype)
                item = Item(Kind.OUTPUT, copied, args=(self._argument(atom, "forward"),), result=True)
                self.record.items.append(item)
        for state, new in program.updates:
            self._update(state, new)
        self._pairs()

    def _given(self, value: Value, otherwise: str | None) -> None:
        program = self.program
        kind = Kind.PARAMETER if value in program.trained else Kind.STATE if value in program.state else Kind.DATA
        item = Item(kind, value, name=self._name(value) or otherwise)
        if value in self.values and value in program.outside:
            # where a recorded sweep starts: ones, or zeros for an input that it does not reach
            item.kind, item.phase, item.args = Kind.BACKWARD, "backward", tuple(self.values[value].flat[:1])
        self._add(item)

    def _equation(self, equation: Equation) -> None:
        output = equation.output
        item = Item(Kind.OPERATION, output, equation, name=self._name(output))
        item.phase, item.scope = equation.phase, equation.scope
        item.args = tuple(self._argument(atom, item.phase) for atom in equation.inputs)
        primal = self.program.primals.get(output)
        state = self.updated.get(output) if item.phase == "update" else None
        if item.phase == "update":
            item.scope = item.scope or self.into.get(output, ())
        if state is not None:
            item.kind, item.state = Kind.NEW_STATE, self.items[state]
        elif output in self.outputs:
            item.kind = Kind.OUTPUT
        elif item.phase != "forward":
            item.kind = Kind.BACKWARD if item.phase == "backward" else Kind.UPDATE
        if item.phase == "backward" and primal in self.program.trained:
            item.kind, item.scope = Kind.GRADIENT, self.first_scope.get(primal, item.scope)
        item.result = item.kind in (Kind.GRADIENT, Kind.OUTPUT, Kind.NEW_STATE)
        self._add(item)

    def _update(self, state: Value, new: Atom) -> None:
        """Add a copy for a new state that no equation of the update computes, or that another state has too."""
        of = self.items[state]
        if not (isinstance(new, Value) and self.items[new].state is of):
            copy = Item(Kind.NEW_STATE, state, args=(self._argument(new, "update"),), phase="update", result=True)
            copy.state, copy.scope = of, self.first_scope.get(state, ())
            self.record.items.append(copy)
            self.record.pairs.append((of, copy))

    def _pairs(self) -> None:
        for ct, primal in self.program.primals.items():
            if ct in self.items and primal in self.items:
                self.record.pairs.append((self.items[primal], self.items[ct]))
        self.record.pairs += [(item.state, item) for item in self.items.values() if item.state is not None]

    def _name(self, value: Value) -> str | None:
        known = self.program.names.get(value)
        return known.text if known is not None and known.rank < Rank.BODY else None

    def _add(self, item: Item) -> None:
        item.value, item.gradient = self.values.get(item.output), self.gradients.get(item.output)
        self.items[item.output] = item
        self.record.items.append(item)

    def _argument(self, atom: Atom, phase: str) -> object:
        """Return what an argument is in the record: equal arrays are one, and so are an array and its transpose."""
        if isinstance(atom, Value):
            return self.items[atom]
        if not isinstance(atom, np.ndarray) or atom.size == 1:
            return atom
        content = _content(atom)
        if atom.ndim >= 2 and content not in self.constants:
            turned = self.constants.get(_content(np.swapaxes(atom, -1, -2)))
            if turned is not None:
                axes = (*range(atom.ndim - 2), atom.ndim - 1, atom.ndim - 2)
                output = Value(atom.shape, atom.dtype)
                turn = Equation(PRIMITIVES[np.transpose], (turned,), {"axes": axes}, output, phase)
                item = Item(Kind.OPERATION, output, turn, (turned,), phase=phase, value=atom)
                self.record.items.append(item)
                return item
        return self.constants.setdefault(content, atom)

    def _first_scopes(self) -> dict[Value, tuple[str, ...]]:
        """Return for each value the scope of the first forward equation that reads it."""
        scopes: dict[Value, tuple[str, ...]] = {}
        for equation in self.program.equations:
            if equation.phase == "forward":
                for value in equation.reads():
                    scopes.setdefault(value, equation.scope)
        return scopes

    def _scopes_of_updates(self, equations: Sequence[Equation]) -> dict[Value, tuple[str, ...]]:
        """Return for what the update computes the scope in which the state that it leads to is used first."""
        into = {new: self.first_scope.get(state, ()) for new, state in self.updated.items()}
        for equation in reversed(equations):
            if equation.phase == "update" and equation.output in into:
                for value in equation.reads():
                    into.setdefault(value, into[equation.output])
        return into


def _content(array: NDArray[Any]) -> tuple[Any, ...]:
    return array.shape, array.dtype.str, array.tobytes()


def _with_phases(equations: Sequence[Equation]) -> list[Equation]:
    """Return the equations, those after the last backward pass that depend on gradients in the phase "update"."""
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
