"""Doubts about slopes that look wrong: the values of a function can hide the right slope."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from autograd_spiral.gradcheck.differences import Line
from autograd_spiral.gradcheck.judging.complex_steps import varies_within_spacing
from autograd_spiral.gradcheck.judging.jumps import moves_in_jumps
from autograd_spiral.gradcheck.judging.values import Values
from autograd_spiral.gradcheck.verdicts import Array, Slope, Verdict

__all__ = ["Doubts"]


# A wrong slope shows in steps in which it moves the outputs by this many times their noise: from, to, by.
EMERGING = 0.5, 16, 2
JUMPS = "the values move in jumps, as if they were rounded to fewer digits on the way"
WITHIN = "the function varies within the spacing of its inputs, as complex steps show"
PROVED = 16  # after this many wrong slopes without jumps that could hide them, jumps are not sought any more
FEW = 4  # slopes may be off by this many times the relative rounding of the values


class Doubts:
    """Doubts about the slopes of `values`; if these have no record, `reasons` says why wrong slopes count as noise."""

    def __init__(self, values: Values) -> None:
        self._values, self.reasons = values, dict[str, None]()
        self._without_jumps = 0

    @np.errstate(all="ignore")
    def doubted(self, slope: Slope, line: Line, brief: bool) -> Slope:
        """Return a wrong slope, with the verdict noise if the values could hide the right one.

        Outputs that do not change can hide a slope in their rounding, unless they do not depend on the line at all:
        then they are not nan at t = nan. Where outputs change, a wrong slope must show in the first steps in which it
        moves them by more than their noise. If they follow the analytic slope in these steps, or do not follow the
        numeric one, the longer steps of the differences reached over a change of the function.
        """
        values, weights = self._values, self._values.weights
        off = abs(slope.analytic - slope.numeric)
        moving, hidden = (mask & (weights != 0) for mask in (~line.still, line.still))
        if hidden.any():
            with contextlib.suppress(Exception):
                hidden &= np.isnan(line.function(np.nan))
        sizes, spacing = np.abs(weights), values.eps * line.scale
        bound = slope.bound + float(sizes[hidden] @ values.hiding[hidden]) / line.longest
        if off <= bound:
            return replace(slope, verdict=Verdict.NOISE, bound=bound)
        least, most = (float(sizes[moving] @ noise[moving]) / off for noise in (values.recorded, values.noise))
        step = max(EMERGING[0] * least, spacing)
        while step <= EMERGING[1] * max(most, spacing) and step < line.longest:
            sides = [line.function(-step), values.centre, line.function(step)]
            moves = [float((b - a)[moving] @ weights[moving]) / step for a, b in pairwise(sides)]
            seen = [move for move in moves if math.isfinite(move)]
            if any(seen):  # within a hidden spacing, nothing moves
                central, noise = sum(seen) / len(seen), most * off / step
                strays = noise < off / 2 and abs(central - slope.numeric) > 1.5 * noise + slope.slack
                if strays or abs(central - slope.analytic) < off / 4:
                    return replace(slope, verdict=Verdict.NOISE, bound=off)
            step *= EMERGING[2]
        if values.has_record or not (reason := self._reason(slope, line, brief)):
            return slope
        self.reasons[reason] = None
        return replace(slope, verdict=Verdict.NOISE, bound=off)

    def _reason(self, slope: Slope, line: Line, brief: bool) -> str:
        """Return how the values of a function without a record show that rounding inside it hides the slope, or "".

        The values may be all noise. They may be different in float64; then slopes may differ by a few times as much.
        They may lack what is absorbed, or move in jumps, neither of which a brief judgement looks for.
        """
        values = self._values
        off = abs(slope.analytic - slope.numeric)
        noise, size = float(np.abs(values.weights) @ values.noise), slope.natural * line.scale
        if noise > size / 4 and noise > values.eps**0.5 * values.met:
            return "the values change by their own size when the last bits of the inputs do"
        if off <= FEW * values.astray * max(abs(slope.analytic), abs(slope.numeric), slope.natural):
            return f"float64 changes the values by {100 * values.astray:.2g} %"
        if brief:
            return ""

        def weighted(t: complex) -> Array:
            return np.asarray(values.weights * line.function(t))

        if varies_within_spacing(weighted, slope.analytic, slope.bound, line.scale):
            return WITHIN
        if self._without_jumps < PROVED:
            if moves_in_jumps(line, slope, values.weights, values.eps):
                return JUMPS
            self._without_jumps += 1
        return ""
