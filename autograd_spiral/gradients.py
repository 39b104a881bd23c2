"""`grad`: the gradients of outputs with respect to inputs, as values or as a graph of their own."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np

from autograd_spiral import refusals
from autograd_spiral.errors import ShapeError
from autograd_spiral.modes import MODE, entering
from autograd_spiral.sweep import sweep
from autograd_spiral.tensor import Operand, Tensor, constant, seed_cotangent

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
    """The gradient of `outputs` with respect to `inputs`: one Tensor of its shape for each, and nothing stored.

    Each of `outputs` and `inputs` is a Tensor or a sequence of Tensors; for a single input a single Tensor comes
    back. `cotangents` weigh the elements of the outputs (the result is a vector-Jacobian product, summed over
    outputs) and are needed for outputs of more than one element. With `create_graph` the results are differentiable
    in turn. An input that the outputs do not depend on gets zeros; outputs that depend on no tensor at all, since they
    have no graph, are a UserWarning. Raises `DtypeError` for integers, `GradientError`
    for an input that does not require gradients and for a missing cotangent, `StaleLeafError` when `create_graph`
    meets a leaf assigned since it was recorded.

    >>> x = Tensor(3.0, requires_grad=True)
    >>> first = grad(x**3, x, create_graph=True)
    >>> second = grad(first, x)
    >>> float(first), float(second)
    (27.0, 18.0)
    """
    single_output = isinstance(outputs, Tensor)
    ends = _tensors("outputs", outputs)
    starts = _tensors("inputs", inputs)
    weights: Sequence[Operand | None] = (
        [None] * len(ends) if cotangents is None else [cotangents] if single_output else list(cotangents)
    )
    if len(weights) != len(ends):
        raise ShapeError(f"grad: {len(ends)} outputs but {len(weights)} cotangents")
    _check(ends, starts)
    if ends and not any(end._requires_grad or end.args for end in ends):
        warnings.warn(f"grad gives zeros, since {refusals.no_gradient(ends[0])}", UserWarning, stacklevel=2)

    seeds = [seed_cotangent(end, weight) for end, weight in zip(ends, weights, strict=True)]
    mode = MODE.get()
    if not create_graph and mode.trace is None:
        found = sweep(zip(ends, seeds, strict=True), set(starts), observer=mode.observer)
        results = tuple(
            constant(found[start] if start in found else np.zeros(start.shape, start.dtype)) for start in starts
        )
    else:
        given = [w if isinstance(w, Tensor) else Tensor(ct) for ct, w in zip(seeds, weights, strict=True)]
        if mode.trace is not None:
            for tensor, weight in zip(given, weights, strict=True):
                if isinstance(weight, np.ndarray):
                    mode.trace.froze(weight, tensor._value)
        with entering(recording=create_graph, phase="backward"):
            operands_of = (mode.trace and functools.partial(mode.trace.operands_of, keep_graph=create_graph)) or None
            pairs = zip(ends, given, strict=True)
            found = sweep(pairs, set(starts), on_tensors=True, observer=mode.observer, operands_of=operands_of)
            results = _distinct(found, starts, set(given))
        if mode.trace is not None:
            for start, result in zip(starts, results, strict=True):
                mode.trace.named(result, start)
    return results[0] if isinstance(inputs, Tensor) else results


def _distinct(found: dict[Any, Tensor], starts: Sequence[Tensor], given: set[Tensor]) -> tuple[Tensor, ...]:
    """One Tensor for each of `starts`, none of them another one or a cotangent that was passed in."""
    results: list[Tensor] = []
    taken = given | set(starts)
    for start in starts:
        ct = found[start] if start in found else Tensor(np.zeros(start.shape, start.dtype))
        if ct in taken or ct.is_leaf:
            with entering(constants=True):  # a node, so that what is 0 when derived again is told from a lost graph
                ct = +ct
        taken.add(ct)
        results.append(ct)
    return tuple(results)


def _tensors(role: str, given: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    if isinstance(given, Tensor):
        return [given]
    if not isinstance(given, Iterable):
        raise TypeError(f"grad: {role} must be a Tensor or a sequence of Tensors, not {type(given).__name__}")
    return list(given)


def _check(ends: Sequence[Tensor], starts: Sequence[Tensor]) -> None:
    for role, tensors in (("output", ends), ("input", starts)):
        for i, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(f"grad: {role} {i} must be a Tensor, not {type(tensor).__name__}")
            if tensor._value.dtype.kind != "f":
                raise refusals.integer_in_grad(f"{role} {i}", tensor)
    for i, start in enumerate(starts):
        if not start._requires_grad:
            raise refusals.input_without_gradient(f"input {i}", start)
