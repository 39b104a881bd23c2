"""From a record to what a picture shows of it: nodes, edges, and what folds into a formula.

The walk is iterative and visits each item once, arguments before their users.
"""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.drawing.formulas import BLANK, FORMULAS, constant_text
from autograd_spiral.drawing.record import Item, Kind, Record
from autograd_spiral.drawing.text import WIDTH, capped, visible
from autograd_spiral.program.printing.expressions import Text

__all__ = ["Edge", "Flow", "Graph", "Node", "trace"]


class Flow(StrEnum):
    """What an edge carries; the words are those of the legend."""

    VALUE = "value"
    GRADIENT = "gradient"
    SAVED = "saved for backward"
    UPDATE = "to new state"


@dataclass(slots=True)
class Node:
    """What the picture says about one value, or about a scope collapsed into one node."""

    kind: Kind
    name: str | None
    formula: str
    scope: tuple[str, ...] = ()
    phase: str = "forward"
    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] | None = None
    value: NDArray[Any] | None = None
    gradient: NDArray[Any] | None = None
    place: str | None = None
    count: Counter[str] = field(default_factory=Counter)  # what a collapsed scope holds


@dataclass(slots=True)
class Edge:
    """A use of the value of `tail` by `head`, both positions in the list of nodes; `uses` of them when collapsed."""

    tail: int
    head: int
    flow: Flow
    uses: int = 1


@dataclass
class Graph:
    """Nodes, arguments before their users; edges; and pairs of nodes that belong side by side."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)


def trace(record: Record) -> Graph:
    """The graph of everything in `record`."""
    return _Trace(record).graph


class _Trace:
    def __init__(self, record: Record) -> None:
        self.graph = Graph()
        self.arrays = record.arrays
        self.index: dict[Any, int] = {}  # where a drawn value stands in the list of nodes
        self.terms: dict[Any, tuple[Text, tuple[int, ...]]] = {}  # how an argument reads, and the nodes behind it
        self.absorbed = _absorbed(record)
        for item in record.items:
            self._item(item)
        index = self.index
        self.graph.pairs = [(index[a], index[b]) for a, b in record.pairs if a in index and b in index]

    def _item(self, item: Item) -> None:
        term, sources = self._reading(item)
        if item in self.absorbed or (item.name is None and _folds(item, term, sources)):
            self.terms[item] = term, sources
            return
        node = Node(item.kind, item.name, term.text, item.scope, item.phase, item.output.shape, item.output.dtype)
        node.value, node.gradient = item.value, item.gradient
        node.place = item.equation.place if item.equation is not None else None
        head = self._add(item, node)
        if item.state is not None:
            node.name = item.state.name
            self.terms[item] = Text(BLANK), (head,)  # its name means the old value
            own = self.index.get(item.state)
            sources = tuple(source for source in sources if source != own)  # the name says so
        for tail in sources:
            self._edge(tail, head)

    def _reading(self, item: Item) -> tuple[Text, tuple[int, ...]]:
        """The formula of `item`, and the nodes whose values it shows."""
        if not item.args:
            return Text(""), ()
        one_hot = _one_hot_labels(item)
        if one_hot is not None:
            label, sources = self._argument(one_hot)
            return Text(f"onehot({label.text})"), sources
        arguments = [self._argument(arg) for arg in item.args]
        sources = tuple(source for _, behind in arguments for source in behind)
        if item.equation is None or (type(item.args[0]) is Item and item.args[0] in self.absorbed):
            return arguments[0][0], sources
        return FORMULAS.write(item.equation, [term for term, _ in arguments]), sources

    def _add(self, key: Any, node: Node) -> int:
        self.index[key] = index = len(self.graph.nodes)
        self.graph.nodes.append(node)
        text = capped(visible(node.name), WIDTH // 2) if node.name else BLANK
        self.terms[key] = Text(text), (index,)
        return index

    def _edge(self, tail: int, head: int) -> None:
        start, end = self.graph.nodes[tail], self.graph.nodes[head]
        if end.phase == "update":
            flow = Flow.UPDATE
        elif start.phase != "forward":
            flow = Flow.GRADIENT
        else:
            flow = Flow.SAVED if end.phase == "backward" else Flow.VALUE
            if start.kind is Kind.PARAMETER and not start.scope:
                start.scope = end.scope  # a parameter is drawn with the operation that uses it first
        self.graph.edges.append(Edge(tail, head, flow))

    def _argument(self, arg: Any) -> tuple[Text, tuple[int, ...]]:
        """How `arg` reads in a formula, and the nodes whose values it shows."""
        if type(arg) is Item:
            return self.terms[arg]
        if not isinstance(arg, np.ndarray) or arg.size == 1:
            return constant_text(arg if not isinstance(arg, np.ndarray) else arg.item()), ()
        name = self._array_name(arg)
        key = name if name is not None else id(arg)  # an array is frozen anew at each use; its name makes it one node
        if key not in self.terms:
            self._add(key, Node(Kind.DATA, name, "", shape=arg.shape, dtype=arg.dtype, value=arg))
        return self.terms[key]

    def _array_name(self, array: NDArray[Any]) -> str | None:
        for name, value in self.arrays:
            if value.shape == array.shape and value.dtype == array.dtype and np.array_equal(value, array):
                return name
        return None


def _folds(item: Item, term: Text, sources: tuple[int, ...]) -> bool:
    """Whether `item` is no more than a way to look at a value: a transpose, a mask, a broadcast."""
    if item.equation is None or item.result or len(term.text) > WIDTH // 2 or len(sources) > 3:
        return False  # the last two keep formulas short, and the walk linear
    return (
        item.function in (np.transpose, np.broadcast_to)
        or item.output.dtype == bool
        or (item.function is operator.getitem and all(_whole_axis(index) for index in item.equation.params["index"]))
    )


def _absorbed(record: Record) -> set[Item]:
    """Sums whose only use is to be put into a shape: the two read as one operation."""
    uses = Counter(arg for item in record.items for arg in item.args if type(arg) is Item)
    shaped = (item.args[0] for item in record.items if item.function is np.reshape)
    return {
        arg
        for arg in shaped
        if type(arg) is Item and arg.function is np.sum and uses[arg] == 1 and not (arg.result or arg.name)
    }


def _whole_axis(item: Any) -> bool:
    return item is None or item is Ellipsis or item == slice(None)


def _one_hot_labels(item: Item) -> Item | None:
    """The labels y of `y[:, None] == np.arange(classes)`, or None where `item` is something else."""
    if item.function is not np.equal:
        return None
    column, classes = item.args
    if type(column) is not Item or column.equation is None or column.function is not operator.getitem:
        return None
    labels = column.args[0]
    if (
        column.equation.params["index"] != (slice(None), None)
        or type(labels) is not Item
        or len(labels.output.shape) != 1
    ):
        return None
    counted = isinstance(classes, np.ndarray) and np.array_equal(classes, np.arange(classes.size))
    return labels if counted else None
