"""Folds loops: one round is drawn for all of them, and the edges say which rounds they leave and enter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from autograd_spiral.drawing.folding.loops import At, Boxes, Loop, Use, find_loop, is_leaf, steps
from autograd_spiral.drawing.folding.structure import Structure, structure
from autograd_spiral.drawing.graph import Edge, Flow, Graph
from autograd_spiral.drawing.record import Node, common_scope

__all__ = ["FIRST", "NEXT", "Rounds", "fold_loops"]

_EACH = "each round"
FIRST, NEXT = "first round", "next round"
"""The notes of the two edges that carry a value from round to round."""


class Rounds(str):
    """The name of a frame that stands for all rounds of a loop, such as `step 0…19  ×20`; an item of `Node.scope`.

    `like` is the scope of one of the rounds, if their scopes are numbered.

    >>> Rounds("step 0…19", 20, like="step 0"), Rounds("", 5)
    ('step 0…19  ×20', '×5')
    """

    like: str

    def __new__(cls, names: str, count: int, like: str = "") -> Rounds:
        """Return the name of a frame for `count` rounds."""
        made = super().__new__(cls, f"{names}  ×{count}" if names else f"×{count}")
        made.like = like
        return made


def fold_loops(graph: Graph) -> Graph:
    """Return `graph` with loops folded, inner ones first: the nodes of the first round stand for those of all rounds.

    The name and formula of such a node show numbers that differ from round to round as `first…last`, its `scope` names
    the frame, and its `rounds` says how many rounds it stands for. The notes of edges say which rounds they leave and
    enter, unless these are all rounds. `graph` itself is not changed.
    """
    drawn = set(graph.nodes)
    uses: list[list[Use]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        uses[edge.head].append(Use(edge.tail, edge.flow, edge.note))
    boxes = Boxes(list(graph.nodes), [structure(node, drawn) for node in graph.nodes], uses)
    folding = _Folding(boxes, [_Pair(*pair) for pair in graph.pairs], [() for _ in graph.nodes], [])
    while (loop := find_loop(folding.boxes)) is not None:
        folding = folding.without(loop)
    return folding.graph()


class _Pair(NamedTuple):
    """A pair of the graph, with the rounds that its nodes were in."""

    value: int
    ct: int
    value_at: At = ()
    ct_at: At = ()


@dataclass(slots=True)
class _Folding:
    boxes: Boxes
    pairs: list[_Pair]
    loops: list[tuple[int, ...]]  # the numbers of the loops around each box, outermost first
    scopes: list[list[tuple[str, ...]]]  # for each loop folded so far: the scope of each round

    def without(self, loop: Loop) -> _Folding:
        """Return this folding with `loop` folded as well: one of its rounds stands for all of them."""
        rows = [*loop.rows, *loop.leaves]
        place = {i: (j, k) for j, row in enumerate(rows) for k, i in enumerate(row)}
        kept = [i for i in range(len(self.loops)) if place.get(i, (0, 0))[1] == 0]
        new = {i: position for position, i in enumerate(kept)}
        moved = new | {i: new[rows[j][0]] for i, (j, _) in place.items()}
        around = _surroundings(self.boxes.nodes, loop)
        shared = self._shared(loop, place)
        boxes, loops = Boxes([], [], []), []
        for i in kept:
            node, form, uses, inside = self.boxes.nodes[i], self.boxes.structures[i], self.boxes.uses[i], self.loops[i]
            if i in place:
                node, form = self._for_all(loop, place[i][0], around)
                uses, inside = list(self._uses(loop, place[i][0], place, around)), (len(self.scopes), *inside)
            else:
                uses = [use._replace(at=(place[use.tail][1], *use.at)) if use.tail in place else use for use in uses]
                if i in shared:
                    node = replace(node, scope=common_scope([node.scope, around.outside]))
            boxes.nodes.append(node)
            boxes.structures.append(form)
            boxes.uses.append([use._replace(tail=moved[use.tail]) for use in uses])
            loops.append(inside)
        pairs = [
            _Pair(
                moved[pair.value],
                moved[pair.ct],
                (place[pair.value][1], *pair.value_at) if pair.value in place else pair.value_at,
                (place[pair.ct][1], *pair.ct_at) if pair.ct in place else pair.ct_at,
            )
            for pair in self.pairs
        ]
        return _Folding(boxes, pairs, loops, [*self.scopes, self._scopes(loop)])

    def _shared(self, loop: Loop, place: dict[int, tuple[int, int]]) -> set[int]:
        """Return the boxes to keep outside the loop: leaves that all rounds use, their gradients and new values."""
        nodes = self.boxes.nodes
        if nodes[loop.rows[0][0]].phase != "forward":
            return set()
        used = {use.tail for row in loop.rows for i in row for use in self.boxes.uses[i]}
        leaves = {i for i in used if i not in place and is_leaf(nodes[i]) and not nodes[i].rounds}
        return leaves | {pair.ct for pair in self.pairs if pair.value in leaves and pair.ct not in place}

    def _for_all(self, loop: Loop, j: int, around: _Surroundings) -> tuple[Node, Structure]:
        first, second = [*loop.rows, *loop.leaves][j][:2]
        name, formula, scope, statements = loop.labels[j]
        inner = scope[around.depth :] if j < len(loop.rows) else ()
        node = self.boxes.nodes[first]
        node = replace(
            node,
            name=name,
            formula=formula,
            statements=statements,
            scope=(*around.outside, around.frame, *inner),
            rounds=(loop.count, *node.rounds),
        )
        one, other = self.boxes.structures[first], self.boxes.structures[second]
        return node, Structure((one.same, node.rounds, steps(one, other)), one.numbers)

    def _uses(self, loop: Loop, j: int, place: dict[int, tuple[int, int]], around: _Surroundings) -> Iterator[Use]:
        """Yield the edges into the box of a row: those of the first round, and those from the round before."""
        row = loop.rows[j] if j < len(loop.rows) else loop.leaves[j - len(loop.rows)]
        nested = f" of {around.frame.split('  ')[0]}" if self.boxes.nodes[row[0]].rounds else ""  # not the inner one's
        for n, use in enumerate(self.boxes.uses[row[0]]):
            if (j, n) in loop.carried:
                yield use._replace(note=_joined(use.note, FIRST + nested))
                again = self.boxes.uses[row[1]][n]
                yield again._replace(note=_joined(again.note, NEXT + nested))
                continue
            uses = [self.boxes.uses[i][n] for i in row]
            if use.tail in place or use.at == uses[1].at:
                yield use
            else:
                at = tuple(a if a == b else None for a, b in zip(use.at, uses[1].at, strict=True))
                yield use._replace(at=at, note=_joined(use.note, self._which_rounds(loop, uses)))

    def _which_rounds(self, loop: Loop, uses: Sequence[Use]) -> str:
        """Return which rounds of another loop the rounds of `loop` use; "" if each uses the one with its own number."""
        tail, first, second = uses[0].tail, uses[0].at, uses[1].at
        level = next(n - len(first) for n, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
        used = [_known(use.at[level]) for use in uses]
        beside = self._beside(loop, self.loops[tail][level])
        offsets = frozenset(used[k] - other for k, other in beside.items())
        if len(beside) > 1 and offsets in _NEAR:
            return _NEAR[offsets]
        if not beside and used == list(range(self.boxes.nodes[tail].rounds[level])):
            return ""
        return f"rounds {used[0] + 1}…{used[-1] + 1}"

    def _scopes(self, loop: Loop) -> list[tuple[str, ...]]:
        """Return the scope of each round, or an empty list if rounds share a scope."""
        scopes = [self.boxes.nodes[i].scope for i in loop.rows[0]]
        return scopes if len(set(scopes)) == len(scopes) else []

    def _beside(self, loop: Loop, other: int) -> dict[int, int]:
        """Return, for rounds of `loop`, the rounds of the `other` loop to which they belong.

        Two rounds belong together if they have the same scope. Without scopes, a round belongs to the round whose
        gradients or new values it computes.
        """
        scopes = self._scopes(loop)
        if scopes and self.scopes[other]:
            return {k: self.scopes[other].index(scope) for k, scope in enumerate(scopes) if scope in self.scopes[other]}
        round_of = {i: k for row in loop.rows for k, i in enumerate(row)}
        found: list[Counter[int]] = [Counter() for _ in range(loop.count)]
        for pair in self.pairs:
            around = self.loops[pair.value]
            if pair.ct in round_of and other in around:
                at = pair.value_at[around.index(other)]
                if at is not None:
                    found[round_of[pair.ct]][at] += 1
        return {k: counts.most_common(1)[0][0] for k, counts in enumerate(found) if counts}

    def graph(self) -> Graph:
        edges: list[Edge] = []
        some: dict[tuple[int, int, Flow, str], set[At]] = {}
        for head, uses in enumerate(self.boxes.uses):
            for use in uses:
                if any(k is not None for k in use.at):
                    some.setdefault((use.tail, head, use.flow, use.note), set()).add(use.at)
                else:
                    edges.append(Edge(use.tail, head, use.flow, note=use.note))
        nodes = self.boxes.nodes
        for (tail, head, flow, note), ats in some.items():
            edges.append(Edge(tail, head, flow, note=_joined(_called(ats, nodes[tail].rounds), note)))
        pairs = dict.fromkeys((pair.value, pair.ct) for pair in self.pairs)
        return Graph(nodes, edges, [pair for pair in pairs if len({len(nodes[i].rounds) for i in pair}) == 1])


_NEAR = {frozenset({0}): "", frozenset({-1}): "round before", frozenset({1}): "round after"}


class _Surroundings(NamedTuple):
    """The frame of a loop: the scopes around it, and its name."""

    outside: tuple[str, ...]
    frame: Rounds
    depth: int  # the number of items of a box's scope that `outside` and `frame` replace


def _surroundings(nodes: Sequence[Node], loop: Loop) -> _Surroundings:
    """Return the frame of a loop.

    If each round has a numbered scope of its own, such as "layer 1" and "layer 2", that scope becomes the frame.
    Otherwise the frame is the scope around the loop, if nothing else is in it, or else a new frame.
    """
    paths = {nodes[i].scope for row in loop.rows for i in row}
    common = common_scope(paths)
    depth = len(common)
    inner = {path[depth : depth + 1] for path in paths}
    names = {said.scope[depth : depth + 1] for said in loop.labels[: len(loop.rows)]}
    if len(inner) == loop.count and len(names) == 1:
        (name,) = names.pop()
        return _Surroundings(common, Rounds(name, loop.count, min(inner)[0]), depth + 1)
    inside = {i for row in loop.rows for i in row}
    phase = nodes[loop.rows[0][0]].phase
    others = (node for i, node in enumerate(nodes) if i not in inside and node.phase == phase and not is_leaf(node))
    if common and not any(node.scope[:depth] == common for node in others):
        return _Surroundings(common[:-1], Rounds(common[-1], loop.count), depth)
    return _Surroundings(common, Rounds("", loop.count), depth)


def _known(at: int | None) -> int:
    assert at is not None
    return at


def _joined(*notes: str) -> str:
    return " → ".join(filter(None, notes))


def _called(ats: set[At], rounds: tuple[int, ...]) -> str:
    """Return a note that names some rounds of the loops around a node, which have `rounds` rounds each."""
    levels = zip(zip(*ats, strict=True), rounds[-len(next(iter(ats))) :], strict=True)
    used = [(sorted({_known(k) for k in column}), n) for column, n in levels if None not in column]
    if math.prod(len(ks) for ks, _ in used) != len(ats):
        return f"{len(ats)} rounds"
    words = [_word(ks, n) for ks, n in used]
    return words[0] if set(words) == {_EACH} else " of ".join(reversed(words))


def _word(ks: list[int], n: int) -> str:
    if len(ks) == n:
        return _EACH
    if len(ks) > 1:
        return f"{len(ks)} of {n} rounds"
    return {0: "first round", n - 1: "last round"}.get(ks[0], f"round {ks[0] + 1}")
