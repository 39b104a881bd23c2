"""Elementwise functions, and functions that only look at dtypes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd_spiral.engine.table import composes
from autograd_spiral.errors import InPlaceError, NoRuleError
from autograd_spiral.vocabulary.compositions.arguments import operand
from autograd_spiral.vocabulary.compositions.indexing import take


def _of_dtypes(function: Any) -> Any:
    """Return `function`, which uses only the dtypes of its arguments, as a function that also takes Tensors."""
    return lambda *args, **kw: function(*(np.empty(0, a.dtype) if hasattr(a, "backward") else a for a in args), **kw)


for fact in (np.result_type, np.can_cast, np.min_scalar_type):
    composes(fact)(_of_dtypes(fact))


@composes(np.full_like)
def _full_like(a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    if hasattr(fill_value, "backward"):
        raise NoRuleError("np.full_like makes a constant: for a gradient, write np.broadcast_to(fill_value, a.shape)")
    array = np.full(a.shape if shape is None else shape, fill_value, dtype or a.dtype)
    return array if isinstance(a, np.ndarray) else type(a)(array)


composes(np.zeros_like)(lambda a, dtype=None, *, shape=None: _full_like(a, 0, dtype, shape=shape))
composes(np.ones_like)(lambda a, dtype=None, *, shape=None: _full_like(a, 1, dtype, shape=shape))
composes(np.copy)(lambda a: a.astype(bool) if a.dtype == bool else np.positive(a))  # NumPy has no +a for bools
composes(np.astype)(lambda x, dtype, /: x.astype(dtype))


@composes(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    if a.dtype.kind in "iu":  # as in NumPy, a Python integer outside the dtype's range does not clip
        low = None if type(low) is int and low <= np.iinfo(a.dtype).min else low
        high = None if type(high) is int and high >= np.iinfo(a.dtype).max else high
    out = a if low is None else np.maximum(a, low)
    return out if high is None else np.minimum(out, high)


@composes(np.float_power)
def _float_power(x: Any, y: Any, /) -> Any:
    return np.power(*(operand(a).astype(np.promote_types(operand(a).dtype, float)) for a in (x, y)))


composes(np.divmod)(lambda x, y, /: (np.floor_divide(x, y), np.remainder(x, y)))


@composes(np.modf)
def _modf(x: Any, /) -> Any:
    x = x if x.dtype.kind == "f" else x.astype(np.sqrt(np.zeros(0, x.dtype)).dtype)  # as NumPy converts it
    return np.fmod(np.where(np.isinf(x), np.copysign(0, x), x), 1), np.trunc(x)


composes(np.fix)(lambda x: np.trunc(x))
composes(np.around)(lambda a, decimals=0: np.round(a, decimals))


@composes(np.nan_to_num)
def _nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if not copy:
        raise InPlaceError("np.nan_to_num with copy=False would overwrite a recorded value: leave copy=False out")
    if x.dtype.kind != "f":
        return np.copy(x)
    above = np.finfo(x.dtype).max if posinf is None else posinf
    below = np.finfo(x.dtype).min if neginf is None else neginf
    return np.where(np.isnan(x), nan, np.where(x == np.inf, above, np.where(x == -np.inf, below, x)))


# --- functions of complex numbers, for real numbers, whose imaginary part is 0 ----------------------------------------

composes(np.real)(lambda val: np.copy(val))
composes(np.real_if_close)(lambda a, tol=100: np.copy(a))
composes(np.imag)(lambda val: np.zeros_like(val))
composes(np.iscomplex)(lambda x: np.zeros_like(x, dtype=bool))


# --- choosing ---------------------------------------------------------------------------------------------------------


@composes(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    facts = [np.empty(0, operand(condition).dtype) for condition in condlist]
    np.select(facts, [0 for choice in choicelist])  # raises unless each choice has a mask
    out = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        out = np.where(condition, choice, out)
    return out


@composes(np.piecewise)
def _piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Call each function with its own entries, and put the results back in the original order."""
    conditions = np.asarray(condlist) if hasattr(condlist, "ndim") else [np.asarray(c) for c in condlist]
    which = np.piecewise(np.zeros(x.shape), conditions, range(1, len(funclist) + 1)).ravel()  # NumPy's own choice
    flat, pieces = np.ravel(x), []
    for i, function in enumerate([0, *funclist]):
        entries = np.flatnonzero(which == i)
        piece = operand(function(flat[entries], *args, **kw) if callable(function) else function)
        pieces.append(np.broadcast_to(piece, entries.shape).astype(x.dtype))
    return np.reshape(np.concatenate(pieces)[np.argsort(np.argsort(which, kind="stable"))], x.shape)


@composes(np.interp)
def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    x, xp, fp = (operand(a).astype(float) for a in (x, xp, fp))
    if period is not None:
        period, left, right = abs(period), None, None
        x, xp = np.remainder(x, period), np.remainder(xp, period)
        order = np.argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    end = np.clip(np.searchsorted(xp, x, side="right"), min(1, len(xp) - 1), len(xp) - 1)
    start = np.maximum(end - 1, 0)
    x0, y0 = take(xp, start), take(fp, start)
    run, rise = take(xp, end) - x0, take(fp, end) - y0
    inside = np.where(run == 0, y0, y0 + (x - x0) * (rise / np.where(run == 0, 1, run)))
    out = np.where(x > xp[-1], fp[-1] if right is None else right, inside)
    return np.where(x < xp[0], fp[0] if left is None else left, out)


@composes(np.unwrap)
def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
    p = np.moveaxis(p, axis, -1)
    step = p[..., 1:] - p[..., :-1]
    whole = isinstance(period, int) and step.dtype.kind in "iu"
    half = period // 2 if whole else period / 2
    turned = np.remainder(step + half, period) - half
    turned = np.where((turned == -half) & (step > 0) & (2 * half == period), turned + period, turned)
    change = np.where(np.absolute(step) < (period / 2 if discont is None else discont), 0, turned - step)
    return np.moveaxis(
        np.concatenate([p[..., :1], p[..., 1:] + np.cumsum(change, -1).astype(change.dtype)], axis=-1), -1, axis
    )
