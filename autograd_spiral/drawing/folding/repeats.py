"""Finds where a sequence repeats itself. Imports only NumPy."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Repeat", "repeats"]

_LONGEST = 500
"""The longest period that is looked for, so that the search takes linear time in long sequences."""


class Repeat(NamedTuple):
    """A part of a sequence, from `start` to before `stop`, that repeats itself with this `period`."""

    start: int
    stop: int
    period: int


def repeats(items: Sequence[Hashable], least: int) -> Iterator[Repeat]:
    """Yield the longest parts that contain at least `least` periods, those with short periods first.

    >>> list(repeats("xababab!", least=3)), list(repeats("aaaa", least=2))
    ([Repeat(start=1, stop=7, period=2)], [Repeat(start=0, stop=4, period=1), Repeat(start=0, stop=4, period=2)])
    """
    numbers: dict[Hashable, int] = {}
    codes = np.array([numbers.setdefault(item, len(numbers)) for item in items])
    for period in range(1, min(len(codes) // least, _LONGEST) + 1):
        equal = np.concatenate([[False], codes[:-period] == codes[period:], [False]])
        starts, stops = np.flatnonzero(np.diff(equal.astype(int))).reshape(-1, 2).T.tolist()
        for start, stop in zip(starts, stops, strict=True):
            if stop - start >= period * (least - 1):
                yield Repeat(start, stop + period, period)
