"""Slow spellings replaced by fast ones, for replay: a pass that brings in primitives of its own.

Each kernel is a plain NumPy function of what it replaces, so a program of kernels can still be evaluated equation by
equation; replay runs most of them in buffers. The order in which terms are added up changes: products and sums over
rows are left to BLAS.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_spiral.engine.table import ARRAY, PRIMITIVES, Primitive
from autograd_spiral.program.ir import Atom, Equation, Program, Value, dtype_of, shape_of
from autograd_spiral.program.passes.entries import check_entries
from autograd_spiral.program.passes.pipeline import without_dead_code
from autograd_spiral.vocabulary.labels import check_labels

__all__ = [
    "AFFINE",
    "COLUMN_SUMS",
    "LESS_ONE_HOT",
    "MASKED_PRODUCT_AND_SUMS",
    "PICK",
    "PRODUCT_AND_SUMS",
    "SUM_OF_SQUARES",
    "respelled",
]


def affine(x: Any, W: Any, b: Any) -> Any:
    """`x @ W + b` for matrices x (N, D) and W (D, H), and a row b: in buffers one product, `[x 1] @ [W; b]`."""
    return np.matmul(x, W) + b


def product_and_sums(x: Any, y: Any) -> Any:
    """`x.T @ y` above the sums of the columns of y, (D + 1, H): in buffers one product, `[x 1].T @ y`."""
    return np.concatenate([np.matmul(x.T, y), np.sum(y, axis=0, keepdims=True)])


def masked_product_and_sums(x: Any, a: Any, b: Any, m: Any) -> Any:
    """`product_and_sums(x, (a @ b) * m)`, in buffers without the (N, H) array `a @ b` where x and a are narrow.

    With X for `[x 1]`: `Σ_n X[n,d] · m[n,h] · Σ_k a[n,k] · b[k,h] = Σ_k b[k,h] · Σ_n (X[n,d] · a[n,k]) · m[n,h]`.
    """
    return product_and_sums(x, np.matmul(a, b) * m)


def column_sums(x: Any) -> Any:
    """The sums of the columns of x (N, H) as a row (1, H), by BLAS."""
    return np.matmul(np.ones((1, len(x)), x.dtype), x)


def sum_of_squares(x: Any) -> Any:
    """`np.sum(x * x)`, by BLAS."""
    return np.vdot(x, x)


def pick(x: Any, index: Any) -> Any:
    """`x[np.arange(len(x)), index]` for an index that is known to be within range: in buffers, of the flat array."""
    return x[np.arange(len(x)), index]


def less_one_hot(x: Any, index: Any) -> Any:
    """`x - (index[:, None] == np.arange(x.shape[1]))`: in buffers, 1 less at one place of each row."""
    return x - (index[:, None] == np.arange(x.shape[1]))


AFFINE = Primitive(affine, (None, None, None))
PRODUCT_AND_SUMS = Primitive(product_and_sums, (None, None))
MASKED_PRODUCT_AND_SUMS = Primitive(masked_product_and_sums, (None, None, None, None))
COLUMN_SUMS = Primitive(column_sums, (None,))
SUM_OF_SQUARES = Primitive(sum_of_squares, (None,))
PICK = Primitive(pick, (None, None))
LESS_ONE_HOT = Primitive(less_one_hot, (None, None))

_CACHED = 2**20
"""Arrays of so many bytes stay in the processor's cache, where reading another array is cheap."""

_FLOAT32 = 2**14
"""So many numbers of single precision are added up by BLAS, in long runs; of more, NumPy's sums in pairs lose less."""

_MANY = 1024
"""Below so many elements, the calls cost more than the work."""


def respelled(program: Program) -> Program:
    """`program` with kernels where they are faster."""
    for respell in (
        _affine,
        _affine_gradients,
        _reductions,
        _entries_of_rows,
        _full_bounds,
        _masks_as_numbers,
        _like_constants,
        _masked_products,
    ):
        program = respell(program)
    return program


