"""Products: how they are called, what they cost, and the errors for shapes that do not fit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from autograd_spiral import Tensor, capture, grad
from autograd_spiral.engine.modes import Observer, entering
from autograd_spiral.errors import AutogradError, NoRuleError, ShapeError
from autograd_spiral.vocabulary.compositions.products import OUTER

FORMS: tuple[Any, ...] = (
    lambda x, y, z: np.einsum(x, [0, 1], y, [1, 2]),
    lambda x, y, z: np.einsum(x, [30, 1], y, [1, 2], [2, 30]),
    lambda x, y, z: np.einsum(x, [0, 26], y, [26, 2], z, [2, 3]),
    lambda x, y, z: np.einsum(z, [0, 0], [0]),
    lambda x, y, z: np.einsum(z, [0, 0]),
    lambda x, y, z: np.einsum(x, [..., 1], y, [1, 2]),
    lambda x, y, z: np.einsum(x, [0, ...], [..., 0]),
    lambda x, y, z: np.einsum(x, (0, 1), y, (1, 2), optimize=True),
)


@pytest.mark.parametrize("form", FORMS)
def test_einsum_takes_numbered_axes(form: Any) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((2, 3), (3, 4), (4, 4))]
    leaves = [Tensor(x, requires_grad=True) for x in arrays]
    found = form(*leaves)
    np.testing.assert_allclose(found.data, form(*arrays))
    assert found.requires_grad


@pytest.mark.parametrize("axis", [52, -1])
def test_einsum_refuses_numbers_that_name_no_axis(axis: int) -> None:
    with pytest.raises(ShapeError, match=f"axes are numbered from 0 to 51 whatever the shape, not {axis}"):
        np.einsum(Tensor(np.ones((2, 2))), [0, axis])


@pytest.mark.parametrize("optimize", [True, "greedy", "optimal", ["einsum_path", (0, 1), (0, 1)]])
def test_optimize_reaches_numpy_and_the_gradients(optimize: Any, monkeypatch: Any) -> None:
    leaves = [Tensor(np.eye(3) + i, requires_grad=True) for i in range(3)]
    out = np.einsum("ij,jk,kl->il", *leaves, optimize=optimize)
    original, seen = np.einsum, []
    monkeypatch.setattr(np, "einsum", lambda *args, **kwargs: (seen.append(kwargs), original(*args, **kwargs))[1])
    grad(np.sum(out), leaves)
    assert seen == [{"optimize": optimize if isinstance(optimize, str) else True}] * 3


def test_a_captured_einsum_keeps_optimize() -> None:
    step = capture(lambda x, y: np.einsum("ij,jk->ik", x, y, optimize=True))
    x, y = np.ones((2, 3)), np.arange(6.0).reshape(3, 2)
    for _ in range(3):
        np.testing.assert_allclose(step(x, y).data, x @ y)
    assert 'np.einsum("ij,jk->ik", x, y, optimize=True)' in step.program.source


def test_a_chain_of_matrices_is_multiplied_in_the_cheapest_order() -> None:
    class Multiplications(Observer):
        def __init__(self) -> None:
            self.count = 0

        def recorded(self, node: Any) -> None:
            if node.primitive.function is np.matmul:
                (n, m), (_, k) = (x.shape for x in node.operands)
                self.count += n * m * k

    def cheapest(sizes: list[int]) -> int:
        if len(sizes) < 3:
            return 0
        inner = range(1, len(sizes) - 1)
        return min(sizes[i - 1] * sizes[i] * sizes[i + 1] + cheapest(sizes[:i] + sizes[i + 1 :]) for i in inner)

    for seed in range(8):
        sizes = np.random.default_rng(seed).integers(1, 9, 6).tolist()
        factors = [Tensor(np.ones(shape), requires_grad=True) for shape in itertools.pairwise(sizes)]
        with entering(observer=Multiplications()) as mode:
            np.linalg.multi_dot(factors)
        assert mode.observer.count == cheapest(sizes)


@pytest.mark.parametrize("n", range(8))
def test_powers_of_a_matrix(n: int) -> None:
    x = np.random.default_rng(n).standard_normal((2, 3, 3))
    found = np.linalg.matrix_power(Tensor(x, requires_grad=True), n)
    np.testing.assert_allclose(found.data, np.linalg.matrix_power(x, n))
    assert found.requires_grad == (n > 0)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", list(itertools.product((1, 2, 3, 4, 5), repeat=2)))
def test_correlate_is_numpys_for_all_sizes_and_modes(mode: Any, sizes: Any) -> None:
    a, v = (np.random.default_rng(n).standard_normal(n) for n in sizes)
    for function in (np.correlate, np.convolve):
        np.testing.assert_allclose(function(Tensor(a), v, mode).data, function(a, v, mode), atol=1e-15)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda t: np.cross(t[:, :2], t), ShapeError, r"np\.cross of .*: .*length 3; for length 2 write a\["),
        (lambda t: np.linalg.outer(t, t), ShapeError, r"np\.linalg\.outer of shapes \(2, 3\), .*one-dimensional"),
        (lambda t: np.linalg.multi_dot([t]), ValueError, "at least two arrays"),
        (
            lambda t: np.linalg.multi_dot([t, t[None], t.T]),
            ShapeError,
            r"np\.linalg\.multi_dot of shapes \(2, 3\), .*two-dimensional",
        ),
        (lambda t: np.linalg.matrix_power(t, 1), ShapeError, r"np\.linalg\.matrix_power of shapes \(2, 3\): .*square"),
        (lambda t: np.linalg.matrix_power(t @ t.T, 0.5), TypeError, "integer"),
        (lambda t: np.convolve(t[0], t[1], "half"), NoRuleError, "'full', 'same' or 'valid'"),
        (lambda t: np.convolve(t, t[0]), ValueError, "np.convolve of shapes|too deep"),
        (lambda t: np.vecdot(t, t[:, :2]), ShapeError, "np.vecdot"),
        (lambda t: np.vecdot(t, t, axes=[-1, -1, ()]), AutogradError, "axes= has no gradient rule"),
        (lambda t: np.vecdot(t, t, dtype=np.float32), AutogradError, "dtype= has no gradient rule"),
        (lambda t: np.matmul(t, t.T, axis=0), NoRuleError, "axis= has no gradient rule"),
    ],
)
def test_what_cannot_be_done_says_why(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(Tensor(np.ones((2, 3))))


@pytest.mark.parametrize("n", [-2, -1, 0, 1, 2, 5])
def test_matrix_powers_are_numpys(n: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 3))
    found = np.linalg.matrix_power(Tensor(x, requires_grad=True), n)
    np.testing.assert_allclose(found.data, np.linalg.matrix_power(x, n), rtol=1e-12)
    with pytest.raises(ShapeError):
        np.linalg.matrix_power(Tensor(x[:, :2]), n)


def test_a_trapezoid_takes_a_width_for_each_step() -> None:
    y, dx = np.random.default_rng(0).standard_normal((2, 3)), np.array([0.5, 2.0])
    np.testing.assert_allclose(np.trapezoid(Tensor(y), dx=Tensor(dx)).data, np.trapezoid(y, dx=dx))


@pytest.mark.parametrize("ufunc", OUTER, ids=str)
def test_outer_takes_numbers_lists_and_arrays_as_numpy_does(ufunc: Any) -> None:
    x = np.array([[1.5, 2.5]], np.float32)
    for other in (2.0, [1.0, 3.0], np.array([3, 4]), np.float32(2)):
        for call in (lambda x, y: ufunc.outer(x, y), lambda x, y: ufunc.outer(y, x)):
            found, expected = call(Tensor(x, requires_grad=True), other), call(x, other)
            assert found.requires_grad
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(found.data, expected, rtol=1e-6)


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_products_with_a_constant_have_second_derivatives(rows: int) -> None:
    X = np.random.default_rng(0).standard_normal((rows, 4))
    for function, product in ((lambda W: X @ W, lambda W: X.T @ (X @ W)), (lambda W: W @ X.T, lambda W: (W @ X.T) @ X)):
        W = Tensor(np.ones((4, 4)), requires_grad=True)
        slope = grad(np.sum(np.square(function(W))), W, create_graph=True)
        np.testing.assert_allclose(slope.data, 2 * product(W.data))
        np.testing.assert_allclose(grad(np.sum(np.square(slope)), W).data, 8 * product(product(W.data)))
