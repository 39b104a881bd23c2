"""Sums of many numbers, in gradients and in reductions, are as accurate as their dtype allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograd_spiral import Tensor, capture, grad, log_softmax, logsumexp, softmax, softmax_cross_entropy
from autograd_spiral.engine.sweep import unbroadcast

MANY = 5000  # in float16, a sum of ones stops at 2048

# --- gradients of what is used many times -----------------------------------------------------------------------------

USES: dict[str, Any] = {
    "a row added": (lambda x: np.zeros((MANY, 3), np.float16) + x, (1, 3)),
    "a vector added": (lambda x: np.zeros((MANY, 3), np.float16) + x, (3,)),
    "a number added": (lambda x: np.zeros((MANY, 3), np.float16) + x, ()),
    "a scale": (lambda x: np.ones((3, MANY), np.float16) * x, (3, 1)),
    "channels": (lambda x: np.zeros((50, 3, 10, 10), np.float16) + x, (3, 1, 1)),
    "broadcast": (lambda x: np.broadcast_to(x, (MANY, 2, 3)), (1, 3)),
    "tiled": (lambda x: np.tile(x, (MANY, 1)), (3,)),
    "repeated": (lambda x: np.repeat(x, MANY, axis=0), (1, 3)),
    "taken": (lambda x: x[np.zeros(MANY, int)], (1, 3)),
    "taken along an axis": (lambda x: np.take(x, np.zeros(MANY, int), axis=1), (3, 1)),
    "scores at labels": (lambda x: x[np.zeros(MANY, int), np.arange(MANY) % 3], (1, 3)),
    "summed up": (lambda x: np.cumsum(np.concatenate([x, np.zeros((MANY, 3), np.float16)]), axis=0), (1, 3)),
    "in an einsum": (lambda x: np.einsum("ij,j->ij", np.ones((MANY, 3), np.float16), x), (3,)),
    "in a product": (lambda x: np.ones((MANY, 1), np.float16) @ x, (1, 3)),
    "through a condition": (lambda x: np.where(np.ones((MANY, 3), bool), x, np.float16(0)), (3,)),
}


@pytest.mark.parametrize("create_graph", [False, True], ids=["values", "recorded"])
@pytest.mark.parametrize(("use", "shape"), USES.values(), ids=USES)
def test_a_float16_number_used_many_times_gets_its_gradient(use: Any, shape: Any, create_graph: bool) -> None:
    x = Tensor(np.ones(shape, np.float16), requires_grad=True)
    out = use(x)
    found = grad(out, x, np.full(out.shape, 1 / 3, np.float16), create_graph=create_graph)
    wide = Tensor(np.ones(shape), requires_grad=True)
    right = grad(use(wide), wide, np.full(out.shape, float(np.float16(1 / 3))))
    assert found.dtype == np.float16
    np.testing.assert_allclose(found.data.astype(float), right.data, rtol=1e-3)


@pytest.mark.parametrize("create_graph", [False, True], ids=["values", "recorded"])
@pytest.mark.parametrize("computed", [False, True], ids=["leaf", "result"])
def test_a_float16_number_used_by_many_operations_gets_its_gradient(computed: bool, create_graph: bool) -> None:
    w = Tensor(np.float16(1), requires_grad=True)
    used = w * np.float16(1) if computed else w
    uses = [used * np.float16(1) for _ in range(3000)]
    found = grad(uses, w, [np.float16(1)] * len(uses), create_graph=create_graph)
    assert (found.dtype, float(found)) == (np.float16, 3000)


@pytest.mark.parametrize("rows", [300, 3000, 50_000])
def test_the_gradient_of_a_float16_bias_agrees_with_that_of_its_matrix(rows: int) -> None:
    W, b = (Tensor(np.zeros(shape, np.float16), requires_grad=True) for shape in ((2, 3), (3,)))
    pieces = grad(np.mean(np.ones((rows, 2), np.float16) @ W + b), [W, b])
    for piece in pieces:
        np.testing.assert_allclose(piece.data.astype(float), 1 / 3, rtol=2e-3)


@pytest.mark.parametrize("create_graph", [False, True], ids=["values", "recorded"])
@pytest.mark.parametrize("shape", [(1, 2), (2,)])
def test_the_gradient_of_a_float32_row_of_a_million(shape: Any, create_graph: bool) -> None:
    x = Tensor(np.zeros(shape, np.float32), requires_grad=True)
    cotangent = np.full((1_000_000, 2), 0.1, np.float32)
    found = grad(np.broadcast_to(x, cotangent.shape), x, cotangent, create_graph=create_graph)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.data, 1e6 * float(np.float32(0.1)), rtol=5e-6)


@pytest.mark.parametrize("count", [700, 3000, 20_000])
@pytest.mark.parametrize(
    "copies",
    [
        lambda x, count: np.tile(x, (count, 1)),
        lambda x, count: np.tile(x, (1, count)),
        lambda x, count: np.tile(x, (count // 50, 50)),
        lambda x, count: np.repeat(x, count, axis=1),
    ],
    ids=["rows", "columns", "both", "repeats"],
)
def test_the_gradient_of_float32_entries_copied_many_times(copies: Any, count: int) -> None:
    x = Tensor(np.array([[0.1, 0.3, 0.7], [1.1, 2.3, 3.1]], np.float32), requires_grad=True)
    found = grad(np.mean(copies(x, count) ** 2), x).data
    np.testing.assert_allclose(found, x.data.astype(float) / 3, rtol=5e-6)


def test_a_float32_entry_taken_many_times_gets_its_gradient() -> None:
    x = Tensor(np.zeros(2, np.float32), requires_grad=True)
    found = grad(x[np.zeros(500_000, int)], x, np.full(500_000, 0.1, np.float32))
    np.testing.assert_allclose(found.data, [5e5 * float(np.float32(0.1)), 0], rtol=1e-6)


@pytest.mark.parametrize("create_graph", [False, True], ids=["values", "recorded"])
@pytest.mark.parametrize("shape", [(), (3, 1, 1), (1, 3, 1, 1), (3, 1, 2)])
def test_the_gradient_of_a_float32_parameter_used_by_a_whole_batch(shape: Any, create_graph: bool) -> None:
    x = Tensor(np.zeros(shape, np.float32), requires_grad=True)
    cotangent = np.full((100_000, 3, 1, 2), 0.1, np.float32)
    found = grad(np.broadcast_to(x, cotangent.shape), x, cotangent, create_graph=create_graph)
    np.testing.assert_allclose(found.data, cotangent.size / x.size * float(np.float32(0.1)), rtol=5e-6)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda x: x[::-1]])
@pytest.mark.parametrize("rows", [2**14, 2**14 + 1, 40_001])
def test_the_sums_of_blocks_of_rows_are_those_of_all_rows(rows: int, layout: Any) -> None:
    x = layout(np.arange(3 * rows, dtype=np.float32).reshape(rows, 3) % 7)
    for shape in ((1, 3), (3,)):
        np.testing.assert_array_equal(unbroadcast(x, shape).ravel(), x.astype(float).sum(axis=0))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3)])
def test_sums_of_nothing_are_0(shape: Any) -> None:
    for dtype in (np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(unbroadcast(np.zeros(shape, dtype), shape[-1:]), np.zeros(shape[-1]))


@pytest.mark.parametrize("rows", [17_000, 65_000])
def test_a_replayed_float32_step_sums_rows_as_accurately_as_the_eager_one(rows: int) -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.2, (rows, 3)).astype(np.float32)
    leaves = [Tensor(np.zeros(shape, np.float32), requires_grad=True) for shape in ((3,), (1, 3), (1,))]

    def step(x: Any) -> Any:
        a, b, c = leaves
        taken = c[np.zeros(rows, int)] * x[:, 0]
        return grad(np.sum((a + x) * x) + np.sum((b + x) * x) + np.sum(taken), leaves)

    sums = x.astype(float).sum(axis=0)
    for pieces in (step(x), capture(step)(x)):
        for piece, expected in zip(pieces, (sums, sums[None], sums[:1]), strict=True):
            np.testing.assert_allclose(piece.data, expected, rtol=6e-7)


# --- reductions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 10])
@pytest.mark.parametrize("classes", [5000, 70_000])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_float16_softmax_over_many_classes_is_normalised(rows: int, classes: int, axis: int) -> None:
    digits = 2e-3 if classes == 5000 else 0.02  # 1 / 70,000 is subnormal
    x = Tensor(np.zeros((rows, classes) if axis else (classes, rows), np.float16), requires_grad=True)
    cotangent = (np.arange(x.size).reshape(x.shape) % 7).astype(np.float16)
    np.testing.assert_allclose(softmax(x, axis).data.astype(float) * classes, 1, rtol=5 * digits)
    for function in (softmax, log_softmax):
        slopes = grad(function(x, axis), x, cotangent).data.astype(float)
        np.testing.assert_allclose(slopes.sum(axis=axis), 0, atol=digits * np.abs(slopes).sum(axis=axis).max())
    np.testing.assert_allclose(log_softmax(x, axis).data.astype(float), -np.log(classes), rtol=1e-3)
    np.testing.assert_allclose(logsumexp(x, axis).data.astype(float), np.log(classes), rtol=1e-3)
    weights = grad(np.sum(logsumexp(x, axis)), x).data.astype(float)
    np.testing.assert_allclose(weights * classes, 1, rtol=5 * digits)


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize(("rows", "classes"), [(3, 5000), (30_000, 10), (70_000, 10)])
def test_a_float16_cross_entropy_of_many_rows_or_classes(rows: int, classes: int, probabilities: bool) -> None:
    scores = Tensor(np.zeros((rows, classes), np.float16), requires_grad=True)
    labels = np.full(scores.shape, 1 / classes, np.float16) if probabilities else np.zeros(rows, int)
    loss = softmax_cross_entropy(scores, labels)
    assert loss.dtype == np.float16
    np.testing.assert_allclose(float(loss), np.log(classes), rtol=3e-3)
    slopes = grad(loss, scores).data.astype(float)
    np.testing.assert_allclose(slopes.sum(axis=1), 0, atol=2e-2 / rows)


@pytest.mark.parametrize("keepdims", [False, True])
def test_var_and_std_of_long_float16_arrays(keepdims: bool) -> None:
    x = Tensor(np.array([1.0, 3.0] * 35_000, np.float16), requires_grad=True)
    for function in (np.var, np.std):
        out = function(x, keepdims=keepdims)
        assert out.dtype == np.float16
        np.testing.assert_array_equal(out.data, 1)
    np.testing.assert_allclose(grad(np.sum(np.var(x)), x).data[:2], [-2 / 70_000, 2 / 70_000], rtol=3e-3)
    np.testing.assert_allclose(grad(np.sum(np.std(x)), x).data[:2], [-1 / 70_000, 1 / 70_000], rtol=3e-3)


@pytest.mark.parametrize("function", [np.max, np.min])
@pytest.mark.parametrize("count", [MANY, 70_000])
@pytest.mark.parametrize("axis", [None, 0])
def test_many_float16_ties_share_equally(function: Any, count: int, axis: Any) -> None:
    x = Tensor(np.ones((count, 2), np.float16), requires_grad=True)
    out = function(x, axis=axis)
    found = grad(out, x, np.full(out.shape, 1000, np.float16)).data.astype(float)
    np.testing.assert_allclose(found, 1000 / (count if axis == 0 else 2 * count), rtol=1e-3)


def test_a_captured_float16_step_sums_as_the_eager_one() -> None:
    def step(x: Any, W: Any, b: Any) -> Any:
        loss = softmax_cross_entropy(x @ W + b, np.zeros(len(x), int))
        return loss, *grad(loss, [W, b])

    x = np.ones((MANY, 2), np.float16)
    W = Tensor(np.zeros((2, 3), np.float16), requires_grad=True)
    b = Tensor(np.zeros(3, np.float16), requires_grad=True)
    captured = capture(step)
    for result, eager in zip(captured(x, W, b), step(x, W, b), strict=True):
        assert result.dtype == eager.dtype
        np.testing.assert_allclose(np.asarray(result.data, float), np.asarray(eager.data, float), rtol=2e-3)
    np.testing.assert_allclose(captured(x, W, b)[2].data.astype(float), [-2 / 3, 1 / 3, 1 / 3], rtol=2e-3)


@pytest.mark.parametrize("function", [np.max, np.min, np.sum, np.prod, np.mean, np.var, np.std, np.linalg.vector_norm])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_reductions_that_leave_nothing_have_gradients_of_nothing(function: Any, dtype: Any) -> None:
    x = Tensor(np.zeros((0, 3), dtype), requires_grad=True)
    assert grad(np.sum(function(x, axis=1)), x).shape == (0, 3)
