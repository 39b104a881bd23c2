"""Makes a graph from a record: its nodes, its edges, and the values that become part of formulas.

The walk is iterative and visits each node once, arguments before their users.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from autograd_spiral.drawing.formulas import BLANK, FORMULAS, constant_text
from autograd_spiral.drawing.operands import gather, gathered_text
from autograd_spiral.drawing.record import Kind, Node, Record
from autograd_spiral.drawing.text import WIDTH, capped, visible
from autograd_spiral.program.printing.expressions import Text

__all__ = ["Edge", "Flow", "Graph", "trace"]


class Flow(StrEnum):
    """What an edge carries, in the words of the legend."""

    VALUE = "value"
    GRADIENT = "gradient"
    SAVED = "saved for backward"
    UPDATE = "to new state"


@dataclass(slots=True)
class Edge:
    """A use of a value: `head` uses `tail`, both positions in the list of nodes; `uses` counts merged edges.

    If an end stands for several rounds of a loop, `note` says which rounds the edge leaves and enters, unless it
    connects each round with itself.
    """

    tail: int
    head: int
    flow: Flow
    uses: int = 1
    note: str = ""


@dataclass
class Graph:
    """The nodes of a picture, arguments before their users; its edges; and pairs of nodes that belong side by side."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)


def trace(record: Record, *, gather: bool = False) -> Graph:
    """Return the graph of everything in `record`, and give the nodes their formulas.

    With `gather`, the additions of a long sum are one node, and so are the slices that cut a piece out of a gradient.
    """
    return _Trace(record, gather).graph


