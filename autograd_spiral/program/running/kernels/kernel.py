"""What a kernel is: a NumPy expression that replay computes in a faster way."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np

from autograd_spiral.engine.calls import overridable
from autograd_spiral.engine.table import Primitive
from autograd_spiral.program.ir import Atom, Equation, Program, dtype_of
from autograd_spiral.program.passes.builder import Builder, rebuilt, rewritten
from autograd_spiral.program.passes.patterns import Pattern
from autograd_spiral.program.passes.pipeline import without_dead_code

__all__ = ["MANY", "Kernel", "Order", "is_real"]

MANY = 1024
"""With fewer elements than this, the calls cost more than the computation."""

Function = Callable[..., Any]


class Order(Enum):
    """The order of axes in memory with which a function of matrices is fastest."""

    ANY = "whatever order they have"
    SAME = "the result and the operands of its shape in one order"
    PRODUCT = "all column by column, if one side of the product is narrow"
    COLUMNS = "the first two operands column by column"


class Kernel(Primitive):
    """A row of the table of kernels: the complete description of one kernel.

    `body` is the kernel in NumPy, and also the pattern that it replaces. The pattern is replaced wherever
    `when(match, *atoms)` is true and nothing else reads the intermediate values. `write(code, position, equation)`
    writes the lines for replay, and `order` is the memory order with which the kernel is fastest. `ones` says that the
    kernel computes with `[x 1]`, its first operand x with a column of ones, and that its result may be written into any
    array.
    """

    def __init__(
        self, body: Function, when: Function, write: Function, order: Order = Order.ANY, *, ones: bool = False
    ) -> None:
        self.pattern = Pattern(body)
        self.when, self.write, self.order, self.ones = when, write, order, ones
        super().__init__(overridable(body), (None,) * len(self.pattern.variables))

    def select(self, program: Program) -> Program:
        """Return `program` with this kernel wherever it applies."""

        def selected(equation: Equation, builder: Builder) -> Equation:
            for match, atoms in self.pattern.matches(equation, builder):
                if match.alone and self.when(match, *atoms):
                    return rewritten(equation, self, *atoms)
            return equation

        functions = {equation.function for equation in program.equations}
        return without_dead_code(rebuilt(program, selected)) if self.pattern.function in functions else program


def is_real(*atoms: Atom) -> bool:
    """Whether all are float64, or all float32."""
    dtypes = {dtype_of(atom) for atom in atoms}
    return len(dtypes) == 1 and dtypes <= {np.dtype(np.float64), np.dtype(np.float32)}
