"""The names in a text: valid Python identifiers, each used for one thing only."""

from __future__ import annotations

import itertools
import keyword
import re
import unicodedata

from autograd_spiral.program.ir import Program, Value
from autograd_spiral.program.printing.helpers import BUILTINS, HELPERS

__all__ = ["RESERVED", "function_name", "given_names", "identifier", "unique"]

RESERVED = frozenset({"np", "special", "bool", "file", "allow_pickle", *BUILTINS, *HELPERS})
"""Names that the texts use themselves, and the parameters of `np.savez`, which takes arrays by name."""


def identifier(text: str) -> str:
    """Return `text` as a Python identifier: characters that are not allowed become underscores.

    >>> identifier("a-b"), identifier("2d"), identifier("lambda"), identifier("x₂")
    ('a_b', '_2d', '_lambda', 'x2')
    """
    name = unicodedata.normalize("NFKC", re.sub(r"\W", "_", text)) or "_"
    if not name.isidentifier():
        name = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in f"_{name}")
    return f"_{name}" if keyword.iskeyword(name) or name == "__debug__" else name


def unique(name: str, taken: set[str]) -> str:
    """Return the identifier `name`, with a number appended if it is `taken`, and add the result to `taken`.

    >>> taken = {"np"}
    >>> unique("np", taken), unique("np", taken), unique("x", taken)
    ('np_2', 'np_3', 'x')
    """
    base, count = name, itertools.count(2)
    while name in taken:
        name = f"{base}_{next(count)}"
    taken.add(name)
    return name


def function_name(text: str) -> str:
    """Return a name for the function of a step called `text`, or "step" if that is not an identifier.

    Two underscores at each end of a name are removed, since some such names have a special meaning in modules.

    >>> function_name("train"), function_name("<lambda>"), function_name("np"), function_name("__call__")
    ('train', 'step', 'np_2', 'call')
    """
    name = identifier(text) if text.isidentifier() else "step"
    if name.startswith("__") and name.endswith("__"):
        name = identifier(name.strip("_"))
    return unique(name, {*RESERVED})


def given_names(program: Program) -> dict[Value, str]:
    """Return the names of inputs, state and outside arrays; those without a name are called x1, w1, a1 and so on."""
    roles = (("x", program.inputs), ("w", program.state), ("a", program.outside))
    names = {value: f"{role}{i + 1}" for role, values in roles for i, value in enumerate(values)}
    return {value: program.names[value].text if value in program.names else names[value] for value in names}
