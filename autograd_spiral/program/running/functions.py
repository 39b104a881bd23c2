"""Code for NumPy functions that are neither ufuncs nor reductions: views, and functions that fill a buffer."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.program.ir import Equation, Value, shape_of
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.vocabulary.rules.indexing import scatter
from autograd_spiral.vocabulary.signatures import ARRAY

__all__ = ["FILLS", "write_view"]

# --- views ----------------------------------------------------------------------------------------------------------


def write_view(code: Code, position: int, equation: Equation) -> None:
    """Write the lines for a function that may return a view, if it needs any."""
    function, output, x = equation.function, equation.output, equation.inputs[0]
    evaluate = functools.partial(equation.primitive.evaluate, **equation.params)
    if output.ndim == 0:
        code.new(output, f"{code.text(x)}[{code.bind(_element(equation))}]")  # a number, and not a view
        return
    if not isinstance(x, Value):
        code.layout.array[output] = evaluate(x)
        return
    base = code.array(x)
    if base is not None:
        view = evaluate(base)
        if np.may_share_memory(view, base):
            code.layout.show(output, x, view)
            return
    if function is np.broadcast_to:
        code.copy(code.layout.buffer(output, position), code.text(x))
    elif function is np.reshape and (base is not None or x in code.scattered):
        _copy_reshaped(code, position, equation)
    elif function is np.transpose and equation.params["axes"] == tuple(range(output.ndim))[::-1]:
        code.new(output, f"{code.text(x)}.T", fresh=False)
    elif function is operator.getitem:
        code.new(output, f"{code.text(x)}[{code.bind(equation.params['index'])}]", fresh=False)
    elif function is np.reshape:
        code.new(output, f"{code.text(x)}.reshape({output.shape})", fresh=False)
    else:
        code.new(output, f"{code.bind(evaluate, 'f')}({code.text(x)})", fresh=False)
    if function in (np.transpose, sliding_window_view) or x in code.scattered:
        code.scattered.add(output)


def _copy_reshaped(code: Code, position: int, equation: Equation) -> None:
    """Write the lines for a reshape that needs a copy: x is copied into a view of the buffer in the shape of x."""
    (x,), buffer = equation.inputs, code.layout.buffer(equation.output, position)
    view = buffer.reshape(shape_of(x))
    if np.may_share_memory(view, buffer):
        code.copy(view, code.text(x))
    else:
        code.copy(buffer, f"{code.text(x)}.reshape({buffer.shape})")


def _element(equation: Equation) -> tuple[Any, ...]:
    """Return the index of the element that a view without axes shows in its base."""
    if equation.function is operator.getitem:
        return tuple(item for item in equation.params["index"] if item is not Ellipsis)  # `...` would give a view
    return (0,) * len(shape_of(equation.inputs[0])) if equation.function is np.reshape else ()


# --- functions that fill a buffer -----------------------------------------------------------------------------------


def _astype(code: Code, position: int, equation: Equation) -> None:
    code.copy(code.layout.buffer(equation.output, position), code.texts(equation.inputs))


def _concatenate(code: Code, position: int, equation: Equation) -> None:
    parts = f"({code.texts(equation.inputs)},), {equation.params['axis']}"
    code.line(np.concatenate, parts, code.layout.buffer(equation.output, position))


def _einsum(code: Code, position: int, equation: Equation) -> None:
    arguments = f"{code.bind(equation.params['subscripts'])}, {code.texts(equation.inputs)}"
    if "optimize" in equation.params:
        arguments += f", optimize={code.bind(equation.params['optimize'])}"
    code.line(np.einsum, arguments, code.layout.buffer(equation.output, position), keyword=True)


def _cumsum(code: Code, position: int, equation: Equation) -> None:
    arguments = f"{code.texts(equation.inputs)}, {equation.params['axis']}, None"
    code.line(np.add.accumulate, arguments, code.layout.buffer(equation.output, position))


def _pad(code: Code, position: int, equation: Equation) -> None:
    filling = np.array(equation.params["constant_values"])
    if filling.size != 1:  # one for each side or axis
        call = functools.partial(np.pad, **equation.params)
        code.new(equation.output, f"{code.bind(call, 'f')}({code.texts(equation.inputs)})")
        return
    buffer = code.layout.buffer(equation.output, position)
    widths = zip(equation.params["pad_width"], shape_of(equation.inputs[0]), strict=True)
    number = filling.astype(buffer.dtype).reshape(-1)[0]  # converted as by np.pad: -1 wraps around in uint8
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


FILLS: dict[Callable[..., Any], Callable[[Code, int, Equation], None]] = {
    np.ndarray.astype: _astype,
    np.concatenate: _concatenate,
    np.einsum: _einsum,
    np.cumsum: _cumsum,
    np.pad: _pad,
    scatter: _scatter,
}
