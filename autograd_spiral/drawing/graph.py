"""From tensors to what a picture shows of them: nodes, edges, names, and what folds into a formula.

The walk is iterative and visits each recorded operation once, by serial number, arguments before their users.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.drawing.backward import Backward
from autograd_spiral.drawing.formulas import BLANK, Term, constant_term, formula
from autograd_spiral.drawing.text import WIDTH, capped, visible
from autograd_spiral.tensor import Tensor

__all__ = ["Edge", "Flow", "Graph", "Kind", "Node", "trace"]


class Kind(StrEnum):
    """What a node is; the words are those of the legend."""

    DATA = "data"
    PARAMETER = "parameter"
    OPERATION = "operation → its output"
    OUTPUT = "output"
    BACKWARD = "backward operation"
    GRADIENT = "gradient of a parameter"
    SCOPE = "scope, collapsed"


class Flow(StrEnum):
    """What an edge carries; the words are those of the legend."""

    VALUE = "value"
    GRADIENT = "gradient"
    SAVED = "saved for backward"


@dataclass(slots=True)
class Node:
    """What the picture says about one value, or about a scope collapsed into one node."""

    kind: Kind
    name: str | None
    formula: str
    scope: tuple[str, ...] = ()
    backward: bool = False
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
    """Nodes, arguments before their users; edges; and pairs of a value and its gradient."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)


def trace(
    outputs: Sequence[Tensor],
    names: Mapping[str, Any],
    backward: Backward | None = None,
    sizes: Mapping[Tensor, NDArray[Any]] | None = None,
) -> Graph:
    """The graph of everything `outputs`, and the gradients in `backward`, were computed from.

    `sizes` holds gradients to be noted on forward nodes.
    """
    return _Trace(outputs, names, backward or Backward(), sizes or {}).graph


