"""Gradients derived by hand: compared with the engine's, or with differences alone."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autograd_spiral.errors import ShapeError
from autograd_spiral.gradcheck.diagnoses import diagnose_shape
from autograd_spiral.gradcheck.evidence import diagnosed
from autograd_spiral.gradcheck.faults import faults_of
from autograd_spiral.gradcheck.function import CheckedFunction, same
from autograd_spiral.gradcheck.judging import Judge, along_directions, whole_gradient
from autograd_spiral.gradcheck.rounding import at_least, blurred
from autograd_spiral.gradcheck.verdicts import Array, Findings, Verdict

__all__ = ["ByHand", "judged_by_hand", "value_of"]


BLURRED_RUNS = 3
SPACINGS, SHARE = 128, 0.005  # a gradient without a record may be off by so many spacings, and by this part at most
DOUBTFUL = 6  # a difference up to this many times the estimated rounding of a gradient is noise
LITTLE = 32  # an element this many times smaller than usual counts as small


class ByHand:
    """Gradients derived by hand: `gradients` holds them by the index of the input, whether `given` or computed.

    Raises `ShapeError` unless they match the inputs.
    """

    def __init__(self, function: CheckedFunction, given: Any, *, after_value: bool) -> None:
        self._function, self._given, self._after_value = function, given, after_value
        self.gradients = self._at([x.copy() for x in function.arrays])

    @np.errstate(all="ignore")
    def _at(self, arrays: Sequence[Array]) -> dict[int, Array]:
        function = self._function
        given = self._given(*function.with_arrays(arrays)) if callable(self._given) else self._given
        found = None
        if given is not None:
            found = function.arguments.gradients(given, function.floating, after_value=self._after_value)
        if not found:
            what = "returned None: was `return` forgotten?" if callable(self._given) else "are None"
            raise ShapeError(f"check_against: there is nothing to compare: the gradients {what}")
        return {at: np.array(gradient) for at, gradient in found.items()}

    def weighted(self, cotangents: Sequence[Array]) -> dict[int, Array]:
        """Return the gradients; a Jacobian becomes a gradient, weighted with the cotangents of the output."""
        weighted = dict(self.gradients)
        (ct, *more) = cotangents
        for at, given in self.gradients.items():
            shape = self._function.arrays[at].shape
            if not more and given.shape != shape and given.shape == ct.shape + shape:
                weighted[at] = np.asarray(np.tensordot(ct, given, ct.ndim))
        return weighted

    def faults(self) -> list[Findings]:
        """Return the faults of the function that computes gradients: two calls differ, or it overwrites an input."""
        function, given = self._function, [x.copy() for x in self._function.arrays]
        again = self._at(given)
        changed = [at for at, gradient in self.gradients.items() if not same(gradient, again[at])]
        text = "two calls of the gradients returned different values"
        differ = function.refused(Verdict.NOT_DETERMINISTIC, text, changed)
        text = "the function that computes the gradients writes into this input"
        return differ or function.refused(Verdict.OVERWRITTEN, text, function.changed(given))

    @np.errstate(all="ignore")
    def rounding(self, at: int, natural: Array) -> Array:
        """Return how far rounding can have moved a gradient, estimated without a record of it.

        The estimate is a few spacings of its largest number, or of the `natural` slopes, which change the outputs by
        their own size. If a function computes the gradient, it is also called with other last bits of the inputs, and
        in float64 if they are narrower. The resulting changes count, unless they are too large to be rounding, as when
        a mask changes. A gradient that differs at each of three neighbouring numbers can be off by its own size.
        """
        gradient, arrays = self.gradients[at], self._function.arrays
        limits = np.finfo(gradient.dtype)
        eps = float(limits.eps)
        largest = np.maximum(np.max(np.abs(gradient), where=np.isfinite(gradient), initial=0.0).astype(float), natural)
        level = min(SPACINGS * eps, SHARE) * largest + SPACINGS * float(limits.smallest_subnormal)
        if callable(self._given):

            def computed(change: Callable[[Array], Array]) -> Array:
                return self._at([change(x.copy()) for x in arrays])[at]

            others = [computed(functools.partial(blurred, run=run)) for run in range(BLURRED_RUNS)]
            if gradient.itemsize < 8:
                with contextlib.suppress(Exception):  # not every function takes float64
                    others.append(computed(functools.partial(at_least, dtype=float)))
            for other in others:
                change = np.abs(other - gradient).astype(float)
                level = np.maximum(level, np.where(change <= eps**0.5 * np.maximum(largest, 1.0), 2 * change, 0))
            beside = (computed(functools.partial(_next, end=end)) for end in (-np.inf, np.inf))
            runs = np.sort([gradient, *beside], axis=0).astype(float)
            erratic = np.min(np.diff(runs, axis=0), axis=0) > eps**0.5 * largest
            level = np.where(erratic, np.maximum(level, largest + np.ptp(runs, axis=0)), level)
        return np.broadcast_to(level, gradient.shape)


def value_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that returns only the value, which comes first in what `function` returns."""

    @functools.wraps(function)
    def value(*args: Any) -> Any:
        returned = function(*args)
        return returned[0] if isinstance(returned, tuple | list) else returned

    return value


