"""Linear algebra: norms of vectors, inverses, determinants, decompositions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_spiral.engine.calls import overridable
from autograd_spiral.engine.declare import trusted_primitive
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.modes import MODE
from autograd_spiral.engine.sweep import wide
from autograd_spiral.engine.table import define
from autograd_spiral.vocabulary import fast_paths, signatures
from autograd_spiral.vocabulary.rules.reductions import others, restore_axes


@overridable
def kink(x: Any, at: Any) -> Any:
    """Return zeros like x whose derivative is NaN where `at` is True; adding them to a gradient marks a kink there.

    >>> kink(np.array([1.0, 2.0]), np.array([True, False]))
    array([0., 0.])
    """
    return np.zeros_like(x)


define(kink, lambda ct, out, x, at: np.where(at, np.nan, np.zeros_like(ct)), None)


def _norm(x: Any, ord: float, axis: tuple[int, ...], keepdims: bool) -> Any:
    if ord == 2:
        return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))
    return np.sum(np.absolute(x) ** ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def _is_stale(node: Any) -> bool:
    """Whether an argument of `node` was assigned a new value after `node` was computed."""
    value_of = MODE.get().trace.value_of
    pairs = zip(node.args, node.operands, strict=True)
    return any(hasattr(arg, "backward") and value_of(arg) is not operand for arg, operand in pairs)


def _is_equal(x: Any, out: Any, depth: int = 8) -> bool:
    """Whether `x` is `out`, or was computed in the same way from the same values of the same tensors."""
    row = getattr(x, "primitive", None)
    if x is out or not depth or row is None or row.isolated:  # a user's function may return something else each time
        return x is out
    if row is not getattr(out, "primitive", None) or x.params != out.params or len(x.args) != len(out.args):
        return False
    pairs = zip(x.args, out.args, x.operands, out.operands, strict=True)
    return all(v is w if a is b else _is_equal(a, b, depth - 1) for a, b, v, w in pairs)


def _cofactor(ct: Any, out: Any, depth: int = 8) -> Any:
    """Return c if `ct` was recorded as `c · out`, as for `norm(x)**2`, which is smooth even at 0; else return None."""
    if _is_equal(ct, out):
        return np.ones_like(out)
    function = ct.primitive.function if depth and getattr(ct, "primitive", None) else None
    if function not in (np.add, np.multiply, np.divide) or _is_stale(ct):
        return None
    first, second = (_cofactor(arg, out, depth - 1) for arg in ct.args)
    if function is np.add:
        return None if first is None or second is None else first + second
    if first is not None:
        return function(first, ct.args[1])
    return None if second is None or function is np.divide else function(ct.args[0], second)


def _norm_rule(ct: Any, out: Any, x: Any, ord: float, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Return `ct · sign(x) · |x / out|**(ord - 1)`, with x scaled to a norm near 1, since powers might overflow."""
    c = _cofactor(ct, out) if ord == 2 else None
    if c is not None:
        return restore_axes(c, x, axis, keepdims) * x
    if not x.size:
        return x
    scale = (np.max if ord > 0 else np.min)(np.absolute(x), axis=axis, keepdims=True)
    flat = scale == 0  # x is 0, or has an entry 0 if ord is negative: the gradient is 0 by convention
    x = wide(x / np.where(flat, 1, scale), x.size / scale.size)
    if ord != 2:
        return restore_axes(ct, x, axis, keepdims) * np.where(flat, 0, _norm_slope(x, ord, axis, flat))
    return restore_axes(ct, x, axis, keepdims) * (x / np.where(flat, 1, _norm(x, 2, axis, True)) + kink(scale, flat))


def _norm_slope(x: Any, ord: float, axis: tuple[int, ...], flat: Any) -> Any:
    zero = x == 0
    size = np.where(zero, 1, np.absolute(x))
    total = np.sum(np.where(zero, 0, size**ord), axis=axis, keepdims=True)
    return np.sign(x) * size ** (ord - 1) * np.where(flat, 1, total) ** (1 / ord - 1)


define(np.linalg.vector_norm, _norm_rule, bind=signatures.vector_norm, evaluate=_norm, body=_norm)


# --- inverses and determinants ----------------------------------------------------------------------------------------


def _where_lost(lost: Any, x: Any) -> Any:
    """Return the matrices `x`, with NaN in all entries of those that are `lost`."""
    return np.where(lost[..., None, None], np.nan, x)


def inverse_or_nan(x: Any, lost: Any) -> Any:
    """Return the inverses of the matrices `x`, NaN for those that are `lost`.

    >>> inverse_or_nan(np.array([[[2.0]], [[0.0]]]), np.array([False, True])).ravel()
    array([0.5, nan])
    """
    return _where_lost(lost, np.linalg.inv(np.where(lost[..., None, None], np.eye(x.shape[-1], dtype=x.dtype), x)))


def _solve_rule(ct: Any, out: Any, a: Any, b: Any) -> Callable[[int], Any]:
    to_b = np.linalg.solve(a.mT, ct)
    return lambda argument: to_b if argument == 1 else -fast_paths.matmul(to_b, out.mT)


