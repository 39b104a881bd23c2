"""The record of a picture: items, each a value of a program and how it was computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from numpy.typing import NDArray

from autograd_spiral.program.ir import Equation, Value

__all__ = ["PHASES", "Item", "Kind", "Record"]

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
class Item:
    """A value and the equation that computes it. Without an equation it is given, or a copy of its one argument."""

    kind: Kind
    output: Value
    equation: Equation | None = None
    args: tuple[Any, ...] = ()  # items, arrays and numbers
    name: str | None = None
    scope: tuple[str, ...] = ()
    phase: str = "forward"
    result: bool = False  # whether it must have a node of its own
    state: Item | None = None  # whose new value this is
    value: NDArray[Any] | None = None
    gradient: NDArray[Any] | None = None

    @property
    def function(self) -> Any:
        """The function that computes it; None if it is given."""
        return self.equation and self.equation.function


@dataclass
class Record:
    """Items, arguments before their users; pairs of items that belong side by side; and names of arrays."""

    items: list[Item] = field(default_factory=list)
    pairs: list[tuple[Item, Item]] = field(default_factory=list)
    arrays: list[tuple[str, NDArray[Any]]] = field(default_factory=list)
