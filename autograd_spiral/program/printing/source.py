"""A program as NumPy source that a person can read, and that runs: one commented line per equation.

The text is a function that needs only NumPy, has no side effects and writes nothing in place. So it also runs under
`jax.jit` with `jax.numpy` as `np`, unless it contains checks, or a function that `jax.numpy` lacks. The best name for a
value is one that the user gave; next, for a gradient, "d" followed by the name of the primal; then the name of a local
variable. A value without a name is written inside the expression that uses it.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.errors import CaptureError
from autograd_spiral.program.ir import Atom, Check, Equation, Program, Rank, Value
from autograd_spiral.program.printing.expressions import Text
from autograd_spiral.program.printing.helpers import HELPERS
from autograd_spiral.program.printing.names import RESERVED, given_names, identifier, unique
from autograd_spiral.program.printing.numpy_text import NUMPY, literal

__all__ = ["Source", "comment"]

WIDTH = 88
"""Expressions with more characters than this are broken up into several lines."""

_COMMENT = 56
_LITERAL = 32
"""Constants with at most this many elements are written out; larger ones are keyword arguments."""


class Source:
    """The source of `program`, which is printed unchanged, equation by equation.

    `text` is a module with one function, `name(inputs…, state…, *, large constants…)`. It returns the outputs, followed
    by the new values of the states that are updated. `constants` has the large arrays that the function takes as
    keyword arguments, by name. `names` has the names of values, and `lines` the number of the line (from 1) on which
    each value is computed; for arguments, this is the line of `def`. If `checked` is True, the function begins with
    checks of the shapes and dtypes of its arguments, and also runs the program's checks; all of these raise ValueError.
    Raises `CaptureError` if an equation cannot be printed.
    """

    def __init__(self, program: Program, *, checked: bool = False) -> None:
        self.constants: dict[str, NDArray[Any]] = {}
        self.names: dict[Value, str] = {}
        self.lines: dict[Value, int] = {}
        self._program, self._checked = program, checked
        self._uses = Counter(value for equation in program.equations for value in equation.reads())
        self._returned = (*program.outputs, *(new for _, new in program.updates))
        self._last_read = {value: i for i, equation in enumerate(program.equations) for value in equation.reads()}
        self._last_read |= {atom: len(program.equations) for atom in self._returned if isinstance(atom, Value)}
        self._results = set(program.results())
        self._made = {equation.output: equation for equation in program.equations}
        self._new_of = {new: state for state, new in reversed(program.updates) if isinstance(new, Value)}
        self._taken = {*RESERVED, program.name}
        self._inline: dict[Value, Text] = {}  # expressions that are written inside another one
        self._unread: dict[Value, set[Value]] = {}  # for each inline value not yet printed, the states it reads
        self._constant_names: dict[tuple[Any, ...], str] = {}  # equal constants share a name
        self._lines: list[str] = []
        self._phase: str | None = None  # the phase of the last line
        self._fresh = itertools.count(1)
        self._give_names()
        for position, equation in enumerate(program.equations):
            self._equation(position, equation)
        self.text = self._module()

    def unique(self, wish: str) -> str:
        """Return a name like `wish` that is not yet used in the text, and reserve it."""
        return unique(identifier(wish), self._taken)

    def _module(self) -> str:
        program, names = self._program, self.names
        returned = [self._atom(atom).text for atom in self._returned]
        numbered = ((a, f"out{i + 1}") for i, a in enumerate(program.outputs))
        outputs = [names.get(a, number) if isinstance(a, Value) else number for a, number in numbered]
        updated = [state for state, _ in program.updates]
        new = [names[state] for state in updated]
        contract = " and ".join(filter(None, (", ".join(outputs), "the new " * bool(new) + ", ".join(new))))
        kept = [names[state] for state in program.state if state not in updated] if updated else []
        more = f"; {', '.join(kept)} stay{'s' * (len(kept) == 1)} as given" if kept else ""
        arguments = [names[value] for value in (*program.inputs, *program.state)]
        if self.constants:
            arguments += ["*", *self.constants]
        head = f"def {program.name}({', '.join(arguments)}):"
        contract = f'    """Return {contract or "nothing"}{more}."""'
        last = f"    return {', '.join(returned) or None}"
        checks = self._checks_of_arguments()
        lines = [*checks, *self._lines]
        called = {name for line in lines for name in re.findall(r"(\w+)\(", line)}
        helpers = [line for name, text in HELPERS.items() if name in called for line in ("", "", *text.splitlines())]
        scipy = ["from scipy import special"] * any("special." in line for line in lines)
        before = ["import numpy as np", *scipy, *helpers, "", "", head, contract]
        self.lines = {value: len(before) + len(checks) + line for value, line in self.lines.items()}
        self.lines |= dict.fromkeys((*program.inputs, *program.state), len(before) - 1)
        return "\n".join([*before, *lines, last, ""])

    # --- names ---------------------------------------------------------------------------------------------------

    def _give_names(self) -> None:
        """Give names to arguments and outside arrays, and then to values that have a name, the best ranks first."""
        program = self._program
        for value, wish in given_names(program).items():
            self.names[value] = self.unique(wish)
        named = [
            value
            for value in self._made  # a new state gets the state's name, unless the user named it
            if value in program.names and (value not in self._new_of or program.names[value].rank == Rank.GIVEN)
        ]
        for value in sorted(named, key=lambda value: program.names[value].rank):
            self.names[value] = self.unique(program.names[value].text)
        for value in program.outside:
            found = program.found[value]
            if found.size > _LITERAL:
                self.constants[self.names[value]] = found
            else:
                self._inline[value] = literal(found)

    def _fresh_name(self) -> str:
        return self.unique(f"t{next(self._fresh)}")

    # --- lines ---------------------------------------------------------------------------------------------------

    def _equation(self, position: int, equation: Equation) -> None:
        output = equation.output
        text = self._expression(equation)
        if output in self.names:
            name = self.names[output]
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
        """Return the text of an equation, after moving parts of it to their own lines until it is short enough."""
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
        self.names[equation.output] = name
        self._unread.pop(equation.output, None)
        if equation.phase != self._phase:
            self._phase = equation.phase
            self._lines.append(f"    # {equation.phase}")
        code = f"{name} = {text.text}"
        self._lines.append(f"    {code:{_COMMENT}}  # {comment(equation.output)}")
        self.lines[equation.output] = len(self._lines)
        self._lines += self._checks_of(equation.output)

    def _checks_of_arguments(self) -> list[str]:
        """Return the lines that check the arguments of the function."""
        if not self._checked:
            return []
        program = self._program
        given: dict[str, Value | NDArray[Any]] = {
            self.names[value]: value for value in (*program.inputs, *program.state)
        }
        lines = [
            f'    check_array("{name}", {name}, {array.shape}, "{array.dtype}")'
            for name, array in (given | self.constants).items()
        ]
        for value in (*program.inputs, *program.state, *program.outside):
            if value not in self._inline:  # a constant was checked already
                lines += self._checks_of(value)
        return ["    # checks", *lines] if lines else []

    def _checks_of(self, value: Value) -> list[str]:
        """Return the lines that run the checks of `value`."""
        if not self._checked:
            return []
        return [self._check(check) for check in self._program.checks if check.value is value]

    def _check(self, check: Check) -> str:
        name = check.function.__name__
        if name not in HELPERS:
            raise CaptureError(f"{self._program.name}: {name}, a check of {self.names[check.value]}, cannot be printed")
        return f"    {name}({', '.join([self.names[check.value], *map(repr, check.details)])})"

    def _name_of_new(self, position: int, state: Value) -> str:
        """Return the name of the state itself, or another name if the old value of the state is still read later."""
        readers = [state, *(value for value, reads in self._unread.items() if state in reads)]
        if any(self._last_read.get(value, -1) > position for value in readers):
            return self.unique(f"new_{self.names[state]}")
        return self.names[state]

    def _atom(self, atom: Atom) -> Text:
        if isinstance(atom, Value):
            return self._inline[atom] if atom in self._inline else Text(self.names[atom])
        text = literal(atom)
        if isinstance(atom, np.ndarray) and atom.size > _LITERAL and text.text.startswith("np.array("):
            key = (atom.shape, atom.dtype, atom.tobytes())
            if key not in self._constant_names:
                name = self._constant_names[key] = self.unique("constant")
                self.constants[name] = atom
            return Text(self._constant_names[key])
        return text


def _is_view(equation: Equation) -> bool:
    return len(equation.inputs) == 1 and equation.function in (np.transpose, np.reshape, operator.getitem)


def comment(value: Value) -> str:
    """Return the shape of `value`, and its dtype if that is not float64."""
    shape = str(value.shape) if value.shape else "scalar"
    return shape if value.dtype == np.float64 else f"{shape} {value.dtype}"
