"""Gradients at points next to the inputs, for rules that jump at exact values.

A rule can be right at the numbers it is checked at and nowhere else: `np.where(x == np.round(x), …)` at whole numbers.
Such a gradient jumps when the last bits of the inputs change, although the function is smooth there.
"""

from __future__ import annotations

from copy import copy

import numpy as np

from autograd_spiral.gradcheck.judging.judge import Judge
from autograd_spiral.gradcheck.verdicts import Findings, Verdict

__all__ = ["beside"]


SOME = 16  # at most this many elements of an input are judged next to it


def beside(judge: Judge, at: int, findings: Findings) -> tuple[Judge, Findings] | None:
    """Judge elements of input `at` whose gradient jumps, at a point next to the inputs; None if none is wrong there.

    Elements that are not ok at the inputs themselves are left out, since they already have a verdict.
    """
    jumps = judge.jumps[at].copy()
    for slope in findings.slopes:
        if slope.index is not None and slope.verdict is not Verdict.OK:
            jumps[slope.index] = False
    if not jumps.any() or findings.verdict.fails:
        return None
    function = copy(judge.function)
    function.arrays = function.beside()
    near = Judge(function, judge.cotangents)
    found = near.findings(at, near.elements(at, np.flatnonzero(jumps)[:SOME].tolist()))
    return (near, found) if found.verdict.fails else None
