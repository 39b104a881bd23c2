"""The shorter forms of equations: `x` for `x * 1`, one product for two, one reshape for two, and so on.

A form gets an equation and the program that is being built, and gives an equation or what stands in its place. Numbers
are collected only where nothing overflows or vanishes in one way and not in the other.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from autograd_spiral.engine.table import ARRAY
from autograd_spiral.errors import LabelError
from autograd_spiral.program.ir import Atom, Check, Equation, Value, dtype_of, shape_of
from autograd_spiral.program.passes.rebuild import Substitution, rewritten
from autograd_spiral.vocabulary.labels import check_labels
from autograd_spiral.vocabulary.rules import scatter

__all__ = ["SHORTER", "check_entries", "stretched_after", "unstretched"]


def _made_by(atom: Atom, made: Mapping[Value, Equation], function: Callable[..., Any]) -> Equation | None:
    """The equation that computes `atom`, if it is one of `function`."""
    equation = made.get(atom) if isinstance(atom, Value) else None
    return equation if equation is not None and equation.function is function else None


def _number(atom: Atom, equation: Equation) -> float | None:
    """The number that `atom` is, if it does not decide on the dtype of what `equation` gives."""
    if type(atom) in (bool, int, float):
        return atom  # type: ignore[return-value]
    if isinstance(atom, np.ndarray) and atom.size == 1 and atom.dtype == equation.output.dtype:
        others = [other for other in equation.inputs if other is not atom]
        if all(dtype_of(other) == atom.dtype and atom.ndim <= len(shape_of(other)) for other in others):
            number: float = atom.item()
            return number
    return None


def _fits(atom: Atom, equation: Equation) -> bool:
    """Whether `atom` can be what `equation` gives, as it is."""
    return (shape_of(atom), dtype_of(atom)) == (equation.output.shape, equation.output.dtype)


def unstretched(equation: Equation, made: Mapping[Value, Equation]) -> Equation:
    """Without `np.broadcast_to` before an elementwise function that broadcasts by itself; numbers as numbers."""
    inputs = list(equation.inputs)
    for i, atom in enumerate(inputs):
        stretch = _made_by(atom, made, np.broadcast_to)
        if stretch is not None:
            rest = [shape_of(other) for j, other in enumerate(inputs) if j != i]
            if rest and np.broadcast_shapes(shape_of(stretch.inputs[0]), *rest) == equation.output.shape:
                inputs[i] = stretch.inputs[0]
    if not all(map(operator.is_, inputs, equation.inputs)):
        equation = rewritten(equation, inputs=tuple(inputs))
    numbers = tuple(
        number if isinstance(atom, np.ndarray) and (number := _number(atom, equation)) is not None else atom
        for atom in equation.inputs
    )
    changed = any(a is not b for a, b in zip(numbers, equation.inputs, strict=True))
    if changed and any(isinstance(atom, Value | np.ndarray) for atom in numbers):
        return rewritten(equation, inputs=numbers)
    return equation


def stretched_after(equation: Equation, substitute: Substitution) -> Equation:
    """`np.broadcast_to(f(x), shape)` for `f(np.broadcast_to(x, shape))` with a number x."""
    output, inputs = equation.output, list(equation.inputs)
    for i, atom in enumerate(inputs):
        stretch = _made_by(atom, substitute.made, np.broadcast_to)
        if stretch is not None and shape_of(stretch.inputs[0]) == ():
            inputs[i] = stretch.inputs[0]
    if not output.shape or any(shape_of(atom) for atom in inputs) or all(map(operator.is_, inputs, equation.inputs)):
        return equation
    number = Value((), output.dtype)
    substitute.keep(rewritten(equation, inputs=tuple(inputs), output=number))
    return rewritten(equation, np.broadcast_to, (number,), {"shape": output.shape})


def _scaled(equation: Equation) -> tuple[Atom, float] | None:
    """`(x, c)` when `equation` is `x * c`, `c * x` or `x / c` with a number c, and floating x of the same dtype."""
    if equation.function not in (np.multiply, np.divide) or equation.output.dtype.kind != "f":
        return None
    x, y = equation.inputs
    for atom, other in ((x, y), (y, x)):
        number = _number(other, equation)
        if number is None or dtype_of(atom) != equation.output.dtype:
            continue
        if equation.function is np.divide:
            return (atom, 1 / number) if other is y and number != 0 else None
        return atom, number
    return None


def _product(equation: Equation, substitute: Substitution) -> Equation | Atom:
    found = _scaled(equation)
    if found is None:
        return equation
    x, number = found
    if number == 1 and _fits(x, equation):
        return x
    inner = substitute.made.get(x) if isinstance(x, Value) else None
    if inner is None or substitute.uses[inner.output] > 1:
        return equation
    deeper = (inner.inputs[0], -1) if inner.function is np.negative else _scaled(inner)
    if deeper is not None and _merge(deeper[1], number, equation.output.dtype):
        total = deeper[1] * number
        return rewritten(equation, np.multiply, (deeper[0], total))
    return equation


_MODEST = 2.0**16
"""What is multiplied by no more than this, and then divided, overflows in between only if it is near the limits."""


def _merge(first: float, second: float, dtype: np.dtype[Any]) -> bool:
    """Whether `x * first * second` is `x * (first * second)` in `dtype`: nothing overflows or vanishes in one alone."""
    limits, total = np.finfo(dtype), float(first) * float(second)
    if not float(limits.tiny) <= abs(total) <= float(limits.max):
        return False
    if (abs(first) > 1) == (abs(second) > 1) or abs(first) == 1 or abs(second) == 1:
        return True  # what overflows or vanishes on the way does so in the end
    return dtype.itemsize > 2 and 1 / _MODEST <= abs(first) <= _MODEST


def _power(equation: Equation, substitute: Substitution) -> Equation | Atom:
    x, y = equation.inputs
    number = _number(y, equation)
    if number == 1 and _fits(x, equation):
        return x
    return rewritten(equation, np.square, (x,)) if number == 2 and _fits(x, equation) else equation


def _sum(equation: Equation, substitute: Substitution) -> Equation | Atom:
    x, y = equation.inputs
    if x is y and isinstance(x, Value) and x.dtype.kind == "f":
        return rewritten(equation, np.multiply, (2.0, x))
    for this, other in ((x, y), (y, x)):
        minus = _opposite(other, equation, substitute)
        if minus is not None:
            return rewritten(equation, np.subtract, (this, minus.inputs[0]))
    return equation


def _opposite(atom: Atom, equation: Equation, substitute: Substitution) -> Equation | None:
    """What computes `-x`, if that is read by `equation` alone, in whose dtype integers wrap around as -x does."""
    minus = _made_by(atom, substitute.made, np.negative)
    if minus is None or substitute.uses[minus.output] > 1:
        return None
    return minus if minus.output.dtype.kind == "f" or minus.output.dtype == equation.output.dtype else None


def _difference(equation: Equation, substitute: Substitution) -> Equation | Atom:
    x, y = equation.inputs
    number = _number(y, equation)
    if number == 0 and math.copysign(1, number) == 1 and _fits(x, equation):  # -0.0 - -0.0 is 0.0
        return x
    minus = _opposite(y, equation, substitute)
    if minus is not None:
        return rewritten(equation, np.add, (x, minus.inputs[0]))
    return equation


def _negative(equation: Equation, substitute: Substitution) -> Equation | Atom:
    minus = _made_by(equation.inputs[0], substitute.made, np.negative)
    return equation if minus is None else minus.inputs[0]


def _unchanging(equation: Equation, substitute: Substitution) -> Equation | Atom:
    """`+x`, `x` in its own dtype, shape or order."""
    x = equation.inputs[0]
    return x if _fits(x, equation) else equation


def _reshape(equation: Equation, substitute: Substitution) -> Equation | Atom:
    x = equation.inputs[0]
    if _fits(x, equation):
        return x
    inner = _made_by(x, substitute.made, np.reshape)
    if inner is not None:
        return rewritten(equation, inputs=inner.inputs)
    for reduction in (np.sum, np.max, np.min, np.mean):
        inner = _made_by(x, substitute.made, reduction)
        if inner is not None and substitute.uses[inner.output] == 1 and not inner.params["keepdims"]:
            axes, whole = inner.params["axis"], shape_of(inner.inputs[0])
            if equation.output.shape == tuple(1 if i in axes else n for i, n in enumerate(whole)):
                return rewritten(equation, reduction, inner.inputs, {"axis": axes, "keepdims": True})
    return equation


def _reduction(equation: Equation, substitute: Substitution) -> Equation | Atom:
    """Over axes of length 1, a reduction is a reshape."""
    x = equation.inputs[0]
    if any(shape_of(x)[i] != 1 for i in equation.params["axis"]) or dtype_of(x) != equation.output.dtype:
        return equation
    if not equation.output.shape:
        return equation  # the sum of everything reads better than a reshape to nothing
    return rewritten(equation, np.reshape, (x,), {"shape": equation.output.shape})


def _transpose(equation: Equation, substitute: Substitution) -> Equation | Atom:
    x, axes = equation.inputs[0], equation.params["axes"]
    if axes == tuple(range(len(axes))):
        return x
    inner = _made_by(x, substitute.made, np.transpose)
    if inner is None:
        return equation
    return rewritten(equation, inputs=inner.inputs, params={"axes": tuple(inner.params["axes"][i] for i in axes)})


def _scatter(equation: Equation, substitute: Substitution) -> Equation | Atom:
    """The adjoint of picking one entry per row: the cotangents where the column is the one that was picked."""
    shape, index = equation.params["shape"], equation.params["index"]
    if index != (ARRAY, ARRAY) or len(shape) != 2:
        return equation
    ct, rows, picked = equation.inputs
    if not (isinstance(rows, np.ndarray) and np.array_equal(rows, np.arange(shape[0]))):
        return equation
    picked_dtype, picked_shape = dtype_of(picked), shape_of(picked)
    if picked_dtype is None or picked_dtype.kind not in "iu" or picked_shape != (shape[0],):
        return equation
    if isinstance(picked, Value):
        if not _known_entries(picked, shape[1], substitute.checks):
            substitute.checks.append(Check(check_entries, picked, (shape[1],)))
    elif not np.all((picked >= 0) & (picked < shape[1])):
        return equation
    column = {"index": (slice(None), None)}
    ct_column, picked_column = (Value((shape[0], 1), dtype_of(atom)) for atom in (ct, picked))  # type: ignore[arg-type]
    chosen = Value(shape, np.dtype(bool))
    classes = np.arange(shape[1])
    classes.flags.writeable = False
    substitute.keep(rewritten(equation, operator.getitem, (ct,), column, ct_column))
    substitute.keep(rewritten(equation, operator.getitem, (picked,), column, picked_column))
    substitute.keep(rewritten(equation, np.equal, (picked_column, classes), {}, chosen))
    return rewritten(equation, np.multiply, (ct_column, chosen))


def _known_entries(value: Value, count: int, checks: Iterable[Check]) -> bool:
    known = (check_labels, check_entries)
    return any(check.value is value and check.function in known and check.details[0] <= count for check in checks)


def check_entries(picked: Any, count: int) -> None:
    """Raise `LabelError` unless all of `picked`, the entry to pick in each row of `count`, are in `range(count)`."""
    bad = (picked < 0) | (picked >= count)
    if bad.any():
        row = int(np.argmax(bad))
        raise LabelError(
            f"entry {picked[row]} is picked in row {row} of {count} entries; in a captured step, entries are numbered "
            f"0 to {count - 1}: write index % {count} for indices from the end"
        )


SHORTER: dict[Callable[..., Any], Callable[[Equation, Substitution], Equation | Atom]] = {
    np.multiply: _product,
    np.divide: _product,
    np.power: _power,
    np.add: _sum,
    np.subtract: _difference,
    np.negative: _negative,
    np.positive: _unchanging,
    np.ndarray.astype: _unchanging,
    np.broadcast_to: _unchanging,
    np.reshape: _reshape,
    np.sum: _reduction,
    np.max: _reduction,
    np.min: _reduction,
    np.mean: _reduction,
    np.transpose: _transpose,
    scatter: _scatter,
}
