"""Tensors in Python and NumPy: making, converting, printing and comparing them, and their dtypes."""

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import Tensor, relu
from autograd_spiral.errors import DtypeError, LostGraphError, ShapeError

NUMPY = tuple(map(int, np.__version__.split(".")[:2]))


# --- making ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [[None], ["a"], 1j, np.array([1 + 2j]), np.array(["2020-01-01"], "M8[D]"), object()])
def test_only_real_numbers_make_a_tensor(data):
    with pytest.raises(DtypeError, match="floating, integer or bool"):
        Tensor(data)


def test_masked_arrays_raise():
    with pytest.raises(DtypeError, match="mask"):
        Tensor(np.ma.masked_array([1.0, 2.0], [True, False]))


@pytest.mark.parametrize("data", [[1, 2], [True, False]])
def test_only_floating_tensors_require_gradients(data):
    with pytest.raises(TypeError, match="pass floats"):
        Tensor(data, requires_grad=True)


def test_a_tensor_of_a_tensor_that_requires_gradients_says_to_detach():
    x = leaf([1, 2])
    for make in (Tensor, lambda t: Tensor([t, t])):
        with pytest.raises(LostGraphError):
            make(x)
    assert Tensor(x.detach()).data.tolist() == [1, 2]


def test_tensors_cannot_be_subclassed():
    with pytest.raises(TypeError, match="cannot be subclassed: write a class that holds a Tensor"):
        type("Parameter", (Tensor,), {})


# --- converting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [np.asarray, np.array, lambda t: np.array([t, t]), lambda t: np.add(1, [t, t])])
def test_converting_to_an_array_would_lose_the_graph(convert):
    with pytest.raises(
        LostGraphError, match=r"^making a plain array .* write np\.stack\(\[t, …\]\) .*, or t\.data for"
    ):
        convert(leaf([1, 2]))
    with pytest.raises(LostGraphError, match=r", or float\(t\) for the value alone$"):
        convert(leaf(1))


def test_constants_convert_to_arrays():
    t = Tensor([1, 2])
    assert np.asarray(t).tolist() == [1, 2]
    assert np.array(t, dtype=np.float32).dtype == np.float32
    fresh = np.array(t)
    fresh[0] = 100
    assert t.data.tolist() == [1, 2]


def test_one_element_converts_to_a_number():
    for t in (leaf(2.5), leaf([2.5]), leaf([[2.5]])):
        assert (float(t), int(t), t.item()) == (2.5, 2, 2.5)
    assert list(range(Tensor(3))) == [0, 1, 2]
    with pytest.raises(TypeError):
        range(leaf(3))
    for convert in (float, int, Tensor.item):
        with pytest.raises(ValueError, match="one element"):
            convert(leaf([1, 2]))


def test_storing_a_zero_dimensional_tensor_stores_the_number():
    a = np.zeros(2)
    a[0] = leaf(2.5)
    assert a.tolist() == [2.5, 0]
    with pytest.raises(
        LostGraphError, match=r"^array\[i\] = t .* np\.stack\(\[t, …\]\) instead of filling .* = t\.data"
    ):
        a[:] = leaf([1, 2])
    with pytest.raises(LostGraphError, match=r"^array\[i\] = t would silently drop the graph of 'row': "):
        np.zeros((3, 2))[0] = leaf([1, 2]).named("row")


# --- truth, length, membership, iteration ---------------------------------------------------------------------------


NO_ELEMENT = pytest.param([], marks=pytest.mark.skipif(NUMPY < (2, 2), reason="NumPy only warns before 2.2"))


@pytest.mark.parametrize("data", [[1.0, 0.0], [[0.0, 0.0]], NO_ELEMENT])
def test_the_truth_of_several_elements_or_none_raises_as_numpys_does(data):
    with pytest.raises(ValueError, match="truth value"):
        bool(np.array(data))
    with pytest.raises(ShapeError, match=r"truth value .*write t\.any\(\) or t\.all\(\)"):
        bool(Tensor(data))


def test_truth_length_and_membership_are_as_in_numpy():
    assert bool(leaf([2]))
    assert not bool(leaf(0))
    assert len(leaf([[1, 2], [3, 4], [5, 6]])) == 3
    assert 2.0 in leaf([1, 2])
    assert 3.0 not in leaf([1, 2])
    assert leaf(2) in leaf([1, 2])
    with pytest.raises(TypeError, match="unsized"):
        len(leaf(1))


def test_iterating_and_unpacking_record_the_rows():
    x = leaf([[1, 2], [3, 4]])
    first, second = x
    (first * second).sum().backward()
    assert x.grad.tolist() == [[3, 4], [1, 2]]
    with pytest.raises(TypeError, match="0-d"):
        iter(leaf(1))


