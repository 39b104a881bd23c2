"""Brings operands into the form with which NumPy computes fastest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Program, Value, shape_of
from autograd_spiral.program.passes.builder import Builder, rebuilt, rewritten
from autograd_spiral.program.running.kernels.kernel import MANY

__all__ = ["with_fast_operands"]

_CACHED = 2**21
"""Up to this many bytes stay in the processor's cache, where reading another array is cheap."""

Known = dict[Any, Atom]


def with_fast_operands(program: Program) -> Program:
    """Return `program` with full arrays for bounds, floats for masks, and constants that need no conversion."""
    known: Known = {}

    def prepared(equation: Equation, builder: Builder) -> Equation:
        prepare = _PREPARE.get(equation.function)
        if prepare is None:
            return equation
        x, y = equation.inputs
        operands = prepare(x, y, equation, builder, known), prepare(y, x, equation, builder, known)
        return replace(equation, inputs=operands)

    return rebuilt(program, prepared)


def _pays(equation: Equation, *operands: Atom) -> bool:
    output = equation.output
    whole = all(shape_of(atom) == output.shape for atom in operands)
    return whole and output.dtype.kind == "f" and output.size >= MANY and output.nbytes <= _CACHED


def _full_array(atom: Atom, other: Atom, equation: Equation, builder: Builder, known: Known) -> Atom:
    """Return a full array for a bound, since NumPy's loop over two arrays is faster than over an array and a number."""
    if type(atom) not in (int, float) or not _pays(equation, other):
        return atom
    shape, dtype = equation.output.shape, equation.output.dtype
    key = shape, dtype, repr(atom)
    if key not in known:
        known[key] = np.full(shape, atom, dtype)
    return known[key]


def _mask_as_floats(atom: Atom, other: Atom, equation: Equation, builder: Builder, known: Known) -> Atom:
    """Return a mask as floats, since NumPy converts it faster beforehand than during a product."""
    if not (isinstance(atom, Value) and atom.dtype == bool and _pays(equation, atom, other)):
        return atom
    key = atom, equation.output.dtype
    if key not in known:
        known[key] = floats = Value(atom.shape, equation.output.dtype)
        builder.add(rewritten(equation, np.ndarray.astype, atom, output=floats, dtype=floats.dtype))
    return known[key]


def _without_cast(atom: Atom, other: Atom, equation: Equation, builder: Builder, known: Known) -> Atom:
    """Return an integer constant in the dtype of the integers that it is compared with, if its numbers fit."""
    if not (isinstance(atom, np.ndarray) and atom.size and isinstance(other, Value)):
        return atom
    if not {atom.dtype.kind, other.dtype.kind} <= {"i", "u"}:
        return atom
    limits = np.iinfo(other.dtype)
    return atom.astype(other.dtype) if limits.min <= atom.min() and atom.max() <= limits.max else atom


_PREPARE: dict[Callable[..., Any], Callable[[Atom, Atom, Equation, Builder, Known], Atom]] = {
    np.multiply: _mask_as_floats,
    **dict.fromkeys((np.maximum, np.minimum), _full_array),
    **dict.fromkeys((np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal), _without_cast),
}
