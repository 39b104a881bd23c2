"""The meaning of a program: its equations, computed one by one on arrays by NumPy's functions.

This is the reference: every pass keeps these results, and every executor is compared with them. Code that needs the
values inside a program gets them by passing the function `each`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.frozen import frozen, frozen_result
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.ir import Atom, Equation, Program, Value

__all__ = ["compute", "evaluate"]


def compute(equation: Equation, operands: tuple[Any, ...]) -> NDArray[Any]:
    """Return the value of `equation` on `operands`: a frozen array of the shape and dtype that the equation states.

    Raises `CaptureError` if the shape or dtype differs, which the body of a declared primitive can cause.
    """
    value = frozen_result(equation.primitive.evaluate(*operands, **equation.params), equation.primitive)
    expected = equation.output
    if value.shape != expected.shape or value.dtype != expected.dtype:
        raise CaptureError(
            f"{equation.place}\n{equation.primitive.name} returned an array of shape {value.shape} and dtype "
            f"{value.dtype}, but of shape {expected.shape} and dtype {expected.dtype} when the step was captured, and "
            "the program relies on that. For inputs of the same shapes and dtypes it must return the same shape and "
            "dtype: write np.where(mask, x, 0) instead of x[mask], for example, or call it outside the step and pass "
            "the result"
        )
    return value


def evaluate(
    program: Program, *arrays: Any, each: Callable[[Equation, tuple[Any, ...]], Any] = compute
) -> tuple[NDArray[Any], ...]:
    """Return the outputs of `program`, followed by its new state, as fresh read-only arrays.

    `arrays` are the arrays for the program's inputs, state and outside arrays, in this order.
    `each(equation, operands)` is called for every equation in turn and returns the equation's value: it may look at the
    operands and the value, or change them. Raises ValueError if the number, shapes or dtypes of the arrays are not
    those that the program states. Also raises the errors of the program's checks, and those of `compute`.

    >>> from autograd_spiral import capture
    >>> step = capture(lambda x: np.exp(x).sum())
    >>> _ = step(np.zeros(3))
    >>> evaluate(step.program, np.zeros(3))
    (array(3.),)
    """
    given = (*program.inputs, *program.state, *program.outside)
    if len(arrays) != len(given):
        raise ValueError(f"{program.name} takes {len(given)} arrays, but got {len(arrays)}")
    known: dict[Value, Any] = {value: frozen(np.asarray(a).view()) for value, a in zip(given, arrays, strict=True)}
    for value, array in known.items():
        if (array.shape, array.dtype) != (value.shape, value.dtype):
            raise ValueError(
                f"{program.name}: {program.call(value)} must be of shape {value.shape} and dtype {value.dtype}, not of "
                f"shape {array.shape} and dtype {array.dtype}"
            )

    def now(atom: Atom) -> Any:
        return known[atom] if isinstance(atom, Value) else atom

    def verify(value: Value) -> None:
        for check in program.checks:
            if check.value is value:
                check.function(known[value], *check.details)

    for value in given:
        verify(value)
    for equation in program.equations:
        known[equation.output] = each(equation, tuple(map(now, equation.inputs)))
        verify(equation.output)
    return tuple(frozen(np.array(now(atom))) for atom in (*program.outputs, *(new for _, new in program.updates)))
