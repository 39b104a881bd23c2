"""The reverse sweep: from cotangents of outputs to those of everything they depend on. Imports numpy and errors.

It knows nodes by their fields only (`primitive`, `args`, `operands`, `params`, `serial`), so it runs on arrays, and
on recorded values when the gradients are to be differentiated in turn. It is a pure function: nothing is stored on
a node, and a sweep that fails leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np

from autograd_spiral.errors import AutogradError, RuleError, ShapeError, StaleLeafError

__all__ = ["stale", "sweep", "unbroadcast"]

_serial = attrgetter("serial")
_NO_FAULT_OF_A_RULE = (AutogradError, MemoryError, FloatingPointError, Warning)
"""What passes through a rule as it is: errors that say enough, and those that NumPy was told to raise."""


def sweep(
    seeds: Iterable[tuple[Any, Any]],
    inputs: Set[Any] | None = None,
    *,
    on_tensors: bool = False,
    observer: Any = None,
    operands_of: Callable[[Any], tuple[Any, ...]] | None = None,
) -> dict[Any, Any]:
    """The cotangents of `inputs` (by default: of all leaves that require gradients), given `(output, cotangent)` pairs.

    Nodes are visited by descending serial number: a node's users all come after it, so its cotangent is complete
    when its turn comes. With `inputs`, only nodes between them and the outputs are visited, and an input that no
    output depends on is missing from the result. With `on_tensors` the rules get the recorded Tensors instead of
    their arrays, or what `operands_of(node)` gives. Raises `RuleError` when a rule raises, when it gives a shape
    that is not the argument's or a broadcast of it, and when it gives an array for Tensors.
    """
    seeds = list(seeds)
    order, leaves = _reachable({node for node, _ in seeds})
    flows = None
    if inputs is not None and not leaves <= inputs:
        flows = _dependents(order, inputs)  # some leaf is not asked for, so not everything is on the way
    pending: dict[Any, Any] = {}
    for node, ct in seeds:
        if flows is None or node in flows:
            pending[node] = pending[node] + ct if node in pending else ct

    for node in order:
        ct = pending.pop(node, None)
        if ct is None:
            continue
        if inputs is not None and node in inputs:
            pending[node] = ct
        primitive, args, params = node.primitive, node.args, node.params
        kind = type(node)
        if on_tensors:
            out, operands = node, args
            if operands_of is not None:
                operands = operands_of(node)
            else:
                _refuse_stale(node)
        else:
            out, operands = node._value, node.operands
            if primitive.body is not None:
                ct.setflags(False)  # other nodes may hold it too, and a declared rule might write into it
        vjps = primitive.vjps
        if len(vjps) != len(args):
            vjps = primitive.vjps_for(len(args))
        for i, arg in enumerate(args):
            vjp = vjps[i]
            if vjp is None or type(arg) is not kind:
                continue
            if not (arg._requires_grad if flows is None else arg in flows):
                continue
            try:
                if params:
                    piece = vjp(ct, out, *operands, **params)
                elif len(operands) == 2:
                    piece = vjp(ct, out, operands[0], operands[1])  # in Python, cheaper than spreading them
                else:
                    piece = vjp(ct, out, *operands)
            except Exception as error:
                _explain(error, primitive, i, ct, out, operands, params)
                raise
            if on_tensors and type(piece) is not kind and hasattr(piece, "shape"):
                if np.any(piece):
                    raise RuleError(_unrecorded(primitive, i))
                continue  # nothing, whatever the cotangent
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
            pending[arg] = pending[arg] + piece if arg in pending else piece
    return pending


def unbroadcast(ct: Any, shape: tuple[int, ...]) -> Any:
    """`ct` summed over the axes along which `shape` was broadcast: the adjoint of broadcasting.

    Raises ValueError when `shape` does not broadcast to the shape of `ct`.

    >>> unbroadcast(np.ones((4, 3)), (1, 3))
    array([[4., 4., 4.]])
    """
    if (
        type(ct) is np.ndarray
        and ct.ndim == 2
        and shape == (1, ct.shape[1])
        and shape[1] != 1
        and ct.dtype.char in "fd"
    ):
        return np.dot(_row_of_ones(len(ct), ct.dtype), ct)  # column sums, several times faster than ct.sum(0)
    extra = ct.ndim - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, ct.shape[extra:], strict=True)):
        raise ValueError(f"shape {shape} does not broadcast to {ct.shape}")
    stretched = tuple(extra + i for i, n in enumerate(shape) if n == 1 and ct.shape[extra + i] != 1)
    return ct.sum(axis=tuple(range(extra)) + stretched).reshape(shape)


@lru_cache(maxsize=8)
def _row_of_ones(length: int, dtype: Any) -> Any:
    return np.ones((1, length), dtype)


def _reachable(outputs: set[Any]) -> tuple[list[Any], set[Any]]:
    """The nodes through which gradients of `outputs` flow, themselves included, users first; and the leaves."""
    leaves = {output for output in outputs if not output.args}
    seen = outputs - leaves
    nodes = list(seen)
    for node in nodes:  # those appended meanwhile, too
        kind = type(node)
        for arg in node.args:
            if type(arg) is kind and arg._requires_grad and arg not in seen:
                if arg.args:
                    seen.add(arg)
                    nodes.append(arg)
                else:
                    leaves.add(arg)
    nodes.sort(key=_serial, reverse=True)
    return nodes, leaves


def _dependents(order: list[Any], inputs: Set[Any]) -> set[Any]:
    """Those of the nodes in `order` that depend on `inputs`, and these themselves."""
    found = set(inputs)
    for node in reversed(order):
        kind = type(node)
        for arg in node.args:
            if type(arg) is kind and arg in found:
                found.add(node)
                break
    return found


def _refuse_stale(node: Any) -> None:
    for arg, operand in zip(node.args, node.operands, strict=True):
        if type(arg) is type(node) and arg._value is not operand:
            raise stale(arg, node)


def stale(leaf: Any, node: Any) -> StaleLeafError:
    """The error that says that `leaf` was assigned since `node` was computed from it."""
    return StaleLeafError(
        f"{leaf.name or 'a leaf'} of shape {leaf.shape} was assigned after {node.primitive.name} recorded it, so "
        "create_graph=True cannot record the gradient at the old value. Take the gradient before assign(), "
        "or compute the outputs again."
    )


def _explain(error: Exception, primitive: Any, argument: int, ct: Any, out: Any, operands: Any, params: Any) -> None:
    """Raise `error`, which a rule raised, anew as a `RuleError`, with what the rule was called with.

    What is no fault of the rule only gets a note; so does what NumPy made of such an error (`array[i] = tensor`).
    """
    rule = f"the rule of {primitive.name} for {primitive.argument(argument)}"
    reason = error.__cause__ if isinstance(error.__cause__, AutogradError) else error
    if isinstance(reason, _NO_FAULT_OF_A_RULE) and not isinstance(reason, ShapeError):
        error.add_note(f"in {rule}, sweeping backward")
        return
    given = {"ct": ct, "out": out, **{primitive.argument(i): x for i, x in enumerate(operands)}, **params}
    called = (f"{name} of shape {x.shape}" if hasattr(x, "shape") else f"{name} = {x!r}" for name, x in given.items())
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    lines = [f"{rule} raised {said}", f"it was called with {', '.join(called)}"]
    if "read-only" in said:
        lines.append("others share what a rule is given: let it compute a new array")
    raise RuleError("\n".join(lines)) from error


def _unrecorded(primitive: Any, argument: int) -> str:
    return (
        f"the rule of {primitive.name} for {primitive.argument(argument)} gave an array where the gradient is recorded "
        "(by create_graph=True, or in a captured step or a picture): an array does not show what it depends on. Write "
        "the rule with NumPy functions on what it is given, not on .data or in a loop; what they cannot express can be "
        "a @primitive of its own, with rules of its own"
    )


def _bad_piece(primitive: Any, argument: int, piece: Any, value: Any) -> str:
    got = f"shape {piece.shape}" if hasattr(piece, "shape") else f"a {type(piece).__name__}"
    return (
        f"the rule of {primitive.name} for {primitive.argument(argument)} gave {got}, but that argument has shape "
        f"{value.shape}: a rule returns the shape of its argument, or of a broadcast of it"
    )
