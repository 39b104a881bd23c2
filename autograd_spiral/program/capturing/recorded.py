"""A program of what was recorded without capturing: the graph behind some outputs, and its gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograd_spiral.engine.grad import grad
from autograd_spiral.engine.history import history
from autograd_spiral.engine.modes import NO_TRACE
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.lowering import Lowering
from autograd_spiral.program.capturing.trace import StepTrace, recording_in
from autograd_spiral.program.printing.saved import CapturedProgram

__all__ = ["backward_source", "recorded"]


def backward_source(
    loss: Tensor, parameters: Tensor | Sequence[Tensor], *, names: Mapping[str, Any] | None = None
) -> str:
    """The forward pass behind `loss` and the backward pass to `parameters`, as NumPy source.

    A module with one function, from the leaves (data, then parameters) to the loss and its gradients, in order, that
    needs NumPy alone. `loss` is a recorded tensor of one element, `parameters` are leaves that require gradients.
    Names come from `Tensor(name=…)` and `.named(…)`, else from `names`, such as `locals()`. Raises whatever `grad`
    raises, `StaleLeafError` where a leaf has been assigned since, `CaptureError` where an operation cannot be printed.

    >>> import numpy as np
    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], name="x")
    >>> W = Tensor([[0.5], [-0.5]], requires_grad=True, name="W")
    >>> print(backward_source(np.sum((x @ W).named("y") ** 2).named("loss"), W))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def loss_and_gradients(x, W):
        \"\"\"Return loss, dW.\"\"\"
        # forward
        y = x @ W                                                 # (2, 1)
        loss = np.sum(y**2)                                       # scalar
        # backward
        dy = 2 * y                                                # (2, 1)
        dW = x.T @ dy                                             # (2, 1)
        return loss, dW
    <BLANKLINE>
    """
    starts = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return recorded([loss], starts, names).source


def recorded(
    outputs: Sequence[Tensor], parameters: Sequence[Tensor], names: Mapping[str, Any] | None = None
) -> CapturedProgram:
    """The program from the leaves that `outputs` were computed from to the outputs and their gradients."""
    trace = StepTrace()
    nodes = history(outputs)
    for node in nodes:
        if node.primitive is not None:
            trace.nodes.append(node)
            trace.phases.append("forward")
            trace.sources[node] = NO_TRACE.operands_of(node, keep_graph=True)
    with recording_in(trace, None):
        gradients = grad(list(outputs), list(parameters)) if parameters else ()
    around = {value: name for name, value in (names or {}).items() if type(value) is Tensor}
    values = Lowering(trace, outside_names=around)
    leaves = [node for node in nodes if node.primitive is None]
    inputs = []
    for i, leaf in enumerate(leaf for leaf in leaves if not leaf.requires_grad):
        inputs.append(values.add_input(leaf, leaf.name or around.get(leaf) or f"x{i + 1}"))
    for leaf in (*parameters, *(leaf for leaf in leaves if leaf.requires_grad)):
        values.atom(leaf)
    equations = values.equations()
    results = [values.atom(tensor) for tensor in (*outputs, *gradients)]
    return CapturedProgram(
        "loss_and_gradients" if parameters else "outputs",
        tuple(inputs),
        tuple(values.state.values()),
        tuple(equations),
        tuple(results),
        names=values.names,
        primals=values.primals(),
        trained=frozenset(values.state.values()),
    )
