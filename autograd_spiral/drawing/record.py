"""The record of a picture: the values of a program as nodes, before any of them is part of a formula."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from numpy.typing import NDArray

from autograd_spiral.program.ir import Equation, Value

__all__ = ["PHASES", "Kind", "Node", "Record"]

PHASES = ("forward", "backward", "update")


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


@dataclass(eq=False, slots=True)
class Node:
    """A value of a program and what the picture says about it; or a scope, collapsed into one node.

    Without an equation the value is given, or a copy of its one argument.
    """

    kind: Kind
    output: Value
    name: str | None = None
    equation: Equation | None = None
    args: tuple[Any, ...] = ()  # nodes and numbers
    scope: tuple[str, ...] = ()
    phase: str = "forward"
    state: Node | None = None  # whose new value this is
    value: NDArray[Any] | None = None
    gradient: NDArray[Any] | None = None
    formula: str = ""  # filled in by `graph.trace`
    count: Counter[str] = field(default_factory=Counter)  # what a collapsed scope holds

    @property
    def function(self) -> Any:
        """The function that computes the value; None if it is given."""
        return self.equation and self.equation.function

    @property
    def result(self) -> bool:
        """Whether the value must have a node of its own."""
        return self.kind in (Kind.GRADIENT, Kind.OUTPUT, Kind.NEW_STATE)


@dataclass
class Record:
    """Nodes, arguments before their users (constants are only arguments), and pairs of nodes to draw level."""

    nodes: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
