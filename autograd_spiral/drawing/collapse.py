"""Scopes collapsed to one node each, with a count of what they hold, where a graph is too large to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from autograd_spiral.drawing.graph import Edge, Flow, Graph
from autograd_spiral.drawing.record import Kind, Node

__all__ = ["collapse"]

_COUNTED = {
    Kind.PARAMETER: "parameter",
    Kind.GRADIENT: "gradient",
    Kind.NEW_STATE: "new state",
    Kind.DATA: "leaf",
    Kind.STATE: "state",
}


def collapse(graph: Graph, max_nodes: int) -> Graph:
    """`graph`, its scopes collapsed as far as it takes to have `max_nodes` nodes at most.

    The innermost scopes go first. Outputs, and what is in no scope, stay: when they alone are more, there are more.
    """
    depth = max((len(node.scope) for node in graph.nodes), default=0)
    if len(graph.nodes) <= max_nodes or depth == 0:
        return graph
    while len(groups := _groups(graph, depth)) > max_nodes and depth > 1:
        depth -= 1
    return _merged(graph, groups, depth)


def _groups(graph: Graph, depth: int) -> list[list[int]]:
    """The positions that are drawn as one node each, when scopes are cut at `depth`."""
    groups: dict[Hashable, list[int]] = {}
    for i, node in enumerate(graph.nodes):
        whole = len(node.scope) < depth or node.kind is Kind.OUTPUT
        groups.setdefault(i if whole else (node.phase, node.scope[:depth]), []).append(i)
    return list(groups.values())


def _merged(graph: Graph, groups: list[list[int]], depth: int) -> Graph:
    place = {member: position for position, group in enumerate(groups) for member in group}
    merged = Graph([_node([graph.nodes[i] for i in group], depth) for group in groups])
    uses: Counter[tuple[int, int, Flow]] = Counter()
    for edge in graph.edges:
        tail, head = place[edge.tail], place[edge.head]
        if tail != head:
            uses[tail, head, edge.flow] += edge.uses
    merged.edges = [Edge(tail, head, flow, count) for (tail, head, flow), count in uses.items()]
    pairs = dict.fromkeys((place[value], place[ct]) for value, ct in graph.pairs)
    merged.pairs = [pair for pair in pairs if _alike(*(merged.nodes[i] for i in pair))]
    return merged


def _alike(forward: Node, backward: Node) -> bool:
    """Whether two nodes may stand on one level: both are whole, or the same scope."""
    scopes = [(node.kind is Kind.SCOPE and (*node.scope, node.name)) for node in (forward, backward)]
    return scopes[0] == scopes[1]


def _node(members: list[Node], depth: int) -> Node:
    if len(members) == 1:
        return members[0]
    first = members[0]
    count = Counter(_COUNTED.get(member.kind, "operation") for member in members)
    path = first.scope[:depth]
    return Node(Kind.SCOPE, first.output, path[-1], scope=path[:-1], phase=first.phase, count=count)
