"""Linear algebra where matrices are singular, values repeated, or dtypes narrow; named results; and what is refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_spiral import Tensor, blame, capture, grad, hessian
from autograd_spiral.errors import NonFiniteError, NoRuleError, ShapeError
from autograd_spiral.gradcheck.examples.linalg import matrix, positive


def slope(function: Any, x: Any, weights: Any = 1.0) -> Any:
    """The gradient of the weighted sum of the results of `function` at `x`."""
    leaf = Tensor(np.asarray(x, float), requires_grad=True)
    return grad(np.sum(weights * function(leaf)), leaf).data


def second(function: Any, x: Any, direction: Any) -> Any:
    """The second derivative of the sum of the results of `function` at `x`, times a direction."""
    leaf = Tensor(np.asarray(x, float), requires_grad=True)
    first = grad(np.sum(function(leaf)), leaf, create_graph=True)
    with np.errstate(all="ignore"):
        return grad(first, leaf, np.asarray(direction, float)).data


def rotated(values: Any, seed: int = 0) -> np.ndarray:
    """A symmetric matrix with these eigenvalues, up to rounding."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))
    x = q @ np.diag(values) @ q.T
    return (x + x.T) / 2


seeds = st.integers(0, 2**32 - 1)

# --- determinants -----------------------------------------------------------------------------------------------------


def minors(x: np.ndarray) -> np.ndarray:
    """The cofactors of a matrix, by their definition."""
    n = len(x)
    others = [[k for k in range(n) if k != i] for i in range(n)]
    entries = [[(-1.0) ** (i + j) * np.linalg.det(x[np.ix_(others[i], others[j])]) for j in range(n)] for i in range(n)]
    return np.array(entries)


@given(seeds, st.integers(1, 4), st.integers(0, 4))
def test_the_gradient_of_a_determinant_is_made_of_minors_whatever_the_rank(seed: int, n: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (n, rank)) @ rng.integers(-2, 3, (rank, n)) + 0.0
    largest = max(np.linalg.norm(x), 1) ** n
    np.testing.assert_allclose(slope(np.linalg.det, x), minors(x), atol=1e-13 * largest)


def test_the_second_derivative_of_a_determinant_is_right_at_singular_matrices() -> None:
    direction = np.arange(9.0).reshape(3, 3)
    for x in (np.zeros((3, 3)), np.ones((3, 3)), np.diag([1.0, 2.0, 0.0]), np.eye(3)):
        steps = [minors(x + h * direction) - minors(x - h * direction) for h in (1.0, 2.0)]
        np.testing.assert_allclose(second(np.linalg.det, x, direction), (8 * steps[0] - steps[1]) / 12, atol=1e-12)


def test_determinants_of_tiny_and_huge_matrices_have_gradients() -> None:
    np.testing.assert_allclose(slope(np.linalg.det, 1e150 * np.eye(2)), 1e150 * np.eye(2))
    np.testing.assert_allclose(slope(np.linalg.det, 1e-150 * np.eye(3)), 1e-300 * np.eye(3))
    np.testing.assert_allclose(slope(lambda x: np.linalg.slogdet(x)[1], 1e200 * np.eye(3)), 1e-200 * np.eye(3))


def test_the_logarithm_of_the_determinant_has_no_gradient_at_a_singular_matrix_only() -> None:
    both = slope(lambda x: np.linalg.slogdet(x).logabsdet, [np.ones((2, 2)), np.eye(2)])
    assert np.isnan(both[0]).all()
    np.testing.assert_array_equal(both[1], np.eye(2))


# --- repeated values, and ranks that are lost -------------------------------------------------------------------------

