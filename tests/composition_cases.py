"""Example calls for every NumPy function that is composed of primitives, away from kinks."""

from __future__ import annotations

import inspect
import itertools
import math
from typing import Any

import numpy as np
from cases import extremum, operands_for, steps, unary
from examples import Cases, Example, Source, from_table, reduced

from autograd_spiral.engine.table import COMPOSITIONS
from autograd_spiral.gradcheck.examples import EXAMPLES
from autograd_spiral.gradcheck.examples.elementwise import FACTS, LIKES, ROUNDED, UNARY, WITHOUT
from autograd_spiral.gradcheck.examples.linalg import matrix
from autograd_spiral.gradcheck.examples.order import QUANTILES
from autograd_spiral.gradcheck.examples.reductions import COMBINED, CONNECTED, CUMULATIVE, WITHOUT_NANS
from autograd_spiral.gradcheck.examples.table import NONZERO, POSITIVE, Domain
from autograd_spiral.vocabulary.compositions.arguments import available

COMPOSITION_CASES = Cases()
composition_case = COMPOSITION_CASES.of
composition_case(*(function for function in UNARY if function in COMPOSITIONS))(unary)
composition_case(np.amax, np.amin)(extremum)
composition_case(*ROUNDED)(steps)


def _called(function: Any, source: Source, x: np.ndarray, *settings: dict[str, Any]) -> Example:
    """`function` of `x` alone, with one of `settings` as keywords."""
    chosen = source.choose(*settings)
    return Example(lambda x: function(x, **chosen), (x,))


# --- elementwise ------------------------------------------------------------------------------------------------


@composition_case(*LIKES)
def _constant_like(source: Source, function: Any) -> Example:
    dtype = source.choose(None, np.float32, int)
    return Example(lambda x: function(x, dtype=dtype), (source.array(source.shape()),), differentiable=False)


@composition_case(*WITHOUT)
def _without_gradient(source: Source, function: Any) -> Example:
    return Example(function, (source.array(source.shape(1)),), differentiable=False)


@composition_case(np.full_like)
def _full_like(source: Source, function: Any) -> Example:
    fill = source.choose(2, -0.5)
    return Example(lambda x: function(x, fill), (source.array(source.shape()),), differentiable=False)


@composition_case(np.astype)
def _astype(source: Source, function: Any) -> Example:
    # At least one axis: arithmetic turns 0-d arrays into scalars, which np.astype of NumPy 2.0 does not take.
    return Example(lambda x: function(x, np.float64), (source.array(source.shape(1)),))


CLIP_TAKES_MIN = "min" in inspect.signature(np.clip).parameters  # NumPy 2.1 and later


@composition_case(np.clip)
def _clip(source: Source, function: Any) -> Example:
    to_x, to_low, to_high = source.broadcast_shapes(3)
    x = source.laid_out(source.rng.choice([-1.5, 0, 1.5], to_x) + source.rng.uniform(-0.2, 0.2, to_x))
    low, high = source.array(to_low, Domain(-1.1, -0.9)), source.array(to_high, Domain(0.9, 1.1))
    kind = source.choose("both", "numbers", "low", "high", "a_min", *(["min"] if CLIP_TAKES_MIN else []))
    if kind == "both":
        return Example(function, (x, low, high))
    if kind == "numbers":
        return Example(lambda x: function(x, -1, 1), (x,))
    if kind == "low":
        return Example(lambda x, low: function(x, low, None), (x, low))
    if kind == "high":
        return Example(lambda x, high: function(x, None, high), (x, high))
    if kind == "min":
        return Example(lambda x, low: function(x, min=low, max=1.0), (x, low))
    return Example(lambda x: function(x, a_min=-1.0, a_max=1.0), (x,))


# --- products ---------------------------------------------------------------------------------------------------


@composition_case(np.matmul)
def _matmul(source: Source, function: Any) -> Example:
    """At least one operand is a vector."""
    stack, n, m = source.shape(0, 2), *source.shape(2, 2)
    shapes = source.choose(((m,), (m,)), ((m,), (*stack, m, n)), ((*stack, n, m), (m,)))
    return Example(function, tuple(map(source.array, shapes)))


