"""Splitting: divides a program into parts that run once and parts that run once per block of rows.

The rows lie along the leading axis that inputs share. Every value of the program is one of three kinds:

- *per row*: it has one slice per row, and each slice depends only on that row;
- *combined*: a sum, maximum, minimum, all or any over rows, made of a partial result for each block;
- *row-free*: everything else.

Per-row and combined values are computed in *passes* over the rows, numbered from 1. Row-free values are computed in
*stages*: stage 0 is before the first pass, and stage p is after pass p. A per-row value that needs the result of a pass
is computed in the next pass. A value that a later pass reads is stored, or computed again if that is likely to be
cheaper. For a function that needs all rows at once, the whole array is stored, and the result is row-free.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Program, Value, shape_of
from autograd_spiral.program.passes.broadcasting import with_numbers
from autograd_spiral.program.passes.builder import Builder, rebuilt, rewritten
from autograd_spiral.program.passes.rows import Axes, Treatment, treatment, with_length
from autograd_spiral.vocabulary.signatures import ARRAY

__all__ = ["Pass", "Split", "rows_of", "split", "with_means_as_sums"]

_STORING = 6.0
"""The cost of writing an element to memory and reading it back, in elementwise operations within the cache."""

_SLOW = (np.exp, np.log, np.tanh, np.power, np.log1p, np.expm1, np.logaddexp, np.sin, np.cos)


def rows_of(program: Program) -> int:
    """Return the number of rows: the length of the first axis that most entries of the inputs share, or 0."""
    counts = [value.shape[0] for value in (*program.inputs, *program.outside) if value.ndim]
    return max(counts, key=lambda n: (counts.count(n) * n, n), default=0)


class Split:
    """A program with the kind of each of its values; `rows` is the number of rows.

    `level` has the pass of each value that a pass computes, and the stage of every other value. `axis` has the axis of
    rows of each per-row value. `treatments` says how passes compute their values. `stored` has the per-row values that
    are kept for all rows.
    """

    def __init__(self, program: Program, rows: int) -> None:
        self.program, self.rows = program, rows
        given = (*program.inputs, *program.state, *program.outside)
        self.given = frozenset(given)
        self.axis = {value: 0 for value in (*program.inputs, *program.outside) if value.shape[:1] == (rows,)}
        self.level: dict[Value, int] = dict.fromkeys(given, 0)
        self.producer = {equation.output: equation for equation in program.equations}
        self.treatments: dict[Value, Treatment] = {}
        self.stored: set[Value] = set()
        for equation in program.equations:
            self._place(equation)
        self.stored.update(value for value in program.results() if self.is_computed_per_row(value))
        self._store_what_is_dear()
        self.passes = tuple(
            Pass(self, i + 1) for i in range(max((self.level[value] for value in self.treatments), default=0))
        )

    def is_computed_per_row(self, value: Value) -> bool:
        """Return whether a pass computes `value`, row by row."""
        return value in self.axis and value in self.treatments

    def _place(self, equation: Equation) -> None:
        axes: Axes = tuple(self.axis.get(atom) if isinstance(atom, Value) else None for atom in equation.inputs)
        may = any(axis is not None for axis in axes) or equation.function is np.broadcast_to
        found = treatment(equation, axes, self.rows) if may else None
        level = 0 if found is None else 1
        for value in equation.reads():
            if found is None and self.is_computed_per_row(value):
                self.stored.add(value)
            level = max(level, self.level[value] + (found is not None and value not in self.axis))
        if found is not None:
            self.treatments[equation.output] = found
            if found.axis is not None:
                self.axis[equation.output] = found.axis
        self.level[equation.output] = level

    def _store_what_is_dear(self) -> None:
        """Store the values that a later pass reads, if computing them again would cost more."""
        cost: dict[Value, float] = {}
        for equation in self.program.equations:
            if equation.output in self.treatments:
                again = (min(cost.get(value, 0), _STORING * value.size) for value in equation.reads())
                cost[equation.output] = _work(equation) + sum(again)
        ends = (value for value in self.treatments if value not in self.axis or value in self.stored)
        readers = {value: {self.level[value]} for value in ends}  # the passes that need a value
        for equation in reversed(self.program.equations):
            output, here = equation.output, readers.get(equation.output)
            if here is None:
                continue
            own = {self.level[output]}
            if here != own and output in self.axis and cost[output] > _STORING * output.size:
                self.stored.add(output)
            for value in equation.reads():
                if self.is_computed_per_row(value):
                    readers.setdefault(value, set()).update(own if output in self.stored else here)

    def stage(self, number: int) -> Program:
        """Return the program of stage `number`: it runs once, after the pass of the same number."""
        equations = self._stages[number]
        made = {equation.output for equation in equations}
        inputs = dict.fromkeys(value for equation in equations for value in equation.reads() if value not in made)
        later = (value for stage in self._stages[number + 1 :] for equation in stage for value in equation.reads())
        of_passes = (value for one in self.passes for value in one.reads)
        wanted = {*self.program.results(), *later, *of_passes}
        outputs = tuple(equation.output for equation in equations if equation.output in wanted)
        return Program(f"{self.program.name}, stage {number}", tuple(inputs), (), equations, outputs)

    @cached_property
    def _stages(self) -> list[tuple[Equation, ...]]:
        once = [equation for equation in self.program.equations if equation.output not in self.treatments]
        return [
            tuple(equation for equation in once if self.level[equation.output] == i)
            for i in range(len(self.passes) + 1)
        ]

    def describe(self) -> Iterator[str]:
        """Yield a line for each equation: when its value is computed, its kind, and whether it is stored."""
        for equation in self.program.equations:
            value, found = equation.output, self.treatments.get(equation.output)
            when = f"{'stage' if found is None else 'pass'} {self.level[value]}"
            kind = "row-free" if found is None else "per row" if found.combine is None else "combined"
            name = self.program.names[value].text if value in self.program.names else ""
            stored = "stored" if value in self.stored else ""
            yield f"{when:8}{kind:10}{stored:8}{equation.primitive.name} {value.shape} {name}".rstrip()


def split(program: Program, rows: int) -> Split:
    """Split `program` into passes over the rows of those inputs and outside arrays that have `rows` rows.

    >>> from autograd_spiral import capture
    >>> step = capture(lambda X: np.sum(np.exp(X) / 2))
    >>> _ = step(np.ones((300, 2)))
    >>> print(*split(step.program, 300).describe(), sep="\\n")
    pass 1  per row           np.exp (300, 2)
    pass 1  per row           np.divide (300, 2)
    pass 1  combined          np.sum ()
    """
    return Split(with_means_as_sums(with_numbers(program)), rows)


def with_means_as_sums(program: Program) -> Program:
    """Return `program` with means written as sums divided by a count, since sums can be computed in parts.

    >>> from autograd_spiral import capture
    >>> step = capture(lambda x: x.mean())
    >>> _ = step(np.ones(3))
    >>> [equation.primitive.name for equation in with_means_as_sums(step.program).equations]
    ['np.sum', 'np.divide']
    """

    def divided(equation: Equation, builder: Builder) -> Equation:
        x, output = equation.inputs[0] if equation.inputs else 0, equation.output
        real = isinstance(x, Value) and x.size and x.dtype in (np.float32, np.float64)
        if equation.function is not np.mean or not real:
            return equation
        total = Value(output.shape, output.dtype)
        builder.add(rewritten(equation, np.sum, x, output=total, **equation.params))
        return rewritten(equation, np.divide, total, math.prod(shape_of(x)) // max(output.size, 1))

    return rebuilt(program, divided)


def _work(equation: Equation) -> float:
    """Return the time that an equation takes, in elementwise operations within the cache."""
    if _is_view(equation):
        return 0
    if equation.function is np.matmul:
        return equation.output.size * (1 + shape_of(equation.inputs[0])[-1] / 8)
    size = max(equation.output.size, *(math.prod(shape_of(atom)) for atom in equation.inputs))
    return float(size) * (8 if equation.function in _SLOW else 1)


def _is_view(equation: Equation) -> bool:
    views = (np.transpose, np.reshape, np.broadcast_to)
    return equation.function in views or ("index" in equation.params and ARRAY not in equation.params["index"])


# --- the passes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rows:
    """An array that is cut into blocks of rows, which lie along `axis`."""

    atom: Atom
    axis: int


class Pass:
    """What one pass computes for a block: partial results, and rows of the values that are stored.

    The pass computes `partial`, its combined values, and `kept`, its stored per-row values. It reads the rows of a
    block from `rows`, and the row-free values in `whole`.
    """

    def __init__(self, split: Split, number: int) -> None:
        self._split, self.number = split, number
        own = [value for value in split.treatments if split.level[value] == number]
        self.partial = tuple(value for value in own if value not in split.axis)
        self.kept = tuple(value for value in own if value in split.stored)
        self._sliced: dict[tuple[int, int], _Rows] = {}
        whole: dict[Value, None] = {}
        needed: set[Value] = set()
        stack = [*self.partial, *self.kept]
        while stack:
            value = stack.pop()
            if value in needed:
                continue
            needed.add(value)
            for i, atom in enumerate(split.producer[value].inputs):
                axis = self._axis_of_rows(value, i)
                if axis is not None:
                    self._sliced.setdefault((id(atom), axis), _Rows(atom, axis))
                elif isinstance(atom, Value):
                    if self._computes(atom):
                        stack.append(atom)
                    else:
                        whole[atom] = None
        self.rows, self.whole = tuple(self._sliced.values()), tuple(whole)
        self._equations = [equation for equation in split.program.equations if equation.output in needed]

    @property
    def reads(self) -> Iterator[Value]:
        """The values that must be known before this pass runs."""
        return iter((*self.whole, *(of.atom for of in self.rows if isinstance(of.atom, Value))))

    def _axis_of_rows(self, output: Value, i: int) -> int | None:
        """Return the axis of rows of input `i` of the equation for `output`, if a block gets its rows; else None."""
        split, atom = self._split, self._split.producer[output].inputs[i]
        found = split.treatments.get(output)
        if found is not None and i in found.sliced:
            return found.sliced[i]
        if not isinstance(atom, Value) or atom not in split.axis:
            return None
        earlier = atom in split.stored and split.level[atom] < self.number
        return split.axis[atom] if atom in split.given or earlier else None

    def _computes(self, value: Value) -> bool:
        """Return whether this pass computes `value` itself: row by row, or as a view of a row-free value."""
        split, producer = self._split, self._split.producer.get(value)
        if value in split.treatments:
            return value in split.axis
        if producer is None or not _is_view(producer):  # if another part returned a view, it would be a copy
            return False
        return not any(base in split.axis for base in producer.reads())

    @cached_property
    def combine(self) -> tuple[np.ufunc, ...]:
        """The functions that combine partial results."""
        found = (self._split.treatments[value].combine for value in self.partial)
        return tuple(ufunc for ufunc in found if ufunc is not None)

    def program(self, n: int) -> Program:
        """Return the program for a block of n rows, from `(*rows, *whole)` to `(*partial, *kept)`.

        Its checks are only for the block: first run the checks of the whole program, on all rows.
        """
        split = self._split
        blocks = {
            key: Value(with_length(shape_of(of.atom), of.axis, n), _dtype_of(of.atom))
            for key, of in self._sliced.items()
        }
        known: dict[Value, Value] = {value: value for value in self.whole}
        equations = []
        for equation in self._equations:
            found = split.treatments.get(equation.output)
            inputs: list[Atom] = []
            for i, atom in enumerate(equation.inputs):
                axis = self._axis_of_rows(equation.output, i)
                if found is not None and i in found.counting:
                    inputs.append(np.arange(n))
                elif axis is not None:
                    inputs.append(blocks[id(atom), axis])
                else:
                    inputs.append(known[atom] if isinstance(atom, Value) else atom)
            output, params = equation.output, equation.params
            if found is not None and found.axis is not None:
                output = Value(with_length(output.shape, found.axis, n), output.dtype)
            if found is not None and found.params is not None:
                params = found.params(n)
            known[equation.output] = output
            equations.append(replace(equation, inputs=tuple(inputs), output=output, params=params, body=()))
        checks = tuple(
            check._replace(value=blocks[id(check.value), 0])
            for check in split.program.checks
            if (id(check.value), 0) in blocks
        )
        outputs = tuple(known[value] for value in (*self.partial, *self.kept))
        name, inputs_of_all = f"{split.program.name}, pass {self.number}", (*blocks.values(), *self.whole)
        return Program(name, inputs_of_all, (), tuple(equations), outputs, checks=checks)


def _dtype_of(atom: Atom) -> np.dtype[np.generic]:
    assert isinstance(atom, Value | np.ndarray)  # only values and arrays have rows
    return atom.dtype
