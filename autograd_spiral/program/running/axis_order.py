"""The order of axes in memory: which matrices are kept column by column."""

from __future__ import annotations

import operator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.program.ir import Equation, Program, Value, shape_of
from autograd_spiral.program.running.kernels.kernel import Kernel, Order

__all__ = ["NARROW", "column_major"]

NARROW = 16
"""A product with a side of at most this many elements is fastest if the long axis is contiguous."""


def _order_for(equation: Equation) -> Order:
    """Return the order with which the function of `equation` is fastest."""
    if isinstance(equation.primitive, Kernel):
        return equation.primitive.order
    if equation.elementwise or equation.function is np.ndarray.astype:
        return Order.SAME
    return Order.PRODUCT if equation.function is np.matmul else Order.ANY


def column_major(program: Program) -> set[Value]:
    """Return the matrices that are kept column by column.

    This is faster for maxima and sums along short rows, and for products with a narrow side. It is also faster for
    copies of windows, since their columns are pieces of the array. All operands of an elementwise function have the
    same order. The caller's arrays are kept row by row, and so are arrays combined with them elementwise. Arrays that
    are reshaped are kept row by row, too, since NumPy would have to copy them otherwise.
    """
    group: dict[Value, Value] = {}  # union-find

    def find(value: Value) -> Value:
        while group.setdefault(value, value) is not value:
            group[value] = value = group[group[value]]
        return value

    given = {*program.inputs, *program.state, *program.outside}
    wanted: list[Value] = []
    fixed: list[Value] = [value for value in program.results() if value.ndim == 2]
    bases: dict[Value, Value] = {}  # maps a transpose to its matrix
    windows: set[Value] = set()

    for equation in program.equations:
        output, order = equation.output, _order_for(equation)
        matrices = [value for value in equation.reads() if value.ndim == 2]
        of_windows = not windows.isdisjoint(equation.reads())
        if equation.function is sliding_window_view or (equation.function is np.transpose and of_windows):
            windows.add(output)
        elif equation.function is np.transpose and matrices:
            bases[output] = bases.get(matrices[0], matrices[0])
        elif equation.function is operator.getitem and matrices and output.ndim == 2 and len(equation.inputs) == 1:
            group[find(output)] = find(matrices[0])  # a matrix of some of the rows has the same order
            fixed += [output] if matrices[0] in given else []
        elif equation.function is np.reshape and matrices:
            fixed.append(matrices[0])
        elif equation.function is np.reshape and of_windows and output.ndim == 2:
            wanted.append(output)
        elif order is Order.SAME:
            for value in matrices:
                if value.shape == output.shape:
                    if value in given:
                        fixed.append(output)
                    group[find(value)] = find(output)
        elif order is Order.PRODUCT:
            shapes = [shape_of(atom) for atom in equation.inputs[:2]]
            sides = {n for shape in (*shapes, output.shape) for n in shape}
            if all(len(shape) == 2 for shape in shapes) and min(sides) <= NARROW < max(sides):
                wanted += [bases.get(value, value) for value in (*matrices, output)]
        elif order is Order.COLUMNS:
            wanted += matrices[:2]
        if output.ndim == 2 and 1 < output.shape[1] <= NARROW < output.shape[0]:
            wanted.append(output)
    refused = {find(value) for value in fixed}
    chosen = {find(value) for value in wanted if value.shape[0] > value.shape[1]} - refused
    computed = (equation.output for equation in program.equations)
    return {value for value in computed if value.ndim == 2 and find(value) in chosen}
