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

from autograd_spiral.program.ir import Atom, Equation, Program, Value
from autograd_spiral.program.printing.expressions import Text
from autograd_spiral.program.printing.numpy_text import NUMPY, SCATTER, literal

__all__ = ["Source", "source"]

WIDTH = 88
"""Expressions are broken up into lines of about so many characters."""

_COMMENT = 56
_LITERAL = 32
"""Constants of so many elements are written out; larger ones are keyword arguments."""


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


class _Printer:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.uses = Counter(value for equation in program.equations for value in equation.reads())
        self.results = Counter(value for value in program.results())
        self.made = {equation.output: equation for equation in program.equations}
        self.new_of = {new: state for state, new in reversed(program.updates) if isinstance(new, Value)}
        self.taken = {"np", "scatter", program.name}
        self.names: dict[Value, str] = {}
        self.inline: dict[Value, Text] = {}  # what stands inside its consumer
        self.unread: dict[Value, set[Value]] = {}  # of inline values not yet printed: the states they read
        self.keywords: dict[str, NDArray[Any]] = {}
        self._constants: dict[tuple[Any, ...], str] = {}  # equal ones are one
        self.lines: list[tuple[str, str, str]] = []  # phase, code, comment
        self._fresh = itertools.count(1)
        self._give_names()

    def text(self) -> str:
        """The whole module."""
        program = self.program
        for position, equation in enumerate(program.equations):
            self._equation(position, equation)
        returned = [self._atom(atom).text for atom in (*program.outputs, *(new for _, new in program.updates))]
        outputs = [
            f"out{i + 1}" if not isinstance(a, Value) or a not in self.names else self.names[a]
            for i, a in enumerate(program.outputs)
        ]
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
        """Names for what is given, and for what has one, the best ranks first."""
        program = self.program
        for role, values in (("x", program.inputs), ("w", program.state), ("a", program.outside)):
            for i, value in enumerate(values):
                known = program.names.get(value)
                self.names[value] = self._unique(known.text if known else f"{role}{i + 1}")
        order = {equation.output: i for i, equation in enumerate(program.equations)}
        named = [
            value for value in order if value in program.names and not (value in self.new_of and self._is_new(value))
        ]
        for value in sorted(named, key=lambda value: (program.names[value].rank, order[value])):
            self.names[value] = self._unique(program.names[value].text)
        for value in program.outside:
            found = program.found[value]
            if found.size > _LITERAL:
                self.keywords[self.names[value]] = found
            else:
                self.inline[value] = literal(found)

    def _is_new(self, value: Value) -> bool:
        """Whether the best name for `value` is that of the state it is the new value of."""
        return value not in self.program.names or self.program.names[value].rank > 0

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

    # --- lines ---------------------------------------------------------------------------------------------------

    def _equation(self, position: int, equation: Equation) -> None:
        output = equation.output
        text = self._expression(equation)
        state = self.new_of.get(output)
        if state is not None and output not in self.names:
            self._line(equation, self._name_of_new(position, state), text)
        elif output in self.names or output in self.results:
            self._line(equation, self.names.get(output) or f"t{next(self._fresh)}", text)
        elif self.uses[output] == 1 or (_is_view(equation) and len(text.text) < 20):
            self.inline[output] = text
            reads = set(itertools.chain.from_iterable(self.unread.get(value, {value}) for value in equation.reads()))
            self.unread[output] = reads
        else:
            self._line(equation, self._unique(f"t{next(self._fresh)}"), text)

    def _expression(self, equation: Equation) -> Text:
        """The text of an equation; parts of it get lines of their own until it is short enough."""
        while True:
            text = NUMPY.write(equation, [self._atom(atom) for atom in equation.inputs])
            parts = [
                v for v in equation.reads() if v in self.inline and v in self.made and len(self.inline[v].text) > 24
            ]
            if len(text.text) <= WIDTH or not parts:
                return text
            longest = max(parts, key=lambda value: len(self.inline[value].text))
            self._line(self.made[longest], self._unique(f"t{next(self._fresh)}"), self.inline.pop(longest))

    def _line(self, equation: Equation, name: str, text: Text) -> None:
        self.names[equation.output] = name
        self.taken.add(name)
        self.unread.pop(equation.output, None)
        self.lines.append((equation.phase, f"{name} = {text.text}", _comment(equation.output)))

    def _name_of_new(self, position: int, state: Value) -> str:
        """The name of the state itself if nothing reads its old value from here on."""
        later = set(itertools.chain.from_iterable(e.reads() for e in self.program.equations[position + 1 :]))
        behind = set(itertools.chain.from_iterable(self.unread.get(value, ()) for value in later))
        results = (*self.program.outputs, *(new for _, new in self.program.updates))
        if state in later | behind or any(atom is state for atom in results):
            return self._unique(f"new_{self.names[state]}")
        return self.names[state]

    def _atom(self, atom: Atom) -> Text:
        if isinstance(atom, Value):
            return self.inline[atom] if atom in self.inline else Text(self.names[atom])
        if isinstance(atom, np.ndarray) and atom.size > _LITERAL:
            text = literal(atom)
            if text.text.startswith("np.array("):
                return Text(self._constant(atom))
            return text
        return literal(atom)

    def _constant(self, array: NDArray[Any]) -> str:
        key = (array.shape, array.dtype, array.tobytes())
        if key not in self._constants:
            name = self._constants[key] = self._unique("constant")
            self.keywords[name] = array
        return self._constants[key]


def _is_view(equation: Equation) -> bool:
    if equation.function is operator.getitem:
        return len(equation.inputs) == 1
    return equation.function in (np.transpose, np.reshape)


def _comment(value: Value) -> str:
    shape = str(value.shape) if value.shape else "scalar"
    return shape if value.dtype == np.float64 else f"{shape} {value.dtype}"
