"""Code for reductions, into buffers or to numbers; short rows are reduced column by column."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autograd_spiral.program.ir import Equation, Value
from autograd_spiral.program.running.axis_order import NARROW
from autograd_spiral.program.running.buffers import Array
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.kernels.kernel import MANY

__all__ = ["REDUCTIONS", "write_reduction"]

REDUCTIONS = {np.sum: np.add, np.max: np.maximum, np.min: np.minimum, np.all: np.logical_and, np.any: np.logical_or}

_SHORT = 4
"""Axes of at most this many elements are combined slice by slice."""

_FEW = 1024
"""Up to this many elements are summed faster by a dot product with ones, which starts from 0, as np.sum does."""

_POSITIVE = (np.exp, np.square, np.absolute)
"""Functions that never return -0.0."""


def write_reduction(code: Code, position: int, equation: Equation) -> None:
    """Write the lines for a reduction."""
    output, x, ufunc = equation.output, equation.inputs[0], REDUCTIONS[equation.function]
    if output.ndim == 0:
        _write_total(code, equation)
        return
    axis, keepdims = equation.params["axis"], equation.params["keepdims"]
    reduce = code.bind(ufunc.reduce, "reduce")
    if output in code.results:
        code.new(output, f"{reduce}({code.text(x)}, {axis}, None, None, {keepdims})")
        return
    buffer = code.layout.buffer(output, position)
    if isinstance(x, Value) and _sums_short_rows(code, equation, x):
        array = code.layout.array[x]
        ones = code.bind(np.ones(x.shape[1], x.dtype))
        code.lines.append(f"{code.bind(array.dot, 'dot')}({ones}, {code.bind(buffer.reshape(-1))})")
    elif isinstance(x, Value) and _combines_slices(code, equation, x):
        _combine(code, ufunc, _slices(code.layout.array[x], axis), buffer)
        may_be_negative = code.program.equations[code.layout.position[x]].function not in _POSITIVE
        if ufunc is np.add and output.dtype.kind == "f" and may_be_negative:
            code.line(np.add, f"{code.bind(buffer)}, 0.0", buffer)  # NumPy's sums begin with 0, and 0 + -0.0 is 0.0
    else:
        code.lines.append(f"{reduce}({code.text(x)}, {axis}, None, {code.bind(buffer)}, {keepdims})")


def _write_total(code: Code, equation: Equation) -> None:
    """Write the lines for a reduction to a number; a contiguous array is reduced as one flat row."""
    output, x = equation.output, equation.inputs[0]
    reduce, flat = code.bind(REDUCTIONS[equation.function].reduce, "reduce"), code.flat(x)
    if flat is None:
        code.new(output, f"{reduce}({code.text(x)}, None)")
        return
    elements, _ = flat
    few = 1 < elements.size <= _FEW and elements.dtype.char in "fd" and elements.dtype == output.dtype
    if few and equation.function is np.sum:
        ones = code.bind(np.ones(elements.size, elements.dtype))
        code.new(output, f"{code.bind(elements.dot, 'dot')}({ones})")
    else:
        code.new(output, f"{reduce}({code.bind(elements)})")


def _sums_short_rows(code: Code, equation: Equation, x: Value) -> bool:
    """Whether this sums short rows of a matrix in a buffer: BLAS multiplies the matrix by ones."""
    if equation.function is not np.sum or equation.params["axis"] != (1,) or code.flat(x) is None:
        return False
    real = x.dtype.char in "fd" and x.dtype == equation.output.dtype
    return real and x.ndim == 2 and 1 < x.shape[1] <= NARROW


def _combines_slices(code: Code, equation: Equation, x: Value) -> bool:
    """Whether this reduces short axes, for which NumPy would run many short loops, and keeps the dtype."""
    axes = equation.params["axis"]
    lengths = [x.shape[axis] for axis in axes]
    if x not in code.layout.array or x.dtype != equation.output.dtype or not 2 <= math.prod(lengths) <= _SHORT**2:
        return False
    if x.ndim == 2:
        return axes == (1,) and lengths[0] <= min(_SHORT, x.shape[0] - 1) and x in code.layout.column_major
    return max(lengths) <= _SHORT and x.size >= MANY and 0 not in axes


def _slices(array: Array, axes: tuple[int, ...]) -> list[Array]:
    """Return the parts of `array` that are combined: one for each position along the reduced `axes`."""
    last = np.moveaxis(array, axes, range(-len(axes), 0))
    return [last[(..., *place)] for place in np.ndindex(last.shape[-len(axes) :])]


def _combine(code: Code, ufunc: np.ufunc, parts: Sequence[Array], out: Array) -> None:
    """Combine the parts one by one: each takes one long loop, while NumPy's reduction would run many short loops."""
    out = out.reshape(parts[0].shape)
    before = code.bind(parts[0])
    for part in parts[1:]:
        code.line(ufunc, f"{before}, {code.bind(part)}", out, keyword=True)
        before = code.bind(out)
