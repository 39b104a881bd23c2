"""Products of vectors, matrices and tensors."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.errors import NoRuleError
from autograd_spiral.vocabulary.compositions.arguments import operand


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


@composes(np.outer)
def _outer(a: Any, b: Any) -> Any:
    return np.ravel(operand(a))[:, None] * np.ravel(operand(b))[None, :]


@composes(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = operand(a), operand(b)
    if isinstance(axes, int | np.integer):
        axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    summed_a = normalize_axis_tuple(axes[0], a.ndim)
    summed_b = normalize_axis_tuple(axes[1], b.ndim)
    kept_a = tuple(i for i in range(a.ndim) if i not in summed_a)
    kept_b = tuple(i for i in range(b.ndim) if i not in summed_b)
    if [a.shape[i] for i in summed_a] != [b.shape[i] for i in summed_b]:
        raise ValueError(
            f"np.tensordot: axes {summed_a} of shape {a.shape} do not match axes {summed_b} of shape {b.shape}"
        )
    shape_a = tuple(a.shape[i] for i in kept_a)
    shape_b = tuple(b.shape[i] for i in kept_b)
    length = math.prod(a.shape[i] for i in summed_a)
    rows = np.transpose(a, kept_a + summed_a).reshape((math.prod(shape_a), length))
    columns = np.transpose(b, summed_b + kept_b).reshape((length, math.prod(shape_b)))
    return np.matmul(rows, columns).reshape(shape_a + shape_b)


@composes(np.einsum)
def _einsum(subscripts: Any, /, *operands: Any, optimize: Any = False) -> Any:
    """Rewrite to explicit subscripts without repeated letters in an operand, the only form that the primitive takes."""
    if not isinstance(subscripts, str):
        raise NoRuleError("np.einsum(operand, axes, …) has no gradient rule: write np.einsum('ij,jk->ik', x, y)")
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
        while len(set(term)) < len(term):
            twice = next(letter for letter in term if term.count(letter) > 1)
            first = term.index(twice)
            second = term.index(twice, first + 1)
            if arrays[i].shape[first] != arrays[i].shape[second]:
                raise ValueError(
                    f"np.einsum: {twice!r} stands twice in {term!r}, for axes of lengths {arrays[i].shape[first]} and "
                    f"{arrays[i].shape[second]}, but a diagonal needs equal lengths"
                )
            arrays[i] = np.diagonal(arrays[i], 0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + twice
        inputs[i] = term
    explicit = ",".join(inputs) + "->" + result
    if explicit == subscripts and all(a is b for a, b in zip(arrays, operands, strict=True)):
        return NotImplemented
    return np.einsum(explicit, *arrays)
