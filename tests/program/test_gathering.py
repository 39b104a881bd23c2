"""Indexing with arrays of integers: a replay gathers the same entries as NumPy, into a buffer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import assert_programs_agree, assert_same, leaf, program_of

from autograd_spiral import capture, grad
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.kernels.table import with_kernels
from autograd_spiral.program.running.replay import generate

RNG = np.random.default_rng(0)


def code_of(step: Callable[..., Any], *args: Any) -> Code:
    return generate(with_kernels(readable(program_of(step, *args))))


def gathers(code: Code) -> bool:
    return any(".take(" in line for line in code.lines)


@st.composite
def indexed(draw: st.DrawFn) -> tuple[Any, tuple[Any, ...], bool]:
    """An array, an index of arrays for adjacent axes, and whether an ellipsis comes first."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    first = draw(st.integers(0, len(shape) - 1))
    last = draw(st.integers(first, min(first + 1, len(shape) - 1)))
    lengths = draw(st.sampled_from([(3,), (2, 3), (1,), (0,), ()]))
    dtype = draw(st.sampled_from([np.intp, np.int8]))
    arrays = tuple(RNG.integers(-shape[i], shape[i], lengths).astype(dtype) for i in range(first, last + 1))
    ellipsis = last == len(shape) - 1 and draw(st.booleans())
    return RNG.standard_normal(shape), (Ellipsis if ellipsis else (slice(None),) * first, arrays), ellipsis


@given(indexed(), st.booleans())
def test_what_is_picked_is_what_numpy_picks(drawn: Any, constant: bool) -> None:
    x, (before, arrays), ellipsis = drawn
    index = (Ellipsis,) if ellipsis else before

    def step(x: Any, *given: Any) -> Any:
        copies = [np.array(array.tolist(), array.dtype).reshape(array.shape) for array in arrays]  # constants
        return np.sin(x)[(*index, *(copies if constant else given))] * 2.0

    captured, args = capture(step), (x,) if constant else (x, *arrays)
    for _ in range(2):
        assert_same([captured(*args).data], [np.sin(x)[(*index, *arrays)] * 2.0], "replayed")


def windows(n: int) -> tuple[Any, Any]:
    """The rows and columns of the 3 by 3 windows of n by n pixels."""
    places = np.arange(n - 2)
    return places[:, None, None, None] + np.arange(3)[:, None], places[:, None, None] + np.arange(3)


@pytest.mark.parametrize("outside", [False, True])
def test_windows_are_gathered_in_c_order(outside: bool) -> None:
    filters, rows_and_columns = leaf((9, 4)), windows(14)

    def step(images: Any) -> Any:
        i, j = rows_and_columns if outside else windows(14)
        patches = images[:, i, j].reshape(len(images), 12, 12, 9)
        return grad(np.sum(np.tanh(patches @ filters)), filters)

    images = RNG.standard_normal((30, 14, 14))
    code = code_of(step, images)
    (array,) = [array for value, array in code.layout.array.items() if value.shape == (30, 12, 12, 3, 3)]
    assert gathers(code)
    assert array.flags.c_contiguous
    assert_programs_agree(step, [filters], [[images]])


def test_places_that_are_given_may_change_and_are_checked() -> None:
    step = capture(lambda x, i, j: x[:, i, j] * 2.0)
    x, (i, j) = RNG.standard_normal((80, 16, 16)), windows(16)
    for shift in (0, -16):
        assert np.array_equal(step(x, i + shift, j).data, 2 * x[:, i, j])
    with pytest.raises(IndexError, match="index 16 is out of bounds for axis 2 with size 16"):
        step(x, i, j + 1)
    with pytest.raises(IndexError, match="index -17 is out of bounds for axis 1 with size 16"):
        step(x, i - 17, j)
    assert np.array_equal(step(x, i, j).data, 2 * x[:, i, j])


@pytest.mark.parametrize(
    "index",
    [
        lambda i: (i, slice(None), i),  # apart: NumPy puts the axis of the places first
        lambda i: (slice(None), slice(1, None), i),
        lambda i: (slice(None), None, i),
        lambda i: (slice(None), 1, i),
    ],
)
def test_other_indices_stay(index: Callable[[Any], Any]) -> None:
    def step(x: Any) -> Any:
        return np.sin(x)[index(np.array([0, 3, 1]))] * 2.0

    x = RNG.standard_normal((4, 4, 4))
    assert not gathers(code_of(step, x))
    assert_same([capture(step)(x).data], [step(x)], "replayed")
