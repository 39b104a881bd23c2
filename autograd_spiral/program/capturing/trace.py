"""A trace: what a step recorded while it was captured, and the program it makes.

The step runs on real arrays, so every operation has its value; the trace keeps the operations in order, what each leaf
was assigned, and which arrays came from outside. Two traces of one step must be alike in all of that.
"""

from __future__ import annotations

import _thread
import contextlib
import contextvars
import itertools
import os
import queue
import sys
from collections.abc import Callable, Collection, Iterator
from types import FrameType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import in_engine, users_line, users_line_indexes
from autograd_spiral.engine.messages import INSTEAD_OF_MASKS, INSTEAD_OF_READING, called, stale
from autograd_spiral.engine.modes import MODE, Observer, Trace, entering
from autograd_spiral.engine.table import Primitive
from autograd_spiral.engine.tensor import Tensor, constant, record
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.ir import Name, Rank

__all__ = ["StepTrace", "assigned_input", "difference", "recording_in", "root", "same"]


class StepTrace(Trace, Observer):
    """What is kept of one run of a step. See `modes.Trace` and `modes.Observer` for what it is told, and asked."""

    def __init__(self, arguments: Collection[Tensor] = ()) -> None:  # inputs, and what stands for them in this run
        self.arguments = arguments
        self.nodes: list[Tensor] = []
        self.phases: list[str] = []
        self.sources: dict[Tensor, tuple[Any, ...]] = {}  # of each node: its arguments, leaves as they were by then
        self.holds: dict[Tensor, Tensor] = {}  # what each assigned leaf holds now
        self.first: dict[Tensor, Tensor] = {}  # of each assigned leaf: one that holds what it held at the beginning
        self.aliases: dict[Tensor, Tensor] = {}
        self.originals: dict[int, NDArray[Any]] = {}  # from a frozen copy's id to the array it was made of
        self.copies: list[NDArray[Any]] = []  # keeps those ids from being used again
        self.checks: list[tuple[Callable[..., None], Any, tuple[Any, ...]]] = []
        self.primal_of: dict[Tensor, Tensor] = {}  # from a cotangent to what it is the gradient with respect to
        self.locals: dict[Tensor, Name] = {}
        self.scopes: dict[Tensor, tuple[str, ...]] = {}  # of what rules recorded: those of the operation they are for
        self.rules_of: dict[Tensor, Primitive | None] = {}  # of what rules recorded: whose they are
        self.entropy = False  # whether the system was asked for random numbers, as by an unseeded generator
        self.elsewhere = False  # whether work was given to another thread, or to a context that this does not watch
        self._unswept = 0  # the nodes from here on are not known to belong to a rule
        self._swept_scope: tuple[str, ...] = ()
        self.began = Tensor(0).serial

    # --- what a trace is told ------------------------------------------------------------------------------------

    def recorded(self, node: Tensor) -> None:
        """Keep a new operation."""
        if node.primitive is None:
            return
        if MODE.get().phase == "forward":
            self._unswept = len(self.nodes) + 1
        node.place = users_line()
        self.nodes.append(node)
        self.phases.append(MODE.get().phase)
        self.sources[node] = tuple(self._now(arg) for arg in node.args)

    def swept(self, node: Tensor, argument: int, ct: Tensor, piece: Any) -> None:
        """Note what a cotangent is the gradient of, and what the rule recorded."""
        self.primal_of.setdefault(ct, node)
        fresh = set(self.nodes[self._unswept :])
        self.scopes.update(dict.fromkeys(fresh, self._swept_scope))  # what added up the pieces of the rule before
        stack = [piece]
        while stack:  # what this rule recorded
            part = stack.pop()
            if part in fresh:
                fresh.discard(part)
                self.scopes[part] = node.scope
                self.rules_of[part] = node.primitive
                stack += [arg for arg in part.args if type(arg) is Tensor]
        self._unswept, self._swept_scope = len(self.nodes), node.scope

    def value_of(self, tensor: Tensor) -> NDArray[Any]:
        """The array that `tensor` holds now."""
        value: NDArray[Any] = self.holds.get(tensor, tensor)._value
        return value

    def operands_of(self, node: Tensor, *, keep_graph: bool) -> tuple[Any, ...]:
        """The arguments of `node` with the values it was computed from."""
        if node not in self.sources:
            return node.args  # computed before the step
        operands = []
        for arg, source in zip(node.args, self.sources[node], strict=True):
            if isinstance(arg, np.ndarray):
                operands.append(self._as_tensor(arg))
            elif type(arg) is not Tensor or self._now(arg) is source:
                operands.append(arg)
            elif keep_graph:
                raise stale(arg, node)
            else:
                operands.append(self.first[arg] if source is arg else source)
        return tuple(operands)

    def _as_tensor(self, array: NDArray[Any]) -> Tensor:
        """A leaf for a frozen array, so that what rules make of it is recorded: it may be read anew at each call."""
        leaf = constant(array)
        self.froze(array, leaf._value)
        return leaf

    def assigned(self, leaf: Tensor, value: Tensor) -> None:
        """From here on, `leaf` holds what `value` holds."""
        if leaf in self.arguments:
            raise assigned_input()
        if leaf not in self.first:
            self.first[leaf] = leaf.detach()
        self.holds[leaf] = self._now(value)

    def aliased(self, leaf: Tensor, tensor: Tensor) -> None:
        """Note that `leaf` is another tensor's value without its history."""
        source = self._now(tensor)
        if source.is_leaf or source in self.sources:  # else it was computed before the step: a constant
            self.aliases[leaf] = source

    def froze(self, original: NDArray[Any], copy: NDArray[Any]) -> None:
        """Note which array a copy was made of."""
        self.originals[id(copy)] = self.originals.get(id(original), original)  # of a copy, what that was made of
        self.copies.append(copy)

    def verify(self, check: Callable[..., None], values: Any, *details: Any) -> None:
        """Run a check, and keep it for each replay."""
        now = self._now(values)
        super().verify(check, now, *details)
        self.checks.append((check, now, details))

    def named(self, tensor: Tensor, of: Tensor) -> None:
        """Note a gradient of a leaf."""
        self.primal_of[tensor] = of

    def permit(self, act: str, remedy: str) -> NoReturn:
        """Permit nothing: raise the error that a captured step cannot do `act`."""
        if remedy is INSTEAD_OF_READING and users_line_indexes():
            act = "indexing a plain array or a list by a tensor"
            remedy = (
                "That would read its value, and the program must hold for any values: index a tensor, Tensor(X)[i], "
                "or np.stack(tensors)[i]; or index outside of the step, and pass X[i]"
            )
        raise CaptureError(f"{users_line()}\n{act} while the step is being captured. {remedy}.")

    def permit_index(self, index: Any) -> None:
        """Refuse boolean masks, of whose values the shape of the result would depend."""
        items = index if isinstance(index, tuple) else (index,)
        lists = (item for item in items if isinstance(item, list) and item)
        if any(getattr(item, "dtype", None) == np.dtype(bool) for item in items) or any(
            all(isinstance(entry, bool) for entry in entries) for entries in lists
        ):
            self.permit("indexing by a boolean mask", INSTEAD_OF_MASKS)

    def _now(self, arg: Any) -> Any:
        return self.holds.get(arg, arg) if type(arg) is Tensor else arg

    # --- names of local variables ---------------------------------------------------------------------------------

    def returned(self, frame: FrameType, rank: int) -> None:
        """Note the tensors that a function that returns holds in local variables that are no arguments."""
        code = frame.f_code
        for name, value in frame.f_locals.items():
            if type(value) is Tensor and name not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
                known = self.locals.get(value)
                if not name.startswith("_") and (known is None or rank < known.rank):
                    self.locals[value] = Name(rank, name)


