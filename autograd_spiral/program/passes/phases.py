"""The phases of a step (forward, backward and update), found by one rule for both printed text and pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from autograd_spiral.program.ir import Program, Value

__all__ = ["PHASES", "with_phases"]

PHASES = ("forward", "backward", "update")
"""The phases in the order of a step."""


AnyProgram = TypeVar("AnyProgram", bound=Program)


def with_phases(program: AnyProgram) -> AnyProgram:
    """Return `program` with a phase, forward or update, for each equation that no backward pass recorded.

    An equation belongs to the update if no backward pass needs it, and it either leads only to new state, or depends on
    gradients and comes after the last backward pass.
    """
    late: set[Value] = set()  # values that depend on gradients
    for equation in program.equations:
        if equation.phase == "backward" or not late.isdisjoint(equation.reads()):
            late.add(equation.output)
    checked = (check.value for check in program.checks)
    differentiated: set[Value] = set()  # values that a backward pass needs
    needed = {value for value in (*program.outputs, *checked) if isinstance(value, Value)}
    equations = []
    for equation in reversed(program.equations):
        output = equation.output
        if equation.phase == "backward":
            late.clear()  # a backward pass follows
        if equation.phase == "backward" or output in differentiated:
            differentiated.update(equation.reads())
        if output in needed:
            needed.update(equation.reads())
        if equation.phase != "backward":
            forward = output in differentiated or (output in needed and output not in late)
            phase = "forward" if forward else "update"
            equation = equation if equation.phase == phase else replace(equation, phase=phase)
        equations.append(equation)
    found = tuple(reversed(equations))
    return program if found == program.equations else program.with_equations(found)  # compared by identity
