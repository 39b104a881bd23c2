"""How wrong numbers differ from the right ones: by a factor, a multiple of an input, a constant. Imports only NumPy."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["agree", "how_much", "multiple", "of_difference", "of_penalty", "of_ratio", "of_spread", "of_terms"]


def agree(a: Array, b: Array, bound: Array) -> bool:
    """Return whether all elements differ by no more than `bound`; unknown elements do not agree.

    >>> agree(np.ones(2), np.array([1.0, np.nan]), np.ones(2))
    False
    """
    return a.shape == np.broadcast_shapes(a.shape, np.shape(b)) and bool(np.all(np.abs(a - b) <= bound))


def of_ratio(analytic: Array, numeric: Array, bound: Array, sizes: Collection[int]) -> str:
    """Return the factor by which all numbers are off, and the axis length that it may be; "" if there is none.

    >>> of_ratio(np.array([5.0, 10.0]), np.array([1.0, 2.0]), np.full(2, 1e-9), {5})
    '5 × too large: missing factor of 1/N, N = 5'
    """
    telling = np.abs(numeric) > 10 * bound
    if not telling.any():
        return "nonzero where it should be 0" if np.any(np.abs(analytic) > bound) else ""
    sharpness = np.where(telling, np.abs(numeric) / np.maximum(bound, 1e-300), 0)
    best = np.unravel_index(np.argmax(sharpness), sharpness.shape)
    ratio = float(analytic[best] / numeric[best])
    slack = bound + abs(ratio) * bound + np.abs(numeric) * (1 + abs(ratio)) * bound[best] / abs(numeric[best])
    if np.any(np.abs(analytic - ratio * numeric) > slack):
        return ""
    if ratio == 0:
        return "zero"
    accuracy = 10 * (bound[best] / abs(numeric[best])) + 1e-6
    if abs(ratio - 1) <= accuracy:
        return f"off by {_percent(np.max(np.abs(analytic / numeric - 1), where=telling, initial=0))}"
    return how_much(ratio, sizes, accuracy)


def how_much(ratio: float, sizes: Collection[int], accuracy: float) -> str:
    """Return, in words, how much too large or too small a value is, given its `ratio` to the right one.

    >>> how_much(0.5, {5}, 1e-6)
    '2.00 × too small'
    """
    if ratio < 0:
        much = "" if abs(ratio + 1) <= accuracy else how_much(-ratio, sizes, accuracy)
        return f"sign flipped and {much}" if much else "sign flipped"
    size = max(ratio, 1 / ratio)
    direction = "large" if ratio > 1 else "small"
    whole = round(size)
    if whole in sizes and whole > 2 and abs(size / whole - 1) <= accuracy:
        factor = f"1/N, N = {whole}" if direction == "large" else f"N = {whole}"
        much = f"{whole} × too {direction}: missing factor of {factor}"
        if whole < 5:  # so small a factor may equal the length of an axis by chance
            much += ", the length of an axis, or another factor"
        return much
    return f"{100 * abs(ratio - 1):.2g} % too {direction}" if size < 1.1 else f"{size:.2f} × too {direction}"


def multiple(of: Array, difference: Array, bound: Array) -> float | None:
    """Return the factor c with `difference` = c · `of` within `bound`; None if there is none.

    It is also None if fewer than two numbers determine it.

    >>> multiple(np.array([1.0, 2.0, -4.0]), np.array([0.1, 0.2, -0.4]), np.full(3, 1e-9))
    0.1
    """
    telling = (of != 0) & (np.abs(difference) > 10 * bound)
    if np.count_nonzero(telling) < 2 or np.all(of == of.flat[0]):
        return None
    best = int(np.argmax(np.where(telling, np.abs(difference) / np.maximum(bound, 1e-300), 0)))
    factor = float(difference.flat[best] / of.flat[best])
    slack = bound + np.abs(of) * bound.flat[best] / abs(of.flat[best])
    return factor if agree(difference, factor * of, slack) else None


def of_terms(name: str, terms: Mapping[str, Array], a: Array, n: Array, bound: Array, penalty: float | None) -> str:
    """Return the multiple of an input that the gradient is off by, or equal to; "" if there is none.

    The gradient is taken with respect to the input called `name`; `penalty` is the multiple of this input that the
    right gradient is known to have.

    >>> W, right = np.array([1.0, -2.0, 3.0]), np.array([0.5, 0.1, 0.7])
    >>> of_terms("W", {"W": W}, right, right + 0.1 * W, np.full(3, 1e-9), None)
    'short by 0.1 × W: is a penalty missing, or too small?'
    """
    for other, term in terms.items():
        alone = multiple(term, a, bound)
        if alone is not None:
            if abs(alone - 1) <= 1e-9:
                return f"{name} itself, not its gradient" if other == name else f"equal to {other}, not to a gradient"
            if other == name:
                return f"{alone:.3g} × {name} and nothing else: is all but a penalty missing?"
    for other, term in terms.items():
        short = multiple(term, n - a, bound)
        if short is None:
            continue
        if other != name:
            return f"short by {short:.3g} × {other}" if short > 0 else f"too large by {-short:.3g} × {other}"
        if penalty is not None:
            there = penalty - short
            if abs(there) <= 1e-6 * abs(penalty):
                return f"short by {short:.3g} × {name}: the penalty is missing"
            what = "size" if there * penalty > 0 else "sign"
            return f"{there:.3g} × {name} where {penalty:.3g} × {name} is right: a penalty of the wrong {what}"
        if short > 0:
            return f"short by {short:.3g} × {name}: is a penalty missing, or too small?"
        return f"too large by {-short:.3g} × {name}: is it a penalty that counts twice, or should not?"
    return ""


def of_penalty(
    name: str, x: Array, a: Array, n: Array, bound: Array, sizes: Collection[int], penalty: float | None = None
) -> str:
    """Say by what factor a gradient is off, apart from a multiple of its input `x`; "" if there is no such factor.

    The multiple is `penalty` if that is known.

    >>> W, rest = np.array([1.0, -2.0, 3.0, 0.3]), np.array([0.5, 0.1, 0.7, -2.0])
    >>> of_penalty("W", W, 5 * rest + 0.1 * W, rest + 0.1 * W, np.full(4, 1e-9), {5})
    'apart from 0.1 × W: 5 × too large: missing factor of 1/N, N = 5'
    """
    if a.size < 4 or not np.all(np.isfinite([a, n, bound])):
        return ""
    weights = 1 / np.maximum(bound, 1e-300).ravel()
    columns = np.stack([n.ravel(), x.ravel().astype(float)], axis=1) * weights[:, None]
    (ratio, part), _, rank, _ = np.linalg.lstsq(columns, a.ravel() * weights, rcond=None)
    if rank < 2 or not 1e-6 < abs(ratio) < 1e6 or abs(ratio - 1) < 1e-6:
        return ""
    slack = (2 + 2 * abs(ratio)) * bound
    if not agree(a, ratio * n + part * x, slack) or agree(a, ratio * n, slack):
        return ""
    multiple = part / (1 - ratio)
    if penalty is not None and abs(multiple - penalty) > 1e-6 * abs(penalty):
        return ""
    known = "" if penalty is None else ", the penalty"
    return f"apart from {multiple:.3g} × {name}{known}: {how_much(float(ratio), sizes, 1e-6)}"


def of_difference(difference: Array, bound: Array, ct: Array | None) -> str:
    """Return the constant, or the constant times ct, that all numbers are off by; "" if there is none.

    >>> of_difference(np.array([0.5, 0.5]), np.full(2, 1e-9), None)
    'off by a constant: +0.5'
    """
    for weights, name in ((np.ones(difference.shape), "a constant"), (ct, "a constant times ct")):
        if weights is None or difference.size < 2 or not np.all(weights):
            continue
        constants, bounds = difference / weights, bound / np.abs(weights)
        best = int(np.argmin(bounds))
        if agree(constants, constants[best], bounds + bounds[best]):
            return f"off by {name}: {constants[best]:+.3g}"
    return ""


def of_spread(analytic: Array, numeric: Array, bound: Array) -> str:
    """Return how far off the elements are, for those that have nothing in common.

    >>> of_spread(np.array([2.0, 3.0]), np.ones(2), np.full(2, 1e-9))
    'no common factor: off by 100 % to 200 %'
    """
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
