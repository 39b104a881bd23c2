"""Whether a gradient has the right numbers in the wrong places: transposed, reversed, or not summed."""

from __future__ import annotations

import numpy as np

from autograd_spiral.gradcheck.diagnoses.factors import agree
from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["broadcasts_to", "diagnose_shape", "moved_to", "of_order"]


def of_order(analytic: Array, numeric: Array, bound: Array) -> str:
    """Return how the right numbers of a gradient are reordered; "" if they are not the right numbers.

    >>> right = np.arange(6.0).reshape(2, 3)
    >>> of_order(right.T.reshape(2, 3), right, np.zeros((2, 3)))
    'reshaped where it should be transposed'
    """
    for axis in range(analytic.ndim):
        if moved_to(np.flip(numeric, axis), np.flip(bound, axis), analytic, numeric, bound):
            return "reversed" if analytic.ndim == 1 else f"reversed along axis {axis}"
    turned, turned_bound = (x.T.reshape(x.shape) for x in (numeric, bound))
    back, back_bound = (x.reshape(x.shape[::-1]).T for x in (numeric, bound))
    if moved_to(turned, turned_bound, analytic, numeric, bound) or moved_to(back, back_bound, analytic, numeric, bound):
        return "reshaped where it should be transposed"
    order, right_order = np.argsort(analytic, axis=None), np.argsort(numeric, axis=None)
    bounds = bound.ravel()[order] + bound.ravel()[right_order]
    if agree(analytic.ravel()[order], numeric.ravel()[right_order], bounds):
        return "the right numbers in another order"
    return ""


def moved_to(moved: Array, moved_bound: Array, analytic: Array, numeric: Array, bound: Array) -> bool:
    """Return whether a gradient has the right numbers in the order of `moved`, and not in the right order.

    >>> zero = np.zeros(2)
    >>> moved_to(np.array([2.0, 1.0]), zero, np.array([2.0, 1.0]), np.array([1.0, 2.0]), zero)
    True
    """
    both = bound + moved_bound
    return agree(analytic, moved, both) and not agree(analytic, numeric, both)


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
