"""Replay: a program as straight-line Python that computes in buffers made beforehand.

Each equation becomes one call or two, with `out=` into a buffer. Views are taken once. Results are fresh arrays.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.frozen import frozen_result
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.executor import Run
from autograd_spiral.program.ir import Check, Equation, Program, Value, shape_of
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.running.buffers import Array
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.kernel_code import FILLS, KERNELS
from autograd_spiral.program.running.kernels import respelled
from autograd_spiral.program.running.layout import VIEWS

__all__ = ["replay", "written"]


def replay(program: Program) -> Run:
    """Run `program` as straight-line Python that computes in buffers: the default executor.

    The run is not reentrant, since all calls share its buffers.
    """
    code = written(respelled(readable(program)))
    return Run(code.function([f"x{i}" for i, _ in enumerate(_given(program))]), reentrant=False)


def written(program: Program) -> Code:
    """The code of `program` as it is."""
    code = Code(program)
    for i, value in enumerate(_given(program)):
        code.local[value] = f"x{i}"
    checks: dict[Value, list[Check]] = {}
    for check in program.checks:
        checks.setdefault(check.value, []).append(check)
    for value in _given(program):
        _check(code, checks.get(value, ()))
    for value in _given(program):
        if value in code.layout.augmented:
            code.copy(code.layout.array[value], code.local[value])
    for position, equation in enumerate(program.equations):
        _write(code, position, equation)
        _check(code, checks.get(equation.output, ()))
        code.layout.release(position)
    results = (*program.outputs, *(new for _, new in program.updates))
    returned = [code.result(i, atom) for i, atom in enumerate(results)]
    code.lines.append(f"return ({''.join(f'{name}, ' for name in returned)})")
    return code


def _given(program: Program) -> tuple[Value, ...]:
    return (*program.inputs, *program.state, *program.outside)


def _check(code: Code, checks: Iterable[Check]) -> None:
    for check in checks:
        details = "".join(f", {code.bind(detail)}" for detail in check.details)
        code.lines.append(f"{code.bind(check.function, 'check')}({code.text(check.value)}{details})")


def _write(code: Code, position: int, equation: Equation) -> None:
    """Write the lines that compute `equation`."""
    function, output = equation.function, equation.output
    if equation.primitive in KERNELS:
        KERNELS[equation.primitive](code, position, equation)
    elif function in VIEWS and (function is not operator.getitem or len(equation.inputs) == 1):
        _show(code, position, equation)
    elif isinstance(function, np.ufunc):
        _ufunc(code, position, equation)
    elif function in _REDUCE:
        _reduce(code, position, equation)
    elif function in FILLS and output.ndim and output not in code.results:
        FILLS[function](code, position, equation)
    elif function is np.ndarray.astype and output.ndim == 0:
        code.new(output, f"{code.bind(output.dtype.type, 'number')}({code.texts(equation.inputs)})")
    else:
        _call(code, equation)


def _call(code: Code, equation: Equation) -> None:
    """As it is evaluated elsewhere, into a new array."""
    call = functools.partial(equation.primitive.evaluate, **equation.params)
    if equation.opaque:  # it may keep or give away what it is given
        call = functools.partial(_called_with_copies, equation)
    number = code.bind(np.asarray, "array")  # of what has no axes, since methods of arrays are no methods of numbers
    arguments = [
        f"{number}({code.text(atom)})" if isinstance(atom, Value) and not atom.shape else code.text(atom)
        for atom in equation.inputs
    ]
    text = f"{code.bind(call, 'f')}({', '.join(arguments)})"
    if equation.function is np.einsum and len(equation.inputs) == 1:
        text = f"{code.bind(np.array, 'copy')}({text})"  # of what may be a view
    code.new(equation.output, text)


def _called_with_copies(equation: Equation, *operands: Any) -> NDArray[Any]:
    """What an opaque primitive gives, copied; it gets frozen copies, as it does while it is recorded.

    Raises `CaptureError` where that has another shape or dtype than it had then.
    """
    frozen = [np.array(operand) if isinstance(operand, np.ndarray) else operand for operand in operands]
    for operand in frozen:
        if isinstance(operand, np.ndarray):
            operand.flags.writeable = False
    given, expected = equation.primitive.evaluate(*frozen, **equation.params), equation.output
    result = frozen_result(given, equation.primitive).copy()
    if result.shape != expected.shape or result.dtype != expected.dtype:
        raise CaptureError(
            f"{equation.place}\n{equation.primitive.name} gave an array of shape {result.shape} and dtype "
            f"{result.dtype}, but of shape {expected.shape} and dtype {expected.dtype} when the step was captured, and "
            "the program was made for that. Let its result have one shape and dtype for inputs of one shape and dtype, "
            "as with np.where(mask, x, 0) for x[mask], or call it outside of the step and pass what it gives"
        )
    return result


# --- elementwise functions ------------------------------------------------------------------------------------------

_OPERATORS = {np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.negative: "-"}


def _ufunc(code: Code, position: int, equation: Equation) -> None:
    function, output = equation.function, equation.output
    texts = [code.text(code.layout.in_order(atom, output)) for atom in equation.inputs]
    if output.ndim == 0 and function in _OPERATORS:
        sign = _OPERATORS[function]
        text = f" {sign} ".join(f"({t})" if t.startswith("-") else t for t in texts)
        code.new(output, text if len(texts) > 1 else f"{sign}{text}")
    elif output.ndim == 0 or (output in code.results and output not in code.layout.array):
        code.new(output, f"{code.bind(function, 'f')}({', '.join(texts)})")
    else:
        out = code.layout.buffer(output, position, equation.inputs if equation.elementwise else ())
        deprecated = function in (np.maximum, np.minimum)  # a third array by position
        code.line(function, ", ".join(texts), out, keyword=deprecated)


# --- reductions -----------------------------------------------------------------------------------------------------

_REDUCE = {np.sum: np.add, np.max: np.maximum, np.min: np.minimum, np.all: np.logical_and, np.any: np.logical_or}

_SHORT = 4
"""Rows of so many elements are combined column by column."""

_FEW = 1024
"""Up to so many elements are summed by a dot product with ones, before a reduction has begun."""


def _reduce(code: Code, position: int, equation: Equation) -> None:
    output, x, ufunc = equation.output, equation.inputs[0], _REDUCE[equation.function]
    if output.ndim == 0:
        _reduce_all(code, equation)
        return
    axis, keepdims = equation.params["axis"], equation.params["keepdims"]
    called = code.bind(ufunc.reduce, "reduce")
    if output in code.results:
        code.new(output, f"{called}({code.text(x)}, {axis}, None, None, {keepdims})")
        return
    buffer = code.layout.buffer(output, position)
    if isinstance(x, Value) and _combines_columns(code, equation, x):
        _combine(code, ufunc, code.layout.array[x], buffer.reshape(-1))
    else:
        code.lines.append(f"{called}({code.text(x)}, {axis}, None, {code.bind(buffer)}, {keepdims})")


def _reduce_all(code: Code, equation: Equation) -> None:
    """To a number: of the flat array where there is one."""
    output, x = equation.output, equation.inputs[0]
    called, flat = code.bind(_REDUCE[equation.function].reduce, "reduce"), code.flat(x)
    if flat is None:
        code.new(output, f"{called}({code.text(x)}, None)")
        return
    elements, _ = flat
    few = elements.size <= _FEW and elements.dtype.char in "fd" and elements.dtype == output.dtype
    if few and equation.function is np.sum:
        ones = code.bind(np.ones(elements.size, elements.dtype))
        code.new(output, f"{code.bind(np.vdot, 'f')}({code.bind(elements)}, {ones})")
    else:
        code.new(output, f"{called}({code.bind(elements)})")


def _combines_columns(code: Code, equation: Equation, x: Value) -> bool:
    """Whether this is the reduction of short rows, kept by columns, without a change of dtype."""
    short = x.ndim == 2 and 2 <= x.shape[1] <= _SHORT and x.shape[1] < x.shape[0]
    by_column = x in code.layout.columns and x in code.layout.array
    return short and by_column and equation.params["axis"] == (1,) and x.dtype == equation.output.dtype


def _combine(code: Code, ufunc: np.ufunc, matrix: Array, out: Array) -> None:
    """Column after column: each is a long loop, where a reduction of rows makes many short ones."""
    before = code.bind(matrix[:, 0])
    for i in range(1, matrix.shape[1]):
        code.line(ufunc, f"{before}, {code.bind(matrix[:, i])}", out, keyword=True)
        before = code.bind(out)


# --- views ----------------------------------------------------------------------------------------------------------


def _show(code: Code, position: int, equation: Equation) -> None:
    """A view: taken now if its base is in a buffer, else at each call."""
    function, output, x = equation.function, equation.output, equation.inputs[0]
    evaluate = functools.partial(equation.primitive.evaluate, **equation.params)
    if output.ndim == 0:
        code.new(output, f"{code.text(x)}[{code.bind(_place(equation))}]")  # of an array, a number: not a view
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
    elif function is np.transpose and equation.params["axes"] == tuple(range(output.ndim))[::-1]:
        code.new(output, f"{code.text(x)}.T", fresh=False)
    elif function is operator.getitem:
        code.new(output, f"{code.text(x)}[{code.bind(equation.params['index'])}]", fresh=False)
    else:
        code.new(output, f"{code.bind(evaluate, 'f')}({code.text(x)})", fresh=False)


def _place(equation: Equation) -> tuple[Any, ...]:
    """The index of the one element that a view of no axes shows."""
    if equation.function is operator.getitem:
        return tuple(item for item in equation.params["index"] if item is not Ellipsis)  # which gives a view
    return (0,) * len(shape_of(equation.inputs[0])) if equation.function is np.reshape else ()
