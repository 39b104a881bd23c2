"""From a graph to the DOT text of its picture: labels, colours, frames and the legend."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from autograd_spiral.drawing.graph import Edge, Flow, Graph, Node
from autograd_spiral.drawing.record import PHASES, Kind
from autograd_spiral.drawing.text import WIDTH, capped, shape_text, size_of, value_text, visible

__all__ = ["SECONDARY", "STYLES", "TEXT", "Style", "dot_lines", "picture_attributes"]


class Style(NamedTuple):
    """How a kind looks: its fill, its border, and cues that do not need colours."""

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
    Kind.UPDATE: Style("#efd0e4", "#8f3a76", "filled", 2.6),
    Kind.SCOPE: Style("#ffffff", "#555555", "filled,dashed,rounded", 2),
}
"""Fills and borders around the colour-blind-safe palette of Okabe and Ito (2008); no two kinds share all cues."""

TEXT = "#000000"
SECONDARY = {"value": "#3d3d3d", "gradient": "#8a3300"}
_FLOWS = {
    Flow.VALUE: ("#0072b2", "solid"),
    Flow.GRADIENT: ("#c04a00", "dashed"),
    Flow.SAVED: ("#757575", "dotted"),
    Flow.UPDATE: ("#8f3a76", "bold"),
}
_ARROWS = {Flow.VALUE: "—→", Flow.GRADIENT: "- - →", Flow.SAVED: "· · →", Flow.UPDATE: "<B>—→</B>"}
_FRAMES = {
    "forward": ("forward: values flow down", "l", STYLES[Kind.OPERATION].border),
    "backward": ("backward: gradients flow up", "r", STYLES[Kind.BACKWARD].border),
    "update": ("update: new state", "r", STYLES[Kind.UPDATE].border),
}
_SMALL = 10
_FRAME = '"#7f7f7f"'


def dot_lines(graph: Graph, *, values: bool) -> Iterator[str]:
    """The lines of the DOT text between the braces."""
    phases = [phase for phase in PHASES if any(node.phase == phase for node in graph.nodes)]
    framed = phases != ["forward"]
    for phase in phases:
        if framed:
            title, side, colour = _FRAMES[phase]
            yield f"\tsubgraph cluster_{phase} {{\n"
            yield f'\t\tlabel=<{title}> labeljust={side} fontcolor="{colour}"\n'
            yield f'\t\tcolor="{colour}" style=rounded penwidth=0.8\n'
        yield from _phase(graph, phase, values, narrow=framed)
        if framed:
            yield "\t}\n"
    for edge in graph.edges:
        yield _edge(graph, edge)
    if framed:
        for value, ct in graph.pairs:
            yield f"\t{{ rank=same n{value} n{ct} }}\n"
    yield f"\tlabel=<{_legend(graph)}> labelloc=b\n"  # last, since frames take over what stands before them


def _phase(graph: Graph, phase: str, values: bool, narrow: bool) -> Iterator[str]:
    """The nodes of one phase, those of a scope of the forward pass inside its frame."""
    inside: dict[tuple[str, ...], list[int]] = {(): []}
    frames: dict[tuple[str, ...], list[tuple[str, ...]]] = {(): []}
    for i, node in enumerate(graph.nodes):
        if node.phase == phase:
            own = node.scope if phase == "forward" else ()
            for depth in range(1, len(own) + 1):
                if own[:depth] not in inside:
                    inside[own[:depth]], frames[own[:depth]] = [], []
                    frames[own[: depth - 1]].append(own[:depth])
            inside[own].append(i)

    numbered = 0
    stack: list[tuple[str, ...] | None] = [()]
    while stack:
        if (path := stack.pop()) is None:
            yield "\t}\n"
            continue
        if path:
            yield f"\tsubgraph cluster_{numbered} {{\n"
            yield f"\t\tlabel=<{_escaped(path[-1])}> labeljust=l fontcolor={_FRAME.replace('7f', '55')}\n"
            yield f'\t\tcolor={_FRAME} style="dashed,rounded" penwidth=1\n'
            numbered += 1
            stack.append(None)
        for i in inside[path]:
            yield _node(i, graph.nodes[i], values, narrow)
        stack += reversed(frames[path])


def _escaped(text: str, width: int = WIDTH) -> str:
    """`text` as an HTML-like label shows it literally."""
    return _literal(capped(visible(text), width))


def _literal(text: str) -> str:
    """`text` with entities for markup, and two backslashes for one: even in HTML-like labels \\N is a node's name."""
    return html.escape(text, quote=False).replace("\\", "\\\\")


