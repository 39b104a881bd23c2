"""The reverse sweep: from cotangents of outputs to cotangents of everything they depend on. Imports errors alone.

It knows nodes by their fields only (`primitive`, `args`, `operands`, `params`, `serial`), so it runs on arrays, and
on recorded values when the gradients are to be differentiated in turn. It is a pure function: nothing is stored on
a node, and a sweep that fails leaves no trace.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from typing import Any

from autograd_spiral.errors import RuleError, StaleLeafError

__all__ = ["dependents", "reachable", "sweep", "unbroadcast"]


def sweep(
    seeds: Iterable[tuple[Any, Any]],
    *,
    needed: Collection[Any] | None = None,
    wanted: Collection[Any] = (),
    on_tensors: bool = False,
    observer: Any = None,
) -> dict[Any, Any]:
    """The cotangents of the leaves, and of the nodes in `wanted`, given `(output, cotangent)` pairs.

    Nodes are visited by descending serial number: a node's users all come after it, so its cotangent is complete
    when its turn comes. Only nodes in `needed` are propagated to (by default: all that require gradients). With
    `on_tensors` the rules get the recorded Tensors instead of their arrays. Raises `RuleError` when a rule gives a
    shape that is not the argument's or a broadcast of it.
    """
    pending: dict[Any, Any] = {}
    results: dict[Any, Any] = {}
    heap: list[tuple[int, Any]] = []

    for node, ct in seeds:
        if node in pending:
            pending[node] = pending[node] + ct
        else:
            pending[node] = ct
            if node.primitive is not None:
                heapq.heappush(heap, (-node.serial, node))

    while heap:
        node = heapq.heappop(heap)[1]
        ct = pending.pop(node)
        if wanted and node in wanted:
            results[node] = ct
        primitive = node.primitive
        args, params = node.args, node.params
        kind = type(node)
        if on_tensors:
            out, operands = node, args
            _refuse_stale(node)
        else:
            out, operands = node._value, node.operands
        vjps = primitive.vjps
        if len(vjps) != len(args):
            vjps = primitive.vjps_for(len(args))
        for i, arg in enumerate(args):
            vjp = vjps[i]
            if vjp is None or type(arg) is not kind:
                continue
            if not (arg._requires_grad if needed is None else arg in needed):
                continue
            try:
                piece = vjp(ct, out, *operands, **params) if params else vjp(ct, out, *operands)
            except Exception as error:
                error.add_note(f"in the rule of {primitive.name} for argument {i}, sweeping backward")
                raise
            value = operands[i]
            if observer is not None:
                observer.swept(node, i, ct, piece)
            try:
                if piece.shape != value.shape:
                    piece = unbroadcast(piece, value.shape)
                if piece.dtype is not value.dtype:
                    piece = piece.astype(value.dtype)
            except (AttributeError, ValueError) as error:
                raise RuleError(_bad_piece(primitive, i, piece, value)) from error
            if arg in pending:
                pending[arg] = pending[arg] + piece
            else:
                pending[arg] = piece
                if arg.primitive is not None:
                    heapq.heappush(heap, (-arg.serial, arg))
    return pending | results


def unbroadcast(ct: Any, shape: tuple[int, ...]) -> Any:
    """`ct` summed over the axes along which `shape` was broadcast: the adjoint of broadcasting.

    Raises ValueError when `shape` does not broadcast to the shape of `ct`.
    """
    extra = ct.ndim - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, ct.shape[extra:], strict=True)):
        raise ValueError(f"shape {shape} does not broadcast to {ct.shape}")
    stretched = tuple(extra + i for i, n in enumerate(shape) if n == 1 and ct.shape[extra + i] != 1)
    return ct.sum(axis=tuple(range(extra)) + stretched).reshape(shape)


def reachable(outputs: Iterable[Any]) -> list[Any]:
    """The nodes and leaves that `outputs` depend on, themselves included, each before its users."""
    seen = set(outputs)
    stack = list(seen)
    while stack:
        node = stack.pop()
        for arg in node.args:
            if type(arg) is type(node) and arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return sorted(seen, key=lambda node: node.serial)


def dependents(outputs: Iterable[Any], inputs: Collection[Any]) -> set[Any]:
    """The nodes on some path from `inputs` to `outputs` along which a gradient flows, both ends included."""
    found = set(inputs)
    for node in reachable(outputs):
        if node._requires_grad and any(type(arg) is type(node) and arg in found for arg in node.args):
            found.add(node)
    return found


def _refuse_stale(node: Any) -> None:
    for arg, operand in zip(node.args, node.operands, strict=True):
        if type(arg) is type(node) and arg._value is not operand:
            raise StaleLeafError(
                f"{arg.name or 'a leaf'} of shape {arg.shape} was assigned after {node.primitive.name} recorded it, so "
                "create_graph=True cannot record the gradient at the old value. Take the gradient before assign(), "
                "or compute the outputs again."
            )


def _bad_piece(primitive: Any, argument: int, piece: Any, value: Any) -> str:
    got = f"shape {piece.shape}" if hasattr(piece, "shape") else f"a {type(piece).__name__}"
    return (
        f"the rule of {primitive.name} for argument {argument} gave {got}, but that argument has shape {value.shape}: "
        "a rule returns the shape of its argument, or of a broadcast of it"
    )
