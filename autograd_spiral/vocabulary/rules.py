"""The gradient rules: one row per primitive, and a rule, usually one line of NumPy, per argument.

A rule gets `ct`, the cotangent of the output, `out`, the output, and the primitive's arguments `x, y, …`; it returns
the cotangent of one argument. Rules run on arrays, and on Tensors when gradients are to have gradients. They never
undo broadcasting or promotion: the sweep does that, once for all of them.

What can be written with other functions needs no rule: it is one function in `compositions.py`. A new row needs an
entry in `examples.py`, from which it is checked.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_spiral.engine.calls import overridable
from autograd_spiral.engine.sweep import wide
from autograd_spiral.engine.table import PRIMITIVES, define
from autograd_spiral.vocabulary import fast_paths, signatures
from autograd_spiral.vocabulary.signatures import fill

__all__ = ["PRIMITIVES", "scatter", "share"]

# --- arithmetic -------------------------------------------------------------------------------------------------


def _power_x(ct: Any, out: Any, x: Any, y: Any) -> Any:
    """Return `ct · y · x**(y - 1)`; 0 where y is 0, for any x."""
    if isinstance(y, int | float):
        return ct * (y * x ** (y - 1)) if y != 0 else np.zeros_like(out)
    constant = y == 0
    base = np.where(np.absolute(x) > 0, x, 1)  # used for x**0 only: any number will do where x is 0 or NaN
    return ct * np.where(constant, y / base, y * x ** np.where(constant, 0, y - 1))


def _power_y(ct: Any, out: Any, x: Any, y: Any) -> Any:
    """Return `ct · x**y · log x`; 0 where x is 0."""
    zero = x == 0  # where out may be infinite
    log = np.log(np.where(zero, np.ones_like(out), x))  # in the dtype of out: that of x may be narrower
    return ct * (np.where(zero, 0, out) * log)


def _share(ct: Any, out: Any, x: Any, y: Any) -> Any:
    """Return the cotangent where `x` is the extremum of x and y, half of it in a tie, and 0 elsewhere."""
    return np.where(x == out, np.where(y == out, 0.5 * ct, ct), 0)


def _over_length(x: Any, length: Any) -> Any:
    """Return `x / length`; 0 where both are 0, where it has no derivative, as the square root has none."""
    zero = length == 0
    return np.where(zero, np.sqrt(np.where(zero, x, 1)), x / np.where(zero, 1, length))


def _over_squares(a: Any, x: Any, y: Any) -> Any:
    """Return `a / (x² + y²)`, also where the squares leave the range of the dtype."""
    size = np.hypot(x, y)
    return a / size / size


def _weight(x: Any, y: Any, out: Any) -> Any:
    """Return `exp(x) / (exp(x) + exp(y))`, the weight of x in `out = log(exp(x) + exp(y))`; 0 where out is -inf."""
    most = np.finfo(out.dtype).max
    shift = np.clip(np.maximum(x, y), -most, most)  # then x - shift is at most 0, unless x is infinite
    own, other = (np.exp(np.minimum(a - shift, 1)) for a in (x, y))
    total = own + other
    return own / np.where(total == 0, 1, total)


_FLOAT16 = np.dtype(np.float16)


def _in_float32(function: Any, *vjps: Any) -> list[Any]:
    """Return rules that compute in float32, from a value of `function` in float32, if its output is float16."""

    def precise(vjp: Any) -> Any:
        def rule(ct: Any, out: Any, x: Any, *y: Any) -> Any:
            if out.dtype is not _FLOAT16:
                return vjp(ct, out, x, *y)
            args = [wide(arg) if hasattr(arg, "dtype") else arg for arg in (x, *y)]
            return vjp(wide(ct), function(*args), *args)

        return rule

    return [precise(vjp) for vjp in vjps]


define(np.positive, lambda ct, out, x: ct)
define(np.negative, lambda ct, out, x: -ct)
define(np.add, lambda ct, out, x, y: ct, lambda ct, out, x, y: ct, evaluate=fast_paths.add)
define(np.subtract, lambda ct, out, x, y: ct, lambda ct, out, x, y: -ct)
define(np.multiply, lambda ct, out, x, y: ct * y, lambda ct, out, x, y: ct * x)
define(np.divide, lambda ct, out, x, y: ct / y, lambda ct, out, x, y: -ct * (out / y))
define(np.power, *_in_float32(np.power, _power_x, _power_y))
for extremum in (np.maximum, np.minimum, np.fmax, np.fmin):
    define(extremum, _share, lambda ct, out, x, y: _share(ct, out, y, x))
define(
    np.hypot,
    *_in_float32(
        np.hypot,
        lambda ct, out, x, y: ct * _over_length(x, out),
        lambda ct, out, x, y: ct * _over_length(y, out),
    ),
)
define(
    np.arctan2,
    *_in_float32(
        np.arctan2,
        lambda ct, out, x, y: ct * _over_squares(y, x, y),
        lambda ct, out, x, y: -ct * _over_squares(x, x, y),
    ),
)
define(
    np.logaddexp,
    *_in_float32(
        np.logaddexp,
        lambda ct, out, x, y: ct * _weight(x, y, out),
        lambda ct, out, x, y: ct * _weight(y, x, out),
    ),
)

# --- functions of one argument ----------------------------------------------------------------------------------

define(np.square, lambda ct, out, x: ct * (2 * x))
define(np.sqrt, lambda ct, out, x: ct * (0.5 / out))
define(np.cbrt, lambda ct, out, x: ct / (3 * out * out))
define(np.reciprocal, lambda ct, out, x: -ct * (out * out))
define(np.exp, lambda ct, out, x: ct * out)
define(np.exp2, lambda ct, out, x: ct * (out * math.log(2)))
define(np.expm1, lambda ct, out, x: ct * np.exp(x))
define(np.log, lambda ct, out, x: ct / x)
define(np.log2, lambda ct, out, x: ct * (1 / math.log(2) / x))
define(np.log10, lambda ct, out, x: ct * (1 / math.log(10) / x))
define(np.log1p, lambda ct, out, x: ct / (1 + x))
define(np.sin, lambda ct, out, x: ct * np.cos(x))
define(np.cos, lambda ct, out, x: -ct * np.sin(x))
define(np.tan, lambda ct, out, x: ct * (1 + out * out))
define(np.arcsin, lambda ct, out, x: ct / np.sqrt((1 - x) * (1 + x)))
define(np.arccos, lambda ct, out, x: -ct / np.sqrt((1 - x) * (1 + x)))
define(np.arctan, *_in_float32(np.arctan, lambda ct, out, x: ct / (1 + x * x)))
define(np.sinh, lambda ct, out, x: ct * np.cosh(x))
define(np.cosh, lambda ct, out, x: ct * np.sinh(x))
define(np.tanh, *_in_float32(np.tanh, lambda ct, out, x: ct * (1 - out * out)))
define(np.arcsinh, lambda ct, out, x: ct / np.hypot(x, 1))
define(np.arccosh, lambda ct, out, x: ct / (np.sqrt(x - 1) * np.sqrt(x + 1)))
define(np.arctanh, lambda ct, out, x: ct / ((1 - x) * (1 + x)))
define(np.absolute, lambda ct, out, x: ct * np.sign(x))

for flat in (np.sign, np.floor, np.ceil, np.trunc, np.rint):
    define(flat, lambda ct, out, x: np.zeros_like(ct))

# --- no gradient, but recorded ----------------------------------------------------------------------------------

for predicate in (np.logical_not, np.invert, np.isfinite, np.isinf, np.isnan, np.signbit):
    define(predicate, None)
for relation in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal):
    define(relation, None, None)
for connective in (np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor):
    define(connective, None, None)

# --- choosing, converting ---------------------------------------------------------------------------------------

define(
    np.where,
    None,
    lambda ct, out, condition, x, y: np.where(condition, ct, 0),
    lambda ct, out, condition, x, y: np.where(condition, 0, ct),
    bind=signatures.where,
)
define(np.ndarray.astype, lambda ct, out, x, dtype: ct, bind=signatures.astype)  # the sweep restores the dtype of x

# --- products ---------------------------------------------------------------------------------------------------


def _einsum_rule(ct: Any, out: Any, *args: Any, subscripts: str) -> Callable[[int], Any]:
    return lambda argument: _einsum_piece(ct, args, argument, subscripts)


def _einsum_piece(ct: Any, args: tuple[Any, ...], argument: int, subscripts: str) -> Any:
    """Return the einsum of the cotangent with the other operands, broadcast along axes that only this argument has."""
    terms, result = subscripts.split("->")
    inputs = terms.split(",")
    own, x = inputs[argument], args[argument]
    others = [(term, arg) for i, (term, arg) in enumerate(zip(inputs, args, strict=True)) if i != argument]
    known = set(result).union(*(term for term, _ in others))
    kept = "".join(letter for letter in own if letter in known)
    form = ",".join([result, *(term for term, _ in others)]) + "->" + kept
    piece = np.einsum(form, wide(ct), *(arg for _, arg in others))
    sizes = dict(zip(kept, piece.shape, strict=True))
    shape = tuple(sizes.get(letter, 1) for letter in own)
    target = np.broadcast_shapes(shape, x.shape)  # einsum broadcasts axes of length 1
    return piece if piece.shape == target else np.broadcast_to(piece.reshape(shape), target)


# For matrices and stacks of matrices: the composition turns vectors into matrices first.
define(
    np.matmul, lambda ct, out, x, y: np.matmul(ct, fast_paths.transposed(y)), lambda ct, out, x, y: np.matmul(x.mT, ct)
)
# For explicit subscripts without repeated letters in an operand: the composition rewrites other forms first.
define(
    np.einsum,
    variadic=True,
    rest=_einsum_rule,
    bind=signatures.einsum,
    evaluate=lambda *operands, subscripts: np.einsum(subscripts, *operands),
)

# --- reductions and scans ---------------------------------------------------------------------------------------


def _restore_axes(ct: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return a reduction's cotangent (or result) with the reduced axes put back, with length 1."""
    if keepdims or ct.ndim == 0:  # without axes it broadcasts anyway
        return ct
    return ct.reshape(tuple(1 if i in axis else n for i, n in enumerate(x.shape)))


