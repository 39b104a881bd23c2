"""The verdict on a derivative, and on each element of a gradient, from differences and rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.history import history
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.differences import Line, noise_level, typical_scale
from autograd_spiral.gradcheck.function import Subject, gradients_of
from autograd_spiral.gradcheck.report import Verdict
from autograd_spiral.gradcheck.results import Findings, Ruling, places_of
from autograd_spiral.gradcheck.rounding import rounding_of

__all__ = ["Judge", "Swept"]

Array: TypeAlias = NDArray[Any]
Swept: TypeAlias = tuple[dict[int, Tensor], list[Tensor], dict[int, Array]]

REFINEMENTS = 3
NOISE_REACH = 6  # so many standard deviations of the measured noise count as its bound
WIDE = 1e-2, 1e-3  # a bound wider than both says nothing: parts of the derivative, and of its natural size


class Judge:
    """Holds the gradients of a subject, weighed with `cotangents`, against differences of its values.

    `gradients` and `rounding` hold, by the place of the input, the engine's gradients and how far rounding can have
    moved them; `sizes` has the lengths of all axes that were met, and their products; `random_weights` the shapes of
    the cotangents if these were `drawn` and are more than a single 1.

    Outputs that are not finite have no slope: their cotangents are set to 0, which leaves them out of the sum that
    is checked. `left_out` says which, in words, and `leading` marks the elements of each input that lead to them.
    `before` is the judge of the subject that this one is the gradient of.
    """

    def __init__(
        self, subject: Subject, cotangents: Sequence[Array], *, drawn: bool, before: Judge | None = None
    ) -> None:
        self.subject = subject
        self.cotangents = list(cotangents)
        single = [ct.size for ct in cotangents] == [1]
        self.random_weights = tuple(ct.shape for ct in cotangents) if drawn and not single else ()
        by_place, outputs, self.gradients = self.swept(self.cotangents)
        infinite = [~np.isfinite(out.data) for out in outputs]
        self.left_out = places_of([out.data for out in outputs])
        self.leading = self._leading(infinite)
        if self.left_out:
            self.cotangents = cotangents = [
                np.where(lost, ct.dtype.type(0), ct) for ct, lost in zip(self.cotangents, infinite, strict=True)
            ]
            by_place, outputs, self.gradients = self.swept(self.cotangents)
        if before is not None and before.left_out:
            self.left_out = before.left_out
            self.leading = {at: leads | before.leading[at] for at, leads in self.leading.items()}
        leaves, gradients = list(by_place.values()), list(self.gradients.values())
        of_outputs, of_gradients = rounding_of(outputs, cotangents, leaves, gradients)
        nodes = history(outputs)
        self.sizes = {n for node in nodes for n in (*node.shape, node.size)}
        self._terms = max(self.sizes, default=1)
        self._largest = min(float(np.finfo(subject.arrays[at].dtype).max) for at in subject.floating)
        self.rounding = dict(zip(subject.floating, of_gradients, strict=True))
        self._weights = _joined(cotangents)
        self.base, self._noise = self._widened(outputs, of_outputs)
        self._dtype = min((x.dtype for x in self.base if x.dtype.kind == "f"), key=lambda d: -np.finfo(d).eps)
        with np.errstate(all="ignore"):
            self._noise = np.maximum(self._noise, NOISE_REACH * self._measured_noise())

    def swept(self, cotangents: list[Array]) -> Swept:
        """A run of the subject: leaves by the place of the input, outputs, and gradients with these cotangents."""
        with np.errstate(all="ignore"):
            leaves, outputs = self.subject.run(self.subject.arrays, recorded=True)
            gradients = [g.data for g in gradients_of(outputs, leaves, cotangents)]
        places = self.subject.floating
        return dict(zip(places, leaves, strict=True)), outputs, dict(zip(places, gradients, strict=True))

    def _leading(self, infinite: list[Array]) -> dict[int, Array]:
        """Which elements of each input lead to an output that is `infinite`, by the rules or by their place."""
        leading = {at: np.zeros(self.subject.arrays[at].shape, bool) for at in self.subject.floating}
        if not any(lost.any() for lost in infinite):
            return leading
        ones = [lost.astype(ct.dtype) for lost, ct in zip(infinite, self.cotangents, strict=True)]
        for at, gradient in self.swept(ones)[2].items():
            leading[at] |= gradient != 0  # nan, too
            for lost in infinite:
                if lost.shape == gradient.shape:
                    leading[at] |= lost
            leading[at] |= all(lost.all() for lost in infinite)
        return leading

    @np.errstate(all="ignore")
    def _widened(self, outputs: list[Tensor], of_outputs: list[Array]) -> tuple[list[Array], Array]:
        """Where differences are taken: float64 copies of the inputs, where the function computes in float64 then.

        It has to give float64 there, and the same values but for rounding; else differences are taken in the dtypes
        of the inputs, and have the noise of those.
        """
        arrays = self.subject.arrays
        narrow = [x.dtype.kind == "f" and x.dtype.itemsize < 8 for x in arrays]
        if any(narrow):
            wide = [x.astype(float) if small else x for x, small in zip(arrays, narrow, strict=True)]
            try:
                leaves, wide_outputs = self.subject.run(wide, recorded=True)
            except Exception:  # the function insists on the dtype it was given
                return arrays, _joined(of_outputs)
            agree = len(outputs) == len(wide_outputs) and all(
                b.dtype.itemsize >= 8 and np.all((np.abs(a.data - b.data) <= 4 * noise) | ~np.isfinite(b.data))
                for a, b, noise in zip(outputs, wide_outputs, of_outputs, strict=True)
            )
            if agree:
                return wide, _joined(rounding_of(wide_outputs, (), leaves, None)[0])
        return arrays, _joined(of_outputs)

    def outputs_at(self, arrays: Sequence[Array]) -> Array:
        """The outputs at `arrays`, all elements in a row."""
        return _joined([out.data for out in self.subject.run(arrays)[1]])

    def _measured_noise(self) -> Array:
        """The noise of the outputs when all inputs change by a little of their own size: the third of four windows.

        A bend within one of them looks like noise, and steps that fit the spacing of a hidden dtype hide it.
        """
        rng = np.random.default_rng(0)
        step = max(2.0**-22, 16 * float(np.finfo(self._dtype).eps))
        ways = [
            rng.choice([-1.0, 1.0], x.shape) * rng.uniform(0.6, 1.6, x.shape) * x
            if at in self.subject.floating
            else None
            for at, x in enumerate(self.base)
        ]

        def at(t: float) -> Array:
            pairs = zip(self.base, ways, strict=True)
            return self.outputs_at([x if way is None else np.asarray(x + t * way, x.dtype) for x, way in pairs])

        starts = {-14: 1.37, -7: 0.83, 1: 1.0, 8: 1.71}
        windows = [[at(step * part * k) for k in range(start, start + 7)] for start, part in starts.items()]
        levels = np.sort([noise_level(np.array(window)) for window in windows], axis=0)
        third: Array = levels[2]
        return third

    # --- one element after the other ------------------------------------------------------------------------------

    def elements(self, at: int, analytic: Array, places: Iterable[int]) -> Findings:
        """Judge the elements at the flat `places` of `analytic`, a gradient in input `at`."""
        findings = self.empty(analytic)
        scales = np.ravel(typical_scale(self.base[at]))
        for j in places:
            ruling = self.element(at, analytic, j, float(scales[j]))
            findings.verdicts[j] = ruling.verdict
            if ruling.verdict is Verdict.UNJUDGED:
                continue
            findings.numeric.flat[j], findings.bound.flat[j] = ruling.numeric, ruling.bound
            findings.natural.flat[j] = ruling.natural
            findings.wrong.flat[j] = ruling.verdict.fails
        return findings

    def empty(self, analytic: Array) -> Findings:
        """Findings without a verdict yet."""
        shape = analytic.shape
        unknown = [np.full(shape, np.nan) for _ in range(3)]
        return Findings(np.asarray(analytic, float), unknown[0], unknown[1], np.zeros(shape, bool), unknown[2], {})

    def element(self, at: int, analytic: Array, j: int, scale: float) -> Ruling:
        """Judge the element at the flat place j of `analytic`, a gradient in input `at`, with steps of this scale."""
        arrays = list(self.base)

        def along(t: float) -> Array:
            arrays[at] = moved = self.base[at].copy()
            moved.flat[j] += t
            return self.outputs_at(arrays)

        ruling = self.rule(along, scale, float(analytic.flat[j]), float(self.rounding[at].flat[j]), alone=True)
        return _without_outputs(ruling) if self.leading[at].flat[j] else ruling

    def compared(self, at: int, hand: Array) -> Findings:
        """Judge `hand`, another gradient in input `at`, by the engine's: both may be off by their rounding."""
        findings = self.empty(hand)
        findings.numeric = np.array(self.gradients[at], float)
        # Summed in another order, rounding can grow by the square root of the number of terms.
        findings.bound = max(2.0, self._terms**0.5) * self.rounding[at]
        findings.natural = np.zeros(hand.shape)
        with np.errstate(all="ignore"):
            agree = np.abs(findings.analytic - findings.numeric) <= findings.bound
        findings.wrong = ~agree
        lost = np.isnan(findings.analytic)
        for j, (good, nan) in enumerate(zip(agree.flat, lost.flat, strict=True)):
            findings.verdicts[j] = Verdict.OK if good else Verdict.NAN if nan else Verdict.WRONG
        leading = self.leading[at]  # by hand, the outputs that are left out may count
        findings.wrong &= ~leading
        findings.numeric[leading] = np.nan
        findings.verdicts |= dict.fromkeys(np.flatnonzero(leading).tolist(), Verdict.UNJUDGED)
        return findings

    # --- the verdict ----------------------------------------------------------------------------------------------

    def rule(
        self, along: Callable[[float], Array], scale: float, analytic: float, rounding: float, *, alone: bool = False
    ) -> Ruling:
        """Judge one derivative, with smaller steps until it is plainly ok or the steps end."""
        with np.errstate(all="ignore"):
            line = Line(along, scale, self._noise, self._dtype)
            natural = float(np.sum(np.abs(self._weights) * line.size())) / scale
            ruling = self._compare(line, analytic, rounding, natural, alone)
            for _ in range(REFINEMENTS):
                if ruling.settled:
                    break
                line.refine()
                before, ruling = ruling, self._compare(line, analytic, rounding, natural, alone)
                if before.verdict is Verdict.KINK and ruling.verdict is Verdict.NOISE:
                    ruling = before
                unmoved = before.verdict is ruling.verdict
                if unmoved and (ruling.verdict is Verdict.KINK or (ruling.verdict.fails and ruling.sharp)):
                    break
        return ruling

    def _compare(self, line: Line, analytic: float, rounding: float, natural: float, alone: bool) -> Ruling:
        slopes = line.slopes()
        counted = self._weights != 0
        weights = self._weights[counted]
        central, left, right = (weights * s[counted] for s in (slopes.central, slopes.left, slopes.right))
        numeric = float(np.sum(central))
        bound = float(np.sum(np.abs(weights) * slopes.bound[counted]))
        low = float(np.sum(np.minimum(np.minimum(left, right), central)))
        high = float(np.sum(np.maximum(np.maximum(left, right), central)))
        kinked = bool(np.any(slopes.kinked & counted))
        sides = float(np.sum(np.abs(weights) * slopes.gap_bound[counted]))
        total = bound + rounding
        ruling = Ruling(Verdict.KINK if kinked else Verdict.OK, analytic, numeric, total, natural, bound)
        if not np.isfinite(bound):
            return replace(ruling, verdict=Verdict.NOISE)
        if np.isnan(analytic):
            return replace(ruling, verdict=Verdict.NAN, bound=bound)  # the numeric one's, which is known
        # On a kink, the last bits can decide which branch is taken: rounding says nothing then, the slopes must do.
        own = 4 * float(np.finfo(self._dtype).eps) * abs(analytic)
        reach = max(bound, sides) + own
        if kinked and low - reach <= analytic <= high + reach:
            return ruling
        if alone and np.any(slopes.jumps & counted):  # there is no derivative, so none is wrong
            return replace(ruling, verdict=Verdict.KINK)
        if np.isinf(analytic):  # it can be the slope of a side that was left out, or too large for its dtype
            doubtful = np.any(slopes.one_sided & counted) or abs(numeric) + bound > self._largest
            verdict = Verdict.NOISE if doubtful or ruling.wider(bound, WIDE) else Verdict.WRONG
            return replace(ruling, verdict=verdict, bound=bound)
        if not np.isfinite(total):
            return replace(ruling, verdict=Verdict.NOISE)
        if not low - total <= analytic <= high + total:
            beyond = not low - total - sides <= analytic <= high + total + sides
            return replace(ruling, verdict=Verdict.WRONG if beyond else Verdict.NOISE)
        return replace(ruling, verdict=Verdict.NOISE) if ruling.wider(total, WIDE) else ruling


def _without_outputs(ruling: Ruling) -> Ruling:
    """The ruling on what leads to outputs that were left out: not judged where these seem to be all."""
    # Times a cotangent of 0, their derivatives come out as 0, or as nan where they are not finite.
    nothing = ruling.analytic == 0 and ruling.numeric == 0
    return replace(ruling, verdict=Verdict.UNJUDGED) if nothing or not np.isfinite(ruling.analytic) else ruling


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate([np.zeros(0), *(np.asarray(a, dtype=np.result_type(a, float)).ravel() for a in arrays)])
