"""Writes products and sums of arrays with several axes as products and sums of matrices, which BLAS computes.

In each operand, all axes that are summed over become one axis, and so do all other axes. `np.einsum` does the same, but
if the axes of an operand are in another order, it copies the operand in each call. Here, the matrices are views, or are
copied once for all products that read them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_spiral.engine.frozen import frozen
from autograd_spiral.program.ir import Atom, Equation, Program, Value, shape_of
from autograd_spiral.program.passes.builder import Builder, rebuilt, rewritten
from autograd_spiral.program.passes.patterns import ANY, Match, Pattern
from autograd_spiral.program.passes.pipeline import without_dead_code
from autograd_spiral.program.running.kernels.kernel import is_real

__all__ = ["with_matrices"]

_ROWS = 48
"""Matrices with at least this many rows are multiplied just as fast one by one, since each of them stays in the
cache."""


def with_matrices(program: Program) -> Program:
    """Return `program` with products of arrays, and sums over all axes but the last, rewritten for matrices."""
    if not any(equation.function in _FUNCTIONS for equation in program.equations):
        return program
    matrices = _Matrices()

    def rewrite(equation: Equation, builder: Builder) -> Equation:
        if equation.function not in _FUNCTIONS or not is_real(*equation.inputs, equation.output):
            return equation
        matrices.equation, matrices.builder = equation, builder
        return _FUNCTIONS[equation.function](matrices)

    return without_dead_code(rebuilt(program, rewrite))


class _Matrices:
    """Rewrites `equation`, and adds to `builder` the equations that the new form needs, each once per program."""

    equation: Equation
    builder: Builder

    def __init__(self) -> None:
        self._known: dict[Any, Atom] = {}

    def einsum(self) -> Equation:
        """Rewrite a product of two operands as a product of matrices, if it sums over just the axes that both have."""
        terms, result = self.equation.params["subscripts"].split("->")
        first, _, second = terms.partition(",")
        shared = set(first) & set(second)
        if not shared or any(len(set(term)) < len(term) for term in (first, second, result)):
            return self.equation
        if set(first) ^ set(second) != set(result):  # this also excludes more than two operands
            return self.equation
        a, b = self.equation.inputs
        of_a, of_b = (dict(zip(*pair, strict=True)) for pair in ((first, shape_of(a)), (second, shape_of(b))))
        if any(of_a[letter] != of_b[letter] for letter in shared):  # an axis is broadcast
            return self.equation
        sizes = of_a | of_b
        if result[:1] and result[0] in second:  # the second operand's axes come first
            a, b, first, second = b, a, second, first
        larger = first if math.prod(shape_of(a)) > math.prod(shape_of(b)) else second
        summed = "".join(letter for letter in larger if letter in shared)
        left, right = ("".join(letter for letter in result if letter in term) for term in (first, second))
        product = self._product(self._oriented(a, first, left, summed), self._oriented(b, second, summed, right))
        if result == left + right:
            return self._instead(product)
        whole = self._reshaped(product, tuple(sizes[letter] for letter in left + right))
        return rewritten(self.equation, np.transpose, whole, axes=tuple(map((left + right).index, result)))

    def matmul(self) -> Equation:
        """Rewrite the product of a stack of matrices and a matrix as a single product of two matrices."""
        x, W = self.equation.inputs
        if len(shape_of(W)) != 2 or not self._is_stack(x):
            return self.equation
        return self._instead(self._product(self._rows(x), W))

    def sum(self) -> Equation:
        """Rewrite a sum over all axes but the last as a sum of columns, and a sum of products as one product."""
        (x,), axes = self.equation.inputs, self.equation.params["axis"]
        depth = len(shape_of(x))
        if depth > 2 and axes == tuple(range(depth - 1)) and self._is_by_row(x):
            return self._instead(self._add(np.sum, shape_of(x)[-1:], self._rows(x), axis=(0,), keepdims=False))
        if depth > 2 and axes == tuple(range(depth - 2)):
            for match, (a, b) in _SUM_OF_PRODUCTS.matches(self.equation, self.builder):
                if self._sums_all_products(match, a, b):
                    return self._instead(self._product(self._transposed(self._rows(a), (1, 0)), self._rows(b)))
        return self.equation

    def _sums_all_products(self, match: Match, a: Atom, b: Atom) -> bool:
        """Whether a match adds up all products of stacks a and b of small matrices, which nothing else reads."""
        (product,) = match.equation.reads()
        (axes,) = (inner.params["axes"] for inner in match.inner if inner.function is np.transpose)
        *stack, rows, columns = range(product.ndim)
        if axes != (*stack, columns, rows) or shape_of(a)[:-1] != shape_of(b)[:-1]:  # no axis is broadcast
            return False
        return self.builder.uses[product] == 1 and self._is_stack(a) and self._is_stack(b)

    def _instead(self, atom: Atom) -> Equation:
        """Return an equation that makes the output of `equation` from the entries of `atom`."""
        return rewritten(self.equation, np.reshape, atom, shape=self.equation.output.shape)

    # --- what is read -------------------------------------------------------------------------------------------------

    def _is_by_row(self, atom: Atom) -> bool:
        """Whether an array is likely to be in C order, so that a matrix of its rows is a view."""
        producer = self.builder.producers.get(atom) if isinstance(atom, Value) else None
        return producer is None or producer.function is not np.transpose

    def _is_stack(self, atom: Atom) -> bool:
        """Whether this is a stack of matrices that are too small to be multiplied one by one."""
        return len(shape_of(atom)) > 2 and shape_of(atom)[-2] < _ROWS and self._is_by_row(atom)

    def _oriented(self, atom: Atom, term: str, rows: str, columns: str) -> Atom:
        """Return `atom`, whose axes are named in `term`, as a matrix; transpose a matrix whose columns come first."""
        if columns and rows and term.index(columns[0]) < term.index(rows[0]):
            return self._transposed(self._oriented(atom, term, columns, rows), (1, 0))
        sizes = dict(zip(term, shape_of(atom), strict=True))
        moved = self._transposed(atom, tuple(map(term.index, rows + columns)))
        return self._reshaped(moved, (math.prod(sizes[i] for i in rows), math.prod(sizes[i] for i in columns)))

    def _rows(self, atom: Atom) -> Atom:
        """Return `atom` as the matrix of all its rows."""
        *rows, columns = shape_of(atom)
        return self._reshaped(atom, (math.prod(rows), columns))

    def _product(self, a: Atom, b: Atom) -> Atom:
        return self._add(np.matmul, (shape_of(a)[0], shape_of(b)[1]), a, b)

    def _transposed(self, atom: Atom, axes: tuple[int, ...]) -> Atom:
        shape = tuple(shape_of(atom)[axis] for axis in axes)
        return atom if axes == tuple(range(len(axes))) else self._add(np.transpose, shape, atom, axes=axes)

    def _reshaped(self, atom: Atom, shape: tuple[int, ...]) -> Atom:
        return atom if shape == shape_of(atom) else self._add(np.reshape, shape, atom, shape=shape)

    def _add(self, function: Any, shape: tuple[int, ...], /, *inputs: Atom, **params: Any) -> Atom:
        """Return the result of `function`; add the equation to the program if it is not there yet."""
        key = function, tuple(atom if isinstance(atom, Value) else id(atom) for atom in inputs), tuple(params.items())
        if key not in self._known:
            output = Value(shape, self.equation.output.dtype)
            equation = rewritten(self.equation, function, *inputs, output=output, **params)
            if any(isinstance(atom, Value) for atom in inputs):
                self.builder.add(equation)
                self._known[key] = output
            else:
                self._known[key] = frozen(np.array(equation.primitive.evaluate(*inputs, **params)))
        return self._known[key]


_FUNCTIONS: dict[Callable[..., Any], Callable[[_Matrices], Equation]] = {
    np.einsum: _Matrices.einsum,
    np.matmul: _Matrices.matmul,
    np.sum: _Matrices.sum,
}

_SUM_OF_PRODUCTS = Pattern(lambda x, y: np.sum(np.matmul(np.transpose(x, ANY), y), ANY))
