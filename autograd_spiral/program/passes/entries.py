"""Picking one entry from each row, and the adjoint; both rely on checks that the indices are in range."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from autograd_spiral.engine.frozen import frozen
from autograd_spiral.errors import LabelError
from autograd_spiral.program.ir import Atom, Check, Equation, Value, dtype_of, shape_of
from autograd_spiral.program.passes.builder import Builder, rewritten
from autograd_spiral.vocabulary.labels import check_labels
from autograd_spiral.vocabulary.signatures import ARRAY

__all__ = ["check_entries", "counts", "is_checked", "scatter_by_comparison"]


def check_entries(picked: Any, count: int) -> None:
    """Raise `LabelError` unless all of `picked`, the entry to pick in each row of `count`, are in `range(count)`."""
    bad = (picked < 0) | (picked >= count)
    if bad.any():
        row = int(np.argmax(bad))
        raise LabelError(
            f"entry {picked[row]} is out of range in row {row}: in a captured step, the {count} entries of a row are "
            f"numbered 0 to {count - 1}; write index % {count} to count from the end"
        )


def counts(atom: Atom, n: int) -> bool:
    """Return whether `atom` is the constant array `np.arange(n)`."""
    return isinstance(atom, np.ndarray) and np.array_equal(atom, np.arange(n))


def is_checked(index: Value, count: int, builder: Builder) -> bool:
    """Return whether the program checks that all of `index` are in `range(count)`."""
    known = (check_labels, check_entries)
    return any(check.function in known and check.details[0] <= count for check in builder.checks.get(index, ()))


def scatter_by_comparison(equation: Equation, builder: Builder) -> Equation | None:
    """Return `ct[:, None] * (picked[:, None] == np.arange(count))` for the adjoint of picking one entry per row."""
    shape, index = equation.params["shape"], equation.params["index"]
    if index != (ARRAY, ARRAY) or len(shape) != 2:
        return None
    ct, rows, picked = equation.inputs
    if not counts(rows, shape[0]):
        return None
    ct_dtype, dtype = dtype_of(ct), dtype_of(picked)
    if ct_dtype is None or dtype is None or dtype.kind not in "iu" or shape_of(picked) != (shape[0],):
        return None
    if isinstance(picked, Value):
        if not is_checked(picked, shape[1], builder):
            builder.add_check(Check(check_entries, picked, (shape[1],)))
    elif not np.all((picked >= 0) & (picked < shape[1])):
        return None
    column = {"index": (slice(None), None)}
    ct_column, picked_column = Value((shape[0], 1), ct_dtype), Value((shape[0], 1), dtype)
    chosen = Value(shape, np.dtype(bool))
    classes = frozen(np.arange(shape[1]))
    builder.add(rewritten(equation, operator.getitem, ct, output=ct_column, **column))
    builder.add(rewritten(equation, operator.getitem, picked, output=picked_column, **column))
    builder.add(rewritten(equation, np.equal, picked_column, classes, output=chosen))
    return rewritten(equation, np.multiply, ct_column, chosen)
