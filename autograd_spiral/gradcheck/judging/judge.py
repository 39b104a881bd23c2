"""The judge of the gradients of a function: all that verdicts need to know, and the verdicts on elements."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autograd_spiral.gradcheck.function import CheckedFunction, not_finite
from autograd_spiral.gradcheck.judging.doubts import Doubts
from autograd_spiral.gradcheck.judging.values import Values
from autograd_spiral.gradcheck.judging.verdict import Case, judged
from autograd_spiral.gradcheck.verdicts import Array, Findings, Slope, Verdict
from autograd_spiral.program.history import history

__all__ = ["Judge"]


ENOUGH = 200  # this many elements are judged where some are enough
VALUES = 512  # about this many values of outputs are compared at once: larger arrays cost more than they save


class Judge:
    """Compares the gradients of a function with differences of its `values`.

    The outputs are weighted with `cotangents`, those `given` or fixed random numbers; `random_weights` has the shapes
    of random ones, unless they are a single 1. By the index of the input, `gradients` holds the engine's gradients,
    `rounding` how far rounding can have moved them, `loose` a wider limit for that, and `jumps` which of them jump when
    last bits change. `sizes` has the lengths of all axes that were met, and their products.

    Outputs that are not finite have no slope: their cotangents are set to 0, which leaves them out of the sum that is
    checked. `left_out` names these outputs, in words, and `leading` marks the elements of each input on which they
    depend. If the function is the gradient of another function, `before` is the judge of that function.
    """

    def __init__(self, function: CheckedFunction, given: Any = None, before: Judge | None = None) -> None:
        self.function = function
        self.cotangents = function.cotangents(given)
        drawn = given is None and [ct.size for ct in self.cotangents] != [1]
        self.random_weights = tuple(ct.shape for ct in self.cotangents) if drawn else ()
        swept = function.swept(self.cotangents)
        self.left_out = not_finite([out.data for out in swept.outputs])
        self.leading = {at: np.zeros(function.arrays[at].shape, bool) for at in function.floating}
        if self.left_out:
            infinite = [~np.isfinite(out.data) for out in swept.outputs]
            self.leading = self._leading(infinite)
            pairs = zip(self.cotangents, infinite, strict=True)
            self.cotangents = [np.where(lost, ct.dtype.type(0), ct) for ct, lost in pairs]
            swept = function.swept(self.cotangents)
        if before is not None and before.left_out:
            self.left_out = before.left_out
            unweighted = {at: function.arrays[at] == 0 for at in function.floating}
            self.leading = {at: leads | (unweighted | before.leading)[at] for at, leads in self.leading.items()}
        self.gradients = swept.gradients
        self.sizes = {n for node in history(swept.outputs) for n in (*node.shape, node.size)}
        self.values = Values(function, self.cotangents, swept)
        self.doubts = Doubts(self.values)
        measured = self.values.rounding
        self.rounding, self.loose, self.jumps = (
            dict(zip(function.floating, found, strict=True))
            for found in (measured.gradients, measured.loose_gradients, measured.jumps)
        )
        if function.wobble:
            for at, apart in zip(function.floating, function.wobble.gradients, strict=True):
                self.rounding[at] = self.rounding[at] + 2 * apart

    def _leading(self, infinite: list[Array]) -> dict[int, Array]:
        """Return the elements of each input on which an `infinite` output depends, by the rules or by their index."""
        ones = [lost.astype(ct.dtype) for lost, ct in zip(infinite, self.cotangents, strict=True)]
        everywhere = all(lost.all() for lost in infinite)
        leading = {}
        for at, gradient in self.function.swept(ones).gradients.items():
            by_index = [lost for lost in infinite if lost.shape == gradient.shape]
            leading[at] = np.any([gradient != 0, *by_index], axis=0) | everywhere  # nan, too
        return leading

    @property
    def quick(self) -> bool:
        """Whether the values depart from the gradients within small steps: then the smallest steps are always tried."""
        return self.values.depart_from(self.gradients)

    def take(self, at: int, gradient: Array, rounding: Array, loose: Array | None = None) -> None:
        """Judge this gradient with respect to input `at` from now on, in place of the engine's.

        Rounding can have moved it by `rounding`. A difference too large for `rounding`, but not for the wider limit
        `loose`, counts as noise.
        """
        self.gradients[at], self.rounding[at] = gradient, rounding
        self.loose[at] = rounding if loose is None else loose
        self.jumps[at] = np.zeros(gradient.shape, bool)

    def findings(self, at: int, slopes: Iterable[Slope], judged: str = "elements") -> Findings:
        """Return the findings on the gradient with respect to input `at` that consist of these `slopes`."""
        how = {"judged": judged, "random_weights": self.random_weights}
        return self.function.findings(at, gradient=self.gradients[at], slopes=tuple(slopes), **how)

    def slopes(self, cases: Sequence[Case], *, brief: bool = False, thorough: bool = False) -> list[Slope]:
        """Judge these cases; what looks wrong is noise if the values could hide the right slope."""
        found = judged(self.values, cases, brief=brief, thorough=thorough)
        return [
            self.doubts.doubted(slope, case.line, brief)
            if slope.verdict is Verdict.WRONG and math.isfinite(slope.analytic)
            else slope
            for slope, case in zip(found, cases, strict=True)
        ]

    def elements(self, at: int, chosen: Sequence[int]) -> list[Slope]:
        """Judge the elements of the gradient with respect to input `at` that have these flat indices.

        If the function is quick and none of them fails, each is judged again, down to the smallest steps.
        """
        found = self._elements(at, chosen, thorough=False)
        if self.quick and not any(slope.verdict.fails for slope in found):
            found = self._elements(at, chosen, thorough=True)
        return found

    def _elements(self, at: int, chosen: Sequence[int], thorough: bool) -> list[Slope]:
        base, scales, gradient = self.values.base[at], self.values.scales[at], self.gradients[at]

        def moved(j: int, t: complex) -> Array:
            x = base.astype(np.result_type(base, t)) if isinstance(t, complex) else base.copy()
            x.flat[j] += t
            return x

        def case(j: int) -> Case:
            line = self.values.line(at, functools.partial(moved, j), float(scales[j]))
            analytic, rounding, loose = (float(x.flat[j]) for x in (gradient, self.rounding[at], self.loose[at]))
            return Case(line, analytic, rounding, loose, alone=True)

        at_once = max(1, VALUES // max(1, self.values.weights.size))
        found: list[Slope] = []
        for start in range(0, len(chosen), at_once):
            found += self.slopes([case(j) for j in chosen[start : start + at_once]], thorough=thorough)
        # Times a cotangent of 0, the derivatives of outputs left out come out as 0, or as nan if they are not finite.
        leads = self.leading[at].flat
        for k, (j, slope) in enumerate(zip(chosen, found, strict=True)):
            nothing = slope.analytic == slope.numeric == 0 or not np.isfinite(slope.analytic)
            verdict = Verdict.UNJUDGED if leads[j] and nothing else slope.verdict
            found[k] = replace(slope, verdict=verdict, index=tuple(map(int, np.unravel_index(j, gradient.shape))))
        return found

    def some_elements(self, at: int, indices: Array) -> list[Slope]:
        """Judge the elements with these flat indices, or an evenly spread part of them if there are too many."""
        count = min(indices.size, ENOUGH)
        return self.elements(at, indices[np.linspace(0, indices.size - 1, count).astype(int)].tolist())

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
