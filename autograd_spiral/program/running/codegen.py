"""The code of a replay while it is being written: its lines, and the objects to which their names refer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Program, Value
from autograd_spiral.program.running.buffers import Array
from autograd_spiral.program.running.layout import Layout

__all__ = ["Code"]

_SMALL = 2**14
"""Up to this many elements, copying a row or a column to a full array takes less time than broadcasting it."""


class Code:
    """Lines of Python that compute the values of a program, in buffers or as new arrays at each call."""

    def __init__(self, program: Program, *, fresh: bool = True) -> None:
        self.program = program
        self.layout = Layout(program)
        self.lines: list[str] = []
        self.local: dict[Value, str] = {}  # the names of values that are computed as new arrays at each call
        self.fresh: set[Value] = set()  # values that share their memory with nothing
        self.scattered: set[Value] = set()  # new views that are not contiguous in C order
        self.results = set(program.results()) if fresh else set()  # the values that are returned as new arrays
        self.shared: dict[Any, str] = {}  # names of helper values that several equations use
        self._bound: dict[str, Any] = {}  # what the code names: functions, buffers, views, constants
        self._names: dict[int, str] = {}

    def bind(self, thing: Any, name: str = "a") -> str:
        """Return the name by which the code refers to a constant object."""
        if id(thing) not in self._names:
            self._names[id(thing)] = known = f"{name}{len(self._bound)}"
            self._bound[known] = thing
        return self._names[id(thing)]

    def text(self, atom: Atom) -> str:
        """Return the name of a value or of a constant array, or a number."""
        if isinstance(atom, Value):
            return self.bind(self.layout.array[atom]) if atom in self.layout.array else self.local[atom]
        if isinstance(atom, np.ndarray | np.generic):
            return self.bind(atom)
        return repr(atom) if type(atom) is not float or math.isfinite(atom) else self.bind(atom)

    def texts(self, atoms: Iterable[Atom]) -> str:
        """Return the names of several atoms, as arguments of a call."""
        return ", ".join(map(self.text, atoms))

    def array(self, atom: Atom) -> Array | None:
        """Return the buffer or the view that holds a value, or None."""
        return self.layout.array.get(atom) if isinstance(atom, Value) else None

    def augmented(self, atom: Atom) -> Array | None:
        """Return `[x 1]` for x, if it is kept."""
        return self.layout.augmented.get(atom) if isinstance(atom, Value) else None

    def flat(self, atom: Atom) -> tuple[Array, bool] | None:
        """Return the buffer of a value as one row, and whether it is in C order; None if it is not contiguous."""
        array = self.array(atom)
        if array is None or not (array.flags.c_contiguous or array.flags.f_contiguous):
            return None
        by_row = array.flags.c_contiguous
        return array.reshape(-1, order="C" if by_row else "F"), by_row

    def nbytes(self) -> int:
        """Return the size in bytes of the buffers and constants that the lines name."""
        arrays = (thing for thing in self._bound.values() if isinstance(thing, np.ndarray))
        return sum({id(base): base.nbytes for base in map(_base, arrays)}.values())

    # --- lines ----------------------------------------------------------------------------------------------------

    def line(self, function: Callable[..., Any], arguments: str, out: Array | str, *, keyword: bool = False) -> None:
        """Call `function` with `arguments`, a text, and with the buffer for the result as the last argument."""
        name = out if isinstance(out, str) else self.bind(out)
        self.lines.append(f"{self.bind(function, 'f')}({arguments}, {'out=' if keyword else ''}{name})")

    def copy(self, to: Array, text: str) -> None:
        """Copy the array that `text` names into a buffer."""
        self.lines.append(f"{self.bind(to)}[...] = {text}")

    def new(self, value: Value, text: str, *, fresh: bool = True) -> None:
        """Compute a new value at each call, by the code `text`; the value is `fresh` unless it might be a view."""
        self.local[value] = name = f"v{len(self.local)}"
        if fresh:
            self.fresh.add(value)
        self.lines.append(f"{name} = {text}")

    def call(self, equation: Equation, function: Callable[..., Any], arguments: str, position: int) -> None:
        """Compute the output of `equation` by a call: in a buffer, or as a new array if it is a result."""
        if equation.output in self.results:
            self.new(equation.output, f"{self.bind(function, 'f')}({arguments})")
        else:
            self.line(function, arguments, self.layout.buffer(equation.output, position))

    def spread(self, atom: Atom, out: Array) -> str:
        """Return the name of an operand that an elementwise function broadcasts to `out`, or of a copy in its shape."""
        pays = out.size <= _SMALL and (out.flags.c_contiguous or out.flags.f_contiguous)
        if not (pays and isinstance(atom, Value) and atom.shape not in ((), out.shape)):
            return self.text(atom)
        full = self.layout.scratch(Value(out.shape, atom.dtype), "C" if out.flags.c_contiguous else "F")
        self.copy(full, self.text(atom))
        return self.bind(full)

    # --- the function ---------------------------------------------------------------------------------------------

    def result(self, position: int, atom: Atom) -> str:
        """Return the name of a fresh and frozen array that holds `atom`."""
        name = f"out{position}"
        if not (isinstance(atom, Value) and atom in self.fresh):
            text = f"{self.bind(np.array, 'copy')}({self.text(atom)})"
        elif atom.shape:
            text = self.local[atom]  # not its copy in a buffer
        else:
            text = f"{self.bind(np.asarray, 'array')}({self.local[atom]})"  # of a NumPy scalar
        self.lines.append(f"{name} = {text}")
        self.lines.append(f"{name}.setflags(False)")
        return name

    def function(self, arguments: Sequence[str]) -> Callable[..., tuple[Any, ...]]:
        """Return a function of `arguments` that runs the lines."""
        body = "\n    ".join(self.lines)
        names = dict(self._bound)  # as globals: a closure of thousands of names compiles far more slowly
        exec(
            compile(f"def run({', '.join(arguments)}):\n    {body}\n", f"<replay of {self.program.name}>", "exec"),
            names,
        )
        made: Callable[..., tuple[Any, ...]] = names["run"]
        return made


def _base(array: Array) -> Array:
    return array if array.base is None else _base(np.asarray(array.base))
