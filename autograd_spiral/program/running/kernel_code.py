"""The code of kernels, and of functions that fill a buffer: one writer for each, of one line or a few."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_spiral.engine.table import ARRAY
from autograd_spiral.program.ir import Atom, Equation, Value, shape_of
from autograd_spiral.program.running.buffers import aligned
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.kernels import (
    AFFINE,
    COLUMN_SUMS,
    LESS_ONE_HOT,
    MASKED_PRODUCT_AND_SUMS,
    PICK,
    PRODUCT_AND_SUMS,
    SUM_OF_SQUARES,
)
from autograd_spiral.vocabulary.rules import scatter

__all__ = ["FILLS", "KERNELS"]

Writer = Callable[[Code, int, Equation], None]

# --- kernels --------------------------------------------------------------------------------------------------------


def _affine(code: Code, position: int, equation: Equation) -> None:
    x, W, b = equation.inputs
    augmented = code.layout.augmented.get(x) if isinstance(x, Value) else None
    if augmented is None:
        out = code.bind(code.layout.buffer(equation.output, position))
        code.line(np.matmul, code.texts((x, W)), out)
        code.line(np.add, f"{out}, {code.text(b)}", out)
        return
    rows, width = shape_of(W)
    stacked = aligned((rows + 1, width), equation.output.dtype)
    for atom, part in ((W, stacked[:rows]), (b, stacked[rows:])):
        if not isinstance(atom, Value):
            part[...] = atom
            continue
        code.copy(part, code.text(atom))
        if atom in code.local and atom.shape == part.shape:  # from here on, its copy is at hand
            code.layout.array[atom] = part
    out = code.bind(code.layout.buffer(equation.output, position))
    code.line(np.matmul, f"{code.bind(augmented)}, {code.bind(stacked)}", out)


def _product_and_sums(code: Code, position: int, equation: Equation) -> None:
    x, y = equation.inputs
    out = code.layout.buffer(equation.output, position)
    if isinstance(x, Value) and x in code.layout.augmented:
        code.line(np.matmul, f"{code.bind(code.layout.augmented[x].T)}, {code.text(y)}", out)
        return
    ones = np.ones((1, shape_of(y)[0]), equation.output.dtype)
    code.line(np.matmul, f"{code.text(x)}.T, {code.text(y)}", out[:-1])
    code.line(np.matmul, f"{code.bind(ones)}, {code.text(y)}", out[-1:])


def _masked_product_and_sums(code: Code, position: int, equation: Equation) -> None:
    x, a, b, m = equation.inputs
    left, right = code.array(a), code.layout.augmented.get(x) if isinstance(x, Value) else None
    if left is None or right is None:
        code.new(equation.output, f"{code.bind(equation.function, 'f')}({code.texts(equation.inputs)})")
        return
    (rows, inner), (columns, width), dtype = left.shape, equation.output.shape, equation.output.dtype
    products, sums = aligned((inner, columns, rows), dtype), aligned((inner, columns, width), dtype)
    code.line(np.multiply, f"{code.bind(left.T[:, None])}, {code.bind(right.T)}", products)
    code.line(np.matmul, f"{code.bind(products.reshape(-1, rows))}, {code.text(m)}", sums.reshape(-1, width))
    code.line(np.multiply, f"{code.bind(sums)}, {code.text(b)}[:, None]", sums)
    code.line(np.add.reduce, f"{code.bind(sums)}, 0, None", code.layout.buffer(equation.output, position))


def _column_sums(code: Code, position: int, equation: Equation) -> None:
    (x,) = equation.inputs
    ones = code.bind(np.ones((1, shape_of(x)[0]), equation.output.dtype))
    code.called(equation, np.matmul, f"{ones}, {code.text(x)}", position)


def _sum_of_squares(code: Code, position: int, equation: Equation) -> None:
    (x,) = equation.inputs
    array, text = code.array(x), code.text(x)
    if array is not None and array.flags.f_contiguous:
        text = code.bind(array.T)  # vdot would copy what is not row by row
    code.new(equation.output, f"{code.bind(np.vdot, 'f')}({text}, {text})")


def _pick(code: Code, position: int, equation: Equation) -> None:
    x, index = equation.inputs
    flat = code.flat(x)
    if flat is None:
        pick, at = code.bind(functools.partial(operator.getitem), "f"), code.bind(np.arange(shape_of(x)[0]))
        code.new(equation.output, f"{pick}({code.text(x)}, ({at}, {code.text(index)}))")
        return
    elements, by_row = flat
    take, places = code.bind(elements.take, "take"), _places(code, index, shape_of(x), by_row)
    if equation.output in code.results:
        code.new(equation.output, f"{take}({places})")
    else:
        out = code.bind(code.layout.buffer(equation.output, position))
        code.lines.append(f"{take}({places}, None, {out}, 'clip')")  # all are in range: 'clip' just checks nothing


def _less_one_hot(code: Code, position: int, equation: Equation) -> None:
    x, index = equation.inputs
    if equation.output in code.results:
        code.new(equation.output, f"{code.bind(equation.function, 'f')}({code.texts(equation.inputs)})")
        return
    out = code.layout.buffer(equation.output, position, (x,))
    if code.array(x) is not out:
        code.copy(out, code.text(x))
    by_row = bool(out.flags.c_contiguous)
    elements = out.reshape(-1, order="C" if by_row else "F")
    places = _places(code, index, shape_of(x), by_row)
    code.lines.append(f"{code.bind(elements)}[{places}] -= 1")


def _places(code: Code, index: Atom, shape: tuple[int, ...], by_row: bool) -> str:
    """The places in the flat matrix of this shape of the entries `index` of its rows; computed once."""
    rows, columns = shape
    key = "places", index, shape, by_row
    if key not in code.known:
        places = code.known[key] = code.bind(aligned((rows,), np.dtype(np.intp)))
        stride = code.bind(np.intp(1 if by_row else rows))
        code.line(np.multiply, f"{code.text(index)}, {stride}", places)
        code.line(np.add, f"{places}, {code.bind(np.arange(rows) * (columns if by_row else 1))}", places)
    return code.known[key]


KERNELS: dict[Any, Writer] = {
    AFFINE: _affine,
    PRODUCT_AND_SUMS: _product_and_sums,
    MASKED_PRODUCT_AND_SUMS: _masked_product_and_sums,
    COLUMN_SUMS: _column_sums,
    SUM_OF_SQUARES: _sum_of_squares,
    PICK: _pick,
    LESS_ONE_HOT: _less_one_hot,
}

# --- functions that fill a buffer -----------------------------------------------------------------------------------


def _astype(code: Code, position: int, equation: Equation) -> None:
    out = code.bind(code.layout.buffer(equation.output, position))
    code.lines.append(f"{code.bind(np.copyto, 'f')}({out}, {code.texts(equation.inputs)}, 'unsafe')")


def _concatenate(code: Code, position: int, equation: Equation) -> None:
    parts = f"({code.texts(equation.inputs)},), {equation.params['axis']}"
    code.line(np.concatenate, parts, code.layout.buffer(equation.output, position))


def _einsum(code: Code, position: int, equation: Equation) -> None:
    arguments = f"{code.bind(equation.params['subscripts'])}, {code.texts(equation.inputs)}"
    code.line(np.einsum, arguments, code.layout.buffer(equation.output, position), keyword=True)


def _cumsum(code: Code, position: int, equation: Equation) -> None:
    arguments = f"{code.texts(equation.inputs)}, {equation.params['axis']}, None"
    code.line(np.add.accumulate, arguments, code.layout.buffer(equation.output, position))


def _pad(code: Code, position: int, equation: Equation) -> None:
    around = np.array(equation.params["constant_values"])
    if around.size != 1:  # one for each side or axis
        call = functools.partial(np.pad, **equation.params)
        code.new(equation.output, f"{code.bind(call, 'f')}({code.texts(equation.inputs)})")
        return
    buffer = code.layout.buffer(equation.output, position)
    widths = zip(equation.params["pad_width"], shape_of(equation.inputs[0]), strict=True)
    number = around.astype(buffer.dtype).reshape(-1)[0]  # as np.pad converts it: -1 wraps around in uint8
    code.lines.append(f"{code.bind(buffer)}.fill({code.bind(number)})")
    code.copy(buffer[tuple(slice(before, before + n) for (before, _), n in widths)], code.texts(equation.inputs))


def _scatter(code: Code, position: int, equation: Equation) -> None:
    out, index = code.bind(code.layout.buffer(equation.output, position)), equation.params["index"]
    code.lines.append(f"{out}.fill(0)")
    ct, *arrays = equation.inputs
    if not arrays:
        code.lines.append(f"{out}[{code.bind(index)}] = {code.text(ct)}")
        return
    remaining = iter(arrays)
    items = [code.text(next(remaining)) if item is ARRAY else code.bind(item) for item in index]
    code.lines.append(f"{code.bind(np.add.at, 'f')}({out}, ({', '.join(items)},), {code.text(ct)})")


FILLS: dict[Any, Writer] = {
    np.ndarray.astype: _astype,
    np.concatenate: _concatenate,
    np.einsum: _einsum,
    np.cumsum: _cumsum,
    np.pad: _pad,
    scatter: _scatter,
}
