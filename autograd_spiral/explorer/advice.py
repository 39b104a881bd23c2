"""Points out problems to a learner: dead units, a saturated softmax, gradients that are 0, not finite, or vanishing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.drawing.graph import Graph
from autograd_spiral.drawing.record import Kind, Node
from autograd_spiral.drawing.text import number, visible

__all__ = ["advice_on"]

_SURE = 0.999
"""At a probability above this, the gradient is almost 0."""

_MANY = 0.9
"""A softmax is saturated if one class has a probability above `_SURE` in at least this share of its rows."""

_VANISHING = 1e-3
"""A gradient vanishes if its size is less than this fraction of the size of the next layer's gradient."""


def advice_on(graph: Graph, arrays: Sequence[NDArray[Any] | None]) -> list[tuple[int, str]]:
    """Return pairs of a node's position and a remark on its array."""
    known = [(i, node, array) for i, node in enumerate(graph.nodes) if (array := arrays[i]) is not None and array.size]
    with np.errstate(all="ignore"):
        found = [(i, says) for i, node, array in known for says in _of_node(node, array)]
        return [*found, *_vanishing(graph, arrays)]


def _of_node(node: Node, array: NDArray[Any]) -> Iterator[str]:
    if array.dtype.kind == "f" and (bad := int(array.size - np.isfinite(array).sum())):
        yield f"{bad:,} of {array.size:,} elements are not finite" if array.size > 1 else "not finite"
    elif _is_relu(node) and array.ndim >= 2:
        rows = array.reshape(-1, array.shape[-1])
        dead = int(np.sum(~rows.any(axis=0)))
        if dead and len(rows) > 1:
            units = f"{dead} of {rows.shape[1]} units" if dead > 1 else f"1 of {rows.shape[1]} units"
            yield f"dead relu: {units} {'are' if dead > 1 else 'is'} 0 in every row: no gradient passes"
    elif _is_softmax(node):
        sure = float(np.mean(array.max(axis=-1) > _SURE))
        if sure >= _MANY:
            yield f"saturated softmax: in {100 * sure:.0f}% of the rows one class has more than {_SURE}"
    elif (node.kind is Kind.GRADIENT or (node.phase == "backward" and node.name)) and not array.any():
        yield "this gradient is 0 everywhere"


def _is_relu(node: Node) -> bool:
    """Whether a node is `np.maximum(x, 0)`."""
    return node.function is np.maximum and any(type(arg) in (int, float) and arg == 0 for arg in node.args)


def _is_softmax(node: Node) -> bool:
    """Whether a node is `exponentials / np.sum(exponentials, …)`."""
    if node.function is not np.divide or not all(isinstance(arg, Node) for arg in node.args):
        return False
    above, below = node.args
    return above.function is np.exp and below.function is np.sum and below.args[0] is above


def _vanishing(graph: Graph, arrays: Sequence[NDArray[Any] | None]) -> Iterator[tuple[int, str]]:
    """Yield the gradients of weights that are far smaller than those of the next layer."""
    gradient_of = {of: gradient for of, gradient in graph.pairs if graph.nodes[gradient].kind is Kind.GRADIENT}
    first_use: dict[int, int] = {}
    for edge in graph.edges:
        first_use.setdefault(edge.tail, edge.head)
    weights = (i for i in gradient_of if len(shape := graph.nodes[i].output.shape) >= 2 and min(shape) > 1)
    in_order = [gradient_of[i] for i in sorted(weights, key=lambda i: first_use.get(i, 0))]
    layers = [(gradient, size) for gradient in in_order if (size := _size(arrays[gradient])) > 0]
    for (gradient, size), (following, larger) in itertools.pairwise(layers):
        if size < _VANISHING * larger:
            name = visible(graph.nodes[following].name or "the next gradient")
            yield gradient, f"vanishing gradient: its elements are {number(size / larger, 2)} times those of {name}"


def _size(array: NDArray[Any] | None) -> float:
    """Return the root mean square of an array; NaN if it is not known."""
    if array is None or not array.size:
        return math.nan
    return float(np.linalg.norm(array.astype(np.float64))) / math.sqrt(array.size)
