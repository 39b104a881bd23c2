"""Writes the picture of a graph in the DOT language: labels, frames and edges."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograd_spiral.drawing.folding import NEXT, Rounds
from autograd_spiral.drawing.graph import Edge, Flow, Graph
from autograd_spiral.drawing.legend import DIRECTIONS, FLOWS, FRAMES, SECONDARY, STYLES, legend
from autograd_spiral.drawing.markup import escaped, shown
from autograd_spiral.drawing.record import Kind, Node
from autograd_spiral.drawing.text import (
    WIDTH,
    columns,
    shape_text,
    size_of,
    value_text,
    visible,
)
from autograd_spiral.program.passes.phases import PHASES

__all__ = ["dot_lines", "picture_attributes"]


_FOLDERS = re.compile(r"^.*?(?=[^/\\]*:\d+: )")
"""Matches the folders in `folders/file.py:12: code`; they are left out, since pictures are also shown to other
people."""

_LONG = 24
_NARROW = 14
_MARGIN = 5
_FRAME, _FRAME_TITLE = "#7f7f7f", "#555555"
_MANY = 100
_VERY_MANY = 500
"""With more edges than _MANY, dot gets less time to place nodes; with more than _VERY_MANY, it draws straight edges."""


def dot_lines(graph: Graph, *, values: bool, rankdir: str) -> Iterator[str]:
    """Yield the lines of the DOT text between the braces."""
    phases = [phase for phase in PHASES if any(node.phase == phase for node in graph.nodes)]
    framed = phases != ["forward"]
    # Gradients are drawn near their values if dot reads the order first, and near the new state if it reads it last.
    order = list(_in_order(graph, phases)) if framed else []
    if "update" not in phases:
        yield from order
    numbers = itertools.count()  # frames with the same name would be one frame
    for phase in phases:
        if framed:
            title, side, colour = FRAMES[phase]
            yield f"\tsubgraph cluster_{phase} {{\n"
            yield f'\t\tlabel=<{title.format(*DIRECTIONS[rankdir])}> labeljust={side} fontcolor="{colour}"\n'
            yield f'\t\tcolor="{colour}" style=rounded penwidth=0.8\n'
            yield f"\t\t{phase}\n"  # above all other nodes, so that no line runs through the title
        yield from _phase(graph, phase, numbers, values=values, narrow=framed)
        if framed:
            yield "\t}\n"
    for edge in graph.edges:
        yield _edge(graph, edge)
    if framed:
        for first, second in (*graph.pairs, *_with_users(graph)):
            yield f"\t{{ rank=same n{first} n{second} }}\n"
    if "update" in phases:
        yield from order
    # Last, since frames inherit the attributes that stand before them.
    yield f"\tlabel=<{legend(graph, values=values)}> labelloc=b\n"


def _phase(graph: Graph, phase: str, numbers: Iterator[int], *, values: bool, narrow: bool) -> Iterator[str]:
    """Yield the nodes of one phase, with a frame around each loop, and around each scope in the forward pass."""
    scopes = {i: _frames(node) for i, node in enumerate(graph.nodes) if node.phase == phase}
    seen: dict[tuple[str, ...], int] = {}

    def order(i: int) -> list[int]:
        """Return a sort key by which a frame's own nodes come before its inner frames, and frames keep their order."""
        return [seen.setdefault(scopes[i][:depth], len(seen)) for depth in range(1, len(scopes[i]) + 1)]

    uppermost = _uppermost(graph, scopes)
    entered: tuple[str, ...] = ()
    for i in sorted(scopes, key=order):
        while entered != scopes[i][: len(entered)]:
            yield "\t}\n"
            entered = entered[:-1]
        for depth in range(len(entered), len(scopes[i])):
            frame = scopes[i][: depth + 1]
            yield from _frame(frame[-1], next(numbers), uppermost[frame])
        entered = scopes[i]
        yield _node(i, graph.nodes[i], values, narrow)
    yield from ["\t}\n"] * len(entered)


def _frame(name: str, number: int, uppermost: list[int]) -> Iterator[str]:
    """Yield the beginning of a frame. Its title is a node next to the uppermost ones, so that lines avoid it."""
    yield f"\tsubgraph cluster_{number} {{\n"
    yield f'\t\tlabel="" color="{_FRAME}" style="dashed,rounded" penwidth=1 margin={_MARGIN}\n'
    title = "<BR/>".join(map(shown, name.rsplit("  ", 1) if isinstance(name, Rounds) else [name]))
    yield f'\t\tt{number} [shape=plaintext fontsize=12 label=<{title}> fontcolor="{_FRAME_TITLE}"]\n'
    for n, i in enumerate(uppermost):
        yield f"\t\tt{number} -> n{i} [style=invis weight={int(n == 0)} minlen=0]\n"