class _Reading:
    """What computes each value of a program, and how often it is read."""

    def __init__(self, program: Program) -> None:
        self.made = {equation.output: equation for equation in program.equations}
        self.uses = Counter(value for equation in program.equations for value in equation.reads())
        self.uses.update(program.results())

    def only(self, atom: Atom, function: Callable[..., Any]) -> Equation | None:
        """The equation that computes `atom` by `function`, if nothing else reads that."""
        equation = self.made.get(atom) if isinstance(atom, Value) else None
        alone = equation is not None and equation.function is function and self.uses[equation.output] == 1
        return equation if alone else None


def _by(equation: Equation, primitive: Primitive, *inputs: Atom, **params: Any) -> Equation:
    """`equation` computed another way."""
    return Equation(primitive, inputs, params, equation.output, equation.phase, equation.scope, equation.place)


def _is_real(*atoms: Atom) -> bool:
    dtypes = {dtype_of(atom) for atom in atoms}
    return len(dtypes) == 1 and dtypes <= {np.dtype(np.float64), np.dtype(np.float32)}


def _affine(program: Program) -> Program:
    """`x @ W + b` as one product, where appending a column to x costs less than adding b to every row."""
    reading = _Reading(program)
    equations = []
    for equation in program.equations:
        if equation.function is np.add and len(equation.output.shape) == 2:
            for this, row in (equation.inputs, equation.inputs[::-1]):
                product = reading.only(this, np.matmul)
                if product is None or shape_of(row) not in ((equation.output.shape[1],), (1, equation.output.shape[1])):
                    continue
                x, W = product.inputs
                if product.output.shape != equation.output.shape:  # the product is broadcast, too
                    continue
                small = shape_of(x)[1] <= 2 * shape_of(W)[1] or (isinstance(x, Value) and x in reading.made)
                if _is_real(x, W, row, this) and len(shape_of(x)) == len(shape_of(W)) == 2 and small:
                    equation = _by(equation, AFFINE, x, W, row)
                    break
        equations.append(equation)
    return without_dead_code(program.with_equations(tuple(equations)))


def _affine_gradients(program: Program) -> Program:
    """`x.T @ y` and the column sums of y as one product, where `[x 1]` is there because of an affine map."""
    reading = _Reading(program)
    affine_inputs = (equation.inputs[0] for equation in program.equations if equation.primitive is AFFINE)
    augmented = {x for x in affine_inputs if isinstance(x, Value)}  # of a constant x, no `[x 1]` is kept
    sums: dict[Value, list[Equation]] = {}
    for equation in program.equations:
        y = equation.inputs[0] if equation.inputs else None
        if equation.function is np.sum and equation.params["axis"] == (0,) and isinstance(y, Value) and y.ndim == 2:
            sums.setdefault(y, []).append(equation)
    position = {equation.output: i for i, equation in enumerate(program.equations)}
    joint: dict[Value, Value] = {}  # from y to the product with its column sums
    equations: list[Equation] = []
    instead: dict[Value, tuple[Equation, ...]] = {}
    for equation in program.equations:
        if equation.function is not np.matmul or not isinstance(equation.inputs[1], Value):
            continue
        y = equation.inputs[1]
        left = reading.made.get(equation.inputs[0]) if isinstance(equation.inputs[0], Value) else None
        turned = (
            left is not None and left.function is np.transpose and shape_of(left.inputs[0])[::-1] == left.output.shape
        )
        x = left.inputs[0] if turned and left is not None else None
        if isinstance(x, Value) and x in augmented and y in sums and y not in joint:
            early = min(position[one.output] for one in (equation, *sums[y]))
            if not _is_real(x, y) or position.get(x, -1) > early:
                continue  # the sums may even be what x is computed from
            rows = shape_of(x)[1]
            both = joint[y] = Value((rows + 1, y.shape[1]), y.dtype)
            get = PRIMITIVES[operator.getitem]
            product = Equation(PRODUCT_AND_SUMS, (x, y), {}, both, equation.phase, equation.scope, equation.place)
            parts = [_by(equation, get, both, index=(slice(0, rows),))]
            for total in sums[y]:
                index = (slice(rows, rows + 1),) if total.params["keepdims"] else (rows,)
                parts.append(_by(total, get, both, index=index))
            for part in parts:
                instead[part.output] = ()
            first = min(parts, key=lambda part: position[part.output])
            instead[first.output] = (product, *parts)
    for equation in program.equations:
        equations += instead.get(equation.output, (equation,))
    return without_dead_code(program.with_equations(tuple(equations)))


