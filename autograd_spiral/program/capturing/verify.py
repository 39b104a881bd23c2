"""Verification: compares what a step computes in one run with what it computed in another.

The programs of the two runs are compared one operation after the other. Their inputs, states and outside arrays may
have other values; constants must be equal, and operations, shapes and results the same.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_spiral.engine.messages import called
from autograd_spiral.engine.pytree import LEAF
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.cache_key import constant_key
from autograd_spiral.program.capturing.lowering import Lowered, memory_of
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
    return _first_difference(_Run(one), _Run(other))


class _Act(NamedTuple):
    """Something that a run did: its `atoms` may have other values in another run, but `kind` and `how` must agree."""

    place: str | None
    name: str
    kind: tuple[Any, ...]
    how: Mapping[str, Any]
    atoms: tuple[Any, ...]


class _Run:
    """What a run did, with an origin for each value; values of the same origin in two runs correspond to each other."""

    def __init__(self, lowered: Lowered) -> None:
        self.lowered, program = lowered, lowered.program
        self.outside = dict(zip(program.outside, lowered.outside, strict=True))
        self.states = dict(zip(program.state, lowered.state, strict=True))
        self.origins: dict[Value, Any] = {value: ("input", i) for i, value in enumerate(program.inputs)}
        self.origins |= {value: id(leaf) for value, leaf in self.states.items()}
        self.origins |= {value: memory_of(array) for value, array in self.outside.items()}
        self.equations = list(_with_bodies(program.equations))
        self.origins |= {equation.output: i for i, equation in enumerate(self.equations)}

    def acts(self) -> Iterator[_Act]:
        for equation in self.equations:
            result = (equation.primitive, equation.output.shape, equation.output.dtype)
            yield _Act(equation.place, equation.primitive.name, result, equation.params, equation.inputs)
        for check in self.lowered.program.checks:
            yield _Act(None, "a check of values", (check.function,), {"details": check.details}, (check.value,))
        for state, new in self.lowered.program.updates:
            leaf = self.states[state]
            yield _Act(None, f"an assign() to {called(leaf)}", (id(leaf),), {}, (new,))
        constants = [leaf for leaf in self.lowered.leaves if leaf is not LEAF]
        kind = (self.lowered.treedef, [leaf is LEAF for leaf in self.lowered.leaves])
        how = {"constants": constants} if constants else {}
        yield _Act(None, "returning the result", kind, how, self.lowered.program.outputs)

    def array(self, atom: Any) -> Any:
        """Return the array that an outside value holds, and anything else unchanged."""
        return self.outside.get(atom, atom) if isinstance(atom, Value) else atom

    def describe(self, atom: Any) -> str:
        """Return how messages refer to an argument."""
        atom = self.array(atom)
        if isinstance(atom, Value):
            return called(self.states[atom]) if atom in self.states else "computed"
        return shown(atom)


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


def _first_difference(one: _Run, other: _Run) -> Difference | None:
    for a, b in zip(one.acts(), other.acts(), strict=False):  # both end with the result, which equals nothing else
        if a.kind != b.kind or not same(a.how, b.how) or len(a.atoms) != len(b.atoms):
            return Difference(b.place or a.place, "what the step does here", *_described(a, b))
        for x, y in zip(a.atoms, b.atoms, strict=True):
            values = type(x) is Value and type(y) is Value
            if not (values and one.origins[x] == other.origins[y]) and not same(one.array(x), other.array(y)):
                computed = isinstance(one.array(x), Value) or isinstance(other.array(y), Value)
                what = f"{'an argument' if computed else 'a constant'} of {b.name}"
                return Difference(b.place, what, one.describe(x), other.describe(y))
    return None


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
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(same(value, y[key]) for key, value in x.items())
    if isinstance(x, tuple | list) and isinstance(y, tuple | list):
        return len(x) == len(y) and all(map(same, x, y))
    if type(x) is not type(y):
        return False
    if isinstance(x, types.FunctionType):  # it may be a new function in each run
        return same(_parts_of(x), _parts_of(y))
    if type(key := constant_key(x)) is tuple:  # such keys tell 0.0 and -0.0 apart
        return bool(key == constant_key(y))
    if dataclasses.is_dataclass(x):
        return same([*vars(x).items()], [*vars(y).items()])
    try:
        return bool(x == y)
    except Exception:  # the object cannot be compared
        return False


def _parts_of(function: types.FunctionType) -> list[Any]:
    """Return the parts of a function that must be the same in two equal functions."""
    cells = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]  # not empty
    return [function.__code__, function.__defaults__, function.__kwdefaults__, cells]
