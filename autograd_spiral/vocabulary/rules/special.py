"""The ufuncs of `scipy.special`, which follow NumPy's protocol: their rows are entered when one of them is first used.

SciPy is never imported here. Rules compute in float64, since SciPy's functions are not accurate in narrow dtypes.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from autograd_spiral.engine.table import PRIMITIVES, WHEN_MISSING, define
from autograd_spiral.vocabulary.rules.elementwise import COSINES, VERSINES, bell, i0_slope, in_wider

_ROOT_PI = math.sqrt(math.pi)
_SQUARES = [(0.4375 * n) ** 2 for n in range(16, 0, -1)]  # exact; the largest terms come last


def _shortfall(x: Any) -> Any:
    """Return `1 - √π · x · erfcx(x)`, which is between 0 and 1, for x > 0.25.

    It is the integral of `2/√π · exp(-t²) · t² / (t² + x²)` over t > 0: a sum by the trapezoidal rule in steps of
    0.4375, plus the residue at `t = ix`, which the rule leaves out.
    """
    near, small = np.minimum(x, 1e8), np.minimum(x, 6)  # for larger x, it is 1 / (2x²), and the residue adds nothing
    square = np.square(near)
    total = sum(0.875 / _ROOT_PI * each * math.exp(-each) / (square + each) for each in _SQUARES)
    residue = small * np.exp(np.square(small)) / np.expm1(32 / 7 * math.pi * small) * (x < 6)
    return total * np.square(near / x) + 2 * _ROOT_PI * residue


def _erfinv_slope(x: Any, z: Any) -> Any:
    """Return `√π/2 · exp(z²)` for `z = erfinv(x)`, if z is small, else `√π/2 · erfcx(|z|) / (1 - |x|)`.

    The two are equal, but the power would magnify the rounding of a large z.
    """
    size = np.minimum(np.absolute(z), 6)  # larger only where x is 1 or -1
    small = size < 0.6
    near, far = np.where(small, z, 0), np.where(small, 1, size)
    quotient = (1 - _shortfall(far)) / (2 * far * (1 - np.absolute(x)))
    return np.where(small, _ROOT_PI / 2 * np.exp(np.square(near)), quotient)


def _erfcx_slope(special: Any, x: Any, out: Any) -> Any:
    """Return `2x · erfcx(x) - 2/√π`, whose terms cancel for positive x."""
    right, left = x > 0.25, np.minimum(x, 0)
    value = np.where(x < 0, 2 / bell(left) - special.erfcx(-left), out)  # below 0, SciPy's erfcx has few digits
    return np.where(right, -2 / _ROOT_PI * _shortfall(np.where(right, x, 1)), 2 * x * value - 2 / _ROOT_PI)


def _log_ndtr_slope(special: Any, x: Any) -> Any:
    """Return the density of the normal distribution at x, divided by the probability of values up to x."""
    right = x > -0.7  # where SciPy's ndtr has enough digits
    above, below = np.where(right, x, 0), np.where(right, -1, x)
    left = -below / (1 - _shortfall(-below / math.sqrt(2)))
    return np.where(right, bell(above, 2) / math.sqrt(2 * math.pi) / special.ndtr(above), left)


def _digamma(special: Any, x: Any) -> Any:
    """Return `digamma(x)`; below 0, by reflection: `digamma(1 - x) - π · cot(πx)`, for at most a quarter turn."""
    left = x < 0
    right = np.where(left, 1 - x, 1)
    lost = (1 - right) - x  # by rounding; it matters where digamma is near 0, with a slope of about 1 / (x - 0.43)
    value, part = special.digamma(np.where(left, right, x)), np.where(left, x - np.rint(x), 0.25)
    size = np.absolute(part)
    steep = size < 0.25
    tangent = np.tan(math.pi * np.where(steep, size, 0.5 - size))
    cotangent = np.where(steep, math.pi / np.where(steep, tangent, 1), math.pi * tangent)
    return np.where(left, value + lost / (right - 0.43) - np.copysign(1, part) * cotangent, value)


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def _trigamma(x: Any) -> Any:
    """Return the derivative of digamma: the sum of 1 / (x + n)² over n = 0, 1, 2, …

    From n = 8 on it is an asymptotic series. Below 0, there are such sums on both sides of the largest term.
    """
    left = x < 0
    rest = np.where(left, x - np.rint(x), 0.5)
    y = np.stack([1 + rest, 1 - rest, np.where(left, 1 - x, x)])
    inverse, series = 1 / (y + 8), np.zeros_like(y)
    for number in reversed(_BERNOULLI):
        series = (number + series) * np.square(inverse)
    one, other, value = inverse * (1 + inverse / 2 + series) + sum(np.square(1 / (y + n)) for n in range(7, -1, -1))
    return np.where(left, np.square(1 / rest) + (one + (other - value)), value)


_ROOT, _LOG_PLUS_1 = 0.36787944117144233, 3.3784855259134224e-17  # 1/e, where the slope of entr is 0; log(_ROOT) + 1


def _entr_slope(x: Any) -> Any:
    """Return `-log(x) - 1`, computed near its root 1/e from the distance to the root."""
    near = np.absolute(x - _ROOT) < 0.1
    distance = np.where(near, x - _ROOT, 0) / _ROOT
    return -np.where(near, np.log1p(distance) + _LOG_PLUS_1, np.log(np.where(near, 1, x)) + 1)


def _i1_slope(x: Any) -> Any:
    """Return the mean of `cos² θ · cosh(x · cos θ)` over a quarter turn, by the trapezoidal rule."""
    size = np.minimum((np.copysign(1, x) * x)[..., None], 1400)  # at 1400, the result overflows
    root, rise = np.exp(size / 2), np.exp(-VERSINES * size) * (1 + np.exp(-2 * COSINES * size))
    return np.mean(root * (np.square(COSINES) / 2 * rise) * root, axis=-1)


def _i0e_slope(x: Any) -> Any:
    """Return `sign(x) · (I₁(|x|) - I₀(|x|)) · exp(-|x|)`.

    It is computed as a mean, as in `_i1_slope`, or as a series if |x| is large.
    """
    size = np.absolute(x)
    large = size > 30
    near, far = np.where(large, 0, size)[..., None], np.where(large, size, 30)
    mean = np.mean(VERSINES * np.exp(-VERSINES * near) + (2 - VERSINES) * np.exp((VERSINES - 2) * near), axis=-1) / 2
    series = np.full_like(far, 18.5)
    for n in range(18, 0, -1):
        series = n - 0.5 + (2 * n - 1) ** 2 / (8 * n) / far * series
    return -np.sign(x) * np.where(large, series / far / np.sqrt(2 * math.pi * far), mean)


def _over(x: Any, y: Any) -> Any:
    """Return `x / y`; 0 where both are 0, since `x · log(y)` is 0 for any y if x is 0."""
    return x / np.where((x == 0) & (y == 0), 1, y)


def enter(function: Any = None) -> None:
    """Enter the rows of `scipy.special` if it was imported; called when a function is missing from the table."""
    special: Any = sys.modules.get("scipy.special")
    if getattr(special, "log_ndtr", None) is None or special.log_ndtr in PRIMITIVES:  # not imported, or entered already
        return
    rules: dict[str, tuple[Any, ...]] = {
        "expit": (lambda ct, out, x: ct * (out * special.expit(-x)),),
        "logit": (lambda ct, out, x: ct / (x * (1 - x)),),
        "log_expit": (lambda ct, out, x: ct * special.expit(-x),),
        "erf": (lambda ct, out, x: ct * (2 / _ROOT_PI * bell(x)),),
        "erfc": (lambda ct, out, x: ct * (-2 / _ROOT_PI * bell(x)),),
        "erfcx": (lambda ct, out, x: ct * _erfcx_slope(special, x, out),),
        "erfinv": (lambda ct, out, x: ct * _erfinv_slope(x, out),),
        "gammaln": (lambda ct, out, x: ct * _digamma(special, x),),
        "digamma": (lambda ct, out, x: ct * _trigamma(x),),
        "xlogy": (lambda ct, out, x, y: ct * np.log(y), lambda ct, out, x, y: ct * _over(x, y)),
        "xlog1py": (lambda ct, out, x, y: ct * np.log1p(y), lambda ct, out, x, y: ct * _over(x, 1 + y)),
        "entr": (lambda ct, out, x: ct * _entr_slope(x),),
        "i0": (lambda ct, out, x: ct * i0_slope(x),),
        "i0e": (lambda ct, out, x: ct * _i0e_slope(x),),
        "i1": (lambda ct, out, x: ct * _i1_slope(x),),
        "ndtr": (lambda ct, out, x: ct * (bell(x, 2) / math.sqrt(2 * math.pi)),),
        "log_ndtr": (lambda ct, out, x: ct * _log_ndtr_slope(special, x),),
    }
    for name, vjps in rules.items():
        function = getattr(special, name)
        again = function if name in ("expit", "erfcx", "erfinv") else None  # whose rules use the output
        define(function, *in_wider(np.float64, again, *vjps)).name = f"special.{name}"


WHEN_MISSING.append(enter)
enter()
