"""Writes several texts as one if they differ only in numbers that count up, such as `step 0` and `step 1`.

This file imports nothing from the package.

>>> counted(["step 0", "step 1", "step 2"]), counted(["x[0:2]", "x[2:4]", "x[4:6]"]), counted(["a1", "b1"])
('step 0…2', 'x[0, 2…4:2, 4…6]', None)
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

__all__ = ["counted", "is_count", "numbers_in", "template_of"]

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\dᵀ][^\Wᵀ]*|\d+|.", re.DOTALL)


def template_of(text: str) -> str:
    """Return `text` with 0 for every number in it.

    >>> template_of("layer 12")
    'layer 0'
    """
    return _NUMBER.sub("0", text)


def numbers_in(text: str) -> list[int]:
    """Return the whole numbers in `text`.

    >>> numbers_in("block 2, layer 12")
    [2, 12]
    """
    return [int(digits) for digits in _NUMBER.findall(text)]


def is_count(numbers: Sequence[int]) -> bool:
    """Return whether each number differs from the one before by the same amount, which may be 0.

    >>> is_count([0, 1, 2]), is_count([6, 4, 2]), is_count([5, 5, 5]), is_count([0, 1, 0])
    (True, True, True, False)
    """
    return len({b - a for a, b in itertools.pairwise(numbers)}) <= 1


def counted(texts: Sequence[str], *, but_first: bool = False, blank: str | None = None) -> str | None:
    """Return one text for all `texts`, with `first…last` for words whose numbers count up; None if that is impossible.

    With `but_first`, the first text may differ in any way, and the result is true of the other texts only. `blank` is a
    word that can stand for any other word.

    >>> counted(["h1 @ W", "h2 @ W", "h3 @ W"]), counted(["10", "8", "6"]), counted(["h", "h"])
    ('h1…h3 @ W', '10, 8…6', 'h')
    >>> counted(["start + x[0]", "h + x[1]", "h + x[2]"], but_first=True)
    'h + x[0…2]'
    """
    if len(set(texts)) == 1:
        return texts[0]
    rows = [_WORD.findall(text) for text in texts]
    if len({len(row) for row in rows}) > 1:
        return texts[1] if but_first and len(set(texts[1:])) == 1 else None
    columns = list(zip(*rows, strict=True))
    words = [
        _counted_word(column)
        or (_counted_word(column[1:]) if but_first else None)
        or (blank if blank in column else None)
        for column in columns
    ]
    return None if None in words else "".join(word for word in words if word is not None)


def _counted_word(words: Sequence[str]) -> str | None:
    if len(set(words)) == 1:
        return words[0]
    columns = list(zip(*map(numbers_in, words), strict=False))
    if len(set(map(template_of, words))) > 1 or not all(map(is_count, columns)):
        return None
    first, second, last = words[0], words[1], words[-1]
    by_one = all(abs(column[1] - column[0]) <= 1 for column in columns)
    return f"{first}…{last}" if by_one else f"{first}, {second}…{last}"
