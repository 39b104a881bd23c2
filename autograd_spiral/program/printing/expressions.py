"""Expressions with operators and parentheses, written in any alphabet.

An `Alphabet` says how each operation is written. There are two: NumPy source (`numpy_text`), and the formulas of
pictures (`drawing.formulas`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from autograd_spiral.program.ir import Equation, dtype_of, has_dtype, shape_of
from autograd_spiral.vocabulary.signatures import ARRAY

__all__ = ["COMPARISONS", "Alphabet", "Binding", "Text", "index_text", "listed", "reciprocal", "settings", "transposed"]

Function: TypeAlias = Callable[..., Any]


class Binding(IntEnum):
    """How tightly operators bind, from the loosest to the tightest. An ATOM never needs parentheses."""

    COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)


COMPARISONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
"""The comparisons, in the order in which alphabets list their signs."""


class Text(NamedTuple):
    """An expression with the binding of its outermost operator, and its value if it is a number."""

    text: str
    binding: int = Binding.ATOM
    number: float | None = None

    def within(self, binding: int) -> str:
        """Return the expression as an operand of an operator that binds with `binding`."""
        return self.text if self.binding >= binding else f"({self.text})"

    @property
    def atom(self) -> str:
        """The expression as it is written before a dot, a bracket or an exponent."""
        return self.within(Binding.ATOM)


def listed(texts: Iterable[Text]) -> str:
    """Return expressions as the arguments of a call."""
    return ", ".join(text.text for text in texts)


Writer: TypeAlias = Callable[[Equation, Sequence[Text]], Text]


@dataclass(frozen=True)
class Alphabet:
    """How operations are written: as operators between or before operands, in a special notation, or as calls.

    The operators in `associative` need no parentheses around a right operand that binds equally tightly. `stacked` says
    whether two signs may follow each other, as in `--x`.
    """

    infix: Mapping[Binding, Mapping[Function, str]]
    prefix: Mapping[Function, str]
    special: Mapping[Function, Writer]
    call: Writer
    associative: Set[Function] = frozenset()
    stacked: bool = True

    def write(self, equation: Equation, operands: Sequence[Text]) -> Text:
        """Return the expression for `equation`; `operands` are the texts of its inputs."""
        function = equation.function
        if function is np.multiply:
            function, operands = _scaled(equation, *operands)
        for binding, signs in self.infix.items():
            if function in signs:
                left = operands[0].within(binding + (binding == Binding.COMPARISON))  # in Python, a < b < c is a chain
                right = operands[1].within(binding + (function not in self.associative))
                return Text(f"{left} {signs[function]} {right}", binding)
        if function in self.prefix:
            inner = Binding.SIGN + (not self.stacked)
            return Text(f"{self.prefix[function]}{operands[0].within(inner)}", Binding.SIGN)
        return self.special.get(function, self.call)(equation, operands)


def _scaled(equation: Equation, left: Text, right: Text) -> tuple[Function, Sequence[Text]]:
    """Write a product with the number first, and write `x / 300` for `x * (1 / 300)` if `_is_exact` permits this."""
    if left.number is None and right.number is not None:
        left, right = right, left
    if left.number is not None:
        divisor = reciprocal(left.number)
        if divisor is not None and divisor > 0 and _is_exact(divisor, equation):
            return np.divide, (right, Text(str(divisor)))
        left = Text(left.within(Binding.SIGN))
    return np.multiply, (left, right)


def _is_exact(divisor: int, equation: Equation) -> bool:
    """Return whether the arrays of `equation` are floating and can hold `divisor` and its reciprocal in full."""
    dtype = equation.output.dtype
    if dtype.kind != "f" or dtype.itemsize > 8:  # a longdouble has more digits than a Python number
        return False
    limits = np.finfo(dtype)
    return (
        divisor <= float(limits.max)
        and dtype.type(divisor) == divisor
        and 1 / divisor >= float(limits.tiny)
        and all(dtype_of(atom) is None or has_dtype(atom, dtype) for atom in equation.inputs)
    )


def reciprocal(number: float) -> int | None:
    """Return the integer n if `number` is 1 / n, and is hard to read because it has many digits; else None.

    >>> reciprocal(1 / 300), reciprocal(0.25), reciprocal(0.3)
    (300, None, None)
    """
    if type(number) is not float or not 1e-9 < abs(number) < 1 or len(repr(number)) < 9:
        return None
    whole = round(1 / number)
    return whole if 1 / whole == number else None


def index_text(equation: Equation, arrays: Sequence[Text], ellipsis: str = "...") -> str:
    """Return the text between the brackets of an index; `arrays` are the texts of its arrays."""
    remaining = iter(arrays)
    items = [next(remaining).text if item is ARRAY else _item(item, ellipsis) for item in equation.params["index"]]
    return ", ".join(items) if items else "()"


def _item(item: Any, ellipsis: str) -> str:
    if isinstance(item, slice):
        start, stop = ("" if bound is None else str(bound) for bound in (item.start, item.stop))
        return f"{start}:{stop}" + ("" if item.step is None else f":{item.step}")
    return ellipsis if item is Ellipsis else str(item)


def settings(equation: Equation) -> Iterator[tuple[str, Any]]:
    """Yield the parameters that are written: a default or a tuple of all axes is left out, and one axis is a number."""
    for key, value in equation.params.items():
        if key == "axis" and isinstance(value, tuple):
            if len(value) == len(shape_of(equation.inputs[0])):
                continue
            value = value[0] if len(value) == 1 else value
        if value is not None and value is not False:
            yield key, value


def transposed(axes: tuple[int, ...]) -> str | None:
    """Return "T" if `axes` reverses all axes, "mT" if it swaps the last two, else None."""
    n = len(axes)
    if axes == tuple(range(n))[::-1]:
        return "T"
    return "mT" if axes == (*range(n - 2), n - 1, n - 2) else None
