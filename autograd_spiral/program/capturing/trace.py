"""A trace: what one run of a step recorded while the step was captured.

The step runs on real arrays, so every operation has its value. The trace keeps the operations in order, what each leaf
was assigned, and which arrays came from outside.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Collection, Iterator
from types import FrameType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import (
    in_package,
    is_running,
    signal_handlers,
    users_line,
    users_line_indexes,
)
from autograd_spiral.engine.messages import INSTEAD_OF_MASKS, INSTEAD_OF_READING, stale
from autograd_spiral.engine.modes import MODE, NO_TRACE, Observer, Trace, entering
from autograd_spiral.engine.table import Primitive
from autograd_spiral.engine.tensor import Tensor, as_leaf, constant
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.ir import Name, Rank

__all__ = ["StepTrace", "assigned_input", "recording_in", "root"]


class StepTrace(Trace, Observer):
    """The record of one run of a step. `modes.Trace` and `modes.Observer` say when its methods are called."""

    def __init__(self, arguments: Collection[Tensor] = (), *, annotating: bool = True) -> None:
        self.arguments = arguments  # the inputs, and their stand-ins in this run
        self._within = sys._getframe(1).f_code  # the code of the function that makes this trace and runs the step
        self._handlers = signal_handlers()
        self.annotating = annotating  # whether to note lines, scopes and names, which cost more than anything else
        self.nodes: list[Tensor] = []
        self.phases: list[str] = []
        self.sources: dict[Tensor, tuple[Any, ...]] = {}  # the arguments of each node, with leaves as they were then
        self.holds: dict[Tensor, Tensor] = {}  # what each assigned leaf holds now
        self.first: dict[Tensor, Tensor] = {}  # for each assigned leaf, a leaf with its value at the beginning
        self.aliases: dict[Tensor, Tensor] = {}
        self.originals: dict[int, NDArray[Any]] = {}  # from the id of a frozen copy to the array that was copied
        self.copies: list[NDArray[Any]] = []  # kept so that no other array gets one of those ids
        self.checks: list[tuple[Callable[..., None], Any, tuple[Any, ...]]] = []
        self.primal_of: dict[Tensor, Tensor] = {}  # maps a gradient to what it was taken with respect to
        self.locals: dict[Tensor, Name] = {}
        self.scopes: dict[Tensor, tuple[str, ...]] = {}  # for nodes that a rule recorded: the scope of its operation
        self.rules_of: dict[Tensor, Primitive | None] = {}  # for nodes that a rule recorded: its primitive
        self.entropy = False  # whether the system was asked for random numbers, for example by an unseeded generator
        self.refusal: CaptureError | None = None  # raised again at the end, in case the step caught it
        self.unswept = 0  # nodes from this index on are not yet assigned to a rule
        self.swept_scope: tuple[str, ...] = ()  # the scope of the operation whose rule ran last
        self.began = Tensor(0).serial

    # --- what recording reports ------------------------------------------------------------------------------------

    def recorded(self, node: Tensor) -> None:
        """Keep a new operation."""
        if node.primitive is None:
            return
        phase = MODE.get().phase
        if self.annotating:
            node.place = users_line()
            if phase == "forward":
                self.unswept = len(self.nodes) + 1
        self.nodes.append(node)
        self.phases.append(phase)
        holds = self.holds
        self.sources[node] = tuple([holds.get(arg, arg) if type(arg) is Tensor else arg for arg in node.args])

    def swept(self, node: Tensor, argument: int, ct: Tensor, piece: Any) -> None:
        """Note that `ct` is the gradient with respect to `node`, and which nodes the rule of `node` recorded."""
        if not self.annotating:
            return
        self.primal_of.setdefault(ct, node)
        fresh = set(self.nodes[self.unswept :])
        self.scopes.update(dict.fromkeys(fresh, self.swept_scope))  # additions of pieces since the previous rule
        stack = [piece]
        while stack:  # from the piece back to all that this rule recorded
            part = stack.pop()
            if part in fresh:
                fresh.discard(part)
                self.scopes[part] = node.scope
                self.rules_of[part] = node.primitive
                stack += [arg for arg in part.args if type(arg) is Tensor]
        self.unswept, self.swept_scope = len(self.nodes), node.scope

    def value_of(self, tensor: Tensor) -> NDArray[Any]:
        """Return the array that `tensor` holds now."""
        return self.holds.get(tensor, tensor)._value

    def operands_of(self, node: Tensor, *, create_graph: bool) -> tuple[Any, ...]:
        """Return the arguments of `node` with the values that it was computed from."""
        if node not in self.sources:
            return node.args  # computed before the step
        operands = []
        for arg, source in zip(node.args, self.sources[node], strict=True):
            if isinstance(arg, np.ndarray):
                operands.append(self._as_tensor(arg))
            elif type(arg) is not Tensor or self._now(arg) is source:
                operands.append(arg)
            elif create_graph:
                raise stale(arg, node)
            else:
                operands.append(self.first[arg] if source is arg else source)
        return tuple(operands)

    def _as_tensor(self, array: NDArray[Any]) -> Tensor:
        """Return a leaf for a frozen array, so that its use in rules is recorded: each call may read it again."""
        leaf = constant(array)
        self.froze(array, leaf._value)
        return leaf

    def assigned(self, leaf: Tensor, value: Tensor) -> None:
        """Note that, from now on, `leaf` holds the value of `value`."""
        if self.is_interrupted():
            NO_TRACE.assigned(leaf, value)
            return
        if leaf in self.arguments:
            self.refuse(assigned_input())
        if leaf not in self.first:
            self.first[leaf] = leaf.detach()
        self.holds[leaf] = self._now(value)

    def updated(self) -> tuple[Tensor, ...]:
        """Return the leaves that the step assigned, except those that it made."""
        return tuple(leaf for leaf in self.holds if leaf.serial < self.began)

    def aliased(self, leaf: Tensor, tensor: Tensor) -> None:
        """Note that `leaf` holds the value of `tensor`, without its history."""
        source = self._now(tensor)
        if source.is_leaf or source in self.sources:  # otherwise it was computed before the step: a constant
            self.aliases[leaf] = source

    def froze(self, original: NDArray[Any], copy: NDArray[Any]) -> None:
        """Note that the array `original` was copied to `copy`."""
        self.originals[id(copy)] = self.originals.get(id(original), original)  # for a copy of a copy, the first array
        self.copies.append(copy)

    def verify(self, check: Callable[..., None], values: Any, *details: Any) -> None:
        """Run a check, and keep it for each replay."""
        now = self._now(values)
        super().verify(check, now, *details)
        self.checks.append((check, now, details))

    def named(self, tensor: Tensor, of: Tensor) -> None:
        """Note that `tensor` is the gradient with respect to the leaf `of`."""
        self.primal_of[tensor] = of

    def permit(self, act: str, remedy: str) -> None:
        """Raise `CaptureError`, since a captured step cannot do `act`; only signal handlers may."""
        if self.is_interrupted():
            return
        if remedy is INSTEAD_OF_READING and users_line_indexes():
            act = "indexing a plain array or a list by a tensor"
            remedy = (
                "That would read its value, but the program must be valid for any values: index a tensor, as in "
                "Tensor(X)[i] or np.stack(tensors)[i], or index outside the step and pass X[i]"
            )
        self.refuse(CaptureError(f"{users_line()}\n{act} is not possible while a step is being captured. {remedy}."))

    def refuse(self, error: CaptureError) -> NoReturn:
        """Raise `error`, which ends the capture even if the step catches it."""
        self.refusal = error
        raise error

    def permit_index(self, index: Any) -> None:
        """Refuse boolean masks: the shape of the result would depend on their values."""
        for item in index if isinstance(index, tuple) else (index,):
            entries = isinstance(item, list) and item and all(isinstance(entry, bool) for entry in item)
            if entries or getattr(item, "dtype", None) == np.dtype(bool):
                self.permit("indexing by a boolean mask", INSTEAD_OF_MASKS)

    def forget_values(self, results: list[Any], needed: Callable[[Primitive], bool]) -> list[Any]:
        """Keep the record of every operation, but keep its value only if the value is `needed`.

        Return new placeholders for the results. This is for large models, whose values take much memory.
        """
        hollow = {node: _hollow(node, with_values=needed(node.primitive)) for node in self.nodes if node.primitive}

        def kept(part: Any) -> Any:
            if type(part) is not Tensor:
                return part
            part = root(self, part)
            return hollow.get(part, part)

        def told(known: dict[Tensor, Any]) -> dict[Tensor, Any]:
            return {hollow.get(tensor, tensor): of for tensor, of in known.items()}

        computed = (part for part in results if type(part) is Tensor and part not in self.holds)
        instead = {part: hollow.get(root(self, part), part) for part in computed}
        results = [instead.get(part, part) if type(part) is Tensor else part for part in results]
        self.sources = {hollow[node]: tuple(map(kept, args)) for node, args in self.sources.items()}
        self.holds = {leaf: kept(value) for leaf, value in self.holds.items()}
        self.checks = [(check, kept(values), details) for check, values, details in self.checks]
        self.primal_of = {hollow.get(ct, ct): hollow.get(of, of) for ct, of in self.primal_of.items()}
        self.locals, self.scopes, self.rules_of = told(self.locals), told(self.scopes), told(self.rules_of)
        self.aliases = {leaf: source for leaf, source in self.aliases.items() if root(self, leaf) not in hollow}
        self.nodes, self.first = [hollow[node] for node in self.nodes], {}
        return results

    def _now(self, arg: Any) -> Any:
        return self.holds.get(arg, arg) if type(arg) is Tensor else arg

    def is_interrupted(self) -> bool:
        """Return whether a signal handler, which is not part of the step, is running in the middle of the step."""
        return is_running(self._handlers, self._within)

    # --- names of local variables ---------------------------------------------------------------------------------

    def returned(self, frame: FrameType, rank: int) -> None:
        """Note the tensors in the local variables, except arguments, of a function that is returning."""
        code = frame.f_code
        for name, value in frame.f_locals.items():
            if type(value) is Tensor and name not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
                known = self.locals.get(value)
                if not name.startswith("_") and (known is None or rank < known.rank):
                    self.locals[value] = Name(rank, name)


def _hollow(node: Tensor, *, with_values: bool) -> Tensor:
    """Return a tensor with the operation of `node`, but without references to the arguments of `node`."""
    empty = np.ndarray(node.shape, node.dtype, np.zeros((), node.dtype), strides=(0,) * node.ndim)
    hollow = as_leaf(node._value if with_values else empty, name=node.name)
    hollow.primitive, hollow.params, hollow.scope, hollow.place = node.primitive, node.params, node.scope, node.place
    hollow.operands = node.operands if with_values else ()
    return hollow


@contextlib.contextmanager
def recording_in(trace: StepTrace, step: Callable[..., Any] | None = None, rank: int = Rank.STEP) -> Iterator[None]:
    """Record the block in `trace`, with the names that `step` and the functions it calls give to tensors.

    If a profiler is running, it keeps running, and no such names are found.
    """
    code = getattr(step, "__code__", None)

    def profile(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            trace.entropy |= called is os.urandom
        elif event == "return":
            if frame.f_code is code:
                trace.returned(frame, rank)
            elif rank == Rank.STEP and not in_package(frame.f_code.co_filename):
                trace.returned(frame, Rank.CALLER)

    naming = trace.annotating and sys.getprofile() is None
    with entering(constants=True, observer=trace, trace=trace):
        try:  # begins before the profiler is set, in case an interrupt follows at once
            if naming:
                sys.setprofile(profile)
            yield
        finally:
            if naming:
                sys.setprofile(None)


def assigned_input() -> CaptureError:
    """Return the error for a step that assigns to one of its inputs, reached as an argument or by name."""
    return CaptureError(
        f"{users_line()}\na captured step cannot assign() to an argument that requires no gradients, since it gets "
        "only its value: do not pass the tensor; use it in the step as an outside variable"
    )


def root(trace: StepTrace, tensor: Tensor) -> Tensor:
    """Return the tensor whose value `tensor` holds: follow aliases until a tensor that is not an alias."""
    while tensor in trace.aliases:
        tensor = trace.aliases[tensor]
    return tensor
