"""A program as NumPy source that a person can read, and that runs: one commented line per equation.

The text is a function of NumPy alone, free of side effects and of in-place writes, so that it also runs under
`jax.jit` with `jax.numpy` for `np`. Names: those the user gave, then "d" and a name for gradients, then local
variables. A value without a name stands inside the expression that uses it.
"""

from __future__ import annotations

import itertools
import keyword
import operator
import re
import unicodedata
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.program.ir import Atom, Equation, Program, Rank, Value
from autograd_spiral.program.printing.expressions import Text
from autograd_spiral.program.printing.numpy_text import NUMPY, SCATTER, literal

__all__ = ["Source", "given_names"]

WIDTH = 88
"""The length, in characters, above which an expression is broken up into lines."""

_COMMENT = 56
_LITERAL = 32
"""The number of elements up to which constants are written out; larger ones are keyword arguments."""


def given_names(program: Program) -> dict[Value, str]:
    """Return the names of inputs, state and outside arrays: x1, w1, a1 and so on if they have none."""
    roles = (("x", program.inputs), ("w", program.state), ("a", program.outside))
    names = {value: f"{role}{i + 1}" for role, values in roles for i, value in enumerate(values)}
    return {value: program.names[value].text if value in program.names else names[value] for value in names}


class Source:
    """The source of `program`, which is printed equation by equation as it is.

    `text` is a module with one function, `name(inputs…, state…, *, large constants…)`, that returns the outputs and
    then the new state of each state that has one. `constants` are the large arrays that the function takes as keyword
    arguments, by name. Raises `CaptureError` if an equation cannot be printed.
    """

    def __init__(self, program: Program) -> None:
        self.constants: dict[str, NDArray[Any]] = {}
        self._program = program
        self._uses = Counter(value for equation in program.equations for value in equation.reads())
        self._returned = (*program.outputs, *(new for _, new in program.updates))
        self._last_read = {value: i for i, equation in enumerate(program.equations) for value in equation.reads()}
        self._last_read |= {atom: len(program.equations) for atom in self._returned if isinstance(atom, Value)}
        self._results = set(program.results())
        self._made = {equation.output: equation for equation in program.equations}
        self._new_of = {new: state for state, new in reversed(program.updates) if isinstance(new, Value)}
        self._taken = {"np", "scatter", "bool", program.name}
        self._names: dict[Value, str] = {}
        self._inline: dict[Value, Text] = {}  # expressions that are written inside the one that uses them
        self._unread: dict[Value, set[Value]] = {}  # the states that inline values read, which are not yet printed
        self._constant_names: dict[tuple[Any, ...], str] = {}  # equal ones are one
        self._lines: list[str] = []
        self._phase: str | None = None  # of the last line
        self._fresh = itertools.count(1)
        self._give_names()
        for position, equation in enumerate(program.equations):
            self._equation(position, equation)
        self.text = self._module()

    def _module(self) -> str:
        program, names = self._program, self._names
        returned = [self._atom(atom).text for atom in self._returned]
        numbered = ((a, f"out{i + 1}") for i, a in enumerate(program.outputs))
        outputs = [names.get(a, number) if isinstance(a, Value) else number for a, number in numbered]
        new = [names[state] for state, _ in program.updates]
        contract = " and ".join(filter(None, (", ".join(outputs), "the new " * bool(new) + ", ".join(new))))
        arguments = [names[value] for value in (*program.inputs, *program.state)]
        if self.constants:
            arguments += ["*", *self.constants]
        helper = SCATTER if any("scatter(" in line for line in self._lines) else ""
        head = f"def {program.name}({', '.join(arguments)}):"
        contract = f'    """Return {contract or "nothing"}."""'
        last = f"    return {', '.join(returned) or None}"
        return "\n".join(["import numpy as np", *helper.splitlines(), "", "", head, contract, *self._lines, last, ""])

    # --- names ---------------------------------------------------------------------------------------------------

    def _give_names(self) -> None:
        """Give names to what is given, and then to what has one, the best ranks first."""
        program = self._program
        for value, wish in given_names(program).items():
            self._names[value] = self._unique(wish)
        named = [
            value
            for value in self._made  # a new state has the name of the state, unless the user gave it one
            if value in program.names and (value not in self._new_of or program.names[value].rank == Rank.GIVEN)
        ]
        for value in sorted(named, key=lambda value: program.names[value].rank):
            self._names[value] = self._unique(program.names[value].text)
        for value in program.outside:
            found = program.found[value]
            if found.size > _LITERAL:
                self.constants[self._names[value]] = found
            else:
                self._inline[value] = literal(found)

    def _unique(self, wish: str) -> str:
        name = unicodedata.normalize("NFKC", re.sub(r"\W", "_", wish)) or "_"  # as Python reads identifiers
        if not name.isidentifier():
            name = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in f"_{name}")
        if keyword.iskeyword(name) or name == "__debug__":
            name = f"_{name}"
        base, count = name, itertools.count(2)
        while name in self._taken:
            name = f"{base}_{next(count)}"
        self._taken.add(name)
        return name

    def _fresh_name(self) -> str:
        return self._unique(f"t{next(self._fresh)}")

    # --- lines ---------------------------------------------------------------------------------------------------

    def _equation(self, position: int, equation: Equation) -> None:
        output = equation.output
        text = self._expression(equation)
        if output in self._names:
            name = self._names[output]
        elif output in self._new_of:
            name = self._name_of_new(position, self._new_of[output])
        elif output in self._results or (self._uses[output] != 1 and not (_is_view(equation) and len(text.text) < 20)):
            name = self._fresh_name()
        else:
            self._inline[output] = text
            self._unread[output] = set().union(*(self._unread.get(value, {value}) for value in equation.reads()))
            return
        self._line(equation, name, text)

    def _expression(self, equation: Equation) -> Text:
        """Return the text of an equation, after giving parts of it their own lines until it is short enough."""
        while True:
            text = NUMPY.write(equation, [self._atom(atom) for atom in equation.inputs])
            parts = [
                v for v in equation.reads() if v in self._inline and v in self._made and len(self._inline[v].text) > 24
            ]
            if len(text.text) <= WIDTH or not parts:
                return text
            longest = max(parts, key=lambda value: len(self._inline[value].text))
            self._line(self._made[longest], self._fresh_name(), self._inline.pop(longest))

    def _line(self, equation: Equation, name: str, text: Text) -> None:
        self._names[equation.output] = name
        self._unread.pop(equation.output, None)
        if equation.phase != self._phase:
            self._phase = equation.phase
            self._lines.append(f"    # {equation.phase}")
        code = f"{name} = {text.text}"
        self._lines.append(f"    {code:{_COMMENT}}  # {_comment(equation.output)}")

    def _name_of_new(self, position: int, state: Value) -> str:
        """Return the name of the state itself, or another one if its old value is still read later."""
        readers = [state, *(value for value, reads in self._unread.items() if state in reads)]
        if any(self._last_read.get(value, -1) > position for value in readers):
            return self._unique(f"new_{self._names[state]}")
        return self._names[state]

    def _atom(self, atom: Atom) -> Text:
        if isinstance(atom, Value):
            return self._inline[atom] if atom in self._inline else Text(self._names[atom])
        text = literal(atom)
        if isinstance(atom, np.ndarray) and atom.size > _LITERAL and text.text.startswith("np.array("):
            key = (atom.shape, atom.dtype, atom.tobytes())
            if key not in self._constant_names:
                name = self._constant_names[key] = self._unique("constant")
                self.constants[name] = atom
            return Text(self._constant_names[key])
        return text


def _is_view(equation: Equation) -> bool:
    return len(equation.inputs) == 1 and equation.function in (np.transpose, np.reshape, operator.getitem)


def _comment(value: Value) -> str:
    shape = str(value.shape) if value.shape else "scalar"
    return shape if value.dtype == np.float64 else f"{shape} {value.dtype}"
