"""What a picture is drawn of: a list of items, each a value and how it was computed.

Recorded tensors and programs are both turned into one of these; whatever draws knows neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.table import Primitive

__all__ = ["PHASES", "Item", "Kind", "Record"]

PHASES = ("forward", "backward", "update")


class Kind(StrEnum):
    """What a node is; the words are those of the legend."""

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
    """A value. Without a primitive it is given, or, where it has an argument, the same as that argument."""

    kind: Kind
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    primitive: Primitive | None = None
    args: tuple[Any, ...] = ()  # items, arrays and numbers
    params: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    scope: tuple[str, ...] = ()
    place: str | None = None
    phase: str = "forward"
    result: bool = False  # whether it must have a node of its own
    state: Item | None = None  # whose new value this is
    value: NDArray[Any] | None = None
    gradient: NDArray[Any] | None = None

    @property
    def function(self) -> Any:
        """The function that computes it; None of what is given."""
        return self.primitive and self.primitive.function


@dataclass
class Record:
    """Items, arguments before their users; pairs of items that belong side by side; and names of arrays."""

    items: list[Item] = field(default_factory=list)
    pairs: list[tuple[Item, Item]] = field(default_factory=list)
    arrays: list[tuple[str, NDArray[Any]]] = field(default_factory=list)
