"""Numeric derivatives with an error bound, from differences at several steps. Imports nothing that it checks.

A line is a function of one number t that returns a flat array of outputs; each output is differentiated at t = 0
separately. Central and one-sided differences are taken at steps that shrink by a fixed ratio, and extrapolated to step
0 (Richardson). Every three neighbouring steps give one estimate, with this error bound:

    truncation (how far the extrapolation still moved) + rounding (the noise of the values, divided by the step)

Estimates are collected from the smallest steps upward as long as they agree within their bounds, which leaves out every
step that reaches beyond a kink. The estimate with the tightest bound is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["Line", "Slopes", "slopes_of", "typical_scale"]


BLOCK = 4096  # this many outputs at once fit into the caches


@dataclass(frozen=True)
class Slopes:
    """The derivatives of the outputs along lines: from both sides (central), from the left and from the right.

    All have shape (lines, outputs). `bound` holds how far `central` can be off, `gap_bound` how far `right - left` can
    be. `kinked` marks the outputs whose one-sided slopes differ by more than that, or that jump at 0; `jumps` marks
    only those that jump. A side on which the function is not finite is left out, and `one_sided` marks this; if both
    sides are, the bound is infinite. `size` is the largest finite value of each output; `still` marks outputs that do
    not change.
    """

    central: Array
    left: Array
    right: Array
    bound: Array
    gap_bound: Array
    kinked: Array
    jumps: Array
    one_sided: Array
    size: Array
    still: Array


class Line:
    """Differences of `function`, a function of a number t, at steps that are powers of two times `scale`.

    `rounding` is the noise of each output at 0, and the values are computed in `dtype`. The steps are chosen so that
    the smallest ones balance rounding against truncation, near the cube root of the dtype's spacing; `refine()` adds
    four smaller ones. Values that are not finite only widen the bound; `still` marks the outputs that no step changes.

    >>> line = Line(lambda t: np.exp([t, 2 * t]), 1.0, np.full(2, 1e-16), np.dtype(float))
    >>> slopes = slopes_of([line])
    >>> slopes.central.round(9), bool((slopes.bound < 1e-9).all())
    (array([[1., 2.]]), True)
    >>> bend = slopes_of([Line(lambda t: np.array([max(t, 0.0)]), 1.0, np.zeros(1), np.dtype(float))])
    >>> bend.left.item(), bend.right.item(), bend.kinked.item()
    (0.0, 1.0, True)
    """

    def __init__(self, function: Callable[[Any], Array], scale: float, rounding: Array, dtype: np.dtype[Any]) -> None:
        self.function = function
        self.scale = scale
        self._eps = float(np.finfo(dtype).eps)
        finest = math.log2(self._eps) / 3  # the exponent of the balanced step, -17 in float64 and -8 in float32
        self._octaves = max(1, round(-finest / 6))
        first = round(finest / 2 + self._octaves / 2)  # -7, -10, -13, -16 in float64; -3 … -6 in float32
        self._exponent = first + round(math.log2(scale))  # of the next step
        self._rounding = rounding
        self._centre = function(0.0)
        self.still = np.ones(self._centre.shape, bool)
        self._steps: list[float] = []
        self._sides: list[Array] = []  # for each step the outputs to the right and to the left, shape (2, outputs)
        self.refine()

    @property
    def longest(self) -> float:
        """The longest step."""
        return self._steps[0]

    def refine(self) -> None:
        """Add four steps, each shorter than the one before by the same ratio."""
        for _ in range(4):
            step = 2.0**self._exponent
            self._steps.append(step)
            self._sides.append(np.array([self.function(step), self.function(-step)]))
            self.still &= np.all(self._sides[-1] == self._centre, axis=0)
            self._exponent -= self._octaves


@np.errstate(all="ignore")
def slopes_of(lines: Sequence[Line]) -> Slopes:
    """Return the derivatives at 0 along lines of one function, and their bounds, from all their steps so far.

    All lines must have the same number of steps. The results are the same as for each line alone, but are computed much
    faster.
    """
    eps = lines[0]._eps
    centre = np.array([line._centre for line in lines])
    still = np.array([line.still for line in lines])
    steps = np.array([line._steps for line in lines]).T[:, None, :, None]
    # An output that does not move at all moves by less than its spacing, however noisy it is elsewhere.
    least = 2 * eps * np.abs(centre) / steps[0, 0]
    no = np.zeros(still.shape, bool)
    found = Slopes(
        0 * least, 0 * least, 0 * least, least, least.copy(), no, no.copy(), no.copy(), np.abs(centre), still
    )
    moving = np.flatnonzero(~np.all(still, axis=0))
    for start in range(0, moving.size, BLOCK):
        columns = moving[start : start + BLOCK]
        chosen = slice(None) if columns.size == still.shape[1] else columns
        values = np.stack([np.array([side[:, chosen] for side in line._sides]) for line in lines], axis=2)
        stays = still[:, chosen]
        rounding = np.where(stays, 0.0, lines[0]._rounding[chosen])
        part = _of_outputs(values, centre[:, chosen], rounding, steps, lines[0])
        for field in fields(Slopes):
            here = getattr(found, field.name)
            here[:, chosen] = np.where(stays, here[:, chosen], getattr(part, field.name))
    return found


def _of_outputs(values: Array, centre: Array, rounding: Array, steps: Array, line: Line) -> Slopes:
    """Return the slopes of some outputs, from their `values`, of shape (steps, 2, lines, outputs)."""
    eps, ratio = line._eps, 2.0**line._octaves
    noise = rounding + 2 * eps * np.abs(values)
    noise_centre = rounding + 2 * eps * np.abs(centre)
    limits, bounds = _extrapolated(values, noise, ratio, ratio**2)
    jumps = np.abs(limits - centre) > bounds + noise_centre
    from_right, from_left = np.where(jumps, limits, centre)
    right, left = values[:, 0], values[:, 1]
    differences = np.stack([right - from_right, from_left - left, (right - left) / 2], axis=1) / steps
    noises = np.concatenate([noise + noise_centre, (noise[:, :1] + noise[:, 1:]) / 2], axis=1) / steps
    powers = np.array([1, 1, 2])[:, None, None]  # of the steps in the error: central differences have even ones only
    estimates, bounds = _extrapolated(differences, noises, ratio**powers, ratio ** (2 * powers))
    met = np.abs(np.concatenate([centre[None], *values]))
    size = np.max(met, axis=0, where=np.isfinite(met), initial=0.0)
    return replace(_combined(estimates, bounds, jumps.any(axis=0)), size=size)


def _extrapolated(estimates: Array, noise: Array, first: Any, second: Any) -> tuple[Array, Array]:
    """Return the best of Richardson's extrapolations over every three neighbouring steps, and its bound.

    `estimates` have shape (steps, …, lines, outputs), and `noise` is their rounding. From each step to the next, the
    leading term of their error shrinks by the ratio `first`, and the following term by `second`.
    """
    two = (first * estimates[1:] - estimates[:-1]) / (first - 1)
    two_noise = (first * noise[1:] + noise[:-1]) / (first - 1)
    three = (second * two[1:] - two[:-1]) / (second - 1)
    three_noise = (second * two_noise[1:] + two_noise[:-1]) / (second - 1)
    # Both differences: past a kink, one of them can be small by chance.
    truncation = np.maximum(np.abs(three - two[1:]), np.abs(three - two[:-1]))
    return _settled(three, truncation + three_noise + _tail(three, three_noise))


def _tail(estimates: Array, noise: Array) -> Array:
    """Return twice the distance that remains if the last estimates approach the limit too slowly, else 0.

    A function like |x|**1.01 has no expansion in powers of the step: its differences approach the slope at 0 like
    a geometric series that barely shrinks.
    """
    if len(estimates) < 3:
        return np.zeros(estimates.shape[1:])
    before, last = np.abs(np.diff(estimates[-3:], axis=0))
    slow = (last > 0.3 * before) & (last > noise[-1] + noise[-2])
    ratio = last / before
    return np.where(slow, np.where(ratio < 1, 2 * last * ratio / (1 - ratio), np.inf), 0.0)


def _settled(estimates: Array, bounds: Array) -> tuple[Array, Array]:
    """Return the estimate with the tightest bound among those that agree with all estimates at smaller steps."""
    bounds = np.where(np.isfinite(estimates) & np.isfinite(bounds), bounds, np.inf)
    best, best_bound = estimates[-1], bounds[-1]
    low, high = best - best_bound, best + best_bound
    agreeing = np.isfinite(best_bound)
    for estimate, bound in zip(estimates[-2::-1], bounds[-2::-1], strict=True):
        agreeing = agreeing & np.isfinite(bound) & (estimate - bound <= high) & (estimate + bound >= low)
        low = np.where(agreeing, np.maximum(low, estimate - bound), low)
        high = np.where(agreeing, np.minimum(high, estimate + bound), high)
        better = agreeing & (bound < best_bound)
        best, best_bound = np.where(better, estimate, best), np.where(better, bound, best_bound)
    return best, best_bound


def _combined(estimates: Array, bounds: Array, jumps: Array) -> Slopes:
    """Combine the slopes from the right, from the left and by central differences into one answer.

    If one side is not finite, the other side decides.
    """
    (right, left, both), (right_bound, left_bound, both_bound) = estimates, bounds
    no_left, no_right = np.isinf(left_bound), np.isinf(right_bound)
    left, right = np.where(no_left, right, left), np.where(no_right, left, right)
    one_sided = no_left | no_right
    split = jumps & ~one_sided
    central = np.where(one_sided, right, np.where(split, left / 2 + right / 2, both))
    tighter, looser = np.minimum(left_bound, right_bound), np.maximum(left_bound, right_bound)
    bound = np.where(one_sided, tighter, np.where(split, looser, both_bound))
    gap_bound = np.where(one_sided, 0, left_bound + right_bound)
    kinked = split | (~one_sided & (np.abs(right - left) > gap_bound))
    finite = np.isfinite(bound)
    central, left, right = (np.where(finite, slope, np.nan) for slope in (central, left, right))
    none = np.zeros_like(bound)
    return Slopes(central, left, right, bound, gap_bound, kinked & finite, jumps & finite, one_sided, none, none)


def typical_scale(x: Array) -> Array:
    """Return the scale of each element of `x`: its own size, or the median size if that is larger.

    Zeros and elements that are not finite do not count; without any other, the scale is 1.

    >>> typical_scale(np.array([0.0, 2.0, 3.0, 40.0]))
    array([ 3.,  3.,  3., 40.])
    """
    size = np.abs(np.asarray(x, dtype=float))
    counted = size[np.isfinite(size) & (size > 0)]
    middle = float(np.median(counted)) if counted.size else 1.0
    return np.where(np.isfinite(size), np.maximum(size, middle), middle)
