"""Expressions, as NumPy and as formulas: read as mathematics, they say what was computed."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_spiral.drawing.formulas import FORMULAS, constant_text
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.program.ir import Equation, Value
from autograd_spiral.program.printing.expressions import Alphabet, Text, reciprocal
from autograd_spiral.program.printing.numpy_text import NUMPY, literal

SCALAR = Value((), np.dtype(float))
NAMES = {"x": 0.75, "y": 1.5, "z": 2.25}
BINARY = [np.add, np.subtract, np.multiply, np.divide]
COMPARED = [np.less, np.greater_equal, np.not_equal]
TO_PYTHON = {ord("−"): "-", ord("×"): "*", ord("≠"): "!=", ord("≥"): ">=", ord("²"): "**2"}
TREES = st.recursive(
    st.sampled_from([*NAMES, 2.0, -0.5, 0.25]),
    lambda parts: (
        st.tuples(st.sampled_from([*BINARY, *COMPARED]), parts, parts)
        | st.tuples(st.sampled_from([np.negative, np.positive, np.square]), parts)
    ),
    max_leaves=8,
)


def written(tree: Any, alphabet: Alphabet) -> Text:
    """The expression for nested calls of functions on names and numbers."""
    if isinstance(tree, str):
        return Text(tree)
    if isinstance(tree, float):
        return literal(tree) if alphabet is NUMPY else constant_text(tree)
    function, *parts = tree
    inputs = tuple(part if isinstance(part, float) else SCALAR for part in parts)
    return alphabet.write(
        Equation(PRIMITIVES[function], inputs, {}, SCALAR), [written(part, alphabet) for part in parts]
    )


def computed(tree: Any) -> Any:
    """The value of nested calls, each result as a Python float."""
    if not isinstance(tree, tuple):
        return NAMES.get(tree, tree)
    function, *parts = tree
    return float(function(*map(computed, parts)))


@settings(max_examples=150)
@given(TREES)
@pytest.mark.parametrize("alphabet", [NUMPY, FORMULAS], ids=["NumPy", "formulas"])
def test_parentheses_stand_where_the_order_of_operations_needs_them(alphabet: Alphabet, tree: Any) -> None:
    text = written(tree, alphabet).text.translate(TO_PYTHON)
    with np.errstate(all="raise"), contextlib.suppress(FloatingPointError, ZeroDivisionError):
        assert float(eval(text, dict(NAMES))) == pytest.approx(computed(tree), rel=1e-12, abs=1e-12), text


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ">f8", ">i2", "i8", "u1", "?"])
@pytest.mark.parametrize("number", [0, 1, 7, -0.0, 0.25, -1 / 3, np.inf])
def test_an_array_of_one_number_is_written_as_a_call(number: float, dtype: str) -> None:
    array = np.array(number, dtype) if np.dtype(dtype).kind == "f" else np.array(number != 0, dtype)
    shown = Value((2, 3), array.dtype)
    call = NUMPY.write(Equation(PRIMITIVES[np.broadcast_to], (array,), {"shape": (2, 3)}, shown), [literal(array)])
    for text in (call.text, literal(np.full((2, 3), array, array.dtype)).text):
        assert text.partition("(")[0] in ("np.zeros", "np.ones", "np.full")
        written_out = eval(text, {"np": np})
        assert written_out.dtype == array.dtype
        assert written_out.tobytes() == array.tobytes() * 6


def test_signs_that_mean_the_same_in_both_alphabets_bind_the_same() -> None:
    for function in (*BINARY, *COMPARED, np.matmul):
        bindings = [
            [binding for binding, signs in alphabet.infix.items() if function in signs]
            for alphabet in (NUMPY, FORMULAS)
        ]
        assert bindings[0] == bindings[1]


def test_associative_operators_need_fewer_parentheses_in_formulas_than_in_source() -> None:
    tree = (np.add, "x", (np.add, "y", "z"))
    assert written(tree, NUMPY).text == "x + (y + z)"  # rounds otherwise
    assert written(tree, FORMULAS).text == "x + y + z"
    tree = (np.negative, (np.negative, "x"))
    assert (written(tree, NUMPY).text, written(tree, FORMULAS).text) == ("--x", "−(−x)")


def test_reciprocals_are_found_when_they_are_long_to_read() -> None:
    assert [reciprocal(x) for x in (1 / 3, -1 / 300, 0.125, 1 / 3e10, 2, 0.3)] == [3, -300, None, None, None, None]
