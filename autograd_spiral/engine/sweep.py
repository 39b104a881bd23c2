"""The reverse sweep: computes the cotangents of everything that some outputs depend on.

It does not import Tensor, and uses only its fields. Rules run on arrays, or on Tensors when the gradients are to be
differentiated in turn. The sweep is a pure function: it stores nothing on a node, and if it fails it changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Set
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np

from autograd_spiral.engine import messages
from autograd_spiral.engine.frozen import call_isolated, sealed

__all__ = ["sweep", "unbroadcast", "wide"]

_serial = attrgetter("serial")
_FLOAT16 = np.dtype(np.float16)


def sweep(
    seeds: Iterable[tuple[Any, Any]],
    inputs: Set[Any] | None = None,
    *,
    observer: Any = None,
    operands_of: Callable[[Any], tuple[Any, ...]] | None = None,
) -> dict[Any, Any]:
    """Return the cotangents of `inputs` (by default all leaves that require gradients), given cotangents of outputs.

    `seeds` are `(output, cotangent)` pairs. Nodes are visited by descending serial number: all users of a node have
    higher numbers, so its cotangent is complete when the node is visited. With `inputs`, only nodes between them and
    the outputs are visited, and an input that no output depends on is missing from the result. With `operands_of`, the
    rules are called with Tensors instead of arrays: the node itself and `operands_of(node)`. Raises `RuleError` when a
    rule raises, when it returns neither the argument's shape nor one that it broadcasts to, and when it returns an
    array but was called with Tensors.
    """
    seeds = list(seeds)
    oldest = 0 if inputs is None else min((node.serial for node in inputs), default=0)
    order, leaves = _reachable({node for node, _ in seeds}, oldest)
    flows = None if inputs is None or leaves <= inputs else _dependents(order, inputs)  # None: through all nodes
    cotangents: dict[Any, Any] = {}  # popped when a node is visited; what remains is the result
    recorded, widened = operands_of is not None, False
    for node, ct in seeds:
        if flows is None or node in flows:
            cotangents[node] = cotangents[node] + ct if node in cotangents else ct

    for node in order:
        ct = cotangents.pop(node, None)
        if ct is None:
            continue
        if widened and ct.dtype is not node._value.dtype:
            ct = ct.astype(node._value.dtype)
        if inputs is not None and node in inputs:
            cotangents[node] = ct
        primitive, args, params = node.primitive, node.args, node.params
        tensor_type = type(node)  # anything else among the arguments is a constant
        if operands_of is not None:
            out, operands = node, operands_of(node)
        else:
            out, operands = node._value, node.operands
        if primitive.isolated and not recorded:
            sealed(ct)
        vjps, rest = primitive.vjps, None
        binary = len(operands) == 2 == len(vjps) and not params and not primitive.isolated
        if binary:
            x, y = operands  # unpacking them in each call would cost more than everything else here
        if len(vjps) != len(args):
            vjps = primitive.vjps_for(len(args))
        for i, arg in enumerate(args):
            vjp = vjps[i]
            if vjp is None or type(arg) is not tensor_type:
                continue
            if not (arg._requires_grad if flows is None else arg in flows):
                continue
            try:
                if binary:
                    piece = vjp(ct, out, x, y)
                elif primitive.isolated:
                    piece = call_isolated(vjp, ct, out, *operands, **params)
                    if not recorded:
                        piece = _as_array(piece, primitive)
                elif i >= len(primitive.vjps):
                    rest = rest or primitive.rest(ct, out, *operands, **params)  # once for all further arguments
                    piece = rest(i)
                else:
                    piece = vjp(ct, out, *operands, **params)
            except Exception as error:
                messages.explain_rule(error, node, i, ct, out, operands)
                raise
            if recorded and type(piece) is not tensor_type and hasattr(piece, "shape"):
                if np.any(piece):
                    raise messages.unrecorded_piece(primitive, i)
                continue  # all zeros: contributes nothing
            value = operands[i]
            if observer is not None and hasattr(piece, "shape"):  # without a shape, it raises below
                observer.swept(node, i, ct, piece)
            try:
                if piece.shape != value.shape:
                    piece = unbroadcast(piece, value.shape)
                if piece.dtype is not value.dtype and piece.dtype != value.dtype:
                    piece = piece.astype(value.dtype)
            except (AttributeError, ValueError) as error:
                raise messages.wrong_piece(primitive, i, piece, value) from error
            before = cotangents.get(arg)
            if before is None:
                cotangents[arg] = piece
            elif piece.dtype is _FLOAT16:  # added up in float32, see `wide`
                cotangents[arg], widened = wide(before) + piece, True
            else:
                cotangents[arg] = before + piece
            if observer is not None:
                observer.added(arg, cotangents[arg])
    if widened:
        return {node: ct.astype(node._value.dtype) for node, ct in cotangents.items()}
    return cotangents


def _as_array(piece: Any, primitive: Any) -> Any:
    """Return the result of a user's rule as an array, even if the rule computed with a Tensor and returned one."""
    if isinstance(piece, np.ma.MaskedArray):
        raise messages.masked_array(f"the rule of {primitive.name}")
    return getattr(piece, "_value", piece)


