"""NumPy's signatures: a bound call computes the same as NumPy's, with axes counted from the front."""

import inspect
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.gradcheck.examples.elementwise import FACTS
from autograd_spiral.vocabulary.signatures import ARRAY, fill

X = np.arange(24.0).reshape(2, 3, 4)
AXES = st.one_of(st.none(), st.integers(-3, 2), st.lists(st.integers(-3, 2), max_size=3).map(tuple))


def bound(function, *args, **kwargs):
    """The result of a call by the table's row, and the bound arrays and parameters."""
    row = PRIMITIVES[function]
    arrays, params = row.bind(*args, **kwargs)
    return row.evaluate(*arrays, **params), arrays, params


def distinct(axes):
    return not isinstance(axes, tuple) or len({axis % 3 for axis in axes}) == len(axes)


@given(AXES.filter(distinct), st.booleans(), st.sampled_from([np.sum, np.max, np.all]))
def test_reductions(axis, keepdims, function):
    found, _, params = bound(function, X, axis, keepdims=keepdims)
    np.testing.assert_array_equal(found, function(X, axis, keepdims=keepdims))
    assert all(0 <= i < 3 for i in params["axis"])


@given(st.permutations(range(3)), st.lists(st.booleans(), min_size=3, max_size=3))
def test_transpose(order, negative):
    axes = tuple(i - 3 if flip else i for i, flip in zip(order, negative, strict=True))
    found, _, params = bound(np.transpose, X, axes)
    np.testing.assert_array_equal(found, np.transpose(X, axes))
    assert params == {"axes": tuple(order)}
    assert bound(np.transpose, X)[2] == {"axes": (2, 1, 0)}


@pytest.mark.parametrize("shape", [24, (24,), (-1,), (4, -1), [6, 4], np.array([2, 12]), (np.int64(24),)])
def test_reshape(shape):
    found, _, params = bound(np.reshape, X, shape)
    np.testing.assert_array_equal(found, np.reshape(X, shape))
    assert all(type(n) is int for n in params["shape"])


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_scans_and_sequences(axis):
    np.testing.assert_array_equal(bound(np.cumsum, X, axis)[0], np.cumsum(X, axis))
    found, arrays, _ = bound(np.concatenate, [X, [[[1.0] * 4] * 3] * 2], axis)
    np.testing.assert_array_equal(found, np.concatenate([X, np.ones_like(X)], axis))
    assert [type(array) for array in arrays] == [np.ndarray, np.ndarray]


@given(st.one_of(st.integers(0, 2), st.tuples(*[st.integers(0, 2)] * 2), st.lists(st.tuples(*[st.integers(0, 2)] * 2))))
def test_pad(width):
    if not isinstance(width, list) or len(width) in (1, 3):
        found, _, _ = bound(np.pad, X, width, constant_values=7.0)
        np.testing.assert_array_equal(found, np.pad(X, width, constant_values=7.0))


@given(hnp.basic_indices(X.shape, allow_newaxis=True))
def test_basic_indices(index):
    found, arrays, params = bound(operator.getitem, X, index)
    np.testing.assert_array_equal(found, X[index])
    assert len(arrays) == 1
    assert params["index"] == (index if isinstance(index, tuple) else (index,))


@given(st.data())
def test_indices_with_arrays(data):
    rows, columns = data.draw(st.tuples(*[st.lists(st.integers(-2, 1), min_size=2, max_size=2)] * 2))
    mask = data.draw(hnp.arrays(bool, 4))
    for index in ((rows,), (np.array(rows), columns), (..., mask), (rows, slice(1, 3), mask), (X > 3,), ([],)):
        try:
            expected = X[index]
        except IndexError:  # a mask that does not broadcast with the rows
            continue
        found, (_, *arrays), params = bound(operator.getitem, X, index)
        np.testing.assert_array_equal(found, expected)
        assert params["index"].count(ARRAY) == len(arrays) > 0
        filled = fill(params["index"], tuple(arrays))
        np.testing.assert_array_equal(X[filled], expected)


def test_every_signature_is_a_prefix_of_numpys():
    checked = 0
    binds = {function: row.bind for function, row in PRIMITIVES.items() if row.bind is not None}
    for function, ours in [*COMPOSITIONS.items(), *binds.items()]:
        if isinstance(function, np.ufunc) or not str(getattr(function, "__module__", "")).startswith("numpy"):
            continue
        if function is np.einsum:  # its first operand is the subscripts
            continue
        checked += 1
        try:
            theirs = list(inspect.signature(function).parameters.values())
        except ValueError:  # older versions of NumPy have none for functions in C
            continue
        names = {p.name for p in theirs}
        positional = [p for p in theirs if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        index = 0
        for parameter in inspect.signature(ours).parameters.values():
            where = f"{function.__name__}: {parameter}"
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                assert function in FACTS or any(p.kind is parameter.kind for p in theirs), where
                continue
            if parameter.kind is parameter.KEYWORD_ONLY:
                assert parameter.name in names or any(p.kind is p.VAR_KEYWORD for p in theirs), where
                continue
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                assert any(p.kind is parameter.kind for p in theirs), where
                continue
            assert parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD), where
            assert index < len(positional), where
            if positional[index].kind is not parameter.POSITIONAL_ONLY:
                assert positional[index].name.replace("newshape", "shape") == parameter.name, where  # before NumPy 2.1
            if isinstance(positional[index].default, int | str) and parameter.default is not parameter.empty:
                assert positional[index].default == parameter.default, where
            index += 1
    assert checked > 30


@pytest.mark.parametrize(
    ("index", "arrays", "filled"),
    [
        ((), (), ()),
        ((0, slice(1, 3), None, Ellipsis), (), (0, slice(1, 3), None, Ellipsis)),
        ((ARRAY, slice(None), ARRAY), ("first", "second"), ("first", slice(None), "second")),
    ],
)
def test_fill_replaces_the_markers_by_the_arrays_in_order(index, arrays, filled):
    assert fill(index, arrays) == filled
