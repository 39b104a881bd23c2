"""Programs made from a graph that was recorded without capturing, and from its gradients."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from autograd_spiral.engine.grad import grad, parameters_in
from autograd_spiral.engine.modes import NO_TRACE, entering
from autograd_spiral.engine.pytree import leaf_names
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.lowering import expand, lower
from autograd_spiral.program.capturing.trace import StepTrace, recording_in
from autograd_spiral.program.history import history
from autograd_spiral.program.ir import Equation, Name, Program, Rank, Value
from autograd_spiral.program.printing.saved import CapturedProgram

__all__ = ["backward_source", "named_tensors", "recorded", "recorded_graph"]


def backward_source(loss: Tensor, parameters: Any, *, names: Mapping[str, Any] | None = None) -> str:
    """Return NumPy code that computes `loss` and its gradients with respect to `parameters`.

    The code is a module with one function, and needs only NumPy. The function takes the arrays that `loss` was computed
    from: first the data, then the parameters. It returns the loss, and then the gradients in the order of the
    parameters.

    `loss` is a recorded tensor with one element. `parameters` is a tensor that requires gradients, or a list, tuple,
    dict or dataclass of such tensors. The names in the code come from `Tensor(name=…)` and `.named(…)`. A tensor
    without such a name gets one from the dict `names`, such as `locals()`, or else from the keys and attributes of
    `parameters`. Raises whatever `grad` raises, `StaleLeafError` if `assign` has changed a tensor since `loss` was
    computed from it, and `CaptureError` if an operation cannot be printed.

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
    starts, known = named_tensors(parameters, "backward_source: parameter", names)
    return recorded([loss], starts, known).source


_RESULTS = re.compile(r"_+(i*|i?\d+)")
"""Matches the variables in which notebooks keep the inputs and results of cells: `_`, `__`, `_3`, `_i`, `_i3` and so
on."""


def named_tensors(tree: Any, role: str, names: Mapping[str, Any] | None) -> tuple[list[Tensor], dict[str, Any]]:
    """Return the Tensors in a container, and a dict of named values: `names`, and Tensors under their keys."""
    tensors, treedef = parameters_in(tree, role)
    named = {name: value for name, value in (names or {}).items() if not _RESULTS.fullmatch(name)}
    inside = {name: tensor for name, tensor in zip(leaf_names(treedef), tensors, strict=True) if name}
    return tensors, named | {name: tensor for name, tensor in inside.items() if name not in named}


def _names_of(names: Mapping[str, Any]) -> dict[Tensor, str]:
    """Return the name of each Tensor in `names`; of several names, the first one."""
    return {value: name for name, value in reversed([*names.items()]) if type(value) is Tensor}


def recorded(
    outputs: Sequence[Tensor], parameters: Sequence[Tensor], names: Mapping[str, Any] | None = None
) -> CapturedProgram:
    """Return the program from the leaves behind `outputs` to the outputs and their gradients, valid for any values.

    The backward pass to `parameters`, leaves or other tensors, is recorded here, and declared primitives are replaced
    by their bodies. Raises what `backward_source` raises.
    """
    trace = StepTrace()
    nodes, around = history(outputs), _names_of(names or {})
    leaves = [node for node in nodes if node.is_leaf]
    for i, leaf in enumerate(leaf for leaf in leaves if not leaf.requires_grad):
        trace.add_input(leaf, leaf.name or around.get(leaf) or f"x{i + 1}")
    for leaf in (*parameters, *leaves):
        if leaf.is_leaf and leaf.requires_grad:
            trace.state_of(leaf)
    for node in nodes:
        if not node.is_leaf:
            trace.add(node, NO_TRACE.operands_of(node, create_graph=True), "forward")
    with recording_in(trace):
        gradients = grad(list(outputs), list(parameters)) if parameters else ()
    trace.end([*outputs, *gradients])
    expand(trace)
    return lower(trace, "loss_and_gradients" if parameters else "outputs", names=around).program


def recorded_graph(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], names: Mapping[str, Any]
) -> tuple[Program, dict[Value, Tensor]]:
    """Return the graph that computed `outputs` as a program, and the tensor of each value, in the order of creation.

    The backward pass to `inputs`, any tensors that require gradients, is recorded here. The program shows what ran: no
    operation is computed again, declared primitives stay single equations, and arrays among the arguments are
    constants. The program's `outside` arrays are those that the backward pass starts from. Raises what `grad` with
    `create_graph=True` raises.
    """
    trace = StepTrace()
    value_of = {tensor: Value(tensor.shape, tensor.dtype) for tensor in (*history(outputs), *inputs)}
    trace.known.update((tensor.serial, value) for tensor, value in value_of.items())
    gradient_of: dict[Tensor, Tensor] = {}
    if inputs:
        with entering(constants=True, observer=trace, scope=()):
            gradient_of = dict(zip(inputs, grad(list(outputs), list(inputs), create_graph=True), strict=True))
    made = dict.fromkeys(history([*outputs, *gradient_of.values()]))
    backward = made.keys() - history(outputs)
    known: dict[int, Any] = trace.known
    value_of = {t: known.setdefault(t.serial, Value(t.shape, t.dtype)) for t in (*made, *inputs)}
    trace.primal_of |= {gradient.serial: tensor.serial for tensor, gradient in gradient_of.items()}
    numbered = {tensor.serial: tensor for tensor in value_of}
    primal_of = {numbered[ct]: numbered[of] for ct, of in trace.primal_of.items() if {ct, of} <= numbered.keys()}
    given = _names_of(names)
    named: dict[Value, Name] = {}
    equations: list[Equation] = []
    data: list[Value] = []
    state: list[Value] = []
    outside: dict[Value, NDArray[Any]] = {}
    for tensor, value in value_of.items():
        primal = primal_of.get(tensor) if tensor in backward else None
        if name := tensor.name or given.get(tensor):
            named[value] = Name(Rank.GIVEN, name)
        elif primal is not None and (name := primal.name or given.get(primal)):
            named[value] = Name(Rank.GRADIENT, f"d{name}")
        if tensor.primitive is not None and tensor in made:
            args = tuple(value_of[arg] if type(arg) is Tensor else arg for arg in tensor.args)
            how = ("forward", tensor.scope, tensor.place)
            if tensor in backward:  # nodes that no rule recorded: they add the pieces of the last rule
                how = ("backward", trace.rule_of.get(value, (trace.swept_scope, None))[0], None)
            equations.append(Equation(tensor.primitive, args, tensor.params, value, *how))
        elif tensor in backward:
            outside[value] = tensor.data
        else:
            (state if tensor.requires_grad else data).append(value)
    program = Program(
        "graph",
        tuple(data),
        tuple(state),
        tuple(equations),
        tuple(value_of[tensor] for tensor in (*outputs, *gradient_of.values()) if not tensor.is_leaf),
        outside=tuple(outside),
        found=outside,
        names=named,
        primals={value_of[ct]: value_of[of] for ct, of in primal_of.items()},
        trained=frozenset([*state, *(value_of[tensor] for tensor in inputs)]),
    )
    return program, {value_of[tensor]: tensor for tensor in made}