def _uppermost(graph: Graph, scopes: Mapping[int, tuple[str, ...]]) -> dict[tuple[str, ...], list[int]]:
    """Return, for each frame, its uppermost nodes: no other node of the frame is drawn above them."""
    below: dict[tuple[str, ...], set[int]] = {}
    for edge in graph.edges:
        upper, lower = _ends(graph, edge)
        if upper in scopes and lower in scopes and NEXT not in edge.note:
            shared = itertools.takewhile(
                lambda pair: pair[0] == pair[1], zip(scopes[upper], scopes[lower], strict=False)
            )
            for depth, _ in enumerate(shared):
                below.setdefault(scopes[lower][: depth + 1], set()).add(lower)
    found: dict[tuple[str, ...], list[int]] = {}
    for i, scope in scopes.items():
        for depth in range(len(scope)):
            uppermost = found.setdefault(scope[: depth + 1], [])
            if i not in below.get(scope[: depth + 1], ()):
                uppermost.append(i)
    return found


def _frames(node: Node) -> tuple[str, ...]:
    """Return the frames around a node, outermost first: outside the forward pass, only loops have frames."""
    return node.scope if node.phase == "forward" else tuple(name for name in node.scope if isinstance(name, Rounds))


def _small(text: str, role: str) -> str:
    return f'<FONT POINT-SIZE="10" COLOR="{SECONDARY[role]}">{shown(text)}</FONT>'


def _node(index: int, node: Node, values: bool, narrow: bool) -> str:
    style = STYLES[node.kind]
    lines = [*_title(node), *(_small(text, "value") for text in _facts(node, values, narrow))]
    if node.gradient is not None and values:
        lines.append(_small(size_of(node.gradient), "gradient"))
    more = f" peripheries={style.borders}" if style.borders > 1 else ""
    rows = "".join(f"<TR><TD>{line}</TD></TR>" for line in lines)
    table = f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>'
    return (
        f'\t\tn{index} [label=<{table}> tooltip={_tooltip(node)} style="{style.style}" '
        f'fillcolor="{style.fill}" color="{style.border}" penwidth={style.width}{more}]\n'
    )


def _title(node: Node) -> list[str]:
    """Return the lines of a node's title: `name = formula`, `state ← formula`, or the statements of an update."""
    if node.statements:
        return [f"<B>{shown(name)}</B> ← {escaped(text, WIDTH - columns(name) - 3)}" for name, text in node.statements]
    sign = "←" if node.kind is Kind.NEW_STATE else "="
    name = f"<B>{shown(node.name)}</B>" if node.name else ""
    text = shown(node.formula)
    if not node.name or not text:
        return [name] if name else _broken(text or str(node.kind))
    if columns(visible(node.name)) + columns(node.formula) + 3 > WIDTH:
        return [f"{name} {sign}", *_broken(text)]
    return [f"{name} {sign} {text}"]


def _broken(formula: str) -> list[str]:
    """Return a formula, on two lines if it is a call of a function with a long name."""
    head, bracket, rest = formula.partition("(")
    return [head, bracket + rest] if len(formula) > _LONG and head.isidentifier() else [formula]


def _facts(node: Node, values: bool, narrow: bool) -> list[str]:
    if node.kind is Kind.SCOPE:
        return [f"{n} {what if n == 1 else _plural(what)}" for what, n in node.count.items()]
    if node.states:
        return [*textwrap.wrap(", ".join(map(visible, node.states)), WIDTH)]
    shape = shape_text(node.output.shape)
    if node.output.dtype != np.float64:
        shape += f"   {node.output.dtype}"
    if node.value is None or not values:
        return [shape]
    value = value_text(node.value)
    line = f"{shape}   {value}"
    return [line] if len(line) <= (_NARROW if narrow else WIDTH) else [shape, value]


def _plural(word: str) -> str:
    return "leaves" if word == "leaf" else f"{word}s"


