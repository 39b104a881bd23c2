"""The alphabet of pictures: equations as the formulas that a person would write."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.drawing.text import number, visible
from autograd_spiral.program.ir import Equation, shape_of
from autograd_spiral.program.printing.expressions import (
    COMPARISONS,
    Alphabet,
    Binding,
    Text,
    index_text,
    listed,
    settings,
    transposed,
)
from autograd_spiral.vocabulary.rules.indexing import scatter
from autograd_spiral.vocabulary.rules.shapes import add_windows

__all__ = ["BLANK", "FORMULAS", "RAISED", "constant_text"]

BLANK = "·"
"""Stands for an argument without a name: the arrow into the operation shows which argument it is."""

RAISED = "ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
"""The signs that are written raised after a term."""

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def constant_text(value: Any) -> Text:
    """Return a number as formulas show it."""
    if isinstance(value, bool | np.bool):
        return Text(str(bool(value)))
    text = number(value, 4)
    return Text(text, Binding.SIGN if text.startswith("−") else Binding.ATOM, value)


def _call(equation: Equation, terms: Sequence[Text]) -> Text:
    name = equation.primitive.name.removeprefix("np.").lstrip("_")
    return Text(f"{visible(name)}({', '.join([listed(terms), *_settings(equation)])})")


def _settings(equation: Equation) -> Iterator[str]:
    """Yield the parameters that are worth showing; the usual axis is left out."""
    ndim = len(shape_of(equation.inputs[0])) if equation.inputs else 0
    for key, value in settings(equation):
        usual = key == "axis" and type(equation.params[key]) is int and value in (-1, ndim - 1) and ndim < 3
        if not usual and (key, value) != ("reduction", "mean"):
            text = str(value) if isinstance(value, np.dtype) else "…" if isinstance(value, np.ndarray) else repr(value)
            yield visible(f"{key}={text}")


def _raised(term: Text, sign: str) -> Text:
    """Write `term` with a small raised sign, next to which a bare `·` would be hard to see."""
    return Text(f"({BLANK}){sign}" if term.text == BLANK else f"{term.atom}{sign}", Binding.POWER)


def _sum(equation: Equation, terms: Sequence[Text]) -> Text:
    axes = dict(settings(equation)).get("axis", ())
    which = ",".join(map(str, axes if isinstance(axes, tuple) else (axes,))).translate(_SUBSCRIPTS)
    return Text(f"Σ{which} {terms[0].within(Binding.SIGN)}", Binding.SIGN)


def _power(equation: Equation, terms: Sequence[Text]) -> Text:
    base, exponent = terms
    digits = exponent.text.replace("−", "-")
    if digits.lstrip("-").isdigit():
        return _raised(base, digits.translate(_SUPERSCRIPTS))
    return Text(f"{base.atom} ** {exponent.atom}", Binding.SIGN)


def _transpose(equation: Equation, terms: Sequence[Text]) -> Text:
    axes = equation.params["axes"]
    return _raised(terms[0], "ᵀ") if transposed(axes) else Text(f"transpose({terms[0].text}, {axes})")


FORMULAS = Alphabet(
    infix={
        Binding.COMPARISON: dict(zip(COMPARISONS, ("=", "≠", "<", "≤", ">", "≥"), strict=True))
        | {np.logical_and: "and", np.logical_or: "or", np.bitwise_and: "&", np.bitwise_or: "|"},
        Binding.SUM: {np.add: "+", np.subtract: "−"},
        Binding.PRODUCT: {np.multiply: "×", np.divide: "/", np.matmul: "@"},
    },
    prefix={np.negative: "−", np.positive: "+"},
    special={
        np.absolute: lambda equation, terms: Text(f"|{terms[0].text}|"),
        np.square: lambda equation, terms: _raised(terms[0], "²"),
        np.power: _power,
        np.sum: _sum,
        np.transpose: _transpose,
        np.broadcast_to: lambda equation, terms: terms[0]._replace(number=None),
        np.reshape: lambda equation, terms: Text(f"reshape({terms[0].text})"),
        np.ndarray.astype: lambda equation, terms: Text(f"{equation.params['dtype']}({terms[0].text})"),
        operator.getitem: lambda equation, terms: Text(f"{terms[0].atom}[{index_text(equation, terms[1:], '…')}]"),
        scatter: lambda equation, terms: Text(f"scatter({terms[0].text})"),
        sliding_window_view: lambda equation, terms: Text(
            f"windows({terms[0].text}, {equation.params['window_shape']})"
        ),
        add_windows: lambda equation, terms: Text(f"add_windows({terms[0].text})"),
    },
    call=_call,
    associative={np.add, np.multiply},
    stacked=False,
)
"""The formulas of pictures."""
