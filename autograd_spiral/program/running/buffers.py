"""Where replay keeps its values: orders of axes, and memory that values share when they are not alive together.

All buffers are made once, aligned to the processor's cache lines, and live as long as the program.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.program.ir import Program, Value, shape_of
from autograd_spiral.program.running.kernels import (
    AFFINE,
    LESS_ONE_HOT,
    MASKED_PRODUCT_AND_SUMS,
    PICK,
    PRODUCT_AND_SUMS,
)

__all__ = ["Array", "Block", "Memory", "aligned", "column_ordered"]

Array: TypeAlias = NDArray[Any]

_LINE = 64
"""Bytes of a cache line: vector loads across two of them take longer."""

_NARROW = 16
"""A product with a side of so many elements or fewer is fastest when the long axis runs through memory."""


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any], order: str = "C") -> Array:
    """An array of unset elements that begins at a cache line; `order` is that of its axes, as in NumPy."""
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.empty(size + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    array: Array = raw[start : start + size].view(dtype)
    return array.reshape(shape, order=order)  # type: ignore[call-overload, no-any-return]


class Block:
    """A piece of memory that one value after the other is kept in."""

    __slots__ = ("raw",)

    def __init__(self, size: int) -> None:
        self.raw = aligned((size,), np.dtype(np.uint8))

    def array(self, value: Value, order: str) -> Array:
        """The memory as an array for `value`."""
        flat = self.raw[: value.nbytes].view(value.dtype)
        return flat.reshape(value.shape, order=order)  # type: ignore[call-overload, no-any-return]


class Memory:
    """The blocks of a program: `take` one for a value, `free` it after the value's last use."""

    def __init__(self) -> None:
        self._free: list[Block] = []
        self.allocated = 0

    def take(self, value: Value) -> Block:
        """The smallest free block that is large enough and not far larger, or a new one."""
        fitting = [block for block in self._free if value.nbytes <= block.raw.nbytes <= 4 * value.nbytes + 4096]
        if fitting:
            block = min(fitting, key=lambda block: block.raw.nbytes)
            self._free.remove(block)
            return block
        self.allocated += value.nbytes
        return Block(value.nbytes)

    def free(self, block: Block) -> None:
        """Give a block back."""
        self._free.append(block)


def column_ordered(program: Program) -> set[Value]:
    """The matrices that are kept column by column.

    Those are faster where rows are short (maxima and sums along them), and where a product has a narrow side. What is
    combined elementwise has one order; what the caller gives is row by row, and so is what it is combined with.
    """
    group: dict[Value, Value] = {}  # union-find

    def find(value: Value) -> Value:
        while group.setdefault(value, value) is not value:
            group[value] = value = group[group[value]]
        return value

    computed = {equation.output for equation in program.equations}
    given = {*program.inputs, *program.state, *program.outside}
    results = set(program.results())
    wanted: list[Value] = []
    fixed: list[Value] = [value for value in results if value.ndim == 2]
    source: dict[Value, Value] = {}  # from a transpose to what it shows

    for equation in program.equations:
        output = equation.output
        matrices = [value for value in equation.reads() if value.ndim == 2]
        if equation.function is np.transpose and matrices:
            source[output] = source.get(matrices[0], matrices[0])
        elif equation.elementwise or equation.function is np.ndarray.astype or equation.primitive is LESS_ONE_HOT:
            for value in matrices:
                if value.shape == output.shape:
                    if value in given:
                        fixed.append(output)
                    group[find(value)] = find(output)
        elif equation.function is np.matmul or equation.primitive in (AFFINE, PRODUCT_AND_SUMS):
            shapes = [shape_of(atom) for atom in equation.inputs[:2]]
            if all(len(shape) == 2 for shape in shapes):
                sides = {n for shape in (*shapes, output.shape) for n in shape}
                if min(sides) <= _NARROW < max(sides):
                    wanted += [source.get(value, value) for value in (*matrices, output)]
        elif equation.primitive in (PICK, MASKED_PRODUCT_AND_SUMS):
            wanted += matrices[:2]
        if output.ndim == 2 and 1 < output.shape[1] <= _NARROW < output.shape[0]:
            wanted.append(output)
    refused = {find(value) for value in fixed}
    chosen = {find(value) for value in wanted if value.shape[0] > value.shape[1]} - refused
    return {value for value in computed if value.ndim == 2 and find(value) in chosen}