def _node(index: int, node: Node, values: bool, narrow: bool) -> str:
    style = STYLES[node.kind]
    lines = _title(node)
    small = [(text, "value") for text in _facts(node, values, narrow)]
    if node.gradient is not None and values:
        small.append((size_of(node.gradient), "gradient"))
    for text, role in small:
        lines.append(f'<FONT POINT-SIZE="{_SMALL}" COLOR="{SECONDARY[role]}">{_escaped(text)}</FONT>')
    more = f" peripheries={style.borders}" if style.borders > 1 else ""
    rows = "".join(f"<TR><TD>{line}</TD></TR>" for line in lines)
    table = f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>'
    return (
        f'\t\tn{index} [label=<{table}> tooltip={_tooltip(node)} style="{style.style}" '
        f'fillcolor="{style.fill}" color="{style.border}" penwidth={style.width}{more}]\n'
    )


def _title(node: Node) -> list[str]:
    """`name = formula`, or `state ← formula`, on two lines where one would be too long."""
    sign = "←" if node.kind is Kind.UPDATE and node.name else "="
    name = f"<B>{_escaped(node.name)}</B>" if node.name else ""
    text = _escaped(node.formula)
    if not node.name or not text:
        return [name or text or str(node.kind)]
    if len(visible(node.name)) + len(node.formula) + 3 > WIDTH:
        return [f"{name} {sign}", text]
    return [f"{name} {sign} {text}"]


def _facts(node: Node, values: bool, narrow: bool) -> list[str]:
    if node.kind is Kind.SCOPE:
        return [f"{n} {what if n == 1 else _plural(what)}" for what, n in node.count.items()]
    shape = shape_text(node.shape)
    if node.dtype != np.float64:
        shape += f"   {node.dtype}"
    if node.value is None or not values:
        return [shape]
    value = value_text(node.value)
    return [shape, value] if narrow or len(shape + value) + 3 > WIDTH else [f"{shape}   {value}"]


def _plural(word: str) -> str:
    return "leaves" if word == "leaf" else f"{word}s"


def _tooltip(node: Node) -> str:
    """The label in full, with the line of code where it is known."""
    sign = " ← " if node.kind is Kind.UPDATE else " = "
    text = sign.join(filter(None, (node.name, node.formula))) or str(node.kind)
    if node.place:
        text += f"  ({node.place})"
    literal = _literal(capped(visible(text), 300)).replace("\\", "\\\\")  # a quoted string takes them once more
    return '"' + literal.replace('"', "&quot;") + '"'


def _edge(graph: Graph, edge: Edge) -> str:
    colour, dash = _FLOWS[edge.flow]
    tail, head = edge.tail, edge.head
    how = f'color="{colour}"'
    if edge.flow is not Flow.VALUE:
        how += f" style={dash}"
    if edge.flow is Flow.GRADIENT:  # drawn from top to bottom as the forward edges are, the arrow at its upper end
        tail, head = head, tail
        how += " dir=back"
    if edge.flow is Flow.SAVED:
        how += " constraint=false"
    if edge.uses > 1:
        how += f' label=<<FONT POINT-SIZE="{_SMALL}" COLOR="{SECONDARY["value"]}">×{edge.uses}</FONT>>'
    return f"\tn{tail} -> n{head} [{how}]\n"


def _legend(graph: Graph) -> str:
    """One swatch for each kind of node and each kind of edge that the picture has."""
    kinds = {node.kind for node in graph.nodes}
    flows = {edge.flow for edge in graph.edges}
    nodes = [_swatch(kind) + _cell(html.escape(str(kind))) for kind in Kind if kind in kinds]
    others = [
        f'<FONT COLOR="{_FLOWS[flow][0]}">{_ARROWS[flow]}</FONT> {flow}'
        for flow in Flow
        if flow in flows and len(flows) > 1
    ]
    if any(node.gradient is not None for node in graph.nodes):
        others.append(f'<FONT COLOR="{SECONDARY["gradient"]}">‖grad‖</FONT> norm of its gradient')
    other = _cell("      ".join(others)) if others else ""
    swatches = "".join(nodes)
    rows = [swatches, other] if len(nodes) + len(others) > 6 else [swatches + other]
    tables = (f'<TABLE BORDER="0" CELLSPACING="2" CELLPADDING="1"><TR>{row}</TR></TABLE>' for row in rows)
    return f'<TABLE BORDER="0" CELLSPACING="0">{"".join(f"<TR><TD>{table}</TD></TR>" for table in tables)}</TABLE>'


def _cell(text: str) -> str:
    return f'<TD><FONT POINT-SIZE="11">{text}   </FONT></TD>'


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


def picture_attributes(rankdir: str) -> dict[str, Any]:
    """The attributes of the whole picture, of nodes and of edges, as `graphviz.Digraph` takes them."""
    font = "Arial"  # one name, whose widths every Graphviz knows; a list of names is measured as Times by some
    return {
        "graph_attr": {
            "rankdir": rankdir,
            "newrank": "true",
            "fontname": font,
            "ranksep": "0.35",
            "nodesep": "0.16",
        },
        "node_attr": {"shape": "box", "fontname": font, "fontsize": "13", "margin": "0.05,0.03", "height": "0"},
        "edge_attr": {"fontname": font, "arrowsize": "0.7"},
    }
