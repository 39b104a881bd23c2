"""Simplification: replaces equations by simpler ones, such as `x * 1` by `x`, or two reshapes by one.

Most of it is a table of rules written in NumPy. If a pattern is not enough, the rule is a function: it takes an
equation and the program that is being built, and returns an equation, an atom that replaces the output, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Program, Value, has_dtype, shape_of
from autograd_spiral.program.passes.broadcasting import broadcast_afterwards, without_broadcasts
from autograd_spiral.program.passes.builder import Builder, rebuilt
from autograd_spiral.program.passes.entries import scatter_by_comparison
from autograd_spiral.program.passes.factors import one_factor
from autograd_spiral.program.passes.patterns import ANY, Match, Rule
from autograd_spiral.vocabulary.rules.indexing import scatter

__all__ = ["simplified"]


def simplified(program: Program) -> Program:
    """Return `program` with each equation in its simplest form."""
    return rebuilt(program, _simpler)


def _simpler(equation: Equation, builder: Builder) -> Equation | Atom:
    if equation.elementwise:
        equation = broadcast_afterwards(without_broadcasts(equation, builder), builder)
    for rule in _RULES.get(equation.function, ()):
        result = rule(equation, builder)
        if result is not None:
            return result
    return equation


# --- when rules apply -----------------------------------------------------------------------------------------------


def _same_type(match: Match, x: Atom) -> bool:
    """Return whether `x` can replace the result unchanged."""
    output = match.equation.output
    return shape_of(x) == output.shape and has_dtype(x, output.dtype)


def _is_float(match: Match, x: Atom) -> bool:
    return isinstance(x, Value) and x.dtype.kind == "f"


def _negation_is_exact(match: Match, x: Atom, y: Atom) -> bool:
    """Return whether nothing else reads -y, and whether integers overflow in the result in the same way as in -y."""
    (minus,) = match.inner
    dtype = minus.output.dtype
    return match.alone and (dtype.kind == "f" or dtype == match.equation.output.dtype)


def _keeps_axes(match: Match, x: Atom) -> bool:
    """Return whether the reshape after a reduction does what `keepdims=True` does."""
    (reduction,) = match.inner
    axes = reduction.params["axis"]
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape_of(x)))
    return match.alone and not reduction.params["keepdims"] and match.equation.output.shape == kept


def _is_reshape(match: Match, x: Atom) -> bool:
    """Return whether all reduced axes have length 1, except for a reduction to a scalar, which is easier to read."""
    equation, shape = match.equation, shape_of(x)
    single = all(shape[i] == 1 for i in equation.params["axis"])
    return single and has_dtype(x, equation.output.dtype) and equation.output.shape != ()


def _keeps_order(match: Match, x: Atom) -> bool:
    axes = match.equation.params["axes"]
    return bool(axes == tuple(range(len(axes))))


def _composed(match: Match) -> Mapping[str, Any]:
    """Return the order of axes after two transposes."""
    (inner,) = match.inner
    return {"axes": tuple(inner.params["axes"][i] for i in match.equation.params["axes"])}


# --- the table ------------------------------------------------------------------------------------------------------


def _with_axes_kept(reduction: Callable[..., Any]) -> Rule:
    return Rule(
        lambda x: np.reshape(reduction(x, ANY), ANY),
        lambda x: reduction(x, ANY),
        _keeps_axes,
        lambda match: {**match.inner[0].params, "keepdims": True},
    )


def _of_one_number(view: Callable[..., Any]) -> Rule:
    return Rule(
        lambda x: view(np.broadcast_to(x, ANY), ANY),
        lambda x: np.broadcast_to(x, ANY),
        lambda match, x: shape_of(x) == (),
        lambda match: {"shape": match.equation.output.shape},
    )


def _as_reshape(extremum: Callable[..., Any]) -> Rule:
    return Rule(
        lambda x: extremum(x, ANY),
        lambda x: np.reshape(x, ANY),
        _is_reshape,
        lambda match: {"shape": match.equation.output.shape},
    )


_RULES: dict[Callable[..., Any], list[Callable[[Equation, Builder], Equation | Atom | None]]] = {}

for _rule in (
    Rule(lambda x: +x, lambda x: x, _same_type),
    Rule(lambda x: x.astype(ANY), lambda x: x, _same_type),
    Rule(lambda x: np.broadcast_to(x, ANY), lambda x: x, _same_type),
    Rule(lambda x: np.reshape(x, ANY), lambda x: x, _same_type),
    Rule(lambda x: np.reshape(np.reshape(x, ANY), ANY), lambda x: np.reshape(x, ANY)),
    Rule(lambda x: np.broadcast_to(np.broadcast_to(x, ANY), ANY), lambda x: np.broadcast_to(x, ANY)),
    Rule(lambda x: np.transpose(x, ANY), lambda x: x, _keeps_order),
    Rule(lambda x: np.transpose(np.transpose(x, ANY), ANY), lambda x: np.transpose(x, ANY), params=_composed),
    Rule(lambda x: x * 1, lambda x: x, _same_type),
    Rule(lambda x: x / 1, lambda x: x, _same_type),
    Rule(lambda x: x**1, lambda x: x, _same_type),
    Rule(lambda x: x**2, lambda x: np.square(x), _same_type),
    Rule(lambda x: x - 0, lambda x: x, _same_type),  # but not x + 0, which turns -0.0 into 0.0
    Rule(lambda x: np.negative(-x), lambda x: x),
    Rule(lambda x: x + x, lambda x: 2.0 * x, _is_float),
    Rule(lambda x, y: x + (-y), lambda x, y: x - y, _negation_is_exact),
    Rule(lambda x, y: x - (-y), lambda x, y: x + y, _negation_is_exact),
    *(_of_one_number(view) for view in (np.reshape, np.transpose)),
    *(_with_axes_kept(reduction) for reduction in (np.sum, np.max, np.min, np.mean)),
    *(_as_reshape(extremum) for extremum in (np.max, np.min)),  # but not sums, which begin with 0, and 0 + -0.0 is 0.0
):
    _RULES.setdefault(_rule.pattern.function, []).append(_rule)
_RULES[np.multiply].append(one_factor)
_RULES[np.divide].append(one_factor)
_RULES[scatter] = [scatter_by_comparison]
