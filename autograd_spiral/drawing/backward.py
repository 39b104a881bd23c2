"""The recorded backward pass: gradients as a graph, and which forward operation each part of it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from autograd_spiral.engine.grad import grad
from autograd_spiral.engine.modes import Observer, entering
from autograd_spiral.engine.sweep import sweep
from autograd_spiral.engine.tensor import Tensor, seed_cotangent

__all__ = ["Backward", "gradient_values", "record_backward"]


@dataclass
class Backward(Observer):
    """A recorded backward pass. It watches the sweep, so it is the pass that really runs."""

    gradients: dict[Tensor, Tensor] = field(default_factory=dict)  # of each input asked for
    cotangent_of: dict[Tensor, Tensor] = field(default_factory=dict)  # from a cotangent to what it is the gradient of
    origin: dict[Tensor, Tensor] = field(default_factory=dict)  # from an operation to the one whose rule made it
    _fresh: list[Tensor] = field(default_factory=list)
    _last: Tensor | None = None

    def recorded(self, node: Tensor) -> None:
        """Keep a new operation until the sweep says which rule it belongs to."""
        self._fresh.append(node)

    def swept(self, node: Tensor, argument: int, ct: Tensor, piece: Any) -> None:
        """What `piece` was computed from belongs to `node`; the rest added up the pieces of the rule before."""
        self.cotangent_of.setdefault(ct, node)
        fresh = set(self._fresh)
        stack = [piece] if piece in fresh else []
        while stack:
            part = stack.pop()
            fresh.discard(part)
            self.origin[part] = node
            stack += {arg for arg in part.args if type(arg) is Tensor and arg in fresh}
        self._settle(fresh, node if self._last is None else self._last)
        self._last = node

    def _settle(self, rest: set[Tensor], node: Tensor) -> None:
        for part in rest:
            self.origin[part] = node
        self._fresh.clear()


def record_backward(outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> Backward:
    """The backward pass from `outputs` to `inputs`, operations on constants included."""
    backward = Backward()
    with entering(constants=True, observer=backward, scope=()):
        found = grad(list(outputs), list(inputs), create_graph=True)
    if backward._last is not None:
        backward._settle(set(backward._fresh), backward._last)
    backward.gradients = dict(zip(inputs, found, strict=True))
    for tensor, gradient in backward.gradients.items():
        backward.cotangent_of[gradient] = tensor
    return backward


class _Values(Observer):
    def __init__(self) -> None:
        self.of: dict[Tensor, NDArray[Any]] = {}

    def swept(self, node: Tensor, argument: int, ct: NDArray[Any], piece: Any) -> None:
        self.of[node] = ct


def gradient_values(output: Tensor) -> dict[Tensor, NDArray[Any]]:
    """The gradient of a scalar `output` with respect to every operation it depends on, by a sweep of its own."""
    values = _Values()
    sweep([(output, seed_cotangent(output, None))], observer=values)
    return values.of
