"""The computation graph as a picture: forward, both ways with the recorded backward pass, or a whole captured step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autograd_spiral.drawing.backward import gradient_values, record_backward
from autograd_spiral.drawing.collapse import collapse
from autograd_spiral.drawing.dot import dot_lines, picture_attributes
from autograd_spiral.drawing.export import Drawing
from autograd_spiral.drawing.from_program import of_program
from autograd_spiral.drawing.from_tensors import of_tensors
from autograd_spiral.drawing.graph import trace
from autograd_spiral.drawing.legend import DIRECTIONS
from autograd_spiral.drawing.record import Record
from autograd_spiral.engine.history import history
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program import BoundStep, CapturedStep
from autograd_spiral.program.ir import Program

__all__ = ["Drawing", "draw"]


def draw(
    outputs: Tensor | Sequence[Tensor] | CapturedStep | BoundStep | Program,
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
    the outputs must be scalars. Above `max_nodes`, scopes collapse to one node each; what is in
    no `scope(…)` stays. `rankdir` is the direction that
    values flow in: TB, LR, BT or RL.

    A captured step, which must have been called, is drawn as the program it used last, and so is a program: forward,
    backward, and the update, `W ← W − dW`, level with what it renews. There are shapes and no values, and shorter
    ways to the same are taken, as in the program's source. No edge is drawn from a state to its own new value.

    Raises TypeError for what cannot be drawn, and for `gradients_of` or `names` of a program, which has its own;
    ValueError for another `rankdir`; `CaptureError` for a step not called yet; and whatever `grad` raises.

    >>> import numpy as np
    >>> from autograd_spiral import capture, grad
    >>> W = Tensor([[1.0, 2.0]], requires_grad=True, name="W")
    >>> picture = draw(np.sum(W**2).named("loss"))
    >>> "<B>loss</B> = Σ ·" in picture.source
    True
    >>> @capture
    ... def step():
    ...     loss = np.sum(W**2)
    ...     W.assign(W - 0.1 * grad(loss, W))
    ...     return loss
    >>> _ = step()
    >>> "<B>W</B> ← W − ·" in draw(step).source
    True
    """
    if rankdir not in DIRECTIONS:
        raise ValueError(f"draw: rankdir must be TB, LR, BT or RL, not {rankdir!r}")
    if isinstance(outputs, CapturedStep | BoundStep | Program):
        if gradients_of is not None or names is not None:
            raise TypeError(
                "draw: gradients_of and names are for tensors; a program has a backward pass and names of its own"
            )
        record = of_program(outputs if isinstance(outputs, Program) else outputs.program)
    else:
        record = _of_tensors(outputs, gradients_of, names or {})
    graph = collapse(trace(record), max_nodes)
    drawing = Drawing("computation", **picture_attributes(graph, rankdir))
    drawing.body.extend(dot_lines(graph, values=values, rankdir=rankdir))
    return drawing


def _of_tensors(
    outputs: Tensor | Sequence[Tensor], gradients_of: Tensor | Sequence[Tensor] | None, names: Mapping[str, Any]
) -> Record:
    ends = _tensors("outputs", "Tensors, a captured step or a program", outputs)
    starts = _tensors("gradients_of", "Tensors", () if gradients_of is None else gradients_of)
    backward = record_backward(ends, starts) if starts else None
    differentiable = len(ends) == 1 and ends[0].size == 1 and ends[0].requires_grad
    known = backward is None and differentiable and any(tensor._grad is not None for tensor in history(ends))
    sizes = gradient_values(ends[0]) if known else {}
    return of_tensors(ends, names, backward, sizes)


def _tensors(role: str, what: str, given: Any) -> list[Tensor]:
    tensors = list(given) if isinstance(given, Iterable) and not isinstance(given, Tensor) else [given]
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"draw: {role} must be {what}, not {type(tensor).__name__}")
    return tensors