def unbroadcast(ct: Any, shape: tuple[int, ...]) -> Any:
    """Return `ct` summed over the axes along which `shape` was broadcast: the adjoint of broadcasting.

    The sums are accurate, and may have a wider dtype than `ct`. Raises ValueError when `shape` does not broadcast to
    the shape of `ct`.

    >>> unbroadcast(np.ones((4, 3)), (1, 3))
    array([[4., 4., 4.]])
    """
    if ct.ndim == 2 and shape == (1, ct.shape[1]):  # the usual case, a row that was added to a matrix
        return column_sums(ct)
    extra = ct.ndim - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, ct.shape[extra:], strict=True)):
        raise ValueError(f"shape {shape} does not broadcast to {ct.shape}")
    stretched = tuple(extra + i for i, n in enumerate(shape) if n == 1 and ct.shape[extra + i] != 1)
    summed, kept = tuple(range(extra)) + stretched, math.prod(shape)
    if type(ct) is np.ndarray and summed and kept > 1 and math.prod(ct.shape[summed[-1] + 1 :]) == kept:
        return column_sums(ct.reshape(-1, kept)).reshape(shape)
    one_by_one = ct.size / kept if kept > 1 else 0  # NumPy adds up all elements of an array in pairs
    return wide(ct, math.inf if one_by_one > _SHORT else 0).sum(axis=summed).reshape(shape)


def _reachable(outputs: set[Any], oldest: int) -> tuple[list[Any], set[Any]]:
    """Return the nodes through which gradients of `outputs` flow, `outputs` included, users first; and the leaves.

    Nodes with serial numbers up to `oldest` count as leaves: what they were computed from is not visited.
    """
    leaves = {output for output in outputs if not output.args}
    seen = outputs - leaves
    nodes = list(seen)
    for node in nodes:  # including those appended in the loop
        kind = type(node)
        for arg in node.args:
            if type(arg) is kind and arg._requires_grad and arg not in seen:
                if arg.args and arg.serial > oldest:
                    seen.add(arg)
                    nodes.append(arg)
                else:
                    leaves.add(arg)
    nodes.sort(key=_serial, reverse=True)
    return nodes, leaves


def _dependents(order: list[Any], inputs: Set[Any]) -> set[Any]:
    """Return `inputs` and those nodes in `order` that depend on them."""
    found = set(inputs)
    for node in reversed(order):
        if any(type(arg) is type(node) and arg in found for arg in node.args):
            found.add(node)
    return found


@lru_cache(maxsize=8)
def _row_of_ones(length: int, dtype: Any) -> Any:
    return np.ones((1, length), dtype)


def column_sums(x: Any) -> Any:
    """Return `x.sum(axis=0, keepdims=True)` of a matrix, as accurately as `unbroadcast`; for arrays, BLAS computes it.

    >>> column_sums(np.ones((4, 3)))
    array([[4., 4., 4.]])
    """
    rows = len(x)
    if type(x) is not np.ndarray:
        return wide(x, rows).sum(axis=0, keepdims=True)
    if rows > _SHORT and x.dtype.char == "f":  # BLAS adds up rows one by one too: here it gets blocks of them
        while len(x) > _SHORT:
            whole = len(x) // _BLOCK * _BLOCK
            sums = np.matmul(_row_of_ones(_BLOCK, x.dtype), x[:whole].reshape(-1, _BLOCK, x.shape[1]))
            x = np.concatenate([sums[:, 0], x[whole:]])
        rows = len(x)
    elif x.dtype.char == "e":
        return column_sums(x.astype(np.float32))
    if x.dtype.char in "fd" and x.shape[1] != 1:
        return np.dot(_row_of_ones(rows, x.dtype), x)
    return x.sum(axis=0, keepdims=True)


_BLOCK, _SHORT, _MANY = 128, 512, 2**14


def wide(x: Any, count: float = 0) -> Any:
    """Return `x` in a dtype that is wide enough to add up `count` of its elements accurately.

    NumPy may add up the elements one by one. In float16, a sum of ones then stops at 2048; in float32, a sum of a
    million numbers may be off by several percent. So float16 becomes float32, and float32 becomes float64 if there are
    many elements.

    >>> wide(np.ones(3, np.float16)).dtype, wide(np.ones(3, np.float32)).dtype
    (dtype('float32'), dtype('float32'))
    """
    char = x.dtype.char
    if char == "e":
        return x.astype(np.float32)
    return x.astype(np.float64) if char == "f" and count > _MANY else x
