"""What a node computes, as data that can be compared, and the numbers in it, which may differ between rounds.

The numbers are those that a picture shows: numbers in scopes, whole numbers in formulas, and positions in an index.
Everything else must be the same, including hidden parts of the formula. Names are not part of the structure.
"""

from __future__ import annotations

import operator
from collections.abc import Hashable, Set
from typing import Any, NamedTuple

import numpy as np

from autograd_spiral.drawing.folding.counting import numbers_in, template_of
from autograd_spiral.drawing.record import Node

__all__ = ["Structure", "structure"]

_DEPTH = 20
"""A formula that is nested more deeply than this does not count as equal to any other."""


class Structure(NamedTuple):
    """The parts of a node that must be the same in every round of a loop, and the numbers that may differ."""

    same: Hashable
    numbers: tuple[int, ...]


def structure(node: Node, drawn: Set[Node]) -> Structure:
    """Return the structure of a node; nodes in `drawn` have their own boxes, and all others are part of formulas."""
    numbers: list[int] = []
    same = (_facts(node, numbers), _expression(node, node, drawn, numbers, 0))
    return Structure(same, tuple(numbers))


def _facts(node: Node, numbers: list[int]) -> Hashable:
    for name in node.scope:
        numbers += numbers_in(name)
    scope = tuple(map(template_of, node.scope))
    known = node.value is not None, node.gradient is not None
    return node.kind, node.phase, node.output.shape, node.output.dtype.str, scope, known, node.rounds


def _expression(node: Node, of: Node, drawn: Set[Node], numbers: list[int], depth: int) -> Hashable:
    """Return the operation of a node, with the arguments that are part of the formula of `of`."""
    if depth > _DEPTH:
        return object()
    if node.gathered is not None:
        name, operands, axis, places = node.gathered
        numbers += places
        return name, axis, len(places), tuple(_argument(arg, of, drawn, numbers, depth) for arg in operands)
    index = node.function is operator.getitem
    params = node.equation.params if node.equation is not None else {}
    frozen = tuple((key, _frozen(value, numbers if index else None)) for key, value in sorted(params.items()))
    args = tuple(_argument(arg, of, drawn, numbers, depth) for arg in node.args)
    return node.function, frozen, args


def _argument(arg: Any, of: Node, drawn: Set[Node], numbers: list[int], depth: int) -> Hashable:
    if type(arg) is not Node:
        return _frozen(arg, numbers)
    if arg in drawn:
        return "own state" if arg is of.state else "node"
    return _expression(arg, of, drawn, numbers, depth + 1)


def _frozen(value: Any, numbers: list[int] | None) -> Hashable:
    """Return a parameter or a constant in a form to compare; append whole numbers to `numbers`, if it is a list."""
    if type(value) is int and numbers is not None and value >= 0:
        numbers.append(value)
        return "number"
    if isinstance(value, np.ndarray):
        return "array", value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, tuple | list):
        return tuple(_frozen(item, numbers) for item in value)
    if isinstance(value, slice):
        return "slice", *(_frozen(item, numbers) for item in (value.start, value.stop, value.step))
    if isinstance(value, float):
        return repr(value)  # it tells 0.0 from -0.0
    return type(value).__name__, value if isinstance(value, Hashable) else object()