@composition_case(np.dot)
def _dot(source: Source, function: Any) -> Example:
    a, m = source.shape(0, 2), source.integer(0, 3)
    vector_or_stack = source.choose((m,), (m, 2), (3, m, 2))
    shapes = source.choose((a, ()), ((), a), ((*a, m), vector_or_stack), ((*a, m), vector_or_stack))
    return Example(function, tuple(map(source.array, shapes)))


@composition_case(np.inner)
def _inner(source: Source, function: Any) -> Example:
    a, b, m = source.shape(0, 2), source.shape(0, 2), source.integer(0, 3)
    shapes = source.choose((a, ()), ((), a), ((*a, m), (*b, m)), ((*a, m), (*b, m)))
    return Example(function, tuple(map(source.array, shapes)))


@composition_case(np.outer)
def _outer(source: Source, function: Any) -> Example:
    return Example(function, (source.array(source.shape(0, 2)), source.array(source.shape(0, 2))))


@composition_case(np.vdot)
def _vdot(source: Source, function: Any) -> Example:
    shape = source.shape()
    return Example(function, (source.array(shape), source.array(source.choose(shape, shape[::-1]))))


@composition_case(np.tensordot)
def _tensordot(source: Source, function: Any) -> Example:
    n, m, k, j = source.shape(4, 4)
    shapes, axes = source.choose(
        (((n, m), (k,)), 0),
        (((n, m), (m, k)), 1),
        (((n, m, k), (m, k, j)), 2),
        (((n, m), (m, k)), (-1, 0)),
        (((n, m, k), (k, j, n)), ([0, 2], [2, 0])),
        (((n, m, k), (k, j, n)), ((-1, 0), (0, -1))),
        (((n, m), (m, n)), ((0, 1), (1, 0))),
    )
    return Example(lambda a, b: function(a, b, axes=axes), tuple(map(source.array, shapes)))


FORMS = (
    *(
        "ij,jk",
        "ji",
        "ij , jk -> ki",
        "...ij,...jk->...ik",
        "...i,...i",
        "i...,i...->...",
        "...ij->...",
        "ij...->j...i",
    ),
    *("ii->i", "ii", "iij->ij", "iji->j", "ii,ij->j", "iii->i", "iijj->ij"),
)


@composition_case(np.einsum)
def _einsum(source: Source, function: Any) -> Example:
    form = source.choose(*FORMS)
    terms = form.replace(" ", "").partition("->")[0].split(",")
    if "..." not in form:
        return Example(lambda *args: function(form, *args), _square_operands(source, terms))
    stack = "yz"[source.integer(0, 2) :]
    arrays = operands_for(source, [term.replace("...", stack[source.integer(0, len(stack)) :]) for term in terms])
    return Example(lambda *args: function(form, *args), arrays)


def _square_operands(source: Source, terms: list[str]) -> tuple[np.ndarray, ...]:
    sizes = dict(zip("ijk", source.shape(3, 3), strict=True))
    return tuple(source.array(tuple(sizes[letter] for letter in term)) for term in terms)


@composition_case(np.vecdot, np.linalg.vecdot)
def _vecdot(source: Source, function: Any) -> Example:
    *stack, n = source.shape(1)
    x, y = (source.array((*source.broadcast_from(tuple(stack)), n)) for _ in "xy")
    if x.ndim == y.ndim == 2 and source.flag():
        return Example(lambda x, y: function(x.T, y.T, axis=0), (x, y))
    return Example(function, (x, y))


@composition_case(*available("matvec", "vecmat"))
def _matvec(source: Source, function: Any) -> Example:
    stack, (n, m) = source.shape(0, 2), source.shape(2, 2)
    vector, matrix = (*source.broadcast_from(stack), n), (*source.broadcast_from(stack), n, m)
    if function in available("vecmat"):
        return Example(function, (source.array(vector), source.array(matrix)))
    return Example(lambda y, x: function(y.mT, x), (source.array(matrix), source.array(vector)))


@composition_case(np.kron)
def _kron(source: Source, function: Any) -> Example:
    return Example(function, (source.array(source.shape(0, 2)), source.array(source.shape(0, 3))))


