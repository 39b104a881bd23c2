"""Verification: compares what a step computes in one run with what it computed in another.

The programs of the two runs are compared one operation after the other. Their inputs, states and outside arrays may
have other values; constants must be equal, and operations, shapes and results the same.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from autograd_spiral.engine.messages import called
from autograd_spiral.engine.pytree import LEAF
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.cache_key import constant_key
from autograd_spiral.program.capturing.lowering import Lowered, memory_of
from autograd_spiral.program.capturing.reads import free_variable
from autograd_spiral.program.capturing.trace import declared_by_user
from autograd_spiral.program.ir import Equation, Value

__all__ = ["Difference", "difference", "same", "shown"]


class Difference(NamedTuple):
    """What differs between two runs: the line, the thing that differs, and what it was in each run."""

    place: str | None
    what: str
    one: str
    other: str

    def describe(self, then: str, now: str) -> str:
        """Return a message with the line and the difference; it calls the two runs `then` and `now`."""
        place = f"{self.place}\n" if self.place else ""
        return f"{place}{self.what} was {self.one} {then}, and {self.other} {now}"


def difference(one: Lowered, other: Lowered) -> Difference | None:
    """Return the first difference between two runs of a step, or None."""
    for a, b in zip(_acts(one), _acts(other), strict=False):  # both end with the result, which equals nothing else
        if a.kind != b.kind or not same(a.how, b.how) or len(a.terms) != len(b.terms):
            return Difference(b.place or a.place, "what the step does here", *_described(a, b))
        for (origin, x, name), (other_origin, y, other_name) in zip(a.terms, b.terms, strict=True):
            if (origin is None or origin != other_origin) and not same(x, y):
                kind = "an argument" if isinstance(x, Value) or isinstance(y, Value) else "a constant"
                return Difference(b.place, f"{kind} of {b.name}", name or shown(x), other_name or shown(y))
    return None


_Term: TypeAlias = tuple[Any, Any, str]
"""An argument of something that a run did: its origin, its constant, and its name.

Values of the same origin in two runs correspond to each other; a constant has the origin None. The constant is what an
outside array or a constant holds; for other values, it is the value itself. The name is empty if messages show the
constant.
"""


class _Act(NamedTuple):
    """Something that a run did: its `terms` may have other values in another run, but `kind` and `how` must agree."""

    place: str | None
    name: str
    kind: Any
    how: Mapping[str, Any]
    terms: tuple[_Term, ...]


def _acts(lowered: Lowered) -> Iterator[_Act]:
    """Yield what a run did: operations, checks, new values of leaves, and the result."""
    program, states = lowered.program, dict(zip(lowered.program.state, lowered.state, strict=True))
    known: dict[Value, _Term] = {value: (("input", i), value, "computed") for i, value in enumerate(program.inputs)}
    known |= {value: (id(leaf), value, called(leaf)) for value, leaf in states.items()}
    known |= {
        value: (memory_of(array), array, "") for value, array in zip(program.outside, lowered.outside, strict=True)
    }

    def terms(*atoms: Any) -> tuple[_Term, ...]:
        return tuple([known[atom] if isinstance(atom, Value) else (None, atom, "") for atom in atoms])

    for i, equation in enumerate(_with_bodies(program.equations)):
        primitive, output = equation.primitive, equation.output
        kind: Any = primitive, output.shape, output.dtype
        yield _Act(equation.place, primitive.name, kind, equation.params, terms(*equation.inputs))
        known[output] = i, output, "computed"
    for function, value, details in program.checks:
        yield _Act(None, "a check of values", function, {"details": details}, terms(value))
    for state, new in program.updates:
        yield _Act(None, f"an assign() to {known[state][2]}", id(states[state]), {}, terms(new))
    constants = [leaf for leaf in lowered.leaves if leaf is not LEAF]
    kind = lowered.treedef, [leaf is LEAF for leaf in lowered.leaves]
    yield _Act(
        None, "returning the result", kind, {"constants": constants} if constants else {}, terms(*program.outputs)
    )


def shown(constant: Any) -> str:
    """Return a constant as messages show it; an array is abbreviated."""
    if not isinstance(constant, np.ndarray):
        return repr(constant)
    with np.printoptions(threshold=6, edgeitems=2, precision=6):
        return " ".join(str(constant).split())


def _with_bodies(equations: Sequence[Equation]) -> Iterator[Equation]:
    for equation in equations:
        if declared_by_user(equation.primitive):  # the others read nothing
            yield from _with_bodies(equation.body)
        yield equation


def _described(*acts: _Act) -> Iterator[str]:
    """Yield a text for each of the acts that differ, with details if they have the same name."""
    for act in acts:
        details = ", ".join(f"{name}={value}" for name, value in act.how.items())
        yield f"{act.name} ({details})" if details and len({other.name for other in acts}) == 1 else act.name


def same(x: Any, y: Any) -> bool:
    """Return whether two constants, or the parameters of two operations, are the same."""
    if x is y or isinstance(x, Value | Tensor):
        return x is y
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        real = x.dtype.kind == "f"
        equal = x.dtype == y.dtype and np.array_equal(x, y, equal_nan=real)
        return equal and not (real and np.any((x == 0) & (np.signbit(x) != np.signbit(y))))
    if type(x) is not type(y):
        return False
    if (parts := _parts_of(x)) is not None:
        return len(parts) == len(others := _parts_of(y)) and all(map(same, parts, others))
    if type(key := constant_key(x)) is tuple:  # such keys tell 0.0 and -0.0 apart
        return bool(key == constant_key(y))
    try:
        return bool(x == y)
    except Exception:  # the object cannot be compared
        return False


def _parts_of(value: Any) -> Any:
    """Return the parts that must be the same in two equal objects of this class, or None."""
    if isinstance(value, tuple | list):
        return value
    if isinstance(value, dict):
        return [part for item in value.items() for part in item]
    if isinstance(value, types.FunctionType):  # it may be a new function in each run
        variables = [free_variable(value, i, None) for i in range(len(value.__code__.co_freevars))]
        return [value.__code__, value.__defaults__, value.__kwdefaults__, *variables]
    return [*vars(value).items()] if dataclasses.is_dataclass(value) and hasattr(value, "__dict__") else None
