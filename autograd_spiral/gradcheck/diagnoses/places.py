"""Where the wrong elements of a gradient are, in words. Imports only NumPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autograd_spiral.gradcheck.verdicts import Array, Findings

__all__ = ["counted"]

FEW = 3  # at most this many rows or columns are listed


def counted(chosen: Array, fine: Array, findings: Findings, repeated: Array | None = None) -> str:
    """Return how many elements are `chosen`, and the sign or place that all of them have and no `fine` element has.

    `repeated` marks the elements that occur more than once in an array of indices among the inputs.

    >>> counted(np.array([1, 1, 0], bool), np.array([0, 0, 1], bool), Findings("x", np.array([-1.0, -2.0, 3.0])))
    '2 of 3 elements: where the input is below 0'
    """
    count = np.count_nonzero(chosen)
    if count == chosen.size:
        return f"all {count} elements"
    text = f"{count} of {chosen.size} elements"
    if len(findings.slopes) < chosen.size and findings.slopes:
        return f"at least {text}"
    if fine.any():
        x = findings.x
        if repeated is not None and np.all(repeated[chosen]) and not np.any(repeated[fine]):
            return f"{text}: where an index is repeated"
        signs = {"below 0": x < 0, "0": x == 0, "above 0": x > 0, "not above 0": x <= 0, "not below 0": x >= 0}
        for sign, has in signs.items():
            if np.all(has[chosen]) and not np.any(has[fine]):
                return f"{text}: where the input is {sign}"
        if count > 1:
            for place, is_there in _places(chosen):
                if np.all(is_there[chosen]) and not np.any(is_there[fine]):
                    return f"{text}: {place}"
    return text


def _places(chosen: Array) -> Iterator[tuple[str, Array]]:
    """Yield names of parts of an array, each with a mask of the elements that belong to it."""
    shape = chosen.shape
    indices = np.indices(shape)
    if min(shape) > 3:
        ends = [(indices[axis] == 0) | (indices[axis] == n - 1) for axis, n in enumerate(shape)]
        yield "at the border", np.any(ends, axis=0)
    for axis in range(len(shape)):
        along = indices[axis]
        places = np.unique(along[chosen])
        if len(places) <= min(FEW, shape[axis] // 2):
            which = ", ".join(map(str, places.tolist()))
            yield _named(axis, which, len(places), len(shape)), np.isin(along, places)
    if len(shape) == 2:
        across = np.asarray(indices[1] - indices[0])
        yield "on the diagonal", across == 0
        yield "off the diagonal", across != 0
        yield "above the diagonal", across > 0
        yield "below the diagonal", across < 0


def _named(axis: int, which: str, count: int, ndim: int) -> str:
    if ndim != 2:
        return f"at {which}" if ndim == 1 else f"at {which} of axis {axis}"
    name = ("row", "column")[axis]
    return f"in {name} {which}" if count == 1 else f"in {name}s {which}"