def _reductions(program: Program) -> Program:
    """Sums of squares, sums of columns and means by faster functions."""
    reading = _Reading(program)
    equations: list[Equation] = []
    for equation in program.equations:
        function, x = equation.function, equation.inputs[0] if equation.inputs else 0
        if function is np.sum and equation.output.ndim == 0 and (square := reading.only(x, np.square)):
            x = square.inputs[0]
            if _is_real(x) and (dtype_of(x) == np.float64 or math.prod(shape_of(x)) <= _FLOAT32):
                equation = _by(equation, SUM_OF_SQUARES, x)
        elif function is np.sum and _sums_columns(equation) and _is_real(x):
            equation = _by(equation, COLUMN_SUMS, x)
        elif function is np.mean and isinstance(x, Value) and _is_real(x) and x.size:
            total = Value(equation.output.shape, equation.output.dtype)
            equations.append(
                Equation(
                    PRIMITIVES[np.sum], (x,), equation.params, total, equation.phase, equation.scope, equation.place
                )
            )
            equation = _by(equation, PRIMITIVES[np.divide], total, x.size // max(equation.output.size, 1))
        equations.append(equation)
    return without_dead_code(program.with_equations(tuple(equations)))


def _sums_columns(equation: Equation) -> bool:
    shape = shape_of(equation.inputs[0])
    whole = len(shape) == 2 and equation.params["axis"] == (0,) and equation.params["keepdims"]
    return whole and shape[0] * shape[1] >= _MANY


def _entries_of_rows(program: Program) -> Program:
    """One entry of each row, picked or made less by 1, by its place in the flat array; for entries that are checked."""
    reading = _Reading(program)
    safe = {
        (check.value, check.details[0]) for check in program.checks if check.function in (check_labels, check_entries)
    }
    equations: list[Equation] = []
    for equation in program.equations:
        primitive, index = None, None
        if equation.function is operator.getitem:
            primitive, index = PICK, _picked(equation)
        elif equation.function is np.subtract:
            primitive, index = LESS_ONE_HOT, _hot(equation, reading)
        if primitive and isinstance(index, Value):
            rows, columns = shape_of(equation.inputs[0])
            narrow = index.dtype.kind in "iu" and np.can_cast(index.dtype, np.intp)
            if narrow and index.shape == (rows,) and any((index, n) in safe for n in range(1, columns + 1)):
                equation = _by(equation, primitive, equation.inputs[0], index)
        equations.append(equation)
    return without_dead_code(program.with_equations(tuple(equations)))


def _picked(equation: Equation) -> Atom | None:
    """`index`, if the equation is `x[np.arange(len(x)), index]`."""
    if equation.params["index"] != (ARRAY, ARRAY) or len(shape_of(equation.inputs[0])) != 2:
        return None
    x, rows, index = equation.inputs
    in_order = isinstance(rows, np.ndarray) and np.array_equal(rows, np.arange(shape_of(x)[0]))
    return index if in_order else None


def _hot(equation: Equation, reading: _Reading) -> Atom | None:
    """`index`, if the equation is `x - (index[:, None] == np.arange(K))` for a matrix x of that shape."""
    x, hot = equation.inputs
    equal = reading.only(hot, np.equal)
    column = reading.only(equal.inputs[0], operator.getitem) if equal else None
    if equal is None or column is None or column.params["index"] != (slice(None), None):
        return None
    index, classes = column.inputs[0], equal.inputs[1]
    of_rows = len(shape_of(index)) == 1 and shape_of(x) == equal.output.shape and _is_real(x, equation.output)
    ordered = isinstance(classes, np.ndarray) and np.array_equal(classes, np.arange(equal.output.shape[-1]))
    return index if of_rows and ordered else None


def _full_bounds(program: Program) -> Program:
    """`np.maximum(x, 0)` with a full array of zeros: NumPy has a faster loop for it than for the number."""
    full: dict[Any, Any] = {}

    def bounded(equation: Equation) -> Equation:
        output = equation.output
        if equation.function not in (np.maximum, np.minimum) or not _MANY <= output.size <= _CACHED / 8:
            return equation
        inputs = list(equation.inputs)
        for i, atom in enumerate(inputs):
            if type(atom) in (int, float) and shape_of(inputs[1 - i]) == output.shape and output.dtype.kind == "f":
                key = (output.shape, output.dtype, repr(atom))
                inputs[i] = full.setdefault(key, np.full(output.shape, atom, output.dtype))
        return _by(equation, equation.primitive, *inputs)

    return program.with_equations(tuple(map(bounded, program.equations)))


def _like_constants(program: Program) -> Program:
    """Integer constants in the dtype of the integers that they are compared with, where they fit: no casts."""

    def alike(equation: Equation) -> Equation:
        if equation.function not in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal):
            return equation
        inputs = list(equation.inputs)
        for i, atom in enumerate(inputs):
            other = inputs[1 - i]
            if (
                isinstance(atom, np.ndarray)
                and isinstance(other, Value)
                and {atom.dtype.kind, other.dtype.kind} <= {"i", "u"}
            ):
                limits = np.iinfo(other.dtype)
                if atom.size and limits.min <= atom.min() and atom.max() <= limits.max:
                    inputs[i] = atom.astype(other.dtype)
        return _by(equation, equation.primitive, *inputs)

    return program.with_equations(tuple(map(alike, program.equations)))


