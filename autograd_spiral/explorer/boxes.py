"""The boxes of a page: the nodes of the picture in order of computation, each with its line of the printed source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.drawing.graph import Flow, Graph, trace
from autograd_spiral.drawing.record import Kind, Node, Record
from autograd_spiral.drawing.text import visible
from autograd_spiral.errors import CaptureError
from autograd_spiral.explorer.scopes import scopes_of
from autograd_spiral.explorer.subject import Values
from autograd_spiral.program.ir import Program, Value
from autograd_spiral.program.printing.numpy_text import literal
from autograd_spiral.program.printing.source import Source

__all__ = ["Boxes"]

_FOLDERS = re.compile(r"^.*?(?=[^/\\]*:\d+: )")
"""Matches the folders in `folders/file.py:12: code`; they are left out, since pages are also shown to other people."""

_CONSTANT = 10_000
_LONG = 40
"""Constants with more elements than the first number, or whose text is longer than the second, are not written out."""

_FLOWS = {Flow.VALUE: "value", Flow.GRADIENT: "gradient", Flow.SAVED: "saved", Flow.UPDATE: "update"}


@dataclass(frozen=True)
class Boxes:
    """The graph of a program, its printed source, and the line on which each of its values is computed.

    If the program cannot be printed, `source` says why, and no value has a line.
    """

    program: Program
    graph: Graph
    source: str
    lines: Mapping[Value, int]
    names: Mapping[Value, str]

    @classmethod
    def of(cls, program: Program) -> Boxes:
        """Return the boxes of a program."""
        graph = trace(Record(program, {}, {}))
        try:
            source = Source(program)
        except CaptureError as error:
            return cls(program, graph, f"# This program has no text: {error}", {}, {})
        return cls(program, graph, source.text, source.lines, source.names)

    def to_json(self) -> dict[str, Any]:
        """Return boxes, edges and source in the form that `json.dumps` takes."""
        on_line = self._lines_of_all()
        scopes, late = scopes_of(self.graph), self._states_of_updates()
        order = {equation.output: i for i, equation in enumerate(self.program.equations)}
        boxes = [
            {
                "name": visible(self._name(node)),
                "named": bool(node.name),  # in formulas, · stands for a box without a name
                "formula": node.formula or _printed(node),
                "kind": node.kind.name.lower(),
                "what": str(node.kind),
                "phase": "update" if i in late else node.phase,
                "scope": [visible(name) for name in scopes[i]],
                "shape": node.output.shape,
                "dtype": str(node.output.dtype),
                "operation": node.equation.primitive.name if node.equation else "",
                "place": visible(_FOLDERS.sub("", (node.equation and node.equation.place) or "", count=1)),
                "order": order.get(node.output, -1) if node.equation else (len(order) if node.args else -1),
                "line": on_line.get(node.output, 0) if node.equation or not node.args else 0,
                "printed": node.output in self.lines,
            }
            for i, node in enumerate(self.graph.nodes)
        ]
        return {
            "title": self.program.name,
            "boxes": boxes,
            "edges": [[edge.tail, edge.head, _FLOWS[edge.flow]] for edge in self.graph.edges],
            "pairs": self.graph.pairs,
            "source": self.source.rstrip("\n").split("\n"),
            "boxOfLine": self._boxes_of_lines(),
        }

    def alike(self, other: Boxes) -> bool:
        """Whether both have the same boxes and edges, apart from numbers in formulas."""

        def structure(boxes: Boxes) -> list[Any]:
            nodes = [(node.kind, node.output.shape, node.output.dtype, node.function) for node in boxes.graph.nodes]
            return [nodes, [(edge.tail, edge.head) for edge in boxes.graph.edges]]

        return structure(self) == structure(other)

    def arrays(self, values: Values) -> list[NDArray[Any] | None]:
        """Return the array of each box, or None where it is not known."""
        return [_array(node, values) for node in self.graph.nodes]

    def _name(self, node: Node) -> str:
        return node.name or (self.names.get(node.output, "") if node.output in self.lines else "")

    def _states_of_updates(self) -> set[int]:
        """Return the states that only the update reads, such as the averages of an optimizer."""
        nodes, edges = self.graph.nodes, self.graph.edges
        read_before = {edge.tail for edge in edges if nodes[edge.head].phase != "update"}
        return {i for i, node in enumerate(nodes) if node.kind is Kind.STATE and i not in read_before}

    def _lines_of_all(self) -> dict[Value, int]:
        """Return the line of each value. A value inside an expression has the line that first uses it."""
        lines = dict(self.lines)
        for equation in reversed(self.program.equations):
            for value in equation.reads():
                if value not in self.lines and equation.output in lines:
                    lines[value] = lines[equation.output]
        return lines

    def _boxes_of_lines(self) -> dict[int, int]:
        """Return the box of each line of the source; for a line without one, the first box that uses its value."""
        drawn = {node.output: i for i, node in enumerate(self.graph.nodes)}
        box_of = dict(drawn)
        for equation in reversed(self.program.equations):
            if equation.output in box_of:
                box_of |= {value: box_of[equation.output] for value in equation.reads() if value not in drawn}
        given = {*self.program.inputs, *self.program.state}
        return {line: box_of[value] for value, line in self.lines.items() if value in box_of and value not in given}


def _printed(node: Node) -> str:
    """Return a constant as formulas show it, such as arange(300), or an empty string if that would be long."""
    if node.name or node.value is None or node.value.size > _CONSTANT:
        return ""
    text = literal(node.value).text.removeprefix("np.")
    return text if len(text) <= _LONG else ""


def _array(node: Node, values: Values) -> NDArray[Any] | None:
    if node.value is not None:
        return node.value
    if node.equation is not None or not node.args:
        return values.get(node.output)
    source = node.args[0]  # the node is a copy
    return _array(source, values) if isinstance(source, Node) else np.asarray(source)
