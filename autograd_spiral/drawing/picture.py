"""`draw`: a picture of the computation graph of recorded tensors, of a captured step or of a program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from autograd_spiral.drawing.collapse import collapse
from autograd_spiral.drawing.dot import dot_lines, picture_attributes
from autograd_spiral.drawing.export import Drawing
from autograd_spiral.drawing.folding import fold_loops, fold_updates
from autograd_spiral.drawing.graph import trace
from autograd_spiral.drawing.legend import DIRECTIONS
from autograd_spiral.drawing.record import Record
from autograd_spiral.engine.sweep import sweep
from autograd_spiral.engine.tensor import Tensor, seed_cotangent
from autograd_spiral.program import CapturedStep
from autograd_spiral.program.ir import Program, Value
from autograd_spiral.program.passes.pipeline import optimised
from autograd_spiral.program.recorded import named_tensors, recorded_graph

__all__ = ["draw", "record_of", "tensors_to_show"]


def draw(
    outputs: Tensor | Sequence[Tensor] | CapturedStep | Program,
    *,
    gradients_of: Any = None,
    names: Mapping[str, Any] | None = None,
    values: bool = True,
    fold: bool = True,
    max_nodes: int = 100,
    rankdir: str = "TB",
) -> Drawing:
    """Draw the computation of `outputs` as a graph: one node per operation, and one per tensor that was not computed.

    `outputs` is a Tensor, a sequence of Tensors, a captured step, or a program. A node shows `name = formula`, the
    shape, and the dtype unless it is float64. It also shows the value: the mean ± the standard deviation if there is
    more than one element. After `backward()`, it shows the norm of the gradient, too. (An operation shows its gradient
    only if there is a single output, with one element.) `values=False` leaves out values and gradients. Plain numbers,
    transposes, masks and broadcasts have no nodes of their own: they are part of the formula that uses them.

    The result is a graph for the program Graphviz. Its `source` is the text of the graph in Graphviz's language,
    `save_as(path)` writes a picture, and notebooks display it.

    `gradients_of` is a tensor that requires gradients, or a list, tuple, dict or dataclass of such tensors. With it,
    the backward pass is drawn, too, and each output must have one element. Each gradient is drawn next to the value
    that it belongs to. The names in the picture come from `Tensor(name=…)` and `.named(…)`. A tensor without such a
    name gets one from the dict `names`, such as `locals()`, or else from the keys and attributes of `gradients_of`.
    `rankdir` is the direction in which values flow: "TB" (top to bottom), "LR" (left to right), "BT" or "RL".

    Large graphs are simplified. If all rounds of a loop perform the same operations, only the first round is drawn, in
    a frame that says how many rounds there are. A long sum is one node, and so is the whole update of a parameter.
    `fold=False` draws all of these in full. If there are more than `max_nodes` nodes, each `scope(…)` is drawn as one
    node, and only operations outside any scope are still drawn one by one.

    A captured step is drawn as the program that its latest call used, so call it first. The picture of a program shows
    its forward pass, its backward pass, and its updates, such as `W ← W − dW`, next to the parameters that they change.
    It shows shapes but no values.

    Raises TypeError for anything that cannot be drawn, and for `gradients_of` or `names` with a program, which already
    contains gradients and names. Raises ValueError for any other `rankdir`, `CaptureError` for a step that was not
    called yet, and whatever `grad` raises.

    >>> import numpy as np
    >>> from autograd_spiral import capture, grad
    >>> W = Tensor([[1.0, 2.0]], requires_grad=True, name="W")
    >>> picture = draw(np.sum(W**2).named("loss"))  # picture.save_as("graph.svg") writes a file
    >>> @capture
    ... def step():
    ...     loss = np.sum(W**2)
    ...     W.assign(W - 0.1 * grad(loss, W))
    ...     return loss
    >>> _ = step()
    >>> "<B>W</B> ← W − 0.2 × W" in draw(step).source  # the update, since the gradient is 2 * W
    True
    >>> x = W
    >>> for _ in range(20):
    ...     x = np.tanh(2.0 * x)
    >>> draw(x.sum())
    <drawing of 4 nodes: shows itself in notebooks, save_as() writes a file>
    >>> draw(x.sum(), fold=False)
    <drawing of 42 nodes: shows itself in notebooks, save_as() writes a file>
    """
    if rankdir not in DIRECTIONS:
        raise ValueError(f"draw: rankdir must be TB, LR, BT or RL, not {rankdir!r}")
    graph = trace(record_of(outputs, gradients_of, names), gather=fold)
    graph = collapse(fold_loops(fold_updates(graph)) if fold else graph, max_nodes)
    drawing = Drawing("computation", **picture_attributes(graph, rankdir))
    drawing.body.extend(dot_lines(graph, values=values, rankdir=rankdir))
    return drawing


def record_of(outputs: Any, gradients_of: Any = None, names: Mapping[str, Any] | None = None) -> Record:
    """Return the record that `draw` shows for these arguments: an optimised program, or tensors read as a program."""
    if isinstance(outputs, CapturedStep | Program):
        if gradients_of is not None or names is not None:
            raise TypeError(
                "draw: gradients_of and names are for tensors; a program has a backward pass and names of its own"
            )
        return Record(optimised(outputs if isinstance(outputs, Program) else outputs.program), {}, {})
    ends = tensors_to_show("draw", outputs)
    starts, names = named_tensors(() if gradients_of is None else gradients_of, "draw: gradients_of", names)
    program, tensors = recorded_graph(ends, starts, names)
    used = {  # the values of leaves when they were used: they may have been assigned since
        arg: operand
        for tensor in tensors.values()
        for arg, operand in zip(tensor.args, tensor.operands, strict=True)
        if type(arg) is Tensor
    }
    values = {value: used.get(tensor, tensor.data) for value, tensor in tensors.items()}
    record = Record(program, values, names)
    gradients = {} if starts else _gradients(ends, tensors)
    for node in record.nodes:
        node.gradient = gradients.get(node.output)
    return record


def _gradients(ends: Sequence[Tensor], tensors: Mapping[Value, Tensor]) -> dict[Value, NDArray[Any]]:
    """Return the gradients to show after `backward()`: of leaves, and for a scalar output, of operations too."""
    found = {value: tensor._grad for value, tensor in tensors.items() if tensor._grad is not None}
    if found and len(ends) == 1 and ends[0].size == 1 and ends[0].requires_grad:
        inner = {tensor: value for value, tensor in tensors.items() if tensor.requires_grad and not tensor.is_leaf}
        cotangents = sweep([(ends[0], seed_cotangent(ends[0], None))], inner.keys())
        found |= {inner[tensor]: ct for tensor, ct in cotangents.items()}
    return found


def tensors_to_show(caller: str, given: Any) -> list[Tensor]:
    """Return the outputs that `caller` was given, one Tensor or several, as a list. Raises TypeError for other types.

    >>> tensors_to_show("draw", Tensor(2.0))
    [Tensor(2.)]
    """
    tensors = list(given) if isinstance(given, Iterable) and not isinstance(given, Tensor) else [given]
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise TypeError(f"{caller}: outputs must be Tensors, a captured step or a program, not {kind}")
    return tensors
