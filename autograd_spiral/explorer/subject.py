"""The subject of a page: a program in the form that is printed, and the arrays of those values that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.drawing.picture import tensors_to_show
from autograd_spiral.program import CapturedStep
from autograd_spiral.program.evaluate import compute, evaluate
from autograd_spiral.program.history import history
from autograd_spiral.program.ir import Equation, Program, Value
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.printing.saved import CapturedProgram
from autograd_spiral.program.recorded import named_tensors, recorded

__all__ = ["Subject", "Values", "subject_of", "values_of"]

Values = dict[Value, NDArray[Any]]
"""The arrays of the values of a program at one moment."""


class Subject(NamedTuple):
    """A program, after the passes that printing applies, and the values that are known."""

    program: Program
    values: Values


def subject_of(outputs: Any, gradients_of: Any, names: Mapping[str, Any] | None, inputs: Any) -> Subject:
    """Return what `explore` shows for these arguments.

    Tensors are recorded again as a program, from their leaves to the outputs and the gradients. The program's values
    are computed from the values of the leaves. All values of a captured step are known if `inputs` are the arguments of
    a call; otherwise, only the values of its state are known.
    """
    if isinstance(outputs, CapturedStep | Program):
        if gradients_of is not None or names is not None:
            raise TypeError(
                "explore: gradients_of and names are for tensors; a program has a backward pass and names of its own"
            )
        return _subject_of_program(outputs, inputs)
    if inputs is not None:
        raise TypeError("explore: inputs are the arguments of a captured step, and tensors have values already")
    ends = tensors_to_show("explore", outputs)
    starts, known = named_tensors(() if gradients_of is None else gradients_of, "explore: gradients_of", names)
    program = recorded(ends, starts, known)
    data = [tensor.data for tensor in history(ends) if tensor.primitive is None and not tensor.requires_grad]
    return _with_values(program, data)


def _subject_of_program(given: CapturedStep | Program, inputs: Any) -> Subject:
    if inputs is None:
        program = given if isinstance(given, Program) else given.program
        known = program.leaves if isinstance(program, CapturedProgram) else ()
        return Subject(readable(program), {value: leaf.data for value, leaf in zip(program.state, known, strict=False)})
    if isinstance(given, Program):
        raise TypeError("explore: inputs are for a captured step, since a program has no state: pass the step itself")
    return _with_values(*given.program_for(*(inputs if isinstance(inputs, tuple | list) else (inputs,))))


def _with_values(program: CapturedProgram, inputs: Sequence[NDArray[Any]]) -> Subject:
    return Subject(readable(program), values_of(program, inputs))


def values_of(program: CapturedProgram, inputs: Sequence[NDArray[Any]]) -> Values:
    """Return all values of a run of the program on these inputs and its current state, without changing the state."""
    arrays = [*inputs, *(leaf.data for leaf in program.leaves), *(program.found[value] for value in program.outside)]
    values: Values = dict(zip((*program.inputs, *program.state, *program.outside), arrays, strict=True))

    def each(equation: Equation, operands: tuple[Any, ...]) -> NDArray[Any]:
        values[equation.output] = value = compute(equation, operands)
        return value

    with np.errstate(all="ignore"):  # the page marks elements that are not finite
        evaluate(readable(program), *arrays, each=each)
    return values
