"""Verification: a captured step must compute the same thing each time, so it is traced twice and compared."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_spiral.engine.messages import called
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.capturing.cache_key import Call, constant_key, is_input
from autograd_spiral.program.capturing.guards import GuardSet
from autograd_spiral.program.capturing.pytree import flatten, unflatten
from autograd_spiral.program.capturing.trace import StepTrace, recording_in, root

__all__ = ["Traced", "trace_twice"]

_CONSTANT = (bool, int, float, complex, str, bytes, type(None), np.generic, type, enum.Enum, np.dtype)
"""The types that a step may return besides tensors."""


class Traced(NamedTuple):
    """Two runs of a step that computed the same thing: their traces, and the inputs and results of the second run."""

    first: StepTrace
    second: StepTrace
    inputs: list[Tensor]
    results: list[Any]
    treedef: Any


def trace_twice(call: Call, guards: GuardSet) -> Traced:
    """Run the step twice on tensors in place of its inputs, and return the traces.

    Raises `CaptureError` if the runs differ, if random numbers were drawn, or if a result cannot be returned from a
    program; and whatever the step raises.
    """
    arguments = [_stand_in(leaf) if is_input(leaf) else leaf for leaf in call.leaves]
    inputs = [new for new, leaf in zip(arguments, call.leaves, strict=True) if new is not leaf]
    states = guards.random_states()
    (first, one), (second, other) = (_trace(call, arguments, {*inputs, *call.input_tensors()}) for _ in range(2))
    if why := difference(first, second):
        raise CaptureError(
            f"{why}. A captured step must compute the same thing each time: pass random numbers and counters as "
            "arguments, and keep its state in a Tensor that it assigns"
        )
    _refuse_random_numbers(call.step_name, states, guards.random_states(), entropy=first.entropy)
    results, treedef = flatten(other)
    _check_results(call.step_name, flatten(one), (results, treedef))
    return Traced(first, second, inputs, results, treedef)


def _stand_in(leaf: Any) -> Tensor:
    return Tensor(leaf) if isinstance(leaf, np.ndarray) else leaf.detach()


def _trace(call: Call, arguments: Sequence[Any], inputs: set[Tensor]) -> tuple[StepTrace, Any]:
    """Run the step once, and return the trace and the result."""
    trace = StepTrace(inputs)
    args, kwargs = unflatten(call.treedef, iter(arguments))
    with recording_in(trace, getattr(call.step, "__func__", call.step)):
        try:
            return trace, call.step(*args, **kwargs)
        except Exception as error:
            cause = error.__cause__
            if isinstance(cause, CaptureError):  # which NumPy replaced, for example in array[i] = tensor
                raise cause from None
            raise


class _Computed(NamedTuple):
    """An argument that an earlier operation of the trace computed."""

    position: int


def difference(one: StepTrace, other: StepTrace) -> str | None:
    """Describe the first difference between two traces of a step; return None if there is none."""
    ones: dict[Tensor, int] = {}
    others: dict[Tensor, int] = {}
    for i, (a, b) in enumerate(itertools.zip_longest(one.nodes, other.nodes)):
        if a is None or b is None:
            longer = b if a is None else a
            return f"{longer.place}\n{_described(longer)} was computed in one run of the step but not in the other"
        if a.primitive is not b.primitive or a.shape != b.shape or a.dtype != b.dtype or not same(a.params, b.params):
            return f"{b.place}\n{_described(a)} was computed in one run of the step, {_described(b)} in the other"
        xs = [_origin(one, x, ones) for x in one.sources[a]]
        ys = [_origin(other, y, others) for y in other.sources[b]]
        for x, y in itertools.zip_longest(xs, ys):
            if same(x, y):
                continue
            if len(xs) != len(ys) or isinstance(x, Tensor | _Computed) or isinstance(y, Tensor | _Computed):
                return f"{b.place}\n{_described(a)} had different arguments in the two runs of the step"
            constants = f"{_text(x)} and {_text(y)}"
            return f"{b.place}\na constant of {_described(a)} differed between the two runs of the step: {constants}"
        ones[a] = others[b] = i
    if len(one.holds) != len(other.holds):
        counts = f"{len(one.holds)} leaves in one run of the step and for {len(other.holds)} in the other"
        return f"assign() was called for {counts}"
    for (p, x), (q, y) in zip(one.holds.items(), other.holds.items(), strict=True):
        inside = p.serial > one.began and q.serial > other.began
        if (p is not q and not inside) or not same(_origin(one, x, ones), _origin(other, y, others)):
            return f"{called(p)} was assigned different values in the two runs of the step"
    return None


def _described(node: Tensor) -> str:
    return node.primitive.name if node.primitive is not None else "a leaf"


def _origin(trace: StepTrace, argument: Any, positions: dict[Tensor, int]) -> Any:
    """Return where an argument came from: an operation of the trace, a tensor from outside, or a constant."""
    if type(argument) is not Tensor:
        return argument
    tensor = root(trace, argument)
    if tensor in positions:
        return _Computed(positions[tensor])
    return tensor if tensor.serial < trace.began else tensor._value


def _text(constant: Any) -> str:
    if not isinstance(constant, np.ndarray):
        return repr(constant)
    with np.printoptions(threshold=6, edgeitems=2, precision=6):
        return " ".join(str(constant).split())


def _refuse_random_numbers(
    step: str, before: Sequence[tuple[str, Any]], after: Sequence[tuple[str, Any]], *, entropy: bool
) -> None:
    """Raise `CaptureError` if states of generators changed, or if the system was asked for random numbers (`entropy`).

    Two runs can agree by chance: a mask that is rarely 0 may be all 1 in both.
    """
    drawn = [name for (name, old), (_, new) in zip(before, after, strict=True) if not same(old, new)]
    if drawn or entropy:
        source = (drawn[0] or "a generator among its arguments") if drawn else "a generator without a seed"
        raise CaptureError(
            f"{step} draws random numbers from {source}, and a program would repeat them at every call. Draw the "
            "numbers outside the step, and pass them (or the mask or rows they select) as arrays"
        )


def _check_results(step: str, one: tuple[list[Any], Any], other: tuple[list[Any], Any]) -> None:
    """Raise `CaptureError` if a program cannot return these results, or if those of the two runs differ."""
    for leaf in other[0]:
        if isinstance(leaf, np.ndarray):
            raise CaptureError(
                f"{step} returns a plain array, which is computed during capture and not at replay: return a Tensor "
                "that the step computes"
            )
        if not isinstance(leaf, (Tensor, *_CONSTANT)):
            raise CaptureError(
                f"{step} returns a {type(leaf).__name__}, whose contents a program does not know: return tensors, "
                "numbers and strings, in lists, tuples, named tuples or dicts"
            )
    ones, others = ([Tensor if type(x) is Tensor else constant_key(x) for x in leaves] for leaves, _ in (one, other))
    if one[1] != other[1] or ones != others:
        raise CaptureError(
            f"{step} returned different things in its two runs: a captured step must compute the same thing each time"
        )


def same(x: Any, y: Any) -> bool:
    """Whether two arguments, or the parameters of two operations, are the same."""
    if isinstance(x, Tensor):
        return x is y
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(same(value, y[key]) for key, value in x.items())
    if isinstance(x, tuple | list) and isinstance(y, tuple | list):
        return len(x) == len(y) and all(map(same, x, y))
    return type(x) is type(y) and (x is y or bool(x == y) or (x != x and y != y))
