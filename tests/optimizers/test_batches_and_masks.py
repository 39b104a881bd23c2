"""Batches have each row once, and dropout masks drop at the given rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_spiral import (
    CaptureError,
    Tensor,
    batches,
    capture,
    dropout_mask,
)


@settings(max_examples=40)
@given(st.integers(0, 40), st.integers(1, 50), st.integers(0, 1000))
def test_batches_have_every_row_once_and_together(rows: int, size: int, seed: int) -> None:
    X, y = np.arange(rows)[:, None] * np.ones(2), Tensor(np.arange(rows))
    found = list(batches(np.random.default_rng(seed), size, X, y, list(range(rows))))
    assert [len(part) for part, _, _ in found] == [min(size, rows - i) for i in range(0, rows, size)]
    for part, labels, numbers in found:
        np.testing.assert_array_equal(part[:, 0], labels.data)
        np.testing.assert_array_equal(part[:, 1], numbers)
    assert sorted(i for _, _, numbers in found for i in numbers) == list(range(rows))


def test_each_epoch_has_another_order_and_equal_seeds_have_equal_ones() -> None:
    orders = []
    for _ in range(2):
        rng = np.random.default_rng(3)
        orders.append([[tuple(rows) for (rows,) in batches(rng, 4, np.arange(10))] for _ in range(2)])
    assert orders[0] == orders[1]
    assert orders[0][0] != orders[0][1]


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks_drop_at_the_given_rate_and_are_1_on_average(rate: float, dtype: Any) -> None:
    mask = dropout_mask(np.random.default_rng(0), (200, 200), rate, dtype)
    assert mask.dtype == dtype
    assert set(np.unique(mask)) <= {dtype(0), dtype(1 / (1 - rate))}
    deviation = math.sqrt(rate / (1 - rate) / mask.size)  # of the mean
    assert abs(mask.mean(dtype=float) - 1) <= 5 * deviation


def test_masks_drawn_in_a_captured_step_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(CaptureError, match="random"):
        capture(lambda x: x * dropout_mask(rng, x.shape, 0.5))(np.ones(3))
