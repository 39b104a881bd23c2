"""Example calls for every row of the rule table that is a NumPy function, within its domain and away from kinks."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from examples import Cases, Example, Source, from_table, reduced
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.gradcheck.examples import EXAMPLES, elementwise, order, reductions
from autograd_spiral.gradcheck.examples.elementwise import BINARY, UNARY
from autograd_spiral.gradcheck.examples.linalg import matrix
from autograd_spiral.gradcheck.examples.table import NONZERO, POSITIVE, REAL
from autograd_spiral.vocabulary.rules.indexing import scatter
from autograd_spiral.vocabulary.rules.order import argselect, reorder, restore_order
from autograd_spiral.vocabulary.rules.reductions import linear_recurrence
from autograd_spiral.vocabulary.rules.shapes import add_windows
from autograd_spiral.vocabulary.signatures import ARRAY

CASES = Cases()
case = CASES.of

# --- elementwise ------------------------------------------------------------------------------------------------


@case(*(function for function in UNARY if isinstance(function, np.ufunc)))
def unary(source: Source, function: Any) -> Example:
    domain = UNARY.get(function, REAL)  # for a function that watches another one, too
    return Example(function, (source.array(source.shape(), domain),))


@case(*elementwise.STEPS)
def steps(source: Source, function: Any) -> Example:
    whole = source.integers(source.shape(), -2, 1)
    return Example(function, (source.laid_out(whole + source.rng.uniform(0.1, 0.4, whole.shape)),))


@case(*(function for function in BINARY if function is not np.power))
def _binary(source: Source, function: Any) -> Example:
    x, y = (source.array(shape, BINARY[function]) for shape in source.broadcast_shapes(2))
    number = source.choose(None, None, None, 1.5, -2)
    if number is not None:
        return Example(*source.choose((lambda x: function(x, number), (x,)), (lambda y: function(number, y), (y,))))
    return Example(function, (x, y))


@case(np.power)
def _power(source: Source, function: Any) -> Example:
    to_x, to_y = source.broadcast_shapes(2)
    kind = source.choose("both", "number", "whole number", "base", "whole numbers")
    if kind == "both":
        return Example(function, (source.array(to_x, POSITIVE), source.array(to_y)))
    if kind == "number":
        exponent = source.choose(0.5, -1.5, 0.0)
        return Example(lambda x: function(x, exponent), (source.array(to_x, POSITIVE),))
    if kind == "whole number":
        power = source.integer(-2, 4)
        return Example(lambda x: function(x, power), (source.array(to_x, NONZERO),))
    if kind == "base":
        return Example(lambda y: function(1.7, y), (source.array(to_y),))
    return Example(function, (source.array(to_x, NONZERO), source.integers(to_y, -2, 3)))


@case(*elementwise.CHOICES)
def _choice(source: Source, function: Any) -> Example:
    return Example(function, source.apart(*source.broadcast_shapes(2)))


@case(*elementwise.PREDICATES)
def _predicate(source: Source, function: Any) -> Example:
    x = source.array(source.shape())
    x = np.where(source.mask(x.shape), x, source.rng.choice([0, np.inf, -np.inf, np.nan], x.shape))
    return Example(function, (x,), differentiable=False)


@case(*elementwise.RELATIONS)
def _relation(source: Source, function: Any) -> Example:
    x, y = (source.integers(shape, -1, 1) for shape in source.broadcast_shapes(2))
    return Example(function, (x.astype(float), y.astype(float)), differentiable=False)


@case(np.isclose)
def _isclose(source: Source, function: Any) -> Example:
    x, y = (source.integers(shape, -1, 1).astype(float) for shape in source.broadcast_shapes(2))
    keywords = source.choose({}, {"atol": 1.5}, {"rtol": 0.5, "atol": 0.25}, {"equal_nan": True})
    return Example(lambda x, y: function(x, y, **keywords), (x, y), differentiable=False)


@case(np.invert)
def _invert(source: Source, function: Any) -> Example:
    draw = source.choose(source.mask, lambda shape: source.integers(shape, -9, 9))
    return Example(function, (draw(source.shape()),))


@case(*elementwise.BITWISE)
def _bitwise(source: Source, function: Any) -> Example:
    draw = source.choose(source.mask, lambda shape: source.integers(shape, -9, 9))
    return Example(function, tuple(draw(shape) for shape in source.broadcast_shapes(2)))


@case(*elementwise.OF_INTEGERS)
def _of_integers(source: Source, function: Any) -> Example:
    return Example(function, tuple(source.integers(shape, 0, 9) for shape in source.broadcast_shapes(2)))


@case(np.bitwise_count)
def _bitwise_count(source: Source, function: Any) -> Example:
    return Example(function, (source.integers(source.shape(), -9, 9),))


@case(np.where)
def _where(source: Source, function: Any) -> Example:
    to_condition, to_x, to_y = source.broadcast_shapes(3)
    condition, x, y = source.mask(to_condition), source.array(to_x), source.array(to_y)
    kind = source.choose("arrays", "arrays", "number")
    if kind == "number":
        return Example(lambda condition, x: function(condition, x, 0.5), (condition, x))
    return Example(function, (condition, x, y))


@case(np.ndarray.astype)
def _astype(source: Source, function: Any) -> Example:
    return Example(lambda x: x.astype(np.float64), (source.array(source.shape()),))


# --- products ---------------------------------------------------------------------------------------------------


@case(np.matmul)
def _matmul(source: Source, function: Any) -> Example:
    stack = source.shape(0, 2)
    n, m, k = source.shape(3, 3)
    x = source.array((*source.broadcast_from(stack), n, m))
    y = source.array((*source.broadcast_from(stack), m, k))
    return Example(function, (x, y))


FORMS = (
    *("ij,jk->ik", "ij,jk->ki", "i,j->ij", "i,i->", "ij->", "ij->j", "ij->ji", "ij,kj->i"),
    *("bij,bjk->bik", "ij,j,ik->k", "ij,ij,ij->ij", "ij,kl->il", "ijk,k->ji"),
)


def operands_for(source: Source, inputs: list[str]) -> tuple[np.ndarray, ...]:
    """An array for each term of an einsum; in half of the cases some axes are of length 1, which NumPy broadcasts."""
    letters = sorted(set("".join(inputs)))
    stretched = source.flag()
    lengths = source.shape(len(letters), len(letters), side=2 if stretched else 1, empty=not stretched)
    sizes = dict(zip(letters, lengths, strict=True))
    shapes = [[1 if stretched and source.rng.integers(3) == 2 else sizes[letter] for letter in term] for term in inputs]
    return tuple(source.array(tuple(shape)) for shape in shapes)


@case(np.einsum)
def _einsum(source: Source, function: Any) -> Example:
    form = source.choose(*FORMS)
    return Example(lambda *args: function(form, *args), operands_for(source, form.partition("->")[0].split(",")))


@case(np.convolve)
def _convolve(source: Source, function: Any) -> Example:
    a, v = (source.array(source.choose((source.integer(1, 5),), (3,))) for _ in "av")
    mode = source.choose("full", "same", "valid")
    return Example(lambda a, v: function(a, v, mode), (a, v))


# --- reductions and scans ---------------------------------------------------------------------------------------


@case(np.sum, np.mean)
def _sum(source: Source, function: Any) -> Example:
    return reduced(source, function, source.array(source.shape(empty=function is np.sum)))


@case(np.max, np.min)
def extremum(source: Source, function: Any) -> Example:
    return reduced(source, function, *source.apart(source.shape(empty=False)))


@case(*reductions.TRUTHS)
def _test(source: Source, function: Any) -> Example:
    return reduced(source, function, source.mask(source.shape()))


@case(np.prod)
def _prod(source: Source, function: Any) -> Example:
    x = source.array(source.shape())
    x = np.where(source.rng.uniform(size=x.shape) < 0.2, 0, x)
    return reduced(source, function, x)


@case(np.linalg.vector_norm)
def _vector_norm(source: Source, function: Any) -> Example:
    """Now and then of nothing, and with entries of 0, which are smooth points of the order 2."""
    ord = source.choose(2, 2, 3, 0.5, -1, -2.5)
    x = source.array(source.shape(1, side=2, empty=ord > 0), NONZERO)
    if ord == 2:
        x = np.where(np.arange(x.size).reshape(x.shape) % 3 == 1, 0, x)
    axis, keepdims = source.axes(x.ndim), source.flag()
    return Example(lambda x: function(x, axis=axis, keepdims=keepdims, ord=ord), (x,))


@case(np.nanmax, np.nanmin)
def _extremum_beside_nans(source: Source, function: Any) -> Example:
    """NaNs in places that are left: a gradient with respect to them would have to be 0, and is not asked for."""
    (x,) = source.apart(source.shape(1, empty=False))
    missing = source.mask(x.shape)
    axis, keepdims = source.axis(x.ndim), source.flag()
    missing = missing & ~np.all(missing, axis=axis, keepdims=True)
    return Example(lambda x: function(np.where(missing, np.nan, x), axis=axis, keepdims=keepdims), (x,))


@case(np.cumsum, np.cumprod)
def scan(source: Source, function: Any) -> Example:
    """With entries of 0 now and then, at which a product has all its derivatives."""
    x = source.array(source.shape(1))
    x = np.where(source.rng.uniform(size=x.shape) < 0.2, 0, x)
    axis = source.choose(None, source.axis(x.ndim))
    return Example(lambda x: function(x, axis=axis), (x,))


@case(*(ufunc.accumulate for ufunc in reductions.COMBINED if ufunc.accumulate in PRIMITIVES))
def accumulation(source: Source, function: Any) -> Example:
    (x,) = source.apart(source.shape(1))
    axis = source.axis(x.ndim)
    return Example(lambda x: function(x, axis=axis), (x,))


@case(linear_recurrence)
def _recurrence(source: Source, function: Any) -> Example:
    shape = source.shape(1, empty=False)
    axis = source.integer(0, len(shape) - 1)
    b, a = source.array(shape), source.array(tuple(n - (i == axis) for i, n in enumerate(shape)))

    def formula(b: Any, a: Any) -> Any:
        b, a, y = np.moveaxis(b, axis, 0), np.moveaxis(a, axis, 0), []
        for k in range(len(b))[::-1]:
            y.append(b[k] + a[k] * y[-1] if y else b[k])
        return np.moveaxis(np.array(y[::-1]), 0, axis)

    return Example(lambda b, a: function(b, a, axis=axis), (b, a), formula)


@case(reorder, restore_order)
def _permutation(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1))
    axis = source.axis(x.ndim)
    order = np.argsort(source.rng.uniform(size=x.shape), axis=axis)
    sorting = order if function is reorder else np.argsort(order, axis=axis)
    return Example(
        lambda x, order: function(x, order, axis=axis),
        (x, order),
        lambda x, order: np.take_along_axis(x, sorting, axis),
    )


@case(argselect)
def _selection(source: Source, function: Any) -> Example:
    (x,) = source.apart(source.shape(1, empty=False))
    ranks = tuple(source.integer(0, x.shape[-1] - 1) for _ in range(source.integer(1, 3)))
    ranked = lambda x: np.argsort(x, axis=-1)[..., list(ranks)]  # noqa: E731
    return Example(lambda x: function(x, ranks), (x,), ranked, differentiable=False)


@case(*order.SEARCHES)
def _search(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1, empty=False))
    axis, keepdims = source.choose(None, source.axis(x.ndim)), source.flag()
    return Example(lambda x: function(x, axis=axis, keepdims=keepdims), (x,), differentiable=False)


# --- linear algebra ---------------------------------------------------------------------------------------------


@case(np.linalg.solve)
def _solve(source: Source, function: Any) -> Example:
    """Stacks of matrices that broadcast, on both sides."""
    stack, n, columns = source.shape(0, 2), source.integer(1, 3), source.integer(0, 3)
    a = source.laid_out(matrix(n, n, *source.broadcast_from(stack))(source.rng))
    return Example(function, (a, source.array((*source.broadcast_from(stack), n, columns))))


@case(np.linalg.inv, np.linalg.det, np.linalg.pinv)
def of_matrices(source: Source, function: Any) -> Example:
    n = source.integer(1, 3)
    m = source.integer(1, 3) if function is np.linalg.pinv else n
    return Example(function, (source.laid_out(matrix(m, n, *source.shape(0, 2))(source.rng)),))


@case(np.argsort, np.argpartition)
def _ordering(source: Source, function: Any) -> Example:
    (x,) = source.apart(source.shape(1, empty=False))
    axis = source.choose(None, source.axis(x.ndim))
    length = x.size if axis is None else x.shape[axis]
    kth = source.choose(source.integer(0, length - 1), (0, length - 1)) if function is np.argpartition else None
    settings = source.choose({}, {"kind": "stable"}, {"stable": True}) if kth is None else {"kth": kth}
    return Example(lambda x: function(x, axis=axis, **settings), (x,), differentiable=False)


@case(np.searchsorted)
def _searchsorted(source: Source, function: Any) -> Example:
    (a,), v, side = source.apart(source.shape(1, 1)), source.array(source.shape()), source.choose("left", "right")
    if source.flag():
        return Example(lambda a, v: function(a, v, side, sorter=np.argsort(a)), (a, v), differentiable=False)
    return Example(lambda a, v: function(a, v, side=side), (np.sort(a), v), differentiable=False)


# --- shapes -----------------------------------------------------------------------------------------------------


@case(np.reshape)
def _reshape(source: Source, function: Any) -> Example:
    x = source.array(source.shape())
    ordered = tuple(int(n) for n in source.rng.permutation(x.shape))
    shape = source.choose(ordered, (1, *ordered), x.size, *([-1, (-1, 1)] if x.size else []))
    return Example(lambda x: function(x, shape), (x,))


@case(np.transpose)
def _transpose(source: Source, function: Any) -> Example:
    x = source.array(source.shape())
    order = [int(i) - x.ndim * source.flag() for i in source.rng.permutation(x.ndim)]
    axes = source.choose(None, order, tuple(order))
    return Example(lambda x: function(x, axes), (x,))


@case(np.broadcast_to)
def _broadcast_to(source: Source, function: Any) -> Example:
    shape = source.shape()
    return Example(lambda x: function(x, shape), (source.array(source.broadcast_from(shape)),))


@case(np.concatenate)
def _concatenate(source: Source, function: Any) -> Example:
    shape = source.shape(1)
    axis = source.axis(len(shape))
    lengths = [source.integer(0, 3) for _ in range(source.integer(1, 4))]
    parts = tuple(source.array(tuple(n if i == axis % len(shape) else m for i, m in enumerate(shape))) for n in lengths)
    joint = source.choose(axis, axis, None)
    return Example(lambda *parts: function(parts, axis=joint), parts)


@case(np.pad)
def _pad(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1))
    pairs = [(source.integer(0, 2), source.integer(0, 2)) for _ in x.shape]
    width, value = source.choose(pairs, pairs[0], pairs[0][0]), source.choose(0, 1.5)
    return Example(lambda x: function(x, width, constant_values=value), (x,))


def _windowed(source: Source) -> tuple[np.ndarray, tuple[int, ...], Any]:
    """An array, the shape of windows, and the axes that they slide along, where an axis may stand twice."""
    shape = source.shape(1, side=2, empty=False)
    axes = source.choose(None, (source.axis(len(shape)),), (source.axis(len(shape)), source.axis(len(shape))))
    left, lengths = list(shape), []
    for axis in range(len(shape)) if axes is None else axes:
        lengths.append(source.integer(1, left[axis]))
        left[axis] -= lengths[-1] - 1
    return source.array(shape), tuple(lengths), axes


@case(sliding_window_view)
def _windows(source: Source, function: Any) -> Example:
    x, lengths, axes = _windowed(source)
    if axes is not None and len(axes) == 1 and source.flag():
        return Example(lambda x: function(x, lengths[0], axes[0]), (x,))
    return Example(lambda x: function(x, lengths, axis=axes), (x,))


@case(add_windows)
def _add_windows(source: Source, function: Any) -> Example:
    x, lengths, axes = _windowed(source)
    counted = tuple(range(x.ndim)) if axes is None else tuple(axis % x.ndim for axis in axes)
    positions = sliding_window_view(np.arange(x.size).reshape(x.shape), lengths, counted)

    def formula(ct: Any) -> Any:
        return np.bincount(positions.ravel(), ct.ravel(), x.size).astype(ct.dtype).reshape(x.shape)

    ct = source.array(positions.shape)
    return Example(lambda ct: function(ct, window_shape=lengths, axis=counted, shape=x.shape), (ct,), formula)


# --- indexing ---------------------------------------------------------------------------------------------------


def index_of(source: Source, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index into `shape`: slices of any sign, integers, None, an ellipsis, integer arrays or masks."""
    kind = source.choose("basic", "basic", "arrays", "mixed", "mask", "row mask")
    if kind == "basic":
        return _basic_index(source, shape)
    if kind == "mask":
        return (source.mask(shape),)
    if kind == "row mask":
        return (source.mask(shape[:1]), *([slice(None, None, -1)] if len(shape) > 1 else []))
    if kind == "arrays":
        picked = source.shape(0, 2, empty=False)
        return tuple(source.integers(picked, -n, n - 1) for n in shape)
    items: list[Any] = [
        source.choose(slice(None, None, source.choose(-1, 2)), source.integers((4,), -n, n - 1)) for n in shape
    ]
    items.insert(source.integer(0, len(items)), None)
    return tuple(items)