@composition_case(np.cross)
def _cross(source: Source, function: Any) -> Example:
    stack = source.shape(0, 2)
    x, y = (source.array((*source.broadcast_from(stack), 3)) for _ in "xy")
    axis = source.integer(-x.ndim, x.ndim - 1)
    if x.ndim == y.ndim and source.flag():
        return Example(lambda x, y: function(np.moveaxis(x, -1, axis), np.moveaxis(y, -1, axis), axis=axis), (x, y))
    return Example(lambda x, y: function(np.moveaxis(x, -1, axis), y, axisa=axis, axisc=0), (x, y))


@composition_case(np.linalg.multi_dot)
def _multi_dot(source: Source, function: Any) -> Example:
    sizes = [source.integer(1, 4) for _ in range(source.integer(3, 6))]
    shapes = [*itertools.pairwise(sizes)]
    shapes[0], shapes[-1] = shapes[0][source.integer(0, 1) :], shapes[-1][: source.integer(1, 2)]
    return Example(lambda *arrays: function(arrays), tuple(map(source.array, shapes)))


@composition_case(np.correlate)
def _correlate(source: Source, function: Any) -> Example:
    a, v = (source.array((source.integer(1, 5),)) for _ in "av")
    return _called_with(function, source, (a, v), {}, {"mode": "full"}, {"mode": "same"}, {"mode": "valid"})


def _called_with(function: Any, source: Source, arrays: Any, *settings: dict[str, Any]) -> Example:
    chosen = source.choose(*settings)
    return Example(lambda *arrays: function(*arrays, **chosen), arrays)


@composition_case(np.trapezoid)
def _trapezoid(source: Source, function: Any) -> Example:
    y = source.array(source.shape(1))
    axis = source.axis(y.ndim)
    shape = source.choose(None, (y.shape[axis],), y.shape)
    if shape is None:
        return _called(function, source, y, {"axis": axis}, {"axis": axis, "dx": 0.5}, {"dx": np.float64(2)})
    return Example(lambda y, x: function(y, x, axis=axis), (y, source.array(shape)))


@composition_case(np.linalg.vector_norm)
def _vector_norm(source: Source, function: Any) -> Example:
    """The orders that are written with other functions."""
    x = _signed(source, source.shape(1, empty=False))  # of distinct sizes, since the largest one is chosen
    axis, keepdims, ord = source.axes(x.ndim), source.flag(), source.choose(1, math.inf, -math.inf)
    return Example(lambda x: function(x, axis=axis, keepdims=keepdims, ord=ord), (x,))


@composition_case(np.linalg.norm)
def _norm(source: Source, function: Any) -> Example:
    keepdims = source.flag()
    kind = source.choose("all", "vectors", "vectors", "matrices", "flat")
    if kind == "all":
        x = source.array(source.shape(1, empty=False), NONZERO)
        return _called(function, source, x, {}, {"keepdims": True})
    if kind == "flat":
        x = _signed(source, source.shape(1, 1, empty=False))  # of distinct sizes, since the largest one is chosen
        return _called(function, source, x, *({"ord": ord} for ord in (1, 2, 3, math.inf, -math.inf)))
    if kind == "vectors":
        shape = source.shape(1, empty=False)
        (x,) = source.apart(shape)
        x = np.sign(x) * (0.4 + source.apart(shape)[0] ** 2) if x.size < 2 else _signed(source, shape)
        axis, ord = source.axis(x.ndim), source.choose(None, 2, 1, 3, 0.5, -1, math.inf, -math.inf)
        return Example(lambda x: function(x, ord=ord, axis=axis, keepdims=keepdims), (x,))
    x = source.array(source.shape(2, empty=False), NONZERO)
    rows, columns = (int(i) for i in source.rng.permutation(x.ndim)[:2])
    ord = source.choose(None, "fro", 1, -1, math.inf, -math.inf)
    for i in (rows, columns):  # so that no two row sums, nor column sums, are close to each other
        x = x * 6.0 ** np.arange(x.shape[i]).reshape((-1,) + (1,) * (x.ndim - i - 1))
    axis = source.choose((rows, columns), (rows - x.ndim, columns)) if x.ndim > 2 or source.flag() else None
    return Example(lambda x: function(x, ord, axis, keepdims), (source.laid_out(x),))


