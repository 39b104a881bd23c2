"""The computation graph as a picture: forward, or both ways with the recorded backward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograd_spiral.drawing.backward import gradient_values, record_backward
from autograd_spiral.drawing.collapse import collapse
from autograd_spiral.drawing.dot import dot_lines, picture_attributes
from autograd_spiral.drawing.graph import trace
from autograd_spiral.drawing.saving import Drawing
from autograd_spiral.drawing.tensors import of_tensors, reachable
from autograd_spiral.tensor import Tensor

__all__ = ["Drawing", "draw"]


def draw(
    outputs: Tensor | Sequence[Tensor],
    *,
    gradients_of: Tensor | Sequence[Tensor] | None = None,
    names: Mapping[str, Any] | None = None,
    values: bool = True,
    max_nodes: int = 100,
    rankdir: str = "TB",
) -> Drawing:
    """The graph that `outputs` were computed by, as a picture: one node per operation, leaves apart.

    A node says `name = formula`, the shape, the value (mean ± standard deviation of more than one element), the
    dtype unless it is float64, and after `backward()` the size of the gradient: `.grad` of leaves, and of operations
    the gradient of a single scalar output. `values=False` leaves values and gradients out. Numbers, transposes,
    masks and broadcasts are part of the formula that uses them.

    Names come from `Tensor(name=…)` and `.named(…)`, else from `names`, such as `locals()`. With `gradients_of`,
    leaves or other tensors, the backward pass is recorded anew and drawn too, each gradient level with its value;
    the outputs must be scalars. Above `max_nodes`, scopes collapse to one node each. `rankdir` is the direction that
    values flow in: TB, LR, BT or RL. Raises TypeError for what is not a Tensor, ValueError for another `rankdir`,
    and whatever `grad` raises.

    >>> import numpy as np
    >>> W = Tensor([[1.0, 2.0]], requires_grad=True, name="W")
    >>> picture = draw(np.sum(W**2).named("loss"))
    >>> "<B>loss</B> = Σ ·" in picture.source
    True
    """
    ends = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    starts = (
        [gradients_of] if isinstance(gradients_of, Tensor) else None if gradients_of is None else list(gradients_of)
    )
    for role, tensors in (("outputs", ends), ("gradients_of", starts or [])):
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"draw: {role} must be Tensors, not {type(tensor).__name__}")
    if rankdir not in ("TB", "LR", "BT", "RL"):
        raise ValueError(f"draw: rankdir must be TB, LR, BT or RL, not {rankdir!r}")

    backward = record_backward(ends, starts) if starts else None
    differentiable = len(ends) == 1 and ends[0].size == 1 and ends[0].requires_grad
    known = backward is None and differentiable and any(tensor.grad is not None for tensor in reachable(ends))
    sizes = gradient_values(ends[0]) if known else {}
    graph = collapse(trace(of_tensors(ends, names or {}, backward, sizes)), max_nodes)
    drawing = Drawing("computation", **picture_attributes(rankdir))
    drawing.body.extend(dot_lines(graph, values=values))
    return drawing
