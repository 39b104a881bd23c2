"""Names, numbers and arrays as short texts for labels. Imports only NumPy."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["WIDTH", "capped", "columns", "number", "shape_text", "size_of", "value_text", "visible", "with_all_spaces"]

WIDTH = 32
"""The maximum number of columns in a line of a label."""


def visible(text: str) -> str:
    """Return `text` on one line: line ends become ↵, and other characters that cannot be printed become escapes."""
    if text.isprintable():
        return text
    text = text.replace("\r\n", "↵").replace("\n", "↵")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def columns(text: str) -> int:
    """Return the width of `text` in columns: 2 for a wide character, as in Chinese and Japanese, 1 for any other.

    >>> columns("W1"), columns("重み")
    (2, 4)
    """
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def capped(text: str, width: int = WIDTH) -> str:
    """Return `text`, with its end replaced by … if it is wider than `width` columns."""
    if columns(text) <= width:
        return text
    ends = itertools.accumulate(map(columns, text))
    return text[: sum(end < width for end in ends)] + "…"


def number(value: float, digits: int = 3) -> str:
    """Return `value` with this number of significant digits and a true minus sign.

    >>> number(-0.01234), number(300), number(-0.0)
    ('−0.0123', '300', '0')
    """
    return "0" if value == 0 else f"{value:.{digits}g}".replace("-", "−")


def with_all_spaces(markup: str) -> str:
    """Return markup in which browsers show each of several spaces in a row; otherwise they show only one.

    >>> with_all_spaces("300×2   all 0")
    '300×2 &#160;&#160;all 0'
    """
    return re.sub("(?<= ) |^ ", "&#160;", markup)


def shape_text(shape: tuple[int, ...]) -> str:
    """Return the shape as people write it: `300×2`, `scalar`.

    >>> shape_text((300, 2)), shape_text((3,)), shape_text(())
    ('300×2', '3', 'scalar')
    """
    return "×".join(map(str, shape)) if shape else "scalar"


def value_text(array: NDArray[Any]) -> str:
    """Return the number in an array of one element, else its mean ± standard deviation, or the range of integers.

    >>> value_text(np.array([1.0, 2.0, 6.0])), value_text(np.arange(3)), value_text(np.zeros(4))
    ('3 ± 2.2', '0 to 2', 'all 0')
    """
    if array.size == 0:
        return "empty"
    kind = array.dtype.kind
    if array.size == 1:
        return str(array.item()) if kind != "f" else number(array.item())
    if kind == "b":
        return f"{number(100 * float(array.mean()), 2)}% true"
    if kind in "iu":
        low, high = array.min(), array.max()
        return f"all {low}" if low == high else f"{low} to {high}"
    flat = array.astype(np.float64).ravel()
    with np.errstate(all="ignore"):
        mean = float(flat.sum()) / flat.size  # takes a third of the time of np.std
        rest = flat - mean
        std = math.sqrt(np.dot(rest, rest) / flat.size)
    if not math.isfinite(std):
        bad = flat.size - int(np.isfinite(flat).sum())
        return f"{bad} of {flat.size} not finite" if bad else f"up to {number(np.abs(flat).max(), 2)}"
    if std <= 1e-9 * abs(mean) and flat.min() == flat.max():
        return f"all {number(flat[0])}"
    if abs(mean) < 1e-3 * std:  # negligible next to the spread, and often only rounding, which differs between machines
        mean = 0.0
    return f"{number(mean, 2)} ± {number(std, 2)}"


def size_of(gradient: NDArray[Any]) -> str:
    """Return the size of a gradient: the number itself if it has one element, else its Euclidean norm.

    >>> size_of(np.array([3.0, 4.0])), size_of(np.array(-2.0))
    ('‖grad‖ 5', 'grad −2')
    """
    if gradient.size == 1:
        return f"grad {number(gradient.item(), 2)}"
    flat = gradient.astype(np.float64).ravel()
    with np.errstate(all="ignore"):
        return f"‖grad‖ {number(math.sqrt(np.dot(flat, flat)), 2)}"
