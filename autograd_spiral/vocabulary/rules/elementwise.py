"""Elementwise functions: arithmetic, functions of one argument, comparisons, choices, conversion."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from autograd_spiral.engine.table import define
from autograd_spiral.vocabulary import fast_paths, signatures
from autograd_spiral.vocabulary.rules.linalg import kink

# --- arithmetic -------------------------------------------------------------------------------------------------------


def _power_x(ct: Any, out: Any, x: Any, y: Any) -> Any:
    """Return `ct · y · x**(y - 1)`; 0 where y is 0, for any x."""
    if isinstance(y, int | float):
        return ct * (y * (x if y == 2 else x ** (y - 1))) if y != 0 else np.zeros_like(out)
    constant = y == 0
    base = np.where(np.absolute(x) > 0, x, 1)  # used for x**0 only: any number will do where x is 0 or NaN
    return ct * np.where(constant, y / base, y * x ** np.where(constant, 0, y - 1))


def _power_y(ct: Any, out: Any, x: Any, y: Any) -> Any:
    """Return `ct · x**y · log x`; 0 where x is 0."""
    zero = x == 0  # where out may be infinite
    log = np.log(np.where(zero, np.ones_like(out), x))  # in the dtype of out: that of x may be narrower
    return ct * (np.where(zero, 0, out) * log)


def _share(ct: Any, out: Any, x: Any, y: Any) -> Any:
    """Return the cotangent where the result came from `x`, half of the cotangent at a tie with `y`, and 0 elsewhere."""
    return np.where(x == out, np.where(y == out, 0.5 * ct, ct), 0)


def _scaled(x: Any, y: Any) -> tuple[Any, Any]:
    """Return the larger of |x| and |y|, made neither 0 nor infinite, and `x² + y²`, with both divided by it."""
    size = np.maximum(np.absolute(x), np.absolute(y))
    size = np.clip(size, np.finfo(size.dtype).tiny, np.finfo(size.dtype).max)
    return size, np.square(x / size) + np.square(y / size)


def _over_length(a: Any, x: Any, y: Any) -> Any:
    """Return `a / √(x² + y²)`, even where the squares overflow or round to 0; where both are 0, 0 and a kink."""
    size, squares = _scaled(x, y)
    return a / size / np.sqrt(np.maximum(squares, 2.0**-120)) + kink(a, squares == 0)


def _over_squares(a: Any, x: Any, y: Any) -> Any:
    """Return `a / (x² + y²)`, even where the squares overflow or round to 0."""
    size, squares = _scaled(x, y)
    # a / size might be subnormal, with few digits; if size is below 1, dividing by it again magnifies the error
    up = np.where((np.absolute(a) < 2.0**-100) & (size < 1), 2.0**60, np.ones_like(size))
    return a * up * up / (size * up) / (size * up) / squares


def _weight(x: Any, y: Any, exp: Any) -> Any:
    """Return `exp(x) / (exp(x) + exp(y))`, in float64; 0 where x and y are -inf, and NaN where one of them is NaN."""
    below, infinite, most = x < y, (np.isinf(x) | np.isinf(y)) & (x == x) & (y == y), np.where(x == -math.inf, 0.0, 1.0)
    x, y = np.where(infinite, 1e6 * (x > y), x), np.where(infinite, 1e6 * below, y)  # 1e6 acts like infinity
    gap = x - y
    rest = (x - (gap - (gap - x))) - (y + (gap - x))  # what the difference lost by rounding
    rest = np.where(np.absolute(rest) < 1, rest, 0)  # larger only if one weight is 0 anyway
    sign = np.where(below, 1.0, -1.0)
    ratio = exp(sign * gap) * exp(sign * rest)
    return np.where(below, ratio, most) / (1 + ratio)


def in_wider(least: Any, function: Any, *vjps: Any) -> list[Any]:
    """Return rules that compute in dtype `least` if an argument is narrower; `function` then recomputes the output.

    It is None if no rule uses the output.

    >>> (rule,) = in_wider(np.float32, np.tanh, lambda ct, out, x: ct * (1 - out * out))
    >>> rule(np.float16(1), np.float16(0.9995), np.float16(4)).dtype
    dtype('float32')
    """
    size = np.dtype(least).itemsize

    def widened(x: Any) -> Any:
        return x.astype(least) if hasattr(x, "dtype") and x.dtype.itemsize < size else x

    def rule(vjp: Any, ct: Any, out: Any, *args: Any) -> Any:
        wide = [*map(widened, args)]
        if all(a is b for a, b in zip(args, wide, strict=True)):
            return vjp(ct, out, *args)
        return vjp(widened(ct), function and function(*wide), *wide).astype(np.promote_types(out.dtype, np.float32))

    return [functools.partial(rule, vjp) for vjp in vjps]


def symmetric(vjp: Any) -> list[Any]:
    """Return the rules for both arguments of a symmetric function, given the rule for the first.

    >>> [rule(1.0, 6.0, 2.0, 3.0) for rule in symmetric(lambda ct, out, x, y: ct * y)]
    [3.0, 2.0]
    """
    return [vjp, lambda ct, out, x, y: vjp(ct, out, y, x)]


define(np.positive, lambda ct, out, x: ct)
define(np.negative, lambda ct, out, x: -ct)
define(np.add, lambda ct, out, x, y: ct, lambda ct, out, x, y: ct, evaluate=fast_paths.add)
define(np.subtract, lambda ct, out, x, y: ct, lambda ct, out, x, y: -ct)
define(np.multiply, lambda ct, out, x, y: ct * y, lambda ct, out, x, y: ct * x)
define(np.divide, lambda ct, out, x, y: ct / y, *in_wider(np.float32, np.divide, lambda ct, out, x, y: -ct * (out / y)))
define(np.power, *in_wider(np.float32, np.power, _power_x, _power_y))
for extremum in (np.maximum, np.minimum, np.fmax, np.fmin):
    define(extremum, *symmetric(_share))
shares = (lambda ct, out, x, y: ct * _over_length(x, x, y), lambda ct, out, x, y: ct * _over_length(y, x, y))
define(np.hypot, *in_wider(np.float32, None, *shares))
turns = (lambda ct, out, x, y: ct * _over_squares(y, x, y), lambda ct, out, x, y: -ct * _over_squares(x, x, y))
define(np.arctan2, *in_wider(np.float32, None, *turns))
for logarithm, exp in ((np.logaddexp, np.exp), (np.logaddexp2, np.exp2)):
    define(logarithm, *in_wider(np.float64, None, *symmetric(lambda ct, out, x, y, exp=exp: ct * _weight(x, y, exp))))
define(np.remainder, lambda ct, out, x, y: ct, lambda ct, out, x, y: -ct * np.floor_divide(x, y))
define(np.fmod, lambda ct, out, x, y: ct, lambda ct, out, x, y: -ct * np.rint((x - out) / y))
define(np.copysign, lambda ct, out, x, y: ct * np.sign(x) * np.copysign(1, y), lambda ct, out, x, y: np.zeros_like(ct))
define(np.heaviside, lambda ct, out, x, y: np.zeros_like(ct), lambda ct, out, x, y: np.where(x == 0, ct, 0))
define(np.floor_divide, lambda ct, out, x, y: np.zeros_like(ct), lambda ct, out, x, y: np.zeros_like(ct))
define(np.ldexp, lambda ct, out, x, y: np.ldexp(ct, y), None)

# --- functions of one argument ----------------------------------------------------------------------------------------


def bell(x: Any, width: float = 1) -> Any:
    """Return `exp(-x² / width)`, accurate even for large x.

    It is the product of two factors: one for x rounded to sixteenths, whose square is exact, and one for the rest.

    >>> bell(np.array([0.0, 1.0, 1e200])).round(4)
    array([1.    , 0.3679, 0.    ])
    """
    x = np.clip(x, -60, 60)  # outside this range, the result is 0
    coarse = np.rint(16 * x) / 16
    return np.exp(-np.square(coarse) / width) * np.exp((coarse - x) * (coarse + x) / width)


def _sinc_slope(x: Any) -> Any:
    """Return `(cos(πx) - sinc(x)) / x`, or its Taylor series near 0, where the two terms cancel."""
    small = np.absolute(x) < 0.5
    near, far = np.where(small, x, 0), np.where(small, 1, x)
    square, series = np.square(math.pi * near), np.ones_like(near)
    for n in range(12, 0, -1):
        series = 1 - square / (2 * n * (2 * n + 3)) * series
    whole = np.rint(far)
    rest = far - whole  # without whole half turns, the angle keeps all its digits, and so does a cosine near 0
    steep = np.absolute(rest) > 0.25
    cosine = np.where(steep, np.sin(math.pi * (0.5 - np.absolute(rest))), np.cos(math.pi * rest))
    slope = (1 - 2 * np.remainder(whole, 2)) * (cosine - np.sin(math.pi * rest) / (math.pi * far)) / far
    return np.where(small, -(math.pi**2) / 3 * near * series, slope)


_ANGLES = (np.arange(64) + 0.5) * (math.pi / 128)  # the midpoints of 64 parts of a quarter turn
COSINES, VERSINES = np.cos(_ANGLES), 2 * np.sin(_ANGLES / 2) ** 2  # and 1 - cos θ


def i0_slope(x: Any) -> Any:
    """Return `I₁(x)`, the mean of `cos θ · sinh(x · cos θ)` over a quarter turn, by the trapezoidal rule.

    >>> i0_slope(np.array([0.0, 1.0])).round(6)
    array([0.      , 0.565159])
    """
    sign = np.copysign(1, x)
    size = np.minimum((sign * x)[..., None], np.full(1, 1400.0))  # a float64; there, the result overflows
    root, rise = np.exp(size / 2), -np.expm1(-2 * COSINES * size) * np.exp(-VERSINES * size)
    return sign * np.mean(root * (COSINES / 2 * rise) * root, axis=-1).astype(x.dtype)


define(np.square, lambda ct, out, x: ct * (2 * x))
define(np.sqrt, lambda ct, out, x: ct * (0.5 / out))
define(np.cbrt, *in_wider(np.float64, np.cbrt, lambda ct, out, x: ct / (3 * out * out)))
define(np.reciprocal, lambda ct, out, x: -ct * (out * out))
define(np.exp, lambda ct, out, x: ct * out)
define(np.exp2, lambda ct, out, x: ct * np.where(x > 0, np.exp2(x - 1) * math.log(4), out * math.log(2)))
define(np.expm1, lambda ct, out, x: ct * np.exp(x))
define(np.log, lambda ct, out, x: ct / x)
define(np.log2, lambda ct, out, x: ct * (1 / math.log(2) / x))
define(np.log10, lambda ct, out, x: ct * (1 / math.log(10) / x))
define(np.log1p, lambda ct, out, x: ct / (1 + x))
define(np.sin, lambda ct, out, x: ct * np.cos(x))
define(np.cos, lambda ct, out, x: -ct * np.sin(x))
define(np.tan, *in_wider(np.float64, np.tan, lambda ct, out, x: ct * (1 + out * out)))
define(np.arcsin, lambda ct, out, x: ct / np.sqrt((1 - x) * (1 + x)))
define(np.arccos, lambda ct, out, x: -ct / np.sqrt((1 - x) * (1 + x)))
define(np.arctan, *in_wider(np.float32, None, lambda ct, out, x: ct / (1 + x * x)))
define(np.sinh, lambda ct, out, x: ct * np.cosh(x))
define(np.cosh, lambda ct, out, x: ct * np.sinh(x))
define(np.tanh, *in_wider(np.float32, np.tanh, lambda ct, out, x: ct * (1 - out * out)))
define(np.arcsinh, lambda ct, out, x: ct / np.hypot(x, 1))
define(np.arccosh, lambda ct, out, x: ct / (np.sqrt(x - 1) * np.sqrt(x + 1)))
define(np.arctanh, lambda ct, out, x: ct / ((1 - x) * (1 + x)))
define(np.sinc, *in_wider(np.float64, None, lambda ct, out, x: ct * _sinc_slope(x)), bind=signatures.alone)
define(np.i0, *in_wider(np.float32, None, lambda ct, out, x: ct * i0_slope(x)), bind=signatures.alone)
define(np.conjugate, lambda ct, out, x: ct)
for magnitude in (np.absolute, np.fabs):
    define(magnitude, lambda ct, out, x: ct * np.sign(x))
for angle in (np.deg2rad, np.radians, np.rad2deg, np.degrees):
    define(angle, lambda ct, out, x, angle=angle: angle(ct))

for flat in (np.sign, np.floor, np.ceil, np.trunc, np.rint):
    define(flat, lambda ct, out, x: np.zeros_like(ct))
define(np.round, lambda ct, out, x, decimals: np.zeros_like(ct), bind=signatures.rounding)

# --- no gradient, but recorded ----------------------------------------------------------------------------------------

_TESTS = (np.logical_not, np.invert, np.isfinite, np.isinf, np.isnan, np.signbit, np.bitwise_count)
_COMPARISONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
_CONNECTIVES = (np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor)
for truth in (*_TESTS, *_COMPARISONS, *_CONNECTIVES, np.left_shift, np.right_shift, np.gcd, np.lcm):
    define(truth, *[None] * truth.nin)
define(np.isclose, None, None, bind=signatures.isclose)

# --- choosing, converting ---------------------------------------------------------------------------------------------

chosen = (lambda ct, out, mask, x, y: np.where(mask, ct, 0), lambda ct, out, mask, x, y: np.where(mask, 0, ct))
define(np.where, None, *chosen, bind=signatures.where)
define(
    np.choose,
    None,
    variadic=True,
    rest=lambda ct, out, index, *choices: lambda argument: np.where(index == argument - 1, ct, 0),
    bind=signatures.choose,
    evaluate=lambda index, *choices: np.choose(index, choices),
)
define(np.ndarray.astype, lambda ct, out, x, dtype: ct, bind=signatures.astype)  # the sweep restores the dtype of x
