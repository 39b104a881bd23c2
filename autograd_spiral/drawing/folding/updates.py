"""Folds updates: everything that belongs to the update of one parameter becomes one box.

The box includes moments and velocities that only this update reads and writes, and lists its assignments in order. If
the update was recorded in a scope, as the update of an optimizer is, the box shows a call, `W ← Adam(W, dW)`. Another
box then holds the values that the scope keeps from step to step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from autograd_spiral.drawing.folding.reach import reached
from autograd_spiral.drawing.folding.statements import statements
from autograd_spiral.drawing.formulas import BLANK
from autograd_spiral.drawing.graph import Edge, Flow, Graph
from autograd_spiral.drawing.record import Gathered, Kind, Node

__all__ = ["fold_updates"]

_NAMED = 4
"""A call with more arguments than this shows only their number."""


def fold_updates(graph: Graph) -> Graph:
    """Return `graph` with one box for the update of each parameter, whose `statements` are its assignments in order.

    `graph` itself is not changed.
    """
    folding = _Folding(graph)
    folding.fold_scopes()
    folding.fold_formulas()
    return folding.folded()


class _Folding:
    """A graph, and the boxes that replace some of its nodes."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.nodes = graph, graph.nodes
        self.index = {node: i for i, node in enumerate(graph.nodes)}
        self.new_of = {self.index[n.state]: i for i, n in enumerate(graph.nodes) if n.state in self.index}
        self.users: list[set[int]] = [set() for _ in graph.nodes]
        self.sources: list[list[int]] = [[] for _ in graph.nodes]
        for edge in graph.edges:
            self.users[edge.tail].add(edge.head)
            self.sources[edge.head].append(edge.tail)
        self.boxes: dict[int, tuple[Node, list[int]]] = {}  # the box that replaces a node, and the edges into it
        self.gone: dict[int, int] = {}  # for nodes that are no longer drawn, the box that they are part of

    def folded(self) -> Graph:
        kept = [i for i in range(len(self.nodes)) if i not in self.gone]
        new = {i: position for position, i in enumerate(kept)}
        edges = [
            Edge(new[self.gone.get(edge.tail, edge.tail)], new[edge.head], edge.flow)
            for edge in self.graph.edges
            if edge.head not in self.gone and edge.head not in self.boxes
        ]
        edges += [Edge(new[i], new[box], Flow.UPDATE) for box, (_, sources) in self.boxes.items() for i in sources]
        pairs = [(new[a], new[b]) for a, b in self.graph.pairs if a in new and b in new]
        return Graph([self.boxes[i][0] if i in self.boxes else self.nodes[i] for i in kept], edges, pairs)

    def _is_parameter(self, i: int) -> bool:
        state = self.nodes[i].state
        return state is not None and state.kind is Kind.PARAMETER

    def _states_of(self, members: Set[int]) -> set[int]:
        """Return the states, other than parameters, that only these nodes read and write."""
        return {
            i
            for i, node in enumerate(self.nodes)
            if node.kind is Kind.STATE
            and self.users[i] <= members
            and (self.new_of[i] in members if i in self.new_of else self.users[i])
        }

    # --- updates in scopes --------------------------------------------------------------------------------------------

    def fold_scopes(self) -> None:
        """Fold updates that were recorded in a scope, unless each of them is one formula."""
        scopes: dict[tuple[str, ...], set[int]] = {}
        for i, node in enumerate(self.nodes):
            if node.phase == "update" and node.equation is not None and node.equation.scope:
                scopes.setdefault(node.equation.scope, set()).add(i)
        for (*_, name), members in scopes.items():
            inner = {i for i in members if self.nodes[i].state is None}
            parameters = sorted(i for i in members if self._is_parameter(i))
            kept = sorted(members - inner - set(parameters))
            shown = any(self.nodes[i].result or not self.users[i] <= members for i in inner)
            if parameters and (inner or kept) and not shown:
                self._call(name, members, parameters, kept)

    def _call(self, name: str, members: set[int], parameters: list[int], kept: list[int]) -> None:
        states = self._states_of(members)
        outside = {node for i, node in enumerate(self.nodes) if i not in members and i not in states}
        reach = reached([self.nodes[i] for i in (*parameters, *kept)], outside)
        for i in parameters:
            node = self.nodes[i]
            sources = self._sorted({*reach[node]} - {node.state})
            self._put(i, _called(name, node, sources), sources)
        rest = members - set(parameters) | states
        if kept:
            nodes = [self.nodes[i] for i in kept]
            olds = {node.state for node in nodes}
            sources = self._sorted({source for node in nodes for source in reach[node]} - olds)
            unchanged = [self.nodes[i] for i in sorted(states) if self.nodes[i] not in olds]
            self._put(kept[-1], _kept(name, nodes, unchanged, sources), ())
        self.gone |= dict.fromkeys(rest - set(kept[-1:]), [*parameters, *kept][-1])

    def _sorted(self, sources: Set[Node | None]) -> list[Node]:
        """Return the arguments of a call in order, gradients first."""
        found = [source for source in sources if source is not None]
        return sorted(found, key=lambda source: (source.phase != "backward", self.index[source]))

    def _put(self, i: int, box: Node, sources: Iterable[Node]) -> None:
        self.boxes[i] = box, sorted(self.index[source] for source in sources)

    # --- updates by formulas ------------------------------------------------------------------------------------------

    def fold_formulas(self) -> None:
        """Fold values that lead to a single parameter, and small terms that several of these updates share."""
        members: dict[int, list[int]] = {}
        for i, ends in self._ends().items():
            if len(ends) == 1 and (end := next(iter(ends))) >= 0 and end != i:
                members.setdefault(end, []).append(i)
        folded = {i for end, inside in members.items() for i in (end, *inside)}
        shared = self._shared(folded)
        for end, inside in members.items():
            group = [*sorted(inside), end]
            states = self._states_of(set(group))
            news = [self.nodes[i] for i in group if self.nodes[i].state is not None]
            boxes = {node for i, node in enumerate(self.nodes) if i not in shared and i not in folded}
            self._put(
                end,
                replace(self.nodes[end], statements=statements(news, boxes)),
                (
                    self.nodes[i]
                    for i in self._into({*group}, shared)
                    if i not in states and self.nodes[i] is not self.nodes[end].state
                ),
            )
            self.gone |= dict.fromkeys([*inside, *states], end)
        self.gone |= dict.fromkeys(shared, next(iter(members), 0))

    def _ends(self) -> dict[int, set[int]]:
        """Return, for each value that the update computes, the new parameters it leads to, and -1 for other results."""
        ends: dict[int, set[int]] = {}
        for i in reversed(range(len(self.nodes))):
            node = self.nodes[i]
            if node.phase != "update" or i in self.gone or i in self.boxes:
                continue
            if self._is_parameter(i):
                ends[i] = {i}
                continue
            ends[i] = {-1} if node.result and node.state is None else set()
            for user in self.users[i]:
                ends[i] |= ends.get(user, {-1})
        return ends

    def _shared(self, folded: Set[int]) -> set[int]:
        """Return the unnamed scalars that only folded updates use."""
        shared: set[int] = set()
        for i in reversed(range(len(self.nodes))):
            node = self.nodes[i]
            number = node.phase == "update" and node.output.size == 1 and node.state is None and node.name is None
            short = len(set(self.sources[i])) == 1 and not node.result
            if number and short and i not in folded and self.users[i] and self.users[i] <= folded | shared:
                shared.add(i)
        return shared

    def _into(self, group: set[int], shared: set[int]) -> list[int]:
        """Return the nodes outside a group whose values it uses, directly or through shared terms."""
        found: dict[int, None] = {}
        seen = set(group)
        stack = sorted(group)
        while stack:
            for i in self.sources[stack.pop()]:
                if i in shared and i not in seen:
                    stack.append(i)
                elif i not in seen:
                    found[i] = None
                seen.add(i)
        return sorted(found)


