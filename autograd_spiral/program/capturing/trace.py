"""A trace: what one run of a step did, as equations.

The step runs on real arrays, so every operation has its value. The trace keeps the operations in order, what each leaf
was assigned, and which arrays came from outside. It keeps no other tensors that the step computes, so that a captured
run needs no more memory than an ordinary one.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from types import FrameType
from typing import Any, NoReturn, TypeGuard

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import in_package, is_running, signal_handlers, users_line, users_operation
from autograd_spiral.engine import messages
from autograd_spiral.engine.modes import MODE, NO_TRACE, Observer, Trace, entering
from autograd_spiral.engine.pytree import LEAF
from autograd_spiral.engine.table import Primitive
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.ir import Atom, Equation, Name, Rank, Value

__all__ = ["ASSIGNED_INPUT", "StepTrace", "declared_by_user", "recording_in"]

ASSIGNED_INPUT = (
    "a captured step cannot assign() to an argument that requires no gradients, since it gets only its value: do not "
    "pass the tensor; use it in the step as an outside variable"
)
_ANY_VALUES = "That would read its value, but the program must be valid for any values: "
_INSTEAD_OF_MASKS = (
    "The shape of the result would depend on the mask's values: choose with np.where(mask, t, other), or index by "
    "integers"
)


class StepTrace(Trace, Observer):
    """The record of one run of a step. `modes.Trace` and `modes.Observer` say when its methods are called."""

    def __init__(self, arguments: Collection[Tensor] = (), *, annotating: bool = True, expanding: bool = True) -> None:
        self._arguments = {*arguments}  # these and the inputs: the step cannot assign to them
        self.kept: Mapping[int, str] = {}  # by serial number: results of an earlier run, and why not to read them
        self._within = sys._getframe(1).f_code  # the code of the function that makes this trace and runs the step
        self._handlers = signal_handlers()
        self.annotating = annotating  # whether to note lines, scopes and names, which takes most of the time
        self._expanding = expanding  # whether to record the bodies of all declared primitives, or of the user's only
        self.began = Tensor(0).serial  # tensors with lower serial numbers were made before the step
        self.inputs: list[Value] = []
        self.equations: list[Equation] = []  # the arrays in them are frozen copies
        self.state: dict[Tensor, Value] = {}  # the leaves from before the step that it reads
        self.known: dict[int, Value | Tensor] = {}  # by serial number: the value of a tensor, or the leaf it copies
        self.checks: list[tuple[Callable[..., None], Any, tuple[Any, ...]]] = []
        self.outputs: list[Atom] = []
        self.updates: dict[Tensor, Atom] = {}  # the new values of leaves from before the step
        self.leaves: tuple[Any, ...] = ()  # of the result: `LEAF` for each tensor, and constants
        self.treedef: Any = None
        self._held: dict[Tensor, list[tuple[int, Tensor]]] = {}  # what a leaf has held, since which serial number
        self.frozen: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}  # a copy and the original, by the copy's id
        self.settled: dict[int, NDArray[Any]] = {}  # by id: the values of tensors that were computed before the step
        self.names: dict[Value, Name] = {}
        self.primal_of: dict[int, int] = {}  # from a gradient to what it is taken with respect to, by serial number
        self.rule_of: dict[Value, tuple[tuple[str, ...], Any]] = {}  # for a result of a rule: its scope, its primitive
        self.swept_scope: tuple[str, ...] = ()  # the scope of the operation whose rule ran last
        self._unswept = 0  # equations from this index on do not belong to a rule yet
        self.unexpanded: list[tuple[int, tuple[Any, ...], NDArray[Any]]] = []  # equation, operands and value of calls
        self.entropy = False  # whether the system was asked for random numbers, as by a generator without a seed
        self.refusal: CaptureError | None = None  # raised again at the end, in case the step caught it

    # --- what recording reports ------------------------------------------------------------------------------------

    def recorded(self, node: Tensor) -> None:
        """Add the equation of a new operation, unless it was not recorded."""
        if node.primitive is None:
            return
        if self.annotating:
            node.place = users_line()
        self.add(node, [self._now(arg) for arg in node.args], MODE.get().phase)

    def add(self, node: Tensor, args: Collection[Any], phase: str) -> None:
        """Add the equation that computes `node` from these arguments."""
        assert node.primitive is not None
        inputs = tuple([self.atom(arg) for arg in args])
        self.known[node.serial] = output = Value(node.shape, node.dtype)
        if node.primitive.body is not None and (self._expanding or declared_by_user(node.primitive)):
            self.unexpanded.append((len(self.equations), node.operands, node._value))
        self.equations.append(Equation(node.primitive, inputs, node.params, output, phase, node.scope, node.place))
        if phase == "forward":
            self._unswept = len(self.equations)  # what follows may belong to a rule

    def swept(self, node: Tensor, argument: int, ct: Tensor, piece: Any) -> None:
        """Note that `ct` is the gradient with respect to `node`, and which equations the rule of `node` has added."""
        if not self.annotating:
            return
        self.primal_of.setdefault(ct.serial, node.serial)
        fresh = {equation.output: equation for equation in self.equations[self._unswept :]}
        self.rule_of.update(dict.fromkeys(fresh, (self.swept_scope, None)))  # sums that the sweep added up
        stack: list[Any] = [self.known.get(piece.serial)] if type(piece) is Tensor else []
        while stack:  # from the piece back to all that this rule recorded
            if (equation := fresh.pop(stack.pop(), None)) is not None:
                self.rule_of[equation.output] = node.scope, node.primitive
                stack += equation.reads()
        self._unswept, self.swept_scope = len(self.equations), node.scope

    def value_of(self, tensor: Tensor) -> NDArray[Any]:
        """Return the array that `tensor` holds now."""
        value: NDArray[Any] = self._now(tensor)._value
        return value

    def operands_of(self, node: Tensor, *, create_graph: bool) -> tuple[Any, ...]:
        """Return the arguments of `node`, with the values that they had when it was computed."""
        if node.serial not in self.known:
            return node.args  # computed before the step
        operands = []
        for arg in node.args:
            if isinstance(arg, np.ndarray):
                operands.append(Tensor(arg))  # so that what rules compute with it is recorded
            elif type(arg) is Tensor and self._now(arg) is not (then := self._then(arg, node.serial)):
                if create_graph:
                    raise messages.stale(arg, node)
                operands.append(then)
            else:
                operands.append(arg)
        return tuple(operands)

    def assigned(self, leaf: Tensor, value: Tensor) -> None:
        """Note that, from now on, `leaf` holds the value of `value`."""
        if self.is_interrupted():
            NO_TRACE.assigned(leaf, value)
            return
        if leaf in self._arguments:
            self.refuse(ASSIGNED_INPUT)
        new = self._now(value)
        if new.is_leaf:  # which may be assigned later, too
            new = new.detach()
        self._held.setdefault(leaf, [(0, leaf.detach())]).append((Tensor(0).serial, new))

    def aliased(self, leaf: Tensor, tensor: Tensor) -> None:
        """Note that `leaf` holds the value of `tensor`, without its history."""
        source = self._now(tensor)
        # Anything else was computed before the step, and is a constant.
        if source.is_leaf or source.serial in self.known:
            self.known[leaf.serial] = self.known.get(source.serial, source)

    def froze(self, original: NDArray[Any], copy: NDArray[Any]) -> None:
        """Note that the array `original` was copied to `copy`."""
        _, first = self.frozen.get(id(original), (None, original))  # for a copy of a copy, the first original
        self.frozen[id(copy)] = copy, first

    def verify(self, check: Callable[..., None], values: Any, *details: Any) -> None:
        """Run a check, and keep it for each replay."""
        now = self._now(values)
        super().verify(check, now, *details)
        self.checks.append((check, self.atom(now), details))

    def named(self, tensor: Tensor, of: Tensor) -> None:
        """Note that `tensor` is the gradient with respect to the leaf `of`."""
        self.primal_of[tensor.serial] = of.serial

    def permit(self, act: str, remedy: str, converted: Any = None) -> None:
        """Raise `CaptureError`, since a captured step cannot do `act`; only signal handlers may."""
        if self.is_interrupted():
            return
        if remedy is messages.INSTEAD_OF_READING:
            known = _instead_of(users_operation())
            if converted is not None and known is None and messages.converting()[0]:
                self.refuse(str(messages.plain_array(converted, captured=True)))
            act, remedy = known or (act, remedy)
        self.refuse(f"{act} is not possible while a step is being captured. {remedy}.")

    def permit_index(self, index: Any) -> None:
        """Refuse boolean masks: the shape of the result would depend on their values."""
        for item in index if isinstance(index, tuple) else (index,):
            entries = isinstance(item, list) and item and all(isinstance(entry, bool) for entry in item)
            if entries or getattr(item, "dtype", None) == np.dtype(bool):
                self.permit("indexing by a boolean mask", _INSTEAD_OF_MASKS)

    def refuse(self, reason: str) -> NoReturn:
        """Raise `CaptureError` with the user's line and a reason; it ends the capture even if the step catches it."""
        self.refusal = CaptureError(f"{users_line()}\n{reason}")
        raise self.refusal

    def is_interrupted(self) -> bool:
        """Return whether a signal handler, which is not part of the step, is running in the middle of the step."""
        return is_running(self._handlers, self._within)

    # --- what tensors become in the program ---------------------------------------------------------------------------

    def add_input(self, tensor: Tensor, name: str) -> None:
        """Make `tensor` an input of the program, called `name`."""
        self.known[tensor.serial] = value = Value(tensor.shape, tensor.dtype)
        self.inputs.append(value)
        self._arguments.add(tensor)
        self.name(value, Rank.GIVEN, name)

    def atom(self, arg: Any) -> Atom:
        """Return what an argument of an operation is in the program: a value, or else a constant."""
        if type(arg) is not Tensor:
            return arg  # type: ignore[no-any-return]
        known = self.known.get(arg.serial, arg)
        if isinstance(known, Value):
            if arg.name and arg.primitive is not None:
                self.name(known, Rank.GIVEN, arg.name)
            return known
        if known.serial < self.began and known.is_leaf:
            return self.state_of(known)
        if known.serial < self.began and known.requires_grad:
            self.refuse(
                f"{messages.called(known)}, of shape {known.shape}, was computed before the step began, or by an "
                "earlier run of the step, and gradients flow through it: compute it inside the step, or detach() it; "
                "what the step keeps for its next call belongs in a Tensor that it assigns"
            )
        if known.serial > self.began and known.primitive is not None:
            self.refuse(
                f"the result of {known.primitive.name}, of shape {known.shape}, was computed in another thread or "
                "context while the step was captured, so it was not recorded: compute it in the thread that calls the "
                "step"
            )
        if known.serial < self.began:
            self.settled[id(known._value)] = known._value
        return known._value

    def computed(self, value: Any) -> bool:
        """Return whether this is a tensor that the run computed, or copied from an input or a leaf."""
        known = self.known.get(value.serial) if type(value) is Tensor and value.serial > self.began else None
        return isinstance(known, Value) or (known is not None and known.serial < self.began)

    def state_of(self, leaf: Tensor) -> Value:
        """Return the value of a leaf from before the step."""
        if leaf not in self.state:
            self.state[leaf] = self.known[leaf.serial] = value = Value(leaf.shape, leaf.dtype)
            self.name(value, Rank.GIVEN, leaf.name)
        return self.state[leaf]

    def _now(self, arg: Any) -> Any:
        if type(arg) is Tensor and arg.serial in self.kept:
            self.refuse(self.kept[arg.serial])
        return self._held[arg][-1][1] if type(arg) is Tensor and arg in self._held else arg

    def _then(self, arg: Tensor, serial: int) -> Tensor:
        """Return the tensor whose value the leaf `arg` held when the tensor with this serial number was created."""
        return next((held for since, held in reversed(self._held.get(arg, ())) if since < serial), arg)

    def end(self, leaves: Collection[Any], treedef: Any = None) -> None:
        """Note the results, and what assigned leaves hold at the end; then let go of all tensors that were computed."""
        self.outputs = [self.atom(self._now(leaf)) for leaf in leaves if type(leaf) is Tensor]
        self.updates = {leaf: self.atom(self._now(leaf)) for leaf in self._held if leaf.serial < self.began}
        for leaf in self.updates:
            self.state_of(leaf)
        self.leaves, self.treedef = tuple(LEAF if type(leaf) is Tensor else leaf for leaf in leaves), treedef
        self._held = {}

    # --- names -----------------------------------------------------------------------------------------------------

    def name(self, value: Value, rank: int, text: str | None) -> None:
        """Give `value` a name, unless the name is empty or the value already has one that is at least as good."""
        if text and (value not in self.names or rank < self.names[value].rank):
            self.names[value] = Name(rank, text)

    def returned(self, frame: FrameType, rank: int) -> None:
        """Note the names of the local variables, except arguments, that hold tensors when a function returns."""
        code = frame.f_code
        for name, tensor in frame.f_locals.items():
            if type(tensor) is Tensor and name not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
                value = self.known.get(tensor.serial)
                if type(value) is Value and not tensor.is_leaf and not name.startswith("_"):
                    self.name(value, rank, name)
                    self.name(value, Rank.GIVEN, tensor.name)