def _signed_svd(x: Any) -> tuple[Any, Any, Any, Any]:
    """Return the determinant of U @ Vh, as a matrix, and the singular value decomposition."""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return np.sign(np.linalg.det(u) * np.linalg.det(vh))[..., None, None], u, s, vh


def _cofactors_rule(ct: Any, out: Any, x: Any) -> Any:
    """Return the VJP of `cofactors`, which contains products of all singular values but two."""
    sign, u, s, vh = _signed_svd(x)
    eye = np.eye(x.shape[-1], dtype=x.dtype)
    pairs = np.where(eye == 1, 0, others(np.where(eye == 1, 1, s[..., None, :])))
    inner = np.matmul(np.matmul(u.mT, ct), vh.mT)
    spread = eye * np.matmul(pairs, np.diagonal(inner, 0, -2, -1)[..., None]) - pairs * inner.mT
    return sign * np.matmul(np.matmul(u, spread), vh)


@trusted_primitive(_cofactors_rule)
def cofactors(x: Any) -> Any:
    """Return `det(x) · inv(x).mT`, the gradient of the determinant, in the shape of x; x may be singular.

    >>> cofactors(np.array([[1.0, 2.0], [2.0, 4.0]])).round(6) + 0
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    sign, u, s, vh = _signed_svd(x)
    return sign * np.matmul(u * others(s)[..., None, :], vh)


def _slogdet_rule(ct: Any, out: Any, x: Any) -> Any:
    return ct[..., 1, None, None] * inverse_or_nan(x, out[..., 0] == 0).mT


def _pinv_rule(ct: Any, out: Any, x: Any, rcond: float) -> Any:
    """Return the VJP of the pseudoinverse, if x has at least as many rows as columns.

    It is the adjoint of `-out @ dx @ out + out @ out.mT @ dx.mT @ (1 - x @ out)` (Golub and Pereyra, 1973). It is NaN
    if the rank, which is the trace of `out @ x`, is less than the number of columns.
    """
    if x.shape[-2] < x.shape[-1]:
        return _pinv_rule(ct.mT, out.mT, x.mT, rcond).mT
    lost, back = np.sum(out.mT * x, axis=(-2, -1)) < x.shape[-1] - 0.5, np.matmul(out, ct.mT)
    whole = np.matmul(ct.mT - np.matmul(x, back), np.matmul(out, out.mT)) - np.matmul(back, out).mT
    return _where_lost(lost, whole)


define(np.linalg.inv, lambda ct, out, x: -np.matmul(np.matmul(out.mT, ct), out.mT))
define(np.linalg.solve, variadic=True, rest=_solve_rule)  # of matrices: the composition turns vectors into them
define(np.linalg.det, lambda ct, out, x: ct[..., None, None] * cofactors(x))
define(np.linalg.pinv, _pinv_rule, bind=signatures.pinv)

# --- decompositions ---------------------------------------------------------------------------------------------------


def packed(parts: Any, stack: tuple[int, ...]) -> Any:
    """Return several results for each matrix of a `stack` as one array: their entries, one result after another.

    >>> packed(np.linalg.eigh(np.diag([2.0, 3.0])), ())
    array([2., 3., 1., 0., 0., 1.])
    """
    return np.concatenate([np.reshape(part, (*stack, math.prod(part.shape[len(stack) :]))) for part in parts], axis=-1)


def unpacked(x: Any, *shapes: tuple[int, ...]) -> list[Any]:
    """Return the results that were `packed`; for each matrix, they have these `shapes`.

    >>> unpacked(np.arange(5.0), (1,), (2, 2))
    [array([0.]), array([[1., 2.],
           [3., 4.]])]
    """
    ends = [0, *itertools.accumulate(map(math.prod, shapes))]
    parts = (x[..., start:end] for start, end in itertools.pairwise(ends))
    return [np.reshape(part, (*x.shape[:-1], *shape)) for part, shape in zip(parts, shapes, strict=True)]


def _triangle(x: Any, upper: bool) -> Any:
    """Return the gradient of both triangles of a symmetric matrix, added up in the one triangle that NumPy reads."""
    return np.triu(x) + np.tril(x, -1).mT if upper else np.tril(x) + np.triu(x, 1).mT


def _over_gaps(x: Any, values: Any, ct: Any, used: Any, pair: Any) -> tuple[Any, Any]:
    """Return `(x - x.mT) / 2` divided by `pair(v_j, v_i)` of `values`, and a mask of the divisors that are about 0.

    The divisor is 0, up to rounding, where two values are equal. The quotient there is NaN if the loss depends on one
    of the two vectors (`used`), or if it depends differently on the two values, whose cotangents are `ct`. Otherwise
    the quotient is 0, and its derivative would be 0 / 0: a `kink`.
    """
    eps = float(np.finfo(values.dtype).eps)
    gaps = pair(values[..., None, :], values[..., None])
    small = np.absolute(gaps) <= 8 * eps * (np.absolute(values[..., :1]) + np.absolute(values[..., -1:]))[..., None]
    tie = small & ~np.eye(x.shape[-1], dtype=bool) if pair is np.subtract else small
    parts = (x - x.mT) / 2 / np.where(small, np.inf, gaps)
    if type(tie) is np.ndarray and not tie.any():  # the usual case
        return parts, tie
    apart, total = pair(ct[..., None, :], ct[..., None]), np.sum(np.absolute(ct), axis=-1)[..., None, None]
    unequal = np.absolute(apart) > math.sqrt(eps) * total
    lost = tie & (used[..., None, :] | used[..., None] | unequal)
    return np.where(lost, np.nan, parts), tie


def _outside(x: Any, basis: Any) -> Any:
    """Return the part of the columns of `x` that is orthogonal to the orthonormal columns of `basis`."""
    return x - np.matmul(basis, np.matmul(basis.mT, x))


def _cholesky_rule(ct: Any, out: Any, x: Any, upper: bool = False) -> Any:
    """Return `inv(L).mT @ Φ(L.mT @ ct) @ inv(L)` (Murray, 2016), in the triangle that NumPy reads."""
    lower, ct = (out.mT, ct.mT) if upper else (out, ct)
    inverse = np.linalg.inv(lower)
    half = np.tril(np.matmul(lower.mT, ct)) * (1 - np.eye(x.shape[-1], dtype=x.dtype) / 2)
    return _triangle(np.matmul(np.matmul(inverse.mT, half), inverse), upper)


def _eigh_rule(ct: Any, out: Any, x: Any, UPLO: str) -> Any:
    """Return `V @ (diag(w̄) + (V.mT @ V̄) / (w_j - w_i)) @ V.mT` (Giles, 2008), in the triangle that NumPy reads."""
    n = x.shape[-1]
    (w, v), (to_w, to_v) = (unpacked(each, (n,), (n, n)) for each in (out, ct))
    turned, tie = _over_gaps(np.matmul(v.mT, to_v), w, to_w, np.any(to_v != 0, axis=-2), np.subtract)
    inner = np.matmul(v, turned) + v * (to_w + kink(w, np.any(tie, axis=-1)))[..., None, :]
    return _triangle(np.matmul(inner, v.mT), UPLO.upper() == "U")


def _svd_rule(ct: Any, out: Any, x: Any, full_matrices: bool) -> Any:
    """Return the gradient by Townsend's formula (2016), with `1 / (s_j² - s_i²)` in partial fractions."""
    (m, n), k = x.shape[-2:], min(x.shape[-2:])
    (u, s, vh), (to_u, to_s, to_vh) = (unpacked(each, (m, k), (k,), (k, n)) for each in (out, ct))
    left, right = np.matmul(u.mT, to_u), np.matmul(vh, to_vh.mT)
    used = np.any(to_u != 0, axis=-2) | np.any(to_vh != 0, axis=-1)
    apart, tie = _over_gaps(left + right, s, to_s, used, np.subtract)
    above, zero = _over_gaps(left - right, s, to_s, used, np.add)
    inner = np.matmul(u, apart + above) + u * (to_s + kink(s, np.any(tie | zero, axis=-1)))[..., None, :]
    size = np.where(s == 0, 1, s)[..., None]  # where it is 0, either the cotangents are 0 or `above` is NaN
    inner = inner + _outside(to_u / size.mT, u) if m > k else inner
    whole = np.matmul(inner, vh)
    return whole + np.matmul(u, _outside((to_vh / size).mT, vh.mT).mT) if n > k else whole


