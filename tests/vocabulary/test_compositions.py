"""Every NumPy function composed of primitives: value, dtype, and both orders of gradients by finite differences."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from composition_cases import COMPOSITION_CASES
from examples import Example, Examples
from finite_differences import listed
from properties import (
    assert_close,
    assert_gradients,
    assert_precision,
    assert_recorded_without_gradient,
    assert_second_order,
    assert_value,
)

from autograd_spiral import Tensor, grad
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import COMPOSITIONS

FACTS = {np.shape, np.ndim, np.size}
"""Functions whose results are plain numbers, not tensors."""

EXAMPLES = {function: Examples(function, case, 40) for function, case in COMPOSITION_CASES.items()}

CONSTANTS = [np.zeros_like, np.ones_like, np.full_like]

every_composition = pytest.mark.parametrize("function", EXAMPLES, ids=name_of)
every_differentiable = pytest.mark.parametrize("function", [f for f in EXAMPLES if f not in CONSTANTS], ids=name_of)


def test_every_composition_has_a_case_and_every_case_a_composition() -> None:
    assert set(COMPOSITION_CASES) | FACTS == set(COMPOSITIONS)


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
        except (TypeError, OverflowError, RuntimeWarning):
            return  # NumPy itself refuses these: subtracting bools, bounds outside the dtype, dividing by 0
        assert_value(whole)

    EXAMPLES[function].check(holds, count=10)


@every_differentiable
def test_the_gradient_is_that_of_finite_differences(function: Any) -> None:
    EXAMPLES[function].check(assert_gradients)


@every_differentiable
def test_the_second_order_is_that_of_finite_differences(function: Any) -> None:
    EXAMPLES[function].check(assert_second_order)


@every_composition
def test_on_arrays_a_composition_returns_what_numpys_function_returns(function: Any) -> None:
    seen: list[Any] = []

    def observed(*args: Any, **kwargs: Any) -> Any:
        seen.append((args, kwargs))
        return function(*args, **kwargs)

    def holds(example: Example) -> None:
        expected = listed(example.call(*example.arrays))
        args, kwargs = seen[-1]
        results = listed(COMPOSITIONS[function](*args, **kwargs))
        if results[0] is NotImplemented:
            return  # the primitive is called instead
        assert len(results) == len(expected)
        for result, value in zip(results, expected, strict=True):
            assert type(result) in (np.ndarray, np.float64)
            assert result.shape == np.shape(value)
            assert result.dtype == value.dtype
            assert_close(result, value, 1e-13, "on arrays")

    Examples(observed, COMPOSITION_CASES[function], 10).check(holds)


@pytest.mark.parametrize("shape", [(), (3,), (2, 0)])
def test_shape_ndim_and_size_are_plain_numbers(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape)
    tensor = Tensor(array, requires_grad=True)
    assert np.shape(tensor) == shape
    assert np.ndim(tensor) == len(shape)
    assert np.size(tensor) == array.size
    assert [np.size(tensor, axis) for axis in range(-len(shape), 0)] == list(shape)
    assert np.size(tensor, tuple(range(len(shape)))) == array.size


# --- conventions --------------------------------------------------------------------------------------------------


def gradient_of(function: Any, *arrays: Any) -> list[Any]:
    """The gradients of the summed output with respect to each argument; differentiates them once more, as a check."""
    leaves = [Tensor(np.asarray(a, float), requires_grad=True) for a in arrays]
    pieces = grad(np.sum(function(*leaves)), leaves, create_graph=True)
    grad(pieces, leaves, [np.ones(leaf.shape) for leaf in leaves])
    return [piece.data for piece in pieces]


def test_std_has_gradient_0_where_all_entries_are_equal() -> None:
    (piece,) = gradient_of(lambda x: np.std(x, axis=1), [[2, 2], [3, 5]])
    np.testing.assert_allclose(piece, [[0, 0], [-0.5, 0.5]])


@pytest.mark.parametrize(("axis", "ord"), [(None, None), (1, None), (1, 1), (0, 2), (1, 3), (1, 0.5), (1, np.inf)])
def test_norm_has_gradient_0_at_0(axis: int | None, ord: float | None) -> None:
    (piece,) = gradient_of(lambda x: np.linalg.norm(x, ord=ord, axis=axis), np.zeros((2, 3)))
    np.testing.assert_array_equal(piece, np.zeros((2, 3)))


def test_norm_has_gradient_0_in_a_row_of_zeros_next_to_another_row() -> None:
    (piece,) = gradient_of(lambda x: np.linalg.norm(x, axis=1), [[0, 0], [3, 4]])
    np.testing.assert_allclose(piece, [[0, 0], [0.6, 0.8]])
    (piece,) = gradient_of(lambda x: np.linalg.norm(x, ord=4, axis=1), [[0, 0], [0, 2]])
    np.testing.assert_allclose(piece, [[0, 0], [0, 1]])


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


@pytest.mark.parametrize("function", CONSTANTS, ids=name_of)
def test_zeros_like_and_its_relatives_are_constants(function: Any) -> None:
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


@pytest.mark.parametrize(
    "join",
    [np.stack, np.concatenate, lambda parts: np.concatenate(parts, axis=None)],
    ids=["stack", "concatenate", "ravelled"],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_the_gradient_of_joined_parts_takes_time_in_proportion_to_their_number(join, create_graph):
    def calls(count):
        parts = [Tensor([float(i)], requires_grad=True) for i in range(count)]
        out = np.sum(join(parts) * np.arange(1.0, count + 1).reshape(join([part.data for part in parts]).shape))
        made = 0

        def counted(frame, event, argument):
            nonlocal made
            made += 1

        sys.setprofile(counted)
        try:
            found = grad(out, parts, create_graph=create_graph)
        finally:
            sys.setprofile(None)
        assert [float(slope) for slope in found] == list(range(1, count + 1))
        return made

    assert calls(80) < 2.2 * calls(40)
