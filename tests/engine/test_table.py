"""The table: what a row holds, and how rows are entered and looked up."""

import functools
import gc
import weakref

import numpy as np
import pytest

from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES, Primitive, attach, composes, define
from autograd_spiral.errors import NoRuleError


def passing(ct, out, *args, **params):
    return ct


def test_rules_for_further_arguments():
    def rest(ct, out, *args, scale):
        return lambda argument: (ct, out, args, scale, argument)

    row = Primitive(np.sin, (None,), variadic=True, rest=rest)
    first, second, third = row.vjps_for(3)
    assert first is None
    assert second("ct", "out", 1, 2, 3, scale=4) == ("ct", "out", (1, 2, 3), 4, 1)
    assert third("ct", "out", 1, 2, 3, scale=4) == ("ct", "out", (1, 2, 3), 4, 2)
    assert Primitive(np.sin, (passing,), variadic=True).vjps_for(2) == (passing, None)
    with pytest.raises(TypeError, match=r"np\.sin takes 1 array arguments but got 2"):
        Primitive(np.sin, (passing,)).vjps_for(2)


@pytest.fixture
def rows_removed():
    """Remove the rows that a test enters."""
    primitives, compositions = dict(PRIMITIVES), dict(COMPOSITIONS)
    yield
    for table, before in ((PRIMITIVES, primitives), (COMPOSITIONS, compositions)):
        table.clear()
        table.update(before)


@pytest.mark.usefixtures("rows_removed")
def test_define_enters_a_row_and_returns_it():
    def tripled(x):
        return 3 * x

    with pytest.raises(NoRuleError, match="tripled has no gradient rule"):
        PRIMITIVES[tripled]
    row = define(tripled, passing, evaluate=abs)
    assert PRIMITIVES[tripled] is row
    assert (row.function, row.vjps, row.arity, row.evaluate, row.name) == (tripled, (passing,), 1, abs, "tripled")
    assert define(tripled, passing).evaluate is tripled


def test_an_attached_row_is_found_not_listed_and_forgotten_with_its_function():
    def tripled(x):
        return 3 * x

    known = len(PRIMITIVES)
    attach(tripled, passing)
    row = weakref.ref(tripled)
    assert (PRIMITIVES[tripled].function, PRIMITIVES.get(tripled).vjps) == (tripled, (passing,))
    assert len(PRIMITIVES) == known
    assert tripled not in list(PRIMITIVES)
    del tripled
    gc.collect()
    assert row() is None


def test_a_function_that_wraps_one_with_a_row_has_none():
    def tripled(x):
        return 3 * x

    attach(tripled, passing)

    @functools.wraps(tripled)
    def wrapped(x):
        return tripled(x) + 1

    assert PRIMITIVES.get(wrapped) is None
    with pytest.raises(NoRuleError, match="tripled has no gradient rule"):
        PRIMITIVES[wrapped]


@pytest.mark.usefixtures("rows_removed")
def test_composes_enters_a_function_for_each_original():
    def composition(a):
        return a

    assert composes(np.sort, np.argsort)(composition) is composition
    assert COMPOSITIONS[np.sort] is COMPOSITIONS[np.argsort] is composition
