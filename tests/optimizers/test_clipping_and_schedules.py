"""Clipping keeps the direction of gradients, and schedules are functions of the number of updates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from captured import count_of
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_spiral import (
    Tensor,
    capture,
    clip_by_norm,
    cosine_decay,
    exponential_decay,
    grad,
    linear_warmup,
)


@settings(max_examples=40)
@given(st.integers(0, 1000), st.floats(1e-3, 1e3), st.sampled_from([1e-30, 1e-3, 1.0, 1e4, 1e30, 1e300]))
def test_clipping_keeps_the_direction_and_bounds_the_norm(seed: int, max_norm: float, size: float) -> None:
    rng = np.random.default_rng(seed)
    gradients = {name: size * rng.standard_normal(shape) for name, shape in (("W", (3, 2)), ("b", (2,)), ("c", ()))}
    clipped = clip_by_norm(gradients, max_norm)
    vectors = [np.concatenate([np.ravel(part / size) for part in tree.values()]) for tree in (gradients, clipped)]
    norm = np.linalg.norm(vectors[0])
    np.testing.assert_allclose(vectors[1], vectors[0] * min(1.0, max_norm / size / norm), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_clipping_keeps_dtypes_zeros_and_the_largest_numbers(dtype: Any) -> None:
    largest = np.finfo(dtype).max
    found = clip_by_norm([np.array([largest, 0.0], dtype), np.array([-largest], dtype), np.zeros((0, 2), dtype)], 2.0)
    assert [g.dtype for g in found] == [dtype] * 3
    np.testing.assert_allclose(np.concatenate(found[:2]), [np.sqrt(2), 0.0, -np.sqrt(2)], rtol=1e-3)
    np.testing.assert_array_equal(clip_by_norm(np.zeros(2, dtype), 2.0), np.zeros(2, dtype))
    assert np.isnan(clip_by_norm(np.array([np.nan, 1.0], dtype), 2.0)).all()
    assert clip_by_norm(np.zeros(0, dtype), 2.0).shape == (0,)


def test_clipped_gradients_can_be_differentiated() -> None:
    w = Tensor([3.0, 4.0], requires_grad=True)
    clipped = clip_by_norm(grad(np.sum(w**2) / 2, w, create_graph=True), 1.0)
    np.testing.assert_allclose(clipped.data, [0.6, 0.8])
    np.testing.assert_allclose(grad(clipped[0], w).data, [16 / 125, -12 / 125])  # of w / |w|


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, np.float32, lambda norm: np.asarray(norm, np.float32), Tensor])
def test_the_norm_may_be_an_array_or_a_tensor_without_axes(form: Any, dtype: Any, captured: bool) -> None:
    gradients = {"W": np.linspace(-1, 2, 6, dtype=dtype).reshape(3, 2), "b": np.array([3.0, 0.1], dtype)}
    clip = capture(lambda gradients, norm: clip_by_norm(gradients, norm)) if captured else clip_by_norm
    for norm in (0.3, 0.7, 100.0):
        expected = clip_by_norm(gradients, float(form(norm)))
        for name, g in clip(gradients, form(norm)).items():
            assert type(g) is (Tensor if captured else np.ndarray)
            assert g.dtype == dtype
            np.testing.assert_allclose(np.asarray(g), expected[name], rtol=3 * np.finfo(dtype).eps)
    if captured and form is not np.float32:  # a new program would be made for each of NumPy's scalars
        assert count_of(clip) == 1


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (exponential_decay(0.2, 0.5, steps=2), lambda t: 0.2 * math.sqrt(0.5) ** t),
        (cosine_decay(0.2, steps=8, final=0.1), lambda t: 0.15 + 0.05 * math.cos(math.pi * min(t, 8) / 8)),
        (linear_warmup(4, 0.2), lambda t: 0.2 * min(t + 1, 4) / 4),
        (linear_warmup(4, cosine_decay(4.0, 8)), lambda t: min(t + 1, 4) / 2 * (1 + math.cos(math.pi * min(t, 8) / 8))),
    ],
)  # fmt: skip
def test_schedules_are_functions_of_numbers_arrays_and_tensors(schedule: Any, expected: Any) -> None:
    steps = np.arange(12)
    np.testing.assert_allclose(schedule(steps), [expected(t) for t in range(12)], rtol=1e-12)
    for t in (0, 5, 11):
        assert math.isclose(schedule(t), expected(t))
        assert math.isclose(schedule(Tensor(float(t))), expected(t))
