"""From a primitive and the texts of its arguments to the formula that a reader would write."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_spiral.drawing.text import number, visible
from autograd_spiral.engine.table import ARRAY, Primitive
from autograd_spiral.vocabulary.rules import scatter

__all__ = ["BLANK", "Term", "constant_term", "formula"]

COMPARISON, SUM, PRODUCT, PREFIX, POSTFIX, ATOM = range(6)


class Term(NamedTuple):
    """A piece of a formula: how it reads, how tightly it binds, how many axes its value has, a constant's number."""

    text: str
    binding: int = ATOM
    ndim: int = 0
    number: float | None = None


BLANK = "·"
"""Stands for an argument that has no name: the arrow into the operation shows which."""

_INFIX: dict[Any, tuple[str, int]] = {
    np.add: ("+", SUM),
    np.subtract: ("−", SUM),
    np.multiply: ("×", PRODUCT),
    np.divide: ("/", PRODUCT),
    np.matmul: ("@", PRODUCT),
    np.equal: ("=", COMPARISON),
    np.not_equal: ("≠", COMPARISON),
    np.less: ("<", COMPARISON),
    np.less_equal: ("≤", COMPARISON),
    np.greater: (">", COMPARISON),
    np.greater_equal: ("≥", COMPARISON),
    np.logical_and: ("and", COMPARISON),
    np.logical_or: ("or", COMPARISON),
    np.bitwise_and: ("&", COMPARISON),
    np.bitwise_or: ("|", COMPARISON),
}
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def constant_term(value: Any) -> Term:
    """A number as it stands in formulas."""
    if isinstance(value, bool | np.bool):
        return Term(str(bool(value)))
    text = number(value, 4)
    return Term(text, PREFIX if text.startswith("−") else ATOM, number=value)


def formula(primitive: Primitive, terms: Sequence[Term], params: Mapping[str, Any], ndim: int) -> Term:
    """The formula of a call of `primitive`, whose result has `ndim` axes, on arguments that read as `terms`."""
    function: Callable[..., Any] = primitive.function
    if function is np.multiply and terms[0].number is None and terms[1].number is not None:
        terms = terms[::-1]
    if function is np.multiply and (divisor := _divisor(terms[0].number)):
        function, terms = np.divide, (terms[1], Term(str(divisor)))
    if function in _INFIX and len(terms) == 2:
        sign, binding = _INFIX[function]
        left, right = terms
        chain = binding == COMPARISON or function in (np.subtract, np.divide, np.matmul)
        text = f"{_within(left, binding + (binding == COMPARISON))} {sign} {_within(right, binding + chain)}"
        return Term(text, binding, ndim)
    special = _SPECIAL.get(function)
    if special is not None:
        text, binding = special(terms, params)
        return Term(text, binding, ndim)
    name = primitive.name.removeprefix("np.").lstrip("_")
    shown = [term.text for term in terms] + _settings(params, terms)
    return Term(f"{visible(name)}({', '.join(shown)})", ATOM, ndim)


def _divisor(factor: float | None) -> int | None:
    """The whole number to divide by instead of multiplying by `factor`, such as 300 for 0.003333…"""
    if type(factor) is not float or not 1e-6 < factor < 1 or len(repr(factor)) < 9:
        return None
    return round(1 / factor) if 1 / round(1 / factor) == factor else None


def _within(term: Term, binding: int) -> str:
    """`term` as part of something that binds with `binding`: in parentheses where it binds less."""
    return term.text if term.binding >= binding else f"({term.text})"


def _raised(term: Term, sign: str) -> str:
    """`term` with a small raised sign, which `·` alone would be lost beside."""
    return f"({BLANK}){sign}" if term.text == BLANK else f"{_within(term, ATOM)}{sign}"


def _settings(params: Mapping[str, Any], terms: Sequence[Term]) -> list[str]:
    """The parameters that tell something: not the defaults, and not an axis that is the only or the usual one."""
    shown = []
    ndim = terms[0].ndim if terms else 0
    for key, value in params.items():
        if value is None or value is False or (key, value) == ("reduction", "mean"):
            continue
        if key == "axis":
            if isinstance(value, tuple):
                if len(value) == ndim:
                    continue
                value = value[0] if len(value) == 1 else value
            elif value in (-1, ndim - 1) and ndim < 3:
                continue
        text = str(value) if isinstance(value, np.dtype) else "…" if isinstance(value, np.ndarray) else repr(value)
        shown.append(visible(f"{key}={text}"))
    return shown


def _sum(terms: Sequence[Term], params: Mapping[str, Any]) -> tuple[str, int]:
    axes = params.get("axis", ())
    which = "" if len(axes) == terms[0].ndim else "".join(map(str, axes)).translate(_SUBSCRIPTS)
    return f"Σ{which} {_within(terms[0], PREFIX)}", PREFIX


def _power(terms: Sequence[Term], params: Mapping[str, Any]) -> tuple[str, int]:
    base, exponent = terms
    digits = exponent.text.replace("−", "-")
    if digits.lstrip("-").isdigit():
        return _raised(base, digits.translate(_SUPERSCRIPTS)), POSTFIX
    return f"{_within(base, ATOM)} ** {_within(exponent, ATOM)}", PREFIX


def _transpose(terms: Sequence[Term], params: Mapping[str, Any]) -> tuple[str, int]:
    term, axes = terms[0], params.get("axes", ())
    ndim = len(axes)
    if axes in (tuple(range(ndim))[::-1], (*range(ndim - 2), ndim - 1, ndim - 2)):
        return _raised(term, "ᵀ"), POSTFIX
    return f"transpose({term.text}, {axes})", ATOM


def _getitem(terms: Sequence[Term], params: Mapping[str, Any]) -> tuple[str, int]:
    arrays = iter(terms[1:])
    items = [next(arrays).text if item is ARRAY else _index_text(item) for item in params["index"]]
    return f"{_within(terms[0], ATOM)}[{', '.join(items)}]", ATOM


def _index_text(item: Any) -> str:
    if isinstance(item, slice):
        start, stop = ("" if bound is None else str(bound) for bound in (item.start, item.stop))
        return f"{start}:{stop}" + ("" if item.step is None else f":{item.step}")
    return "…" if item is Ellipsis else str(item)


_SPECIAL: dict[Any, Callable[[Sequence[Term], Mapping[str, Any]], tuple[str, int]]] = {
    np.positive: lambda terms, params: (f"+{_within(terms[0], PREFIX + 1)}", PREFIX),
    np.negative: lambda terms, params: (f"−{_within(terms[0], PREFIX + 1)}", PREFIX),
    np.absolute: lambda terms, params: (f"|{terms[0].text}|", ATOM),
    np.square: lambda terms, params: (_raised(terms[0], "²"), POSTFIX),
    np.power: _power,
    np.sum: _sum,
    np.transpose: _transpose,
    np.broadcast_to: lambda terms, params: (terms[0].text, terms[0].binding),
    np.reshape: lambda terms, params: (f"reshape({terms[0].text})", ATOM),
    np.ndarray.astype: lambda terms, params: (f"{params['dtype']}({terms[0].text})", ATOM),
    np.concatenate: lambda terms, params: (f"concatenate({', '.join(term.text for term in terms[:9])})", ATOM),
    operator.getitem: _getitem,
    scatter: lambda terms, params: (f"scatter({terms[0].text})", ATOM),
}
