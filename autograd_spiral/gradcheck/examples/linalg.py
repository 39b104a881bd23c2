"""Examples of linear algebra."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import NONZERO, REAL, Draw, Function, example
from autograd_spiral.vocabulary.rules.linalg import cofactors, kink, packed_eigh, packed_qr, packed_slogdet, packed_svd

np: Any = numpy  # its stubs know nothing of Tensors


def matrix(m: int, n: int, *stack: int) -> Draw:
    """Return a function that draws matrices whose singular values differ from each other and from 0.

    >>> matrix(3, 2)(np.random.default_rng(0)).shape
    (3, 2)
    """

    def draw(rng: numpy.random.Generator) -> Any:
        u, s, vh = np.linalg.svd(rng.standard_normal((*stack, m, n)), full_matrices=False)
        return np.matmul(u * (1 + np.arange(s.shape[-1]) + rng.uniform(0, 0.3, s.shape))[..., None, :], vh)

    return draw


def positive(n: int, *stack: int) -> Draw:
    """Return a function that draws symmetric matrices whose eigenvalues are positive, and differ from each other.

    >>> x = positive(2)(np.random.default_rng(0))
    >>> bool(np.all(np.linalg.eigvalsh(x) >= 1)), bool(np.all(x == x.T))
    (True, True)
    """

    def draw(rng: numpy.random.Generator) -> Any:
        u, s, _ = np.linalg.svd(matrix(n, n, *stack)(rng))
        x = np.matmul(u * s[..., None, :], u.mT)
        return (x + x.mT) / 2

    return draw


def singular(n: int) -> Draw:
    """Return a function that draws matrices in which one row is the sum of two others.

    >>> x = singular(3)(np.random.default_rng(0))
    >>> bool(np.all(x[0] == x[1] + x[2]))
    True
    """

    def draw(rng: numpy.random.Generator) -> Any:
        x = REAL(n, n)(rng)
        x[0] = x[1] + x[2]
        return x

    return draw


def _without_signs(function: Function, x: Any, **params: Any) -> tuple[Any, ...]:
    """Return squares, which do not depend on the signs of vectors: LAPACK may change them from call to call."""
    return tuple(map(np.square, function(x, **params)))


for _order in (None, 1, np.inf, 3):
    example(np.linalg.norm, REAL(4), ord=_order)
for _order in (2, -2, "nuc"):
    example(np.linalg.norm, matrix(2, 3), ord=_order)
example(np.linalg.norm, matrix(2, 2, 2), ord=2, axis=(2, 1), keepdims=True)
example(np.linalg.matrix_norm, matrix(3, 2), ord="nuc")
for _order in (2, 3, 1):
    example(np.linalg.vector_norm, NONZERO(2, 3), axis=1, ord=_order)
example(np.linalg.matrix_norm, REAL(2, 3, 2), keepdims=True)
for _order in (None, -2, "fro"):
    example(np.linalg.cond, matrix(2, 2), p=_order)

example(np.trace, REAL(2, 3))
example((np.linalg.trace, np.linalg.diagonal), REAL(2, 3, 2), offset=-1)
example(np.linalg.matrix_transpose, REAL(2, 3, 2))

example((np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.svdvals, packed_slogdet, cofactors), matrix(3, 3))
example((np.linalg.inv, np.linalg.slogdet, np.linalg.qr, packed_qr), matrix(2, 2, 2))
for _uplo in ("L", "U"):
    example(np.linalg.eigh, positive(3), call=_without_signs, UPLO=_uplo)
    example(np.linalg.eigvalsh, positive(2), UPLO=_uplo)
example(packed_eigh, positive(2, 2), call=lambda f, x: np.square(f(x, UPLO="L")))
example(np.linalg.det, singular(3))
example(kink, REAL(3), call=lambda f, x: x * f(x, x > 9))
for _m, _n in ((3, 2), (2, 3)):
    example(np.linalg.svd, matrix(_m, _n), call=_without_signs, full_matrices=False)
    example(np.linalg.qr, matrix(_m, _n))
example(np.linalg.svd, matrix(2, 2, 2), call=_without_signs)
example(np.linalg.svd, positive(2), compute_uv=False, hermitian=True)
example(packed_svd, matrix(2, 3), call=lambda f, x: np.square(f(x, full_matrices=False)))
example(np.linalg.qr, matrix(2, 3), mode="complete")
example(np.linalg.qr, matrix(3, 2), mode="r")
example(np.linalg.pinv, matrix(3, 2), rcond=1e-3)
example(np.linalg.pinv, matrix(2, 3), rtol=None)
example(np.linalg.pinv, positive(2), hermitian=True)
example(np.linalg.lstsq, matrix(3, 2), REAL(3), call=lambda f, a, b: f(a, b)[:2])
example(np.linalg.lstsq, matrix(2, 3), REAL(2, 2), call=lambda f, a, b: f(a, b, rcond=-1)[::3])
for _upper in (False, True):
    example(np.linalg.cholesky, positive(3), upper=_upper)
example(np.linalg.solve, matrix(3, 3), REAL(3))
example(np.linalg.solve, matrix(2, 2, 2), REAL(2, 2))
example(np.linalg.tensorsolve, matrix(4, 4), REAL(2, 2), call=lambda f, a, b: f(a.reshape(2, 2, 4), b))
example(np.linalg.tensorsolve, matrix(4, 4), REAL(4), call=lambda f, a, b: f(a.reshape(2, 4, 2), b, axes=(0,)))
example(np.linalg.tensorinv, matrix(4, 4), call=lambda f, a: f(a.reshape(4, 2, 2), ind=1))
