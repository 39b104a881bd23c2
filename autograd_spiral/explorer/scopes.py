"""The scope of each box: the band of the page's picture in which the box is drawn."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from autograd_spiral.drawing.graph import Graph
from autograd_spiral.drawing.record import Kind

__all__ = ["scopes_of"]

Scope = tuple[str, ...]

_FEW = 2
"""If at most this many scopes use a parameter, it is in the first of them; otherwise, it is outside all of them."""


def scopes_of(graph: Graph) -> list[Scope]:
    """Return the scope of each node: the scope in which its operation was recorded, or the one to which it belongs.

    Inputs, parameters and constants belong to the scope that uses them first, unless many scopes use them. The gradient
    and the new state of a parameter belong to its scope.
    """
    scopes = [node.scope for node in graph.nodes]
    for i, using in _uses(graph).items():
        scopes[i] = using[0] if len(using) <= _FEW else _shared(using)
    _find_lost(graph, scopes)
    for of, beside in graph.pairs:
        if graph.nodes[beside].kind in (Kind.GRADIENT, Kind.NEW_STATE):
            scopes[beside] = scopes[of]
    return scopes


def _uses(graph: Graph) -> dict[int, list[Scope]]:
    """Return, for each node without an operation, the scopes that use it in the forward pass, in order of first use."""
    users: dict[int, dict[Scope, None]] = {}
    for edge in graph.edges:
        if graph.nodes[edge.head].phase == "forward" and graph.nodes[edge.tail].equation is None:
            users.setdefault(edge.tail, {})[graph.nodes[edge.head].scope] = None
    return {i: list(scopes) for i, scopes in users.items()}


def _find_lost(graph: Graph, scopes: list[Scope]) -> None:
    """Put a backward operation without a scope into the scope of its arguments and its first user, if these agree."""
    sources: dict[int, set[Scope]] = {}
    for edge in graph.edges:
        sources.setdefault(edge.head, set()).add(scopes[edge.tail])
    for edge in reversed(graph.edges):
        phases = {graph.nodes[edge.tail].phase, graph.nodes[edge.head].phase}
        if phases == {"backward"} and not scopes[edge.tail] and sources.get(edge.tail) == {scopes[edge.head]}:
            scopes[edge.tail] = scopes[edge.head]


def _shared(scopes: Iterable[Scope]) -> Scope:
    """Return the innermost scope that all of these are in."""
    levels = itertools.takewhile(lambda names: len(set(names)) == 1, zip(*scopes, strict=False))
    return tuple(names[0] for names in levels)
