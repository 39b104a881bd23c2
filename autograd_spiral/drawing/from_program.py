"""From a program to the record of a picture: forward, backward and update, with values where they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.drawing.record import Kind, Node, Record
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.program.ir import Atom, Equation, Program, Rank, Value, dtype_of, shape_of
from autograd_spiral.program.printing.source import given_names

__all__ = ["read"]


def read(
    program: Program,
    values: Mapping[Value, NDArray[Any]] | None = None,
    arrays: Sequence[tuple[str, NDArray[Any]]] = (),
) -> Record:
    """Return the record of `program`, equation by equation.

    For a program of what was recorded, `values` are what its values held, in the order in which they were made; only
    these become nodes. `arrays` are names for constants.
    """
    return _Reader(program, values or {}, arrays).record


class _Reader:
    def __init__(
        self, program: Program, values: Mapping[Value, NDArray[Any]], arrays: Sequence[tuple[str, NDArray[Any]]]
    ) -> None:
        self.program, self.values, self.arrays = program, values, arrays
        self.record = Record()
        self.nodes: dict[Value, Node] = {}
        self.constants: dict[object, Node] = {}  # one node for all arrays that are equal
        self.outputs = {atom for atom in program.outputs if isinstance(atom, Value)}
        self.first_scope = self._first_scopes()
        self.updated = {new: state for state, new in reversed(program.updates) if isinstance(new, Value)}
        equations = {equation.output: equation for equation in _with_phases(program.equations)}
        self.into = self._scopes_of_updates(list(equations.values()))
        given = given_names(program)
        for value in values or [*given, *equations]:
            if value in equations:
                self._equation(equations[value])
            else:
                self._given(value, self._name(value) if values else given[value])
        for atom in program.outputs:
            if not isinstance(atom, Value) or self.nodes[atom].equation is None:  # no equation computes it
                copied = Value(shape_of(atom), dtype_of(atom) or np.asarray(atom).dtype)
                self.record.nodes.append(Node(Kind.OUTPUT, copied, args=(self._argument(atom, "forward"),)))
        for state, new in program.updates:
            self._update(state, new)
        for ct, primal in program.primals.items():
            if ct in self.nodes and primal in self.nodes:
                self.record.pairs.append((self.nodes[primal], self.nodes[ct]))
        self.record.pairs += [(node.state, node) for node in self.nodes.values() if node.state is not None]

    def _given(self, value: Value, name: str | None) -> None:
        program = self.program
        kind = Kind.PARAMETER if value in program.trained else Kind.STATE if value in program.state else Kind.DATA
        node = Node(kind, value, name)
        if value in self.values and value in program.outside:
            # a recorded sweep starts here: from ones, or from zeros for an input that it does not reach
            node.kind, node.phase, node.args = Kind.BACKWARD, "backward", tuple(self.values[value].flat[:1])
        self._add(node)

    def _equation(self, equation: Equation) -> None:
        output = equation.output
        args = tuple(self._argument(atom, equation.phase) for atom in equation.inputs)
        node = Node(Kind.OPERATION, output, self._name(output), equation, args, equation.scope, equation.phase)
        primal = self.program.primals.get(output)
        state = self.updated.get(output) if node.phase == "update" else None
        if node.phase == "update":
            node.scope = node.scope or self.into.get(output, ())
        if state is not None:
            node.kind, node.state = Kind.NEW_STATE, self.nodes[state]
        elif output in self.outputs:
            node.kind = Kind.OUTPUT
        elif node.phase != "forward":
            node.kind = Kind.BACKWARD if node.phase == "backward" else Kind.UPDATE
        if node.phase == "backward" and primal in self.program.trained:
            node.kind, node.scope = Kind.GRADIENT, self.first_scope.get(primal, node.scope)
        self._add(node)

    def _update(self, state: Value, new: Atom) -> None:
        """Add a copy if no equation of the update computes the new state, or if another state has the same."""
        of = self.nodes[state]
        if not (isinstance(new, Value) and self.nodes[new].state is of):
            copy = Node(Kind.NEW_STATE, state, args=(self._argument(new, "update"),), phase="update", state=of)
            copy.scope = self.first_scope.get(state, ())
            self.record.nodes.append(copy)
            self.record.pairs.append((of, copy))

    def _name(self, value: Value) -> str | None:
        known = self.program.names.get(value)
        return known.text if known is not None and known.rank < Rank.BODY else None

    def _add(self, node: Node) -> None:
        node.value = self.values.get(node.output)
        self.nodes[node.output] = node
        self.record.nodes.append(node)

    def _argument(self, atom: Atom, phase: str) -> object:
        """Return the node or the number for an argument: arrays share a node if one is the other, or its transpose."""
        if isinstance(atom, Value):
            return self.nodes[atom]
        if not isinstance(atom, np.ndarray) or atom.size == 1:
            return atom.item() if isinstance(atom, np.ndarray) else atom
        content, output = _content(atom), Value(atom.shape, atom.dtype)
        if content not in self.constants:
            turned = self.constants.get(_content(np.swapaxes(atom, -1, -2))) if atom.ndim >= 2 else None
            if turned is not None:
                axes = (*range(atom.ndim - 2), atom.ndim - 1, atom.ndim - 2)
                equation = Equation(PRIMITIVES[np.transpose], (turned.output,), {"axes": axes}, output)
                node = Node(Kind.OPERATION, output, None, equation, (turned,), phase=phase, value=atom)
                self.record.nodes.append(node)
                return node
            self.constants[content] = Node(Kind.DATA, output, self._array_name(atom), value=atom)
        return self.constants[content]

    def _array_name(self, array: NDArray[Any]) -> str | None:
        for name, value in self.arrays:
            if value.shape == array.shape and value.dtype == array.dtype and np.array_equal(value, array):
                return name
        return None

    def _first_scopes(self) -> dict[Value, tuple[str, ...]]:
        """Return for each value the scope of the first forward equation that reads it."""
        scopes: dict[Value, tuple[str, ...]] = {}
        for equation in self.program.equations:
            if equation.phase == "forward":
                for value in equation.reads():
                    scopes.setdefault(value, equation.scope)
        return scopes

    def _scopes_of_updates(self, equations: Sequence[Equation]) -> dict[Value, tuple[str, ...]]:
        """Return for each value of the update the scope in which the state that it leads to is used first."""
        into = {new: self.first_scope.get(state, ()) for new, state in self.updated.items()}
        for equation in reversed(equations):
            if equation.phase == "update" and equation.output in into:
                for value in equation.reads():
                    into.setdefault(value, into[equation.output])
        return into


def _content(array: NDArray[Any]) -> tuple[Any, ...]:
    return array.shape, array.dtype.str, array.tobytes()


def _with_phases(equations: Sequence[Equation]) -> list[Equation]:
    """Return the equations, with "update" as the phase of what uses gradients after the last backward pass."""
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
