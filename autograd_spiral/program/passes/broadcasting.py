"""Simplifies elementwise equations: drops needless `np.broadcast_to`, and writes arrays of one number as numbers."""

from __future__ import annotations

import operator
from dataclasses import replace

import numpy as np

from autograd_spiral.engine.frozen import frozen
from autograd_spiral.program.ir import Atom, Equation, Program, Value, shape_of
from autograd_spiral.program.passes.builder import Builder, rebuilt, rewritten
from autograd_spiral.program.passes.patterns import number_in

__all__ = ["broadcast_afterwards", "with_numbers", "without_broadcasts"]


def _source(atom: Atom, builder: Builder) -> Atom | None:
    """Return the array or number that `np.broadcast_to` stretched to make `atom`, or None if there is none."""
    producer = builder.producers.get(atom) if isinstance(atom, Value) else None
    return producer.inputs[0] if producer is not None and producer.function is np.broadcast_to else None


def without_broadcasts(equation: Equation, builder: Builder) -> Equation:
    """Return an elementwise `equation` that broadcasts its inputs itself, with numbers for arrays of one number."""
    inputs = list(equation.inputs)
    for i, atom in enumerate(inputs):
        source = _source(atom, builder)
        rest = [shape_of(other) for j, other in enumerate(inputs) if j != i]
        if source is not None and rest and np.broadcast_shapes(shape_of(source), *rest) == equation.output.shape:
            inputs[i] = source
    if not all(map(operator.is_, inputs, equation.inputs)):
        equation = replace(equation, inputs=tuple(inputs))
    numbers: list[Atom] = []
    for atom in equation.inputs:
        number = number_in(atom, equation)
        numbers.append(atom if number is None else number)
    if all(map(operator.is_, numbers, equation.inputs)):
        return equation
    return (
        replace(equation, inputs=tuple(numbers))
        if any(isinstance(n, Value | np.ndarray) for n in numbers)
        else equation
    )


def broadcast_afterwards(equation: Equation, builder: Builder) -> Equation:
    """Return `np.broadcast_to(f(x), shape)` for `f(np.broadcast_to(x, shape))`, where x is a number."""
    output, inputs = equation.output, list(equation.inputs)
    for i, atom in enumerate(inputs):
        source = _source(atom, builder)
        if source is not None and shape_of(source) == ():
            inputs[i] = source
    if not output.shape or any(shape_of(atom) for atom in inputs) or all(map(operator.is_, inputs, equation.inputs)):
        return equation
    number = Value((), output.dtype)
    builder.add(replace(equation, inputs=tuple(inputs), output=number))
    return rewritten(equation, np.broadcast_to, number, shape=output.shape)


def with_numbers(program: Program) -> Program:
    """Return `program` with a number for each constant array of one number that a larger operand broadcasts.

    >>> from autograd_spiral import capture
    >>> step = capture(lambda x: np.zeros(3) + x)
    >>> _ = step(np.ones((2, 3)))
    >>> with_numbers(step.program).equations[0].inputs[0]
    array(0.)
    """

    def narrower(equation: Equation, builder: Builder) -> Equation:
        if not equation.elementwise:
            return equation
        return replace(equation, inputs=tuple(_number(atom, equation) for atom in equation.inputs))

    return rebuilt(program, narrower)


def _number(atom: Atom, equation: Equation) -> Atom:
    """Return `atom` as an array with no axes, if it is a constant array of one number, of one sign."""
    if not isinstance(atom, np.ndarray) or atom.size < 2:
        return atom
    rest = [shape_of(other) for other in equation.inputs if other is not atom]
    first = atom.flat[0]
    alike = np.broadcast_shapes(*rest) == equation.output.shape and bool(np.all(atom == first))
    if alike and not first and atom.dtype.kind == "f":
        alike = bool(np.all(np.signbit(atom) == np.signbit(first)))
    return frozen(np.array(first)) if alike else atom
