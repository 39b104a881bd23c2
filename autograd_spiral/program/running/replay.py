"""Replay: runs a program as straight-line Python that computes in buffers allocated beforehand.

Each equation becomes one or two calls that write into a buffer. Views are made only once. Results are new arrays.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.frozen import frozen
from autograd_spiral.program.evaluate import compute
from autograd_spiral.program.executor import Run
from autograd_spiral.program.ir import Atom, Check, Equation, Program, Value, dtype_of, shape_of
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.functions import FILLS, write_view
from autograd_spiral.program.running.gathering import gathers, write_gather
from autograd_spiral.program.running.kernels.kernel import Kernel
from autograd_spiral.program.running.kernels.table import with_kernels
from autograd_spiral.program.running.layout import VIEWS
from autograd_spiral.program.running.reductions import REDUCTIONS, write_reduction

__all__ = ["generate", "replay"]


def replay(program: Program) -> Run:
    """Run `program` as straight-line Python that computes in buffers.

    The default executor does this, unless it computes in blocks of rows. The run is not reentrant, since all calls
    share its buffers.
    """
    code = generate(with_kernels(readable(program)))
    return Run(code.function([f"x{i}" for i, _ in enumerate(_given(program))]), reentrant=False)


def generate(program: Program, *, fresh: bool = True) -> Code:
    """Return the code for the equations of `program`, one by one.

    With `fresh`, results are new arrays, and the checks are run. Without it, results may be in buffers that the next
    call overwrites, and no checks are run.
    """
    code = Code(program, fresh=fresh)
    code.results |= _overwritten_by_results(code)
    for i, value in enumerate(_given(program)):
        code.local[value] = f"x{i}"
    checks: dict[Value, list[Check]] = {}
    for check in program.checks if fresh else ():
        checks.setdefault(check.value, []).append(check)
    for value in _given(program):
        _write_checks(code, checks.get(value, ()))
    for value in _given(program):
        if value in code.layout.augmented:
            code.copy(code.layout.array[value], code.local[value])
        elif value.ndim == 0 and value.dtype.kind == "f" and value.dtype.isnative:
            code.lines.append(f"{code.local[value]} = {code.local[value]}[()]")  # numbers compute faster than arrays
    for position, equation in enumerate(program.equations):
        _write(code, position, equation)
        _write_checks(code, checks.get(equation.output, ()))
        code.layout.release(position)
    results = (*program.outputs, *(new for _, new in program.updates))
    returned = [code.result(i, atom) if fresh else code.text(atom) for i, atom in enumerate(results)]
    code.lines.append(f"return ({''.join(f'{name}, ' for name in returned)})")
    return code


def _given(program: Program) -> tuple[Value, ...]:
    return (*program.inputs, *program.state, *program.outside)


def _write_checks(code: Code, checks: Iterable[Check]) -> None:
    for check in checks:
        details = "".join(f", {code.bind(detail)}" for detail in check.details)
        code.lines.append(f"{code.bind(check.function, 'check')}({code.text(check.value)}{details})")


def _write(code: Code, position: int, equation: Equation) -> None:
    """Write the lines that compute `equation`."""
    function, output = equation.function, equation.output
    if isinstance(equation.primitive, Kernel):
        equation.primitive.write(code, position, equation)
    elif function in VIEWS and len(equation.inputs) == 1:
        write_view(code, position, equation)
    elif gathers(code, equation):
        write_gather(code, position, equation)
    elif isinstance(function, np.ufunc):
        _write_ufunc(code, position, equation)
    elif function in REDUCTIONS:
        write_reduction(code, position, equation)
    elif function in FILLS and output.ndim and output not in code.results:
        FILLS[function](code, position, equation)
    elif function is np.ndarray.astype and output.ndim == 0:
        code.new(output, f"{code.bind(output.dtype.type, 'number')}({code.texts(equation.inputs)})")
    else:
        _write_call(code, equation)


_OPERATORS = {np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.negative: "-", np.power: "**"}


_LARGE = 2**15
"""For arrays of at least this many bytes, reading and writing one more array takes longer than allocating one."""


def _overwritten_by_results(code: Code) -> set[Value]:
    """Return the values that must also be new arrays, since a result overwrites them."""
    found: set[Value] = set()
    for position, equation in reversed([*enumerate(code.program.equations)]):
        if equation.output in code.results or equation.output in found:
            operand = _overwritten(code, position, equation)
            if operand is not None:
                found.add(operand)
    return found


def _overwritten(code: Code, position: int, equation: Equation) -> Value | None:
    """Return the operand that a large elementwise result may overwrite, or None; a ufunc must have computed it."""
    layout, output = code.layout, equation.output
    for value in equation.reads() if equation.elementwise and output.nbytes >= _LARGE else ():
        alike = value.shape == output.shape and value.dtype == output.dtype
        elsewhere = value in layout.viewed or value in layout.array or value in layout.column_major
        if alike and not elsewhere and value in layout.position and layout.last[value] == position:
            producer = code.program.equations[layout.position[value]]
            return value if isinstance(producer.function, np.ufunc) else None
    return None


def _write_ufunc(code: Code, position: int, equation: Equation) -> None:
    function, output = equation.function, equation.output
    texts = [code.text(code.layout.in_order(atom, output)) for atom in equation.inputs]
    if output.ndim == 0 and function in _OPERATORS and (function is not np.power or _all_float(equation)):
        sign = _OPERATORS[function]
        text = f" {sign} ".join(f"({t})" if t.startswith("-") else t for t in texts)
        code.new(output, text if len(texts) > 1 else f"{sign}{text}")
    elif output.ndim == 0 or (output in code.results and output not in code.layout.array):
        operand = _overwritten(code, position, equation)
        if operand in code.fresh and operand in code.results:
            texts.append(f"out={code.local[operand]}")
        code.new(output, f"{code.bind(function, 'f')}({', '.join(texts)})")
    else:
        texts = [
            _number_in_array(code, atom, equation) or text for atom, text in zip(equation.inputs, texts, strict=True)
        ]
        out = code.layout.buffer(output, position, equation.inputs if equation.elementwise else ())
        broadcast = [i for i, atom in enumerate(equation.inputs) if shape_of(atom) not in ((), output.shape)]
        if equation.elementwise and len(broadcast) == 1 < len(texts):
            texts[broadcast[0]] = code.spread(equation.inputs[broadcast[0]], out)
        deprecated = function in (np.maximum, np.minimum)  # NumPy deprecates passing `out` by position
        code.line(function, ", ".join(texts), out, keyword=deprecated)


def _all_float(equation: Equation) -> bool:
    return all(value.dtype.kind == "f" for value in equation.reads())


def _number_in_array(code: Code, number: Atom, equation: Equation) -> str | None:
    """Return the name of a 0-d array that holds a number; otherwise, NumPy would make such an array at each call."""
    if not isinstance(number, int | float) or isinstance(number, bool):
        return None
    dtypes = {dtype_of(atom) for atom in equation.inputs if atom is not number}
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    if dtype is None or dtype.kind != "f":
        return None
    key = "number", repr(number), dtype
    if key not in code.shared and (not math.isfinite(number) or abs(number) <= np.finfo(dtype).max):
        code.shared[key] = code.bind(np.asarray(number, dtype))
    return code.shared.get(key)


def _write_call(code: Code, equation: Equation) -> None:
    """Call the function of `equation` as `evaluate` does, with a new array as the result."""
    call = functools.partial(equation.primitive.evaluate, **equation.params)
    if equation.opaque:  # an opaque primitive may keep or change its arguments, and keep its result
        call = functools.partial(_call_on_copies, equation)
    array = code.bind(np.asarray, "array")  # NumPy scalars lack some methods of arrays
    arguments = [
        f"{array}({code.text(atom)})" if isinstance(atom, Value) and not atom.shape else code.text(atom)
        for atom in equation.inputs
    ]
    text = f"{code.bind(call, 'f')}({', '.join(arguments)})"
    if equation.function is np.einsum and len(equation.inputs) == 1:
        text = f"{code.bind(np.array, 'copy')}({text})"  # the result may be a view
    code.new(equation.output, text)


def _call_on_copies(equation: Equation, *operands: Any) -> NDArray[Any]:
    """Return a copy of what an opaque primitive returns for frozen copies of `operands`; raises as `compute` does."""
    copies = (frozen(np.array(operand)) if isinstance(operand, np.ndarray) else operand for operand in operands)
    return compute(equation, tuple(copies)).copy()
