"""The label of a box that stands for all rounds of a loop: everything in it is true of each round."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from autograd_spiral.drawing.folding.counting import counted
from autograd_spiral.drawing.formulas import BLANK, RAISED
from autograd_spiral.drawing.record import Node, Statement

__all__ = ["Said", "said", "unified"]


class Said(NamedTuple):
    """The name, the formula, the scope and the statements of a box in all rounds."""

    name: str | None
    formula: str
    scope: tuple[str, ...]
    statements: tuple[Statement, ...]


def said(nodes: Sequence[Node], *, carries: bool) -> Said | None:
    """Return the label for these nodes, one from each round; None if no label is true of all of them.

    If a node uses a value that the round before it `carries` on, its formula is taken from the later rounds, since the
    first round gets this value from elsewhere.
    """
    name = _name([node.name or "" for node in nodes])
    formula = unified([node.formula for node in nodes], but_first=carries)
    scope = [counted(names) for names in zip(*(node.scope for node in nodes), strict=True)]
    statements = _statements([node.statements for node in nodes])
    if name is None or formula is None or statements is None or None in scope:
        return None
    return Said(name or None, formula, tuple(part for part in scope if part is not None), statements)


def unified(formulas: Sequence[str], *, but_first: bool = False) -> str | None:
    """Return one formula for the same operation in all rounds; None if no formula is true of all rounds.

    Numbers that count up become `first…last`, and an argument that has a name only in some rounds becomes a blank.

    >>> unified(["hᵀ @ X[0]", "(·)ᵀ @ X[1]", "(·)ᵀ @ X[2]"])
    '(·)ᵀ @ X[0…2]'
    """
    bare = [re.sub(rf"(?<!\w)\({BLANK}\)", BLANK, formula) for formula in formulas]
    text = counted(bare, but_first=but_first, blank=BLANK)
    return text and re.sub(f"{BLANK}(?=[{RAISED}])", f"({BLANK})", text)


def _name(names: Sequence[str]) -> str | None:
    """Return the name of a box for all rounds, with a remark if only the first or the last round has a name."""
    if names[-1] and not any(names[:-1]):
        return f"{names[-1]} (last round)"
    if names[0] and not any(names[1:]):
        return f"{names[0]} (first round)"
    return counted(names)


def _statements(rounds: Sequence[Sequence[Statement]]) -> tuple[Statement, ...] | None:
    if len({len(statements) for statements in rounds}) > 1:
        return None
    found: list[Statement] = []
    for column in zip(*rounds, strict=True):
        name, formula = unified([name for name, _ in column]), unified([formula for _, formula in column])
        if name is None or formula is None:
            return None
        found.append(Statement(name, formula))
    return tuple(found)
