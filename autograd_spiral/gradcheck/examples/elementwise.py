"""Examples of elementwise functions, and of functions that return facts about an array, such as its shape."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import (
    NONZERO,
    POSITIVE,
    REAL,
    UNIT,
    Domain,
    Function,
    below,
    example,
    mask,
)
from autograd_spiral.vocabulary import functions

np: Any = numpy  # its stubs know nothing of Tensors

BENT = Domain(0.4, 2, signed=True, kink=0.0)

UNARY: dict[Function, Domain] = {
    **dict.fromkeys((np.positive, np.negative, np.square, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.arctan), REAL),
    **dict.fromkeys((np.sinh, np.cosh, np.tanh, np.arcsinh, np.copy, np.ravel, np.sinc, np.i0), REAL),
    **dict.fromkeys((np.deg2rad, np.radians, np.rad2deg, np.degrees, np.conjugate, np.real, np.real_if_close), REAL),
    **dict.fromkeys(
        (functions.sigmoid, functions.silu, functions.softplus, functions.erf, functions._ndtr, functions.gelu), REAL
    ),
    **dict.fromkeys((np.sqrt, np.log, np.log2, np.log10, np.log1p), POSITIVE),
    **dict.fromkeys((np.cbrt, np.reciprocal), NONZERO),
    **dict.fromkeys((np.absolute, np.fabs, functions.relu, functions.leaky_relu, functions.elu), BENT),
    **dict.fromkeys((np.arcsin, np.arccos, np.arctanh), UNIT),
    np.tan: Domain(-1.1, 1.1),
    np.arccosh: Domain(1.4, 3),
}
BINARY: dict[Function, Domain] = {
    **dict.fromkeys((np.add, np.subtract, np.multiply, np.logaddexp, np.logaddexp2), REAL),
    **dict.fromkeys((np.divide, np.hypot, np.arctan2), NONZERO),
    np.power: POSITIVE,
}
REMAINDERS = (np.remainder, np.fmod)
CHOICES = (np.maximum, np.minimum, np.fmax, np.fmin)
STEPS = (np.sign, np.floor, np.ceil, np.trunc, np.rint, np.round)
ROUNDED = (np.around, np.fix)
PREDICATES = (np.logical_not, np.isfinite, np.isinf, np.isnan, np.signbit)
LOGICAL = (np.logical_and, np.logical_or, np.logical_xor)
RELATIONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, *LOGICAL)
BITWISE = (np.bitwise_and, np.bitwise_or, np.bitwise_xor)
OF_INTEGERS = (np.left_shift, np.right_shift, np.gcd, np.lcm)
DTYPES = (np.result_type, np.common_type, np.min_scalar_type, np.can_cast, np.iscomplexobj, np.isrealobj)
FACTS = (np.shape, np.ndim, np.size, *DTYPES)
LIKES = (np.zeros_like, np.ones_like)
WITHOUT = (np.imag, np.iscomplex, np.isreal, np.isposinf, np.isneginf)

for _f, _domain in UNARY.items():
    example(_f, _domain(2, 3))
for _f, _domain in BINARY.items():
    example(_f, _domain(2, 3), _domain(3))
example((*STEPS, *ROUNDED, *PREDICATES, *FACTS[:3], *LIKES, *WITHOUT), REAL(2, 3))
example(CHOICES, Domain(kink=0.5)(2, 3), Domain(kink=0.5)(3))
example(RELATIONS, REAL(2, 3), REAL(3))
example(BITWISE, mask(2, 3), mask(2, 3), REAL(2, 3), call=lambda f, a, b, x: np.where(f(a, b), x, 0))
for _exponent in (3, 0, -1.5):
    example(np.power, POSITIVE(2, 3), call=lambda _, x, exponent: x**exponent, exponent=_exponent)

example(np.clip, Domain(kink=-0.5)(2, 3), a_min=-0.5, a_max=0.8)
example(np.full_like, REAL(2, 3), fill_value=2.5)
example(np.astype, REAL(2, 3), call=lambda f, x: f(x, np.float64))
example(np.ndarray.astype, REAL(2, 3), call=lambda _, x: x.astype(np.float64))
example(functions.gelu, REAL(2, 3), approximate=True)
example(np.where, mask(2, 1), REAL(2, 3), REAL(3))
example(np.where, Domain(kink=0.25)(2, 3), call=lambda f, x: f(x > 0.25, x, 2 * x - 0.25))
example(np.invert, mask(2, 3), REAL(2, 3), call=lambda f, mask, x: np.where(f(mask), x, 0))

# away from the jumps
example(
    (*REMAINDERS, np.floor_divide, np.divmod), Domain(5.2, 5.6, signed=True)(2, 3), Domain(1.95, 2.05, signed=True)(3)
)
example(np.float_power, POSITIVE(2, 3), REAL(3))
example(np.modf, Domain(1.2, 1.8, signed=True)(2, 3))
example(np.copysign, NONZERO(2, 3), NONZERO(3))
example(np.heaviside, NONZERO(2, 3), REAL(3))
example(np.heaviside, REAL(3), call=lambda f, h: f(np.zeros((2, 1)), h))
example(np.ldexp, REAL(2, 3), below(5, 3))
example(np.round, REAL(2, 3), decimals=1)
example(np.isclose, REAL(2, 3), REAL(3), atol=0.5)
example(DTYPES[:3], REAL(3), call=lambda f, x: f(x) == np.float64)
example(np.can_cast, REAL(3), call=lambda f, x: f(x, np.float64))
example(DTYPES[-2:], REAL(2, 3))
example(OF_INTEGERS, below(9, 2, 3), below(4, 3), REAL(2, 3), call=lambda f, a, b, x: f(a, b) * x)
example(np.bitwise_count, below(9, 2, 3), REAL(2, 3), call=lambda f, a, x: f(a) * x)
example(np.nan_to_num, REAL(2, 3))
example(np.nan_to_num, NONZERO(4), call=lambda f, x: f(np.where(x < 0, np.nan, x), nan=1.5, posinf=2.0))
example(np.select, REAL(2, 3), REAL(3), call=lambda f, x, y: f([y > 1, y > 0], [x, x * y], 2.0))
example(np.choose, below(3, 2, 3), REAL(3), REAL(2, 1), call=lambda f, i, x, y: f(i, [x, y, 0.5]))
for _how in ("wrap", "clip"):
    example(np.choose, below(5, 3), REAL(3), REAL(3), call=lambda f, i, x, y, mode: f(i, [x, y], mode=mode), mode=_how)
example(np.piecewise, NONZERO(2, 3), call=lambda f, x: f(x, [_even(x)], [lambda v, a: np.sin(a * v), 2.5], 3))


def _even(x: Any) -> Any:
    return np.arange(x.size).reshape(x.shape) % 2 == 0


_at, _knots = np.array([-0.5, 0.3, 1.7, 2.2, 4.5]), np.array([0.0, 1.0, 2.0, 3.0])
example(np.interp, REAL(4), call=lambda f, y: f(_at, _knots, y))
example(np.interp, Domain(1.1, 1.9)(2, 3), REAL(4), call=lambda f, x, y: f(x, _knots, y, left=0.0))
example(np.interp, Domain(-0.1, 0.1)(4), REAL(4), call=lambda f, p, y: f(_at, _knots + p, y))
example(np.interp, Domain(7.1, 7.9)(2, 3), REAL(4), call=lambda f, x, y: f(x, _knots, y, period=5.0))
example(np.unwrap, Domain(-0.2, 0.2)(2, 4), call=lambda f, p: f(p + np.array([0.0, 3.0, -2.0, 9.0])))
example(np.unwrap, Domain(-0.2, 0.2)(4, 2), call=lambda f, p: f(p + np.array([[0], [3], [-2], [9]]), 3, 0, period=4))
