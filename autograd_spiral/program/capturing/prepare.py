"""Preparation: makes the program for a call of a step, and checks later whether the step still computes it."""

from __future__ import annotations

import enum
import pickle
import random
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.pytree import flatten, unflatten
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.capturing.cache_key import Call, is_input
from autograd_spiral.program.capturing.guards import Guards
from autograd_spiral.program.capturing.lowering import Lowered, expand, lower, memory_of
from autograd_spiral.program.capturing.search import Search
from autograd_spiral.program.capturing.trace import StepTrace, recording_in
from autograd_spiral.program.capturing.verify import Difference, difference, same, shown
from autograd_spiral.program.capturing.warnings import warn_of_kept_tensors
from autograd_spiral.program.executor import Peers
from autograd_spiral.program.ir import Equation
from autograd_spiral.program.passes.phases import with_phases

__all__ = ["Prepared", "compare", "prepare"]


_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, type, enum.Enum, np.dtype)
"""The types that a step may return besides tensors."""


class Prepared(NamedTuple):
    """What capturing a call has found out about the step."""

    lowered: Lowered
    guards: Guards
    watched: list[tuple[str, NDArray[Any]]]  # outside arrays that the step may derive constants from in plain NumPy
    counters: list[str]  # what the step counts with, though a program would not


def prepare(call: Call, peers: Peers) -> Prepared:
    """Run the step twice on tensors in place of its inputs, and return the program that both runs computed.

    Raises `CaptureError` if the runs differ, if random numbers were drawn, if the program cannot return a result, or if
    it would not do everything that the step does; also raises whatever the step raises.
    """
    before = Search(call.roots)
    states = _random_states(call, before)
    first = _trace(call, peers)
    between = Search(call.roots, set(_expanded(first.equations)))
    second = _trace(call, peers, expanding=True, kept=_kept(call, before, between, first))
    names = before.tensor_names() | {leaf: name for name, leaf in call.named_leaves() if type(leaf) is Tensor}
    memories = _memories(first) & _memories(second)  # arrays that the step itself makes lie elsewhere the second time
    one, other = lower(first, call.step_name, memories), lower(second, call.step_name, memories, names)
    found = difference(one, other) or _overwritten(memories, first, second)
    drawn = [name for (name, old), (_, new) in zip(states, _random_states(call, before), strict=True) if old != new]
    if drawn or first.entropy:  # if the runs differ, this is the reason
        _refuse_random_numbers(
            call, (drawn[0] or "a generator among its arguments") if drawn else "a generator without a seed", found
        )
    if found:
        raise CaptureError(
            f"{found.describe('in one run of the step', 'in the other')}. A captured step must compute the same thing "
            "each time: pass random numbers and counters as arguments, and keep its state in a Tensor that it assigns"
        )
    counters = _counters(call, before.counters(), between.counters())
    between.guards.drop_changed(call.roots)
    warn_of_kept_tensors(call.step_name, (first, second), between.stored())
    read = other.outside
    watched = [
        (name, array)
        for name, array in between.arrays()
        if other.derived or id(array) in other.derived_from or not any(np.may_share_memory(array, a) for a in read)
    ]
    return Prepared(other._replace(program=with_phases(other.program)), between.guards, watched, counters)


def compare(call: Call, known: Lowered, peers: Peers) -> Difference | None:
    """Run the step once more, and return the first difference from what it computed at capture, or None.

    Raises whatever the step raises.
    """
    memories, before = set(map(memory_of, known.outside)), [array.copy() for array in known.outside]
    with np.errstate(all="ignore"):  # the program itself runs next, and warns
        traced = _trace(call, peers, annotating=False)
        found = difference(known, lower(traced, call.step_name, memories))
        if found:  # trace again, to get its line, and in case a signal handler computed something in between
            found = difference(known, lower(_trace(call, peers), call.step_name, memories))
    return found or _changed(zip(before, known.outside, strict=True)) or _overwritten(memories, traced)


def _trace(
    call: Call, peers: Peers, *, annotating: bool = True, expanding: bool = False, kept: Mapping[int, str] = {}
) -> StepTrace:
    """Return the trace of one run of the step on tensors in place of its inputs."""
    trace = StepTrace(call.input_tensors(), annotating=annotating, expanding=expanding)
    trace.kept = kept
    arguments = []
    for name, leaf in call.named_leaves():
        if is_input(leaf):
            leaf = _stand_in(leaf, name, peers)
            trace.add_input(leaf, name)
        arguments.append(leaf)
    _run(call, arguments, trace)
    expand(trace)
    return trace


def _run(call: Call, arguments: Sequence[Any], trace: StepTrace) -> None:
    """Run the step once, so that its tensors are freed when this function returns, except those that it keeps."""
    args, kwargs = unflatten(call.treedef, iter(arguments))
    with recording_in(trace, getattr(call.step, "__func__", call.step)):
        try:
            result = call.step(*args, **kwargs)
        except Exception:
            if trace.refusal is None:
                raise
        if trace.refusal is not None:  # NumPy may have replaced it, as in array[i] = tensor, or the step caught it
            raise trace.refusal from None
    _refuse_changed_arguments(call, arguments, (args, kwargs))
    leaves, treedef = flatten(result)
    _check_results(call.step_name, leaves)
    trace.end(leaves, treedef)


_GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)
_METHODS = (types.MethodType, types.BuiltinMethodType)


