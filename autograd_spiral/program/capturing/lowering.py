"""Lowering: makes a program of a trace.

It decides which arrays of the trace a program reads at each call, chooses names, and records the bodies of declared
primitives.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.modes import entering
from autograd_spiral.engine.pytree import flatten
from autograd_spiral.engine.tensor import Tensor, as_leaf
from autograd_spiral.program.capturing.search import Search
from autograd_spiral.program.capturing.trace import StepTrace, declared_by_user, recording_in
from autograd_spiral.program.ir import Check, Equation, Name, Rank, Value
from autograd_spiral.program.printing.saved import CapturedProgram

__all__ = ["Lowered", "expand", "lower", "memory_of"]


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


def lower(
    trace: StepTrace, name: str, memories: Set[Any] = frozenset(), names: Mapping[Tensor, str] | None = None
) -> Lowered:
    """Return the program of a run, called `name`, which reads the arrays in these parts of memory at each call.

    `names` are those of tensors in outside variables. Without them, the program is only for comparison with another.
    """
    outside = _Outside(trace, memories)
    equations = outside.equations(trace.equations)
    outputs = tuple(map(outside.atom, trace.outputs))
    new = {leaf: outside.atom(value) for leaf, value in trace.updates.items()}
    checks = [Check(function, outside.atom(atom), details) for function, atom, details in trace.checks]
    # for `loss, *state = step(X, y, *state)`: first what the step updates, in one order, then what it only reads
    state = dict(sorted(trace.state.items(), key=lambda item: item[0] not in new))
    outside.derived |= outside.has_derived((*outputs, *new.values(), *(check.value for check in checks)))
    program = CapturedProgram(
        name,
        tuple(trace.inputs),
        tuple(state.values()),
        equations,
        outputs,
        tuple((value, new[leaf]) for leaf, value in state.items() if leaf in new),
        tuple(outside.read),
        tuple(check for check in checks if isinstance(check.value, Value)),  # not those of constants
        names=_names(trace, names or {}),
        found={value: np.array(array) for value, array in outside.read.items() if names is not None},
        primals=_primals(trace),
        trained=frozenset(value for leaf, value in state.items() if leaf.requires_grad),
        references=tuple(weakref.ref(leaf) for leaf in state),
    )
    read = tuple(outside.read.values())
    return Lowered(program, tuple(state), read, outside.derived, outside.derived_from, trace.treedef, trace.leaves)


class _Outside:
    """Decides which arrays are constants, and which are read at each call: those in the given parts of memory."""

    def __init__(self, trace: StepTrace, memories: Set[Any]) -> None:
        self._trace, self._memories = trace, memories
        self._values: dict[Any, Value] = {}  # by part of memory
        self.read: dict[Value, NDArray[Any]] = {}  # the outside arrays that the program reads
        self.derived = False  # for these two, see `Lowered`
        self.derived_from: set[int] = set()

    def atom(self, atom: Any) -> Any:
        """Return the value for an array that is read at each call, and anything else unchanged."""
        if not isinstance(atom, np.ndarray):
            return atom
        _, original = self._trace.frozen.get(id(atom), (atom, atom))
        memory = memory_of(original)
        if memory not in self._memories:
            return atom
        if memory not in self._values:
            self._values[memory] = value = Value(original.shape, original.dtype)
            self.read[value] = original
        return self._values[memory]

    def equations(self, equations: Sequence[Equation], of: Any = None) -> tuple[Equation, ...]:
        """Return equations with a `Value` in place of each outside array that the program reads at each call.

        `of` is the declared primitive whose body they are, if there is one.
        """
        return tuple([self._equation(equation, of) for equation in equations])

    def _equation(self, equation: Equation, of: Any) -> Equation:
        inputs = tuple(map(self.atom, equation.inputs))
        parameters = flatten(equation.params)[0] if equation.params else []  # arrays in them are not read again
        if self.has_derived((*inputs, *parameters)):
            self._note_origin(equation, of)
        body = self.equations(equation.body, equation.primitive)
        scope, _ = self._trace.rule_of.get(equation.output, (equation.scope, None))
        how = equation.phase, scope, equation.place, body
        return Equation(equation.primitive, inputs, equation.params, equation.output, *how)

    def has_derived(self, atoms: Iterable[Any]) -> bool:
        """Return whether there are constant arrays among these, except values of tensors from before the step."""
        return any(isinstance(atom, np.ndarray) and id(atom) not in self._trace.settled for atom in atoms)

    def _note_origin(self, equation: Equation, of: Any) -> None:
        """Note where a constant array of an equation may have been derived in plain NumPy.

        This is the step itself, or the body or a rule of a user's primitive. The package's own bodies and rules derive
        arrays from nothing but shapes.
        """
        functions: Sequence[Any] = ()
        _, rule_of = self._trace.rule_of.get(equation.output, ((), None))
        if of is not None:
            functions = [of.body] if declared_by_user(of) else []
        elif equation.phase == "backward":
            functions = rule_of.vjps if declared_by_user(rule_of) else []
        else:
            self.derived = True
        self.derived_from.update(id(array) for function in functions for _, array in Search((function,)).arrays())


# --- names -----------------------------------------------------------------------------------------------------------


def _primals(trace: StepTrace) -> dict[Value, Value]:
    """Return the values that gradients are taken with respect to, keyed by gradient."""
    found = ((trace.known.get(gradient), trace.known.get(of)) for gradient, of in trace.primal_of.items())
    return {gradient: of for gradient, of in found if isinstance(gradient, Value) and isinstance(of, Value)}


def _names(trace: StepTrace, outside: Mapping[Tensor, str]) -> dict[Value, Name]:
    """Return a name for each value: one that the user gave, or else that of a gradient, or of a local variable."""
    for tensor, name in outside.items():
        if isinstance(value := trace.known.get(tensor.serial), Value):
            trace.name(value, Rank.GIVEN, name)
    known = {value: name.text for value, name in trace.names.items() if name.rank != Rank.BODY}
    for gradient, primal in _primals(trace).items():
        if primal in known:
            trace.name(gradient, Rank.GRADIENT, f"d{known[primal]}")
    return trace.names


# --- bodies of declared primitives -----------------------------------------------------------------------------------


def expand(trace: StepTrace) -> None:
    """Record the bodies of declared primitives. This comes after the run, when its other values have been freed."""
    for i, operands, value in trace.unexpanded:
        trace.equations[i] = replace(trace.equations[i], body=_body(trace, trace.equations[i], operands, value))
    trace.unexpanded = []


def _body(outer: StepTrace, of: Equation, operands: Sequence[Any], value: NDArray[Any]) -> tuple[Equation, ...]:
    """Return the equations of the body of the primitive in `of`, run on tensors; none if it cannot run on them."""
    body = of.primitive.body
    assert body is not None
    trace = StepTrace()
    trace.frozen, trace.settled, trace.names = outer.frozen, outer.settled, outer.names
    stand_ins = []
    for operand, atom in zip(operands, of.inputs, strict=True):
        if isinstance(atom, Value):
            operand = as_leaf(operand)  # frozen when it was recorded
            trace.known[operand.serial] = atom
        stand_ins.append(operand)
    inside = entering(phase=of.phase, scope=of.scope, recording=False)
    try:
        with recording_in(trace, body, Rank.BODY), inside, np.errstate(all="ignore"):
            result = body(*stand_ins, **of.params)
        trace.end([result])
        same_kind = (result.shape, result.dtype) == (of.output.shape, of.output.dtype)
        if trace.checks or trace.updates or not same_kind or not _agree(result._value, value):
            return ()
        outputs = [equation.output for equation in trace.equations]
        last = outputs.index(trace.outputs[0])  # type: ignore[arg-type]
        trace.name(of.output, *trace.names.pop(outputs[last], (Rank.BODY, None)))
        equations = [replace(part, phase=of.phase, place=of.place) for part in trace.equations[: last + 1]]
        trace.equations = [*equations[:-1], replace(equations[-1], output=of.output)]
        expand(trace)
    except Exception:  # a body may raise anything when it gets tensors: then it stays one opaque call
        return ()
    return tuple(trace.equations)


def _agree(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Return whether two arrays of the same dtype are equal up to rounding."""
    if np.array_equal(a, b):  # this needs far less memory than the comparison below
        return True
    if a.dtype.kind != "f":
        return False
    tolerance = max(1e-5, 16 * float(np.finfo(a.dtype).eps))
    return np.allclose(a, b, tolerance, tolerance, equal_nan=True)
