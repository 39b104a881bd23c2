"""The kernels of affine maps and their gradients: products with a column of ones.

An affine map reads `[x 1]`, which is x with a column of ones added. The layout keeps `[x 1]` in memory, so that the
gradients can read it, too.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Program, Value, dtype_of, shape_of
from autograd_spiral.program.passes.builder import Builder, rewritten
from autograd_spiral.program.passes.patterns import Match, Pattern
from autograd_spiral.program.passes.pipeline import without_dead_code
from autograd_spiral.program.running.buffers import aligned
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.kernels.kernel import MANY, Kernel, Order, is_real

__all__ = ["AFFINE", "MASKED_PRODUCT_AND_SUMS", "PRODUCT_AND_SUMS"]


_WIDE = 32
"""For wider rows, copying x next to a column of ones takes longer than adding the bias to the product."""


def affine(x: Any, W: Any, b: Any) -> Any:
    """Return `x @ W + b` for x (N, D), W (D, H) and a row b; replay computes one product, `[x 1] @ [W; b]`."""
    return np.matmul(x, W) + b


def _when_affine(match: Match, x: Atom, W: Atom, b: Atom) -> bool:
    output, left, right = match.equation.output, shape_of(x), shape_of(W)
    if not (len(left) == len(right) == 2 and output.shape == (left[0], right[1]) and is_real(x, W, b, output)):
        return False
    beside_ones = isinstance(x, Value) and x in match.builder.producers  # otherwise x must be copied next to the ones
    return shape_of(b) in (right[1:], (1, right[1])) and (beside_ones or left[1] <= min(2 * right[1], _WIDE))


def _write_affine(code: Code, position: int, equation: Equation) -> None:
    x, W, b = equation.inputs
    augmented = code.augmented(x)
    if augmented is None:
        product = code.layout.buffer(equation.output, position)
        code.line(np.matmul, code.texts((x, W)), product)
        code.line(np.add, f"{code.bind(product)}, {code.spread(b, product)}", product)
        return
    rows, width = shape_of(W)
    stacked = aligned((rows + 1, width), equation.output.dtype)
    for atom, part in ((W, stacked[:rows]), (b, stacked[rows:])):
        if not isinstance(atom, Value):
            part[...] = atom
            continue
        code.copy(part, code.text(atom))
        if atom in code.local and atom.shape == part.shape:  # from now on, the copy is read
            code.layout.array[atom] = part
    out = code.bind(code.layout.buffer(equation.output, position))
    code.line(np.matmul, f"{code.bind(augmented)}, {code.bind(stacked)}", out)


AFFINE = Kernel(affine, _when_affine, _write_affine, Order.PRODUCT, ones=True)


def product_and_sums(x: Any, y: Any) -> Any:
    """Return `x.T @ y` above the column sums of y, shape (D + 1, H); replay computes one product, `[x 1].T @ y`."""
    return np.concatenate([np.matmul(np.transpose(x), y), np.sum(y, axis=0, keepdims=True)])


class _Joint(Kernel):
    """A kernel that computes the results of several equations at once."""

    product = Pattern(lambda x, y: np.matmul(np.transpose(x), y))
    sums = Pattern(lambda y: np.sum(y, axis=0)), Pattern(lambda y: np.sum(y, axis=0, keepdims=True))

    def select(self, program: Program) -> Program:
        """Return `program` with `x.T @ y` and column sums of y as one product, if `[x 1]` is kept for an affine map."""
        builder, position, sums = Builder(program), dict[Value, int](), dict[Atom, list[Equation]]()
        for i, equation in enumerate(program.equations):
            builder.add(equation)
            position[equation.output] = i
            for _, (y,) in (match for pattern in self.sums for match in pattern.matches(equation, builder)):
                if isinstance(y, Value) and y.ndim == 2:
                    sums.setdefault(y, []).append(equation)
        with_ones = {id(equation.inputs[0]) for equation in program.equations if equation.primitive is AFFINE}
        new: dict[Value, list[Equation]] = {}
        for equation in program.equations:
            for match, (x, y) in self.product.matches(equation, builder):
                if not (isinstance(x, Value) and isinstance(y, Value) and id(x) in with_ones and y in sums):
                    continue
                parts = (equation, *sums[y])
                first = min((part.output for part in parts), key=position.__getitem__)
                if not self.when(match, x, y) or position.get(x, -1) > position[first]:
                    continue  # x might be computed from the sums
                del sums[y]
                rows = x.shape[1]
                both = Value((rows + 1, y.shape[1]), y.dtype)
                new.update((part.output, []) for part in parts)
                new[first].append(rewritten(equation, self, x, y, output=both))
                for part in parts:
                    total = rows if part.output.ndim == 1 else slice(rows, rows + 1)
                    index = slice(0, rows) if part is equation else total
                    new[first].append(rewritten(part, operator.getitem, both, index=(index,)))
        equations = (kept for equation in program.equations for kept in new.get(equation.output, (equation,)))
        return without_dead_code(program.with_equations(tuple(equations)))


def _write_product_and_sums(code: Code, position: int, equation: Equation) -> None:
    x, y = equation.inputs
    out, augmented = code.layout.buffer(equation.output, position), code.augmented(x)
    if augmented is not None:
        code.line(np.matmul, f"{code.bind(augmented.T)}, {code.text(y)}", out)
        return
    ones, sums = np.ones(shape_of(y)[0], equation.output.dtype), out[-1]
    code.line(np.matmul, f"{code.text(x)}.T, {code.text(y)}", out[:-1])
    if sums.flags.c_contiguous:
        code.line(ones.dot, code.text(y), sums)
    else:
        code.line(np.matmul, f"{code.bind(ones)}, {code.text(y)}", sums)


PRODUCT_AND_SUMS = _Joint(product_and_sums, lambda match, x, y: is_real(x, y), _write_product_and_sums, Order.PRODUCT)

_FEW = 12
"""Up to this many columns of products are faster than computing, masking and multiplying the array that they
replace."""


def masked_product_and_sums(x: Any, a: Any, b: Any, m: Any) -> Any:
    """Return `product_and_sums(x, (a @ b) * m)`; for narrow x and a, replay does not compute the (N, H) array `a @ b`.

    With X for `[x 1]`: `Σ_n X[n,d] · m[n,h] · Σ_k a[n,k] · b[k,h] = Σ_k b[k,h] · Σ_n (X[n,d] · a[n,k]) · m[n,h]`.
    """
    return PRODUCT_AND_SUMS.function(x, np.matmul(a, b) * m)


def _when_masked(match: Match, x: Atom, a: Atom, b: Atom, m: Atom) -> bool:
    _, product = match.inner
    doubles = {dtype_of(atom) for atom in (x, a, b, m)} == {np.dtype(np.float64)}
    if not doubles or shape_of(m) != product.output.shape:
        return False  # in narrower dtypes, a product of entries of x and a might overflow
    (rows, inner), (_, width) = shape_of(a), shape_of(b)
    return inner * (shape_of(x)[1] + 1) <= min(_FEW, width // 4) and rows * width >= MANY


def _write_masked(code: Code, position: int, equation: Equation) -> None:
    x, a, b, m = equation.inputs
    left, right = code.array(a), code.augmented(x)
    if left is None or right is None:
        code.new(equation.output, f"{code.bind(equation.function, 'f')}({code.texts(equation.inputs)})")
        return
    (rows, inner), (columns, width), dtype = left.shape, equation.output.shape, equation.output.dtype
    products, sums = aligned((inner, columns, rows), dtype), aligned((inner, columns, width), dtype)
    code.line(np.multiply, f"{code.bind(left.T[:, None])}, {code.bind(right.T)}", products)
    code.line(np.matmul, f"{code.bind(products.reshape(-1, rows))}, {code.text(m)}", sums.reshape(-1, width))
    code.line(np.multiply, f"{code.bind(sums)}, {code.text(b)}[:, None]", sums)
    code.line(np.add.reduce, f"{code.bind(sums)}, 0, None", code.layout.buffer(equation.output, position))


MASKED_PRODUCT_AND_SUMS = Kernel(masked_product_and_sums, _when_masked, _write_masked, Order.COLUMNS)