def share(ct: Any, count: int) -> Any:
    """Return `ct / count`; multiply by the reciprocal if `count` is too large for float16.

    >>> float(share(np.float16(7.0), 70000)) > 0
    True
    """
    return ct / count if count <= 65504 else ct * (1 / count)


def _mean_rule(ct: Any, out: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    count = math.prod(x.shape[i] for i in axis)
    return fast_paths.broadcast_to(share(_restore_axes(ct, x, axis, keepdims), count), x.shape)


def _cumsum_rule(ct: Any, out: Any, x: Any, axis: int) -> Any:
    return np.flip(np.cumsum(np.flip(wide(ct, ct.shape[axis]), axis), axis), axis)


def _extremum_rule(ct: Any, out: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return the cotangent, shared equally among the entries that attain the extremum."""
    attains = wide((x == _restore_axes(out, x, axis, keepdims)).astype(x.dtype), x.size / max(out.size, 1))
    return _restore_axes(ct, x, axis, keepdims) * attains / np.sum(attains, axis=axis, keepdims=True)


def _others(x: Any) -> Any:
    """Return, for each entry along the last axis, the product of the others: exact with zeros, at any order."""
    n = x.shape[-1]
    if n < 2:
        return np.ones_like(x)
    left, right, last = x[..., : n - 1 : 2], x[..., 1::2], x[..., n - n % 2 :]
    products = left * right
    around = _others(np.concatenate([products, last], axis=-1) if n % 2 else products)
    pairs = around[..., : n // 2]
    both = np.stack([pairs * right, pairs * left], axis=-1).reshape((*x.shape[:-1], n - n % 2))
    return np.concatenate([both, around[..., n // 2 :]], axis=-1) if n % 2 else both


def _prod_rule(ct: Any, out: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    order = tuple(i for i in range(x.ndim) if i not in axis) + axis
    moved = np.transpose(x, order)
    flat = (*moved.shape[: x.ndim - len(axis)], math.prod(x.shape[i] for i in axis))
    others = np.transpose(np.reshape(_others(np.reshape(moved, flat)), moved.shape), _inverse(order))
    return _restore_axes(ct, x, axis, keepdims) * others


def _norm(x: Any, ord: float, axis: tuple[int, ...], keepdims: bool) -> Any:
    if ord == 2:
        return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))
    return np.sum(np.absolute(x) ** ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def _norm_rule(ct: Any, out: Any, x: Any, ord: float, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return `ct · sign(x) · |x / out|**(ord - 1)`, of x scaled to a norm near 1: powers of x may leave the range."""
    if not x.size:
        return x
    scale = (np.max if ord > 0 else np.min)(np.absolute(x), axis=axis, keepdims=True)
    flat = scale == 0  # all of x is 0, or an entry if ord is negative: the gradient is 0 by convention
    x = wide(x / np.where(flat, 1, scale), x.size / scale.size)
    if ord != 2:
        return _restore_axes(ct, x, axis, keepdims) * np.where(flat, 0, _norm_slope(x, ord, axis, flat))
    none = np.where(flat, np.sqrt(np.where(flat, scale, 1)), 0)  # adds 0, and no second derivative where x is 0
    return _restore_axes(ct, x, axis, keepdims) * (x / np.where(flat, 1, _norm(x, 2, axis, True)) + none)


def _norm_slope(x: Any, ord: float, axis: tuple[int, ...], flat: Any) -> Any:
    zero = x == 0
    size = np.where(zero, 1, np.absolute(x))
    total = np.sum(np.where(zero, 0, size**ord), axis=axis, keepdims=True)
    return np.sign(x) * size ** (ord - 1) * np.where(flat, 1, total) ** (1 / ord - 1)


define(
    np.sum,
    lambda ct, out, x, axis, keepdims: fast_paths.broadcast_to(_restore_axes(ct, x, axis, keepdims), x.shape),
    bind=signatures.reduction,
    evaluate=np.add.reduce,
)
define(np.mean, _mean_rule, bind=signatures.reduction, evaluate=np.ndarray.mean)
define(np.prod, _prod_rule, bind=signatures.reduction, evaluate=np.multiply.reduce)
define(np.linalg.vector_norm, _norm_rule, bind=signatures.vector_norm, evaluate=_norm, body=_norm)
define(np.max, _extremum_rule, bind=signatures.reduction, evaluate=np.maximum.reduce)
define(np.min, _extremum_rule, bind=signatures.reduction, evaluate=np.minimum.reduce)
define(np.cumsum, _cumsum_rule, bind=signatures.scan)
for test in (np.all, np.any):
    define(test, None, bind=signatures.reduction)
for search in (np.argmax, np.argmin):
    define(search, None, bind=signatures.search)

# --- shapes -----------------------------------------------------------------------------------------------------


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def _concatenate_rule(ct: Any, out: Any, *args: Any, axis: int) -> Callable[[int], Any]:
    ends = [0, *itertools.accumulate(x.shape[axis] for x in args)]
    before = (slice(None),) * axis
    return lambda argument: ct[(*before, slice(ends[argument], ends[argument + 1]))]


def _pad_rule(ct: Any, out: Any, x: Any, pad_width: tuple[tuple[int, int], ...], constant_values: float) -> Any:
    return ct[tuple(slice(before, before + n) for (before, _), n in zip(pad_width, x.shape, strict=True))]


define(
    np.reshape,
    lambda ct, out, x, shape: np.reshape(ct, x.shape),
    bind=signatures.reshape,
    evaluate=lambda x, shape: np.reshape(x, shape),  # by position: the keyword is `newshape` in NumPy 2.0
)
define(np.transpose, lambda ct, out, x, axes: np.transpose(ct, _inverse(axes)), bind=signatures.transpose)
define(np.broadcast_to, lambda ct, out, x, shape: ct, bind=signatures.broadcast_to)  # the sweep undoes broadcasting
define(
    np.concatenate,
    variadic=True,
    rest=_concatenate_rule,
    bind=signatures.concatenate,
    evaluate=lambda *arrays, axis: np.concatenate(arrays, axis=axis),
)
define(np.pad, _pad_rule, bind=signatures.pad)

# --- indexing ---------------------------------------------------------------------------------------------------


def _scatter(ct: Any, *arrays: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Return zeros of `shape` with `ct` added at `index`, where repeated entries add up: the adjoint of indexing."""
    where = fill(index, arrays)
    if any(array.dtype != bool for array in arrays):
        added = wide(ct, ct.size / max(math.prod(shape), 1))
        out = np.zeros(shape, added.dtype)
        np.add.at(out, where, added)
        return out.astype(ct.dtype, copy=False)
    out = np.zeros(shape, ct.dtype)
    out[where] = ct
    return out


scatter = overridable(_scatter)

define(
    operator.getitem,
    lambda ct, out, x, *arrays, index: scatter(ct, *arrays, index=index, shape=x.shape),
    variadic=True,
    bind=signatures.getitem,
    evaluate=lambda x, *arrays, index: x[fill(index, arrays)],
)
define(
    scatter,
    lambda ct, out, x, *arrays, index, shape: ct[fill(index, arrays)],
    variadic=True,
    bind=signatures.scatter,
    evaluate=_scatter,
)