_THREADS = [getattr(_thread, name) for name in ("start_new_thread", "start_joinable_thread") if hasattr(_thread, name)]


def _runs_elsewhere(function: Any, frame: FrameType | None, trace: StepTrace) -> bool:
    """Whether a call of `function`, one written in C, gives work to another thread, or to a context without `trace`."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if type(owner) is contextvars.Context and name == "run":
        mode = owner.get(MODE)
        leaves = mode is None or mode.trace is not trace
    else:  # to a new thread, or to one that waits in a pool
        leaves = function in _THREADS or (type(owner) is queue.SimpleQueue and name == "put")
    while leaves and frame is not None:
        leaves = frame.f_code is not record.__code__  # a primitive gets arrays, whatever it does with them
        frame = frame.f_back
    return leaves


@contextlib.contextmanager
def recording_in(trace: StepTrace, step: Callable[..., Any] | None, rank: int = Rank.STEP) -> Iterator[None]:
    """Keep in `trace` all that the block records, and what `step` and the functions it calls name it."""
    code = getattr(step, "__code__", None)

    def profile(frame: FrameType, event: str, called: Any) -> None:
        if event == "return":
            if frame.f_code is code:
                trace.returned(frame, rank)
            elif rank == Rank.STEP and not in_engine(frame.f_code.co_filename):
                trace.returned(frame, Rank.CALLER)
        elif event == "c_call":
            trace.entropy |= called is os.urandom
            trace.elsewhere |= _runs_elsewhere(called, frame, trace)

    before = sys.getprofile()
    with entering(constants=True, observer=trace, trace=trace):
        sys.setprofile(profile)
        try:
            yield
        finally:
            sys.setprofile(before)


def assigned_input() -> CaptureError:
    """For a step that assigns one of its inputs, whether it has it as an argument or by name."""
    return CaptureError(
        f"{users_line()}\nassign() to an argument that requires no gradients, which a captured step reads by value: "
        "let the step reach the tensor from outside instead of passing it"
    )


def difference(one: StepTrace, other: StepTrace) -> str | None:
    """Where two traces of a step differ, in words; None where they are alike."""
    places: dict[Tensor, int] = {}
    others: dict[Tensor, int] = {}
    for i, (a, b) in enumerate(itertools.zip_longest(one.nodes, other.nodes)):
        if a is None or b is None:
            (longer,) = (node for node in (a, b) if node is not None)
            return f"{longer.place}\n{_told(longer)} was computed in one run of the step, and not in another"
        if a.primitive is not b.primitive or a.shape != b.shape or a.dtype != b.dtype or not same(a.params, b.params):
            return f"{b.place}\n{_told(a)} was computed in one run of the step, {_told(b)} in another"
        places[a] = others[b] = i
        for x, y in zip(one.sources[a], other.sources[b], strict=True):
            if not _alike(one, x, places, other, y, others):
                x, y = _constant(one, x, places), _constant(other, y, others)
                if x is None or y is None:
                    return f"{b.place}\n{_told(a)} was given something else in one run of the step than in another"
                return f"{b.place}\na constant of {_told(a)} differed between two runs of the step: {x} and {y}"
    if len(one.holds) != len(other.holds):
        return f"assign() was called for {len(one.holds)} leaves in one run of the step, {len(other.holds)} in another"
    for (p, x), (q, y) in zip(one.holds.items(), other.holds.items(), strict=True):
        inside = p.serial > one.began and q.serial > other.began
        if (p is not q and not inside) or not _alike(one, x, places, other, y, others):
            return f"{called(p)} was assigned one value in one run of the step, another in another"
    return None


def _told(node: Tensor) -> str:
    return node.primitive.name if node.primitive is not None else "a leaf"


def _alike(
    one: StepTrace, x: Any, places: dict[Tensor, int], other: StepTrace, y: Any, others: dict[Tensor, int]
) -> bool:
    if type(x) is not Tensor or type(y) is not Tensor:
        return same(x, y)
    x, y = root(one, x), root(other, y)
    if x in places or y in others:
        return x in places and places[x] == others.get(y)
    return x is y or (x.serial > one.began and y.serial > other.began and same(x._value, y._value))


def _constant(trace: StepTrace, x: Any, places: dict[Tensor, int]) -> str | None:
    """A constant in words; None for what was computed."""
    if type(x) is Tensor:
        x = root(trace, x)
        if x in places or x.serial < trace.began:
            return None
        x = x._value
    if isinstance(x, np.ndarray):
        with np.printoptions(threshold=6, edgeitems=2, precision=6):
            return " ".join(str(x).split())
    return repr(x)


def root(trace: StepTrace, tensor: Tensor) -> Tensor:
    """The tensor whose value `tensor` holds, as one that is no alias."""
    while tensor in trace.aliases:
        tensor = trace.aliases[tensor]
    return tensor


def same(x: Any, y: Any) -> bool:
    """Whether two constants, or the parameters of two equations, are the same."""
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        equal_nan = x.dtype.kind == "f"
        return x.shape == y.shape and x.dtype == y.dtype and bool(np.array_equal(x, y, equal_nan=equal_nan))
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(same(value, y[key]) for key, value in x.items())
    if isinstance(x, tuple | list) and isinstance(y, tuple | list):
        return len(x) == len(y) and all(map(same, x, y))
    return type(x) is type(y) and (x is y or bool(x == y) or (x != x and y != y))
