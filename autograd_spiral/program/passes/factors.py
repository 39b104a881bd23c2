"""Products with numbers: two factors become one, and a factor that many results share is applied only once.

Numbers are combined only if this does not change which results overflow or underflow.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Program, Value, has_dtype
from autograd_spiral.program.passes.builder import Builder, rewritten
from autograd_spiral.program.passes.patterns import number_in

__all__ = ["one_factor", "with_factors_collected"]


def one_factor(equation: Equation, builder: Builder) -> Equation | None:
    """Return `x * (a * b)` for `x * a * b`, and `x * -a` for `-x * a`; None for anything else."""
    x, number = _scaled(equation) or (None, 1)
    inner = builder.producers.get(x) if isinstance(x, Value) else None
    if inner is None or builder.uses[inner.output] > 1:
        return None
    deeper = (inner.inputs[0], -1) if inner.function is np.negative else _scaled(inner)
    if deeper is None or not _may_merge(deeper[1], number, equation.output.dtype):
        return None
    return rewritten(equation, np.multiply, deeper[0], deeper[1] * number)


def _scaled(equation: Equation) -> tuple[Atom, float] | None:
    """Return `(x, c)` if `equation` is `x * c`, `c * x` or `x / c` for a number c and floating x of the same dtype."""
    if equation.function not in (np.multiply, np.divide) or equation.output.dtype.kind != "f":
        return None
    x, y = equation.inputs
    for atom, other in ((x, y), (y, x)):
        number = number_in(other, equation)
        if number is None or not has_dtype(atom, equation.output.dtype):
            continue
        if equation.function is np.divide:
            return (atom, 1 / number) if other is y and _holds(equation.output.dtype, number) else None
        return atom, number
    return None


_MODEST = 2.0**16
"""If a number is first multiplied by at most this and then divided, it overflows in between only near the limits."""


def _is_modest(number: float, dtype: np.dtype[Any]) -> bool:
    return dtype.itemsize in (4, 8) and 1 / _MODEST <= abs(number) <= _MODEST


def _holds(dtype: np.dtype[Any], *numbers: float) -> bool:
    """Return whether all of `numbers` have full precision in `dtype`, which is no more precise than Python's floats."""
    if dtype.itemsize > 8:
        return False
    limits = np.finfo(dtype)
    return all(float(limits.tiny) <= abs(float(number)) <= float(limits.max) for number in numbers)


def _may_merge(first: float, second: float, dtype: np.dtype[Any]) -> bool:
    """Return whether `x * first * second` overflows and underflows for the same x as `x * (first * second)`."""
    if not _holds(dtype, first, second, float(first) * float(second)):
        return False
    if (abs(first) > 1) == (abs(second) > 1) or abs(first) == 1 or abs(second) == 1:
        return True  # if the intermediate result overflows or underflows, so does the final one
    return _is_modest(first, dtype)


# --- a factor that many results have in common ------------------------------------------------------------------------


def with_factors_collected(program: Program) -> Program:
    """Return `program` with constant factors applied earlier in the backward pass, if that saves multiplications.

    Multiplying the argument of a linear function by a number multiplies the result by that number. For example, a step
    of size 0.1 multiplies every gradient by 0.1. All gradients are linear in the cotangent that the backward pass
    starts from, so multiplying that cotangent has the same effect.
    """
    cotangents = _cotangents(program)
    factors = _factors(program, cotangents)
    builder, saved = Builder(program), 0
    for equation in program.equations:
        saved += _add(equation, factors, cotangents, builder)
    return builder.program() if saved > 0 else program


def _add(equation: Equation, factors: Mapping[Value, float], cotangents: Set[Value], builder: Builder) -> int:
    """Add `equation`, with its result multiplied by its factor; return how many multiplications this saves."""
    output, current = equation.output, builder.current(equation)
    scaled, factor = _scaled(equation), factors.get(output)
    if scaled is not None:
        x, number = _scaled(current) or scaled
        if scaled[0] in factors:
            builder.replace(output, x)
            return output.size
        builder.add(current if factor is None else rewritten(current, np.multiply, x, number * factor))
        return 0
    if factor is None:
        builder.add(current)
        return 0
    terms = _linear_in(equation, cotangents)
    if not any(x in factors for x in terms):  # the factor is not passed on
        product = Value(output.shape, output.dtype)
        builder.add(replace(current, output=product))
        builder.add(rewritten(current, np.multiply, product, factor))
        return -output.size
    inputs, cost = [*current.inputs], 0
    for i, x in enumerate(equation.inputs):
        if isinstance(x, Value) and x in terms and x not in factors:  # the other term of a sum
            product, cost = Value(x.shape, x.dtype), cost + x.size
            builder.add(rewritten(current, np.multiply, inputs[i], factor, output=product))
            inputs[i] = product
    builder.add(replace(current, inputs=tuple(inputs)))
    return -cost


def _cotangents(program: Program) -> Set[Value]:
    """Return the values that the backward pass and the updates compute, except views of the forward pass's values."""
    found: set[Value] = set()
    for equation in program.equations:
        if equation.phase != "forward" and (equation.function not in _VIEWS or not found.isdisjoint(equation.reads())):
            found.add(equation.output)
    return found


def _factors(program: Program, cotangents: Set[Value]) -> dict[Value, float]:
    """Return the values of the backward pass that may include a factor, since all that reads them would apply it.

    The equations are visited from the last to the first, so that all readers of a value come before it.
    """
    factors: dict[Value, float] = {}
    asked: dict[Value, list[float]] = {}
    for equation in reversed(program.equations):
        output = equation.output
        numbers = asked.get(output, [])
        alike = len(numbers) == program.uses[output] and len({*numbers}) == 1
        if output in cotangents and alike and numbers[0] != 1.0:
            factors[output] = numbers[0]
        scaled = _scaled(equation)
        if scaled is not None:
            number = scaled[1] * factors.get(output, 1.0)
            given = [scaled[0]] if _is_modest(number, output.dtype) else []
        else:
            number = factors.get(output, 1.0)
            given = [*_linear_in(equation, cotangents)]
        for atom in given:
            if isinstance(atom, Value):
                asked.setdefault(atom, []).append(number)
    return factors


_PRODUCTS = (np.matmul, np.multiply)
_SUMS = (np.add, np.subtract)
_VIEWS = (np.transpose, np.reshape, np.broadcast_to, operator.getitem)
_LINEAR = (*_VIEWS, np.divide, np.negative, np.sum)


def _linear_in(equation: Equation, cotangents: Set[Value]) -> list[Value]:
    """Return the cotangents in which `equation` is linear: both terms of a sum, or one factor of a product."""
    dtype, function = equation.output.dtype, equation.function
    found = [x for x in equation.inputs if isinstance(x, Value) and x in cotangents and x.dtype == dtype]
    sums = function in _SUMS and len(found) == 2
    products = function in _PRODUCTS and len(found) == 1
    others = function in _LINEAR and len(found) == 1 and found[0] is equation.inputs[0]
    return found if sums or products or others else []