def _called(name: str, new: Node, sources: Sequence[Node]) -> Node:
    """Return the box of a new parameter that is computed by a call of `name`."""
    formula = f"{name}({', '.join([new.name or BLANK, *_listed(sources)])})"
    return replace(new, formula=formula, gathered=Gathered(name, (new.state, *sources)))


def _kept(name: str, news: Sequence[Node], unchanged: Sequence[Node], sources: Sequence[Node]) -> Node:
    """Return the box of everything that `name` keeps from step to step."""
    states = tuple(node.name or BLANK for node in news)
    names = [node.name for node in sources if node.name is not None]  # no arrows lead here, to keep the picture clear
    given = ", ".join(names) if len(names) == len(sources) <= _NAMED else f"{len(sources)} values"
    return replace(
        news[-1],
        name=f"state of {name}",
        formula=f"{name}({given})" if sources else "",
        gathered=Gathered(name, (*(node.state for node in news), *sources)),
        states=(*states, *(f"{node.name or BLANK} (unchanged)" for node in unchanged)),
    )


def _listed(nodes: Sequence[Node]) -> list[str]:
    """Return the arguments of a call, to which arrows lead."""
    return [node.name or BLANK for node in nodes] if len(nodes) <= _NAMED else [f"{len(nodes)} values"]
