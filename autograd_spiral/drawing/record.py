"""The record of a picture: the values of a program as nodes, before some of them become part of formulas."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.program.ir import Atom, Equation, Program, Rank, Value, dtype_of, shape_of
from autograd_spiral.program.printing.names import given_names

__all__ = ["Gathered", "Kind", "Node", "Record", "Statement", "common_scope"]


class Kind(StrEnum):
    """The kind of a node, in the words of the legend."""

    DATA = "data"
    PARAMETER = "parameter"
    STATE = "other state"
    OPERATION = "operation → its output"
    OUTPUT = "output"
    BACKWARD = "backward operation"
    GRADIENT = "gradient of a parameter"
    UPDATE = "update operation"
    NEW_STATE = "update: new state"
    SCOPE = "scope, collapsed"


_KINDS = {"forward": Kind.OPERATION, "backward": Kind.BACKWARD, "update": Kind.UPDATE}
"""For each phase, the kind of its nodes that have no other role."""


class Gathered(NamedTuple):
    """Several operations shown as one: a stack, a long sum, a piece of a value (see `operands`), or a scope's call."""

    name: str
    operands: tuple[Any, ...]
    axis: int = 0
    numbers: tuple[int, ...] = ()  # of a piece: its index along the axis, or where it starts and stops


class Statement(NamedTuple):
    """An assignment to a state in an update: the name of the state, and the formula in full."""

    name: str
    formula: str


@dataclass(eq=False, slots=True)
class Node:
    """A value of a program, and what the picture says about it; or a scope that was collapsed into one node.

    If the node has no equation, its value is an input, or a copy of its only argument.
    """

    kind: Kind
    output: Value
    name: str | None = None
    equation: Equation | None = None
    args: tuple[Any, ...] = ()  # nodes and numbers
    scope: tuple[str, ...] = ()
    phase: str = "forward"
    state: Node | None = None  # the state whose new value this is
    value: NDArray[Any] | None = None
    gradient: NDArray[Any] | None = None
    formula: str = ""  # filled in by `graph.trace`
    gathered: Gathered | None = None  # what to show instead of equation and arguments
    statements: tuple[Statement, ...] = ()  # what the folded update of a parameter assigns, in order
    states: tuple[str, ...] = ()  # the names of the states of an optimizer, in one box
    count: Counter[str] = field(default_factory=Counter)  # what a collapsed scope holds
    rounds: tuple[int, ...] = ()  # of the loops whose rounds this stands for, outermost first; see `rounds.fold_loops`

    @property
    def function(self) -> Any:
        """The function that computes the value, or None if the value is given rather than computed."""
        return self.equation and self.equation.function

    @property
    def result(self) -> bool:
        """Whether the value must have its own node."""
        return self.kind in (Kind.GRADIENT, Kind.OUTPUT, Kind.NEW_STATE)