def judged_by_hand(function: CheckedFunction, hand: ByHand, cotangent: Any) -> tuple[list[Findings], str]:
    """Return the findings on gradients that were derived by hand, and how they were judged."""
    why = function.why_not_recorded()
    rows, method = ([], "") if why else _by_the_engine(function, hand, cotangent)
    return (rows, method) if method else _by_differences(function.as_arrays(), hand, cotangent, why)


def _by_the_engine(checked: CheckedFunction, hand: ByHand, cotangent: Any) -> tuple[list[Findings], str]:
    """Return findings based on the engine's gradients, and how they were judged.

    Both are empty if finite differences show that a gradient of the engine is wrong.
    """
    if rows := faults_of(checked) or hand.faults():
        return rows, "judged before any gradient was compared"
    checked.use_arrays_for_values()
    judge = Judge(checked, cotangent)
    if not all(_is_confirmed(judge, at) for at in hand.gradients):
        return [], ""
    found = {at: _unfit(checked, at, g) or _by_hand(judge, at, g) for at, g in hand.weighted(judge.cotangents).items()}
    return diagnosed(judge, found, by_hand=True), "judged by the engine's gradients, which finite differences confirm"


def _is_confirmed(judge: Judge, at: int) -> bool:
    """Return whether differences agree with the engine's gradient, in a few directions or else in some elements."""
    findings = along_directions(judge, at)
    if not findings.wrong.any() and not findings.counts[Verdict.OK]:  # lost in kinks or in noise
        findings = judge.findings(at, judge.some_elements(at, np.arange(judge.gradients[at].size)))
    return not findings.wrong.any()


def _by_differences(plain: CheckedFunction, hand: ByHand, cotangent: Any, why: str) -> tuple[list[Findings], str]:
    """Return findings based on differences alone, and how they were judged."""
    why = why or "what was recorded is not all of the function, or has a wrong rule"
    method = f"judged by finite differences only: {plain.name} could not be recorded ({why})"
    if rows := faults_of(plain) or hand.faults():
        return rows, method
    judge = Judge(plain, cotangent)
    judge.sizes |= {n for x in plain.arrays for n in (*x.shape, x.size)}
    found = {
        at: _unfit(plain, at, g) or _alone(judge, hand, at, g) for at, g in hand.weighted(judge.cotangents).items()
    }
    return diagnosed(judge, found), method


def _unfit(function: CheckedFunction, at: int, gradient: Array) -> Findings | None:
    """Return the findings on a gradient whose shape or dtype differs from that of its input; None if both agree."""
    x = function.arrays[at]
    if gradient.shape != x.shape:
        return function.findings(at, fault=Verdict.WRONG_SHAPE, diagnosis=diagnose_shape(gradient.shape, x.shape))
    if gradient.dtype != x.dtype:
        text = f"a {gradient.dtype} gradient for a {x.dtype} input"
        return function.findings(at, fault=Verdict.WRONG_DTYPE, diagnosis=text)
    return None


def _natural(judge: Judge, at: int) -> Array:
    """Return the natural slope of each element of an input: the size of the outputs over the size of the element.

    A gradient can be a small difference between numbers of this size, as for sin(x) / x. Very small elements are
    treated as if they had a fixed fraction of the usual size.
    """
    outputs = judge.function.swept(judge.cotangents).outputs
    size = sum(float(np.sum(np.abs(ct * out.data))) for ct, out in zip(judge.cotangents, outputs, strict=True))
    x = judge.function.arrays[at]
    usual = judge.values.scales[at].reshape(x.shape)
    own = np.where(x == 0, usual, np.maximum(np.abs(x).astype(float), usual / LITTLE))
    return np.asarray(size / (max(1, x.size) * own))


def _alone(judge: Judge, hand: ByHand, at: int, gradient: Array) -> Findings:
    """Judge a gradient that was derived by hand by differences alone."""
    rounding = hand.rounding(at, _natural(judge, at))
    judge.take(at, gradient, rounding, DOUBTFUL * rounding)
    judge.doubts.reasons.clear()
    return replace(whole_gradient(judge, at), diagnosis="; ".join(judge.doubts.reasons))


def _by_hand(judge: Judge, at: int, hand: Array) -> Findings:
    """Compare a gradient derived by hand with the engine's; where they differ, let finite differences decide."""
    slopes = judge.compared(at, hand)
    judge.take(at, hand, judge.rounding[at])
    findings = judge.findings(at, slopes)
    return findings.overruled(judge.some_elements(at, np.flatnonzero(findings.wrong)))


def _next(x: Array, end: float) -> Array:
    """Return the next numbers towards `end`; zeros and integers stay unchanged."""
    return np.where(x == 0, x, np.nextafter(x, x.dtype.type(end))) if x.dtype.kind == "f" else x
