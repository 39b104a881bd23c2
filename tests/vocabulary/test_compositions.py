"""Every NumPy function composed of primitives: value, dtype, and both orders of gradients by finite differences."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import pytest
from composition_cases import COMPOSITION_CASES
from examples import Example, Examples, from_table
from finite_differences import listed
from properties import (
    assert_close,
    assert_gradients,
    assert_precision,
    assert_recorded_without_gradient,
    assert_second_order,
    assert_value,
)

from autograd_spiral import Tensor, capture, grad, primitive
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import COMPOSITIONS
from autograd_spiral.errors import NoRuleError, ShapeError
from autograd_spiral.gradcheck.examples.elementwise import FACTS, WITHOUT
from autograd_spiral.gradcheck.examples.reductions import CONNECTED

EXAMPLES = {f: Examples(f, case, 4 if case is from_table else 14) for f, case in COMPOSITION_CASES.items()}

CONSTANTS = [np.zeros_like, np.ones_like, np.full_like, *WITHOUT]
TRUTHS = [np.all, np.any, *(f for ufunc in CONNECTED for f in (ufunc.reduce, ufunc.reduceat))]
WITHOUT_GRADIENT = [*CONSTANTS, *TRUTHS, np.count_nonzero]

every_composition = pytest.mark.parametrize("function", EXAMPLES, ids=name_of)
every_differentiable = pytest.mark.parametrize(
    "function", [f for f in EXAMPLES if f not in WITHOUT_GRADIENT], ids=name_of
)


def test_every_composition_has_a_case_and_every_case_a_composition() -> None:
    assert set(COMPOSITION_CASES) | set(FACTS) == set(COMPOSITIONS)


@every_composition
def test_the_value_is_numpys(function: Any) -> None:
    EXAMPLES[function].check(assert_value)


@every_composition
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_narrow_dtypes_are_kept(function: Any, dtype: Any) -> None:
    EXAMPLES[function].check(lambda example: assert_precision(example, dtype), count=10)


@every_composition
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.bool])
def test_integers_are_widened_as_numpy_widens_them(function: Any, dtype: Any) -> None:
    def holds(example: Example) -> None:
        whole = example.of_integers(dtype)
        try:
            whole.oracle(*whole.arrays)
        except (TypeError, OverflowError, RuntimeWarning, ValueError):
            return  # NumPy itself refuses these: subtracting bools, dividing by 0, a singular matrix
        assert_value(whole)

    EXAMPLES[function].check(holds, count=10)


@every_differentiable
def test_the_gradient_is_that_of_finite_differences(function: Any) -> None:
    EXAMPLES[function].check(assert_gradients)


@every_differentiable
def test_the_second_order_is_that_of_finite_differences(function: Any) -> None:
    EXAMPLES[function].check(assert_second_order)


def as_arrays(given: Any) -> Any:
    """Arguments with arrays in place of Tensors."""
    if isinstance(given, list | tuple):
        return type(given)(map(as_arrays, given))
    return given.data if isinstance(given, Tensor) else given


@every_composition
def test_on_arrays_a_composition_returns_what_numpys_function_returns(function: Any, monkeypatch: Any) -> None:
    composition, seen = COMPOSITIONS[function], []

    @functools.wraps(composition)
    def observed(*args: Any, **kwargs: Any) -> Any:
        seen.append((as_arrays(args), {key: as_arrays(value) for key, value in kwargs.items()}))
        return composition(*args, **kwargs)

    monkeypatch.setitem(COMPOSITIONS, function, observed)

    def holds(example: Example) -> None:
        seen.clear()
        example.call(*map(Tensor, example.arrays))
        for args, kwargs in list(seen):
            results = listed(composition(*args, **kwargs))
            if results[0] is NotImplemented:
                continue  # the primitive is called instead
            expected = listed(function(*args, **kwargs))
            assert len(results) == len(expected)
            for result, value in zip(results, expected, strict=True):
                assert isinstance(result, np.ndarray | np.generic)
                assert result.shape == np.shape(value)
                assert result.dtype == np.asarray(value).dtype
                assert_close(result, value, 1e-13, "on arrays")
        assert seen

    EXAMPLES[function].check(holds, count=10)


@pytest.mark.parametrize("shape", [(), (3,), (2, 0)])
def test_shape_ndim_and_size_are_plain_numbers(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape)
    tensor = Tensor(array, requires_grad=True)
    assert np.shape(tensor) == shape
    assert np.ndim(tensor) == len(shape)
    assert np.size(tensor) == array.size
    assert [np.size(tensor, axis) for axis in range(-len(shape), 0)] == list(shape)
    axes = tuple(range(len(shape)))
    try:
        several = np.size(array, axes)
    except TypeError:  # older versions of NumPy take one axis
        return
    assert np.size(tensor, axes) == several == array.size


# --- conventions --------------------------------------------------------------------------------------------------


def gradient_of(function: Any, *arrays: Any) -> list[Any]:
    """The gradients of the summed output with respect to each argument; differentiates them once more, as a check."""
    leaves = [Tensor(np.asarray(a, float), requires_grad=True) for a in arrays]
    pieces = grad(np.sum(function(*leaves)), leaves, create_graph=True)
    grad(pieces, leaves, [np.ones(leaf.shape) for leaf in leaves])
    return [piece.data for piece in pieces]


LENGTHS = {
    "norm": np.linalg.norm,
    "norm of rows": lambda x: np.linalg.norm(x, axis=1),
    "norm of columns": lambda x: np.linalg.norm(x, axis=0, ord=2),
    "Frobenius norm": lambda x: np.linalg.norm(x, "fro"),
    "vector norm": lambda x: np.linalg.vector_norm(x, axis=(0, 1), keepdims=True),
    "hypot": lambda x: np.hypot(x[0], x[1]),
    "std": np.std,
    "std of rows": lambda x: np.std(x, axis=1, ddof=1),
}
every_length = pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)


@every_length
def test_norm_and_std_have_gradient_0_at_0(length: Any) -> None:
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    np.testing.assert_array_equal(grad(np.sum(length(x)), x).data, np.zeros((2, 3)))


def second_derivative_at_0(function: Any) -> Any:
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    first = grad(np.sum(function(x)), x, create_graph=True)
    with np.errstate(all="ignore"):
        return grad(first, x, np.eye(2, 3)).data


@every_length
def test_norm_and_std_never_have_a_finite_second_derivative_at_0(length: Any) -> None:
    assert not np.isfinite(second_derivative_at_0(length)).any()


SQUARES = {
    "norm": lambda x: np.sum(x * x),
    "norm of rows": lambda x: np.sum(x * x, axis=1),
    "norm of columns": lambda x: np.sum(x * x, axis=0),
    "Frobenius norm": lambda x: np.sum(x * x),
    "vector norm": lambda x: np.sum(x * x, axis=(0, 1), keepdims=True),
    "std": np.var,
    "std of rows": lambda x: np.var(x, axis=1, ddof=1),
}
SMOOTH = [lambda length: length**2, lambda length: np.exp(-np.square(length)), lambda length: 3 * (length / 2) ** 2]


@pytest.mark.parametrize("name", SQUARES)
@pytest.mark.parametrize("smooth", SMOOTH, ids=["square", "bell", "scaled"])
def test_smooth_functions_of_norms_and_std_have_the_second_derivative_at_0(name: str, smooth: Any) -> None:
    found = second_derivative_at_0(lambda x: smooth(LENGTHS[name](x)))
    factor = {0: 1, 1: -1, 2: 0.75}[SMOOTH.index(smooth)]
    expected = second_derivative_at_0(lambda x: factor * SQUARES[name](x))
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("captured", [False, True])
def test_a_cotangent_keeps_its_value_when_its_factor_is_assigned(captured: bool) -> None:
    x, factor = Tensor([3.0, 4.0], requires_grad=True), Tensor(2.0, requires_grad=True)

    def gradient() -> Tensor:
        norm = np.linalg.norm(x)
        cotangent = factor * norm
        factor.assign(factor + 5.0)
        return grad(norm, x, cotangent, create_graph=True)

    assert np.allclose((capture(gradient) if captured else gradient)().data, [6.0, 8.0])


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_norms_of_a_leaf_before_and_after_it_is_assigned_are_two_norms(shift: float, captured: bool) -> None:
    x = Tensor([3.0, 4.0], requires_grad=True)

    def gradient() -> Tensor:
        before = np.linalg.norm(x + shift) if shift else np.linalg.norm(x)
        x.assign(2 * x)
        return grad(before, x, np.linalg.norm(x + shift) if shift else np.linalg.norm(x))

    was = np.array([3.0, 4.0])
    length = np.linalg.norm(2 * was + shift)
    expected = length * (was + shift) / np.linalg.norm(was + shift)
    np.testing.assert_allclose((capture(gradient) if captured else gradient)().data, expected)


@pytest.mark.parametrize("declared", [False, True])
def test_only_norms_of_what_cannot_differ_are_one_norm(declared: bool) -> None:
    draws = iter([1.0, 3.0])

    @primitive(lambda ct, out, x: ct)
    def shifted(x: Any) -> Any:
        return x + next(draws)

    def moved(x: Any) -> Any:
        return shifted(x) if declared else x + next(draws)

    x = Tensor([0.0, 0.0], requires_grad=True)
    first, second = np.linalg.norm(moved(x)), np.linalg.norm(moved(x))
    np.testing.assert_allclose(grad(first, x, second, create_graph=True).data, 3.0)


def test_smooth_functions_of_lengths_that_are_not_recognised_have_no_finite_second_derivative_at_0() -> None:
    for function in (
        lambda x: np.hypot(x[0], x[1]) ** 2,
        lambda x: np.linalg.norm(x) * np.linalg.norm(-x),
        lambda x: np.linalg.norm(x) ** 3,
    ):
        assert not np.isfinite(second_derivative_at_0(function)).any()


@pytest.mark.parametrize("ord", [1, 3, 0.5, -1, -2, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [0, 1])
def test_norms_of_other_orders_have_gradient_0_at_0(axis: int, ord: float) -> None:
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    with np.errstate(divide="ignore"):  # as NumPy, of 0 to a negative power
        out = np.linalg.norm(x, ord=ord, axis=axis)
    np.testing.assert_array_equal(grad(np.sum(out), x).data, np.zeros((2, 3)))


def test_norm_has_gradient_0_in_a_row_of_zeros_next_to_another_row() -> None:
    x = [[0, 0], [3, 4]]
    leaf = Tensor(np.asarray(x, float), requires_grad=True)
    np.testing.assert_allclose(grad(np.sum(np.linalg.norm(leaf, axis=1)), leaf).data, [[0, 0], [0.6, 0.8]])
    (piece,) = gradient_of(lambda x: np.linalg.norm(x, ord=4, axis=1), [[0, 0], [0, 2]])
    np.testing.assert_allclose(piece, [[0, 0], [0, 1]])


def test_a_norm_of_negative_order_has_gradient_0_where_an_entry_is_0() -> None:
    x = Tensor([[0.0, -1.0, 2.0], [4.0, -4.0, 4.0]], requires_grad=True)
    with np.errstate(divide="ignore"):
        out = np.linalg.norm(x, ord=-1, axis=1)
    np.testing.assert_allclose(out.data, [0, 4 / 3])
    np.testing.assert_allclose(grad(np.sum(out), x).data, [[0, 0, 0], [1 / 9, -1 / 9, 1 / 9]])


@pytest.mark.parametrize("ord", [None, 1, 2, 3, np.inf])
@pytest.mark.parametrize(("shape", "axis"), [((0,), None), ((3, 0), 1), ((0, 3), 0), ((3, 0), (0, 1))])
def test_the_norm_of_nothing_is_0(ord: Any, shape: Any, axis: Any) -> None:
    if isinstance(axis, tuple) and ord in (2, 3):
        return  # of matrices, these are other norms
    x = Tensor(np.zeros(shape), requires_grad=True)
    out = np.linalg.norm(x, ord=ord, axis=axis)
    assert np.all(out.data == 0)
    assert out.shape == np.sum(x.data, axis=axis).shape
    assert grad(np.sum(out), x).shape == shape


@pytest.mark.parametrize("shape", [(), (2, 2, 2)])
def test_a_norm_with_an_order_says_that_it_needs_axes(shape: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"ord=1 needs one or two axes: pass axis=, for shape {re.escape(str(shape))}"
    ):
        np.linalg.norm(Tensor(np.ones(shape)), 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.linalg.norm(x, 3),
        lambda x: np.linalg.norm(x[0], 0),
        lambda x: np.linalg.vector_norm(x, ord=0),
        lambda x: np.linalg.vector_norm(x, ord="fro"),
        lambda x: np.pad(x, 1, mode="mean"),
        lambda x: np.pad(x, 1, "reflect", reflect_type="odd"),
        lambda x: np.full_like(x, x[0, 0]),
    ],
)
def test_forms_without_a_rule_raise_the_error_that_says_so(call: Any) -> None:
    with pytest.raises(NoRuleError, match=r"norm|np\."):
        call(Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True))


@pytest.mark.parametrize(
    ("form", "shape"), [("ii", (2, 3)), ("ii->i", (3, 1)), ("iji", (2, 3, 4)), ("...ii->...", (5, 3, 2))]
)
def test_einsum_refuses_a_letter_on_axes_of_unequal_length(form: str, shape: Any) -> None:
    with pytest.raises(ShapeError, match=r"np\.einsum.*'i' occurs twice in .* for axes of lengths \d and \d"):
        np.einsum(form, Tensor(np.ones(shape)))


@pytest.mark.parametrize("form", ["ij,jk,kl", "ij,jk,kl->il", "ij,ji,kk->k"])
@pytest.mark.parametrize("optimize", [True, "greedy", False])
def test_einsum_takes_optimize_which_changes_no_value(form: str, optimize: Any) -> None:
    leaves = [Tensor(np.arange(9.0).reshape(3, 3) + i, requires_grad=True) for i in range(3)]
    found = np.einsum(form, *leaves, optimize=optimize)
    np.testing.assert_allclose(found.data, np.einsum(form, *(leaf.data for leaf in leaves)))
    for piece, plain in zip(grad(np.sum(found), leaves), grad(np.sum(np.einsum(form, *leaves)), leaves), strict=True):
        np.testing.assert_allclose(piece.data, plain.data)


@pytest.mark.parametrize("empty", [(0,), (3, 0), (0, 3)])
@pytest.mark.parametrize("indices", [[], [0], 0, [[1, 2]], np.zeros((0, 2), int)], ids=str)
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_taking_from_nothing_is_as_in_numpy(empty: Any, indices: Any, axis: Any) -> None:
    x = np.zeros(empty)
    try:
        expected = np.take(x, np.asarray(indices, int), axis)
    except IndexError:
        with pytest.raises(IndexError, match=r"^np\.take of shapes"):
            np.take(Tensor(x), indices, axis)
        return
    leaf = Tensor(x, requires_grad=True)
    found = np.take(leaf, indices, axis)
    assert found.shape == expected.shape
    assert grad(np.sum(found), leaf).shape == x.shape


@pytest.mark.parametrize(
    "numbers", [[1e40, 1e-40] * 8, [0.0, 1e200, 1.0, 1e200], [1e200, 1e-200, 1e200, 1e-200], [1e-200, 1e-200, 1e300]]
)
def test_a_product_is_taken_in_numpys_order(numbers: Any) -> None:
    x = Tensor(numbers, requires_grad=True)
    np.testing.assert_array_equal(np.prod(x).data, np.prod(x.data))
    with np.errstate(over="ignore"):  # where the product of the others does
        assert not np.isnan(grad(np.prod(x), x).data).any()


def test_prod_is_exact_with_zeros_at_both_orders() -> None:
    x = Tensor([2.0, 0.0, 3.0, 0.0], requires_grad=True)
    first = grad(np.prod(x[:3]), x, create_graph=True)
    np.testing.assert_array_equal(first.data, [0, 6, 0, 0])
    np.testing.assert_array_equal(grad(np.prod(x), x).data, np.zeros(4))
    rows = [grad(grad(np.prod(x), x, create_graph=True)[i], x).data for i in range(4)]
    expected = np.zeros((4, 4))
    expected[1, 3] = expected[3, 1] = 6
    np.testing.assert_array_equal(rows, expected)


def test_clip_ignores_bounds_beyond_the_integers_it_clips() -> None:
    np.testing.assert_array_equal(np.clip(Tensor(np.array([0, 7], np.uint8)), -1, 5).data, [0, 5])
    np.testing.assert_array_equal(np.clip(Tensor(np.array([0, 7], np.uint8)), 3, 300).data, [3, 7])


def test_clip_shares_the_gradient_at_its_bounds() -> None:
    (piece,) = gradient_of(lambda x: np.clip(x, -1, 1), [-2, -1, 0, 1, 2])
    np.testing.assert_array_equal(piece, [0, 0.5, 1, 0.5, 0])


@pytest.mark.parametrize("function", WITHOUT_GRADIENT, ids=name_of)
def test_constants_and_counts_and_truths_have_no_gradient(function: Any) -> None:
    EXAMPLES[function].check(assert_recorded_without_gradient, count=5)


def test_a_missing_axis_raises_an_axis_error() -> None:
    t = Tensor(np.ones((2, 3)))
    for call in (lambda: np.repeat(t, 2, axis=2), lambda: np.take(t, 0, axis=2), lambda: t.repeat(2, axis=-3)):
        with pytest.raises(np.exceptions.AxisError, match="is out of bounds for array of dimension 2"):
            call()


def test_an_index_out_of_range_names_the_function_that_was_called() -> None:
    with pytest.raises(
        IndexError, match=r"^np\.take of shapes \(2, 3\), axis=1: index 7 is out of bounds for axis 1 with size 3$"
    ):
        np.take(Tensor(np.ones((2, 3))), [7], axis=1)


@pytest.mark.parametrize("indices", [[True, False, True], True, [], [[], []], np.array([[False], [True]])])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_take_reads_booleans_as_integers_and_accepts_empty_lists(indices: Any, axis: Any) -> None:
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(np.take(Tensor(x), indices, axis).data, np.take(x, np.array(indices, int), axis))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.roll(x, (1, 1), axis=0),
        lambda x: np.roll(x, 1, axis=(0, 1)),
        lambda x: np.roll(x, [1, 2], axis=(0, 1)),
        lambda x: np.tensordot(x, x.T, np.int64(1)),
        lambda x: np.linalg.norm(x, np.int64(1), axis=0),
        lambda x: np.stack(np.split(x, np.int64(3), axis=1)),
        lambda x: np.stack(np.split(x, np.array([1, 2]), axis=1)),
    ],
)
def test_numpys_integers_and_sequences_are_accepted_as_numpy_accepts_them(call: Any) -> None:
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    found = call(Tensor(x, requires_grad=True))
    np.testing.assert_allclose(found.data, call(x))
    assert found.requires_grad


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda t: np.split(t, -2), ValueError),
        (lambda t: np.split(t, 0), ValueError),
        (lambda t: np.split(t, [1.9]), TypeError),
        (lambda t: np.split(t, 2.0), TypeError),
        (lambda t: np.pad(t, 1.9), TypeError),
    ],
)
def test_invalid_counts_raise(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call(Tensor([1.0, 2.0]))
