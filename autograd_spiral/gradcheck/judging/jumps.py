"""Jumps of a function whose values are rounded more coarsely than their dtype."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autograd_spiral.gradcheck.differences import Line
from autograd_spiral.gradcheck.verdicts import Array, Slope

__all__ = ["jump_between", "moves_in_jumps"]


STEPS_WITHIN, OCTAVES_BEYOND = 10, 32  # how many shorter and longer steps are tried
MANY = 8  # steps that are longer than this many jumps show the slope
LEVELS = 6  # a change that stays as large when its interval is halved this many times is a jump


def moves_in_jumps(line: Line, slope: Slope, weights: Array, eps: float) -> bool:
    """Return whether the values change in jumps that are too large for the numeric slope to be known.

    Then they are rounded more coarsely than to the spacing `eps`, as for `1 - sigmoid(30)`, and the numeric slope is
    the slope between two jumps, unless the values follow it in steps that are longer than many jumps. Slopes are those
    of the outputs times the `weights`.
    """
    off, longest, centre = abs(slope.analytic - slope.numeric), line.longest, line.function(0.0)

    def change(t: float) -> Array:
        return np.asarray(np.nan_to_num(line.function(t) - centre))

    def follow(value: float, step: float) -> bool:
        return all(abs(float(change(side) @ weights) / side - value) < off / 4 for side in (-step, step))

    def jump(end: float, large: float = 0.0) -> float:
        moving = weights * (change(end) != 0)
        least = 4 * eps * float(np.abs(moving) @ (np.abs(np.nan_to_num(centre)) + np.abs(change(end))))
        spacing = 4 * eps * max(line.scale, abs(end))
        return jump_between(lambda t: float(change(t) @ moving), slope.numeric, end, max(least, large), spacing)

    if not any(np.any(change(side)) for side in (-longest, longest)):
        # Nothing moves, as on one side of a relu: only an analytic slope that shows farther out is in doubt.
        beyond = (longest * 2**k for k in range(1, OCTAVES_BEYOND))
        return any(jump(-step) or jump(step) for step in beyond if follow(slope.analytic, step))
    within = [longest / 4**k for k in range(STEPS_WITHIN)]
    followed = [step for step in within if follow(slope.numeric, step)]
    large = max(followed, default=0.0) * off / MANY  # smaller jumps do not hide the slope
    return any(jump(end, large) for step in within if step not in followed for end in (-step, step))


def jump_between(function: Callable[[float], float], slope: float, end: float, least: float, spacing: float) -> float:
    """Return the size of a jump of `function` between 0 and `end`, where it leaves a line of this `slope`; else 0.

    The interval is halved, always keeping the half in which the function departs more. A smooth function departs from
    the line by less and less; a jump keeps its size. Changes of at most `least` are rounding; intervals shorter than
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
