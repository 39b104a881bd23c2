"""The formulas of an update in full, as the statements of a program that assigns the states one after another."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from autograd_spiral.drawing.formulas import BLANK, FORMULAS, constant_text
from autograd_spiral.drawing.operands import gathered_text
from autograd_spiral.drawing.record import Node, Statement
from autograd_spiral.program.printing.expressions import Text

__all__ = ["statements"]

_LONGEST = 200
"""A term with more characters than this is shown as a blank in its formula."""


def statements(news: Iterable[Node], boxes: Set[Node]) -> tuple[Statement, ...]:
    """Return, for each of these new states in order, the statement that assigns it.

    As in a program, the name of a state that has been assigned means its new value. The value from before is called
    `old`, and a value that another box assigns is called `new`. Values of `boxes` appear by name, all others as
    formulas.
    """
    found: list[Statement] = []
    assigned: set[Node] = set()
    for new in news:
        assert new.state is not None
        found.append(Statement(new.state.name or BLANK, _Writer(new, boxes, frozenset(assigned)).formula(new).text))
        assigned.add(new.state)
    return tuple(found)


class _Writer:
    """Writes one statement."""

    def __init__(self, new: Node, boxes: Set[Node], assigned: Set[Node]) -> None:
        self.new, self.boxes, self.assigned = new, boxes, assigned
        self.known: dict[Node, Text] = {}

    def formula(self, node: Node) -> Text:
        """Return the formula of a node's operation, in which values that are not boxes are written out."""
        stack = [node]
        while stack:
            missing = [arg for arg in _operands(stack[-1]) if self._is_term(arg) and arg not in self.known]
            if missing:
                stack += missing
            else:
                done = stack.pop()
                self.known[done] = self._written(done)
        return self.known[node]

    def _is_term(self, arg: Any) -> bool:
        return type(arg) is Node and arg.state is None and arg not in self.boxes and bool(arg.args)

    def _written(self, node: Node) -> Text:
        terms = [self._term(arg) for arg in _operands(node)]
        if node.gathered is not None:
            text = gathered_text(node.gathered, terms)
        else:
            text = terms[0] if node.equation is None else FORMULAS.write(node.equation, terms)
        return text if len(text.text) <= _LONGEST or node is self.new else Text(BLANK)

    def _term(self, arg: Any) -> Text:
        if type(arg) is not Node:
            return constant_text(arg)
        if self._is_term(arg):
            return self.known[arg]
        if arg.state is not None:
            name = arg.state.name or BLANK
            return Text(name if arg.state in self.assigned else f"new {name}")
        name = arg.name or BLANK
        return Text(f"old {name}" if arg in self.assigned else name)


def _operands(node: Node) -> tuple[Any, ...]:
    return node.args if node.gathered is None else node.gathered.operands
