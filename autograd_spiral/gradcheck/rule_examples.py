"""One seeded example call, or a few, for every row of the rule table and every function: what `check` runs over.

Inputs lie within the domain, and where a function has a kink, one element lies on it.
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

__all__ = ["EXAMPLES", "Example"]

np: Any = numpy  # its stubs know nothing of Tensors
Array: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Example:
    """A call: `function(*inputs)`. Inputs of integers and booleans are constants."""

    function: Function
    inputs: tuple[Array, ...]


EXAMPLES: dict[Function, list[Callable[[numpy.random.Generator], Example]]] = {}
"""From a function to what draws example calls of it."""


def _add(function: Function, draw: Callable[[numpy.random.Generator], tuple[Array, ...]], call: Any = None) -> None:
    EXAMPLES.setdefault(function, []).append(lambda rng: Example(call or function, draw(rng)))


def _normal(*shapes: tuple[int, ...], kink: float | None = None) -> Callable[[numpy.random.Generator], Any]:
    """Standard normals of these shapes; the first element of each is `kink`, if given."""

    def draw(rng: numpy.random.Generator) -> tuple[Array, ...]:
        arrays = tuple(rng.standard_normal(shape) for shape in shapes)
        for x in arrays if kink is not None else ():
            x[(0,) * x.ndim] = kink
        return arrays

    return draw


def _between(low: float, high: float, *shapes: tuple[int, ...]) -> Callable[[numpy.random.Generator], Any]:
    return lambda rng: tuple(rng.uniform(low, high, shape) for shape in shapes or ((2, 3),))


def _integers(high: int, *shapes: tuple[int, ...]) -> Callable[[numpy.random.Generator], Any]:
    return lambda rng: tuple(rng.integers(0, high, shape) for shape in shapes)


def _truths(*shapes: tuple[int, ...]) -> Callable[[numpy.random.Generator], Any]:
    return lambda rng: tuple(rng.integers(0, 2, shape).astype(bool) for shape in shapes)


def _both(*draws: Callable[[numpy.random.Generator], Any]) -> Callable[[numpy.random.Generator], Any]:
    return lambda rng: tuple(x for draw in draws for x in draw(rng))


MATRIX, PAIR = (2, 3), ((2, 3), (3,))
_shapes: tuple[tuple[int, ...], ...]

# --- elementwise ------------------------------------------------------------------------------------------------

for _f in (np.positive, np.negative, np.square, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.arctan, np.copy):
    _add(_f, _normal(MATRIX))
for _f in (np.sinh, np.cosh, np.tanh, np.arcsinh, np.sign, np.floor, np.ceil, np.trunc, np.rint):
    _add(_f, _normal(MATRIX))
for _f in (np.sqrt, np.log, np.log2, np.log10, np.log1p, np.cbrt, np.reciprocal):
    _add(_f, _between(0.3, 3))
for _f in (np.tan, np.arcsin, np.arccos, np.arctanh):
    _add(_f, _between(-0.9, 0.9))
_add(np.arccosh, _between(1.2, 3))
_add(np.absolute, _normal(MATRIX, kink=0.0))
for _f in (np.add, np.subtract, np.multiply, np.logaddexp):
    _add(_f, _normal(*PAIR))
for _f in (np.divide, np.hypot, np.arctan2, np.power):
    _add(_f, _between(0.3, 2, *PAIR))
for _exponent in (3, 0, -1.5):
    _add(np.power, _between(0.3, 2), lambda x, exponent=_exponent: x**exponent)
for _f in (np.maximum, np.minimum, np.fmax, np.fmin):
    _add(_f, _normal(*PAIR, kink=0.5))
_add(np.clip, _normal(MATRIX, kink=-0.5), lambda x: np.clip(x, -0.5, 0.8))
_add(np.where, _both(_truths((2, 1)), _normal(*PAIR)))
_add(np.where, _normal(MATRIX, kink=0.25), lambda x: np.where(x > 0.25, x, 2 * x - 0.25))
_add(np.ndarray.astype, _normal(MATRIX), lambda x: x.astype(np.float64))
_add(np.astype, _normal(MATRIX), lambda x: np.astype(x, np.float64))

# --- no gradient ------------------------------------------------------------------------------------------------

for _f in (np.logical_not, np.isfinite, np.isinf, np.isnan, np.signbit, np.all, np.any, np.argmax, np.argmin):
    _add(_f, _normal(MATRIX))
for _f in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal):
    _add(_f, _normal(*PAIR))
for _f in (np.logical_and, np.logical_or, np.logical_xor, np.shape, np.ndim, np.size):
    _add(_f, _normal(*(PAIR if isinstance(_f, np.ufunc) else PAIR[:1])))
_add(np.invert, _both(_truths(MATRIX), _normal(MATRIX)), lambda mask, x: np.where(np.invert(mask), x, 0))
for _f in (np.bitwise_and, np.bitwise_or, np.bitwise_xor):
    _add(
        _f,
        _both(_truths(MATRIX, MATRIX), _normal(MATRIX)),
        lambda a, b, x, function=_f: np.where(function(a, b), x, 0),
    )
for _f in (np.zeros_like, np.ones_like):
    _add(_f, _normal(MATRIX))
_add(np.full_like, _normal(MATRIX), lambda x: np.full_like(x, 2.5))

# --- products ---------------------------------------------------------------------------------------------------

for _shapes in (((2, 3), (3, 4)), ((2, 2, 3), (3, 2)), ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (3,))):
    _add(np.matmul, _normal(*_shapes))
for _shapes in (((2, 3), (3, 2)), ((2, 3), (3,)), ((), (3,)), ((2, 3), (2, 3, 2))):
    _add(np.dot, _normal(*_shapes))
_add(np.vdot, _normal((2, 3), (2, 3)))
_add(np.inner, _normal((2, 3), (4, 3)))
_add(np.outer, _normal((2,), (3,)))
_add(np.tensordot, _normal((2, 3, 2), (3, 2, 2)), lambda x, y: np.tensordot(x, y, axes=2))
for _form, _shapes in (
    ("ij,jk->ik", ((2, 3), (3, 2))),
    ("bij,bj->i", ((2, 3, 2), (2, 2))),
    ("ii->i", ((3, 3),)),
    ("ij,k->j", ((2, 3), (2,))),
    ("i,i,i", ((3,), (3,), (3,))),
):
    _add(np.einsum, _normal(*_shapes), lambda *args, form=_form: np.einsum(form, *args))
for _order in (None, 1, np.inf, 3):
    _add(np.linalg.norm, _normal((4,)), lambda x, order=_order: np.linalg.norm(x, order))

# --- reductions and scans ---------------------------------------------------------------------------------------

for _f in (np.sum, np.mean, np.prod, np.var, np.std):
    _add(_f, _normal(MATRIX))
    _add(_f, _normal((2, 3, 2)), lambda x, function=_f: function(x, axis=(0, 2), keepdims=True))
for _f in (np.max, np.min, np.amax, np.amin):
    _add(_f, _normal(MATRIX), lambda x, function=_f: function(x, axis=1))
_add(np.max, lambda rng: (np.append(rng.uniform(-1, 1, 3), [1.5, 1.5]),))
_add(np.cumsum, _normal(MATRIX), lambda x: np.cumsum(x, axis=1))
_add(np.trace, _normal((3, 3)))

# --- shapes and indexing ----------------------------------------------------------------------------------------

for _f, _call in {
    np.reshape: lambda x: np.reshape(x, (3, 2)),
    np.transpose: lambda x: np.transpose(x),
    np.broadcast_to: lambda x: np.broadcast_to(x, (2, 2, 3)),
    np.pad: lambda x: np.pad(x, ((1, 0), (0, 2))),
    np.ravel: lambda x: np.ravel(x),
    np.moveaxis: lambda x: np.moveaxis(x, 0, 1),
    np.swapaxes: lambda x: np.swapaxes(x, 0, 1),
    np.matrix_transpose: lambda x: np.matrix_transpose(x),
    np.expand_dims: lambda x: np.expand_dims(x, 1),
    np.squeeze: lambda x: np.squeeze(x[:1]),
    np.split: lambda x: np.split(x, 3, axis=1),
    np.tile: lambda x: np.tile(x, (2, 2)),
    np.flip: lambda x: np.flip(x, 1),
    np.roll: lambda x: np.roll(x, 1, axis=1),
    np.take: lambda x: np.take(x, [0, 2, 0], axis=1),
    np.repeat: lambda x: np.repeat(x, 2, axis=0),
    np.diagonal: lambda x: np.diagonal(x, 1),
    np.tril: lambda x: np.tril(x),
    np.triu: lambda x: np.triu(x),
    operator.getitem: lambda x: x[1, ::-2],
}.items():
    _add(_f, _normal(MATRIX), _call)
_add(operator.getitem, _both(_normal((3, 2)), _integers(3, (4,))), lambda x, rows: x[rows, 1])
_add(operator.getitem, _both(_normal((3, 2)), _truths((3,))), lambda x, mask: x[mask])
_add(
    scatter,
    _both(_normal((4,)), _integers(3, (4,))),
    lambda x, rows: scatter(x, rows, index=("array",), shape=(3,)),
)
_add(np.take_along_axis, _both(_normal(MATRIX), _integers(2, MATRIX)), lambda x, i: np.take_along_axis(x, i, axis=0))
_add(np.concatenate, _normal((2, 3), (1, 3)), lambda x, y: np.concatenate([x, y]))
_add(np.stack, _normal((2, 3), (2, 3)), lambda x, y: np.stack([x, y], axis=1))

# --- functions that NumPy lacks ---------------------------------------------------------------------------------

for _f in (functions.sigmoid, functions.silu, functions.softplus, functions.erf, functions.gelu):
    _add(_f, _normal(MATRIX))
_add(functions.gelu, _normal(MATRIX), lambda x: functions.gelu(x, approximate=True))
for _f in (functions.relu, functions.leaky_relu, functions.elu):
    _add(_f, _normal(MATRIX, kink=0.0))
for _f in (functions.softmax, functions.log_softmax, functions.logsumexp):
    _add(_f, _normal(MATRIX))
    _add(_f, _normal(MATRIX), lambda x, function=_f: function(x, axis=0))
for _f in (functions.softmax_cross_entropy, functions._label_cross_entropy):
    for _reduction in ("mean", "sum", "none"):
        _add(
            _f,
            _both(_normal((4, 3)), _integers(3, (4,))),
            lambda x, labels, function=_f, reduction=_reduction: function(x, labels, reduction=reduction),
        )
_add(
    functions.softmax_cross_entropy,  # rows of probabilities must sum to 1, at every step of a difference
    _normal(MATRIX, MATRIX),
    lambda x, z: functions.softmax_cross_entropy(x, functions.softmax(z)),
)
_add(functions.mean_squared_error, _normal(MATRIX, MATRIX))
