"""Shows several recorded operations as one operation with many operands: stacks, long sums, and pieces of values.

`np.stack` is recorded as a reshape of each array and a concatenation. A loop adds up its losses one by one, and a sweep
adds up the pieces of a gradient one by one, so a value that is used twenty times has nineteen additions in its
gradient. The gradient of a stack is cut into halves again and again, down to one piece for each array.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from autograd_spiral.drawing.record import Gathered, Node, common_scope
from autograd_spiral.program.ir import shape_of
from autograd_spiral.program.printing.expressions import Binding, Text, listed

__all__ = ["gather", "gathered_text"]

_MANY = 4
"""If there are more operands than this, their number is shown instead of a list."""


def gather(nodes: Iterable[Node], uses: Mapping[Node, int], *, all_phases: bool) -> set[Node]:
    """Set `gathered` on each node that stands for many operations; return the nodes that then need not be drawn.

    These operations are stacks and concatenations, and with `all_phases` also long sums and the pieces of gradients.
    `uses` says how often each node is an argument.
    """
    inside: set[Node] = set()
    for node in nodes:
        if node.function is np.concatenate:
            rows = _stacked(node, uses)
            operands = tuple(row.args[0] for row in rows) or node.args
            node.gathered = Gathered("stack" if rows else "concatenate", operands, _axis(node))
            inside.update(rows)
    if all_phases:
        inside |= _sums(nodes, uses) | _pieces(nodes, uses)
    return inside


def gathered_text(gathered: Gathered, terms: Sequence[Text]) -> Text:
    """Return the formula for many operations shown as one, with `terms` as the texts of the operands.

    >>> gathered_text(Gathered("stack", (), axis=1), [Text("h")] * 20).text
    'stack(20 arrays, axis=1)'
    """
    if gathered.name == "sum":
        joined = " + ".join(term.within(Binding.SUM) for term in terms)
        return Text(joined, Binding.SUM) if len(terms) <= _MANY else Text(f"sum of {len(terms)}", Binding.COMPARISON)
    if gathered.name == "piece":
        which = ":".join(map(str, gathered.numbers))
        return Text(f"{terms[0].atom}[{':, ' * gathered.axis}{which}]")
    axis = f", axis={gathered.axis}" if gathered.axis else ""
    return Text(f"{gathered.name}({listed(terms) if len(terms) <= _MANY else f'{len(terms)} arrays'}{axis})")


# --- stacks -----------------------------------------------------------------------------------------------------------


def _stacked(node: Node, uses: Mapping[Node, int]) -> list[Node]:
    """Return the reshapes that a concatenation stacks: each adds the joined axis, of length 1, to its array."""
    rows = [arg for arg in node.args if type(arg) is Node and _adds_axis(arg, _axis(node)) and _is_inner(arg, uses)]
    return rows if len(rows) == len(node.args) else []


def _adds_axis(node: Node, axis: int) -> bool:
    shape = node.output.shape
    return (
        node.function is np.reshape
        and node.equation is not None
        and shape[axis] == 1
        and shape_of(node.equation.inputs[0]) == (*shape[:axis], *shape[axis + 1 :])
    )


def _axis(node: Node) -> int:
    assert node.equation is not None
    axis: int = node.equation.params["axis"]
    return axis


def _is_inner(node: Node, uses: Mapping[Node, int]) -> bool:
    """Return whether nothing is lost if this value is not drawn: it has no name, and only one use."""
    return not node.result and node.name is None and uses[node] == 1


# --- long sums --------------------------------------------------------------------------------------------------------


def _sums(nodes: Iterable[Node], uses: Mapping[Node, int]) -> set[Node]:
    """Gather sums of three terms or more (in the forward pass, of more than can be listed); return the partial sums."""
    steps: dict[Node, tuple[Node, Any]] = {}  # from an addition to its partial sum and its piece
    for node in nodes:
        for partial, piece in (node.args, reversed(node.args)) if _adds(node) else ():
            if _is_partial(partial, node, uses):
                steps[node] = partial, piece
                break
    inside: set[Node] = set()
    for whole in steps.keys() - {partial for partial, _ in steps.values()}:
        pieces: list[Any] = []
        partials: list[Node] = []
        start = whole
        while start in steps:
            start, piece = steps[start]
            partials.append(start)
            pieces.append(piece)
        operands = tuple(arg for arg in (*start.args, *reversed(pieces)) if type(arg) is Node or arg != 0)
        if whole.phase == "backward" or len(operands) > _MANY:
            whole.gathered = Gathered("sum", operands)
            whole.scope = common_scope([whole.scope, *(part.scope for part in partials)])  # not just the last piece's
            inside.update(partials)
    return inside


def _adds(node: Node) -> bool:
    return node.function is np.add and node.phase != "update"


def _is_partial(arg: object, whole: Node, uses: Mapping[Node, int]) -> TypeGuard[Node]:
    """Return whether an argument of an addition is itself a sum, without a name or another use."""
    if type(arg) is not Node or not _adds(arg) or not _is_inner(arg, uses):
        return False
    return arg.phase == whole.phase and arg.output.shape == whole.output.shape


# --- pieces of gradients ----------------------------------------------------------------------------------------------


class _Cut(NamedTuple):
    """A part of a value, from `start` to before `stop` along an axis."""

    of: Any
    axis: int
    start: int
    stop: int


def _pieces(nodes: Iterable[Node], uses: Mapping[Node, int]) -> set[Node]:
    """Gather pieces cut out in several steps, or made into rows; return the larger pieces that nothing else uses."""
    cuts: dict[Node, _Cut] = {}
    within: Counter[Node] = Counter()
    for node in nodes:
        cut = _cut(node) if node.phase == "backward" else None
        larger = node.args[0] if node.args else None
        if type(larger) is not Node:
            continue
        if cut is not None and larger in cuts and cuts[larger].axis == cut.axis:
            of, axis, start, _ = cuts[larger]
            cuts[node] = _Cut(of, axis, start + cut.start, start + cut.stop)
            node.gathered = Gathered("piece", (of,), axis, (start + cut.start, start + cut.stop))
        elif cut is not None:
            cuts[node] = cut
            continue
        elif larger in cuts and _drops_axis(node, cuts[larger].axis):
            node.gathered = Gathered("piece", (cuts[larger].of,), cuts[larger].axis, (cuts[larger].start,))
        else:
            continue
        within[larger] += 1
    return {node for node in cuts if within[node] == uses[node] and node.name is None and not node.result}


def _cut(node: Node) -> _Cut | None:
    """Return which part of its argument a node is, if it is a slice along one axis, else None."""
    if node.function is not operator.getitem or node.equation is None:
        return None
    index = node.equation.params["index"]
    cut = [axis for axis, item in enumerate(index) if item != slice(None)]
    if len(cut) != 1 or not isinstance(index[cut[0]], slice) or index[cut[0]].step is not None:
        return None
    start, stop, _ = index[cut[0]].indices(shape_of(node.equation.inputs[0])[cut[0]])
    return _Cut(node.args[0], cut[0], start, stop)


def _drops_axis(node: Node, axis: int) -> bool:
    if node.function is not np.reshape or node.equation is None:
        return False
    shape = shape_of(node.equation.inputs[0])
    return shape[axis] == 1 and node.output.shape == (*shape[:axis], *shape[axis + 1 :])