def _random_states(call: Call, search: Search) -> list[tuple[str, bytes]]:
    """Return names and states of generators: NumPy's and Python's global ones, arguments, and those that were found."""
    shared = [("np.random", np.random.rand), ("the module random", random.random)]  # methods of these generators
    found = [*shared, *(("", root) for root in call.roots), *search.found]
    owners = [(name, value.__self__ if isinstance(value, _METHODS) else value) for name, value in found]
    generators = [(name, owner) for name, owner in owners if isinstance(owner, _GENERATORS)]
    return [(name, pickle.dumps(_state(owner))) for name, owner in generators]


def _state(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return None if isinstance(generator, random.SystemRandom) else generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return generator.get_state()
    return getattr(generator, "bit_generator", generator).state


def _stand_in(leaf: Any, name: str, peers: Peers) -> Tensor:
    array = leaf if isinstance(leaf, np.ndarray) else leaf._value
    new = peers.stand_in(name, array)
    return leaf.detach() if type(leaf) is Tensor and new is array else Tensor(new)


def _memories(trace: StepTrace) -> set[Any]:
    return {memory_of(array) for _, array in trace.frozen.values()}


def _overwritten(memories: Set[Any], *runs: StepTrace) -> Difference | None:
    """Return a difference if these runs changed an outside array after they read it, which a replay would not do."""
    pairs = (pair for run in runs for pair in run.frozen.values())
    return _changed((copy, array) for copy, array in pairs if memory_of(array) in memories)


def _changed(copies: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> Difference | None:
    """Return, as a difference, the first array whose contents changed after it was copied; or None."""
    for copy, array in copies:
        if not same(now := array.astype(copy.dtype), copy):
            return Difference(None, "an outside array that the step changes in place", shown(copy), shown(now))
    return None


def _expanded(equations: Sequence[Equation]) -> Iterator[Any]:
    """Yield the declared primitives whose bodies are equations of the program."""
    for equation in equations:
        if equation.body:
            yield equation.primitive
            yield from _expanded(equation.body)


# --- what a program would not do -----------------------------------------------------------------------------------


def _kept(call: Call, before: Search, after: Search, trace: StepTrace) -> dict[int, str]:
    """Return, for each result that the step has bound to a name, why it must use assign(): a replay would not bind it.

    If the result took the place of a leaf, as after `self.W = W - dW`, this raises `CaptureError`. A result that took
    the place of anything else, or of nothing, is refused only if the next run reads it.
    """
    now, reasons = {(name, id(value)) for name, value in after.written}, {}
    gone = {name: value for name, value in before.written if (name, id(value)) not in now}
    for name, tensor in after.written:
        if trace.computed(tensor):
            old = gone.get(name)
            leaf = type(old) is Tensor and old.is_leaf
            was = "a leaf" if leaf else {np.ndarray: "an array", float: "a number"}.get(type(old))
            reasons[tensor.serial] = (
                f"{call.step_name} binds {name!r}{f', which was {was},' if was else ''} to a new tensor. A program "
                f"would not do that at later calls: {'' if leaf else 'make it a Tensor before the first call, and '}"
                f"write {name}.assign(…) in place of {name} = …"
            )
            if leaf:
                places = (part.place for part in trace.equations if part.output is trace.known[tensor.serial])
                raise CaptureError("\n".join([*filter(None, places), reasons[tensor.serial]]))
    return reasons


def _counters(call: Call, before: Mapping[str, Any], between: Mapping[str, Any]) -> list[str]:
    """Return the names of the numbers to which both runs of the step have added the same.

    Anything else that changes, such as a time, the id of an object or an entry of a cache, may do no harm.
    """
    added = {name: now - before.get(name, 0) for name, now in between.items() if now != before.get(name, 0)}
    after = Search(call.roots).counters() if added else {}
    return [name for name in added if after.get(name) == between[name] + added[name]]


def _refuse_changed_arguments(call: Call, arguments: Sequence[Any], passed: Any) -> None:
    """Raise `CaptureError` if the step changed the contents of a container among its arguments."""
    known = set(map(id, arguments))
    leaves, treedef = flatten(passed, lambda part: id(part) in known)
    if treedef != call.treedef or any(now is not before for now, before in zip(leaves, arguments, strict=True)):
        raise CaptureError(
            f"{call.step_name} changes a list, dict or dataclass among its arguments, which a program would not do at "
            "later calls: return the new value, or assign() it to a Tensor; to work on a copy, make one first, as in "
            "dict(d)"
        )


def _refuse_random_numbers(call: Call, source: str, found: Difference | None) -> NoReturn:
    """Raise `CaptureError` for random numbers, even if both runs agree: a mask with few zeros may have none in both.

    If the runs differ, the message begins with the line of the first operation that the numbers changed.
    """
    place = f"{found.place}\n" if found and found.place else ""
    raise CaptureError(
        f"{place}{call.step_name} draws random numbers from {source}, and a program would repeat them at every call. "
        "Draw the numbers outside the step, and pass them (or the mask or rows they select) as arrays"
    )


def _check_results(step: str, leaves: Sequence[Any]) -> None:
    """Raise `CaptureError` if a program cannot return these results: it returns tensors and plain constants."""
    for leaf in leaves:
        if isinstance(leaf, np.ndarray):
            raise CaptureError(
                f"{step} returns a plain array, which is computed during capture and not at replay: return a Tensor "
                "that the step computes"
            )
        if not isinstance(leaf, (Tensor, *_PLAIN)):
            raise CaptureError(
                f"{step} returns a {type(leaf).__name__}, whose contents a program does not know: return tensors, "
                "numbers and strings, in lists, tuples, named tuples, dicts or dataclasses"
            )