@composition_case(np.linalg.solve)
def _solve(source: Source, function: Any) -> Example:
    """A vector, for a stack of matrices."""
    n = source.integer(1, 3)
    a = source.laid_out(matrix(n, n, *source.shape(0, 2))(source.rng))
    return Example(function, (a, source.array((n,))))


@composition_case(np.linalg.matrix_norm)
def _matrix_norm(source: Source, function: Any) -> Example:
    x = source.laid_out(matrix(source.integer(1, 3), source.integer(1, 3), *source.shape(0, 2))(source.rng))
    ord, keepdims = source.choose("fro", "nuc", 2, -2), source.flag()
    return Example(lambda x: function(x, ord=ord, keepdims=keepdims), (x,))


def _signed(source: Source, shape: tuple[int, ...]) -> np.ndarray:
    """Entries of either sign whose magnitudes differ from each other and from 0."""
    n = math.prod(shape)
    magnitudes = 0.4 + 0.1 * source.rng.permutation(n) + source.rng.uniform(0, 0.05, n)
    return source.laid_out((magnitudes * source.rng.choice([-1, 1], n)).reshape(shape))


# --- reductions -------------------------------------------------------------------------------------------------


@composition_case(np.var, np.std)
def _var(source: Source, function: Any) -> Example:
    (x,) = source.apart(source.shape(1, side=2, empty=False))
    return reduced(source, function, x, **source.choose({}, {"ddof": 1}, {"ddof": 0.5}, {"correction": 1}))


@composition_case(np.sum, np.prod, np.mean)
def _counted(source: Source, function: Any) -> Example:
    """With a mask, a dtype, or a first value."""
    x = source.array(source.shape(1, empty=False))
    settings = source.choose({"dtype": np.float64}, {"where": source.mask(x.shape) | (function is np.mean)})
    first = {} if function is np.mean else source.choose({}, {"initial": source.choose(2, -0.5)})
    return reduced(source, function, x, **settings, **first)


@composition_case(np.max, np.min)
def _counted_extremum(source: Source, function: Any) -> Example:
    (x,) = source.apart(source.shape(1))
    settings = source.choose({}, {"where": source.mask(x.shape[-1:])})
    return reduced(source, function, x, initial=source.choose(0, 0.0), **settings)


@composition_case(np.all, np.any)
def _counted_truth(source: Source, function: Any) -> Example:
    x = source.mask(source.shape(1))
    where = source.mask(x.shape)
    return Example(lambda x: function(x, axis=-1, where=where), (x,), differentiable=False)


@composition_case(np.cumsum, np.cumprod, np.nancumsum, np.nancumprod, *CUMULATIVE)
def _scan(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1))
    axis = source.axis(x.ndim)
    missing = source.mask(x.shape) & (function in (np.nancumsum, np.nancumprod))
    settings = source.choose({}, {"include_initial": True}) if function in CUMULATIVE else {"dtype": np.float64}
    return Example(lambda x: function(np.where(missing, np.nan, x), axis=axis, **settings), (x,))


@composition_case(*WITHOUT_NANS)
def _without_nans(source: Source, function: Any) -> Example:
    (x,) = source.apart(source.shape(1, side=2, empty=False))
    axis = source.axis(x.ndim)
    rank = np.argsort(source.rng.uniform(size=x.shape), axis=axis)
    keepdims = source.flag()
    return Example(lambda x: function(np.where(rank > 1, np.nan, x), axis, keepdims=keepdims), (x,))


@composition_case(np.sort, np.partition)
def _in_order(source: Source, function: Any) -> Example:
    (x,) = source.apart(source.shape(1, empty=False))
    axis = source.choose(None, source.axis(x.ndim))
    length = x.size if axis is None else x.shape[axis]
    if function is np.partition:
        kth = source.choose(source.integer(0, length - 1), (0, length - 1))
        return Example(lambda x: np.sort(function(x, kth, axis), axis), (x,))  # what lies between is in any order
    return _called(
        function, source, x, *({"axis": axis, **more} for more in ({}, {"kind": "stable"}, {"stable": True}))
    )


@composition_case(np.median, np.nanmedian)
def _median(source: Source, function: Any) -> Example:
    return reduced(source, function, *source.apart(source.shape(1, empty=False)))