REPEATED = rotated([1.0, 1.0, 2.0])
LOST: dict[str, tuple[Any, Any]] = {
    "one of two equal eigenvalues": (lambda x: np.linalg.eigvalsh(x)[0], REPEATED),
    "one of exactly equal eigenvalues": (lambda x: np.linalg.eigh(x).eigenvalues[2], np.eye(3)),
    "one of two eigenvalues of 0": (lambda x: np.linalg.eigvalsh(x)[0], rotated([0.0, 0.0, 5.0])),
    "the eigenvector of one": (lambda x: np.linalg.eigh(x).eigenvectors[0, 1], REPEATED),
    "the largest singular value": (lambda x: np.linalg.norm(x, 2), np.eye(2)),
    "the smallest singular value at 0": (lambda x: np.linalg.norm(x, -2), np.ones((2, 2))),
    "the nuclear norm of less than full rank": (lambda x: np.linalg.norm(x, "nuc"), np.ones((3, 2))),
    "the polar factor of a singular matrix": (lambda x: polar(x), np.diag([2.0, 1.0, 0.0])),
    "the polar factor of 0": (lambda x: polar(x), np.zeros((2, 3))),
    "the condition of a singular matrix": (np.linalg.cond, np.diag([2.0, 1.0, 0.0])),
    "the condition in the 1-norm": (lambda x: np.linalg.cond(x, 1), np.diag([2.0, 1.0, 0.0])),
    "columns that depend on others": (lambda x: np.linalg.qr(x).R, np.ones((3, 2))),
    "a column of zeros": (lambda x: np.linalg.qr(x, "r"), [[1.0, 0.0], [2.0, 0.0]]),
    "the pseudo-inverse of less than full rank": (np.linalg.pinv, np.ones((2, 3))),
    "the pseudo-inverse of 0": (np.linalg.pinv, np.zeros((3, 2))),
    "the solution of less than full rank": (lambda x: np.linalg.lstsq(x, np.arange(3.0))[0], np.ones((3, 2))),
}


def polar(x: Any) -> Any:
    u, _, vh = np.linalg.svd(x, full_matrices=False)
    return np.matmul(u, vh)


@pytest.mark.parametrize(("function", "x"), LOST.values(), ids=LOST)
def test_a_derivative_that_does_not_exist_is_never_finite(function: Any, x: Any) -> None:
    with np.errstate(all="ignore"):
        found = slope(function, x)
    assert np.isnan(found[found != 0]).all()  # of symmetric matrices, NumPy reads one triangle
    assert np.isnan(found[-1]).all()


@pytest.mark.parametrize(("function", "x"), LOST.values(), ids=LOST)
def test_blame_names_the_function_and_says_why(function: Any, x: Any) -> None:
    leaf = Tensor(np.asarray(x, float), requires_grad=True)
    with pytest.raises(NonFiniteError) as caught, blame():
        grad(np.sum(function(leaf)), leaf)
    reasons = r"the rule of np\.linalg\.\w+ .*(repeated|depend|jumps)"
    assert re.search(reasons, str(caught.value), re.DOTALL) or "going forward" in str(caught.value)


@given(seeds, st.integers(2, 20), st.sampled_from([np.float64, np.float32]))
def test_equal_values_are_found_whatever_their_rounding(seed: int, n: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(-3, 3, n)
    values[1] = values[0]
    x = Tensor(rotated(list(values), seed).astype(dtype), requires_grad=True)
    chosen = np.zeros(n, dtype)
    chosen[np.argmin(np.abs(np.linalg.eigvalsh(x.data) - values[0]))] = 1
    found = grad(np.sum(chosen * np.linalg.eigvalsh(x)), x).data
    assert found.dtype == dtype
    assert np.isnan(found[-1]).all()


SMOOTH: dict[str, tuple[Any, Any, Any]] = {
    "the trace": (np.linalg.eigvalsh, REPEATED, np.eye(3)),
    "the trace of 0": (np.linalg.eigvalsh, np.zeros((2, 2)), np.eye(2)),
    "the logarithm of the determinant": (lambda x: np.log(np.linalg.eigvalsh(x)), REPEATED, np.linalg.inv(REPEATED)),
    "the squares of eigenvalues": (lambda x: np.linalg.eigvalsh(x) ** 2, rotated([0, 0, 1]), 2 * rotated([0, 0, 1])),
    "an eigenvalue that stands alone": (
        lambda x: np.linalg.eigvalsh(x)[2],
        REPEATED,
        REPEATED - np.eye(3),  # whose eigenvalues are 0, 0 and 1
    ),
    "the nuclear norm": (lambda x: np.linalg.norm(x, "nuc"), np.eye(3), np.eye(3)),
    "the squares of singular values": (lambda x: np.linalg.svdvals(x) ** 2, np.ones((3, 2)), 2 * np.ones((3, 2))),
    "the largest singular value": (lambda x: np.linalg.norm(x, 2), np.ones((3, 3)), np.ones((3, 3)) / 3),
    "the inverse, as a pseudo-inverse": (lambda x: np.linalg.pinv(x)[0, 0], np.eye(2), [[-1, 0], [0, 0]]),
}


@pytest.mark.parametrize(("function", "x", "expected"), SMOOTH.values(), ids=SMOOTH)
def test_a_derivative_that_exists_is_right_where_values_are_repeated(function: Any, x: Any, expected: Any) -> None:
    found = slope(function, x)
    lower = np.allclose(np.triu(found, 1), 0)  # NumPy reads one triangle of symmetric matrices
    np.testing.assert_allclose((found + found.T) / 2 if lower else found, expected, atol=1e-13)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: (np.linalg.eigvalsh(x) - 1) ** 2, np.eye(3)),
        (np.linalg.eigvalsh, np.eye(3)),
        (lambda x: np.linalg.svdvals(x) ** 2, [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]),
        (lambda x: (np.linalg.svdvals(x) - 1) ** 2, np.eye(3)),
    ],
)
def test_second_derivatives_where_values_are_repeated_or_0_are_never_finite(function: Any, x: Any) -> None:
    """They would take the slope of a cotangent: both it and the differences of the values are 0."""
    found = second(function, x, np.arange(1.0, np.size(x) + 1).reshape(np.shape(x)))
    assert np.isnan(found[-1]).all()


