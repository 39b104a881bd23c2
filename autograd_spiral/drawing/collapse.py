"""Makes large graphs readable: draws scopes as single nodes, each with a count of what the scope holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TypeAlias

from autograd_spiral.drawing.folding import Rounds
from autograd_spiral.drawing.folding.counting import template_of
from autograd_spiral.drawing.graph import Edge, Flow, Graph
from autograd_spiral.drawing.record import Kind, Node, common_scope
from autograd_spiral.program.passes.phases import PHASES

__all__ = ["collapse"]

_STAYING = (Kind.OUTPUT, Kind.PARAMETER, Kind.GRADIENT, Kind.NEW_STATE)
_COUNTED = {
    Kind.PARAMETER: "parameter",
    Kind.GRADIENT: "gradient",
    Kind.NEW_STATE: "new state",
    Kind.DATA: "leaf",
    Kind.STATE: "state",
}


def collapse(graph: Graph, max_nodes: int) -> Graph:
    """Return `graph` with scopes collapsed into single nodes, until at most `max_nodes` nodes remain, if possible.

    Rounds that are drawn by themselves next to a folded loop collapse first, then the innermost scopes. In the backward
    pass, such rounds always collapse, since the forward pass shows what they compute. Some nodes never collapse:
    outputs, nodes outside any scope, and parameters that several scopes use (with their gradients and new states). So
    more than `max_nodes` nodes may remain.
    """
    rounds = _beside_loops(graph, ("backward",))
    if len(rounds) < len(graph.nodes):
        graph = _merged(graph, rounds)
    depth = max((len(node.scope) for node in graph.nodes), default=0)
    if len(graph.nodes) <= max_nodes or depth == 0:
        return graph
    rounds = _beside_loops(graph, PHASES)
    if len(rounds) <= max_nodes:
        return _merged(graph, rounds)
    while len(groups := _groups(freed := _with_shared_outside(graph, depth), depth)) > max_nodes and depth > 1:
        depth -= 1
    return _merged(freed, groups)


_Groups: TypeAlias = dict[Hashable, list[int]]
"""Groups of positions, each drawn as one node; the key is a number, or the phase and the scope that collapses."""


def _groups(graph: Graph, depth: int) -> _Groups:
    """Return the groups that are drawn as one node each when scopes deeper than `depth` collapse."""
    groups: _Groups = {}
    for i, node in enumerate(graph.nodes):
        whole = len(node.scope) < depth or node.kind is Kind.OUTPUT
        groups.setdefault(i if whole else (node.phase, node.scope[:depth]), []).append(i)
    return groups


def _beside_loops(graph: Graph, phases: Sequence[str]) -> _Groups:
    """Return the groups that are drawn as one node each when rounds next to a folded loop collapse in these phases."""
    names = {
        (node.phase, *node.scope[:depth], template_of(part.like))
        for node in graph.nodes
        for depth, part in enumerate(node.scope)
        if node.phase in phases and isinstance(part, Rounds) and part.like
    }
    groups: _Groups = {}
    for i, node in enumerate(graph.nodes):
        depths = (
            n + 1 for n, part in enumerate(node.scope) if (node.phase, *node.scope[:n], template_of(part)) in names
        )
        depth = next(depths, 0) if node.kind not in _STAYING else 0
        groups.setdefault((node.phase, node.scope[:depth]) if depth else i, []).append(i)
    return groups


def _with_shared_outside(graph: Graph, depth: int) -> Graph:
    """Return `graph` with a parameter moved out of its scopes if several scopes of this depth share it."""
    outside: dict[int, tuple[str, ...]] = {}
    users: dict[int, set[tuple[str, ...]]] = {}
    for edge in graph.edges:
        if graph.nodes[edge.tail].kind is Kind.PARAMETER and graph.nodes[edge.head].phase == "forward":
            users.setdefault(edge.tail, set()).add(graph.nodes[edge.head].scope[:depth])
    for i, scopes in users.items():
        if len(scopes) > 1:
            outside[i] = common_scope(scopes)
    for own, other in graph.pairs:  # of a parameter: its gradient, and its new state
        if own in outside:
            outside[other] = outside[own]
    nodes = [replace(node, scope=outside.get(i, node.scope)) for i, node in enumerate(graph.nodes)]
    return Graph(nodes, graph.edges, graph.pairs)


def _merged(graph: Graph, groups: _Groups) -> Graph:
    group_of = {member: position for position, group in enumerate(groups.values()) for member in group}
    merged = Graph([_node([graph.nodes[i] for i in group], key) for key, group in groups.items()])
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
    """Return whether two nodes may be drawn side by side: neither is a scope, or both are the same scope."""
    scopes = [(node.kind is Kind.SCOPE and (*node.scope, node.name)) for node in (forward, backward)]
    return scopes[0] == scopes[1]


def _node(members: list[Node], key: Hashable) -> Node:
    if len(members) == 1 or not isinstance(key, tuple):
        return members[0]
    phase, path = key
    count = Counter(_COUNTED.get(member.kind, "operation") for member in members)
    return Node(Kind.SCOPE, members[0].output, path[-1], scope=path[:-1], phase=phase, count=count)
