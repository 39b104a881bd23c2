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


def _erfinv_slope(special: Any, x: Any, z: Any) -> Any:
    """Return `√π/2 · exp(z²)` for `z = erfinv(x)`; erfcx corrects for the rounding of z, which the power magnifies."""
    inside = np.isfinite(z)
    size = np.absolute(np.where(inside, z, 0))
    power, tail = bell(size), special.erfcx(size)
    rest = _ROOT_PI * size * (tail - np.where(inside, 1 - np.absolute(x), 1) / power)
    slope = _ROOT_PI / 2 / power
    return np.where(inside, slope + slope * rest, np.absolute(z))


_STEPS = np.arange(1, 20) * 0.375  # whose squares are exact


def _erfcx_slope(special: Any, x: Any, out: Any) -> Any:
    """Return `2x · erfcx(x) - 2/√π`; for positive x, where these cancel, the difference of their trapezoidal sums."""
    right = x > 0.25
    y = np.where(right, x, 1)[..., None]
    terms = np.exp(-np.square(_STEPS)) * np.square(_STEPS / np.hypot(_STEPS, y))
    pole = np.minimum(np.where(right, x, 1), 6)  # for larger x, the pole adds nothing
    pole = pole * np.exp(np.square(pole)) / np.expm1(16 / 3 * math.pi * pole) * (x < 6)
    left = np.minimum(x, 0)  # where SciPy's erfcx has few digits
    value = np.where(x < 0, 2 / bell(left) - special.erfcx(-left), out)
    return np.where(right, -1.5 / math.pi * np.sum(terms, axis=-1) - 4 * pole, 2 * x * value - 2 / _ROOT_PI)


def _log_ndtr_slope(special: Any, x: Any) -> Any:
    right = x > -1  # where SciPy's ndtr has more digits than its erfcx
    above, below = np.where(right, x, 0), np.where(right, -1, x)
    left = math.sqrt(2 / math.pi) / special.erfcx(-below / math.sqrt(2))
    return np.where(right, bell(above, 2) / math.sqrt(2 * math.pi) / special.ndtr(above), left)


def _digamma(special: Any, x: Any) -> Any:
    """Return `digamma(x)`; below 0, by reflection, with the angle reduced by whole turns, to keep digits."""
    left = x < 0
    value = special.digamma(np.where(left, 1 - x, x))
    return np.where(left, value - math.pi / np.tan(math.pi * np.where(left, x - np.rint(x), 0.5)), value)


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def _trigamma(x: Any) -> Any:
    """Return the derivative of digamma: the sum of 1 / (x + n)², by its asymptotic series from n = 12 on.

    Below 0, it is found from the value at 1 - x, by reflection.
    """
    left = x < 0
    sine = np.sin(math.pi * (x - np.rint(x)))
    y = np.where(left, 1 - x, x)
    inverse = 1 / (y + 12)
    square, series = np.square(inverse), np.zeros_like(inverse)
    for number in reversed(_BERNOULLI):
        series = (number + series) * square
    terms = np.square(1 / (y[..., None] + np.arange(12.0)))
    value = np.sum(terms, axis=-1) + inverse * (1 + inverse / 2 + series)
    return np.where(left, np.square(math.pi / np.where(left, sine, 1)) - value, value)


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
        "erfinv": (lambda ct, out, x: ct * _erfinv_slope(special, x, out),),
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
        define(function, *in_wider(np.float64, function, *vjps)).name = f"special.{name}"


WHEN_MISSING.append(enter)
enter()
