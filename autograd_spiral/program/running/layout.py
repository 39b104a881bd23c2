"""The layout of a replay: which memory each value of a program is kept in, and until when.

A block of memory is used again as soon as nothing reads what is in it, and an elementwise result takes the place of an
operand that dies. What an affine map reads is kept with a column of ones beside it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Program, Value
from autograd_spiral.program.running.buffers import Array, Block, Memory, aligned, column_ordered
from autograd_spiral.program.running.kernels import AFFINE

__all__ = ["VIEWS", "Layout"]

VIEWS = (np.transpose, np.reshape, np.broadcast_to, operator.getitem)
"""What may give a view of its operand; `operator.getitem` with slices and numbers alone."""


class Layout:
    """Where the values of `program` are, decided as its equations are written, one position after the other.

    `array` has the values that are in buffers, or are views of these; all others are new at each call.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.columns = column_ordered(program)  # what is kept column by column
        self.memory = Memory()
        self.array: dict[Value, Array] = {}
        self.augmented: dict[Value, Array] = {}  # from x to `[x 1]`, in which `array[x]` is
        self.last = self._last_reads()
        self._block: dict[Value, Block] = {}  # of each value that is a view or a whole of a block: that block
        self._whole: set[Value] = set()  # values that are all of their block
        self._ends: dict[Block, int] = {}  # the last equation that reads a block
        self._shown = {value for e in program.equations if e.function in VIEWS for value in e.reads()}
        self._constants: dict[tuple[int, bool], Array] = {}  # in the order of axes that they are read in
        self._augment()

    def _last_reads(self) -> dict[Value, int]:
        """The position of the last equation that reads each value; results are read at the end."""
        last: dict[Value, int] = {}
        for position, equation in enumerate(self.program.equations):
            last[equation.output] = position
            for value in equation.reads():
                last[value] = position
        for value in self.program.results():
            last[value] = len(self.program.equations)
        return last

    def buffer(self, value: Value, position: int, operands: Iterable[Atom] = ()) -> Array:
        """The buffer for a result; one of `operands`, of an elementwise function, if it dies with this equation."""
        if value in self.array:  # decided beforehand
            return self.array[value]
        values = [atom for atom in operands if isinstance(atom, Value)]
        for operand in values:
            alike = operand.shape == value.shape and operand.dtype == value.dtype and operand in self.array
            if not (alike and self._dies(operand, position) and (operand in self.columns) == (value in self.columns)):
                continue
            if all(v is operand or self._block.get(v) is not self._block[operand] for v in values):
                self.array[value] = self.array[operand]
                self._whole.add(value)
                self._hold(value, self._block[operand])
                return self.array[value]
        block = self.memory.take(value)
        self.array[value] = block.array(value, "F" if value in self.columns else "C")
        self._whole.add(value)
        self._hold(value, block)
        return self.array[value]

    def show(self, value: Value, of: Value, view: Array) -> None:
        """Keep `value` as a view of what `of` is kept in."""
        self.array[value] = view
        if of in self._block:
            self._hold(value, self._block[of])

    def in_order(self, atom: Atom, output: Value) -> Atom:
        """`atom`, if it is a constant array of the shape of `output`, in the order of axes in which that is kept."""
        if not isinstance(atom, np.ndarray) or atom.shape != output.shape or atom.size == 1:
            return atom
        key = id(atom), output in self.columns
        if key not in self._constants:
            ordered = aligned(atom.shape, atom.dtype, "F" if output in self.columns else "C")
            ordered[...] = atom
            self._constants[key] = ordered
        return self._constants[key]

    def release(self, position: int) -> None:
        """Give back the blocks that nothing reads after the equation at `position`."""
        for block in [block for block, end in self._ends.items() if end <= position]:
            del self._ends[block]
            self.memory.free(block)

    def _hold(self, value: Value, block: Block) -> None:
        """Keep `block` until `value` has been read for the last time."""
        self._block[value] = block
        self._ends[block] = max(self._ends.get(block, -1), self.last[value])

    def _dies(self, value: Value, position: int) -> bool:
        block = self._block.get(value)
        return block is not None and value in self._whole and self._ends[block] == position

    # --- room for a column of ones --------------------------------------------------------------------------------

    def _augment(self) -> None:
        """Room for `[x 1]` wherever an affine map needs it: for what is given, and what can be computed there."""
        made = {equation.output: equation for equation in self.program.equations}
        results = set(self.program.results())
        for equation in self.program.equations:
            x = equation.inputs[0] if equation.primitive is AFFINE else None
            if not isinstance(x, Value) or x in self.augmented:
                continue
            producer = made.get(x)
            if producer is not None and (x not in self.columns or not _computes(producer) or x in results):
                continue
            whole = self.augmented[x] = aligned((x.shape[0], x.shape[1] + 1), x.dtype, "F")
            whole[:, -1] = 1
            self.array[x] = whole[:, :-1]
            while producer is not None:  # what x is computed from elementwise, and nothing else reads, goes there too
                producer = self._in_place_of(producer, made)

    def _in_place_of(self, equation: Equation, made: dict[Value, Equation]) -> Equation | None:
        position = self.program.equations.index(equation)
        for operand in equation.reads() if equation.elementwise else ():
            producer = made.get(operand)
            if producer is None or operand in self.array or operand not in self.columns or not _computes(producer):
                continue
            if operand in self._shown:  # by a view that may be read later
                continue
            alike = operand.shape == equation.output.shape and operand.dtype == equation.output.dtype
            if alike and self.last[operand] == position:
                self.array[operand] = self.array[equation.output]
                return producer
        return None


def _computes(equation: Equation) -> bool:
    """Whether the equation can write its result anywhere."""
    return isinstance(equation.function, np.ufunc) or equation.primitive is AFFINE