def declared_by_user(primitive: Primitive | None) -> TypeGuard[Primitive]:
    """Return whether a primitive was declared outside the package, so that its body and rules may read anything."""
    code = getattr(primitive and primitive.body, "__code__", None)
    return code is not None and not in_package(code.co_filename)


@contextlib.contextmanager
def recording_in(trace: StepTrace, step: Callable[..., Any] | None = None, rank: int = Rank.STEP) -> Iterator[None]:
    """Record the block in `trace`, with the names that tensors have in `step` and in the functions that it calls.

    A profiler that is already running keeps running, and then these names are not found.
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
        try:  # before the profiler is set, in case of an interrupt just after that
            if naming:
                sys.setprofile(profile)
            yield
        finally:
            if naming:
                sys.setprofile(None)


def _instead_of(operation: str) -> tuple[str, str] | None:
    """Return how to call an operation that reads a tensor's value, and what to write instead; None if that is unknown.

    The operation is "[]", "[]=" for an assignment to an index, ".data", or a function as the user writes it.

    >>> _instead_of("math.exp")[1].rpartition(": ")[2], _instead_of("float")
    ('write np.exp(…)', None)
    """
    if operation == "[]" or operation.rpartition(".")[2] == "take":
        return (
            "indexing a plain array or a list by a tensor",
            f"{_ANY_VALUES}index a tensor, as in Tensor(X)[i] or np.stack(tensors)[i], or index outside the step and "
            "pass X[i]",
        )
    if operation == "[]=":
        return (
            "array[index] = value with a tensor",
            "A program cannot write into arrays: to keep something for later calls, make a Tensor before the first "
            "call, and write array.assign(…) in place of array[index] = …; to make an array of several tensors, write "
            "np.stack([t, …])",
        )
    if operation == ".data":
        return "reading .data", messages.INSTEAD_OF_DATA
    if operation.rpartition(".")[2] in ("array", "asarray"):
        remedy = "leave it out and compute with the tensor, or write np.stack([t, …]) for several tensors"
        return f"{operation}(…) of a tensor", f"{_ANY_VALUES}{remedy}"
    if operation in ("int", "range"):
        remedy = "to index, leave out int() and index a tensor, as in Tensor(X)[i]; pass a length or a count as an int"
        return f"{operation}(…) of a tensor", f"{_ANY_VALUES}{remedy}"
    if operation in ("min", "max"):
        return f"{operation}(…) of a tensor", f"{_ANY_VALUES}write np.{operation}imum(x, y)"
    if known := messages.numpys_function(operation):
        return f"{operation}(…) of a tensor", f"{_ANY_VALUES}write {known}(…)"
    return None