@composition_case(*QUANTILES)
def _quantile(source: Source, function: Any) -> Example:
    (x,) = source.apart(source.shape(1, empty=False))
    full, plain = QUANTILES[function], "nan" not in function.__name__
    q = source.choose(
        0.3 * full, 0, 1.0 * full, [0.25 * full, 0.5 * full], np.array([[0.1], [1.0]][: 1 + plain]) * full
    )
    method = {"method": source.choose("linear", "linear", "hazen", "midpoint")} if plain else {}
    axis, keepdims = source.axes(x.ndim), source.flag()
    return Example(lambda x: function(x, q, axis=axis, keepdims=keepdims, **method), (x,))


@composition_case(np.count_nonzero)
def _count_nonzero(source: Source, function: Any) -> Example:
    x = source.integers(source.shape(), -1, 1).astype(float)
    axis, keepdims = source.axes(x.ndim), source.flag()
    return Example(lambda x: function(x, axis=axis, keepdims=keepdims), (x,), differentiable=False)


@composition_case(np.average)
def _average(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1, empty=False))
    axis, returned, keepdims = source.axis(x.ndim), source.flag(), source.flag()
    w = source.array(source.choose(x.shape, (x.shape[axis],)), POSITIVE)
    if source.integer(0, 3) == 3:
        return Example(lambda x: function(x, axis, None, returned, keepdims=keepdims), (x,))
    return Example(lambda x, w: function(x, axis, w, returned, keepdims=keepdims), (x, w))


@composition_case(np.diff)
def _diff(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1))
    n, axis = source.integer(0, 3), source.axis(x.ndim)
    end = source.array(source.choose((), tuple(2 if i == axis % x.ndim else m for i, m in enumerate(x.shape))))
    if source.flag():
        return Example(lambda x, end: function(x, n, axis, append=end, prepend=1), (x, end))
    return Example(lambda x: function(x, n=n, axis=axis), (x,))


@composition_case(np.gradient)
def _gradient(source: Source, function: Any) -> Example:
    shape = tuple(n + 1 for n in source.shape(1, 2, side=2, empty=False))
    x, edge_order = source.array(shape), source.integer(1, 2)
    axis = source.axis(x.ndim)
    kind = source.choose("all", "number", "coordinates")
    if kind == "all":
        return Example(lambda x: function(x, edge_order=edge_order), (x,))
    if kind == "number":
        return Example(lambda x: function(x, 0.5, axis=axis, edge_order=edge_order), (x,))
    place = np.cumsum(source.array((shape[axis],), POSITIVE))
    return Example(lambda x, place: function(x, place, axis=axis, edge_order=edge_order), (x, place))


@composition_case(*(ufunc.reduceat for ufunc in (*COMBINED, *CONNECTED)))
def _reduceat(source: Source, function: Any) -> Example:
    (x,) = source.apart(source.shape(1, empty=False))
    axis = source.axis(x.ndim)
    starts = source.integers((source.integer(1, 4),), 0, x.shape[axis] - 1).tolist()
    by_name = source.flag()  # NumPy then passes the indices to a Tensor twice
    return Example(
        lambda x: function(x, indices=starts, axis=axis) if by_name else function(x, starts, axis=axis),
        (x,),
        differentiable=function not in (np.logical_and.reduceat, np.logical_or.reduceat),
    )


@composition_case(np.logical_and.reduce, np.logical_or.reduce)
def _reduce_truth(source: Source, function: Any) -> Example:
    return Example(function, (source.array(source.shape(1)),), differentiable=False)


@composition_case(np.trace, np.diagonal)
def _diagonal(source: Source, function: Any) -> Example:
    x = source.array(source.shape(2))
    axis1, axis2 = (int(i) - x.ndim * source.flag() for i in source.rng.permutation(x.ndim)[:2])
    return _called(function, source, x, {}, {"offset": source.integer(-3, 3), "axis1": axis1, "axis2": axis2})


@composition_case(np.tril, np.triu)
def _triangle(source: Source, function: Any) -> Example:
    return _called(function, source, source.array(source.shape(1)), {}, {"k": source.integer(-3, 3)})


# --- shapes -----------------------------------------------------------------------------------------------------


