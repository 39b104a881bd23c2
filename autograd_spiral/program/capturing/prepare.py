"""Preparation: from one call of a step to a program that is ready to run.

Four steps: trace the step twice, find the outside arrays that it reads, lower the trace to a program, and make the
program ready to run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.cache_key import CacheKey, Call, digests, signature_check
from autograd_spiral.program.capturing.guards import Guards, GuardSet
from autograd_spiral.program.capturing.lowering import Lowering
from autograd_spiral.program.capturing.pytree import LEAF
from autograd_spiral.program.capturing.verify import Traced, trace_twice
from autograd_spiral.program.capturing.warnings import warn_of_kept_tensors, warn_of_other_threads
from autograd_spiral.program.executor import Executor, Run
from autograd_spiral.program.passes.phases import with_phases
from autograd_spiral.program.printing.saved import CapturedProgram

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A program that is ready to run, with all that it reads besides its inputs, and the form of its results."""

    key: CacheKey
    program: CapturedProgram
    run: Run
    state: tuple[Tensor, ...]
    outside: tuple[NDArray[Any], ...]
    updated: tuple[Tensor, ...]  # the leaves that get the new state
    treedef: Any
    leaves: tuple[Any, ...]  # of the result: `LEAF` for each tensor, and constants
    same_signature: Callable[[tuple[Any, ...], bool], bool]  # of a call's arguments, and whether it is recorded
    guards: GuardSet
    watched: tuple[NDArray[Any], ...]  # outside arrays that the step may derive constants from in plain NumPy
    digests: tuple[Any, ...]  # of these arrays, when the step was captured
    constants: list[Any]  # among the arguments: kept alive, since the cache key may have their ids

    def is_current(self) -> bool:
        """Whether the watched arrays hold what they held when the step was captured."""
        return digests(self.watched) == self.digests


def prepare(call: Call, guards: Guards, executor: Executor) -> Prepared:
    """Capture a step for one kind of call. Raises `CaptureError` if that is impossible, and what the step raises."""
    traced = trace_twice(call, guards.current(call.constants))
    outside = _outside_arrays(traced)
    found = guards.current(call.constants)
    warn_of_kept_tensors(call.step_name, {*traced.first.nodes, *traced.second.nodes}, found)
    lowering = Lowering(traced.second, outside, found.tensor_names())
    program = _lower(call, traced, lowering)
    guards.expand(lowering.expanded)
    if traced.first.elsewhere or traced.second.elsewhere:
        warn_of_other_threads(call.step_name)
    found = guards.current(call.constants)
    watched = _watched(lowering, found)
    return Prepared(
        call.key(found.values)[0],
        program,
        executor(program),
        tuple(lowering.state),
        tuple(lowering.read.values()),
        program.leaves[: len(program.updates)],
        traced.treedef,
        tuple(LEAF if type(leaf) is Tensor else leaf for leaf in traced.results),
        signature_check(call),
        found,
        watched,
        digests(watched),
        call.constants,
    )


def _outside_arrays(traced: Traced) -> list[NDArray[Any]]:
    """Return the arrays that both runs read: arrays that the step makes lie in other memory in the second run."""
    known = {_memory(array) for array in traced.first.originals.values()}
    return list({id(a): a for a in traced.second.originals.values() if _memory(a) in known}.values())


def _memory(array: NDArray[Any]) -> Any:
    return array.ctypes.data, array.shape, array.strides, array.dtype


def _lower(call: Call, traced: Traced, lowering: Lowering) -> CapturedProgram:
    """Return the program of the second trace."""
    trace = traced.second
    inputs = [lowering.add_input(tensor, name) for tensor, name in zip(traced.inputs, call.input_names(), strict=True)]
    equations = lowering.equations()
    outputs = [lowering.atom(trace.holds.get(leaf, leaf)) for leaf in traced.results if type(leaf) is Tensor]
    new_state = {leaf: lowering.atom(trace.holds[leaf]) for leaf in trace.updated()}
    checks = lowering.checks()
    for leaf in new_state:
        lowering.state_of(leaf)
    # for `loss, *state = step(X, y, *state)`: first what the step updates, in one order, then what it only reads
    lowering.state = dict(sorted(lowering.state.items(), key=lambda item: item[0] not in new_state))
    updates = [(value, new_state[leaf]) for leaf, value in lowering.state.items() if leaf in new_state]
    program = CapturedProgram(
        call.step_name,
        tuple(inputs),
        tuple(lowering.state.values()),
        tuple(equations),
        tuple(outputs),
        tuple(updates),
        tuple(lowering.read),
        checks,
        lowering.names,
        {value: np.array(array) for value, array in lowering.read.items()},
        lowering.primals(),
        frozenset(value for leaf, value in lowering.state.items() if leaf.requires_grad),
        tuple(lowering.state),
    )
    return with_phases(program)


def _watched(lowering: Lowering, guards: GuardSet) -> tuple[NDArray[Any], ...]:
    """Return the outside arrays that the step may derive constants from in plain NumPy."""
    return tuple(
        array
        for _, array in guards.arrays
        if lowering.derived
        or id(array) in lowering.derived_from
        or not any(np.may_share_memory(array, other) for other in lowering.read.values())
    )
