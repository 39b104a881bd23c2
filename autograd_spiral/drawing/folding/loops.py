"""Finds loops: consecutive rounds that have the same structure, so that one round can be drawn for all of them.

A round is a series of operations that follow each other in one phase. Scopes suggest where rounds begin, but loops are
found without scopes, too. Rounds are drawn as one only if that hides nothing. Their operations must be the same. Each
argument must come from the same round, from the round before, or from outside the loop. From outside, all rounds must
use the same node, or each round its own, in order. Leaves that only one round uses, such as the weights of a layer, are
part of that round. Only numbers may differ; they must grow by the same amount from round to round, and the picture must
show them, as in `step 0…19` and `X[:, 0…19]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from autograd_spiral.drawing.folding.repeats import Repeat, repeats
from autograd_spiral.drawing.folding.said import Said, said
from autograd_spiral.drawing.folding.structure import Structure
from autograd_spiral.drawing.graph import Flow
from autograd_spiral.drawing.record import Node, common_scope
from autograd_spiral.program.passes.phases import PHASES

__all__ = ["Boxes", "Loop", "Use", "find_loop", "is_leaf", "steps"]

_SCOPED, _CARRIED, _APART = 3, 4, 6
"""The fewest rounds that get a frame: in numbered scopes, in loops that pass a value on, and in other loops."""

_BOXES = 2000
"""At most this many boxes are tried as the beginning of a repeat's first round."""

At: TypeAlias = tuple[int | None, ...]
"""The rounds of the loops around a node, outermost first; None for rounds that a note describes."""


class Use(NamedTuple):
    """An edge into a node, from the node `tail` in the rounds `at`."""

    tail: int
    flow: Flow
    note: str = ""
    at: At = ()


@dataclass(slots=True)
class Boxes:
    """What is drawn: for each box, its node, its structure, and the edges into it, in the order of its formula."""

    nodes: list[Node]
    structures: list[Structure]
    uses: list[list[Use]]


@dataclass(slots=True)
class Loop:
    """A loop: for each box of a round, its positions in all rounds.

    `rows` holds the positions of computed boxes, and `leaves` holds the positions of leaves. `carried` holds the uses
    of values that the round before computed, as pairs of a box and the number of the use. `labels` says, for each box,
    what all rounds have in common.
    """

    rows: list[list[int]]
    leaves: list[list[int]]
    carried: set[tuple[int, int]]
    labels: list[Said]

    @property
    def count(self) -> int:
        """The number of rounds."""
        return len(self.rows[0])


def is_leaf(node: Node) -> bool:
    """Return whether the value of a node is given instead of computed."""
    return node.equation is None and not node.args


def steps(first: Structure, second: Structure) -> tuple[int, ...]:
    """Return by how much the numbers of a structure grow from one round to the next."""
    return tuple(b - a for a, b in zip(first.numbers, second.numbers, strict=True))


def find_loop(boxes: Boxes) -> Loop | None:
    """Return a loop that has no other loop inside it; None if there is no loop.

    The search takes time in proportion to the number of boxes, unless many parts repeat without forming a loop.
    """
    for phase in PHASES:
        order = [i for i, node in enumerate(boxes.nodes) if node.phase == phase and not is_leaf(node)]
        finder = _Finder(boxes, order)
        for repeat in repeats([boxes.structures[i].same for i in order], _SCOPED):
            for start in finder.starts(repeat):
                loop = finder.loop(start, repeat)
                if loop is not None:
                    return loop
    return None


class _Change(NamedTuple):
    """How an argument of a box, or the numbers of the box itself, change from one round to the next.

    For an argument from the loop itself ("own"), `where` is its distance, which stays the same. For an argument from
    outside, `where` is its node, which stays the same, unless each round has its own leaf. `steps` says by how much
    numbers, or rounds of another loop, grow.
    """

    origin: str
    where: int = 0
    steps: tuple[int, ...] = ()


