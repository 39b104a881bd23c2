"""Calls: functions that other types override, and the arguments of NumPy that are accepted, ignored or rejected."""

import inspect
import re
from functools import partial

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import relu
from autograd_spiral.engine.calls import call_bound, overridable
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.errors import InPlaceError, NoRuleError

# --- functions that can be overridden ---------------------------------------------------------------------------------


@overridable
def total(x, weight=1.0):
    """Adds up."""
    return np.sum(x * weight)


class Overriding:
    """Answers NumPy's protocol by the call that it was asked about."""

    def __array_function__(self, function, types, args, kwargs):
        return function, types, args, kwargs


def test_an_overridable_function_computes_on_arrays_and_asks_other_types():
    assert total(np.arange(3.0), weight=2.0) == 6
    assert total(np.arange(3.0).view(np.recarray)) == 3  # a subclass of arrays
    assert (total.__name__, total.__doc__) == ("total", "Adds up.")
    other = Overriding()
    assert total(other) == (total, (Overriding,), (other,), {})
    assert total(np.ones(2), weight=other)[3] == {"weight": other}


# --- arguments --------------------------------------------------------------------------------------------------------


def test_call_bound_tells_a_bad_call_from_an_error_inside():
    def inside(x):
        return x + "text"

    with pytest.raises(TypeError, match="unsupported operand"):
        call_bound(inside, inside, (1,), {})
    with pytest.raises(NoRuleError, match=r"inside on a Tensor is called as inside\(x\): too many"):
        call_bound(inside, inside, (1, 2), {})
    assert call_bound(np.absolute, abs, (-1,), {"out": None, "dtype": None, "where": True}) == 1


SQUARE = [[1.0, 2.0], [3.0, 4.0]]


UNSUPPORTED = [
    (np.var, {"mean": 0.0}),
    (np.nanvar, {"mean": 0.0}),
    (np.median, {"overwrite_input": True}),
    (np.sort, {"order": "name"}),
    (np.ravel, {"order": "F"}),
    (np.copy, {"order": "F"}),
    (np.zeros_like, {"order": "F"}),
    (np.ones_like, {"order": "F"}),
    (np.exp, {"dtype": np.float32}),
    (np.exp, {"casting": "no"}),
    (partial(np.clip, a_min=0, a_max=1), {"casting": "no"}),
]


@pytest.mark.parametrize(("function", "keywords"), UNSUPPORTED)
def test_unsupported_keywords_raise_and_are_named(function, keywords):
    with pytest.raises(NoRuleError, match="|".join(keywords)):
        function(leaf(SQUARE), **keywords)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: np.reshape(t, (4,), order="F"),
        lambda t: np.reshape(t, (4,), "F"),
        lambda t: np.take(t, [0], out=SQUARE),
        lambda t: np.concatenate([t, t], dtype=np.int64),
        lambda t: np.stack([t, t], dtype=np.float32, casting="no"),
        lambda t: np.einsum("ij->i", t, dtype=np.float32),
        lambda t: np.sum(t, 0, np.float32),
        lambda t: np.pad(t, 1, mode="mean"),
        lambda t: np.where(t),
    ],
)
def test_other_unsupported_arguments_raise(call):
    with pytest.raises(TypeError, match=r"np\.|mode='edge'"):
        call(leaf(SQUARE))


def required(function):
    """Return how many arguments a function with `out` requires, or None if it takes no `out`."""
    parameters = inspect.signature(inspect.unwrap(function)).parameters
    named = [p for p in parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return sum(p.default is p.empty for p in named) if "out" in parameters else None


BUFFERED = [f for f in {**COMPOSITIONS, **PRIMITIVES} if inspect.isfunction(inspect.unwrap(f)) and required(f)]


@pytest.mark.parametrize("function", BUFFERED, ids=name_of)
def test_the_error_for_out_names_the_function_that_was_called(function):
    with pytest.raises(InPlaceError, match=rf"^{re.escape(name_of(function))} with out= would overwrite an array"):
        function(*[leaf(SQUARE)] * required(function), out=SQUARE)


def test_numpys_defaults_may_be_passed():
    t = leaf(SQUARE)
    assert np.sum(t, axis=None, dtype=None, out=None).item() == 10
    assert np.sum(t, where=True).item() == 10
    assert np.add(t, 1, out=None).data[0, 0] == 2


def test_only_functions_that_would_take_the_keyword_on_arrays_are_said_to():
    for function, said in ((np.ravel, True), (relu, False)):
        with pytest.raises(NoRuleError, match=r"unexpected keyword argument 'order'") as caught:
            function(leaf(SQUARE), order="F")
        assert ("pass the array: t.data" in str(caught.value)) is said
