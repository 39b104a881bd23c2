"""The verdict on a derivative: how it compares with differences, given their bound and its own rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autograd_spiral.gradcheck.differences import Line, slopes_of
from autograd_spiral.gradcheck.judging.values import Values
from autograd_spiral.gradcheck.verdicts import Array, Slope, Verdict

__all__ = ["Case", "judged"]


REFINEMENTS = 3  # after so many, the smallest step is the spacing of the dtype
WIDE = 1e-2, 1e-3  # parts of the derivative and of its natural size: a bound wider than both says nothing
COARSE = 64  # and wider than this many spacings of the coarsest dtype
SHARP = 1e-4, 1e-9  # a numeric bound wider than both is worth smaller steps


class Case(NamedTuple):
    """A derivative to judge: the slope `analytic` along `line`, which rounding can have moved by `rounding`.

    A difference too large for `rounding`, but not for the wider limit `loose`, counts as noise. `alone` says that only
    one element changes along the line.
    """

    line: Line
    analytic: float
    rounding: float
    loose: float
    alone: bool = False


class _Compared(NamedTuple):
    """A derivative of the weighted sum of the outputs, and all that its verdict depends on.

    `low` and `high` are the lowest and the highest sum of one-sided slopes; `gap` is how far the two can be off.
    """

    case: Case
    numeric: float
    natural: float
    slack: float
    low: float
    high: float
    gap: float
    kinked: bool
    jumps: bool
    one_sided: bool

    @property
    def bound(self) -> float:
        return self.slack + self.case.rounding if math.isfinite(self.case.analytic) else self.slack

    def is_within(self, reach: float) -> bool:
        """Return whether the analytic slope is between the one-sided slopes, or within `reach` of them."""
        return self.low - reach <= self.case.analytic <= self.high + reach

    def is_wide(self, bound: float, parts: tuple[float, float]) -> bool:
        return _is_wide((self.case.analytic, self.numeric), self.natural, bound, parts)


@np.errstate(all="ignore")
def judged(values: Values, cases: Sequence[Case], *, brief: bool = False, thorough: bool = False) -> list[Slope]:
    """Return the slopes of these cases, with their verdicts.

    Each line gets smaller steps until its derivative is clearly ok, or there are no smaller steps. A `thorough`
    judgement always goes on to the smallest steps; a `brief` one ends when two results in a row fail, or are on a kink.
    """
    found = _compared(values, cases)
    open_ = [k for k, slope in enumerate(found) if thorough or not _is_plainly_ok(slope)]
    for _ in range(REFINEMENTS):
        if not open_:
            break
        for k in open_:
            cases[k].line.refine()
        refined = _compared(values, [cases[k] for k in open_], np.array([found[k].natural for k in open_]))
        pairs, open_ = zip(open_, refined, strict=True), []
        for k, slope in pairs:
            plain = slope.verdict is Verdict.KINK or (slope.verdict.fails and _is_sharp(slope))
            ended = brief and plain and found[k].verdict is slope.verdict
            found[k] = slope
            if not ended and (thorough or not _is_plainly_ok(slope)):
                open_.append(k)
    return found


def _compared(values: Values, cases: Sequence[Case], natural: Array | None = None) -> list[Slope]:
    """Compare each case with differences; `natural` has the natural sizes of the derivatives if they are known."""
    slopes = slopes_of([case.line for case in cases])
    weights, kept = values.weights, values.kept
    if natural is None:
        natural = np.sum(np.abs(weights) * slopes.size, axis=-1) / np.array([case.line.scale for case in cases])
    weighted = kept(weights) * kept(np.array([slopes.central, slopes.left, slopes.right]))
    slack, gap = np.sum(kept(np.abs(weights)) * kept(np.array([slopes.bound, slopes.gap_bound])), axis=-1)
    marks = np.any(kept(np.array([slopes.kinked, slopes.jumps, slopes.one_sided])), axis=-1)
    numeric, low, high = (np.sum(x, axis=-1) for x in (weighted[0], weighted.min(axis=0), weighted.max(axis=0)))
    columns = (numeric, natural, slack, low, high, gap, *marks)
    found = map(_Compared, cases, *(column.tolist() for column in columns))
    return [Slope(_verdict(s, values), s.case.analytic, s.numeric, s.bound, s.natural, s.slack) for s in found]


def _verdict(slope: _Compared, values: Values) -> Verdict:
    analytic, slack, bound = slope.case.analytic, slope.slack, slope.bound
    if not math.isfinite(slack):
        return Verdict.NOISE
    too_large = abs(slope.numeric) + slack > float(values.limits.max)
    if math.isnan(analytic):
        return Verdict.NOISE if too_large else Verdict.NAN
    # On a kink, the last bits can decide which branch is taken: only the slopes count then, not rounding.
    last_bits = 4 * values.eps * abs(analytic)
    if slope.kinked and slope.is_within(max(slack, slope.gap) + last_bits):
        return Verdict.KINK
    if slope.jumps and slope.case.alone:  # there is no derivative, so none is wrong
        return Verdict.KINK
    if math.isinf(analytic):  # it can be the slope of a side that was left out, or too large for its dtype
        doubtful = slope.one_sided or too_large
        return Verdict.NOISE if doubtful or slope.is_wide(slack, WIDE) else Verdict.WRONG
    if not math.isfinite(bound):
        return Verdict.NOISE
    if not slope.is_within(bound):
        reach = max(bound + slope.gap, slack + slope.case.loose)
        return Verdict.NOISE if slope.is_within(reach) else Verdict.WRONG
    parts = max(WIDE[0], COARSE * float(values.limits.eps)), WIDE[1]
    if bound > COARSE * float(values.limits.smallest_subnormal) and slope.is_wide(bound, parts):
        return Verdict.NOISE
    return Verdict.KINK if slope.kinked else Verdict.OK


def _is_plainly_ok(slope: Slope) -> bool:
    return slope.verdict is Verdict.OK and abs(slope.analytic - slope.numeric) <= slope.bound and _is_sharp(slope)


def _is_sharp(slope: Slope) -> bool:
    """Return whether the numeric derivative is known well."""
    return not _is_wide((slope.analytic, slope.numeric), slope.natural, slope.slack, SHARP)


def _is_wide(slopes: tuple[float, float], natural: float, bound: float, parts: tuple[float, float]) -> bool:
    """Return whether `bound` exceeds both a fixed fraction of the derivative and one of its natural size."""
    size = max((abs(value) for value in slopes if math.isfinite(value)), default=0.0)
    return bound > parts[0] * size and bound > parts[1] * natural