def common_scope(scopes: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the innermost scope that all of these are in.

    >>> common_scope([("net", "layer 1"), ("net", "layer 2", "norm")])
    ('net',)
    """
    scopes = list(scopes)
    first, last = min(scopes), max(scopes)  # all other scopes begin as these two do
    shared = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return tuple(name for name, _ in shared)


class Record:
    """A program (forward, backward and update) as nodes, with values where these are known.

    `nodes` holds each node before those that use it. Constants are not nodes, only arguments. `pairs` holds pairs of
    nodes to draw side by side. For a program made from recorded tensors, `values` maps its values to arrays, in the
    order in which they were computed; only these values become nodes. Arrays in `names` give constants their names.
    """

    def __init__(self, program: Program, values: Mapping[Value, NDArray[Any]], names: Mapping[str, Any]) -> None:
        self.nodes: list[Node] = []
        self.pairs: list[tuple[Node, Node]] = []
        self._program, self._values, self._names = program, values, names
        self._name_of = {value: name.text for value, name in program.names.items() if name.rank < Rank.BODY}
        self._node_of: dict[Value, Node] = {}
        self._constants: dict[object, Node] = {}  # one node for all arrays that are equal
        self._outputs = {atom for atom in program.outputs if isinstance(atom, Value)}
        forward = [equation for equation in program.equations if equation.phase == "forward"]
        # for each value: the scope of the first forward equation that reads it
        self._first_scope = {value: equation.scope for equation in reversed(forward) for value in equation.reads()}
        self._updated = {new: state for state, new in reversed(program.updates) if isinstance(new, Value)}
        equations = {equation.output: equation for equation in program.equations}
        self._into = self._scopes_of_updates(list(equations.values()))
        given_name = self._name_of if values else given_names(program)
        for value in values or [*program.inputs, *program.state, *program.outside, *equations]:
            if value in equations:
                self._equation(equations[value])
            else:
                self._given(value, given_name.get(value))
        for atom in program.outputs:
            if not isinstance(atom, Value) or self._node_of[atom].equation is None:  # no equation computes it
                copied = Value(shape_of(atom), dtype_of(atom) or np.asarray(atom).dtype)
                self.nodes.append(Node(Kind.OUTPUT, copied, args=(self._argument(atom, "forward"),)))
        for state, new in program.updates:
            self._update(state, new)
        for ct, primal in program.primals.items():
            if ct in self._node_of and primal in self._node_of:
                self.pairs.append((self._node_of[primal], self._node_of[ct]))
        self.pairs += [(node.state, node) for node in self._node_of.values() if node.state is not None]

    def _given(self, value: Value, name: str | None) -> None:
        program = self._program
        kind = Kind.PARAMETER if value in program.trained else Kind.STATE if value in program.state else Kind.DATA
        node = Node(kind, value, name)
        if value in self._values and value in program.outside:
            # a recorded sweep starts from ones, or from zeros for an input that it does not reach
            node.kind, node.phase, node.args = Kind.BACKWARD, "backward", tuple(self._values[value].flat[:1])
        self._add(node)

    def _equation(self, equation: Equation) -> None:
        output, phase = equation.output, equation.phase
        args = tuple(self._argument(atom, phase) for atom in equation.inputs)
        node = Node(_KINDS[phase], output, self._name_of.get(output), equation, args, equation.scope, phase)
        primal = self._program.primals.get(output)
        if output in self._outputs:
            node.kind = Kind.OUTPUT
        if phase == "backward" and primal in self._program.trained:
            node.kind, node.scope = Kind.GRADIENT, self._first_scope.get(primal, node.scope)
        if phase == "update":
            node.scope = node.scope or self._into.get(output, ())
            if output in self._updated:
                node.kind, node.state = Kind.NEW_STATE, self._node_of[self._updated[output]]
        self._add(node)

    def _update(self, state: Value, new: Atom) -> None:
        """Add a copy if no equation of the update computes the new state, or if two states have the same new value."""
        of = self._node_of[state]
        if not (isinstance(new, Value) and self._node_of[new].state is of):
            args, scope = (self._argument(new, "update"),), self._first_scope.get(state, ())
            copy = Node(Kind.NEW_STATE, state, args=args, scope=scope, phase="update", state=of)
            self.nodes.append(copy)
            self.pairs.append((of, copy))

    def _add(self, node: Node) -> None:
        node.value = self._values.get(node.output)
        self._node_of[node.output] = node
        self.nodes.append(node)

    def _argument(self, atom: Atom, phase: str) -> object:
        """Return the node or the number for an argument; equal arrays, and transposes of them, share a node."""
        if isinstance(atom, Value):
            return self._node_of[atom]
        if not isinstance(atom, np.ndarray) or atom.size == 1:
            return atom.item() if isinstance(atom, np.ndarray) else atom
        content, output = _content(atom), Value(atom.shape, atom.dtype)
        if content not in self._constants:
            other = self._constants.get(_content(np.swapaxes(atom, -1, -2))) if atom.ndim >= 2 else None
            turned = other if self._values or np.unique(atom).size > 1 else None  # unless all numbers are equal
            if turned is not None:
                axes = (*range(atom.ndim - 2), atom.ndim - 1, atom.ndim - 2)
                equation = Equation(PRIMITIVES[np.transpose], (turned.output,), {"axes": axes}, output)
                self.nodes.append(Node(Kind.OPERATION, output, None, equation, (turned,), phase=phase, value=atom))
                return self.nodes[-1]
            self._constants[content] = Node(Kind.DATA, output, self._array_name(atom), value=atom)
        return self._constants[content]

    def _array_name(self, array: NDArray[Any]) -> str | None:
        for name, value in self._names.items():
            if type(value) is np.ndarray and value.dtype == array.dtype and np.array_equal(value, array):
                return name
        return None

    def _scopes_of_updates(self, equations: Sequence[Equation]) -> dict[Value, tuple[str, ...]]:
        """Return, for each value of the update, the scope in which the state that it leads to is used first."""
        into = {new: self._first_scope.get(state, ()) for new, state in self._updated.items()}
        for equation in reversed(equations):
            if equation.phase == "update" and equation.output in into:
                for value in equation.reads():
                    into.setdefault(value, into[equation.output])
        return into


def _content(array: NDArray[Any]) -> tuple[Any, ...]:
    return array.shape, array.dtype.str, array.tobytes()
