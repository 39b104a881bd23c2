"""The diagnosis of a wrong gradient: the statements about its numbers, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from autograd_spiral.gradcheck.diagnoses import factors
from autograd_spiral.gradcheck.diagnoses.factors import agree
from autograd_spiral.gradcheck.diagnoses.order import moved_to, of_order
from autograd_spiral.gradcheck.diagnoses.places import counted
from autograd_spiral.gradcheck.diagnoses.record import Record
from autograd_spiral.gradcheck.verdicts import Array, Findings, Verdict

__all__ = ["SCALE", "Evidence", "diagnose"]


SCALE = -2.0  # a power of two, which scales without rounding, and negative, which tells apart |ct| and ct


@dataclass(frozen=True)
class Evidence:
    """What is known about a gradient besides its numeric value; each item may be missing.

    `ct` holds the weights of the output, if there is one output and they broadcast to the shape of the input; `scaled`
    is the gradient with SCALE times the weights. `others` has the findings on other inputs of the same shape, and
    `remedies` the gradients that changes to the rule would give, both by name. `terms` has the inputs that broadcast to
    that shape, by name. `repeated` marks elements that occur more than once in an array of indices. `record` is the
    function's record, in which the input has the index `at`.
    """

    ct: Array | None = None
    scaled: Array | None = None
    others: Mapping[str, Findings] = field(default_factory=dict)
    remedies: Mapping[str, Array] = field(default_factory=dict)
    terms: Mapping[str, Array] = field(default_factory=dict)
    repeated: Array | None = None
    record: Record | None = None
    at: int = 0


@np.errstate(all="ignore")
def diagnose(findings: Findings, sizes: Collection[int], evidence: Evidence) -> str:
    """Return what the wrong elements of a gradient have in common, in a few words; "" if none is wrong.

    `sizes` are the lengths of axes, and their products, that a forgotten factor could be.

    >>> from autograd_spiral.gradcheck.verdicts import Array, Slope, Verdict
    >>> def said(*gradient, **evidence):
    ...     pairs = enumerate(zip(gradient, (1.0, 3.0)))
    ...     slopes = tuple(Slope(Verdict.WRONG, a, n, 1e-9, index=(i,)) for i, (a, n) in pairs)
    ...     return diagnose(Findings("x", np.zeros(2), 1, np.array(gradient), slopes), {300}, Evidence(**evidence))
    >>> said(2.0, 6.0)
    '2.00 × too large'
    >>> said(1 / 300, 3 / 300)
    '300 × too small: missing factor of N = 300'
    >>> said(3.0, 4.5)
    'no common factor: off by 50 % to 200 %'
    >>> said(3.0, 4.5, ct=np.array([1 / 3, 2 / 3]))
    'right after multiplying by the cotangent'
    """
    analytic, numeric, bound, wrong = findings.analytic, findings.numeric, findings.bound, findings.wrong
    if not wrong.any():
        return ""
    if not np.any(analytic):
        return "zero: no path from this input"
    known = np.isfinite(numeric) & np.isfinite(bound)
    lost = wrong & ~np.isfinite(analytic)
    wrong = wrong & known & ~lost
    fine = known & ~wrong & ~lost
    square = analytic.ndim == 2 and analytic.shape[0] == analytic.shape[1]
    if square and moved_to(numeric.T, bound.T, analytic, numeric, bound):
        return "transposed"
    says = []
    if lost.any():
        nans = np.isnan(analytic[lost])
        kind = "nan" if nans.all() else "nan or inf" if nans.any() else "inf"
        says.append(f"{kind} in {counted(lost, fine, findings, evidence.repeated)}" if lost.size > 1 else kind)
    if wrong.any():
        few = wrong.sum() == 1 or lost.any() or np.any(fine & (np.abs(numeric) > 10 * bound))
        where = counted(wrong, fine, findings, evidence.repeated) if few and wrong.size > 1 else ""
        says.append(_of_numbers(findings, wrong, sizes, evidence, where))
    return "; ".join(says)


def _of_numbers(findings: Findings, wrong: Array, sizes: Collection[int], evidence: Evidence, where: str) -> str:
    """Return what is wrong with the `wrong` elements, which are all finite; if not all are wrong, add `where`."""
    a, n, b = (values[wrong] for values in (findings.analytic, findings.numeric, findings.bound))
    ct = None if evidence.ct is None else np.broadcast_to(evidence.ct, findings.shape)[wrong]
    lacks_ct = ct is not None and agree(a * ct, n, b * (1 + np.abs(ct)))
    of_ct = "" if evidence.scaled is None else _of_scaling(a, evidence.scaled[wrong], b)
    if of_ct and lacks_ct:
        text = f"{of_ct}: multiply by ct"
    elif of_ct and agree(a, n, b):
        text = of_ct
    else:
        by_hand = "right after multiplying by the cotangent" if lacks_ct and evidence.scaled is None else ""
        text = factors.of_ratio(a, n, b, sizes) or by_hand
        in_part = bool(where) and evidence.record is not None  # a mistake that explains all numbers says more
        if not by_hand and (in_part or not text) and (of_all := _of_all(findings, sizes, evidence)):
            text, where = of_all, ""
        text = text or factors.of_difference(a - n, b, ct) or ("" if of_ct else factors.of_spread(a, n, b))
        text = "; ".join(filter(None, (of_ct, text)))
    return f"{text}, {where}" if where else text


def _of_scaling(analytic: Array, scaled: Array, bound: Array) -> str:
    """Return how a gradient depends on the cotangent; "" if it is proportional to the cotangent, as it must be."""
    if not np.all(np.isfinite(scaled)) or agree(scaled, SCALE * analytic, 4 * bound):
        return ""
    if agree(scaled, analytic, 4 * bound):
        return "does not depend on the cotangent"
    return "not linear in the cotangent"


def _of_all(findings: Findings, sizes: Collection[int], evidence: Evidence) -> str:
    """Return which other input a whole gradient belongs to, which term it lacks, or how it is reordered."""
    analytic, numeric, bound = findings.analytic, findings.numeric, findings.bound
    for name, other in evidence.others.items():
        if agree(analytic, other.numeric, bound + other.bound):
            both = agree(other.analytic, numeric, bound + other.bound)
            return f"{'swapped with' if both else 'equal to'} the gradient in {name}"
    known = np.isfinite(numeric) & np.isfinite(bound)
    for name, remedy in evidence.remedies.items():
        if agree(remedy[known], numeric[known], 2 * bound[known]):
            return f"right {name}"
    record, at = evidence.record, evidence.at
    text = ""
    for slope in findings.slopes:
        if slope.index is not None and slope.verdict is Verdict.KINK:
            bound[slope.index] = np.inf  # either slope is right there
    if known.all():
        penalty = record.multiple_of_input(at) if record else None
        text = factors.of_terms(findings.name, evidence.terms, analytic, numeric, bound, penalty)
        if not text and findings.name in evidence.terms:
            text = factors.of_penalty(findings.name, findings.x, analytic, numeric, bound, sizes, penalty)
    if not text and record:
        text = record.explained(at, np.asarray(findings.gradient), sizes)
    return text or (of_order(analytic, numeric, bound) if known.all() else "")
