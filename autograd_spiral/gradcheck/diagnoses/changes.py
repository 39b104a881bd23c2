"""Mistakes in the rule of one operation: the result is lost, a mask is forgotten, a factor is wrong, and so on.

A change takes an operation, the number of an argument, the cotangent of the operation and the right piece for the
argument, and returns a wrong piece, or None if the mistake is not possible there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["CHANGES", "Change", "always", "lost", "name", "rule", "with_value"]

Change: TypeAlias = Callable[[Tensor, int, Array, Array], Array | None]


def name(node: Tensor) -> str:
    """Return the name of the function that a recorded value comes from."""
    assert node.primitive is not None
    return node.primitive.name


def rule(node: Tensor, i: int, ct: Array, operands: Sequence[Any], out: Array | None = None) -> Array:
    """Return the piece for argument `i` by the rule of the operation, with these operands and this output.

    The rule of an operation that a user declared gets copies, since it may keep or return them.
    """
    assert node.primitive is not None
    vjp: Any = node.primitive.vjps_for(len(node.args))[i]
    out = node.data if out is None else out
    if node.primitive.isolated:
        return np.array(vjp(ct.copy(), out, *operands, **node.params))
    return np.asarray(vjp(ct, out, *operands, **node.params))


def lost(node: Tensor, i: int, ct: Array, piece: Array) -> Array:
    """Return zeros, as if nothing came back through the edge."""
    return np.zeros(piece.shape)


def always(piece: Array) -> Change:
    """Return the change that replaces the right piece by this one, whatever the cotangent."""
    return lambda node, i, ct, right: piece.reshape(node.args[i].shape)


def with_value(k: int, instead: Mapping[Tensor, Array], node: Tensor, i: int, ct: Array, piece: Array) -> Array:
    """Return the piece of a rule that gets another value as argument `k`: `instead` maps operations to values."""
    return rule(node, i, ct, [*node.operands[:k], instead[node], *node.operands[k + 1 :]])


def _is_mask(ct: Array, piece: Array) -> bool:
    """Return whether a piece is the cotangent with zeros in place of some elements."""
    return piece.shape == ct.shape and bool(np.all((piece == ct) | (piece == 0))) and bool(np.any(piece != ct))


def _without_mask(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return ct if _is_mask(ct, piece) else None


def _mask_turned(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return ct - piece if _is_mask(ct, piece) else None


def _without_sign(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return ct if piece.shape == ct.shape and np.array_equal(piece, -ct) else None


def _without_derivative(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    if piece.shape != ct.shape or _is_mask(ct, piece) or np.array_equal(np.abs(piece), np.abs(ct)):
        return None
    return ct if node.operands[i].shape == ct.shape else None


def _is_elementwise(node: Tensor) -> bool:
    """Return whether the operation has a single argument, of the same shape as its output."""
    return len(node.operands) == 1 and node.operands[0].shape == node.shape


def _at_the_input(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return rule(node, i, ct, node.operands, out=node.operands[0]) if _is_elementwise(node) else None


def _at_the_output(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return rule(node, i, ct, [node.data]) if _is_elementwise(node) else None


def _with_factor(node: Tensor, i: int, ct: Array, change: Callable[[Array], Array]) -> Array | None:
    """Return the piece of a product of matrices whose other factor is not transposed, but changed in this way."""
    if name(node) not in ("np.matmul", "np.dot") or max(map(np.ndim, node.operands)) > 2:
        return None
    other = np.asarray(node.operands[1 - i])
    if other.ndim != 2:
        return None
    return ct @ change(other) if i == 0 else change(other) @ ct


def _not_transposed(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return _with_factor(node, i, ct, lambda other: other)  # it raises an error unless the factor is square


def _reshaped(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return _with_factor(node, i, ct, lambda other: other.reshape(other.shape[::-1]))


def _piece_reshaped(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    if name(node) not in ("np.transpose", "np.swapaxes", "np.moveaxis"):
        return None
    return ct.reshape(piece.shape)


def _without_one_hot(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    if name(node) != "softmax_cross_entropy" or i or np.ndim(node.operands[1]) != 1:
        return None
    exponentials = np.exp(node.operands[0] - node.operands[0].max(axis=1, keepdims=True))
    probs = exponentials / exponentials.sum(axis=1, keepdims=True)
    return np.asarray(probs * np.reshape(ct, (-1, 1)) / (len(piece) if node.params["reduction"] == "mean" else 1))


def _assigned(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    """Return the cotangent if the contributions to repeated entries overwrite each other instead of adding up."""
    if name(node) not in ("getitem", "np.take", "np.take_along_axis") or i or node.primitive is None:
        return None
    numbers = np.arange(piece.size).reshape(piece.shape)
    picked = np.asarray(node.primitive.evaluate(numbers, *node.operands[1:], **node.params))
    if picked.shape != ct.shape or np.unique(picked).size == picked.size:
        return None
    assigned = np.zeros(piece.size, ct.dtype)
    assigned[picked.ravel()] = ct.ravel()
    return assigned.reshape(piece.shape)


CHANGES: tuple[tuple[str, Change], ...] = (
    ("one-hot were not subtracted in {}: the entries at the labels get nothing", _without_one_hot),
    ("the mask of {} were forgotten", _without_mask),
    ("the mask of {} were turned round", _mask_turned),
    ("the minus of {} were forgotten", _without_sign),
    ("the derivative of {} were forgotten", _without_derivative),
    ("the derivative of {} were taken at its input in place of its output", _at_the_input),
    ("the derivative of {} were taken at its output in place of its input", _at_the_output),
    ("a factor of {} were not transposed", _not_transposed),
    ("a factor of {} were reshaped where it should be transposed", _reshaped),
    ("{} were undone by a reshape", _piece_reshaped),
    ("repeated indices of {} were assigned, not added up", _assigned),
)