def _masks_as_numbers(program: Program) -> Program:
    """Floats times bools as floats times floats: NumPy casts the bools faster beforehand than along the way."""
    equations: list[Equation] = []
    numbers: dict[tuple[Value, np.dtype[Any]], Value] = {}
    for equation in program.equations:
        output = equation.output
        if equation.function is np.multiply and output.dtype.kind == "f" and _MANY <= output.size <= _CACHED / 8:
            inputs = list(equation.inputs)
            for i, mask in enumerate(inputs):
                if (
                    isinstance(mask, Value)
                    and mask.dtype == bool
                    and mask.shape == output.shape == shape_of(inputs[1 - i])
                ):
                    key = mask, output.dtype
                    if key not in numbers:
                        numbers[key] = Value(mask.shape, output.dtype)
                        cast = PRIMITIVES[np.ndarray.astype]
                        equations.append(Equation(cast, (mask,), {"dtype": output.dtype}, numbers[key], equation.phase))
                    inputs[i] = numbers[key]
            equation = _by(equation, equation.primitive, *inputs)
        equations.append(equation)
    return program.with_equations(tuple(equations))


_FEW = 12
"""So many columns of products cost less than to make, mask and multiply the product that they stand for."""


def _masked_products(program: Program) -> Program:
    """`x.T @ ((a @ b) * m)` with the mask multiplied first, where x and a are much narrower than m."""
    reading = _Reading(program)
    equations = []
    for equation in program.equations:
        if equation.primitive is PRODUCT_AND_SUMS and (masked := reading.only(equation.inputs[1], np.multiply)):
            x = equation.inputs[0]
            for product, m in (masked.inputs, masked.inputs[::-1]):
                made = reading.only(product, np.matmul)
                if made is None or {dtype_of(atom) for atom in (*made.inputs, m, x)} != {np.dtype(np.float64)}:
                    continue  # in narrower dtypes, a product of entries of x and a might overflow
                if shape_of(m) != made.output.shape:
                    continue
                (rows, inner), (_, width) = map(shape_of, made.inputs)
                columns = inner * (shape_of(x)[1] + 1)
                if columns <= min(_FEW, width // 4) and rows * width >= _MANY:
                    equation = _by(equation, MASKED_PRODUCT_AND_SUMS, x, *made.inputs, m)
                    break
        equations.append(equation)
    return without_dead_code(program.with_equations(tuple(equations)))
