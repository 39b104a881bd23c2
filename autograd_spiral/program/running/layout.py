"""The layout of a replay: where in memory each value of a program is kept, and for how long.

A block of memory is reused as soon as no later equation reads its contents, and an elementwise result overwrites an
operand that nothing else reads. The operand x of an affine map `x @ W + b` has a column of ones next to it, so that the
map can read the matrix `[x 1]`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.program.ir import Atom, Equation, Program, Value
from autograd_spiral.program.running.axis_order import NARROW, column_major
from autograd_spiral.program.running.buffers import Array, Block, Memory, aligned
from autograd_spiral.program.running.kernels.kernel import Kernel

__all__ = ["VIEWS", "Layout"]

VIEWS = (np.transpose, np.reshape, np.broadcast_to, operator.getitem, sliding_window_view)
"""The functions that may return a view of their operand; `operator.getitem` does so if the index has no arrays."""


class Layout:
    """The arrays that hold the values of `program`, chosen one by one while its equations are written.

    `array` has the values that are in buffers or are views of buffers; all other values are new arrays at each call.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.column_major = column_major(program)
        self.memory = Memory()
        self.array: dict[Value, Array] = {}
        self.augmented: dict[Value, Array] = {}  # maps x to `[x 1]`; `array[x]` is a view of it
        self.position = {equation.output: i for i, equation in enumerate(program.equations)}
        self.last = self._last_reads()
        self._block: dict[Value, Block] = {}  # the block that a value, or the base of a view, is in
        self._whole: set[Value] = set()  # the values that are not views
        self._ends: dict[Block, int] = {}  # the position of the last equation that reads from a block
        self._ending: dict[int, list[Block]] = {}  # the blocks that may be free after a position
        self.viewed = {value for e in program.equations if e.function in VIEWS for value in e.reads()}
        self._constants: dict[tuple[int, bool], Array] = {}  # copies in the order that is read fastest
        self._augment()

    def _last_reads(self) -> dict[Value, int]:
        """Return the position of the last equation that reads each value; results are read at the end."""
        last = dict(self.position)
        for position, equation in enumerate(self.program.equations):
            last.update(dict.fromkeys(equation.reads(), position))
        last.update(dict.fromkeys(self.program.results(), len(self.program.equations)))
        return last

    def order(self, value: Value) -> str:
        """Return the order of the axes of `value`, as NumPy names it."""
        return "F" if value in self.column_major else "C"

    def buffer(self, value: Value, position: int, operands: Iterable[Atom] = ()) -> Array:
        """Return the buffer for a result; for an elementwise function, it may be the buffer of an operand."""
        if value in self.array:  # decided when the layout was made
            return self.array[value]
        values = [atom for atom in operands if isinstance(atom, Value)]
        for operand in values:
            alike = operand.shape == value.shape and operand.dtype == value.dtype and operand in self.array
            if not (alike and self._dies(operand, position) and self.order(operand) == self.order(value)):
                continue
            block = self._block[operand]
            if all(other is operand or self._block.get(other) is not block for other in values):
                return self._keep(value, self.array[operand], block)
        block = self.memory.take(value)
        return self._keep(value, block.array(value, self.order(value)), block)

    def scratch(self, value: Value, order: str) -> Array:
        """Return memory for a value that only the next line reads: the next buffer may be in the same place."""
        block = self.memory.take(value)
        self.memory.free(block)
        return block.array(value, order)

    def _keep(self, value: Value, array: Array, block: Block) -> Array:
        self.array[value] = array
        self._whole.add(value)
        self._hold(value, block)
        return array

    def show(self, value: Value, base: Value, view: Array) -> None:
        """Make `value` a view of the array of `base`."""
        self.array[value] = view
        if base in self._block:
            self._hold(value, self._block[base])

    def in_order(self, atom: Atom, output: Value) -> Atom:
        """Return `atom`; for a constant array with the shape of `output`, a copy in the memory order of `output`."""
        if not isinstance(atom, np.ndarray) or atom.shape != output.shape or atom.size == 1:
            return atom
        key = id(atom), output in self.column_major
        if key not in self._constants:
            self._constants[key] = aligned(atom.shape, atom.dtype, self.order(output))
            self._constants[key][...] = atom
        return self._constants[key]

    def release(self, position: int) -> None:
        """Free the blocks that nothing reads after the equation at `position`."""
        for block in self._ending.pop(position, ()):
            if self._ends.get(block) == position:
                del self._ends[block]
                self.memory.free(block)

    def _hold(self, value: Value, block: Block) -> None:
        """Keep `block` until `value` has been read for the last time."""
        self._block[value] = block
        end = self._ends[block] = max(self._ends.get(block, -1), self.last[value])
        self._ending.setdefault(end, []).append(block)

    def _dies(self, value: Value, position: int) -> bool:
        block = self._block.get(value)
        return block is not None and value in self._whole and self._ends[block] == position

    # --- room for a column of ones --------------------------------------------------------------------------------

    def _augment(self) -> None:
        """Make room for `[x 1]` wherever a kernel wants it, if x is an input or can be computed there."""
        producers = {equation.output: equation for equation in self.program.equations}
        results = set(self.program.results())
        for equation in self.program.equations:
            x = equation.inputs[0] if _reads_ones(equation) else None
            if not isinstance(x, Value) or x in self.augmented:
                continue
            producer = producers.get(x)
            if producer is not None and (x not in self.column_major or not _can_fill(producer) or x in results):
                continue
            by_row = producer is None and x.shape[1] > NARROW  # an input is by row, and reordering is slow
            shape = x.shape[0], x.shape[1] + 1
            whole = self.augmented[x] = aligned(shape, x.dtype, "C" if by_row else "F")
            whole[:, -1] = 1
            self.array[x] = whole[:, :-1]
            while producer is not None:  # the operands that x overwrites are kept here, too
                producer = self._overwritten(producer, producers)

    def _overwritten(self, equation: Equation, producers: dict[Value, Equation]) -> Equation | None:
        """Make an elementwise `equation` overwrite an operand; return the equation that computes the operand."""
        for operand in equation.reads() if equation.elementwise else ():
            producer = producers.get(operand)
            if producer is None or operand in self.array or operand not in self.column_major or not _can_fill(producer):
                continue
            if operand in self.viewed:  # a view of the operand may be read later
                continue
            alike = operand.shape == equation.output.shape and operand.dtype == equation.output.dtype
            if alike and self.last[operand] == self.position[equation.output]:
                self.array[operand] = self.array[equation.output]
                return producer
        return None


def _reads_ones(equation: Equation) -> bool:
    return isinstance(equation.primitive, Kernel) and equation.primitive.ones


def _can_fill(equation: Equation) -> bool:
    """Whether the result of `equation` can be written into any array."""
    return isinstance(equation.function, np.ufunc) or _reads_ones(equation)
