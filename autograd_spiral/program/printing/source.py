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
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.program.ir import Atom, Equation, Program, Rank, Value
from autograd_spiral.program.printing.expressions import Text
from autograd_spiral.program.printing.numpy_text import NUMPY, SCATTER, literal

__all__ = ["Source", "given_names", "source"]

WIDTH = 88
"""The length, in characters, above which an expression is broken up into lines."""

_COMMENT = 56
_LITERAL = 32
"""The number of elements up to which constants are written out; larger ones are keyword arguments."""


class Source(NamedTuple):
    """The text of a program, and the large arrays that its function takes as keyword arguments, by name."""

    text: str
    constants: dict[str, NDArray[Any]]


def source(program: Program) -> Source:
    """Return the source of `program`, which is printed equation by equation as it is.

    The text is a module with one function, `name(inputs…, state…, *, large constants…)`, that returns the outputs and
    then the new state of each state that has one. Raises `CaptureError` if an equation cannot be printed.
    """
    printer = _Printer(program)
    return Source(printer.text(), printer.keywords)


def given_names(program: Program) -> dict[Value, str]:
    """Return the names of inputs, state and outside arrays: x1, w1, a1 and so on if they have none."""
    roles = (("x", program.inputs), ("w", program.state), ("a", program.outside))
    names = {value: f"{role}{i + 1}" for role, values in roles for i, value in enumerate(values)}
    return {value: program.names[value].text if value in program.names else names[value] for value in names}


