"""Examples of elementwise functions, and of facts of an array."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import NONZERO, POSITIVE, REAL, UNIT, Domain, Function, example, mask
from autograd_spiral.vocabulary import functions

np: Any = numpy  # its stubs know nothing of Tensors

BENT = Domain(0.4, 2, signed=True, kink=0.0)

UNARY: dict[Function, Domain] = {
    **dict.fromkeys((np.positive, np.negative, np.square, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.arctan), REAL),
    **dict.fromkeys((np.sinh, np.cosh, np.tanh, np.arcsinh, np.copy, np.ravel), REAL),
    **dict.fromkeys((functions.sigmoid, functions.silu, functions.softplus, functions.erf, functions.gelu), REAL),
    **dict.fromkeys((np.sqrt, np.log, np.log2, np.log10, np.log1p), POSITIVE),
    **dict.fromkeys((np.cbrt, np.reciprocal), NONZERO),
    **dict.fromkeys((np.absolute, functions.relu, functions.leaky_relu, functions.elu), BENT),
    **dict.fromkeys((np.arcsin, np.arccos, np.arctanh), UNIT),
    np.tan: Domain(-1.1, 1.1),
    np.arccosh: Domain(1.4, 3),
}
BINARY: dict[Function, Domain] = {
    **dict.fromkeys((np.add, np.subtract, np.multiply, np.logaddexp), REAL),
    **dict.fromkeys((np.divide, np.hypot, np.arctan2), NONZERO),
    np.power: POSITIVE,
}
CHOICES = (np.maximum, np.minimum, np.fmax, np.fmin)
STEPS = (np.sign, np.floor, np.ceil, np.trunc, np.rint)
PREDICATES = (np.logical_not, np.isfinite, np.isinf, np.isnan, np.signbit)
LOGICAL = (np.logical_and, np.logical_or, np.logical_xor)
RELATIONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, *LOGICAL)
BITWISE = (np.bitwise_and, np.bitwise_or, np.bitwise_xor)
FACTS = (np.shape, np.ndim, np.size)
LIKES = (np.zeros_like, np.ones_like)

for _f, _domain in {**UNARY, **dict.fromkeys((*STEPS, *PREDICATES, *FACTS, *LIKES), REAL)}.items():
    example(_f, _domain(2, 3))
for _f, _domain in {**BINARY, **dict.fromkeys(CHOICES, Domain(kink=0.5)), **dict.fromkeys(RELATIONS, REAL)}.items():
    example(_f, _domain(2, 3), _domain(3))
for _f in BITWISE:
    example(_f, mask(2, 3), mask(2, 3), REAL(2, 3), call=lambda a, b, x, f=_f: np.where(f(a, b), x, 0))
for _exponent in (3, 0, -1.5):
    example(np.power, POSITIVE(2, 3), call=lambda x, exponent=_exponent: x**exponent)

example(np.clip, Domain(kink=-0.5)(2, 3), call=lambda x: np.clip(x, -0.5, 0.8))
example(np.full_like, REAL(2, 3), call=lambda x: np.full_like(x, 2.5))
example(np.astype, REAL(2, 3), call=lambda x: np.astype(x, np.float64))
example(np.ndarray.astype, REAL(2, 3), call=lambda x: x.astype(np.float64))
example(functions.gelu, REAL(2, 3), call=lambda x: functions.gelu(x, approximate=True))
example(np.where, mask(2, 1), REAL(2, 3), REAL(3))
example(np.where, Domain(kink=0.25)(2, 3), call=lambda x: np.where(x > 0.25, x, 2 * x - 0.25))
example(np.invert, mask(2, 3), REAL(2, 3), call=lambda mask, x: np.where(np.invert(mask), x, 0))
