"""How a report looks: styles in a terminal and in HTML, and a small picture of the verdicts on a matrix."""

from __future__ import annotations

import html
import os
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from autograd_spiral.gradcheck.verdicts import Findings, Slope, Verdict

__all__ = ["Paint", "Styled", "in_terminal", "picture", "plain", "to_html", "wants_colours"]

Paint: TypeAlias = Callable[[str, str], str]
"""A function from a text and the name of its style to the text that is printed."""

_ANSI = {"good": "32", "bad": "31", "doubtful": "33", "quiet": "2", "head": "1"}
_CSS = {"good": "color:#1a7f37", "bad": "color:#cf222e", "doubtful": "color:#9a6700", "quiet": "color:gray", "head": ""}
_SYMBOLS = {
    Verdict.OK: ("·", "good"),
    Verdict.KINK: ("k", "doubtful"),
    Verdict.NOISE: ("~", "doubtful"),
    Verdict.UNJUDGED: ("?", "doubtful"),
}
ROWS, COLUMNS = 12, 40  # of a larger matrix, the part around the worst element is drawn


class Styled(str):
    """A text that knows its style: good, bad, doubtful, quiet or head.

    >>> Styled("wrong", "bad").style
    'bad'
    """

    style: str

    def __new__(cls, text: str, style: str) -> Styled:
        """Return the text with its style."""
        styled = super().__new__(cls, text)
        styled.style = style
        return styled


def plain(text: str, style: str) -> str:
    """Return the text alone.

    >>> plain("ok", "good")
    'ok'
    """
    return text


def in_terminal(text: str, style: str) -> str:
    """Return the text with the escape codes of its colour.

    >>> in_terminal("ok", "good")
    '\\x1b[32mok\\x1b[0m'
    """
    return f"\x1b[{_ANSI[style]}m{text}\x1b[0m" if style and text.strip() else text


def to_html(text: str, style: str) -> str:
    """Return the text as HTML, in its colour.

    >>> to_html("a < b", ""), to_html("ok", "good")
    ('a &lt; b', '<span style="color:#1a7f37">ok</span>')
    """
    escaped = html.escape(text, quote=False)
    return f'<span style="{_CSS[style]}">{escaped}</span>' if style and text.strip() else escaped


def wants_colours(stream: Any) -> bool:
    """Return whether what is printed to `stream` may have colours: on a terminal, unless NO_COLOR is set.

    >>> import io
    >>> wants_colours(io.StringIO())
    False
    """
    refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not refused and bool(getattr(stream, "isatty", lambda: False)())


def picture(row: Findings, paint: Paint = plain) -> list[str]:
    """Return lines that show the verdict on each element of an array: · ok, k kink, ~ noise, ✗ wrong, ? not judged.

    The result is empty if most elements have no verdict, or if all have the same one. An array of more than two axes is
    shown as a matrix, with its last axis along the rows.

    >>> slopes = [Slope(Verdict.OK, index=(0, 0)), Slope(Verdict.WRONG, index=(0, 1)), Slope(Verdict.OK, index=(1, 0))]
    >>> print("\\n".join(picture(Findings("W", np.zeros((2, 2)), slopes=tuple(slopes)))))
    W, · ok, ✗ wrong:
      · ✗
      ·
    """
    worst = row.worst
    drawn = [slope for slope in row.slopes if slope.index]
    if worst is None or not worst.index or 2 * len(drawn) < row.x.size or len(set(map(_symbol, drawn))) < 2:
        return []
    signs = np.full(row.shape, " ", dtype=object)
    for slope in drawn:
        signs[slope.index] = paint(*_symbol(slope))
    matrix = signs.reshape(-1, row.shape[-1])
    at = np.unravel_index(np.ravel_multi_index(worst.index, row.shape), matrix.shape)
    parts = [_part(int(i), count, most) for i, count, most in zip(at, matrix.shape, (ROWS, COLUMNS), strict=True)]
    head = [row.name, "order 2"] if row.order == 2 else [row.name]
    for name, part, count in zip(("rows", "columns"), parts, matrix.shape, strict=True):
        if part.stop - part.start < count:
            head.append(f"{name} {part.start} to {part.stop - 1} of {count}")
    met = {_symbol(slope)[0] for slope in drawn}
    meanings = {sign: verdict for verdict, (sign, _) in _SYMBOLS.items()} | {"✗": "wrong"}
    head += [f"{sign} {meaning}" for sign, meaning in meanings.items() if sign in met]
    return [f"{', '.join(head)}:", *(f"  {' '.join(line)}".rstrip() for line in matrix[tuple(parts)])]


def _symbol(slope: Slope) -> tuple[str, str]:
    return ("✗", "bad") if slope.verdict.fails else _SYMBOLS[slope.verdict]


def _part(middle: int, count: int, most: int) -> slice:
    """Return a slice of at most `most` indices around the middle, out of `count` indices."""
    first = max(0, min(middle - most // 2, count - most))
    return slice(first, min(count, first + most))