def _basic_index(source: Source, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Slices and integers for all axes, for those left and right of an ellipsis, or for the first ones; and None."""

    def bound(n: int) -> Any:
        return source.choose(None, source.integer(-n - 1, n + 1))

    items: list[Any] = [
        source.choose(slice(bound(n), bound(n), source.choose(None, 1, -1, 2, -2)), source.integer(-n, n - 1))
        for n in shape
    ]
    first = source.integer(0, len(items))
    last = source.integer(first, len(items))
    how = source.choose("all", "around an ellipsis", "first")
    if how == "around an ellipsis":
        items[first:last] = [...]
    elif how == "first":
        del items[first:]
    if source.flag():
        items.insert(source.integer(0, len(items)), None)
    return tuple(items)


def _indexed(source: Source) -> tuple[tuple[int, ...], tuple[Any, ...], tuple[Any, ...]]:
    """A shape, an index into it with `ARRAY` for each array, and these arrays."""
    shape = source.shape(1, empty=False)
    index = index_of(source, shape)
    arrays = tuple(item for item in index if isinstance(item, np.ndarray))
    return shape, tuple(ARRAY if isinstance(item, np.ndarray) else item for item in index), arrays


def _filled(index: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    remaining = list(arrays)
    return tuple(remaining.pop(0) if item is ARRAY else item for item in index)


@case(operator.getitem)
def _getitem(source: Source, function: Any) -> Example:
    shape, index, arrays = _indexed(source)
    if len(index) == 1 and source.flag():
        return Example(lambda x, *arrays: x[_filled(index, arrays)[0]], (source.array(shape), *arrays))
    return Example(lambda x, *arrays: x[_filled(index, arrays)], (source.array(shape), *arrays))


@case(scatter)
def _scatter(source: Source, function: Any) -> Example:
    shape, index, arrays = _indexed(source)
    positions = np.arange(np.prod(shape)).reshape(shape)[_filled(index, arrays)]

    def formula(ct: Any, *arrays: Any) -> Any:
        counted = np.bincount(positions.ravel(), ct.ravel(), positions.size and np.prod(shape))
        return counted.astype(ct.dtype).reshape(shape)

    if positions.size == 0:
        formula = lambda ct, *arrays: np.zeros(shape, ct.dtype)  # noqa: E731
    return Example(
        lambda ct, *arrays: function(ct, *arrays, index=index, shape=shape),
        (source.array(positions.shape), *arrays),
        formula,
    )


# --- the rows that must have a case -----------------------------------------------------------------------------


def _shipped(function: Callable[..., Any]) -> bool:
    """Whether the row of `function` is the package's own, not declared by a test."""
    module = getattr(function, "__module__", None) or "numpy"
    return module.partition(".")[0] in ("numpy", "_operator", "autograd_spiral")


ROWS = [function for function in PRIMITIVES if _shipped(function)]
CASES.update((function, from_table) for function in ROWS if function not in CASES and function in EXAMPLES)
