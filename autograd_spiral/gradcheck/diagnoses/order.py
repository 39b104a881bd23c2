"""Whether a gradient has the right numbers in another order. Imports only NumPy."""

from __future__ import annotations

import numpy as np

from autograd_spiral.gradcheck.diagnoses.factors import agree
from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["moved_to", "of_order"]


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
