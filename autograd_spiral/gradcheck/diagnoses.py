"""What the numbers of a wrong gradient have in common, in a few words. Imports numpy and results.

Nothing is guessed: each statement holds for every number it covers, within the bounds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from autograd_spiral.gradcheck.verdicts import Array, Findings

__all__ = ["SCALE", "Evidence", "broadcasts_to", "diagnose", "diagnose_shape"]


SCALE = -2.0  # a power of two, which scales without rounding, and negative, which tells apart |ct| and ct


@dataclass(frozen=True)
class Evidence:
    """What is known besides a gradient and its numeric value; any of it may be missing.

    `ct` holds the weights of the output, if there is one output and they broadcast to the shape of the input;
    `scaled` is the gradient with SCALE times the weights. `others` are the findings on other inputs of the same shape,
    and `remedies` what the gradient would be with a change to its rule, both by name.
    """

    ct: Array | None = None
    scaled: Array | None = None
    others: Mapping[str, Findings] = field(default_factory=dict)
    remedies: Mapping[str, Array] = field(default_factory=dict)


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
    if square and _moved_to(numeric.T, bound.T, analytic, numeric, bound):
        return "transposed"
    says = []
    if lost.any():
        nans = np.isnan(analytic[lost])
        kind = "nan" if nans.all() else "nan or inf" if nans.any() else "inf"
        says.append(f"{kind} in {_counted(lost, fine, findings)}" if lost.size > 1 else kind)
    if wrong.any():
        few = wrong.sum() == 1 or lost.any() or np.any(fine & (np.abs(numeric) > 10 * bound))
        where = _counted(wrong, fine, findings) if few and wrong.size > 1 else ""
        says.append(_of_numbers(findings, wrong, sizes, evidence, where))
    return "; ".join(says)


def _counted(chosen: Array, fine: Array, findings: Findings) -> str:
    """Return how many elements are `chosen`, and the sign of the input there if no `fine` element has it."""
    count = np.count_nonzero(chosen)
    if count == chosen.size:
        return f"all {count} elements"
    text = f"{count} of {chosen.size} elements"
    if len(findings.slopes) < chosen.size:
        return f"at least {text}"
    if fine.any():
        x = findings.x
        signs = {"below 0": x < 0, "0": x == 0, "above 0": x > 0, "not above 0": x <= 0, "not below 0": x >= 0}
        for sign, has in signs.items():
            if np.all(has[chosen]) and not np.any(has[fine]):
                return f"{text}: where the input is {sign}"
    return text


def _of_numbers(findings: Findings, wrong: Array, sizes: Collection[int], evidence: Evidence, where: str) -> str:
    """Return what is wrong with the `wrong` elements, which are all finite, and `where` they are unless all are."""
    a, n, b = (values[wrong] for values in (findings.analytic, findings.numeric, findings.bound))
    ct = None if evidence.ct is None else np.broadcast_to(evidence.ct, findings.shape)[wrong]
    lacks_ct = ct is not None and _agree(a * ct, n, b * (1 + np.abs(ct)))
    of_ct = "" if evidence.scaled is None else _of_scaling(a, evidence.scaled[wrong], b)
    if of_ct and lacks_ct:
        return _together(", ", f"{of_ct}: multiply by ct", where)
    if of_ct and _agree(a, n, b):
        return _together(", ", of_ct, where)
    ratio = _of_ratio(a, n, b, sizes)
    if not ratio and (of_all := _of_all(findings, evidence)):
        return _together("; ", of_ct, of_all)
    by_hand = "right after multiplying by the cotangent" if lacks_ct and evidence.scaled is None else ""
    text = ratio or by_hand or _of_difference(a - n, b, ct) or ("" if of_ct else _of_spread(a, n, b))
    return _together(", ", _together("; ", of_ct, text), where)


def _together(between: str, *parts: str) -> str:
    return between.join(part for part in parts if part)


def _of_ratio(analytic: Array, numeric: Array, bound: Array, sizes: Collection[int]) -> str:
    """Return the factor that all numbers are off by, with the size that it could be; "" if there is none."""
    telling = np.abs(numeric) > 10 * bound
    if not telling.any():
        return "nonzero where it should be 0" if np.any(np.abs(analytic) > bound) else ""
    best = int(np.argmax(np.where(telling, np.abs(numeric) / np.maximum(bound, 1e-300), 0)))
    ratio = float(analytic[best] / numeric[best])
    slack = bound + abs(ratio) * bound + np.abs(numeric) * (1 + abs(ratio)) * bound[best] / abs(numeric[best])
    if np.any(np.abs(analytic - ratio * numeric) > slack):
        return ""
    if ratio == 0:
        return "zero"
    sign = "sign flipped" if ratio < 0 else ""
    size = max(abs(ratio), 1 / abs(ratio))
    direction = "large" if abs(ratio) > 1 else "small"
    accuracy = 10 * (bound[best] / abs(numeric[best])) + 1e-6
    if size - 1 <= accuracy:
        return sign or f"off by {_percent(np.max(np.abs(analytic / numeric - 1), where=telling, initial=0))}"
    whole = round(size)
    if whole in sizes and whole > 2 and abs(size / whole - 1) <= accuracy:
        factor = f"1/N, N = {whole}" if direction == "large" else f"N = {whole}"
        much = f"{whole} × too {direction}: missing factor of {factor}"
        if whole < 5:  # so small a factor may be another one that an axis is as long as by chance
            much += ", the length of an axis, or another factor"
    elif size < 1.1:
        much = f"{100 * abs(abs(ratio) - 1):.2g} % too {direction}"
    else:
        much = f"{size:.2f} × too {direction}"
    return _together(" and ", sign, much)


def _of_scaling(analytic: Array, scaled: Array, bound: Array) -> str:
    """Return how a gradient depends on the cotangent if it is not proportional to it; else ""."""
    if not np.all(np.isfinite(scaled)) or _agree(scaled, SCALE * analytic, 4 * bound):
        return ""
    if _agree(scaled, analytic, 4 * bound):
        return "does not depend on the cotangent"
    return "not linear in the cotangent"


def _of_difference(difference: Array, bound: Array, ct: Array | None) -> str:
    """Return the constant, or the constant times ct, that all numbers are off by; "" if there is none."""
    for weights, name in ((np.ones(difference.shape), "a constant"), (ct, "a constant times ct")):
        if weights is None or difference.size < 2 or not np.all(weights):
            continue
        constants, bounds = difference / weights, bound / np.abs(weights)
        best = int(np.argmin(bounds))
        if _agree(constants, constants[best], bounds + bounds[best]):
            return f"off by {name}: {constants[best]:+.3g}"
    return ""


def _of_all(findings: Findings, evidence: Evidence) -> str:
    """Return which other input a whole gradient belongs to, which change would mend it, or how it is reordered."""
    analytic, numeric, bound = findings.analytic, findings.numeric, findings.bound
    for name, other in evidence.others.items():
        if _agree(analytic, other.numeric, bound + other.bound):
            both = _agree(other.analytic, numeric, bound + other.bound)
            return f"{'swapped with' if both else 'equal to'} the gradient in {name}"
    known = np.isfinite(numeric) & np.isfinite(bound)
    for name, remedy in evidence.remedies.items():
        if _agree(remedy[known], numeric[known], 2 * bound[known]):
            return f"right {name}"
    for axis in range(analytic.ndim):
        if _moved_to(np.flip(numeric, axis), np.flip(bound, axis), analytic, numeric, bound):
            return "reversed" if analytic.ndim == 1 else f"reversed along axis {axis}"
    order, right_order = np.argsort(analytic, axis=None), np.argsort(numeric, axis=None)
    bounds = bound.ravel()[order] + bound.ravel()[right_order]
    if _agree(analytic.ravel()[order], numeric.ravel()[right_order], bounds):
        return "the right numbers in another order"
    return ""


def _moved_to(moved: Array, moved_bound: Array, analytic: Array, numeric: Array, bound: Array) -> bool:
    """Return whether a gradient has the right numbers in the order of `moved`, and not in their own."""
    both = bound + moved_bound
    return _agree(analytic, moved, both) and not _agree(analytic, numeric, both)


def _of_spread(analytic: Array, numeric: Array, bound: Array) -> str:
    """Return how far off elements are that have nothing known in common."""
    telling = np.abs(numeric) > 10 * bound
    if not telling.any():
        return f"off by up to {np.max(np.abs(analytic - numeric)):.1g}"
    off = np.abs(analytic / numeric - 1)[telling]
    least, most = _percent(off.min()), _percent(off.max())
    text = f"no common factor: off by {least}" + (f" to {most}" if most != least else "")
    return text if telling.all() else f"{text}, and nonzero where it should be 0"


def _percent(part: float) -> str:
    if part > 10:
        return "more than 1000 %"
    return f"{100 * part:.0f} %" if part > 0.1 else f"{100 * part:.2g} %"


def _agree(a: Array, b: Array, bound: Array) -> bool:
    """Return whether all elements differ by no more than `bound`; unknown elements do not agree."""
    return a.shape == np.broadcast_shapes(a.shape, np.shape(b)) and bool(np.all(np.abs(a - b) <= bound))


def diagnose_shape(given: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Return what is wrong with a gradient of shape `given` for an input of `shape`.

    >>> diagnose_shape((300, 3), (1, 3))
    'gradient of a broadcast not summed: shape (300, 3) for an input of shape (1, 3)'
    >>> diagnose_shape((3, 2), (2, 3))
    'transposed: shape (3, 2) for an input of shape (2, 3)'
    """
    shapes = f"shape {given} for an input of shape {shape}"
    if len(shape) > 1 and given == shape[::-1]:
        return f"transposed: {shapes}"
    return f"gradient of a broadcast not summed: {shapes}" if broadcasts_to(shape, given) else shapes


def broadcasts_to(shape: tuple[int, ...], larger: tuple[int, ...]) -> bool:
    """Return whether an array of this shape broadcasts to the `larger` one.

    >>> broadcasts_to((1, 3), (4, 2, 3)), broadcasts_to((2, 3), (1, 3))
    (True, False)
    """
    pairs = zip(shape[::-1], larger[::-1], strict=False)
    return len(shape) <= len(larger) and all(n in (1, m) for n, m in pairs)
