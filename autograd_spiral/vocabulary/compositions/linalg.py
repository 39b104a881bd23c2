"""Linear algebra: norms, the trace, and the functions whose results are parts of a decomposition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.errors import NoRuleError, ShapeError
from autograd_spiral.vocabulary.compositions.arguments import floating, operand
from autograd_spiral.vocabulary.rules import linalg
from autograd_spiral.vocabulary.signatures import NO_RTOL


@composes(np.linalg.vector_norm)
def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    if x.dtype.kind != "f":
        return np.linalg.vector_norm(floating(x), axis=axis, keepdims=keepdims, ord=ord)
    if not isinstance(ord, int | float) or ord == 0:
        raise NoRuleError(f"a vector norm with ord={ord!r} has no gradient rule: use a number other than 0")
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    if math.isinf(ord) and (ord < 0 or math.prod(x.shape[i] for i in axes)):
        return (np.max if ord > 0 else np.min)(np.absolute(x), axis=axis, keepdims=keepdims)
    return np.sum(np.absolute(x), axis=axis, keepdims=keepdims) if ord in (1, math.inf) else NotImplemented


@composes(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    ord = ord.item() if isinstance(ord, np.number) else ord
    if axis is None and ord is not None and x.ndim not in (1, 2):
        raise ValueError(f"np.linalg.norm with ord={ord!r} needs one or two axes: pass axis=, for shape {x.shape}")
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    if len(axes) == 1 or ord is None or (ord in ("fro", "f") and len(axes) == 2):
        order = ord if len(axes) == 1 and ord is not None else 2
        return np.linalg.vector_norm(x, axis=axes, keepdims=keepdims, ord=order)
    if len(axes) == 2 and ord in (1, -1, math.inf, -math.inf):
        x = floating(x)
        summed, searched = axes if abs(ord) == 1 else axes[::-1]
        sums = np.sum(np.absolute(x), axis=summed, keepdims=True)
        out = np.linalg.vector_norm(sums, axis=searched, keepdims=True, ord=math.copysign(math.inf, ord))
        return out if keepdims else np.squeeze(out, axis=axes)
    if len(axes) == 2 and ord in (2, -2, "nuc"):
        s = np.linalg.svdvals(np.moveaxis(x, axes, (-2, -1)))
        out = s[..., -1] if ord == -2 else np.sum(s if ord == "nuc" else s[..., :1], axis=-1)
        return np.expand_dims(out, axes) if keepdims else out
    raise NoRuleError(f"a norm with ord={ord!r} over {len(axes)} axes has no gradient rule")


@composes(np.linalg.cond)
def _cond(x: Any, p: Any = None) -> Any:
    if p not in (None, 2, -2):
        inverse = linalg.inverse_or_nan(x, np.linalg.slogdet(x)[0] == 0)
        number = np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(inverse, p, (-2, -1))
    else:
        s = np.linalg.svdvals(x)
        first, last = (-1, 0) if p == -2 else (0, -1)
        with np.errstate(divide="ignore", invalid="ignore"):  # for singular matrices
            number = s[..., first] / s[..., last]
    return np.where(np.isnan(number), np.inf, number)


# --- views of matrices ------------------------------------------------------------------------------------------------


@composes(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    entries = np.diagonal(a, offset, axis1, axis2)
    return np.sum(entries if dtype is None else entries.astype(dtype), axis=-1)


# --- equations --------------------------------------------------------------------------------------------------------


@composes(np.linalg.solve)
def _solve(a: Any, b: Any) -> Any:
    b = operand(b)
    return np.linalg.solve(a, b[:, None])[..., 0] if b.ndim == 1 else NotImplemented


@composes(np.linalg.tensorsolve)
def _tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    a, b = operand(a), operand(b)
    if axes is not None:
        moved = normalize_axis_tuple(axes, a.ndim)
        a = np.transpose(a, (*(i for i in range(a.ndim) if i not in moved), *moved))
    return np.linalg.solve(np.reshape(a, (b.size, -1)), np.ravel(b)).reshape(a.shape[b.ndim :])


@composes(np.linalg.pinv)
def _pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = NO_RTOL) -> Any:
    return np.linalg.pinv(_symmetric(a), rcond, rtol=rtol) if hermitian else NotImplemented


@composes(np.linalg.lstsq)
def _lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    a, b = operand(a), operand(b)
    if a.ndim != 2 or b.ndim not in (1, 2) or len(a) != len(b):
        raise ValueError("it takes a matrix, and a vector or matrix with the same number of rows, not these shapes")
    dtype = np.result_type(a.dtype, b.dtype, *(float for x in (a, b) if x.dtype.kind != "f"))
    a, b = (x if x.dtype == dtype else x.astype(dtype) for x in (a, b))
    eps = float(np.finfo(dtype).eps)
    cut = max(a.shape) * eps if rcond is None else eps if rcond < 0 else rcond
    solution, s = np.matmul(np.linalg.pinv(a, cut), b), np.linalg.svdvals(a)
    squares = np.sum(np.square(b - np.matmul(a, solution)), axis=0).reshape(-1)[: None if len(a) > a.shape[1] else 0]
    return solution, squares, np.sum(s > cut * s[:1]).astype(np.int32), s


# --- decompositions ---------------------------------------------------------------------------------------------------

# NumPy's named tuples
_RESULTS: Any = {f: type(f(np.eye(1))) for f in (np.linalg.eigh, np.linalg.qr, np.linalg.slogdet, np.linalg.svd)}


def _symmetric(a: Any) -> Any:
    """Return the symmetric matrix with the lower triangle of `a`, the only one that NumPy reads."""
    return np.tril(a) + np.tril(a, -1).mT


composes(np.linalg.slogdet)(lambda a: _RESULTS[np.linalg.slogdet](*linalg.unpacked(linalg.packed_slogdet(a), (), ())))


@composes(np.linalg.eigh)
def _eigh(a: Any, UPLO: str = "L") -> Any:
    return _RESULTS[np.linalg.eigh](*linalg.unpacked(linalg.packed_eigh(a, UPLO=UPLO), a.shape[-1:], a.shape[-2:]))


composes(np.linalg.eigvalsh)(lambda a, UPLO="L": np.linalg.eigh(a, UPLO)[0])


def _lengths(a: Any) -> tuple[int, int, int]:
    """Return the numbers of rows and columns of the matrices `a`, and the smaller of the two."""
    if a.ndim < 2:
        raise ShapeError(f"{a.ndim}-dimensional array given. Array must be at least two-dimensional")
    m, n = a.shape[-2:]
    return m, n, min(m, n)


@composes(np.linalg.svd)
def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    m, n, k = _lengths(a)
    if hermitian and not compute_uv:
        return np.linalg.svdvals(_symmetric(a))
    if compute_uv and (hermitian or (full_matrices and m != n)):
        instead = "np.linalg.eigh(t)" if hermitian else "np.linalg.svd(t, full_matrices=False)"
        raise NoRuleError(f"np.linalg.svd of shape {a.shape} has no gradient rule for the vectors: write {instead}")
    result = _RESULTS[np.linalg.svd](*linalg.unpacked(linalg.packed_svd(a, full_matrices=False), (m, k), (k,), (k, n)))
    return result if compute_uv else result.S


@composes(np.linalg.qr)
def _qr(a: Any, mode: str = "reduced") -> Any:
    m, n, k = _lengths(a)
    if mode not in ("reduced", "r") and not (mode == "complete" and m <= n):
        raise NoRuleError(f"np.linalg.qr of shape {a.shape} with mode={mode!r} has no gradient rule: use 'reduced'")
    q, r = linalg.unpacked(linalg.packed_qr(a if n == k else a[..., :k]), (m, k), (k, k))
    if n > k:
        r = np.concatenate([r, np.matmul(q.mT, a[..., k:])], axis=-1)
    return r if mode == "r" else _RESULTS[np.linalg.qr](q, r)