@composition_case(np.moveaxis)
def _moveaxis(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1))
    count = source.integer(1, x.ndim)
    moved, targets = ([int(i) - x.ndim * source.flag() for i in source.rng.permutation(x.ndim)[:count]] for _ in "ab")
    return _called(
        function, source, x, {"source": moved, "destination": targets}, {"source": moved[0], "destination": targets[0]}
    )


@composition_case(np.swapaxes)
def _swapaxes(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1))
    axis1, axis2 = source.axis(x.ndim), source.axis(x.ndim)
    return Example(lambda x: function(x, axis1, axis2), (x,))


@composition_case(np.matrix_transpose)
def _matrix_transpose(source: Source, function: Any) -> Example:
    return Example(function, (source.array(source.shape(2)),))


@composition_case(np.expand_dims)
def _expand_dims(source: Source, function: Any) -> Example:
    x = source.array(source.shape())
    return _called(function, source, x, {"axis": source.axis(x.ndim + 1)}, {"axis": (0, -1)}, {"axis": (1, 0)})


@composition_case(np.squeeze)
def _squeeze(source: Source, function: Any) -> Example:
    shape = list(source.shape())
    axis = source.integer(0, len(shape))
    x = source.array((*shape[:axis], 1, *shape[axis:], 1))
    return _called(function, source, x, {}, {"axis": axis}, {"axis": -1}, {"axis": (axis, -1)})


@composition_case(np.stack)
def _stack(source: Source, function: Any) -> Example:
    shape = source.shape(0, 2)
    parts = tuple(source.array(shape) for _ in range(source.integer(1, 3)))
    axis = source.axis(len(shape) + 1)
    return Example(lambda *parts: function(parts, axis=axis), parts)


@composition_case(np.split)
def _split(source: Source, function: Any) -> Example:
    shape = source.shape(1)
    axis = source.axis(len(shape))
    length = shape[axis]
    sections = source.choose(1, max(length, 1), [1], [1, 2], [0, 2, 5], [-1], [2, 1])
    return Example(lambda x: function(x, sections, axis=axis), (source.array(shape),))


@composition_case(np.array_split)
def _array_split(source: Source, function: Any) -> Example:
    shape = (*source.shape(0, 2), source.integer(0, 12))
    sections = source.choose(1, 3, 12, [1], [0, 2, 5], [-1], [2, 1], list(range(12)), [3] * 12, [*range(9), 4, 20])
    axis = source.choose(-1, len(shape) - 1)
    return Example(lambda x: function(x, sections, axis), (source.array(shape),))


@composition_case(np.block)
def _block(source: Source, function: Any) -> Example:
    n, m, k = (source.integer(0, 3) for _ in range(3))
    x, y, z = (source.array(shape) for shape in ((n, m), (n, k), source.choose((m + k,), (2, m + k), (2, n, m + k))))
    if z.ndim == 3:
        return Example(lambda x, y, z: function([[[x, y]], [[z]]]), (x, y, z))
    return Example(lambda x, y, z: function([[x, y], [z]]), (x, y, z))


@composition_case(np.pad)
def _pad(source: Source, function: Any) -> Example:
    """The modes that are written with other functions."""
    x = source.array(source.shape(1, empty=False))
    pairs = [(source.integer(0, 4), source.integer(0, 4)) for _ in x.shape]
    width, mode = source.choose(pairs, pairs[0], pairs[0][0]), source.choose("edge", "reflect", "symmetric", "wrap")
    return Example(lambda x: function(x, width, mode=mode), (x,))


@composition_case(np.rot90)
def _rot90(source: Source, function: Any) -> Example:
    x = source.array(source.shape(2))
    axes = tuple(int(i) - x.ndim * source.flag() for i in source.rng.permutation(x.ndim)[:2])
    return _called(function, source, x, {"k": source.integer(-4, 5)}, {"k": source.integer(-4, 5), "axes": axes})


@composition_case(np.rollaxis)
def _rollaxis(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1))
    return _called(
        function, source, x, {"axis": source.axis(x.ndim)}, {"axis": source.axis(x.ndim), "start": source.axis(x.ndim)}
    )


@composition_case(np.meshgrid)
def _meshgrid(source: Source, function: Any) -> Example:
    parts = tuple(source.array(source.shape(0, 2)) for _ in range(source.integer(1, 3)))
    return _called_with(function, source, parts, {}, {"sparse": True}, {"indexing": "ij"}, {"copy": False})


