"""A trace: what a step recorded while it was captured, and the program it makes.

The step runs on real arrays, so every operation has its value; the trace keeps the operations in order, what each leaf
was assigned, and which arrays came from outside. Two traces of one step must be alike in all of that.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.errors import CaptureError
from autograd_spiral.modes import MODE, entering
from autograd_spiral.places import in_engine, users_line
from autograd_spiral.program.equations import Atom, Check, Equation, Name, Rank, Value
from autograd_spiral.sweep import stale
from autograd_spiral.tensor import Tensor

__all__ = ["Trace", "Values", "difference", "recording_in"]


class Trace:
    """The observer of one run of a step. See `modes.Trace` for what it is told."""

    def __init__(self, arguments: Collection[Tensor] = ()) -> None:
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
        self._unswept = 0  # the nodes from here on are not known to belong to a rule
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
        self.scopes.update(dict.fromkeys(self.nodes[self._unswept :], node.scope))
        self._unswept = len(self.nodes)

    def value_of(self, tensor: Tensor) -> NDArray[Any]:
        """The array that `tensor` holds now."""
        return self.holds.get(tensor, tensor)._value

    def operands_of(self, node: Tensor, *, keep_graph: bool) -> tuple[Any, ...]:
        """The arguments of `node` with the values it was computed from."""
        if node not in self.sources:
            return node.args  # computed before the step
        operands = []
        for arg, source in zip(node.args, self.sources[node], strict=True):
            if type(arg) is not Tensor or self._now(arg) is source:
                operands.append(arg)
            elif keep_graph:
                raise stale(arg, node)
            else:
                operands.append(self.first[arg] if source is arg else source)
        return tuple(operands)

    def assigned(self, leaf: Tensor, value: Tensor) -> None:
        """From here on, `leaf` holds what `value` holds."""
        if leaf in self.arguments:
            raise CaptureError(
                f"{users_line()}\nassign() to an argument that requires no gradients, which a captured step reads by value: "
                "let the step reach the tensor from outside instead of passing it"
            )
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
        self.originals[id(copy)] = original
        self.copies.append(copy)

    def verified(self, check: Callable[..., None], values: Any, details: tuple[Any, ...]) -> None:
        """Keep a check."""
        self.checks.append((check, self._now(values), details))

    def named(self, tensor: Tensor, of: Tensor) -> None:
        """Note a gradient of a leaf."""
        self.primal_of[tensor] = of

    def refuse(self, act: str, remedy: str) -> NoReturn:
        """Raise the error that says that a captured step cannot do `act`."""
        raise CaptureError(f"{users_line()}\n{act} while the step is being captured. {remedy}.")

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


@contextlib.contextmanager
def recording_in(trace: Trace, step: Callable[..., Any] | None, rank: int = Rank.STEP) -> Iterator[None]:
    """Keep in `trace` all that the block records, and what `step` and the functions it calls name it."""
    code = getattr(step, "__code__", None)

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "return":
            if frame.f_code is code:
                trace.returned(frame, rank)
            elif rank == Rank.STEP and not in_engine(frame.f_code.co_filename):
                trace.returned(frame, Rank.CALLER)

    before = sys.getprofile()
    with entering(constants=True, observer=trace, trace=trace):
        sys.setprofile(profile)
        try:
            yield
        finally:
            sys.setprofile(before)


def difference(one: Trace, other: Trace) -> str | None:
    """Where two traces of a step differ, in words; None where they are alike."""
    places: dict[Tensor, int] = {}
    others: dict[Tensor, int] = {}
    for i, (a, b) in enumerate(itertools.zip_longest(one.nodes, other.nodes)):
        if a is None or b is None:
            longer = a if b is None else b
            return f"{longer.place}\n{longer.primitive.name} was computed in one run of the step, and not in another"
        if a.primitive is not b.primitive or a.shape != b.shape or a.dtype != b.dtype or not _same(a.params, b.params):
            return f"{b.place}\n{a.primitive.name} was computed in one run of the step, {b.primitive.name} in another"
        places[a] = others[b] = i
        for x, y in zip(one.sources[a], other.sources[b], strict=True):
            if not _alike(one, x, places, other, y, others):
                return f"{b.place}\n{a.primitive.name} was given one value in one run of the step, another in another"
    if len(one.holds) != len(other.holds):
        return f"assign() was called for {len(one.holds)} leaves in one run of the step, {len(other.holds)} in another"
    for (p, x), (q, y) in zip(one.holds.items(), other.holds.items(), strict=True):
        if p is not q or not _alike(one, x, places, other, y, others):
            return f"{p._called()} was assigned one value in one run of the step, another in another"
    return None


def _alike(one: Trace, x: Any, places: dict[Tensor, int], other: Trace, y: Any, others: dict[Tensor, int]) -> bool:
    if type(x) is not Tensor or type(y) is not Tensor:
        return _same(x, y)
    x, y = _root(one, x), _root(other, y)
    if x in places or y in others:
        return x in places and places[x] == others.get(y)
    return x is y or (x.serial > one.began and y.serial > other.began and _same(x._value, y._value))


def _root(trace: Trace, tensor: Tensor) -> Tensor:
    while tensor in trace.aliases:
        tensor = trace.aliases[tensor]
    return tensor


def _same(x: Any, y: Any) -> bool:
    """Whether two constants, or the parameters of two equations, are the same."""
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        equal_nan = x.dtype.kind == "f"
        return x.shape == y.shape and x.dtype == y.dtype and bool(np.array_equal(x, y, equal_nan=equal_nan))
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(_same(value, y[key]) for key, value in x.items())
    if isinstance(x, tuple | list) and isinstance(y, tuple | list):
        return len(x) == len(y) and all(map(_same, x, y))
    return type(x) is type(y) and (x is y or bool(x == y) or (x != x and y != y))


class Values:
    """From the tensors of a trace to the values and constants of a program."""

    def __init__(
        self, trace: Trace, outside: Sequence[NDArray[Any]] = (), around: Mapping[Tensor, str] | None = None
    ) -> None:
        self.trace = trace
        self.around = around or {}  # what leaves are called in the surroundings of the step
        self.state: dict[Tensor, Value] = {}
        self.outside: dict[int, tuple[Value, NDArray[Any]]] = {id(a): (Value(a.shape, a.dtype), a) for a in outside}
        self.used: dict[int, None] = {}  # ids of the outside arrays that are read
        self.names: dict[Value, Name] = {}
        self._values: dict[Tensor, Value] = {}

    def given(self, tensor: Tensor, name: str) -> Value:
        """The value of a tensor that stands for an argument."""
        self._values[tensor] = value = Value(tensor.shape, tensor.dtype)
        self.names[value] = Name(Rank.GIVEN, name)
        return value

    def equations(self) -> list[Equation]:
        """All that was recorded."""
        for node in self.trace.nodes:
            self._values[node] = Value(node.shape, node.dtype)
        made = [self._equation(node, phase) for node, phase in zip(self.trace.nodes, self.trace.phases, strict=True)]
        for tensor in (*self.trace.nodes, *self.state):
            self._name(tensor)
        return made

    def checks(self) -> tuple[Check, ...]:
        """The checks on what is not constant."""
        found = []
        for function, values, details in self.trace.checks:
            atom = self.atom(values) if type(values) is Tensor else self._array(values, values)
            if isinstance(atom, Value):
                found.append(Check(function, atom, details))
        return tuple(found)

    def primals(self) -> dict[Value, Value]:
        """From gradients to what they are the gradients with respect to."""
        return {
            ct: primal
            for ct, primal in ((self._values.get(a), self._values.get(b)) for a, b in self.trace.primal_of.items())
            if ct is not None and primal is not None
        }

    def atom(self, arg: Any) -> Atom:
        """What an argument of an operation is in the program."""
        if type(arg) is not Tensor:
            return self._array(arg, self.trace.originals.get(id(arg))) if isinstance(arg, np.ndarray) else arg
        arg = _root(self.trace, arg)
        if arg in self._values:
            return self._values[arg]
        if arg.serial < self.trace.began:
            if not arg.is_leaf:
                return self._history(arg)
            if arg not in self.state:
                self.state[arg] = self._values[arg] = Value(arg.shape, arg.dtype)
            return self._values[arg]
        return self._array(arg._value, self.trace.originals.get(id(arg._value)))

    def _array(self, array: NDArray[Any], original: NDArray[Any] | None) -> Atom:
        if original is None or id(original) not in self.outside:
            return array
        self.used[id(original)] = None
        return self.outside[id(original)][0]

    def _history(self, tensor: Tensor) -> Atom:
        if tensor.requires_grad:
            raise CaptureError(
                f"{tensor._called()}, of shape {tensor.shape}, was computed by {tensor.primitive and tensor.primitive.name} "
                "before the step began, and gradients flow through it: compute it inside the step, or detach() it"
            )
        return tensor._value

    def _equation(self, node: Tensor, phase: str) -> Equation:
        assert node.primitive is not None
        output = self._values[node]
        inputs = tuple(self.atom(arg) for arg in self.trace.sources[node])
        body = self._body(node, inputs, phase) if node.primitive.body is not None else ()
        scope = self.trace.scopes.get(node, node.scope)
        return Equation(node.primitive, inputs, node.params, output, phase, scope, node.place, body)

    def _body(self, node: Tensor, inputs: tuple[Atom, ...], phase: str) -> tuple[Equation, ...]:
        """The equations of the body of a declared primitive, by running it on tensors; none where it cannot."""
        assert node.primitive is not None
        body = node.primitive.body
        trace = Trace()
        inner = Values(trace)
        inner.outside, inner.used, inner.names = self.outside, self.used, self.names
        stand_ins = []
        for operand, atom in zip(node.operands, inputs, strict=True):
            if isinstance(atom, Value):
                operand = Tensor(operand)
                inner._values[operand] = atom
            stand_ins.append(operand)
        try:
            with recording_in(trace, body, Rank.BODY), entering(phase=phase, scope=node.scope, recording=False):
                with np.errstate(all="ignore"):
                    result = body(*stand_ins, **node.params)
            if type(result) is not Tensor or result not in trace.sources or trace.checks or trace.holds:
                return ()
            if not np.allclose(result._value, node._value, equal_nan=node.dtype.kind == "f"):
                return ()
            for part in trace.nodes:
                part.place = node.place
            inner._values[result] = self._values[node]
            for part in trace.nodes:
                inner._values.setdefault(part, Value(part.shape, part.dtype))
            equations = [inner._equation(part, phase) for part in trace.nodes]
        except Exception:  # whatever a body says to tensors: it is then called as it is
            return ()
        for part in trace.nodes:
            inner._name(part)
        last = next(i for i, equation in enumerate(equations) if equation.output is self._values[node])
        return tuple(equations[: last + 1])

    def _name(self, tensor: Tensor) -> None:
        value = self._values[tensor]
        primal = self.trace.primal_of.get(tensor)
        candidates = [self.names[value]] if value in self.names else []
        if tensor.name:
            candidates.append(Name(Rank.GIVEN, tensor.name))
        if primal is not None:
            known = primal.name or self.around.get(primal)
            if not known and primal in self.trace.locals and primal.primitive is not None:
                known = self.trace.locals[primal].text
            if known:
                candidates.append(Name(Rank.GRADIENT, f"d{known}"))
        if tensor in self.around:
            candidates.append(Name(Rank.GIVEN, self.around[tensor]))
        if tensor in self.trace.locals and tensor.primitive is not None:
            candidates.append(self.trace.locals[tensor])
        if candidates:
            self.names[value] = min(candidates, key=lambda name: name.rank)
