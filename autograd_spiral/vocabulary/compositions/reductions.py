"""Reductions and scans: moments, averages, differences, and the keywords of NumPy's reductions that no rule takes."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autograd_spiral.engine.table import COMPOSITIONS, composes
from autograd_spiral.errors import ArgumentError, DtypeError, NoRuleError, ShapeError
from autograd_spiral.vocabulary.compositions.arguments import converted, floating, operand, shared
from autograd_spiral.vocabulary.functions import logsumexp
from autograd_spiral.vocabulary.rules.indexing import scatter
from autograd_spiral.vocabulary.signatures import ARRAY

np: Any = numpy  # its type stubs know nothing of Tensors

# --- where=, initial= and dtype= --------------------------------------------------------------------------------------


def _masked(where: Any, a: Any, fill: Any) -> Any:
    return a if where is True else np.where(np.broadcast_to(where, a.shape), a, fill)


def _reduction(function: Any, fill: Any, join: Any) -> Any:
    """Return a reduction that also takes `where` and `initial`.

    An entry that `where` leaves out counts as `fill`, or as `initial` if `fill` is None. If `initial` is given, `join`
    combines it with the result."""

    def reduce(
        a: Any, axis: Any = None, *, dtype: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> Any:
        if dtype is None and initial is None and where is True:
            return NotImplemented
        if fill is None and initial is None:
            raise ArgumentError(f"np.{function.__name__} with where= needs initial=, the result if no entry counts")
        a = a if dtype is None else a.astype(dtype)
        first: Any = None if initial is None else operand(initial)
        counted = _masked(where, a, fill if first is None or fill is not None else first.astype(a.dtype))
        if fill is None and not a.size:
            return np.sum(a, axis=axis, keepdims=keepdims).astype(a.dtype) + first.astype(a.dtype)
        out = function(counted, axis=axis, keepdims=keepdims)
        return out if first is None else join(out, first.astype(out.dtype))

    return reduce


for _function, _fill, _join in (
    *((np.sum, 0, np.add), (np.prod, 1, np.multiply), (np.max, None, np.maximum), (np.min, None, np.minimum)),
    *((np.all, True, np.logical_and), (np.any, False, np.logical_or)),
):
    shared(_function, _reduction(_function, _fill, _join))


def _moment(
    function: Any,
    a: Any,
    axis: Any = None,
    *,
    dtype: Any = None,
    keepdims: bool = False,
    where: Any = True,
    ddof: float = 0,
    correction: float | None = None,
) -> Any:
    ddof = ddof if correction is None else correction
    masked = {} if where is True else {"where": where}
    if function is np.mean and dtype is None and not masked:
        return NotImplemented
    if dtype is not None or a.dtype == np.float16:  # in float16, sums of squares overflow
        dtype = np.dtype(dtype or a.dtype)
        if dtype.kind != "f":
            raise NoRuleError(f"np.{function.__name__} with dtype={dtype} has no gradient rule: use a floating dtype")
        wide = a.astype(np.float32 if dtype == np.float16 else dtype)
        return function(wide, axis, keepdims=keepdims, **masked, **({"ddof": ddof} if ddof else {})).astype(dtype)
    a = _masked(where, a if function is np.mean else a - np.mean(a, axis, keepdims=True, **masked), 0)
    total = np.linalg.vector_norm if function is np.std else np.sum
    out = total(np.square(a) if function is np.var else a, axis=axis, keepdims=keepdims)
    if masked:
        counted = np.broadcast_to(where, a.shape).astype(out.dtype)
        free = np.maximum(np.sum(counted, axis=axis, keepdims=keepdims) - ddof, 0)
    else:
        free = max(a.size // max(out.size, 1) - ddof, 0)
    return out / (free**0.5 if function is np.std else free)


def _without_nans(function: Any, a: Any, axis: Any = None, *, where: Any = True, **settings: Any) -> Any:
    return function(a, axis, where=np.logical_and(np.logical_not(np.isnan(a)), where), **settings)


for _function in (np.mean, np.var, np.std):
    shared(_function, functools.partial(_moment, _function))
for _function in (np.sum, np.prod, np.mean, np.var, np.std):
    _of_numbers: Any = functools.partial(_without_nans, _function)
    _of_numbers.__signature__ = inspect.signature(COMPOSITIONS[_function])
    composes(getattr(np, f"nan{_function.__name__}"))(_of_numbers)
composes(np.count_nonzero)(lambda a, axis=None, *, keepdims=False: np.sum(a != 0, axis, keepdims=keepdims))


@composes(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    a = operand(a)
    if weights is None:
        out = np.mean(a, axis, keepdims=keepdims)
        return (out, np.full_like(out, a.size / max(out.size, 1))) if returned else out
    weights = operand(weights)
    if weights.shape != a.shape:
        axes = () if axis is None else normalize_axis_tuple(axis, a.ndim)
        if weights.shape != tuple(a.shape[i] for i in axes) or not axes:
            raise ShapeError(f"np.average: weights of shape {weights.shape} do not fit axis={axis} of shape {a.shape}")
        weights = np.transpose(weights, sorted(range(len(axes)), key=axes.__getitem__))
        weights = np.reshape(weights, tuple(n if i in axes else 1 for i, n in enumerate(a.shape)))
    dtype = np.result_type(a.dtype, weights.dtype, np.float16 if a.dtype.kind == "f" else np.float64)
    wide = np.float32 if dtype == np.float16 else dtype  # in float16, a sum of ones stops at 2048
    total = np.sum(weights, axis, dtype=wide, keepdims=keepdims)
    out = converted(np.sum(converted(a, wide) * weights, axis, keepdims=keepdims) / total, dtype)
    return (out, converted(total, dtype) * np.ones_like(out)) if returned else out


# --- covariances ------------------------------------------------------------------------------------------------------

composes(np.cov)(
    lambda m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None: _cov(
        (m, y), rowvar, (0 if bias else 1) if ddof is None else ddof, fweights, aweights, dtype
    )
)


def _cov(samples: Any, rowvar: bool, ddof: float, fweights: Any, aweights: Any, dtype: Any) -> Any:
    parts = [operand(part) for part in samples if part is not None]
    if any(part.ndim > 2 for part in parts):
        raise ShapeError(f"np.cov takes arrays of at most 2 axes, not of shapes {[part.shape for part in parts]}")
    rows = [p if p.ndim == 2 and rowvar else p.T if p.ndim == 2 else np.reshape(p, (1, -1)) for p in parts]
    x = np.concatenate(rows, axis=0)
    x = converted(x, np.result_type(x.dtype, np.float64) if dtype is None else dtype)
    weights: Any = 1
    for each in (fweights, aweights):
        weights = weights if each is None else weights * operand(each)
    if fweights is None and aweights is None:
        free = max(x.shape[1] - ddof, 0)
        x = x - np.mean(x, axis=1, keepdims=True)
    else:
        total = np.sum(weights)
        lost = 1 if aweights is None else np.sum(weights * operand(aweights)) / total
        free = np.maximum(total - ddof * lost, 0)
        x = x - np.average(x, axis=1, weights=weights, keepdims=True)
    return np.squeeze(np.matmul(x, np.transpose(x * weights)) / free)


@composes(np.corrcoef)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = np.cov(x, y, rowvar, dtype=dtype)
    deviation = np.sqrt(np.diagonal(c)) if c.ndim else np.sqrt(c)
    return np.clip(c / deviation[..., None] / deviation, -1, 1) if c.ndim else c / c


# --- scans and differences --------------------------------------------------------------------------------------------


def _scan(function: Any, start: int | None, a: Any, axis: int | None = None, *, dtype: Any = None) -> Any:
    """Scan in `dtype`; if `start` is given, it replaces NaNs."""
    if dtype is None and start is None:
        return NotImplemented
    a = a if dtype is None else a.astype(dtype)
    return function(a if start is None else np.where(np.isnan(a), start, a), axis)


for _function, _start, _nan in ((np.cumsum, 0, np.nancumsum), (np.cumprod, 1, np.nancumprod)):
    composes(_function)(functools.partial(_scan, _function, None))
    composes(_nan)(functools.partial(_scan, _function, _start))


@composes(np.ediff1d)
def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    between = np.diff(np.ravel(operand(ary)))
    first, last = ([] if end is None else [np.ravel(operand(end))] for end in (to_begin, to_end))
    if not all(np.can_cast(end.dtype, between.dtype, "same_kind") for end in (*first, *last)):
        raise DtypeError(f"np.ediff1d: to_begin and to_end must fit the dtype of the differences, {between.dtype}")
    return converted(np.concatenate([*first, between, *last]), between.dtype) if first or last else between


@composes(np.gradient)
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = floating(operand(f))
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    spacings = [operand(h) for h in varargs or (f.dtype.type(1),)]
    spacings *= len(axes) if len(spacings) == 1 and spacings[0].ndim == 0 else 1
    fits = len(spacings) == len(axes) and all(h.ndim < 2 for h in spacings)
    if not fits or edge_order not in (1, 2) or any(f.shape[i] <= edge_order for i in axes):
        raise ShapeError(
            f"np.gradient of shape {f.shape} along axes {axes} takes one spacing, or a number or coordinates for each "
            f"axis, and more than edge_order={edge_order} (which is 1 or 2) entries along each"
        )
    slopes = tuple(_slopes(f, h, i, edge_order) for h, i in zip(spacings, axes, strict=True))
    return slopes if len(slopes) > 1 else slopes[0]


def _slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """Return the slopes of parabolas through three neighbours; at the edges, of a line or of the nearest parabola."""
    f = np.moveaxis(f, axis, 0)
    steps = converted(np.diff(spacing) if spacing.ndim else np.broadcast_to(spacing, (len(f) - 1,)), f.dtype)
    steps = np.reshape(steps, (len(f) - 1,) + (1,) * (f.ndim - 1))
    lines, part = np.diff(f, axis=0) / steps, steps[:-1] / (steps[:-1] + steps[1:])
    bend, first, last = np.diff(lines, axis=0), lines[:1], lines[-1:]
    if edge_order == 2:
        first, last = first - bend[:1] * part[:1], last + bend[-1:] * (1 - part[-1:])
    return np.moveaxis(np.concatenate([first, lines[:-1] + bend * part, last]), 0, axis)


# --- bins, lanes and axes ---------------------------------------------------------------------------------------------


@composes(np.bincount)
def _bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    bins = np.asarray(x)
    weights = np.ones(bins.shape, np.intp) if weights is None else converted(operand(weights), np.float64)
    if weights.shape != bins.shape:
        raise ShapeError(f"np.bincount: weights of shape {weights.shape} do not fit bins of shape {bins.shape}")
    count = np.bincount(bins, minlength=minlength).size  # this checks the bins
    return scatter(weights, bins, index=(ARRAY,), shape=(count,))


@composes(np.apply_along_axis)
def _apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    lanes = np.moveaxis(arr, axis, -1)
    results = [operand(func1d(lanes[i], *args, **kwargs)) for i in np.ndindex(lanes.shape[:-1])]
    if not results:
        raise ShapeError(f"np.apply_along_axis: an array of shape {arr.shape} has no entries along other axes")
    out = np.reshape(np.stack(results), lanes.shape[:-1] + results[0].shape)
    first = normalize_axis_index(axis, arr.ndim)
    return np.moveaxis(out, range(arr.ndim - 1, out.ndim), range(first, first + results[0].ndim))


# --- methods of ufuncs ------------------------------------------------------------------------------------------------


def _method(ufunc: Any, function: Any) -> None:
    """Enter `ufunc.reduce` and `ufunc.reduceat`, computed by `function`, the reduction that does the same."""

    def terms(array: Any) -> Any:
        nothing = np.empty(0, array.dtype)
        return converted(array, ufunc(nothing, nothing).dtype)

    def reduceat(array: Any, indices: Any, axis: int = 0) -> Any:
        array, starts, axis = terms(array), np.asarray(indices), normalize_axis_index(axis, array.ndim)
        if starts.size and not 0 <= starts.min() <= starts.max() < array.shape[axis]:
            raise IndexError(f"indices {starts.tolist()} are out of range for axis {axis} of shape {array.shape}")
        lengths = np.maximum(np.append(starts[1:], array.shape[axis]) - starts, 1)
        parts = []
        for n in np.unique(lengths):  # all parts of one length at once
            runs = np.take(array, starts[lengths == n][:, None] + np.arange(n), axis=axis)
            parts.append((np.sum if n == 1 and ufunc is np.hypot else function)(runs, axis=axis + 1))
        order = np.argsort(np.argsort(lengths, kind="stable"))
        return np.take(np.concatenate(parts, axis=axis), order, axis=axis)

    def reduce(array: Any, axis: Any = 0, *, keepdims: bool = False) -> Any:
        return function(terms(array), axis=axis, keepdims=keepdims)

    def reduce_with(array: Any, axis: Any = 0, *, keepdims: bool = False, **settings: Any) -> Any:
        return function(terms(array), axis=axis, keepdims=keepdims, **settings)

    composes(ufunc.reduce)(reduce if ufunc in (np.logaddexp, np.hypot) else reduce_with)
    composes(ufunc.reduceat)(reduceat)


for _ufunc, _function in (
    *((np.add, np.sum), (np.multiply, np.prod), (np.maximum, np.max), (np.minimum, np.min)),
    *((np.logaddexp, logsumexp), (np.hypot, np.linalg.vector_norm), (np.logical_and, np.all), (np.logical_or, np.any)),
):
    _method(_ufunc, _function)
composes(np.add.accumulate)(lambda array, axis=0, **settings: np.cumsum(array, axis, **settings))
composes(np.multiply.accumulate)(lambda array, axis=0, **settings: np.cumprod(array, axis, **settings))
