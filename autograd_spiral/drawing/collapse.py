"""Large graphs made readable: scopes collapsed to one node each, with a count of what they hold."""

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
    """Return `graph` with as many scopes collapsed as it takes to have at most `max_nodes` nodes.

    The innermost scopes collapse first. Outputs and nodes outside any scope always stay, so more than `max_nodes` may
    remain.
    """
    depth = max((len(node.scope) for node in graph.nodes), default=0)
    if len(graph.nodes) <= max_nodes or depth == 0:
        return graph
    while len(groups := _groups(graph, depth)) > max_nodes and depth > 1:
        depth -= 1
    return _merged(graph, groups, depth)


def _groups(graph: Graph, depth: int) -> list[list[int]]:
    """Return the positions that are drawn as one node each when scopes deeper than `depth` collapse."""
    groups: dict[Hashable, list[int]] = {}
    for i, node in enumerate(graph.nodes):
        whole = len(node.scope) < depth or node.kind is Kind.OUTPUT
        groups.setdefault(i if whole else (node.phase, node.scope[:depth]), []).append(i)
    return list(groups.values())


def _merged(graph: Graph, groups: list[list[int]], depth: int) -> Graph:
    group_of = {member: position for position, group in enumerate(groups) for member in group}
    merged = Graph([_node([graph.nodes[i] for i in group], depth) for group in groups])
    uses: Counter[tuple[int, int, Flow]] = Counter()
    for edge in graph.edges:
        tail, head = group_of[edge.tail], group_of[edge.head]
        if tail != head:
            uses[tail, head, edge.flow] += edge.uses
    merged.edges = [Edge(tail, head, flow, count) for (tail, head, flow), count in uses.items()]
    pairs = dict.fromkeys((group_of[value], group_of[ct]) for value, ct in graph.pairs)
    merged.pairs = [pair for pair in pairs if _alike(*(merged.nodes[i] for i in pair))]
    return merged


def _alike(forward: Node, backward: Node) -> bool:
    """Whether two nodes may be drawn level: neither is a scope, or both are the same one."""
    scopes = [(node.kind is Kind.SCOPE and (*node.scope, node.name)) for node in (forward, backward)]
    return scopes[0] == scopes[1]


def _node(members: list[Node], depth: int) -> Node:
    if len(members) == 1:
        return members[0]
    first = members[0]
    count = Counter(_COUNTED.get(member.kind, "operation") for member in members)
    path = first.scope[:depth]
    return Node(Kind.SCOPE, first.output, path[-1], scope=path[:-1], phase=first.phase, count=count)
