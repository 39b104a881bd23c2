"""`grad`: the gradients of outputs with respect to inputs, as values or with a graph of their own."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np

from autograd_spiral.engine import messages
from autograd_spiral.engine.modes import MODE, NO_TRACE, entering
from autograd_spiral.engine.sweep import sweep
from autograd_spiral.engine.tensor import Tensor, constant, seed_cotangent
from autograd_spiral.errors import ShapeError

__all__ = ["grad"]


@overload
def grad(
    outputs: Tensor | Sequence[Tensor], inputs: Tensor, cotangents: Any = None, create_graph: bool = False
) -> Tensor: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Any = None,
    create_graph: bool = False,
) -> tuple[Tensor, ...]: ...
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    cotangents: Any = None,
    create_graph: bool = False,
) -> Tensor | tuple[Tensor, ...]:
    """Return the gradients of `outputs` with respect to `inputs`: one Tensor for each input, of its shape.

    `outputs` and `inputs` are Tensors or sequences of Tensors; for a single input, a single Tensor is returned. No
    `.grad` changes. `cotangents` weight the elements of the outputs (the result is a vector-Jacobian product, summed
    over outputs) and are required for outputs of more than one element. With `create_graph`, the results can be
    differentiated in turn. An input that the outputs do not depend on gets zeros; if no output has a graph, a
    UserWarning is issued. Raises `DtypeError` for integers, `GradientError` for an input that does not require
    gradients and for a missing cotangent, and `StaleLeafError` if `create_graph` needs a leaf that was assigned after
    it was recorded.

    >>> x = Tensor(3.0, requires_grad=True)
    >>> first = grad(x**3, x, create_graph=True)
    >>> second = grad(first, x)
    >>> float(first), float(second)
    (27.0, 18.0)
    """
    ends, starts = _tensors("output", outputs), _tensors("input", inputs)
    given: Sequence[Any] = [None] * len(ends)
    if cotangents is not None:
        given = [cotangents] if isinstance(outputs, Tensor) else list(cotangents)
    if len(given) != len(ends):
        raise ShapeError(f"grad: {len(ends)} outputs but {len(given)} cotangents")
    for i, start in enumerate(starts):
        if not start._requires_grad:
            raise messages.input_without_gradient(f"input {i}", start)
    if ends and not any(end._requires_grad or end.args for end in ends):
        warnings.warn(f"grad returns zeros, because {messages.no_gradient(ends[0])}", UserWarning, stacklevel=2)

    seeds = [seed_cotangent(end, ct) for end, ct in zip(ends, given, strict=True)]
    mode = MODE.get()
    if create_graph or mode.trace is not NO_TRACE:
        results = _recorded(ends, starts, seeds, given, create_graph)
    else:
        found = sweep(zip(ends, seeds, strict=True), set(starts), observer=mode.observer)
        results = [constant(found[start]) if start in found else _zeros(start) for start in starts]
    return results[0] if isinstance(inputs, Tensor) else tuple(results)


def _recorded(
    ends: list[Tensor], starts: list[Tensor], seeds: list[Any], given: Sequence[Any], create_graph: bool
) -> list[Tensor]:
    """Return the gradients from a recorded sweep: a new Tensor for each of `starts`, even if one is given twice."""
    mode = MODE.get()
    pairs = zip(seeds, given, strict=True)
    cotangents = [ct if isinstance(ct, Tensor) else Tensor(seed) for seed, ct in pairs]
    operands_of = functools.partial(mode.trace.operands_of, create_graph=create_graph)
    results = []
    taken = {*cotangents, *starts}
    with entering(recording=create_graph, phase="backward"):
        found = sweep(zip(ends, cotangents, strict=True), set(starts), operands_of=operands_of, observer=mode.observer)
        for start in starts:
            ct = found[start] if start in found else _zeros(start)
            if ct in taken or ct.is_leaf:  # each input gets a node of its own, a constant gradient too
                with entering(constants=True):
                    ct = +ct
            taken.add(ct)
            results.append(ct)
            mode.trace.named(ct, start)
    return results


def _zeros(like: Tensor) -> Tensor:
    return Tensor(np.zeros(like.shape, like.dtype))


def _tensors(role: str, given: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """Return the tensor or tensors as a list; raise unless each is a floating Tensor."""
    if not isinstance(given, Iterable):
        remedy = "; for a function, write value_and_grad(f)(x) or grad(f(x), x)" if callable(given) else ""
        raise TypeError(f"grad: {role}s must be a Tensor or a sequence of Tensors, not {type(given).__name__}{remedy}")
    tensors = [given] if isinstance(given, Tensor) else list(given)
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"grad: {role} {i} must be a Tensor, not {type(tensor).__name__}")
        if tensor._value.dtype.kind != "f":
            raise messages.integer_in_grad(f"{role} {i}", tensor)
    return tensors