def test_columns_may_be_of_very_different_sizes() -> None:
    found = slope(lambda x: np.linalg.qr(x).R, [[1.0, 1e-200], [0.0, 1e-200]])
    np.testing.assert_allclose(found, [[1, 1], [0, 1]])


NUMPY = tuple(map(int, np.__version__.split(".")[:2]))


@pytest.mark.parametrize("ord", [2, -2, "nuc"])
def test_norms_of_tiny_and_huge_matrices_have_the_slopes_of_others(ord: Any) -> None:
    x = np.array([[3.0, -4.0, 1.0], [1.0, 2.0, 0.0]])
    expected = slope(lambda x: np.linalg.norm(x, ord), x)
    for scale in (1e-307, 1e-150, 1e150, 1e307):
        np.testing.assert_allclose(slope(lambda x: np.linalg.norm(x, ord), scale * x), expected, rtol=1e-12)


@pytest.mark.parametrize("ord", [2, -2, "nuc", "fro", 1, -1, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
def test_norms_of_matrices_of_nothing_are_numpys(ord: Any, shape: tuple[int, ...]) -> None:
    def norm(x: Any) -> Any:
        return np.linalg.norm(x, ord, axis=(-2, -1))

    try:
        expected = norm(np.zeros(shape))
    except ValueError:
        if ord in (1, 2, np.inf) and NUMPY < (2, 3):
            return  # newer versions return 0, as ours does
        with pytest.raises((ValueError, IndexError)):
            norm(Tensor(np.zeros(shape)))
    else:
        np.testing.assert_array_equal(norm(Tensor(np.zeros(shape))).data, expected)


def test_blame_says_that_a_norm_of_0_has_no_second_derivative_and_what_to_write() -> None:
    x = Tensor(np.zeros(2), requires_grad=True)
    with blame():
        first = grad(np.linalg.norm(x), x, create_graph=True)
        with pytest.raises(NonFiniteError, match=r"no second derivative.*np\.sum\(x \* x\)"):
            grad(first, x, np.ones(2))


SQUARES: dict[str, tuple[Any, Any]] = {
    "a power": (lambda x: np.linalg.norm(x) ** 2, 2 * np.eye(3)),
    "a product": (lambda x: np.linalg.norm(x) * np.linalg.norm(x), 2 * np.eye(3)),
    "a sum": (lambda x: 3 * np.linalg.norm(x) * np.linalg.vector_norm(x) + np.linalg.norm(x) ** 2, 8 * np.eye(3)),
    "a square": (lambda x: np.square(np.linalg.norm(x)) / 2, np.eye(3)),
    "scaled": (lambda x: 0.25 * (np.linalg.norm(x) / 5) ** 2, 0.02 * np.eye(3)),
    "rows": (lambda x: np.sum(np.linalg.norm(np.reshape(x, (1, 3)), axis=1, keepdims=True) ** 2), 2 * np.eye(3)),
    "a deviation": (lambda x: np.std(x) ** 2, 2 / 9 * (3 * np.eye(3) - 1)),
    "two deviations": (lambda x: np.std(x) * np.std(x), 2 / 9 * (3 * np.eye(3) - 1)),
    "of parts": (lambda x: np.linalg.norm(2 * x[:2]) * np.linalg.norm(2 * x[:2]), 8 * np.diag([1, 1, 0])),
}


@pytest.mark.parametrize("name", SQUARES)
@pytest.mark.parametrize("at", [np.zeros(3), np.array([0.0, -3.0, 0.5])], ids=["0", "elsewhere"])
def test_squares_of_norms_have_second_derivatives(name: str, at: Any) -> None:
    function, expected = SQUARES[name]
    np.testing.assert_allclose(hessian(function)(at), expected, rtol=1e-13, atol=1e-15)
    step = capture(lambda x: grad(function(x), x))
    x = Tensor(at, requires_grad=True)
    np.testing.assert_allclose(step(x).data, expected @ at, rtol=1e-13, atol=1e-15)
    long: Any = Tensor(1.0)
    for _ in range(3000):
        long = long * 1.0
    np.testing.assert_allclose(
        grad(long * function(x), x, create_graph=True).data, expected @ at, rtol=1e-13, atol=1e-15
    )


def test_products_of_different_norms_have_the_second_derivatives_of_both() -> None:
    x, h = np.array([0.7, -1.2, 2.0]), 1e-5

    def slope(x: Any) -> Any:
        x = Tensor(x, requires_grad=True)
        return grad(np.linalg.norm(x) * np.linalg.norm(x, 3), x).data

    def product(x: Any) -> Any:
        return np.linalg.norm(x) * np.linalg.norm(x, 3)

    numeric = np.stack([(slope(x + h * e) - slope(x - h * e)) / (2 * h) for e in np.eye(3)])
    np.testing.assert_allclose(hessian(product)(x), numeric, rtol=1e-8)


# --- results ----------------------------------------------------------------------------------------------------------


def test_results_are_numpys_named_tuples() -> None:
    x = positive(3)(np.random.default_rng(0))
    for function in (np.linalg.eigh, np.linalg.qr, np.linalg.slogdet, np.linalg.svd):
        found, expected = function(Tensor(x, requires_grad=True)), function(x)
        assert type(found) is type(expected)
        for part, value in zip(found, expected, strict=True):
            np.testing.assert_allclose(part.data, value, rtol=1e-13)


def test_a_captured_step_returns_parts_of_them() -> None:
    x = Tensor(positive(3)(np.random.default_rng(0)), requires_grad=True)
    step = capture(lambda: (np.linalg.eigh(x), grad(np.sum(np.linalg.eigh(x).eigenvalues ** 2), x)))
    for _ in range(2):
        (w, v), piece = step()
        np.testing.assert_allclose((v.data * w.data) @ v.data.T, x.data, rtol=1e-12)
        np.testing.assert_allclose(piece.data + piece.data.T, 4 * x.data, rtol=1e-12)


@pytest.mark.parametrize("b", [np.ones(3), np.ones((3, 3)), np.ones((2, 3, 1))])
def test_only_one_dimension_makes_a_vector(b: np.ndarray) -> None:
    a = matrix(3, 3, 2)(np.random.default_rng(0))
    np.testing.assert_array_equal(np.linalg.solve(Tensor(a), b).data, np.linalg.solve(a, b))


@pytest.mark.parametrize("shape", [(4, 3), (3, 3), (2, 3)])
@pytest.mark.parametrize("columns", [(), (2,)])
def test_lstsq_returns_all_that_numpy_does(shape: tuple[int, int], columns: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    a, b = matrix(*shape)(rng), rng.standard_normal((shape[0], *columns))
    for found, expected in zip(np.linalg.lstsq(Tensor(a), b), np.linalg.lstsq(a, b), strict=True):
        assert found.dtype == np.asarray(expected).dtype
        assert found.shape == np.shape(expected)
        np.testing.assert_allclose(found.data, expected, atol=1e-13)


def test_lstsq_widens_as_numpy_does() -> None:
    a, b = matrix(3, 2)(np.random.default_rng(0)), np.arange(3)
    for narrow, other in ((a.astype(np.float32), b), (a, b.astype(np.float32)), (np.rint(a).astype(int), b)):
        found, expected = np.linalg.lstsq(Tensor(narrow), other), np.linalg.lstsq(narrow, other)
        assert [part.dtype for part in found] == [np.asarray(part).dtype for part in expected]
    assert [np.linalg.lstsq(Tensor(np.ones((3, 2))), b, rcond)[2].item() for rcond in (None, -1, 0.5)] == [1, 1, 1]


def test_nothing_has_a_gradient_of_its_shape() -> None:
    for function in (np.linalg.inv, np.linalg.det, np.linalg.cholesky, np.linalg.eigvalsh, np.linalg.svdvals):
        for shape in ((0, 0), (0, 2, 2)):
            assert slope(function, np.zeros(shape)).shape == shape
    for function in (np.linalg.pinv, lambda x: np.linalg.qr(x).R, lambda x: np.linalg.norm(x, "nuc")):
        assert slope(function, np.zeros((3, 0))).shape == (3, 0)


def test_the_triangle_that_numpy_does_not_read_has_gradient_0() -> None:
    x = positive(3)(np.random.default_rng(0))
    for function in (np.linalg.cholesky, np.linalg.eigvalsh):
        assert not np.triu(slope(function, x), 1).any()
    for function in (lambda x: np.linalg.cholesky(x, upper=True), lambda x: np.linalg.eigvalsh(x, "U")):
        assert not np.tril(slope(function, x), -1).any()


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda x: np.linalg.svd(x), r"\(3, 2\).*full_matrices=False"),
        (lambda x: np.linalg.svd(x.T @ x, hermitian=True), r"write np\.linalg\.eigh"),
        (lambda x: np.linalg.qr(x, "complete"), "use 'reduced'"),
        (lambda x: np.linalg.qr(x, "raw"), "use 'reduced'"),
        (lambda x: np.linalg.pinv(x, [0.1]), "pass one number"),
        (lambda x: np.linalg.eig(x.T @ x), r"write np\.linalg\.eigh\(t\).*complex"),
        (lambda x: np.linalg.eigvals(x.T @ x), r"write np\.linalg\.eigvalsh\(t\).*complex"),
        (lambda x: np.linalg.matrix_rank(x), r"t\.data"),
        (lambda x: np.linalg.norm(x, 3), "ord=3"),
    ],
)
def test_what_has_no_derivative_says_what_to_write(call: Any, remedy: str) -> None:
    with pytest.raises(NoRuleError, match=remedy):
        call(Tensor(np.ones((3, 2)), requires_grad=True))


