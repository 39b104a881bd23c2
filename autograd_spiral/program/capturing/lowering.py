"""From the tensors of a trace to the values, constants and equations of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import in_engine
from autograd_spiral.engine.messages import called
from autograd_spiral.engine.modes import entering
from autograd_spiral.engine.table import Primitive
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.capturing.guards import arrays_named_by
from autograd_spiral.program.capturing.trace import StepTrace, recording_in, root
from autograd_spiral.program.ir import Atom, Check, Equation, Name, Rank, Value

__all__ = ["Values"]


class Values:
    """From the tensors of a trace to the values and constants of a program."""

    def __init__(
        self, trace: StepTrace, outside: Sequence[NDArray[Any]] = (), around: Mapping[Tensor, str] | None = None
    ) -> None:
        self.trace = trace
        self.around = around or {}  # what leaves are called in the surroundings of the step
        self.state: dict[Tensor, Value] = {}
        self.outside: dict[int, tuple[Value, NDArray[Any]]] = {id(a): (Value(a.shape, a.dtype), a) for a in outside}
        self.used: dict[int, None] = {}  # ids of the outside arrays that are read
        self.derived = False  # whether the step computes with arrays that it made by plain NumPy
        self.names: dict[Value, Name] = {}
        self.expanded: set[Primitive] = set()  # declared primitives of which the program has equations
        self.suspects: set[int] = set()  # ids of the arrays of which bodies and rules may have made others
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
        for tensor in self.trace.nodes:
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

    def atom(self, arg: Any, place: str | None = None) -> Atom:
        """What an argument of an operation is in the program; `place` is the line of the operation, for errors."""
        if type(arg) is not Tensor:
            return self._array(arg, self.trace.originals.get(id(arg))) if isinstance(arg, np.ndarray) else arg
        arg = root(self.trace, arg)
        if arg in self._values:
            return self._values[arg]
        if arg.serial < self.trace.began:
            if not arg.is_leaf:
                return self._history(arg)
            self.state[arg] = self._values[arg] = Value(arg.shape, arg.dtype)
            self._name(arg)
            return self._values[arg]
        if arg.primitive is not None:
            raise CaptureError(
                (f"{place}\n" if place else "")
                + f"what {arg.primitive.name} gave, of shape {arg.shape}, was computed while the step was captured, "
                "but in another thread or in a context of its own, where it escapes the recording: compute it in the "
                "thread that calls the step"
            )
        return self._array(arg._value, self.trace.originals.get(id(arg._value)))

    def _array(self, array: NDArray[Any], original: NDArray[Any] | None) -> Atom:
        if original is None or id(original) not in self.outside:
            self.derived = True
            return array
        self.used[id(original)] = None
        return self.outside[id(original)][0]

    def _history(self, tensor: Tensor) -> Atom:
        if tensor.requires_grad:
            raise CaptureError(
                f"{called(tensor)}, of shape {tensor.shape}, was computed before the step began, and gradients flow "
                "through it: compute it inside the step, or detach() it"
            )
        value: NDArray[Any] = tensor._value
        return value

    def _equation(self, node: Tensor, phase: str) -> Equation:
        assert node.primitive is not None
        output, derived = self._values[node], self.derived
        inputs = tuple(self.atom(arg, node.place) for arg in self.trace.sources[node])
        if phase == "backward":
            rule_of = self.trace.rules_of.get(node)
            if self.derived and _declared_by_user(rule_of):
                self._suspect(*rule_of.vjps)
            self.derived = derived  # what the engine's rules make, of shapes
        if any(map(_holds_arrays, node.params.values())):
            self.derived = True  # copied, and not read anew
        body = self._body(node, inputs, phase) if node.primitive.body is not None else ()
        scope = self.trace.scopes.get(node, node.scope)
        return Equation(node.primitive, inputs, node.params, output, phase, scope, node.place, body)

    def _suspect(self, *functions: Any) -> None:
        self.suspects.update(id(array) for function in functions for array in arrays_named_by(function))

    def _body(self, node: Tensor, inputs: tuple[Atom, ...], phase: str) -> tuple[Equation, ...]:
        """The equations of the body of a declared primitive, by running it on tensors; none where it cannot."""
        assert node.primitive is not None
        body = node.primitive.body
        assert body is not None
        trace = StepTrace()
        inner = Values(trace)
        inner.outside, inner.used, inner.names = self.outside, self.used, self.names
        if _declared_by_user(node.primitive):
            for array in arrays_named_by(body):
                self.outside.setdefault(id(array), (Value(array.shape, array.dtype), array))
        stand_ins = []
        for operand, atom in zip(node.operands, inputs, strict=True):
            if isinstance(atom, Value):
                operand = Tensor(operand)
                inner._values[operand] = atom
            stand_ins.append(operand)
        try:
            inside = entering(phase=phase, scope=node.scope, recording=False)
            with recording_in(trace, body, Rank.BODY), inside, np.errstate(all="ignore"):
                result = body(*stand_ins, **node.params)
            if trace.elsewhere or type(result) is not Tensor or result not in trace.sources:
                return ()
            if trace.checks or trace.holds:
                return ()
            if (result.shape, result.dtype) != (node.shape, node.dtype):
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
        self.expanded |= {node.primitive, *inner.expanded}
        self.suspects |= inner.suspects
        if inner.derived and _declared_by_user(node.primitive):
            self._suspect(body)
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


def _declared_by_user(primitive: Primitive | None) -> TypeGuard[Primitive]:
    code = getattr(primitive and primitive.body, "__code__", None)
    return code is not None and not in_engine(code.co_filename)


def _holds_arrays(parameter: Any) -> bool:
    if isinstance(parameter, dict):
        return any(map(_holds_arrays, parameter.values()))
    if isinstance(parameter, list | tuple | set):
        return any(map(_holds_arrays, parameter))
    return isinstance(parameter, np.ndarray)