def reachable(roots: Iterable[Tensor]) -> set[Tensor]:
    """`roots` and all tensors that they were computed from."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for arg in stack.pop().args:
            if type(arg) is Tensor and arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return seen


class _Trace:
    def __init__(
        self,
        outputs: Sequence[Tensor],
        names: Mapping[str, Any],
        backward: Backward,
        sizes: Mapping[Tensor, NDArray[Any]],
    ) -> None:
        self.graph = Graph()
        self.backward = backward
        self.sizes = sizes
        self.outputs = set(outputs)
        self.gradients = set(backward.gradients.values())
        self.forward = reachable(outputs)
        self.given = {id(value): name for name, value in reversed(list(names.items())) if type(value) is Tensor}
        self.arrays = [(name, value) for name, value in names.items() if type(value) is np.ndarray]
        self.index: dict[Any, int] = {}  # where a drawn value stands in the list of nodes
        self.terms: dict[Any, tuple[Term, tuple[int, ...]]] = {}  # how an argument reads, and the nodes behind it

        tensors = sorted(self.forward | reachable(self.gradients), key=attrgetter("serial"))
        self.absorbed = self._absorbed(tensors)
        for tensor in tensors:
            if tensor.primitive is None:
                self._leaf(tensor)
            else:
                self._operation(tensor)
        index = self.index
        pairs = backward.cotangent_of.items()
        self.graph.pairs = [(index[value], index[ct]) for ct, value in pairs if ct in index and value in index]

    def _name(self, tensor: Tensor) -> str | None:
        name = tensor.name or self.given.get(id(tensor))
        if name is None and tensor in self.backward.cotangent_of and tensor not in self.forward:
            value = self.backward.cotangent_of[tensor]
            of = value.name or self.given.get(id(value))
            name = of and f"d{of}"
        return name

    def _add(self, key: Any, node: Node, ndim: int) -> int:
        self.index[key] = index = len(self.graph.nodes)
        self.graph.nodes.append(node)
        text = capped(visible(node.name), WIDTH // 2) if node.name else BLANK
        self.terms[key] = Term(text, ndim=ndim), (index,)
        return index

    def _leaf(self, tensor: Tensor) -> None:
        text, kind = "", Kind.PARAMETER if tensor.requires_grad else Kind.DATA
        if tensor not in self.forward:  # where a sweep starts: ones, or zeros for what it does not reach
            kind, text = Kind.BACKWARD, constant_term(tensor.data.flat[0]).text if tensor.size else ""
        self._add(
            tensor,
            Node(
                kind,
                self._name(tensor),
                text,
                backward=kind is Kind.BACKWARD,
                value=tensor.data,
                gradient=None if self.backward.gradients else tensor.grad,
            ),
            tensor.ndim,
        )

    def _operation(self, tensor: Tensor) -> None:
        assert tensor.primitive is not None
        one_hot = _one_hot_labels(tensor)
        if one_hot is not None:
            label, sources = self._argument(one_hot)
            term = Term(f"onehot({label.text})", ndim=tensor.ndim)
        else:
            arguments = [self._argument(arg) for arg in tensor.args]
            sources = tuple(source for _, behind in arguments for source in behind)
            if type(tensor.args[0]) is Tensor and tensor.args[0] in self.absorbed:
                term = arguments[0][0]
            else:
                term = formula(tensor.primitive, [term for term, _ in arguments], tensor.params, tensor.ndim)
        name = self._name(tensor)
        if tensor in self.absorbed or (name is None and self._folds(tensor, term, sources)):
            self.terms[tensor] = term, sources
            return

        backward = tensor not in self.forward
        origin = self.backward.origin.get(tensor) if backward else tensor
        kind = (
            Kind.GRADIENT
            if tensor in self.gradients
            else Kind.OUTPUT
            if tensor in self.outputs
            else Kind.BACKWARD
            if backward
            else Kind.OPERATION
        )
        node = Node(
            kind,
            name,
            term.text,
            origin.scope if origin is not None else (),
            backward,
            value=tensor.data,
            gradient=self.sizes.get(tensor),
            place=tensor.place,
        )
        head = self._add(tensor, node, tensor.ndim)
        for tail in sources:
            self._edge(tail, head)

    def _edge(self, tail: int, head: int) -> None:
        start, end = self.graph.nodes[tail], self.graph.nodes[head]
        if start.backward:
            flow = Flow.GRADIENT
        else:
            flow = Flow.SAVED if end.backward else Flow.VALUE
            if start.kind is Kind.PARAMETER and not start.scope:
                start.scope = end.scope  # a parameter is drawn with the operation that uses it first
        self.graph.edges.append(Edge(tail, head, flow))

    def _argument(self, arg: Any) -> tuple[Term, tuple[int, ...]]:
        """How `arg` reads in a formula, and the nodes whose values it shows."""
        if type(arg) is Tensor:
            return self.terms[arg]
        if not isinstance(arg, np.ndarray) or arg.size == 1:
            return constant_term(arg if not isinstance(arg, np.ndarray) else arg.item()), ()
        name = self._array_name(arg)
        key = name if name is not None else id(arg)  # an array is frozen anew at each use; its name makes it one node
        if key not in self.terms:
            self._add(key, Node(Kind.DATA, name, "", value=arg), arg.ndim)
        return self.terms[key]

    def _array_name(self, array: NDArray[Any]) -> str | None:
        for name, value in self.arrays:
            if value.shape == array.shape and value.dtype == array.dtype and np.array_equal(value, array):
                return name
        return None

    def _folds(self, tensor: Tensor, term: Term, sources: tuple[int, ...]) -> bool:
        """Whether `tensor` is no more than a way to look at a value: a transpose, a mask, a broadcast."""
        if tensor in self.outputs or tensor in self.gradients or len(term.text) > WIDTH // 2 or len(sources) > 3:
            return False  # the last two keep formulas short, and the walk linear
        function = _function(tensor)
        return (
            function in (np.transpose, np.broadcast_to)
            or tensor.dtype == bool
            or (function is operator.getitem and all(_whole_axis(item) for item in tensor.params["index"]))
        )

    def _absorbed(self, tensors: Sequence[Tensor]) -> set[Tensor]:
        """Sums whose only use is to be put into a shape: the two read as one operation."""
        uses = Counter(arg for tensor in tensors for arg in tensor.args if type(arg) is Tensor)
        shaped = (tensor.args[0] for tensor in tensors if _function(tensor) is np.reshape)
        return {
            arg
            for arg in shaped
            if type(arg) is Tensor
            and _function(arg) is np.sum
            and uses[arg] == 1
            and not (arg in self.outputs or arg in self.gradients or self._name(arg))
        }


def _function(tensor: Tensor) -> Any:
    return tensor.primitive and tensor.primitive.function


def _whole_axis(item: Any) -> bool:
    return item is None or item is Ellipsis or item == slice(None)


def _one_hot_labels(tensor: Tensor) -> Tensor | None:
    """The labels y of `y[:, None] == np.arange(classes)`, or None where `tensor` is something else."""
    if _function(tensor) is not np.equal:
        return None
    column, classes = tensor.args
    if type(column) is not Tensor or _function(column) is not operator.getitem:
        return None
    labels = column.args[0]
    if column.params["index"] != (slice(None), None) or type(labels) is not Tensor or labels.ndim != 1:
        return None
    counted = isinstance(classes, np.ndarray) and np.array_equal(classes, np.arange(classes.size))
    return labels if counted else None
