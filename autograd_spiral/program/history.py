"""The walk over a recorded graph, which all readers of the graph share."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from autograd_spiral.engine.tensor import Tensor

__all__ = ["history"]


def history(outputs: Iterable[Tensor]) -> list[Tensor]:
    """Return `outputs` and all tensors that they were computed from, in the order of their creation."""
    seen = set(outputs)
    stack = list(seen)
    while stack:
        for arg in stack.pop().args:
            if type(arg) is Tensor and arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return sorted(seen, key=attrgetter("serial"))
