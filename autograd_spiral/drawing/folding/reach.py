"""Finds the values that each entry of a result depends on, since an optimizer may keep all parameters in one vector."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import TypeAlias

import numpy as np

from autograd_spiral.drawing.record import Node

__all__ = ["reached"]

_Runs: TypeAlias = list[tuple[int, frozenset[Node]]]
"""The flat entries of an array, in runs that depend on the same values: each run's end, and these values."""


def reached(ends: Iterable[Node], start: Set[Node]) -> dict[Node, frozenset[Node]]:
    """Return, for each of `ends`, the nodes in `start` that its entries depend on.

    Values that are neither in `start` nor computed from it are ignored. Vectors may be joined, combined entry by entry,
    and cut apart again, without being mixed up here. Any other operation is assumed to mix all entries of its
    arguments.
    """
    runs: dict[Node, _Runs] = {node: [(node.output.size, frozenset([node]))] for node in start}
    found: dict[Node, frozenset[Node]] = {}
    for end in ends:
        stack = [end]
        while stack:
            missing = [arg for arg in stack[-1].args if type(arg) is Node and arg not in runs]
            if stack[-1] in runs or not missing:
                node = stack.pop()
                if node not in runs:
                    runs[node] = _runs(node, runs)
            else:
                stack += missing
        found[end] = _all(runs[end])
    return found


def _runs(node: Node, runs: dict[Node, _Runs]) -> _Runs:
    """Return the runs of a node, given the runs of its arguments."""
    args = [arg for arg in node.args if type(arg) is Node]
    size = node.output.size
    if len(args) == len(node.args) > 0:
        cut = _cut(node)
        if node.function is np.concatenate and node.output.ndim == 1:
            starts = itertools.accumulate((arg.output.size for arg in args), initial=0)
            return [(start + stop, of) for start, arg in zip(starts, args, strict=False) for stop, of in runs[arg]]
        if node.function in (np.reshape, np.ndarray.astype):
            return runs[args[0]]
        if cut is not None:
            return [
                (min(stop, cut.stop) - cut.start, of)
                for start, stop, of in _with_starts(runs[args[0]])
                if stop > cut.start and start < cut.stop
            ]
    if node.equation is not None and node.equation.elementwise:
        parts = [runs[arg] if arg.output.shape == node.output.shape else [(size, _all(runs[arg]))] for arg in args]
        if all(arg.output.shape == node.output.shape or arg.output.size == 1 for arg in args):
            return _merged(parts, size)
    return [(size, frozenset().union(*(_all(runs[arg]) for arg in args)))]


def _cut(node: Node) -> slice | None:
    """Return the slice by which a node is cut out of its argument, if that is a vector; else None."""
    if node.function is not operator.getitem or node.equation is None or node.args[0].output.ndim != 1:
        return None
    item, *others = node.equation.params["index"]
    if others or not isinstance(item, slice) or item.step is not None:
        return None
    start, stop, _ = item.indices(node.args[0].output.size)
    return slice(start, stop)


def _with_starts(runs: _Runs) -> Iterator[tuple[int, int, frozenset[Node]]]:
    start = 0
    for stop, of in runs:
        yield start, stop, of
        start = stop


def _all(runs: _Runs) -> frozenset[Node]:
    return frozenset().union(*(of for _, of in runs))


def _merged(arguments: Sequence[_Runs], size: int) -> _Runs:
    """Return the runs of a result whose entries each depend on one entry of each argument."""
    stops = sorted({size, *(stop for runs in arguments for stop, _ in runs)})
    ats = [0] * len(arguments)
    merged: _Runs = []
    for stop in stops:
        for n, runs in enumerate(arguments):
            while runs[ats[n]][0] < stop:
                ats[n] += 1
        merged.append((stop, frozenset().union(*(runs[at][1] for runs, at in zip(arguments, ats, strict=True)))))
    return merged