@composition_case(np.resize)
def _resize(source: Source, function: Any) -> Example:
    shape = source.shape()
    return _called(function, source, source.array(source.shape()), {"new_shape": shape}, {"new_shape": 7})


@composition_case(np.tile)
def _tile(source: Source, function: Any) -> Example:
    return _called(function, source, source.array(source.shape()), *({"reps": r} for r in (2, 0, (2, 1), (1, 2, 1, 3))))


@composition_case(np.flip)
def _flip(source: Source, function: Any) -> Example:
    x = source.array(source.shape())
    return _called(function, source, x, {"axis": source.axes(x.ndim)})


@composition_case(np.roll)
def _roll(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1))
    axis = source.axis(x.ndim)
    shift = source.integer(-4, 4)
    return _called(
        function,
        source,
        x,
        {"shift": shift},
        {"shift": shift, "axis": axis},
        {"shift": (shift, 1), "axis": (axis, 0)},
        {"shift": shift, "axis": (axis, 0)},
    )


# --- indexing ---------------------------------------------------------------------------------------------------


@composition_case(np.take)
def _take(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1, empty=False))
    axis = source.choose(None, source.axis(x.ndim))
    length = x.size if axis is None else x.shape[axis]
    indices = source.integers(source.shape(0, 2), -length, length - 1)
    if indices.ndim == 0:
        return Example(lambda x: function(x, int(indices), axis=axis), (x,))
    return Example(lambda x, indices: function(x, indices, axis=axis), (x, indices))


@composition_case(np.delete)
def _delete(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1, empty=False))
    axis = source.choose(None, source.axis(x.ndim))
    n = x.size if axis is None else x.shape[axis]
    at = source.choose(_positions(source, n), source.mask((n,)))
    return Example(lambda x: function(x, at, axis), (x,))


def _positions(source: Source, n: int) -> Any:
    one = source.integer(-n, n - 1)
    return source.choose(one, [one], [], [0, one], slice(None, None, 2), slice(1, 2))


@composition_case(np.insert)
def _insert(source: Source, function: Any) -> Example:
    """Values for each place, or for the same place several, with NumPy's rules for how they broadcast."""
    x = source.array(source.shape(1, empty=False))
    axis = source.choose(None, source.axis(x.ndim))
    n = x.size if axis is None else x.shape[axis]
    at = source.choose(n, [n], _positions(source, n))
    places = np.insert(np.arange(n), at, 0).size - n
    shape = [places] if axis is None else [places if i == axis % x.ndim else k for i, k in enumerate(x.shape)]
    values = source.array(source.choose((), (1,) * len(shape), tuple(shape)))
    if np.ndim(at) == 0 and not isinstance(at, slice) and axis is not None and values.size > 1:
        values = np.moveaxis(values, axis, 0)
    return Example(lambda x, values: function(x, at, values, axis), (x, values))


@composition_case(np.diag)
def _diag(source: Source, function: Any) -> Example:
    return _called(function, source, source.array(source.shape(1, 2)), {}, {"k": source.integer(-3, 3)})


@composition_case(np.take_along_axis)
def _take_along_axis(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1, empty=False))
    if source.integer(0, 3) == 3:
        flat = source.integers((4,), 0, x.size - 1)
        return Example(lambda x, indices: function(x, indices, axis=None), (x, flat))
    axis = source.axis(x.ndim)
    shape = [1 if source.integer(0, 3) == 3 else n for n in x.shape]
    shape[axis] = source.integer(0, 4)
    indices = source.integers(tuple(shape), -x.shape[axis], x.shape[axis] - 1)
    return Example(lambda x, indices: function(x, indices, axis=axis), (x, indices))


@composition_case(np.repeat)
def _repeat(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1))
    axis = source.choose(None, source.axis(x.ndim))
    length = x.size if axis is None else x.shape[axis]
    repeats = source.choose(2, 0, source.integers((length,), 0, 3))
    return Example(lambda x: function(x, repeats, axis=axis), (x,))


# --- the others, from the examples that the package has ----------------------------------------------------------

COMPOSITION_CASES.update(
    (function, from_table)
    for function in COMPOSITIONS
    if function not in COMPOSITION_CASES and function in EXAMPLES and function not in FACTS
)