class _Finder:
    """Looks for loops in the stretch of boxes that one phase computes."""

    def __init__(self, boxes: Boxes, order: Sequence[int]) -> None:
        self.nodes, self.structures, self.uses = boxes.nodes, boxes.structures, boxes.uses
        self.order = order
        self.position = {i: position for position, i in enumerate(order)}

    def starts(self, repeat: Repeat) -> list[int]:
        """Return positions where the first round may begin, first those at scopes, then in the longest repeats."""
        scopes = [
            self.nodes[i].scope for i in self.order[repeat.start : min(repeat.start + 3 * repeat.period, repeat.stop)]
        ]

        def badness(start: int) -> tuple[int, bool, int, int]:
            shared = common_scope([scopes[start], scopes[start + repeat.period - 1]])
            inside = start > 0 and scopes[start - 1] == scopes[start]
            return -len(shared), inside, start // repeat.period, start

        # not only in the first period, since the first round may differ from the others
        offsets = sorted(range(len(scopes) - repeat.period + 1), key=badness)
        return [repeat.start + offset for offset in offsets[: max(_BOXES // repeat.period, 8)]]

    def loop(self, start: int, repeat: Repeat) -> Loop | None:
        """Return the loop whose first round begins here, with as many rounds as fit together."""
        period = repeat.period
        rounds = [self.order[i : i + period] for i in range(start, repeat.stop - period + 1, period)]
        if len(rounds) < _SCOPED:
            return None
        usual = self._changes(rounds[1], rounds[2], start)
        lags = {
            (j, n): -((j - change.where) // period)
            for j, row in enumerate(usual or ())
            for n, change in enumerate(row)
            if change.origin == "own"
        }
        carried = {place for place, lag in lags.items() if lag}
        if usual is None or any(lag > 1 for lag in lags.values()):
            return None
        if self._changes(rounds[0], rounds[1], start, carried) != usual:
            return None
        count = 3
        while count < len(rounds) and self._changes(rounds[count - 1], rounds[count], start) == usual:
            count += 1
        inside = self._splits_scopes(rounds[:count])
        for size in (count, count - 1):  # the last round may continue, or have names that do not fit
            loop = None if size == count and inside else self._of_rounds(rounds[:size], usual, carried)
            if loop is not None:
                return loop
        return None

    def _splits_scopes(self, rounds: Sequence[Sequence[int]]) -> bool:
        """Return whether each round has its own scope, and the scope of the last round continues after the round."""
        scopes = [common_scope([self.nodes[i].scope for i in order]) for order in rounds]
        after = self.position[rounds[-1][-1]] + 1
        if len(set(scopes)) < len(scopes) or after == len(self.order):
            return False
        return self.nodes[self.order[after]].scope[: len(scopes[-1])] == scopes[-1]

    def _of_rounds(
        self, rounds: Sequence[Sequence[int]], changes: list[list[_Change]], carried: set[tuple[int, int]]
    ) -> Loop | None:
        rows = [list(row) for row in zip(*rounds, strict=True)]
        leaves = self._leaves(rows, changes)
        if leaves is None or not self._is_worth_a_frame(rows, carried):
            return None
        carrying = {j for j, _ in carried}
        labels: list[Said] = []
        for j, row in enumerate([*rows, *leaves]):
            label = said([self.nodes[i] for i in row], carries=j in carrying)
            if label is None:
                return None
            labels.append(label)
        return Loop(rows, leaves, carried, labels)

    def _changes(
        self, before: Sequence[int], after: Sequence[int], start: int, carried: set[tuple[int, int]] | None = None
    ) -> list[list[_Change]] | None:
        """Return how the arguments of each box, and its numbers, change from one round to the next.

        Return None if they change in a way that is not allowed. In the first round, `carried` arguments come from
        outside.
        """
        found: list[list[_Change]] = []
        for j, (first, second) in enumerate(zip(before, after, strict=True)):
            uses = self.uses[first], self.uses[second]
            if self.structures[first].same != self.structures[second].same or len(uses[0]) != len(uses[1]):
                return None
            row: list[_Change] = []
            for n, (a, b) in enumerate(zip(*uses, strict=True)):
                if carried is not None and (j, n) in carried:
                    enters = self.position.get(a.tail, -1) < start and self.position.get(b.tail, -1) >= start
                    change: _Change | None = _Change("own", self._distance(second, b)) if enters else None
                else:
                    change = self._change(first, a, second, b, start)
                if change is None or (a.flow, a.note) != (b.flow, b.note):
                    return None
                row.append(change)
            found.append([*row, _Change("box", 0, steps(self.structures[first], self.structures[second]))])
        return found

    def _change(self, first: int, a: Use, second: int, b: Use, start: int) -> _Change | None:
        inside = [self.position.get(use.tail, -1) >= start for use in (a, b)]
        if all(inside):
            distance = self._distance(second, b)
            return _Change("own", distance) if distance == self._distance(first, a) and a.at == b.at else None
        if any(inside):
            return None
        if a.tail == b.tail:
            return _outside(a, b)
        leaves = is_leaf(self.nodes[a.tail]) and is_leaf(self.nodes[b.tail])
        same, other = self.structures[a.tail], self.structures[b.tail]
        return _Change("leaf", 0, steps(same, other)) if leaves and same.same == other.same else None

    def _distance(self, i: int, use: Use) -> int:
        return self.position[i] - self.position[use.tail]

    def _leaves(self, rows: list[list[int]], changes: list[list[_Change]]) -> list[list[int]] | None:
        """Return the leaves that belong to one round each; None if a leaf would belong to two rounds."""
        columns = {
            tuple(self.uses[i][n].tail for i in row): None
            for row, row_changes in zip(rows, changes, strict=True)
            for n, change in enumerate(row_changes)
            if change.origin == "leaf"
        }
        members = [i for column in columns for i in column]
        return [list(column) for column in columns] if len(set(members)) == len(members) else None

    def _is_worth_a_frame(self, rows: list[list[int]], carried: set[tuple[int, int]]) -> bool:
        scoped = all(len({self.nodes[i].scope for i in row}) == len(row) for row in rows)
        return len(rows[0]) >= (_SCOPED if scoped else _CARRIED if carried else _APART)


def _outside(a: Use, b: Use) -> _Change | None:
    """Return how this loop's use of a box outside it changes from round to round.

    If the box is in another loop, each round may use a later round of the other loop.
    """
    if [k is None for k in a.at] != [k is None for k in b.at]:
        return None
    differences = tuple(0 if k is None or m is None else m - k for k, m in zip(a.at, b.at, strict=True))
    return _Change("outside", a.tail, differences) if sum(map(bool, differences)) <= 1 else None
