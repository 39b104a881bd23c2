"""Gradients of many elements, checked along random directions; a failure leads to the element that is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.gradcheck.differences import typical_scale
from autograd_spiral.gradcheck.judging import Judge
from autograd_spiral.gradcheck.report import Verdict, Worst
from autograd_spiral.gradcheck.results import Findings, Ruling, worst_of

__all__ = ["along_directions"]

Array: TypeAlias = NDArray[Any]

KINKS_SOUGHT = 8  # so many elements that are on kinks are left out of random directions
TO_DIAGNOSE = 16  # further elements looked at once a random direction has led to a wrong one


def along_directions(judge: Judge, at: int, count: int) -> Findings:
    """Judge the gradient in input `at` along `count` random directions; a failure leads to its element."""
    analytic = judge.gradients[at]
    rng = np.random.default_rng(count)
    scales = np.ravel(typical_scale(judge.base[at]))
    tally: Counter[Verdict] = Counter()
    last: Worst | None = None
    sought = 0
    lost = np.flatnonzero(judge.leading[at] & ~np.isfinite(analytic))  # by the outputs that were left out
    kinks: list[int] = []  # elements that are on one: a direction through them says little about the others
    for _ in range(count):
        way = rng.choice([-1.0, 1.0], analytic.size) * scales
        way[kinks] = way[lost] = 0
        ruling = _way(judge, at, way)
        while ruling.verdict.fails or (ruling.verdict is Verdict.KINK and sought < KINKS_SOUGHT):
            if sought == 2 * KINKS_SOUGHT:
                ruling = replace(ruling, verdict=Verdict.NOISE)
                break
            j = _narrowed(judge, at, way, ruling.verdict)
            if j is None:  # kinks that add up to it
                ruling = replace(ruling, verdict=Verdict.KINK)
                break
            if judge.element(at, analytic, j, float(scales[j])).verdict.fails:
                others = rng.choice(analytic.size, min(TO_DIAGNOSE, analytic.size), replace=False)
                return judge.elements(at, analytic, dict.fromkeys([j, *others.tolist()]))
            kinks.append(j)
            sought += 1
            if sought == KINKS_SOUGHT:  # then all that share their values, a mask of zeros most likely
                kinks += np.flatnonzero(np.isin(judge.base[at], judge.base[at].flat[kinks])).tolist()
            way[kinks] = 0
            ruling = _way(judge, at, way)
        if kinks and ruling.verdict is Verdict.OK:
            ruling = replace(ruling, verdict=Verdict.KINK)
        if not (ruling.analytic or ruling.numeric) and judge.leading[at].any():
            tally[Verdict.UNJUDGED] += 1
            continue
        tally[ruling.verdict] += 1
        worst = worst_of(None, ruling.analytic, ruling.numeric, ruling.bound, ruling.natural)
        if last is None or worst.error > last.error:
            last = worst
    findings = judge.empty(analytic)
    findings.along = tally, last
    return findings


def _way(judge: Judge, at: int, way: Array) -> Ruling:
    x, gradient = judge.base[at], np.ravel(judge.gradients[at])
    step = way.reshape(x.shape)
    arrays = list(judge.base)

    def along(t: float) -> Array:
        arrays[at] = np.asarray(x + t * step, x.dtype)
        return judge.outputs_at(arrays)

    moving = way != 0
    with np.errstate(all="ignore"):
        analytic = float(gradient[moving].astype(float) @ way[moving])
        rounding = float(np.ravel(judge.rounding[at])[moving] @ np.abs(way[moving]))
    return judge.rule(along, 1.0, analytic, rounding)


def _narrowed(judge: Judge, at: int, way: Array, verdict: Verdict) -> int | None:
    """The element that a direction of this verdict leads to by halving; None where neither half has it or fails."""
    support = np.flatnonzero(way)
    while support.size > 1:
        for half in np.array_split(support, 2):
            part = np.zeros_like(way)
            part[half] = way[half]
            found = _way(judge, at, part).verdict
            if found.fails or found is verdict:
                support = half
                break
        else:
            return None
    return int(support[0])
