"""The verdict on a derivative, and on each element of a gradient, from finite differences and rounding."""

from __future__ import annotations

import contextlib
import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.differences import Line, slopes_of, typical_scale
from autograd_spiral.gradcheck.function import CheckedFunction, gradients_of, is_recorded, not_finite
from autograd_spiral.gradcheck.judging.complex_steps import varies_within_spacing
from autograd_spiral.gradcheck.judging.jumps import moves_in_jumps
from autograd_spiral.gradcheck.judging.noise import measured_noise
from autograd_spiral.gradcheck.rounding import Rounding, at_least, joined, largest_of, rounding_of
from autograd_spiral.gradcheck.verdicts import Array, Findings, Slope, Verdict
from autograd_spiral.program.history import history

__all__ = ["Judge", "Swept"]


# A wrong slope shows in steps in which it moves the outputs by this many times their noise: from, to, by.
EMERGING = 0.5, 16, 2
REFINEMENTS = 3  # after so many, the smallest step is the spacing of the dtype
NOISE_REACH = 6  # this many standard deviations of the measured noise count as its bound
WIDE = 1e-2, 1e-3  # parts of the derivative and of its natural size: a bound wider than both says nothing
COARSE = 64  # and wider than this many spacings of the coarsest dtype
VALUES = 512  # about this many values of outputs are compared at once: larger arrays cost more than they save
JUMPS = "the values move in jumps, as if they were rounded to fewer digits on the way"
WITHIN = "the function varies within the spacing of its inputs, as complex steps show"
PROVED = 16  # after this many wrong slopes without jumps that could hide them, jumps are not sought any more
FEW = 4  # slopes may be off by this many times the relative rounding of the values
SHARP = 1e-4, 1e-9  # a numeric bound wider than both is worth smaller steps


class Swept(NamedTuple):
    """A recorded run: the leaf and the gradient of each floating input, by its index, and the outputs."""

    leaves: dict[int, Tensor]
    outputs: list[Tensor]
    gradients: dict[int, Array]


class _Compared(NamedTuple):
    """A derivative of the weighted sum of the outputs, and what its verdict depends on.

    The fields up to `slack` are those of `Slope`. `low` and `high` are the lowest and the highest sum of one-sided
    slopes. `gap` is how far the two can be off, `loose` a wider limit for the rounding of `analytic`.
    """

    analytic: float
    numeric: float
    rounding: float
    natural: float
    slack: float
    low: float
    high: float
    gap: float
    loose: float
    kinked: bool
    jumps: bool
    one_sided: bool

    @property
    def bound(self) -> float:
        return self.slack + self.rounding if math.isfinite(self.analytic) else self.slack

    def is_within(self, reach: float) -> bool:
        """Return whether `analytic` is within `reach` of the one-sided slopes, or between them."""
        return self.low - reach <= self.analytic <= self.high + reach


