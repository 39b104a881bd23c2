"""Lowering: turns the tensors of a trace into the values, constants and equations of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import in_package
from autograd_spiral.engine.messages import called
from autograd_spiral.engine.modes import entering
from autograd_spiral.engine.table import Primitive
from autograd_spiral.engine.tensor import Tensor, as_leaf
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.capturing.search import Search
from autograd_spiral.program.capturing.trace import StepTrace, recording_in, root
from autograd_spiral.program.ir import Atom, Check, Equation, Name, Rank, Value
from autograd_spiral.program.printing.saved import CapturedProgram

__all__ = ["Lowered", "Lowering", "declared_by_user", "memory_of"]


class Lowered(NamedTuple):
    """What one run of a step computed: a program, what the program reads and writes, and the form of its results."""

    program: CapturedProgram
    state: tuple[Tensor, ...]  # leaves that get new values come first
    outside: tuple[NDArray[Any], ...]
    derived: bool  # whether the step uses arrays that plain NumPy derived
    derived_from: set[int]  # ids of arrays that its declared operations may derive others from
    treedef: Any
    leaves: tuple[Any, ...]  # of the result: `LEAF` for each tensor, and constants


def memory_of(array: NDArray[Any]) -> Any:
    """Return a key that is equal for two arrays if they are the same part of memory, read in the same way."""
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype


class Lowering:
    """Maps the tensors of one trace to values and constants of a program."""

    def __init__(
        self,
        trace: StepTrace,
        outside: Sequence[NDArray[Any]] = (),
        outside_names: Mapping[Tensor, str] | None = None,
        *,
        expanding: bool = True,
    ) -> None:
        self.trace = trace
        self.outside_names = outside_names or {}  # the names of leaves in outside variables
        self.expanding = expanding  # all declared bodies, or only those that can read something
        self.state: dict[Tensor, Value] = {}
        self.outside: dict[int, tuple[Value, NDArray[Any]]] = {id(a): (Value(a.shape, a.dtype), a) for a in outside}
        self.read: dict[Value, NDArray[Any]] = {}  # the outside arrays that the program reads
        self.derived = False  # whether the step uses arrays that plain NumPy derived
        self.derived_from: set[int] = set()  # ids of arrays that bodies and rules may derive others from
        self.names: dict[Value, Name] = {}
        self._values: dict[Tensor, Value] = {}

    def add_input(self, tensor: Tensor, name: str) -> Value:
        """Make `tensor` an input of the program, called `name`, and return its `Value`."""
        self._values[tensor] = value = Value(tensor.shape, tensor.dtype)
        self.names[value] = Name(Rank.GIVEN, name)
        return value

    def equations(self) -> list[Equation]:
        """Return the equations of everything that was recorded."""
        for node in self.trace.nodes:
            self._values.setdefault(node, Value(node.shape, node.dtype))
        made = [self._equation(node, phase) for node, phase in zip(self.trace.nodes, self.trace.phases, strict=True)]
        for tensor in self.trace.nodes if self.trace.annotating else ():
            self._name(tensor)
        return made

    def atom(self, arg: Any, place: str | None = None) -> Atom:
        """Return the value or constant for an argument of an operation. Errors name `place`, the operation's line."""
        if type(arg) is not Tensor:
            return self._array(arg, self.trace.originals.get(id(arg))) if isinstance(arg, np.ndarray) else arg
        arg = root(self.trace, arg)
        if arg in self._values:
            return self._values[arg]
        if arg.serial < self.trace.began:
            if arg.is_leaf:
                return self.state_of(arg)
            if arg.requires_grad:
                raise CaptureError(
                    f"{called(arg)}, of shape {arg.shape}, was computed before the step began, and gradients flow "
                    "through it: compute it inside the step, or detach() it"
                )
            return cast(Atom, arg._value)
        if arg.primitive is not None:
            raise CaptureError(
                (f"{place}\n" if place else "")
                + f"the result of {arg.primitive.name}, of shape {arg.shape}, was computed in another thread or "
                "context while the step was captured, so it was not recorded: compute it in the thread that calls "
                "the step"
            )
        return self._array(arg._value, self.trace.originals.get(id(arg._value)))

    def state_of(self, leaf: Tensor) -> Value:
        """Return the value of a leaf from before the step."""
        if leaf not in self.state:
            self.state[leaf] = self._values[leaf] = Value(leaf.shape, leaf.dtype)
            self._name(leaf)
        return self.state[leaf]

    def checks(self) -> tuple[Check, ...]:
        """Return the checks, except those on constants."""
        found = []
        for function, values, details in self.trace.checks:
            atom = self.atom(values) if type(values) is Tensor else self._array(values, values)
            if isinstance(atom, Value):
                found.append(Check(function, atom, details))
        return tuple(found)

    def primals(self) -> dict[Value, Value]:
        """Return the values that gradients are taken with respect to, keyed by gradient."""
        known = self._values
        return {known[ct]: known[of] for ct, of in self.trace.primal_of.items() if ct in known and of in known}

    def _array(self, array: NDArray[Any], original: NDArray[Any] | None) -> Atom:
        known = self.outside.get(id(original))
        if known is None:
            self.derived = True
            return array
        value, self.read[value] = known
        return value

    def _equation(self, node: Tensor, phase: str) -> Equation:
        assert node.primitive is not None
        output, derived = self._values[node], self.derived
        inputs = tuple(self.atom(arg, node.place) for arg in self.trace.sources[node])
        if phase == "backward":
            rule_of = self.trace.rules_of.get(node)
            if self.derived and declared_by_user(rule_of):
                self._may_derive_from(*rule_of.vjps)
            self.derived = derived  # since the engine's own rules derive arrays only from shapes
        if any(map(_holds_arrays, node.params.values())):
            self.derived = True  # parameters are copied, and not read again
        expanding = node.primitive.body is not None and (self.expanding or declared_by_user(node.primitive))
        body = self._body(node, inputs, phase) if expanding else ()
        scope = self.trace.scopes.get(node, node.scope)
        return Equation(node.primitive, inputs, node.params, output, phase, scope, node.place, body)

    def _may_derive_from(self, *functions: Any) -> None:
        self.derived_from.update(id(array) for function in functions for _, array in Search((function,)).arrays())

    def _body(self, node: Tensor, inputs: tuple[Atom, ...], phase: str) -> tuple[Equation, ...]:
        """Return the equations of a declared primitive's body, run on tensors; none if it cannot run on them."""
        assert node.primitive is not None
        body = node.primitive.body
        assert body is not None
        trace = StepTrace()
        inner = Lowering(trace)
        inner.outside, inner.read, inner.names = self.outside, self.read, self.names
        if declared_by_user(node.primitive):
            for _, array in Search((body,)).arrays():
                self.outside.setdefault(id(array), (Value(array.shape, array.dtype), array))
        stand_ins = []
        for operand, atom in zip(node.operands, inputs, strict=True):
            if isinstance(atom, Value):
                operand = as_leaf(operand)  # frozen when it was recorded
                inner._values[operand] = atom
            stand_ins.append(operand)
        try:
            inside = entering(phase=phase, scope=node.scope, recording=False)
            with recording_in(trace, body, Rank.BODY), inside, np.errstate(all="ignore"):
                result = body(*stand_ins, **node.params)
            if (
                trace.checks
                or trace.holds
                or type(result) is not Tensor
                or result not in trace.sources
                or (result.shape, result.dtype) != (node.shape, node.dtype)
                or not _agree(result._value, node._value)
            ):
                return ()
            inner._values[result] = self._values[node]
            for part in trace.nodes:
                part.place = node.place
            trace.phases = [phase] * len(trace.nodes)
            equations = inner.equations()
        except Exception:  # a body may raise anything when given tensors: it then stays one opaque call
            return ()
        self.derived_from |= inner.derived_from
        if inner.derived and declared_by_user(node.primitive):
            self._may_derive_from(body)
        last = next(i for i, equation in enumerate(equations) if equation.output is self._values[node])
        return tuple(equations[: last + 1])

    def _name(self, tensor: Tensor) -> None:
        value = self._values[tensor]
        primal = self.trace.primal_of.get(tensor)
        candidates = [self.names[value]] if value in self.names else []
        if tensor.name:
            candidates.append(Name(Rank.GIVEN, tensor.name))
        if primal is not None:
            known = primal.name or self.outside_names.get(primal)
            if not known and primal in self.trace.locals and primal.primitive is not None:
                known = self.trace.locals[primal].text
            if known:
                candidates.append(Name(Rank.GRADIENT, f"d{known}"))
        if tensor in self.outside_names:
            candidates.append(Name(Rank.GIVEN, self.outside_names[tensor]))
        if tensor in self.trace.locals and tensor.primitive is not None:
            candidates.append(self.trace.locals[tensor])
        if candidates:
            self.names[value] = min(candidates, key=lambda name: name.rank)


def declared_by_user(primitive: Primitive | None) -> TypeGuard[Primitive]:
    """Return whether a primitive was declared outside the package, so that its body and rules may read anything."""
    code = getattr(primitive and primitive.body, "__code__", None)
    return code is not None and not in_package(code.co_filename)


def _agree(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Return whether two arrays of the same dtype are equal up to rounding."""
    if np.array_equal(a, b):  # this needs far less memory than the comparison below
        return True
    if a.dtype.kind != "f":
        return False
    tolerance = max(1e-5, 16 * float(np.finfo(a.dtype).eps))
    return np.allclose(a, b, tolerance, tolerance, equal_nan=True)


def _holds_arrays(parameter: Any) -> bool:
    if isinstance(parameter, dict):
        return any(map(_holds_arrays, parameter.values()))
    if isinstance(parameter, list | tuple | set):
        return any(map(_holds_arrays, parameter))
    return isinstance(parameter, np.ndarray)