class _Printer:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.uses = Counter(value for equation in program.equations for value in equation.reads())
        self.last_read = {value: i for i, equation in enumerate(program.equations) for value in equation.reads()}
        self.results = set(program.results())
        self.made = {equation.output: equation for equation in program.equations}
        self.new_of = {new: state for state, new in reversed(program.updates) if isinstance(new, Value)}
        self.taken = {"np", "scatter", "bool", program.name}
        self.names: dict[Value, str] = {}
        self.inline: dict[Value, Text] = {}  # expressions that are written inside the one that uses them
        self.unread: dict[Value, set[Value]] = {}  # the states that inline values read, which are not yet printed
        self.keywords: dict[str, NDArray[Any]] = {}
        self._constants: dict[tuple[Any, ...], str] = {}  # equal ones are one
        self.lines: list[tuple[str, str, str]] = []  # phase, code, comment
        self._fresh = itertools.count(1)
        self._give_names()

    def text(self) -> str:
        """Return the whole module."""
        program = self.program
        for position, equation in enumerate(program.equations):
            self._equation(position, equation)
        returned = [self._atom(atom).text for atom in (*program.outputs, *(new for _, new in program.updates))]
        numbered = ((a, f"out{i + 1}") for i, a in enumerate(program.outputs))
        outputs = [self.names.get(a, number) if isinstance(a, Value) else number for a, number in numbered]
        new = [self.names[state] for state, _ in program.updates]
        contract = " and ".join(filter(None, (", ".join(outputs), "the new " * bool(new) + ", ".join(new))))
        arguments = [self.names[value] for value in (*program.inputs, *program.state)]
        if self.keywords:
            arguments += ["*", *self.keywords]
        head = f"def {program.name}({', '.join(arguments)}):"
        body = list(self._body())
        body.append(f"    return {', '.join(returned) or None}")
        helper = SCATTER if any("scatter(" in code for _, code, _ in self.lines) else ""
        contract = f'    """Return {contract or "nothing"}."""'
        return "\n".join(["import numpy as np", *helper.splitlines(), "", "", head, contract, *body]) + "\n"

    def _body(self) -> Iterator[str]:
        heading = None
        for phase, code, comment in self.lines:
            if phase != heading:
                heading = phase
                yield f"    # {phase}"
            yield f"    {code:{_COMMENT}}  # {comment}"

    # --- names ---------------------------------------------------------------------------------------------------

    def _give_names(self) -> None:
        """Give names to what is given, and then to what has one, the best ranks first."""
        program = self.program
        for value, wish in given_names(program).items():
            self.names[value] = self._unique(wish)
        named = [
            value
            for value in self.made  # a new state has the name of the state, unless the user gave it one
            if value in program.names and (value not in self.new_of or program.names[value].rank == Rank.GIVEN)
        ]
        for value in sorted(named, key=lambda value: program.names[value].rank):
            self.names[value] = self._unique(program.names[value].text)
        for value in program.outside:
            found = program.found[value]
            if found.size > _LITERAL:
                self.keywords[self.names[value]] = found
            else:
                self.inline[value] = literal(found)

    def _unique(self, wish: str) -> str:
        name = unicodedata.normalize("NFKC", re.sub(r"\W", "_", wish)) or "_"  # as Python reads identifiers
        if not name.isidentifier():
            name = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in f"_{name}")
        if keyword.iskeyword(name) or name == "__debug__":
            name = f"_{name}"
        base, count = name, itertools.count(2)
        while name in self.taken:
            name = f"{base}_{next(count)}"
        self.taken.add(name)
        return name

    def _fresh_name(self) -> str:
        return self._unique(f"t{next(self._fresh)}")

    # --- lines ---------------------------------------------------------------------------------------------------

    def _equation(self, position: int, equation: Equation) -> None:
        output = equation.output
        text = self._expression(equation)
        if output in self.names:
            name = self.names[output]
        elif output in self.new_of:
            name = self._name_of_new(position, self.new_of[output])
        elif output in self.results or (self.uses[output] != 1 and not (_is_view(equation) and len(text.text) < 20)):
            name = self._fresh_name()
        else:
            self.inline[output] = text
            reads = (self.unread.get(value, {value}) for value in equation.reads())
            self.unread[output] = set(itertools.chain.from_iterable(reads))
            return
        self._line(equation, name, text)

    def _expression(self, equation: Equation) -> Text:
        """Return the text of an equation, after giving parts of it their own lines until it is short enough."""
        while True:
            text = NUMPY.write(equation, [self._atom(atom) for atom in equation.inputs])
            parts = [
                v for v in equation.reads() if v in self.inline and v in self.made and len(self.inline[v].text) > 24
            ]
            if len(text.text) <= WIDTH or not parts:
                return text
            longest = max(parts, key=lambda value: len(self.inline[value].text))
            self._line(self.made[longest], self._fresh_name(), self.inline.pop(longest))

    def _line(self, equation: Equation, name: str, text: Text) -> None:
        self.names[equation.output] = name
        self.taken.add(name)
        self.unread.pop(equation.output, None)
        self.lines.append((equation.phase, f"{name} = {text.text}", _comment(equation.output)))

    def _name_of_new(self, position: int, state: Value) -> str:
        """Return the name of the state itself, or another one if its old value is still read later."""
        readers = [state, *(value for value, reads in self.unread.items() if state in reads)]
        returned = (*self.program.outputs, *(new for _, new in self.program.updates))
        if any(atom is state for atom in returned) or any(
            self.last_read.get(value, -1) > position for value in readers
        ):
            return self._unique(f"new_{self.names[state]}")
        return self.names[state]

    def _atom(self, atom: Atom) -> Text:
        if isinstance(atom, Value):
            return self.inline[atom] if atom in self.inline else Text(self.names[atom])
        text = literal(atom)
        if isinstance(atom, np.ndarray) and atom.size > _LITERAL and text.text.startswith("np.array("):
            key = (atom.shape, atom.dtype, atom.tobytes())
            if key not in self._constants:
                name = self._constants[key] = self._unique("constant")
                self.keywords[name] = atom
            return Text(self._constants[key])
        return text


def _is_view(equation: Equation) -> bool:
    if equation.function is operator.getitem:
        return len(equation.inputs) == 1
    return equation.function in (np.transpose, np.reshape)


def _comment(value: Value) -> str:
    shape = str(value.shape) if value.shape else "scalar"
    return shape if value.dtype == np.float64 else f"{shape} {value.dtype}"
