"""The table of kernels, and the pass that puts them into a program before it is replayed.

A program with kernels can still be evaluated equation by equation, since each kernel has a body in NumPy. BLAS computes
products and sums over rows, so terms are added up in another order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Program, Value, dtype_of, shape_of
from autograd_spiral.program.passes.entries import counts, is_checked
from autograd_spiral.program.passes.factors import with_factors_collected
from autograd_spiral.program.passes.patterns import Match
from autograd_spiral.program.passes.split import with_means_as_sums
from autograd_spiral.program.running.buffers import aligned
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.kernels.affine import AFFINE, MASKED_PRODUCT_AND_SUMS, PRODUCT_AND_SUMS
from autograd_spiral.program.running.kernels.kernel import MANY, Kernel, Order, is_real
from autograd_spiral.program.running.matrices import with_matrices
from autograd_spiral.program.running.operands import with_fast_operands

__all__ = ["KERNELS", "with_kernels"]

# --- sums -----------------------------------------------------------------------------------------------------------

_FLOAT32 = 2**14
"""BLAS, which adds up one by one, gets at most this many float32 numbers; for more, NumPy's pairwise sums are
better."""


def sum_of_squares(x: Any) -> Any:
    """Return `np.sum(np.square(x))`, computed by BLAS."""
    return np.sum(np.square(x))


def _when_sum_of_squares(match: Match, x: Atom) -> bool:
    return is_real(x) and (dtype_of(x) == np.float64 or math.prod(shape_of(x)) <= _FLOAT32)


def _write_sum_of_squares(code: Code, position: int, equation: Equation) -> None:
    (x,) = equation.inputs
    flat = code.flat(x)
    if flat is None:
        code.new(equation.output, f"{code.bind(np.vdot, 'f')}({code.text(x)}, {code.text(x)})")
    else:
        elements, _ = flat
        code.new(equation.output, f"{code.bind(elements.dot, 'dot')}({code.bind(elements)})")


SUM_OF_SQUARES = Kernel(sum_of_squares, _when_sum_of_squares, _write_sum_of_squares)


def column_sums(x: Any) -> Any:
    """Return the sums of the columns of x (N, H) as a row (1, H), computed by BLAS."""
    return np.sum(x, axis=0, keepdims=True)


def _when_column_sums(match: Match, x: Atom) -> bool:
    return len(shape_of(x)) == 2 and math.prod(shape_of(x)) >= MANY and is_real(x)


def _write_column_sums(code: Code, position: int, equation: Equation) -> None:
    (x,), output = equation.inputs, equation.output
    ones = np.ones((*output.shape[:-1], shape_of(x)[0]), output.dtype)
    if output in code.results:
        code.new(output, f"{code.bind(ones.dot, 'dot')}({code.text(x)})")
    else:
        code.line(ones.reshape(-1).dot, code.text(x), code.layout.buffer(output, position).reshape(-1))


COLUMN_SUMS = Kernel(column_sums, _when_column_sums, _write_column_sums)


def vector_of_column_sums(x: Any) -> Any:
    """Return the sums of the columns of x (N, H) as a vector (H,), computed by BLAS."""
    return np.sum(x, axis=0)


VECTOR_OF_COLUMN_SUMS = Kernel(vector_of_column_sums, _when_column_sums, _write_column_sums)

# --- one entry of each row ------------------------------------------------------------------------------------------


def _picks_from_rows(match: Match, x: Atom, index: Atom) -> bool:
    """Whether `index` has one entry for each row of a matrix x, and these are checked to be in range."""
    shape = shape_of(x)
    if not (isinstance(index, Value) and len(shape) == 2 and index.shape == shape[:1]):
        return False
    fits = index.dtype.kind in "iu" and np.can_cast(index.dtype, np.intp)
    return fits and is_checked(index, shape[1], match.builder)


def _flat_index(code: Code, index: Atom, shape: tuple[int, ...], by_row: bool) -> str:
    """Return the name of the flat indices of the entries that `index` picks, one from each row of a matrix."""
    rows, columns = shape
    key = "flat index", index, shape, by_row
    if key not in code.shared:
        flat = code.shared[key] = code.bind(aligned((rows,), np.dtype(np.intp)))
        stride = code.bind(np.asarray(1 if by_row else rows, np.intp))
        code.line(np.multiply, f"{code.text(index)}, {stride}", flat)
        code.line(np.add, f"{flat}, {code.bind(np.arange(rows) * (columns if by_row else 1))}", flat)
    return code.shared[key]


def pick(x: Any, rows: Any, index: Any) -> Any:
    """Return `x[rows, index]` for all rows in order; replay takes entries of the flat array."""
    return x[rows, index]


def _when_pick(match: Match, x: Atom, rows: Atom, index: Atom) -> bool:
    return _picks_from_rows(match, x, index) and counts(rows, shape_of(x)[0])


def _write_pick(code: Code, position: int, equation: Equation) -> None:
    x, _, index = equation.inputs
    flat = code.flat(x)
    if flat is None:
        code.new(equation.output, f"{code.bind(equation.function, 'f')}({code.texts(equation.inputs)})")
        return
    elements, by_row = flat
    take, indices = code.bind(elements.take, "take"), _flat_index(code, index, shape_of(x), by_row)
    if equation.output in code.results:
        code.new(equation.output, f"{take}({indices})")
    else:
        out = code.bind(code.layout.buffer(equation.output, position))
        code.lines.append(f"{take}({indices}, None, {out}, 'clip')")  # all indices are in range: 'clip' saves a check


PICK = Kernel(pick, _when_pick, _write_pick, Order.COLUMNS)


def less_one_hot(x: Any, index: Any, columns: Any) -> Any:
    """Return `x - (index[:, None] == columns)`, where `columns` has the numbers of the columns of x.

    Replay subtracts 1 from one entry of each row.
    """
    return x - (index[:, None] == columns)


def _when_less_one_hot(match: Match, x: Atom, index: Atom, columns: Atom) -> bool:
    real = is_real(x, match.equation.output)
    return real and _picks_from_rows(match, x, index) and counts(columns, shape_of(x)[1])


def _write_less_one_hot(code: Code, position: int, equation: Equation) -> None:
    x, index, _ = equation.inputs
    if equation.output in code.results:
        code.new(equation.output, f"{code.bind(equation.function, 'f')}({code.texts(equation.inputs)})")
        return
    out = code.layout.buffer(equation.output, position, (x,))
    if code.array(x) is not out:
        code.copy(out, code.text(x))
    by_row = bool(out.flags.c_contiguous)
    elements = out.reshape(-1, order="C" if by_row else "F")
    indices = _flat_index(code, index, shape_of(x), by_row)
    code.lines.append(f"{code.bind(elements)}[{indices}] -= 1")


LESS_ONE_HOT = Kernel(less_one_hot, _when_less_one_hot, _write_less_one_hot, Order.SAME)

# --- the table ------------------------------------------------------------------------------------------------------

KERNELS = (
    AFFINE,
    PRODUCT_AND_SUMS,
    SUM_OF_SQUARES,
    COLUMN_SUMS,
    VECTOR_OF_COLUMN_SUMS,
    PICK,
    LESS_ONE_HOT,
    MASKED_PRODUCT_AND_SUMS,
)
"""Kernels are matched in this order: PRODUCT_AND_SUMS uses the matches of AFFINE, for example."""


def with_kernels(program: Program) -> Program:
    """Return `program` with kernels wherever they are faster than what they replace."""
    program = with_fast_operands(with_matrices(with_factors_collected(with_means_as_sums(program))))
    for kernel in KERNELS:
        program = kernel.select(program)
    return program
