"""Products of vectors, matrices and tensors."""

from __future__ import annotations

import functools
import operator
import re
import string
from typing import Any

import numpy as np

from autograd_spiral.engine.table import composes
from autograd_spiral.vocabulary.compositions.arguments import available, operand
from autograd_spiral.vocabulary.compositions.numpys_own import numpys_own
from autograd_spiral.vocabulary.compositions.shapes import blocks


@composes(np.matmul)
def _matmul(x: Any, y: Any, /) -> Any:
    x, y = operand(x), operand(y)
    if x.ndim == 1 and y.ndim == 1:
        return np.matmul(x[None, :], y[:, None])[0, 0]
    if x.ndim == 1 and y.ndim > 1:
        return np.matmul(x[None, :], y)[..., 0, :]
    if y.ndim == 1 and x.ndim > 1:
        return np.matmul(x, y[:, None])[..., 0]
    return NotImplemented


@composes(np.dot)
def _dot(a: Any, b: Any) -> Any:
    a, b = operand(a), operand(b)
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    if b.ndim <= 2:
        return np.matmul(a, b)
    return np.tensordot(a, b, axes=(-1, -2))


composes(np.vdot)(lambda a, b, /: np.dot(np.ravel(operand(a)), np.ravel(operand(b))))


@composes(np.inner)
def _inner(a: Any, b: Any, /) -> Any:
    a, b = operand(a), operand(b)
    return np.multiply(a, b) if a.ndim == 0 or b.ndim == 0 else np.tensordot(a, b, axes=(-1, -1))


composes(*available("matvec"))(lambda x1, x2, /: np.matmul(x1, operand(x2)[..., :, None])[..., 0])
composes(*available("vecmat"))(lambda x1, x2, /: np.matmul(operand(x1)[..., None, :], x2)[..., 0, :])


@composes(np.vecdot)
def _vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    rows, columns = np.moveaxis(operand(x1), axis, -1), np.moveaxis(operand(x2), axis, -1)
    return np.matmul(rows[..., None, :], columns[..., :, None])[..., 0, 0]


composes(np.kron)(lambda a, b: blocks(np.multiply, a, b))


@composes(np.cross)
def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(operand(a), axisa, -1), np.moveaxis(operand(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError("vectors need length 3; for length 2 write a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]")
    (a0, a1, a2), (b0, b1, b2) = ([x[..., i] for i in range(3)] for x in (a, b))
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=axisc)


@composes(np.linalg.matrix_power)
def _matrix_power(a: Any, n: int) -> Any:
    unit = np.eye(a.shape[-1], dtype=a.dtype)
    return numpys_own(np.linalg.matrix_power)(a, n) if n else np.zeros_like(np.matmul(a, a)) + unit


@composes(np.correlate)
def _correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    a, v = np.atleast_1d(operand(a)), np.atleast_1d(operand(v))
    if mode == "same" and a.size < v.size:  # NumPy swaps them, which moves the middle by half a step
        return np.convolve(a, v[::-1])[a.size // 2 :][: v.size]
    return np.convolve(a, v[::-1], mode)


@composes(np.einsum)
def _einsum(subscripts: Any, /, *operands: Any, optimize: Any = False) -> Any:
    """Rewrite a call to the form that the primitive takes: explicit subscripts, no letter twice in an operand."""
    if not isinstance(subscripts, str):
        given, forms = [subscripts, *operands[1::2]], ["".join(map(_letter, axes)) for axes in operands[::2]]
        result = "" if len(operands) % 2 else "->" + "".join(map(_letter, given.pop()))
        return np.einsum(",".join(forms) + result, *given, optimize=optimize)
    arrays = [operand(each) for each in operands]
    terms, arrow, result = subscripts.replace(" ", "").partition("->")
    inputs = terms.split(",")
    if len(inputs) != len(arrays):
        raise ValueError(f"np.einsum: {subscripts!r} names {len(inputs)} operands but {len(arrays)} were given")
    spare = [letter for letter in string.ascii_letters if letter not in subscripts]
    widths = [a.ndim - len(t) + 3 if "..." in t else 0 for t, a in zip(inputs, arrays, strict=True)]
    dots = "".join(spare[: max(widths)])
    inputs = [t.replace("...", dots[len(dots) - w :]) for t, w in zip(inputs, widths, strict=True)]
    if arrow:
        result = result.replace("...", dots)
    else:
        named = "".join(inputs)
        result = dots + "".join(sorted(c for c in set(named) if named.count(c) == 1 and c not in dots))
    for i, term in enumerate(inputs):
        if len(term) != arrays[i].ndim:
            raise ValueError(f"np.einsum: {term!r} does not fit an operand of shape {arrays[i].shape}")
        while twice := re.search(r"(.).*?(\1)", term):
            first, second = twice.start(1), twice.start(2)
            if arrays[i].shape[first] != arrays[i].shape[second]:
                lengths = f"{arrays[i].shape[first]} and {arrays[i].shape[second]}"
                raise ValueError(f"np.einsum: {twice[1]!r} occurs twice in {term!r}, for axes of lengths {lengths}")
            arrays[i] = np.diagonal(arrays[i], 0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + twice[1]
        inputs[i] = term
    explicit = ",".join(inputs) + "->" + result
    if explicit == subscripts and all(a is b for a, b in zip(arrays, operands, strict=True)):
        return NotImplemented
    return np.einsum(explicit, *arrays, optimize=optimize)


def _letter(axis: Any) -> str:
    """Return a letter for the number of an axis; the letters sort in the order of the numbers, as NumPy expects."""
    if axis is Ellipsis:
        return "..."
    if operator.index(axis) not in range(52):
        raise ValueError(f"np.einsum: axes are numbered from 0 to 51 whatever the shape, not {axis}")
    return (string.ascii_uppercase + string.ascii_lowercase)[axis]


# --- methods of ufuncs ------------------------------------------------------------------------------------------------


def _outer_of(ufunc: Any, A: Any, B: Any, /) -> Any:
    return ufunc(np.reshape(A, np.shape(A) + (1,) * np.ndim(B)), operand(B))


OUTER: tuple[Any, ...] = (
    *(np.add, np.subtract, np.multiply, np.divide, np.power, np.hypot, np.arctan2, np.logaddexp),
    *(np.maximum, np.minimum, np.fmax, np.fmin),
)
"""The ufuncs whose method `outer` is supported: it pairs each entry of one array with each entry of another."""

for _ufunc in OUTER:
    composes(_ufunc.outer)(functools.partial(_outer_of, _ufunc))