class _Trace:
    def __init__(self, record: Record, all_phases: bool) -> None:
        self.graph = Graph()
        self.index: dict[Node, int] = {}  # the position of each drawn node
        self.read: dict[Node, tuple[Text, tuple[Node, ...]]] = {}  # how an argument reads, and the nodes behind it
        self.uses = Counter(arg for node in record.nodes for arg in node.args if type(arg) is Node)
        self.terms: dict[Node, tuple[Text, tuple[Node, ...]]] = {}  # values of an update that are part of a formula
        self.absorbed = _absorbed(record, self.uses)
        inside = gather(record.nodes, self.uses, all_phases=all_phases)
        for node in record.nodes:
            if node not in inside:
                self._node(node)
        index = self.index
        self.graph.pairs = [(index[a], index[b]) for a, b in record.pairs if a in index and b in index]

    def _node(self, node: Node) -> None:
        for term in [arg for arg in node.args if arg in self.terms and _scope(arg) != _scope(node)]:
            self._draw(term, *self.terms.pop(term))  # what an optimizer is given has its own box
        text, sources = self._formula(node)
        terms = [arg for arg in node.args if arg in self.terms]
        while terms and (len(text.text) > WIDTH or len(sources) > 4):
            term = max(terms, key=lambda term: len(self.terms[term][0].text))  # the formula would be too long with it
            terms.remove(term)
            self._draw(term, *self.terms[term])
            text, sources = self._formula(node)
        if node.name is None and not node.result and node.equation and node.phase == "update" and self.uses[node] == 1:
            self.read[node] = self.terms[node] = text, sources
        elif node in self.absorbed or (node.name is None and _folds(node, text, sources)):
            self.read[node] = text, sources
        else:
            self._draw(node, text, sources)

    def _draw(self, node: Node, text: Text, sources: tuple[Node, ...]) -> None:
        node.formula = text.text
        self._add(node)
        if node.state is not None:
            node.name = node.state.name
            self.read[node] = Text(BLANK), (node,)  # its name means the old value
            sources = tuple(source for source in sources if source is not node.state)  # the name shows this source
        for source in sources:
            self._edge(source, node)

    def _formula(self, node: Node) -> tuple[Text, tuple[Node, ...]]:
        """Return the formula of `node`, and the nodes whose values it shows."""
        if not node.args:
            return Text(""), ()
        labels = _one_hot_labels(node)
        if labels is not None:
            label, sources = self._argument(labels)
            return Text(f"onehot({label.text})"), sources
        arguments = [self._argument(arg) for arg in (node.gathered.operands if node.gathered else node.args)]
        sources = tuple(source for _, behind in arguments for source in behind)
        if node.equation is None or node.args[0] in self.absorbed:
            return arguments[0][0], sources
        turned = _turned_back(node)
        if turned is not None:
            return self._argument(turned)
        texts = [text for text, _ in arguments]
        write = FORMULAS.write(node.equation, texts) if node.gathered is None else gathered_text(node.gathered, texts)
        return write, sources

    def _argument(self, arg: Any) -> tuple[Text, tuple[Node, ...]]:
        """Return how `arg` reads in a formula, and the nodes whose values it shows."""
        if type(arg) is not Node:
            return constant_text(arg), ()
        if arg not in self.read:  # a constant, which is drawn where it is first used
            self._add(arg)
        return self.read[arg]

    def _add(self, node: Node) -> None:
        self.index[node] = len(self.graph.nodes)
        self.graph.nodes.append(node)
        self.read[node] = Text(capped(visible(node.name), WIDTH // 2) if node.name else BLANK), (node,)

    def _edge(self, start: Node, end: Node) -> None:
        if end.phase == "update":
            flow = Flow.UPDATE
        elif start.phase != "forward":
            flow = Flow.GRADIENT
        else:
            flow = Flow.SAVED if end.phase == "backward" else Flow.VALUE
            if start.kind is Kind.PARAMETER and not start.scope:
                start.scope = end.scope  # a parameter is drawn with the operation that uses it first
        self.graph.edges.append(Edge(self.index[start], self.index[end], flow))


def _scope(node: Node) -> tuple[str, ...]:
    """Return the scope in which the operation of a node was recorded."""
    return node.equation.scope if node.equation is not None else ()


_WHOLE_AXES = (None, Ellipsis, slice(None))
"""The items of an index that leave out no element."""


def _folds(node: Node, text: Text, sources: tuple[Node, ...]) -> bool:
    """Return whether `node` is only another form of a value: a transpose, a mask, a broadcast."""
    if node.equation is None or node.result or len(text.text) > WIDTH // 2 or len(sources) > 3:
        return False  # the last two conditions keep formulas short, and the walk linear
    return (
        node.function in (np.transpose, np.broadcast_to)
        or node.output.dtype == bool
        or (node.function is operator.getitem and all(item in _WHOLE_AXES for item in node.equation.params["index"]))
    )


def _turned_back(node: Node) -> Node | None:
    """Return x if `node` transposes a transpose of x back to the axes of x, else None."""
    first = node.args[0] if node.function is np.transpose else None
    if type(first) is not Node or first.function is not np.transpose or first.equation is None:
        return None
    assert node.equation is not None
    axes = [first.equation.params["axes"][i] for i in node.equation.params["axes"]]
    return first.args[0] if axes == sorted(axes) and type(first.args[0]) is Node else None


def _absorbed(record: Record, uses: Mapping[Node, int]) -> set[Node]:
    """Return the sums that are only reshaped: sum and reshape are shown as one operation."""
    shaped = (node.args[0] for node in record.nodes if node.function is np.reshape)
    return {arg for arg in shaped if uses[arg] == 1 and arg.function is np.sum and not (arg.result or arg.name)}


def _one_hot_labels(node: Node) -> Node | None:
    """Return the labels y if `node` is `y[:, None] == np.arange(classes)`, else None."""
    if node.equation is None or node.function is not np.equal:
        return None
    column, classes = node.args[0], node.equation.inputs[1]
    if not (isinstance(classes, np.ndarray) and np.array_equal(classes, np.arange(classes.size))):
        return None
    if type(column) is not Node or column.equation is None or column.function is not operator.getitem:
        return None
    labels = column.args[0]
    is_column = column.equation.params["index"] == (slice(None), None)
    return labels if is_column and type(labels) is Node and len(labels.output.shape) == 1 else None
