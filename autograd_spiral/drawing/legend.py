"""The look of each kind of node and edge, and the legend that explains them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from autograd_spiral.drawing.formulas import BLANK
from autograd_spiral.drawing.graph import Flow, Graph
from autograd_spiral.drawing.markup import shown
from autograd_spiral.drawing.record import Kind, Node
from autograd_spiral.drawing.text import WIDTH, columns, value_text, visible, with_all_spaces

__all__ = ["DIRECTIONS", "FLOWS", "FRAMES", "SECONDARY", "STYLES", "TEXT", "Style", "legend"]


_LONGEST = 300
"""The maximum number of columns in a line below a picture."""


class Style(NamedTuple):
    """The look of a kind of node: its fill, its border, and marks that do not need colours."""

    fill: str
    border: str
    style: str = "filled"
    width: float = 1.2
    borders: int = 1


STYLES = {
    Kind.DATA: Style("#ececec", "#666666", "filled,rounded"),
    Kind.PARAMETER: Style("#fde7bd", "#b37700", "filled,rounded", 2.6),
    Kind.STATE: Style("#f6e6f0", "#8f3a76", "filled,rounded", 1.2, 2),
    Kind.OPERATION: Style("#dceefb", "#0072b2"),
    Kind.OUTPUT: Style("#c8ebdd", "#00785a", "filled", 2, 2),
    Kind.BACKWARD: Style("#fde0d2", "#c04a00", "filled,dashed"),
    Kind.GRADIENT: Style("#f7c6ad", "#c04a00", "filled,rounded", 2.6),
    Kind.UPDATE: Style("#f6e6f0", "#8f3a76", "filled,dotted"),
    Kind.NEW_STATE: Style("#efd0e4", "#8f3a76", "filled", 2.6),
    Kind.SCOPE: Style("#ffffff", "#555555", "filled,dashed,rounded", 2),
}
"""Fills and borders based on the colour-blind-safe palette of Okabe and Ito (2008); no two kinds share all marks."""

TEXT = "#000000"
SECONDARY = {"value": "#3d3d3d", "gradient": "#8a3300"}
FLOWS = {
    Flow.VALUE: ("#0072b2", "solid", "—→"),
    Flow.GRADIENT: ("#c04a00", "dashed", "- - →"),
    Flow.SAVED: ("#757575", "dotted", "· · →"),
    Flow.UPDATE: ("#8f3a76", "bold", "<B>—→</B>"),
}
"""The colour and the line of each kind of edge, and its arrow in the legend."""

FRAMES = {
    "forward": ("forward: values flow {0}", "l", STYLES[Kind.OPERATION].border),
    "backward": ("backward: gradients flow {1}", "r", STYLES[Kind.BACKWARD].border),
    "update": ("update: new state", "r", STYLES[Kind.NEW_STATE].border),
}
"""For each phase, the title of its frame, the side that the title is on, and a colour."""

DIRECTIONS = {"TB": ("down", "up"), "LR": ("right", "left"), "BT": ("up", "down"), "RL": ("left", "right")}
"""For each `rankdir`, the directions that values and gradients flow in."""


def legend(graph: Graph, *, values: bool) -> str:
    """Return the legend: one swatch for each kind of node and edge that the picture has, and the signs that it uses."""
    kinds = {node.kind for node in graph.nodes}
    flows = {edge.flow for edge in graph.edges}
    nodes = [_swatch(kind) + _cell(html.escape(str(kind))) for kind in Kind if kind in kinds]
    others = [
        f'<FONT COLOR="{FLOWS[flow][0]}">{FLOWS[flow][2]}</FONT> {flow}'
        for flow in Flow
        if flow in flows and len(flows) > 1
    ]
    if any(BLANK in node.formula for node in graph.nodes):
        others.append(f"{BLANK} a value without a name: see the arrow")
    if any(node.rounds for node in graph.nodes):
        shown = (
            ", with the values of the first" if values and any(node.value is not None for node in graph.nodes) else ""
        )
        others.append(f"×n: a frame stands for n rounds{shown}")
    if values and any("±" in value_text(node.value) for node in graph.nodes if node.value is not None):
        others.append("mean ± standard deviation")
    if values and any(node.gradient is not None for node in graph.nodes):
        others.append(f'<FONT COLOR="{SECONDARY["gradient"]}">‖grad‖</FONT> norm of its gradient')
    in_full = [_cell(text) for text in _in_full(graph)]
    other = _cell(with_all_spaces("      ".join(others))) if others else ""
    if len(nodes) + len(others) > 6:
        length = -(-len(nodes) // -(-len(nodes) // 7))  # rows of about equal length, with at most 7 items
        rows = ["".join(nodes[i : i + length]) for i in range(0, len(nodes), length)] + [other]
    else:
        rows = ["".join(nodes) + other]
    rows += in_full
    tables = (f'<TABLE BORDER="0" CELLSPACING="2" CELLPADDING="1"><TR>{row}</TR></TABLE>' for row in rows)
    return f'<TABLE BORDER="0" CELLSPACING="0">{"".join(f"<TR><TD>{table}</TD></TR>" for table in tables)}</TABLE>'


def _in_full(graph: Graph) -> Iterator[str]:
    """Yield the full text of updates that are too long for their boxes; if only names differ, yield one of them."""
    alike: dict[tuple[str, ...], list[Node]] = {}
    for node in graph.nodes:
        if any(columns(visible(name)) + columns(formula) + 3 > WIDTH for name, formula in node.statements):
            alike.setdefault(_without_names(node), []).append(node)
    for first, *others in alike.values():
        lines = [shown(f"{name} ← {formula}", _LONGEST) for name, formula in first.statements]
        if others:
            lines.append(shown("likewise " + ", ".join(node.name or BLANK for node in others), _LONGEST))
        yield "".join(f'{line}<BR ALIGN="LEFT"/>' for line in lines)


def _without_names(node: Node) -> tuple[str, ...]:
    """Return the statements of an update with numbers in place of its own names, to compare it with others."""
    names = [name for name, _ in node.statements]
    names += [f"d{node.name}"]
    pattern = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    own = re.compile(rf"(?<!\w)({pattern})(?!\w)")
    return tuple(
        own.sub(lambda match: f"#{names.index(match[0])}", f"{name} ← {text}") for name, text in node.statements
    )


def _cell(text: str) -> str:
    return f'<TD><FONT POINT-SIZE="11">{text} &#160;&#160;</FONT></TD>'


def _swatch(kind: Kind) -> str:
    style = STYLES[kind]
    shape = ",".join(word.upper() for word in style.style.split(",") if word != "filled")
    look = f' STYLE="{shape}"' if shape else ""
    attributes = f'BORDER="{round(style.width)}" COLOR="{style.border}" BGCOLOR="{style.fill}"{look}'
    inner = f'<TABLE {attributes} CELLBORDER="0" CELLPADDING="0"><TR><TD WIDTH="16" HEIGHT="10"></TD></TR></TABLE>'
    if style.borders > 1:
        outer = f'BORDER="1" COLOR="{style.border}" CELLBORDER="0" CELLPADDING="1" CELLSPACING="0"'
        inner = f"<TABLE {outer}><TR><TD>{inner}</TD></TR></TABLE>"
    return f"<TD>{inner}</TD>"
