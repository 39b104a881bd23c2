"""Alarms: conditions under which NumPy might raise an error where XLA returns numbers, in a table by function.

A step computes its alarms along with its results. If one is True, `evaluate` runs the program again, and raises NumPy's
error.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Value, has_dtype, shape_of
from autograd_spiral.program.xla.library import jnp
from autograd_spiral.vocabulary.rules.indexing import scatter
from autograd_spiral.vocabulary.rules.linalg import packed_eigh, packed_qr, packed_svd
from autograd_spiral.vocabulary.signatures import ARRAY

__all__ = ["alarm", "indices", "out_of_bounds"]


_MASK = np.dtype(bool)


def indices(equation: Equation) -> Iterator[tuple[Atom, int]]:
    """Yield the arrays of integers in the index of `equation`, each with the length of the axis that it indexes."""
    if equation.function not in (operator.getitem, scatter):
        return
    shape = equation.params["shape"] if equation.function is scatter else shape_of(equation.inputs[0])
    arrays = iter(equation.inputs[1:])
    items = [next(arrays) if item is ARRAY else item for item in equation.params["index"]]
    axes = [_axes(item) for item in items]
    axis = 0
    for item, count in zip(items, axes, strict=True):
        if isinstance(item, Value | np.ndarray) and not has_dtype(item, _MASK):
            yield item, shape[axis]
        axis += len(shape) - sum(axes) if item is Ellipsis else count


def _axes(item: Any) -> int:
    """Return the number of axes that an item of an index covers; 0 for an Ellipsis, which covers the others."""
    if item is None or item is Ellipsis:
        return 0
    return len(shape_of(item)) if has_dtype(item, _MASK) else 1


def out_of_bounds(picked: Any, length: int) -> Any:
    """Return whether any of the indices `picked` is out of bounds for an axis of this length.

    >>> bool(out_of_bounds(np.array([0, -3]), 3)), bool(out_of_bounds(np.array([0, 3]), 3))
    (False, True)
    """
    return ((picked < -length) | (picked >= length)).any()


def alarm(equation: Equation, out: Any, operands: Sequence[Any], known: Collection[Value]) -> Any:
    """Return whether NumPy might raise an error when `equation` computes `out`; None if it never does.

    Indices that are `known` before the step runs are skipped, since they are checked at that time.
    """
    if equation.function in (operator.getitem, scatter):
        traced = {atom: x for atom, x in zip(equation.inputs, operands, strict=True) if isinstance(atom, Value)}
        found = [
            out_of_bounds(jnp.asarray(traced[atom], int), length)
            for atom, length in indices(equation)
            if isinstance(atom, Value) and atom not in known
        ]
        return jnp.stack(found).any() if found else None
    row = _ROWS.get(equation.function)
    return row and row(equation, out, *operands)


def _not_finite(equation: Equation, out: Any, *operands: Any) -> Any:
    """Return whether any entry is not finite, as for a singular matrix, or when an algorithm does not converge."""
    return ~jnp.isfinite(out).all()


def _negative_exponent(equation: Equation, out: Any, x: Any, y: Any) -> Any:
    return jnp.asarray(y < 0).any() if equation.output.dtype.kind in "iu" else None


def _choice_out_of_range(equation: Equation, out: Any, index: Any, *choices: Any) -> Any:
    return jnp.asarray((index < 0) | (index >= len(choices))).any()


def _only_nan(equation: Equation, out: Any, x: Any) -> Any:
    x = jnp.asarray(x)
    return jnp.isnan(x).all(axis=equation.params["axis"]).any() if x.dtype.kind == "f" else None


_SOLVERS = (np.linalg.inv, np.linalg.solve, np.linalg.pinv, np.linalg.cholesky, packed_eigh, packed_svd, packed_qr)

_ROWS: dict[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys(_SOLVERS, _not_finite),
    **dict.fromkeys((np.nanargmax, np.nanargmin), _only_nan),
    np.power: _negative_exponent,
    np.choose: _choice_out_of_range,
}
