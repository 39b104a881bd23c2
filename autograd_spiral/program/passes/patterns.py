"""Patterns: NumPy expressions to look for among the equations of a program.

A pattern is written as a function, `lambda x, y: x - (-y)`. It is called once, with symbols that use NumPy's own
protocols to record what is computed with them. Each argument matches any atom, but must match the same atom wherever it
occurs. Axes, shapes and indices must equal those in the pattern; `ANY` in place of one of these matches any.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Value, has_dtype, shape_of
from autograd_spiral.program.passes.builder import Builder, rewritten

__all__ = ["ANY", "Match", "Pattern", "Rule", "number_in"]

Function = Callable[..., Any]

ANY: Any = object()
"""Matches any axis, shape or index."""

_COMMUTATIVE = (np.add, np.multiply)


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """A variable of a pattern, or the call of a function on symbols and numbers."""

    __hash__ = object.__hash__

    def __init__(
        self, function: Function | None = None, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs or {}
        self.any_params = any(arg is ANY for arg in (*args, *self.kwargs.values()))
        parts = [part for arg in args for part in (arg if isinstance(arg, list | tuple) else (arg,))]
        symbols = tuple(part for part in parts if isinstance(part, Symbol))
        self.operands = args if isinstance(function, np.ufunc) else symbols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any) -> Symbol:
        return Symbol(ufunc, inputs)

    def __array_function__(self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Symbol:
        return Symbol(function, args, kwargs)

    def __getitem__(self, index: Any) -> Symbol:
        return Symbol(operator.getitem, (self, index))

    def astype(self, dtype: Any) -> Symbol:
        """Record a conversion."""
        return Symbol(np.ndarray.astype, (self, dtype))

    def describes(self, equation: Equation) -> bool:
        """Return whether `equation` calls the same function on equally many arrays, with the same parameters."""
        if equation.function is not self.function or len(equation.inputs) != len(self.operands):
            return False
        if self.any_params or equation.primitive.bind is None:
            return True
        atoms = iter(equation.inputs)

        def filled(arg: Any) -> Any:
            if isinstance(arg, Symbol):
                return next(atoms)
            return tuple(map(filled, arg)) if isinstance(arg, list | tuple) else arg

        try:
            _, params = equation.primitive.bind(*map(filled, self.args), **self.kwargs)
        except ValueError:  # an axis that the operand does not have
            return False
        return params == equation.params


class Match(NamedTuple):
    """An equation that computes a pattern."""

    equation: Equation
    builder: Builder
    bound: Mapping[Symbol, Atom] = {}  # what the variables stand for
    inner: tuple[Equation, ...] = ()  # the equations that compute the calls inside the pattern

    @property
    def alone(self) -> bool:
        """Whether nothing else reads what the inner equations compute.

        Values that this pass added count as unread."""
        return all(self.builder.uses[equation.output] <= 1 for equation in self.inner)


class Pattern:
    """An expression to look for, whose variables are the arguments of a function."""

    def __init__(self, expression: Function) -> None:
        self.variables = tuple(Symbol() for _ in inspect.signature(expression).parameters)
        self.root: Symbol = expression(*self.variables)
        self.function = self.root.function

    def matches(self, equation: Equation, builder: Builder) -> Iterator[tuple[Match, tuple[Atom, ...]]]:
        """Yield the ways in which `equation` computes the pattern, each with the atoms that the variables stand for."""
        if equation.function is not self.function or not self._may_match(equation, builder):
            return
        for match in _call(self.root, equation, Match(equation, builder)):
            yield match, tuple(match.bound[variable] for variable in self.variables)

    def _may_match(self, equation: Equation, builder: Builder) -> bool:
        """Return whether the operands are of the right kinds, in some order; this quickly excludes most equations."""
        parts, inputs = self.root.operands, equation.inputs
        orders = (inputs, inputs[::-1]) if self.function in _COMMUTATIVE else (inputs,)
        return any(
            all(_may_be(part, atom, builder) for part, atom in zip(parts, order, strict=False)) for order in orders
        )


def _may_be(part: Any, atom: Atom, builder: Builder) -> bool:
    if not isinstance(part, Symbol):
        return not isinstance(atom, Value)
    if part.function is None:
        return True
    inner = builder.producers.get(atom) if isinstance(atom, Value) else None
    return inner is not None and inner.function is part.function


def _call(symbol: Symbol, equation: Equation, match: Match) -> Iterator[Match]:
    """Yield the ways in which `equation` computes the call that `symbol` records, extending `match`."""
    if not symbol.describes(equation):
        return
    swapped = (equation.inputs[::-1],) if symbol.function in _COMMUTATIVE else ()
    for inputs in (equation.inputs, *swapped):
        found = [match]
        for part, atom in sorted(zip(symbol.operands, inputs, strict=True), key=_is_variable):
            found = [more for one in found for more in _operand(part, atom, equation, one)]
        yield from found


def _is_variable(operand: tuple[Any, Atom]) -> bool:
    """Return whether an operand matches any atom, so that the other operands are compared first."""
    part, _ = operand
    return isinstance(part, Symbol) and part.function is None


def _operand(part: Any, atom: Atom, equation: Equation, match: Match) -> Iterator[Match]:
    """Yield the ways in which `atom`, an input of `equation`, is the operand `part` of a pattern, extending `match`."""
    if isinstance(part, Symbol):
        if part.function is None:
            if match.bound.get(part, atom) is atom:
                yield match._replace(bound={**match.bound, part: atom})
        elif isinstance(atom, Value) and (inner := match.builder.producers.get(atom)):
            yield from _call(part, inner, match._replace(inner=(*match.inner, inner)))
    else:
        number = number_in(atom, equation)
        if number is not None and number == part and math.copysign(1, number) == math.copysign(1, part):
            yield match


def number_in(atom: Atom, equation: Equation) -> float | None:
    """Return `atom`, an input of `equation`, as a Python number if that leaves the dtype of the result unchanged."""
    if type(atom) in (bool, int, float):
        return atom  # type: ignore[return-value]
    if isinstance(atom, np.ndarray) and atom.size == 1 and atom.dtype == equation.output.dtype:
        others = [other for other in equation.inputs if other is not atom]
        number = atom.item()  # for a longdouble, this is not a Python number
        if type(number) in (bool, int, float) and all(
            has_dtype(other, atom.dtype) and atom.ndim <= len(shape_of(other)) for other in others
        ):
            return number  # type: ignore[no-any-return]
    return None


class Rule:
    """A pattern and its replacement, an expression of the same variables.

    `when(match, *atoms)` says whether the rule applies, and `params(match)` returns the parameters of the new call.
    `ANY` in the replacement stands for the parameters of the equation that is replaced.
    """

    def __init__(
        self, pattern: Function, replacement: Function, when: Function | None = None, params: Function | None = None
    ) -> None:
        self.pattern = Pattern(pattern)
        self.replacement: Symbol = replacement(*self.pattern.variables)
        self.when, self.params = when, params

    def __call__(self, equation: Equation, builder: Builder) -> Equation | Atom | None:
        """Return the equation, or the atom, that replaces `equation`; None if the rule does not apply."""
        new = self.replacement
        for match, atoms in self.pattern.matches(equation, builder):
            if self.when is not None and not self.when(match, *atoms):
                continue
            if new.function is None:
                return match.bound[new]
            params = self.params(match) if self.params else equation.params if new.any_params else {}
            inputs = (match.bound[part] if isinstance(part, Symbol) else part for part in new.operands)
            return rewritten(equation, new.function, *inputs, **params)
        return None
