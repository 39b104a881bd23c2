"""Example calls of every function of the rule table, within its domain and on its kinks, which `check` runs over.

The groups of functions and their domains are listed here alone: the tests draw calls of many shapes from them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy
from numpy.typing import NDArray

from autograd_spiral.vocabulary import functions
from autograd_spiral.vocabulary.rules import scatter

__all__ = ["EXAMPLES", "Domain", "Example"]

np: Any = numpy  # its stubs know nothing of Tensors
Array: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[..., Any]
Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Example:
    """A call: `function(*inputs)`. Inputs of integers and booleans are constants."""

    function: Function
    inputs: tuple[Array, ...]


@dataclass(frozen=True)
class Domain:
    """Numbers between `low` and `high`, or, if `signed`, their negatives too; a `kink` is a point worth meeting.

    >>> bool(np.all(abs(Domain(1, 2, signed=True).draw(np.random.default_rng(0), (100,))) >= 1))
    True
    """

    low: float = -2
    high: float = 2
    signed: bool = False
    kink: float | None = None

    def draw(self, rng: numpy.random.Generator, shape: Shape) -> Array:
        """Return an array of numbers of the domain.

        >>> Domain(0.5, 0.5).draw(np.random.default_rng(0), (2,))
        array([0.5, 0.5])
        """
        values = rng.uniform(self.low, self.high, shape)
        return values * rng.choice([-1, 1], shape) if self.signed else values

    def __call__(self, *shape: int) -> Callable[[numpy.random.Generator], Array]:
        """Return a function that draws an array of this shape; its first element is the kink, if there is one."""

        def draw(rng: numpy.random.Generator) -> Array:
            x = self.draw(rng, shape)
            if self.kink is not None:
                x.flat[0] = self.kink
            return x

        return draw


# --- groups of functions ------------------------------------------------------------------------------------------

REAL, POSITIVE, NONZERO, UNIT = Domain(), Domain(0.4, 3), Domain(0.4, 2, signed=True), Domain(-0.7, 0.7)
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
TRUTHS = (np.all, np.any)
SEARCHES = (np.argmax, np.argmin)
FACTS = (np.shape, np.ndim, np.size)
LIKES = (np.zeros_like, np.ones_like)
OF_MATRICES = (np.transpose, np.matrix_transpose, np.tril, np.triu, np.trace)
SUMS = (np.sum, np.mean, np.prod, np.var, np.std)
EXTREMA = (np.max, np.min, np.amax, np.amin)
ALONG_AN_AXIS = (functions.softmax, functions.log_softmax, functions.logsumexp)

# --- examples -----------------------------------------------------------------------------------------------------

EXAMPLES: dict[Function, list[Callable[[numpy.random.Generator], Example]]] = {}
"""From each function to the functions that draw example calls of it."""


def _add(function: Function, *draws: Callable[[numpy.random.Generator], Array], call: Function | None = None) -> None:
    examples = EXAMPLES.setdefault(function, [])
    examples.append(lambda rng: Example(call or function, tuple(draw(rng) for draw in draws)))


def _below(high: int, *shape: int) -> Callable[[numpy.random.Generator], Array]:
    return lambda rng: rng.integers(0, high, shape)


def _mask(*shape: int) -> Callable[[numpy.random.Generator], Array]:
    return lambda rng: rng.integers(0, 2, shape).astype(bool)


_of_reals = (*OF_MATRICES, *STEPS, *PREDICATES, *TRUTHS, *SEARCHES, *FACTS, *LIKES, *SUMS, *ALONG_AN_AXIS)
for _f, _domain in {**UNARY, **dict.fromkeys(_of_reals, REAL)}.items():
    _add(_f, _domain(2, 3))
for _f, _domain in {**BINARY, **dict.fromkeys(CHOICES, Domain(kink=0.5)), **dict.fromkeys(RELATIONS, REAL)}.items():
    _add(_f, _domain(2, 3), _domain(3))
for _f in BITWISE:
    _add(_f, _mask(2, 3), _mask(2, 3), REAL(2, 3), call=lambda a, b, x, f=_f: np.where(f(a, b), x, 0))
for _f in SUMS:
    _add(_f, REAL(2, 3, 2), call=lambda x, f=_f: f(x, axis=(0, 2), keepdims=True))
for _f in (functions.softmax_cross_entropy, functions._label_cross_entropy):
    for _how in ("mean", "sum", "none"):
        _add(_f, REAL(4, 3), _below(3, 4), call=lambda x, labels, f=_f, how=_how: f(x, labels, reduction=how))
for _order in (None, 1, np.inf, 3):
    _add(np.linalg.norm, REAL(4), call=lambda x, order=_order: np.linalg.norm(x, order))
for _order in (2, 3, 1):
    _add(np.linalg.vector_norm, NONZERO(2, 3), call=lambda x, o=_order: np.linalg.vector_norm(x, axis=1, ord=o))
for _exponent in (3, 0, -1.5):
    _add(np.power, POSITIVE(2, 3), call=lambda x, exponent=_exponent: x**exponent)

_products: tuple[tuple[Function, Shape, Shape], ...] = (
    *((np.matmul, (2, 3), (3, 4)), (np.matmul, (2, 2, 3), (3, 2)), (np.matmul, (3,), (3, 2))),
    *((np.matmul, (2, 3), (3,)), (np.matmul, (3,), (3,)), (np.dot, (2, 3), (3, 2)), (np.dot, (2, 3), (3,))),
    *((np.dot, (), (3,)), (np.dot, (2, 3), (2, 3, 2)), (np.vdot, (2, 3), (2, 3)), (np.inner, (2, 3), (4, 3))),
    *((np.outer, (2,), (3,)), (np.tensordot, (2, 3, 2), (3, 2, 2)), (functions.mean_squared_error, (2, 3), (2, 3))),
)
for _f, _x, _y in _products:
    _add(_f, REAL(*_x), REAL(*_y))

_forms: dict[str, tuple[Shape, ...]] = {
    "ij,jk->ik": ((2, 3), (3, 2)),
    "bij,bj->i": ((2, 3, 2), (2, 2)),
    "ii->i": ((3, 3),),
    "ij,k->j": ((2, 3), (2,)),
    "i,i,i": ((3,), (3,), (3,)),
}
for _form, _shapes in _forms.items():
    _add(np.einsum, *(REAL(*shape) for shape in _shapes), call=lambda *args, form=_form: np.einsum(form, *args))

_further_arguments: dict[Function, tuple[Any, ...]] = {
    **dict.fromkeys(EXTREMA, (1,)),
    **dict.fromkeys(ALONG_AN_AXIS, (0,)),
    **dict.fromkeys((np.moveaxis, np.swapaxes), (0, 1)),
    **dict.fromkeys((np.cumsum, np.expand_dims, np.flip, np.diagonal), (1,)),
    np.clip: (-0.5, 0.8),
    np.full_like: (2.5,),
    np.astype: (np.float64,),
    np.reshape: ((3, 2),),
    np.broadcast_to: ((2, 2, 3),),
    np.pad: (((1, 0), (0, 2)),),
    np.split: (3, 1),
    np.tile: ((2, 2),),
    np.roll: (1, 1),
    np.take: ([0, 2, 0], 1),
    np.repeat: (2, 0),
    operator.getitem: ((1, slice(None, None, -2)),),
}
for _f, _arguments in _further_arguments.items():
    _add(_f, Domain(kink=-0.5)(2, 3), call=lambda x, f=_f, arguments=_arguments: f(x, *arguments))

_add(np.ndarray.astype, REAL(2, 3), call=lambda x: x.astype(np.float64))
_add(np.squeeze, REAL(1, 3))
_add(functions.gelu, REAL(2, 3), call=lambda x: functions.gelu(x, approximate=True))
_add(np.where, _mask(2, 1), REAL(2, 3), REAL(3))
_add(np.where, Domain(kink=0.25)(2, 3), call=lambda x: np.where(x > 0.25, x, 2 * x - 0.25))
_add(np.invert, _mask(2, 3), REAL(2, 3), call=lambda mask, x: np.where(np.invert(mask), x, 0))
_add(np.max, lambda rng: np.append(rng.uniform(-1, 1, 3), [1.5, 1.5]))
_add(operator.getitem, REAL(3, 2), _below(3, 4), call=lambda x, rows: x[rows, 1])
_add(operator.getitem, REAL(3, 2), _mask(3), call=lambda x, mask: x[mask])
_add(scatter, REAL(4), _below(3, 4), call=lambda x, rows: scatter(x, rows, index=("array",), shape=(3,)))
_add(np.take_along_axis, REAL(2, 3), _below(2, 2, 3), call=lambda x, i: np.take_along_axis(x, i, axis=0))
_add(np.concatenate, REAL(2, 3), REAL(1, 3), call=lambda x, y: np.concatenate([x, y]))
_add(np.stack, REAL(2, 3), REAL(2, 3), call=lambda x, y: np.stack([x, y], axis=1))
_add(  # rows of probabilities must sum to 1, at every step of a difference
    functions.softmax_cross_entropy,
    *(REAL(2, 3), REAL(2, 3)),
    call=lambda x, z: functions.softmax_cross_entropy(x, functions.softmax(z)),
)
