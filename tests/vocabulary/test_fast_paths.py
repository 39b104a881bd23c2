"""The fast paths return what the expressions in their docstrings return, on any arrays and on Tensors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograd_spiral import Tensor, grad
from autograd_spiral.engine.sweep import column_sums
from autograd_spiral.vocabulary import fast_paths

DTYPES = st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.uint8])
SIZES = st.one_of(st.integers(0, 4), st.integers(8, 20))
LAYOUTS = st.sampled_from(
    [
        np.ascontiguousarray,
        np.asfortranarray,
        lambda a: a[::-1],
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a,
    ]
)


@st.composite
def arrays(draw, shape, dtype=None):
    """Arrays of whole numbers, so that sums are exact in any order."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    entries = rng.integers(0, 10, shape).astype(dtype or draw(DTYPES))
    return draw(LAYOUTS)(entries) if shape else entries


@st.composite
def sums(draw):
    rows, columns = draw(SIZES), draw(SIZES)
    other = draw(st.sampled_from([(rows, columns), (1, columns), (columns,), (rows, 1), (1, 1), ()]))
    return draw(arrays((rows, columns))), draw(arrays(other))


def same(found, expected):
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@given(sums())
def test_add(operands):
    x, y = operands
    same(fast_paths.add(x, y), x + y)
    same(fast_paths.add(y, x), y + x)


@given(arrays((12, 9)), st.one_of(st.just(2), st.just(2.5), arrays((9,)), arrays((1, 9))))
def test_a_sum_shares_memory_with_neither_side(x, y):
    found = fast_paths.add(x, y)
    assert not np.shares_memory(found, x)
    assert not np.shares_memory(found, np.asarray(y))
    same(found, np.add(x, y))


@given(st.data(), SIZES, SIZES)
def test_mask(data, rows, columns):
    ct = data.draw(arrays((rows, columns)))
    where = data.draw(arrays((rows, columns), np.uint8)) > 4
    before = ct.copy(), where.copy()
    same(fast_paths.mask(ct, where), ct * where)
    same(ct, before[0])
    same(where, before[1])


@pytest.mark.parametrize("between", [0, 1, 3, 16, 17])
@pytest.mark.parametrize("columns", [0, 1, 4, 20])
def test_matmul(between, columns):
    x = np.arange(2.0 * 18 * between).reshape(2, 18, between)
    y = np.arange(2.0 * columns * between).reshape(2, columns, between).mT
    for a, b in ((x, y), (x[0], y[0]), (x, y[0]), (x[0], y), (x[0], y[0].copy())):
        same(fast_paths.matmul(a, b), a @ b)


def test_a_long_column_times_a_short_row_is_stored_column_by_column():
    column, row = np.arange(100.0)[:, None], np.arange(5.0)[None]
    assert fast_paths.matmul(column, row).flags.f_contiguous
    assert fast_paths.matmul(row.T, column.T).flags.c_contiguous
    k = Tensor(row[0], requires_grad=True)
    W = Tensor(np.arange(500.0).reshape(100, 5), requires_grad=True)
    for product in (W @ k, np.einsum("nk,k->n", W, k)):
        piece = grad(product, W, column[:, 0]).data
        same(piece, column * row)
        assert piece.flags.f_contiguous


@given(st.data(), hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=(2, 3), max_dims=2))
def test_broadcast_to(data, shapes):
    ct = data.draw(arrays(shapes.input_shapes[0]))
    if np.broadcast_shapes(ct.shape, (2, 3)) == (2, 3):
        same(fast_paths.broadcast_to(ct, (2, 3)), np.broadcast_to(ct, (2, 3)))
    assert fast_paths.broadcast_to(np.float32(2), (3,)).tolist() == [2, 2, 2]
    assert fast_paths.broadcast_to(np.float32(2), (3,)).dtype == np.float32


@pytest.mark.parametrize("number", [np.float32(2), np.array(2.0), np.array([[2.0]])])
def test_many_copies_of_one_number_take_no_memory(number):
    found = fast_paths.broadcast_to(number, (300, 400))
    same(found, np.broadcast_to(number, (300, 400)))
    assert not any(found.strides)


@given(st.data(), st.booleans(), st.sampled_from([np.maximum, np.minimum]))
def test_extremum(data, keepdims, ufunc):
    shape = data.draw(st.sampled_from([(2, 3), (3, 2000, 2), (40, 6, 2, 3, 4), (2000, 17), (5, 1000)]))
    axis = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1))))
    x = data.draw(arrays(shape, np.float64))
    x[data.draw(st.integers(0, len(x) - 1))] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, 0]))
    same(fast_paths.extremum(ufunc, x, axis, keepdims), ufunc.reduce(x, axis, keepdims=keepdims))


@given(st.data(), SIZES, SIZES)
def test_column_sums(data, rows, columns):
    x = data.draw(arrays((rows, columns)))
    sums = np.float32 if x.dtype == np.float16 else None
    same(column_sums(x), x.sum(axis=0, keepdims=True, dtype=sums))


@given(arrays((5, 3)))
def test_by_column(x):
    same(fast_paths.by_column(x, axis=1), x)
    assert fast_paths.by_column(x, axis=-1).flags.f_contiguous
    assert fast_paths.by_column(x, axis=0) is x


@given(
    st.data(),
    st.integers(1, 300),
    st.sampled_from([np.uint8, np.int8, np.int16, np.uint64, np.int64]),
)
def test_one_hot(data, classes, dtype):
    highest = min(classes - 1, int(np.iinfo(dtype).max))
    labels = np.array(data.draw(st.lists(st.integers(0, highest), max_size=9)), dtype)
    same(fast_paths.one_hot(labels, classes), labels[:, None] == np.arange(classes))


def test_tensors_are_recorded_with_the_plain_functions():
    x = Tensor(np.arange(30.0).reshape(10, 3), requires_grad=True)
    mask = x > 4
    labels = Tensor([1, 0]) + mask[0, 0]
    for made, name, value in (
        (fast_paths.add(x, x), "np.add", x.data + x.data),
        (fast_paths.mask(x, mask), "np.multiply", x.data * mask.data),
        (fast_paths.matmul(x, x.mT), "np.matmul", x.data @ x.data.T),
        (fast_paths.matmul(x[:, :1], x[:1]), "np.matmul", x.data[:, :1] @ x.data[:1]),
        (fast_paths.matmul(np.ones((4, 1)), x[:1]), "np.matmul", np.ones((4, 1)) @ x.data[:1]),
        (fast_paths.matmul(np.ones((4, 10)), x), "np.matmul", np.ones((4, 10)) @ x.data),
        (fast_paths.broadcast_to(x, (2, 10, 3)), "np.broadcast_to", np.broadcast_to(x.data, (2, 10, 3))),
        (column_sums(x), "np.sum", x.data.sum(axis=0, keepdims=True)),
        (fast_paths.one_hot(labels, 3), "np.equal", labels.data[:, None] == np.arange(3)),
    ):
        assert made.primitive.name == name
        same(made.data, value)
    assert fast_paths.by_column(x, axis=1) is x


def test_a_column_times_a_row_has_no_negative_zeros_since_a_sum_of_products_has_none():
    column, row = -np.ones((40, 1)), np.zeros((1, 5))
    assert not np.signbit(column @ row).any()
    assert not np.signbit(fast_paths.matmul(column, row)).any()
