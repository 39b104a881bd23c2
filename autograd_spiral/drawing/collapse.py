"""Large graphs made readable: scopes collapsed to one node each, with a count of what they hold."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable
from dataclasses import replace

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

    The innermost scopes collapse first. Outputs, nodes outside any scope, and parameters that several scopes use always
    stay, the latter with their gradients and new states, so more than `max_nodes` may remain.
    """
    depth = max((len(node.scope) for node in graph.nodes), default=0)
    if len(graph.nodes) <= max_nodes or depth == 0:
        return graph
    while len(groups := _groups(freed := _with_shared_outside(graph, depth), depth)) > max_nodes and depth > 1:
        depth -= 1
    return _merged(freed, groups, depth)


def _groups(graph: Graph, depth: int) -> list[list[int]]:
    """Return the positions that are drawn as one node each when scopes deeper than `depth` collapse."""
    groups: dict[Hashable, list[int]] = {}
    for i, node in enumerate(graph.nodes):
        whole = len(node.scope) < depth or node.kind is Kind.OUTPUT
        groups.setdefault(i if whole else (node.phase, node.scope[:depth]), []).append(i)
    return list(groups.values())


def _with_shared_outside(graph: Graph, depth: int) -> Graph:
    """Return `graph` with the parameters that several scopes of this depth share outside of them."""
    outside: dict[int, tuple[str, ...]] = {}
    users: dict[int, set[tuple[str, ...]]] = {}
    for edge in graph.edges:
        if graph.nodes[edge.tail].kind is Kind.PARAMETER and graph.nodes[edge.head].phase == "forward":
            users.setdefault(edge.tail, set()).add(graph.nodes[edge.head].scope[:depth])
    for i, scopes in users.items():
        if len(scopes) > 1:
            outside[i] = _common(scopes)
    for own, other in graph.pairs:  # of a parameter: its gradient, and its new state
        if own in outside:
            outside[other] = outside[own]
    nodes = [replace(node, scope=outside.get(i, node.scope)) for i, node in enumerate(graph.nodes)]
    return Graph(nodes, graph.edges, graph.pairs)


def _common(scopes: set[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the innermost scope that all of these are in."""
    first, last = min(scopes), max(scopes)  # in this order, all others begin as these two do
    shared = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return tuple(name for name, _ in shared)


def _merged(graph: Graph, groups: list[list[int]], depth: int) -> Graph:
    group_of = {member: position for position, group in enumerate(groups) for member in group}
    merged = Graph([_node([graph.nodes[i] for i in group], depth) for group in groups])
    uses: Counter[tuple[int, int, Flow, str]] = Counter()
    for edge in graph.edges:
        tail, head = group_of[edge.tail], group_of[edge.head]
        if tail != head:
            uses[tail, head, edge.flow, edge.note] += edge.uses
    merged.edges = [Edge(*key[:3], count, key[3]) for key, count in uses.items()]
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
