"""Gradients of many elements, checked along random directions; a failure leads to the element that is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autograd_spiral.gradcheck.judging.judge import Judge
from autograd_spiral.gradcheck.judging.verdict import Case
from autograd_spiral.gradcheck.verdicts import Array, Findings, Slope, Verdict

__all__ = ["along_directions", "whole_gradient"]

ELEMENT_LIMIT = 1000  # inputs with more elements are checked along random directions
DIRECTIONS = 3

KINKS_SOUGHT = 8  # at most this many elements that are on kinks are sought, and left out of random directions
TO_DIAGNOSE = 16  # this many further elements are judged once a random direction has led to a wrong one


def whole_gradient(judge: Judge, at: int, directions: int | None = None) -> Findings:
    """Judge the gradient with respect to input `at`: all elements if they are few, else some random directions."""
    if at in judge.function.weights:  # the gradients are linear in them
        return along_directions(judge, at, 1)
    size = judge.gradients[at].size
    if directions is None and size <= ELEMENT_LIMIT:
        return judge.findings(at, judge.elements(at, range(size)))
    return along_directions(judge, at, DIRECTIONS if directions is None else directions)


def along_directions(judge: Judge, at: int, count: int = DIRECTIONS) -> Findings:
    """Judge the gradient with respect to input `at` along `count` random directions; find the element of a failure."""
    gradient = judge.gradients[at]
    rng = np.random.default_rng(count)
    slopes: list[Slope] = []
    sought = 0
    lost = np.flatnonzero(judge.leading[at] & ~np.isfinite(gradient))  # because of the outputs that were left out
    kinks: list[int] = []  # elements on kinks: a direction through them says little about the others
    for k in range(count):
        way = rng.choice([-1.0, 1.0], gradient.size) * judge.values.scales[at]
        way[kinks] = way[lost] = 0
        slope = _along(judge, at, way)
        if k == 0 and _is_hidden(slope):
            j = _narrowed(judge, at, way, slope)
            if j is not None and judge.elements(at, [j])[0].verdict.fails:
                return _failure(judge, at, j, rng)
        while slope.verdict.fails or (slope.verdict is Verdict.KINK and sought < KINKS_SOUGHT):
            if sought >= 2 * KINKS_SOUGHT:
                slope = replace(slope, verdict=Verdict.NOISE)
                break
            j = _narrowed(judge, at, way, slope)
            if j is None:  # several kinks add up to it
                slope = replace(slope, verdict=Verdict.KINK)
                break
            found = judge.elements(at, [j])[0].verdict
            if found.fails:
                return _failure(judge, at, j, rng)
            kinks.append(j)
            sought += 1
            if found is Verdict.NOISE:  # most likely, many are
                sought += KINKS_SOUGHT // 2
            elif sought == KINKS_SOUGHT:  # most likely a mask of zeros: leave out all with these values
                kinks += np.flatnonzero(np.isin(judge.values.base[at], judge.values.base[at].flat[kinks])).tolist()
            way[kinks] = 0
            slope = _along(judge, at, way)
        if kinks and slope.verdict is Verdict.OK:
            slope = replace(slope, verdict=Verdict.KINK)
        if not (slope.analytic or slope.numeric) and judge.leading[at].any():
            slope = replace(slope, verdict=Verdict.UNJUDGED)
        slopes.append(slope)
    return judge.findings(at, slopes, "directions")


def _along(judge: Judge, at: int, way: Array) -> Slope:
    """Judge the derivative along `way`, a flat array of steps."""
    x, gradient = judge.values.base[at], np.ravel(judge.gradients[at])
    step = way.reshape(x.shape)
    moving = way != 0
    line = judge.values.line(at, lambda t: np.where(step == 0, x, np.asarray(x + t * step, x.dtype)), 1.0)
    with np.errstate(all="ignore"):
        analytic = float(gradient[moving].astype(float) @ way[moving])
        rounding, loose = (float(np.ravel(x[at])[moving] @ np.abs(way[moving])) for x in (judge.rounding, judge.loose))
    return judge.slopes([Case(line, analytic, rounding, loose)], brief=True, thorough=judge.quick)[0]


def _is_hidden(slope: Slope) -> bool:
    """Return whether a slope is off, and counts as noise only because many small kinks could add up to the difference.

    Fewer elements have fewer kinks, so it is worth looking for a wrong element.
    """
    return slope.verdict is Verdict.NOISE and abs(slope.analytic - slope.numeric) > slope.bound


def _failure(judge: Judge, at: int, j: int, rng: np.random.Generator) -> Findings:
    """Return the findings on element `j`, which is wrong, and on some others for the diagnosis."""
    size = judge.gradients[at].size
    others = rng.choice(size, min(TO_DIAGNOSE, size), replace=False)
    return judge.findings(at, judge.elements(at, [*dict.fromkeys([j, *others.tolist()])]), "directions")


def _narrowed(judge: Judge, at: int, way: Array, whole: Slope) -> int | None:
    """Return the element found by halving a direction, each time keeping a half that fails or is like the `whole`.

    The result is None if neither half does.
    """
    support = np.flatnonzero(way)
    while support.size > 1:
        for half in np.array_split(support, 2):
            part = np.zeros_like(way)
            part[half] = way[half]
            slope = _along(judge, at, part)
            alike = slope.verdict is whole.verdict and _is_hidden(slope) == _is_hidden(whole)
            if slope.verdict.fails or alike:
                support = half
                break
        else:
            return None
    return int(support[0])