def _tooltip(node: Node) -> str:
    """Return the label in full, with the line of code if it is known."""
    sign = " ← " if node.kind is Kind.NEW_STATE else " = "
    text = sign.join(filter(None, (node.name, node.formula))) or str(node.kind)
    if node.statements:
        text = ";  ".join(f"{name} ← {formula}" for name, formula in node.statements)
    if node.equation is not None and node.equation.place:
        text += f"  ({_FOLDERS.sub('', node.equation.place, count=1)})"
    literal = escaped(text, 600 if node.statements else 300).replace(
        "\\", "\\\\"
    )  # in a quoted string, backslashes are doubled once more
    return '"' + literal.replace('"', "&quot;") + '"'


def _edge(graph: Graph, edge: Edge) -> str:
    colour, dash, _ = FLOWS[edge.flow]
    start, end = graph.nodes[edge.tail], graph.nodes[edge.head]
    tail, head = _ends(graph, edge)
    how = f'color="{colour}"'
    if edge.flow is not Flow.VALUE:
        how += f" style={dash}"
    if tail != edge.tail:
        how += " dir=back"
    if start.phase != end.phase or NEXT in edge.note:
        how += " constraint=false"
    notes = [edge.note] * bool(edge.note) + [f"×{edge.uses}"] * (edge.uses > 1)
    if notes:
        how += f" xlabel=<{_small(' '.join(notes), 'value')}>"
    return f"\tn{tail} -> n{head} [{how}]\n"


def _with_users(graph: Graph) -> Iterator[tuple[int, int]]:
    """Yield forward nodes that only other phases use, each with its first user; the two are drawn side by side."""
    users: dict[int, list[int]] = {}
    for edge in graph.edges:
        users.setdefault(edge.tail, []).append(edge.head)
    paired = {i for pair in graph.pairs for i in pair}
    for i, heads in users.items():
        node = graph.nodes[i]
        apart = not node.args and all(graph.nodes[head].phase != node.phase for head in heads)
        if node.phase == "forward" and apart and i not in paired and heads[0] not in paired:
            yield i, heads[0]


def _ends(graph: Graph, edge: Edge) -> tuple[int, int]:
    """Return the upper and the lower end of an edge: in the backward pass and in the update, arrows point up."""
    start, end = graph.nodes[edge.tail], graph.nodes[edge.head]
    if end.phase == "backward" or start.phase == end.phase == "update":
        return edge.head, edge.tail
    return edge.tail, edge.head


def _in_order(graph: Graph, phases: list[str]) -> Iterator[str]:
    """Yield lines that put the frames in order: a row of invisible nodes, one above each frame, linked to a node in it.

    Without these lines, dot puts the frames wherever it finds the fewest crossings of edges.
    """
    uses: dict[int, int] = {}
    for edge in graph.edges:
        uses.setdefault(edge.tail, edge.head)
    tied = {phase: next(i for i, node in enumerate(graph.nodes) if node.phase == phase) for phase in phases}
    for phase in phases[1:]:
        pairs = [pair for pair in graph.pairs if graph.nodes[pair[1]].phase == phase]
        if pairs:
            tied["forward"], tied[phase] = min(pairs, key=lambda pair: (uses.get(pair[0], len(graph.nodes)), pair))
    yield f"\t{{ rank=min {' -> '.join(phases)} [style=invis] }}\n"
    for phase, index in tied.items():
        yield f'\t{phase} [style=invis shape=point width=0 height=0 label=""]\n'
        yield f"\t{phase} -> n{index} [style=invis weight=0]\n"


def picture_attributes(graph: Graph, rankdir: str) -> dict[str, Any]:
    """Return the attributes of the whole picture, of nodes and of edges, as `graphviz.Digraph` takes them.

    By default, dot takes minutes for a loop of eighty steps that all use one parameter. It spends most of that time
    moving nodes sideways, by an algorithm whose iterations `nslimit` limits. In larger graphs, it spends most of the
    time on curves that avoid nodes.
    """
    font = "Arial"  # one name, whose widths every Graphviz knows; some versions measure a list of names as Times
    whole = {"rankdir": rankdir, "newrank": "true", "fontname": font, "ranksep": "0.3", "nodesep": "0.1"}
    if len(graph.edges) > _MANY:
        whole |= {"nslimit": "0.2", "mclimit": "0.1"}
    if len(graph.edges) > _VERY_MANY:
        whole["splines"] = "line"
    return {
        "graph_attr": whole,
        "node_attr": {"shape": "box", "fontname": font, "fontsize": "13", "margin": "0.07,0.03", "height": "0"},
        "edge_attr": {"fontname": font, "arrowsize": "0.7"},
    }
