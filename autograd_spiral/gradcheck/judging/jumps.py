"""Jumps of a function whose values are rounded more coarsely than their dtype."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["jump_between"]


LEVELS = 6  # a change that halving the interval so many times leaves as large as it was is a jump


def jump_between(function: Callable[[float], float], slope: float, end: float, least: float, spacing: float) -> float:
    """Return the size of a jump in which `function` departs from its line of this `slope` between 0 and `end`, or 0.

    The interval is halved, always keeping the half in which the function departs more. A smooth function departs by
    less and less; a jump stays as large as it is. Changes of at most `least` are rounding; intervals shorter than
    `spacing` are not halved. `function` is 0 at 0.

    >>> jump_between(lambda t: round(8 * t) / 8, 0.0, 1.0, 1e-12, 1e-15)
    0.125
    >>> jump_between(lambda t: t**3, 0.0, 1.0, 1e-12, 1e-15)
    0.0
    """
    low, high, at_low, at_high = 0.0, end, 0.0, function(end)
    departures = [abs(at_high - slope * end)]
    while departures[-1] > least and abs(high - low) > spacing:
        middle = low / 2 + high / 2
        at_middle = function(middle)
        left, right = at_middle - at_low - slope * (middle - low), at_high - at_middle - slope * (high - middle)
        if abs(left) >= abs(right):
            high, at_high = middle, at_middle
        else:
            low, at_low = middle, at_middle
        departures.append(max(abs(left), abs(right)))
        if len(departures) > LEVELS and departures[-1] > departures[-1 - LEVELS] / 2:
            return departures[-1]
    return 0.0
