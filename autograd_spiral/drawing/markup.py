"""Escapes strings so that the HTML-like labels of DOT show them literally."""

from __future__ import annotations

import html

from autograd_spiral.drawing.text import WIDTH, capped, visible, with_all_spaces

__all__ = ["escaped", "shown"]


def escaped(text: str, width: int = WIDTH) -> str:
    """Return `text`, cut to at most `width` columns and escaped, so that an HTML-like label shows it literally.

    Backslashes are escaped, too, since even in an HTML-like label, \\N stands for the name of the node.

    >>> escaped("a < b")
    'a &lt; b'
    """
    return html.escape(capped(visible(text), width), quote=False).replace("\\", "\\\\")


def shown(text: str, width: int = WIDTH) -> str:
    """Return `text` as `escaped` does, but with spaces that are shown even if several follow each other.

    >>> shown("step  1")
    'step &#160;1'
    """
    return with_all_spaces(escaped(text, width))
