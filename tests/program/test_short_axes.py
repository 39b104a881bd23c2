"""Reductions of short axes, computed slice by slice, return what NumPy returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import assert_same, program_of

from autograd_spiral import capture
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.running.kernels.table import with_kernels
from autograd_spiral.program.running.replay import generate

REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "all": np.all, "any": np.any}


@pytest.mark.parametrize("name", REDUCTIONS)
@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    axes=st.sets(st.integers(1, 4), min_size=1, max_size=2),
    keepdims=st.booleans(),
    dtype=st.sampled_from([np.float64, np.float32, np.float16, np.int64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_short_axes_are_reduced_as_numpy_does(
    name: str, shape: list[int], axes: set[int], keepdims: bool, dtype: Any, seed: int
) -> None:
    rng, reduction = np.random.default_rng(seed), REDUCTIONS[name]
    axis = tuple(sorted(i for i in axes if i <= len(shape))) or (1,)
    x = (4 * rng.standard_normal((300, *shape))).astype(dtype)
    if x.dtype.kind == "f":
        x[rng.random(x.shape) < 0.02] = rng.choice([np.nan, np.inf, -0.0])

    def step(x: Any) -> Any:
        return reduction(np.negative(x), axis=axis, keepdims=keepdims) * 2

    with np.errstate(all="ignore"):
        assert_same([capture(step)(x).data], [step(x)], name)


@pytest.mark.parametrize(("shape", "axis"), [((300, 3, 2, 3, 2, 4), (2, 4)), ((300, 3), 1), ((300, 1), 1)])
def test_a_sum_of_negative_zeros_is_zero(shape: Any, axis: Any) -> None:
    total = capture(lambda x: np.sum(np.negative(x), axis=axis) * 2)(np.zeros(shape)).data
    assert not np.signbit(total).any()


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_short_rows_are_summed_by_a_product_with_ones(dtype: Any, by_row: bool, keepdims: bool) -> None:
    x = np.random.default_rng(0).standard_normal((300, 10)).astype(dtype)
    rows = np.sin if by_row else lambda x: x @ np.eye(10, dtype=dtype)  # narrow products are kept column by column
    program = program_of(lambda x: np.sum(rows(x), axis=1, keepdims=keepdims) * 2.0, x)
    code = generate(with_kernels(readable(program)))
    assert sum(line.startswith("dot") for line in code.lines) == 1
    assert not any(line.startswith("reduce") for line in code.lines)
    assert_same(code.function(["x0"])(x), [2 * rows(x).sum(axis=1, keepdims=keepdims)], "sums")


def test_pooling_makes_a_call_for_each_place_of_the_square() -> None:
    maps = np.random.default_rng(0).standard_normal((50, 3, 2, 3, 2, 8))
    program = program_of(lambda x: np.max(np.sin(x), axis=(2, 4)) * 2.0, maps)
    lines = generate(with_kernels(readable(program))).lines
    maxima = [line for line in lines if "out=" in line]
    assert len(maxima) == 3
