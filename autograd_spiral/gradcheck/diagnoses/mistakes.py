"""The mistakes that can be made in the chain rule of a recorded function, in words, and what each changes."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.diagnoses.backward import Backward, Edge, flows
from autograd_spiral.gradcheck.diagnoses.changes import CHANGES, Change, always, lost, name, with_value
from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["alike", "called", "mistakes"]

SINGLY = 3  # groups of at most this many operations of a line are also tried one by one
PRODUCTS = 10**6  # rows of a batch are tried one by one if their products have at most this many numbers
UPSTREAM = 8  # this many earlier values are tried in place of a factor

Groups: TypeAlias = Sequence[Sequence[Edge]]
Mistakes: TypeAlias = Iterator[tuple[str, Mapping[Edge, Change]]]


def mistakes(backward: Backward, edges: Iterable[Edge], groups: Groups) -> Mistakes:
    """Yield mistakes in words, each with its changes to edges; "" if the cotangent of an edge is lost.

    `groups` are the `edges` that are alike, in which the same mistake is made.
    """
    yield from (("", {edge: lost}) for edge in edges)
    yield from _with_other_rules(backward, groups)
    for group in groups:
        if len(group) > 1:  # in every round of a loop
            yield f"nothing came back through {called(group[0])}, all {len(group)} times", dict.fromkeys(group, lost)
    for leaf in backward.leaves.values():
        yield from _of_one_use([(node, i) for node, i in edges if node.args[i] is leaf])
    for group in groups:
        yield from _with_other_values(group)
    for group in groups:
        yield from _without_rows(backward, group)


def alike(edges: Iterable[Edge]) -> list[list[Edge]]:
    """Return groups of edges of the same operation in the same line, as in a loop; small groups also edge by edge."""
    groups: dict[Any, list[Edge]] = {}
    for node, i in edges:
        shapes = tuple(np.shape(operand) for operand in node.operands)
        key = (node.primitive, node.place, i, shapes) if node.place else (node, i)
        groups.setdefault(key, []).append((node, i))
    found = list(groups.values())
    return found + [[edge] for group in found if 1 < len(group) <= SINGLY for edge in group]


def called(edge: Edge) -> str:
    """Return the name of an edge: its operation, and its argument if other arguments have gradients, too."""
    node, i = edge
    arg = node.args[i]
    if sum(flows(node, k) for k in range(len(node.args))) == 1:
        return name(node)
    return f"{name(node)} to {_value_called(arg) if arg.is_leaf else f'its argument {i}'}"


def _value_called(value: Tensor) -> str:
    return value.name or (f"the result of {name(value)}" if value.primitive else "a constant")


def _with_other_rules(backward: Backward, groups: Groups) -> Mistakes:
    for text, change in CHANGES:
        for edges in groups:
            with contextlib.suppress(Exception):
                changed = {edge: change(*edge, backward.cts[edge[0]], backward.pieces[edge]) for edge in edges}
                made = [edge for edge, piece in changed.items() if piece is not None]  # a mask may hide nothing
                if made and all(_fits(changed[edge], edge) for edge in made):
                    yield text.format(name(edges[0][0])), dict.fromkeys(made, change)


def _fits(piece: Any, edge: Edge) -> bool:
    """Return whether the argument of an edge broadcasts to the shape of a piece."""
    return bool(np.broadcast_shapes(np.shape(piece), edge[0].args[edge[1]].shape) == np.shape(piece))


def _of_one_use(uses: Sequence[Edge]) -> Mistakes:
    """Yield the mistakes of counting only one of several uses of an input, as when `=` was written in place of `+=`."""
    for kept, _ in uses:
        rest = [edge for edge in uses if edge[0] is not kept and edge[0].primitive is kept.primitive]
        if rest:
            yield f"only one of its {len(rest) + 1} uses in {name(kept)} counted", dict.fromkeys(rest, lost)


def _with_other_values(edges: Sequence[Edge]) -> Mistakes:
    """Yield the mistakes that a rule used an earlier value of the computation in place of an argument."""
    for k in range(min(len(node.args) for node, _ in edges)):
        others = [node.args[k] for node, _ in edges]
        if not all(type(other) is Tensor for other in others):
            continue
        for values in zip(*map(_upstream, others), strict=False):
            instead = {node: value.data for (node, _), value in zip(edges, values, strict=True)}
            used = f"used {_value_called(values[0])} in place of {_value_called(others[0])}"
            change = functools.partial(with_value, k, instead)
            yield f"the rule of {name(edges[0][0])} {used}", dict.fromkeys(edges, change)


def _upstream(tensor: Tensor) -> list[Tensor]:
    """Return some values of the shape of `tensor` from which it was computed, the nearest first."""
    found, queue = {tensor}, [tensor]
    for node in queue:
        for arg in node.args if len(queue) < 4 * UPSTREAM else ():
            if type(arg) is Tensor and arg not in found:
                found.add(arg)
                queue.append(arg)
    return [node for node in queue[1:] if node.shape == tensor.shape][:UPSTREAM]


def _without_rows(backward: Backward, edges: Sequence[Edge]) -> Mistakes:
    """Yield the mistakes that sums leave out one row of a batch, or contain only that row."""
    summed = [rows for edge in edges if (rows := _summed(backward, *edge)) is not None]
    count = min(map(len, summed), default=0)
    if count < 3 or len(summed) < len(edges) or any(len(rows) != count for rows in summed):
        return
    for k in (0, count - 1):
        rests = [always(rows.sum(axis=0) - rows[k]) for rows in summed]
        yield f"row {k} were not summed, of {count}", dict(zip(edges, rests, strict=True))
        yield (
            f"only row {k} counted, of {count}",
            {edge: always(rows[k]) for edge, rows in zip(edges, summed, strict=True)},
        )


def _summed(backward: Backward, node: Tensor, i: int) -> Array | None:
    """Return the rows that add up to the piece for an argument, or None if there are none."""
    arg, ct, raw = node.args[i], backward.cts[node], backward.pieces[node, i]
    if raw.ndim == 2 and raw.shape != arg.shape and arg.size == raw.shape[1]:
        return raw
    left = node.operands[0]
    if name(node) == "np.matmul" and i == 1 and left.ndim == ct.ndim == 2 and left.size * ct.shape[1] <= PRODUCTS:
        return np.asarray(np.einsum("nd,nk->ndk", left, ct))
    return None