def _qr_rule(ct: Any, out: Any, x: Any) -> Any:
    """Return the gradient by the formula of Walter and Lehmann (2013), for at least as many rows as columns."""
    m, n = x.shape[-2:]
    (q, r), (to_q, to_r) = (unpacked(each, (m, n), (n, n)) for each in (out, ct))
    rounding = 8 * float(np.finfo(x.dtype).eps) * np.sum(np.absolute(r), axis=-2)
    lost = np.any(np.absolute(np.diagonal(r, 0, -2, -1)) <= rounding, axis=-1)  # a column depends on those before it
    mixed = np.matmul(r, to_r.mT) - np.matmul(to_q.mT, q)
    return np.matmul(to_q + np.matmul(q, np.tril(mixed) + np.tril(mixed, -1).mT), inverse_or_nan(r, lost).mT)


def _packing(function: Any, rule: Any) -> Any:
    """Enter a rule for a function whose several results are `packed`; return the function that packs them."""

    def pack(x: Any, **params: Any) -> Any:
        return packed(function(x, **params), x.shape[:-2])

    pack.__name__ = f"packed_{function.__name__}"
    packs = overridable(pack)
    define(packs, rule).name = name_of(function)
    return packs


define(np.linalg.cholesky, _cholesky_rule)
packed_slogdet = _packing(np.linalg.slogdet, _slogdet_rule)
packed_eigh = _packing(np.linalg.eigh, _eigh_rule)
packed_svd = _packing(np.linalg.svd, _svd_rule)
packed_qr = _packing(np.linalg.qr, _qr_rule)