def test_comparisons_are_elementwise_and_hashing_is_by_identity():
    x, y = leaf([1, 2]), leaf([1, 3])
    assert (x == y).data.tolist() == [True, False]
    assert (x != y).data.tolist() == [False, True]
    assert (x < y).data.tolist() == [False, True]
    assert not (x == y).requires_grad
    assert len({x, y, x}) == 2


# --- showing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "t",
    [
        leaf(np.zeros((1000, 1000))),
        leaf(np.ones((3, 3, 3, 3, 3))),
        leaf(np.full((200, 4), 1e-300)),
        leaf(np.linspace(0, 1, 10**5)),
        leaf(np.zeros((2, 0, 7))),
    ],
    ids=lambda t: str(t.shape),
)
def test_the_repr_of_any_tensor_is_short_and_says_its_shape(t):
    text = repr(t.named("W"))
    assert text.count("\n") <= 5
    assert len(text) < 600
    assert str(t.shape) in text
    assert "name='W'" in text
    assert "requires_grad=True" in text


def test_the_repr_says_where_a_tensor_came_from():
    x = leaf([1, 2])
    assert repr(x) == "Tensor([1., 2.], requires_grad=True)"
    assert repr(x * 2) == "Tensor([2., 4.], requires_grad=True, from np.multiply)"
    assert repr(relu(x).named("h")) == "Tensor([1., 2.], name='h', requires_grad=True, from relu)"
    assert repr(Tensor(np.float32([1, 2]))) == "Tensor([1., 2.], dtype=float32)"
    assert repr(Tensor(3)) == "Tensor(3)"
    assert "\n" not in repr(Tensor(1.0, name="two\nlines"))


def test_formatting():
    assert f"{leaf(1.23456):.2f} {leaf(1.5)}" == "1.23 1.5"
    assert f"{leaf([1, 2])}" == repr(leaf([1, 2]))
    with pytest.raises(TypeError, match=r"'\.2f'.*shape \(1,\)"):
        f"{leaf([1]):.2f}"


# --- dtypes: NumPy 2 promotion --------------------------------------------------------------------------------------

SCALARS = [2, 2.0, True, np.float64(2), np.float32(2), np.float16(2), np.int64(2), np.array(2.0), np.array([2.0])]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("other", SCALARS, ids=lambda s: f"{type(s).__name__} {np.asarray(s).dtype}")
def test_promotion_is_numpys_and_gradients_have_the_dtype_of_the_input(dtype, other):
    array = np.array([1, 3], dtype)
    for operate in (np.add, np.multiply, np.maximum, np.power):
        x = Tensor(array, requires_grad=True)
        for out, expected in ((operate(x, other), operate(array, other)), (operate(other, x), operate(other, array))):
            assert out.dtype == expected.dtype
            np.testing.assert_array_equal(out.data, expected)
            out.backward(np.ones_like(expected))
        assert x.grad.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_python_scalars_are_weak_in_operators(dtype):
    x = Tensor(np.array([1, 3], dtype), requires_grad=True)
    y = (2 * x + 1.5 - x / 3) ** 2 / 7 - (1 - x) * True
    assert y.dtype == dtype
    y.sum().backward()
    assert x.grad.dtype == dtype


def test_each_input_of_mixed_dtypes_gets_a_gradient_of_its_dtype():
    x = Tensor(np.float16([1, 2]), requires_grad=True)
    y = Tensor(np.float32([3, 4]), requires_grad=True)
    z = Tensor(np.array(5.0), requires_grad=True)
    out = x * y * z
    assert out.dtype == np.float64
    out.sum().backward()
    assert [t.grad.dtype for t in (x, y, z)] == [np.float16, np.float32, np.float64]
    assert (x.grad.tolist(), y.grad.tolist(), z.grad.item()) == ([15, 20], [5, 10], 11)


def test_copy_works_for_every_dtype_and_lets_gradients_flow():
    assert Tensor([True, False]).copy().tolist() == [True, False]
    x = Tensor([1.0, 2.0], requires_grad=True)
    x.copy().sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_rounding_gives_a_tensor():
    assert round(Tensor(2.567), 1).data == 2.6
    assert round(Tensor([2.567, 2.5])).data.tolist() == [3, 2]
    assert f"{round(Tensor(2.567), 1)}" == "2.6"


@pytest.mark.parametrize("value", [np.ones(2, complex), np.ma.masked_less([1.0, 2.0], 1.5), ["a", "b"]])
def test_setting_grad_to_other_than_real_numbers_raises(value):
    x = leaf([1, 2])
    with pytest.raises(DtypeError, match=r"^\.grad = value: "):
        x.grad = value
    assert x.grad is None


def test_setting_grad_makes_a_writable_copy():
    x, given = leaf([1, 2], np.float32), np.array([3, 4])
    x.grad = given
    x.grad[0] = 5
    assert x.grad.tolist() == [5, 4]
    assert x.grad.dtype == np.float32
    assert given.tolist() == [3, 4]