@pytest.mark.parametrize("function", [np.linalg.svd, np.linalg.svdvals, np.linalg.qr, np.linalg.eigh])
def test_vectors_have_no_decompositions(function: Any) -> None:
    with pytest.raises(ShapeError, match=rf"np\.linalg\.{function.__name__} of shapes \(3,\).*two-dimensional"):
        function(Tensor(np.ones(3), requires_grad=True))


def test_invalid_calls_raise() -> None:
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    with pytest.raises(ShapeError, match=r"np\.linalg\.solve of shapes \(3, 3\), \(4,\)"):
        np.linalg.solve(Tensor(np.eye(3)), np.ones(4))
    with pytest.raises(ShapeError, match=r"np\.linalg\.lstsq .*same number of rows"):
        np.linalg.lstsq(x, np.ones(2))
    with pytest.raises(ValueError, match="not both"):
        np.linalg.pinv(x, 0.1, rtol=0.1)
    with pytest.raises(ValueError, match=r"np\.linalg\.tensorinv of shapes \(3, 2\): Invalid ind"):
        np.linalg.tensorinv(x, 0)
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        np.linalg.inv(x[:2] * np.ones((2, 2)))
    with pytest.raises(TypeError, match="float16 is unsupported in linalg"):
        np.linalg.inv(Tensor(np.eye(2, dtype=np.float16)))
