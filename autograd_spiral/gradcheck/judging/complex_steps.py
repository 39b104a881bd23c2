"""Complex steps: they find slopes that the values of a function hide, because it varies within their rounding."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["varies_within_spacing"]


SPACINGS = 1, 4, 16, 64  # steps, in spacings of the dtype, along which such a function shows that it varies


@np.errstate(all="ignore")
def varies_within_spacing(function: Callable[[complex], Array], slope: float, bound: float, scale: float) -> bool:
    """Return whether complex steps show this `slope`, within its `bound`, and that `function` varies within rounding.

    f(t + ih) is f(t) + ih f'(t) + …: the slope has the imaginary part to itself, where no larger term absorbs it
    (Squire and Trapp, 1998). So such a step can show a slope that differences of the values miss. They miss it only if
    the function varies within the spacing of its values, and then the slope changes as h grows. If the function is not
    analytic, as the absolute value, the step can show a wrong slope, but one that does not change. A function that does
    not take complex numbers shows nothing.

    >>> varies_within_spacing(lambda t: np.array([t + 1e-20 * np.sin(1e20 * t)]), 2.0, 1e-9, 1.0)
    True
    >>> varies_within_spacing(lambda t: np.array([t + np.abs(t)]), 1.0, 1e-9, 1.0)
    False
    """

    def seen(step: float) -> float:
        return float(np.sum(np.imag(function(1j * step)))) / step

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as that an imaginary part was dropped
            limits = np.finfo(function(1j * scale).dtype)
            if not abs(seen(float(limits.tiny) ** 0.75 * scale) - slope) <= bound:
                return False
            return any(not abs(seen(k * float(limits.eps) * scale) - slope) <= bound for k in SPACINGS)
    except Exception:
        return False
