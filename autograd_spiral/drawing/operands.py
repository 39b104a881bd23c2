"""Operations of many operands that were recorded as chains of smaller ones, read as one: stacks, and the sums of sweeps.

`np.stack` is recorded as a reshape of each array and a concatenation. A loop adds up its losses one by one, and a sweep
the pieces of a gradient, so a value that is used twenty times has nineteen additions in its gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeGuard

import numpy as np

from autograd_spiral.drawing.record import Node
from autograd_spiral.program.ir import shape_of
from autograd_spiral.program.printing.expressions import Binding, Text, listed

__all__ = ["Gathered", "gathered"]

_MANY = 4
"""More operands than these are counted, not listed."""


class Gathered(NamedTuple):
    """An operation of many operands: what it is called, and its operands."""

    write: Callable[[Sequence[Text]], Text]
    operands: tuple[object, ...]


def gathered(nodes: Iterable[Node], uses: Mapping[Node, int], *, sums: bool) -> tuple[dict[Node, Gathered], set[Node]]:
    """Return the operations of many operands, each at its last node, and the nodes that become part of them.

    Long sums are among them if `sums` is true. `uses` says how often each node is an argument.
    """
    found: dict[Node, Gathered] = {}
    inside: set[Node] = set()
    for node in nodes:
        if node.function is np.concatenate:
            rows = _stacked(node, uses)
            name = "stack" if rows else "concatenate"
            found[node] = Gathered(_call(name, node), tuple(row.args[0] for row in rows) or node.args)
            inside.update(rows)
    for whole, operands, partial in _long_sums(nodes, uses) if sums else ():
        found[whole] = Gathered(_sum, operands)
        inside.update(partial)
    return found, inside


def _long_sums(
    nodes: Iterable[Node], uses: Mapping[Node, int]
) -> Iterator[tuple[Node, tuple[object, ...], Sequence[Node]]]:
    """Yield sums of three pieces or more, of the forward pass of more than can be listed, with their partial sums."""
    steps: dict[Node, tuple[Node, object]] = {}  # of an addition: the partial sum that it continues, and the piece
    for node in nodes:
        for partial, piece in (node.args, reversed(node.args)) if _adds(node) else ():
            if _is_partial(partial, node, uses):
                steps[node] = partial, piece
                break
    for whole in steps.keys() - {partial for partial, _ in steps.values()}:
        pieces: list[object] = []
        partials: list[Node] = []
        start = whole
        while start in steps:
            start, piece = steps[start]
            partials.append(start)
            pieces.append(piece)
        operands = tuple(arg for arg in (*start.args, *reversed(pieces)) if type(arg) is Node or arg != 0)
        if whole.phase == "backward" or len(operands) > _MANY:
            yield whole, operands, partials


def _stacked(node: Node, uses: Mapping[Node, int]) -> list[Node]:
    """Return the reshapes that a concatenation stacks: each gives its array the joined axis, of length 1."""
    parts = [arg for arg in node.args if type(arg) is Node and _is_row(arg, _axis(node), uses)]
    return parts if len(parts) == len(node.args) else []


def _is_row(node: Node, axis: int, uses: Mapping[Node, int]) -> bool:
    if node.equation is None or node.function is not np.reshape or node.result or node.name or uses[node] > 1:
        return False
    shape = node.output.shape
    return shape[axis] == 1 and shape_of(node.equation.inputs[0]) == (*shape[:axis], *shape[axis + 1 :])


def _adds(node: Node) -> bool:
    return node.function is np.add and node.phase != "update"


def _is_partial(arg: object, whole: Node, uses: Mapping[Node, int]) -> TypeGuard[Node]:
    """Whether an argument of an addition is a sum in turn, which has no name and no other use."""
    if type(arg) is not Node or not _adds(arg) or arg.result or arg.name or uses[arg] > 1:
        return False
    return arg.phase == whole.phase and arg.output.shape == whole.output.shape


def _sum(terms: Sequence[Text]) -> Text:
    joined = " + ".join(term.within(Binding.SUM) for term in terms)
    return Text(joined, Binding.SUM) if len(terms) <= _MANY else Text(f"sum of {len(terms)}", Binding.COMPARISON)


def _call(name: str, node: Node) -> Callable[[Sequence[Text]], Text]:
    axis = f", axis={_axis(node)}" if _axis(node) else ""

    def write(terms: Sequence[Text]) -> Text:
        return Text(f"{name}({listed(terms) if len(terms) <= _MANY else f'{len(terms)} arrays'}{axis})")

    return write


def _axis(node: Node) -> int:
    assert node.equation is not None
    axis: int = node.equation.params["axis"]
    return axis
