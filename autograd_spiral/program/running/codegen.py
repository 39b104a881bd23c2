"""The code of a replay while it is written: its lines, and what its names stand for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Program, Value
from autograd_spiral.program.running.buffers import Array
from autograd_spiral.program.running.layout import Layout

__all__ = ["Code", "Run"]

Run = Callable[..., tuple[Any, ...]]


class Code:
    """Lines of Python over the values of a program: names of buffers and of what is new at each call."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.layout = Layout(program)
        self.lines: list[str] = []
        self.local: dict[Value, str] = {}  # names of values that are new at each call
        self.fresh: set[Value] = set()  # those that nothing else holds
        self.results = set(program.results())
        self.known: dict[Any, str] = {}  # names of what several equations need, and none of them is
        self._bound: dict[str, Any] = {}  # what the code names: functions, buffers, views, constants
        self._names: dict[int, str] = {}

    def bind(self, thing: Any, name: str = "a") -> str:
        """A name for a constant thing."""
        if id(thing) not in self._names:
            self._names[id(thing)] = known = f"{name}{len(self._bound)}"
            self._bound[known] = thing
        return self._names[id(thing)]

    def text(self, atom: Atom) -> str:
        """The name of a value or of a constant array, or a number."""
        if isinstance(atom, Value):
            return self.bind(self.layout.array[atom]) if atom in self.layout.array else self.local[atom]
        if isinstance(atom, np.ndarray | np.generic):
            return self.bind(atom)
        return repr(atom) if type(atom) is not float or math.isfinite(atom) else self.bind(atom)

    def texts(self, atoms: Iterable[Atom]) -> str:
        """The names of several, as arguments of a call."""
        return ", ".join(map(self.text, atoms))

    def array(self, atom: Atom) -> Array | None:
        """The buffer or the view that a value is in, if it is in one."""
        return self.layout.array.get(atom) if isinstance(atom, Value) else None

    def flat(self, atom: Atom) -> tuple[Array, bool] | None:
        """All elements of the buffer of a value in one row, and whether that goes row by row; None where it cannot."""
        array = self.array(atom)
        if array is None or not (array.flags.c_contiguous or array.flags.f_contiguous):
            return None
        by_row = array.flags.c_contiguous
        return array.reshape(-1, order="C" if by_row else "F"), by_row

    # --- lines ----------------------------------------------------------------------------------------------------

    def line(self, function: Callable[..., Any], arguments: str, out: Array | str, *, keyword: bool = False) -> None:
        """Call `function` on `arguments`, written out, with a buffer for the result as the last one."""
        place = out if isinstance(out, str) else self.bind(out)
        self.lines.append(f"{self.bind(function, 'f')}({arguments}, {'out=' if keyword else ''}{place})")

    def copy(self, to: Array, text: str) -> None:
        """Write what `text` names into a buffer."""
        self.lines.append(f"{self.bind(to)}[...] = {text}")

    def new(self, value: Value, text: str, *, fresh: bool = True) -> None:
        """A value that is new at each call; `fresh` unless it may be a view of something."""
        self.local[value] = name = f"v{len(self.local)}"
        if fresh:
            self.fresh.add(value)
        self.lines.append(f"{name} = {text}")

    def called(self, equation: Equation, function: Callable[..., Any], arguments: str, position: int) -> None:
        """The result of a call with a buffer for it; a new array where it is a result of the program."""
        if equation.output in self.results:
            self.new(equation.output, f"{self.bind(function, 'f')}({arguments})")
        else:
            self.line(function, arguments, self.layout.buffer(equation.output, position))

    # --- the function ---------------------------------------------------------------------------------------------

    def result(self, position: int, atom: Atom) -> str:
        """The name of a fresh and frozen array that holds `atom`."""
        name = f"out{position}"
        if not (isinstance(atom, Value) and atom in self.fresh):
            text = f"{self.bind(np.array, 'copy')}({self.text(atom)})"
        elif atom.shape:
            text = self.local[atom]  # and not a copy of it in a buffer
        else:
            text = f"{self.bind(np.asarray, 'array')}({self.local[atom]})"  # of a number
        self.lines.append(f"{name} = {text}")
        self.lines.append(f"{name}.setflags(False)")
        return name

    def function(self, arguments: Sequence[str]) -> Run:
        """What was written, as a function of `arguments`."""
        body = "\n        ".join(self.lines)
        head = f"def make({', '.join(self._bound)}):\n    def run({', '.join(arguments)}):\n        "
        names: dict[str, Any] = {}
        exec(compile(f"{head}{body}\n    return run\n", f"<replay of {self.program.name}>", "exec"), names)
        made: Run = names["make"](**self._bound)
        return made