class Judge:
    """Compares the gradients of a function with differences of its values.

    The outputs are weighted with `cotangents`, those `given` or fixed random numbers; `random_weights` has the shapes
    of random ones, unless they are a single 1. By the index of the input, `gradients` holds the engine's gradients,
    `rounding` how far rounding can have moved them, `loose` a wider limit for that, and `jumps` which of them jump when
    last bits change. `sizes` has the lengths of all axes that were met, and their products. Differences are taken at
    `base`, in steps of the `scales` of the elements of each input; if the function is `quick`, always down to the
    smallest.

    Outputs that are not finite have no slope: their cotangents are set to 0, which leaves them out of the sum that is
    checked. `left_out` names these outputs, in words, and `leading` marks the elements of each input on which they
    depend. If the function is the gradient of another function, `before` is the judge of that function. `has_record`
    says whether the function was recorded. If it was not, `doubts` counts the reasons why wrong slopes count as noise.
    """

    def __init__(self, function: CheckedFunction, given: Any = None, before: Judge | None = None) -> None:
        self.function = function
        self.cotangents = function.cotangents(given)
        drawn = given is None and [ct.size for ct in self.cotangents] != [1]
        self.random_weights = tuple(ct.shape for ct in self.cotangents) if drawn else ()
        swept = self.swept(self.cotangents)
        self.left_out = not_finite([out.data for out in swept.outputs])
        self.leading = {at: np.zeros(function.arrays[at].shape, bool) for at in function.floating}
        if self.left_out:
            infinite = [~np.isfinite(out.data) for out in swept.outputs]
            self.leading = self._leading(infinite)
            pairs = zip(self.cotangents, infinite, strict=True)
            self.cotangents = [np.where(lost, ct.dtype.type(0), ct) for ct, lost in pairs]
            swept = self.swept(self.cotangents)
        if before is not None and before.left_out:
            self.left_out = before.left_out
            unweighted = {at: function.arrays[at] == 0 for at in function.floating}
            self.leading = {at: leads | (unweighted | before.leading)[at] for at, leads in self.leading.items()}
        self.gradients = swept.gradients
        leaves, gradients = list(swept.leaves.values()), list(self.gradients.values())
        measured = rounding_of(swept.outputs, self.cotangents, leaves, gradients)
        self.rounding = dict(zip(function.floating, measured.gradients, strict=True))
        self.jumps = dict(zip(function.floating, measured.jumps, strict=True))
        self.loose = dict(zip(function.floating, measured.loose_gradients, strict=True))
        self.sizes = {n for node in history(swept.outputs) for n in (*node.shape, node.size)}
        self._largest = min(float(np.finfo(function.arrays[at].dtype).max) for at in function.floating)
        self._weights, self._astray = joined(self.cotangents), 0.0
        self.doubts: Counter[str] = Counter()
        self._without_jumps = 0
        self.base, measured = self._widened(swept.outputs, measured)
        self._noise, self._hiding = joined(measured.outputs), joined(measured.loose_outputs)
        self._dtype = min((x.dtype for x in self.base if x.dtype.kind == "f"), key=lambda d: -np.finfo(d).eps)
        self._eps = float(np.finfo(self._dtype).eps)
        self.has_record = is_recorded(swept.outputs)
        self._met = measured.largest if self.has_record else max(1.0, *map(largest_of, self.base))
        self._hiding += 4 * self._eps * self._met
        coarsest = max((np.finfo(function.arrays[at].dtype) for at in function.floating), key=lambda info: info.eps)
        self._wide = max(WIDE[0], COARSE * float(coarsest.eps)), WIDE[1]
        self._least = COARSE * float(coarsest.smallest_subnormal)
        self._centre = self.function.values(self.base)
        self._recorded = self._noise + 2 * self._eps * np.abs(self._centre)
        self._measure()
        if function.wobble:
            self._noise = self._noise + 2 * joined(function.wobble.outputs)
            for at, apart in zip(function.floating, function.wobble.gradients, strict=True):
                self.rounding[at] = self.rounding[at] + 2 * apart
        self.scales = {at: np.ravel(typical_scale(self.base[at])) for at in function.floating}

    @np.errstate(all="ignore")
    def swept(self, cotangents: list[Array]) -> Swept:
        """Run the function, and take the gradients with these cotangents."""
        leaves, outputs = self.function.run(self.function.arrays, recorded=True)
        gradients = [g.data for g in gradients_of(outputs, leaves, cotangents)]
        at = self.function.floating
        return Swept(dict(zip(at, leaves, strict=True)), outputs, dict(zip(at, gradients, strict=True)))

    def _leading(self, infinite: list[Array]) -> dict[int, Array]:
        """Return the elements of each input on which an `infinite` output depends, by the rules or by their index."""
        ones = [lost.astype(ct.dtype) for lost, ct in zip(infinite, self.cotangents, strict=True)]
        everywhere = all(lost.all() for lost in infinite)
        leading = {}
        for at, gradient in self.swept(ones).gradients.items():
            by_index = [lost for lost in infinite if lost.shape == gradient.shape]
            leading[at] = np.any([gradient != 0, *by_index], axis=0) | everywhere  # nan, too
        return leading

    @np.errstate(all="ignore")
    def _widened(self, outputs: list[Tensor], measured: Rounding) -> tuple[list[Array], Rounding]:
        """Return the point where differences are taken (the inputs, in float64 if that works), and the rounding there.

        The function must return float64 there, and the same values up to rounding; otherwise differences are taken in
        the dtypes of the inputs, with their noise.
        """
        arrays = self.function.arrays
        wide = [at_least(x, float) for x in arrays]
        if any(a is not b for a, b in zip(wide, arrays, strict=True)):
            try:
                _, wide_outputs = self.function.run(wide, recorded=True)
            except Exception:  # the function insists on the dtype it was given
                return arrays, measured
            values, wide_values = (joined([out.data for out in run]) for run in (outputs, wide_outputs))
            if values.size == wide_values.size and all(out.dtype.itemsize >= 8 for out in wide_outputs):
                reach = 4 * joined(measured.loose_outputs)
                off = np.where(np.isfinite(wide_values), np.abs(values - wide_values), 0.0)
                if np.all(off <= reach):
                    return wide, rounding_of(wide_outputs, (), (), ())
                sizes = np.abs(self._weights)
                self._astray = float(sizes @ off) / (float(sizes @ np.abs(np.nan_to_num(values))) or 1.0)
        return arrays, measured

    @np.errstate(all="ignore")
    def _measure(self) -> None:
        """Measure the noise of the outputs, and how they move, while all inputs change by small parts of themselves."""
        rng = np.random.default_rng(0)
        self._ways = {}
        for at in self.function.floating:
            x = self.base[at]
            self._ways[at] = rng.choice([-1.0, 1.0], x.shape) * rng.uniform(0.6, 1.6, x.shape) * x

        def moved(t: float) -> Array:
            arrays = list(self.base)
            for at, way in self._ways.items():
                arrays[at] = np.asarray(self.base[at] + t * way, self.base[at].dtype)
            return self.function.values(arrays)

        noise, self._steps, values = measured_noise(moved, self._eps, self._noise)
        counted = self._weights != 0
        weights, centre = self._weights[counted], self._centre[counted]
        self._moves = (values[:, counted] - centre) @ weights
        self._reach = (4 * self._noise[counted] + 1e-9 * np.abs(centre)) @ np.abs(weights)
        self._noise = np.maximum(self._noise, NOISE_REACH * noise)

    @property
    @np.errstate(all="ignore")
    def quick(self) -> bool:
        """Whether the outputs depart from the gradients even within the small steps in which noise was measured.

        Then the function varies within such steps, or a gradient is wrong.
        """
        slope = sum(float(np.sum(self.gradients[at].astype(float) * way)) for at, way in self._ways.items())
        off = np.abs(self._moves - self._steps * slope)
        return bool(np.any(off > np.max(np.abs(self._moves)) / 10 + self._reach))

    def take(self, at: int, gradient: Array, rounding: Array, loose: Array | None = None) -> None:
        """Judge this gradient with respect to input `at` from now on, in place of the engine's.

        Rounding can have moved it by `rounding`. A larger difference is noise if it is at most `loose`.
        """
        self.gradients[at], self.rounding[at] = gradient, rounding
        self.loose[at] = rounding if loose is None else loose
        self.jumps[at] = np.zeros(gradient.shape, bool)

    # --- one element after the other ------------------------------------------------------------------------------

    def findings(self, at: int, slopes: Iterable[Slope], judged: str = "elements") -> Findings:
        """Return the findings on the gradient with respect to input `at` that consist of these `slopes`."""
        how = {"judged": judged, "random_weights": self.random_weights}
        return self.function.findings(at, gradient=self.gradients[at], slopes=tuple(slopes), **how)

    def elements(self, at: int, chosen: Sequence[int]) -> list[Slope]:
        """Judge the elements of the gradient with respect to input `at` that have these flat indices.

        If the function is quick and none of them fails, each is judged again, down to the smallest steps.
        """
        found = self._elements(at, chosen, thorough=False)
        if self.quick and not any(slope.verdict.fails for slope in found):
            found = self._elements(at, chosen, thorough=True)
        return found

    def _elements(self, at: int, chosen: Sequence[int], thorough: bool) -> list[Slope]:
        def moved(j: int, t: complex) -> Array:
            x = self.base[at]
            x = x.astype(np.result_type(x, t)) if isinstance(t, complex) else x.copy()
            x.flat[j] += t
            return x

        gradient = self.gradients[at]
        at_once = max(1, VALUES // max(1, self._weights.size))
        found: list[Slope] = []
        for start in range(0, len(chosen), at_once):
            js = chosen[start : start + at_once]
            lines = [self.line(at, functools.partial(moved, j), float(self.scales[at][j])) for j in js]
            numbers = [array.flat[js] for array in (gradient, self.rounding[at], self.loose[at])]
            found += self.slopes(lines, *numbers, alone=True, thorough=thorough)
        # Times a cotangent of 0, the derivatives of outputs left out come out as 0, or as nan if they are not finite.
        leads = self.leading[at].flat
        for k, (j, slope) in enumerate(zip(chosen, found, strict=True)):
            nothing = slope.analytic == slope.numeric == 0 or not np.isfinite(slope.analytic)
            verdict = Verdict.UNJUDGED if leads[j] and nothing else slope.verdict
            found[k] = replace(slope, verdict=verdict, index=tuple(map(int, np.unravel_index(j, gradient.shape))))
        return found

    def compared(self, at: int, hand: Array) -> list[Slope]:
        """Compare `hand`, a gradient with respect to input `at`, with the engine's: both may be off by rounding."""
        # Summed in another order, rounding can grow by the square root of the number of terms.
        bound = max(2.0, max(self.sizes, default=1) ** 0.5) * self.rounding[at]
        with np.errstate(all="ignore"):
            agree = np.abs(hand - self.gradients[at].astype(float)) <= bound
        cases = [self.leading[at], agree, np.isnan(hand)]  # by hand, the outputs that are left out may count
        verdicts = (Verdict.UNJUDGED, Verdict.OK, Verdict.NAN, Verdict.WRONG)
        values = (np.select(cases, [0, 1, 2], 3), hand, self.gradients[at], bound)
        numbers = zip(*(array.ravel().tolist() for array in values), np.ndindex(hand.shape), strict=True)
        return [Slope(verdicts[k], a, n, b, index=index) for k, a, n, b, index in numbers]

    # --- the verdict ----------------------------------------------------------------------------------------------

    @np.errstate(all="ignore")
    def line(self, at: int, moved: Callable[[Any], Array], scale: float) -> Line:
        """Return the line of the outputs at `moved(t)` in place of input `at`, in steps of this scale."""
        arrays = list(self.base)

        def along(t: complex) -> Array:
            if t == 0:
                return self._centre
            arrays[at] = moved(t)
            return self.function.complex_values(arrays) if isinstance(t, complex) else self.function.values(arrays)

        return Line(along, scale, self._noise, self._dtype)

    @np.errstate(all="ignore")
    def slopes(
        self,
        lines: Sequence[Line],
        analytic: Array,
        rounding: Array,
        loose: Array,
        *,
        alone: bool = False,
        brief: bool = False,
        thorough: bool = False,
    ) -> list[Slope]:
        """Judge the derivatives `analytic` along these lines, which rounding can have moved by `rounding` or `loose`.

        Each line gets smaller steps until its derivative is clearly ok, or there are no smaller steps. A `thorough`
        judgement always goes on to the smallest steps; a `brief` one ends when two results in a row fail, or are on a
        kink. `alone` is for lines along which a single element changes.
        """
        found = self._compare(lines, analytic, rounding, loose, alone)
        open_ = [k for k, slope in enumerate(found) if thorough or not _is_plainly_ok(slope)]
        for _ in range(REFINEMENTS):
            if not open_:
                break
            for k in open_:
                lines[k].refine()
            natural = np.array([found[k].natural for k in open_])
            some = [lines[k] for k in open_]
            refined = self._compare(some, analytic[open_], rounding[open_], loose[open_], alone, natural)
            pairs, open_ = zip(open_, refined, strict=True), []
            for k, slope in pairs:
                plain = slope.verdict is Verdict.KINK or (slope.verdict.fails and _is_sharp(slope))
                ended = brief and plain and found[k].verdict is slope.verdict
                found[k] = slope
                if not ended and (thorough or not _is_plainly_ok(slope)):
                    open_.append(k)
        for k, slope in enumerate(found):
            if slope.verdict is Verdict.WRONG and math.isfinite(slope.analytic):
                found[k] = self._doubted(slope, lines[k], brief)
        return found

    def _doubted(self, slope: Slope, line: Line, brief: bool) -> Slope:
        """Return a wrong slope, with the verdict noise if the values could hide the right one.

        If outputs do not change, their rounding can hide a slope, unless they do not depend on the line at all (then
        they are not nan at t = nan). If the outputs change, a difference of the slopes must show in the first steps in
        which it is larger than the noise. If the outputs follow the analytic slope there, or do not follow the numeric
        one, longer steps reach over a change of the function.
        """
        off = abs(slope.analytic - slope.numeric)
        moving, hidden = (mask & (self._weights != 0) for mask in (~line.still, line.still))
        if hidden.any():
            with contextlib.suppress(Exception):
                hidden &= np.isnan(line.function(np.nan))
        sizes, eps = np.abs(self._weights), self._eps
        bound = slope.bound + float(sizes[hidden] @ self._hiding[hidden]) / line.longest
        if off <= bound:
            return replace(slope, verdict=Verdict.NOISE, bound=bound)
        least, most = (float(sizes[moving] @ noise[moving]) / off for noise in (self._recorded, self._noise))
        step = max(EMERGING[0] * least, eps * line.scale)
        while step <= EMERGING[1] * max(most, eps * line.scale) and step < line.longest:
            sides = [line.function(-step), self._centre, line.function(step)]
            moves = [float((b - a)[moving] @ self._weights[moving]) / step for a, b in pairwise(sides)]
            seen = [move for move in moves if math.isfinite(move)]
            if any(seen):  # within a hidden spacing, nothing moves
                central, noise = sum(seen) / len(seen), most * off / step
                strays = noise < off / 2 and abs(central - slope.numeric) > 1.5 * noise + slope.slack
                if strays or abs(central - slope.analytic) < off / 4:
                    return replace(slope, verdict=Verdict.NOISE, bound=off)
            step *= EMERGING[2]
        if not self.has_record and (doubt := self._rounded_within(slope, line, brief)):
            self.doubts[doubt] += 1
            return replace(slope, verdict=Verdict.NOISE, bound=off)
        return slope

    def _rounded_within(self, slope: Slope, line: Line, brief: bool) -> str:
        """Return how the values of a function without a record show that rounding inside it hides the slope, or "".

        The values may be all noise. They may be different in float64; then slopes may differ by a few times as much.
        They may lack what is absorbed, or move in jumps, neither of which a brief judgement looks for.
        """
        off = abs(slope.analytic - slope.numeric)
        noise, size = float(np.abs(self._weights) @ self._noise), slope.natural * line.scale
        if noise > size / 4 and noise > self._eps**0.5 * self._met:
            return "the values change by their own size when the last bits of the inputs do"
        if off <= FEW * self._astray * max(abs(slope.analytic), abs(slope.numeric), slope.natural):
            return f"float64 changes the values by {100 * self._astray:.2g} %"
        if brief:
            return ""

        def weighted(t: complex) -> Array:
            return np.asarray(self._weights * line.function(t))

        if varies_within_spacing(weighted, slope.analytic, slope.bound, line.scale):
            return WITHIN
        if self._without_jumps >= PROVED:
            return ""
        if moves_in_jumps(line, slope, self._weights, self._eps):
            return JUMPS
        self._without_jumps += 1
        return ""

    def _compare(
        self,
        lines: Sequence[Line],
        analytic: Array,
        rounding: Array,
        loose: Array,
        alone: bool,
        natural: Array | None = None,
    ) -> list[Slope]:
        slopes = slopes_of(lines)
        counted = self._weights != 0
        all_counted = bool(counted.all())

        def kept(outputs: Array) -> Array:
            return outputs if all_counted else np.compress(counted, outputs, axis=-1)

        weighted = kept(self._weights) * kept(np.array([slopes.central, slopes.left, slopes.right]))
        sizes = np.abs(self._weights)
        if natural is None:
            natural = np.sum(sizes * slopes.size, axis=-1) / np.array([line.scale for line in lines])
        numbers = [
            analytic,
            np.sum(weighted[0], axis=-1),
            rounding,
            natural,
            np.sum(kept(sizes) * kept(slopes.bound), axis=-1),
            np.sum(np.min(weighted, axis=0), axis=-1),
            np.sum(np.max(weighted, axis=0), axis=-1),
            np.sum(kept(sizes) * kept(slopes.gap_bound), axis=-1),
            loose,
        ]
        marks = [np.any(kept(marked), axis=-1) for marked in (slopes.kinked, slopes.jumps & alone, slopes.one_sided)]
        columns = (*(x.astype(float).tolist() for x in numbers), *(x.tolist() for x in marks))
        compared = map(_Compared, *columns)
        return [Slope(self._verdict(s), s.analytic, s.numeric, s.bound, s.natural, s.slack) for s in compared]

    def _verdict(self, slope: _Compared) -> Verdict:
        analytic, slack, bound = slope.analytic, slope.slack, slope.bound
        if not math.isfinite(slack):
            return Verdict.NOISE
        too_large = abs(slope.numeric) + slack > self._largest
        if math.isnan(analytic):
            return Verdict.NOISE if too_large else Verdict.NAN
        # On a kink, the last bits can decide which branch is taken: only the slopes count then, not rounding.
        last_bits = 4 * self._eps * abs(analytic)
        if slope.kinked and slope.is_within(max(slack, slope.gap) + last_bits):
            return Verdict.KINK
        if slope.jumps:  # there is no derivative, so none is wrong
            return Verdict.KINK
        if math.isinf(analytic):  # it can be the slope of a side that was left out, or too large for its dtype
            doubtful = slope.one_sided or too_large
            return Verdict.NOISE if doubtful or _is_wide(slope, slack, WIDE) else Verdict.WRONG
        if not math.isfinite(bound):
            return Verdict.NOISE
        if not slope.is_within(bound):
            return Verdict.NOISE if slope.is_within(max(bound + slope.gap, slack + slope.loose)) else Verdict.WRONG
        if bound > self._least and _is_wide(slope, bound, self._wide):
            return Verdict.NOISE
        return Verdict.KINK if slope.kinked else Verdict.OK


def _is_plainly_ok(slope: Slope) -> bool:
    return slope.verdict is Verdict.OK and abs(slope.analytic - slope.numeric) <= slope.bound and _is_sharp(slope)


def _is_sharp(slope: Slope) -> bool:
    """Return whether the numeric derivative is known well."""
    return not _is_wide(slope, slope.slack, SHARP)


def _is_wide(slope: Slope | _Compared, bound: float, parts: tuple[float, float]) -> bool:
    """Return whether `bound` exceeds both a fixed fraction of the derivative and one of its natural size."""
    size = max((abs(value) for value in (slope.analytic, slope.numeric) if np.isfinite(value)), default=0.0)
    return bound > parts[0] * size and bound > parts[1] * slope.natural
