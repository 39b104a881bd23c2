"""Examples of linear algebra."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import NONZERO, REAL, Draw, example
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


def _without_signs(*parts: Any) -> tuple[Any, ...]:
    """Return squares, which do not depend on the signs of vectors: LAPACK may change them from call to call."""
    return tuple(map(np.square, parts))


for _order in (None, 1, np.inf, 3):
    example(np.linalg.norm, REAL(4), call=lambda x, order=_order: np.linalg.norm(x, order))
for _order in (2, -2, "nuc"):
    example(np.linalg.norm, matrix(2, 3), call=lambda x, order=_order: np.linalg.norm(x, order))
example(np.linalg.norm, matrix(2, 2, 2), call=lambda x: np.linalg.norm(x, 2, (2, 1), keepdims=True))
example(np.linalg.matrix_norm, matrix(3, 2), call=lambda x: np.linalg.matrix_norm(x, ord="nuc"))
for _order in (2, 3, 1):
    example(np.linalg.vector_norm, NONZERO(2, 3), call=lambda x, o=_order: np.linalg.vector_norm(x, axis=1, ord=o))
example(np.linalg.matrix_norm, REAL(2, 3, 2), call=lambda x: np.linalg.matrix_norm(x, keepdims=True))
for _order in (None, -2, "fro"):
    example(np.linalg.cond, matrix(2, 2), call=lambda x, order=_order: np.linalg.cond(x, order))

example(np.trace, REAL(2, 3))
example(np.linalg.trace, REAL(2, 3, 2), call=lambda x: np.linalg.trace(x, offset=-1))
example(np.linalg.diagonal, REAL(2, 3, 2), call=lambda x: np.linalg.diagonal(x, offset=-1))
example(np.linalg.matrix_transpose, REAL(2, 3, 2))

for _f in (np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.svdvals, packed_slogdet, cofactors):
    example(_f, matrix(3, 3))
for _f in (np.linalg.inv, np.linalg.slogdet, np.linalg.qr, packed_qr):
    example(_f, matrix(2, 2, 2))
for _uplo in ("L", "U"):
    example(np.linalg.eigh, positive(3), call=lambda x, uplo=_uplo: _without_signs(*np.linalg.eigh(x, uplo)))
    example(np.linalg.eigvalsh, positive(2), call=lambda x, uplo=_uplo: np.linalg.eigvalsh(x, uplo))
example(packed_eigh, positive(2, 2), call=lambda x: np.square(packed_eigh(x, UPLO="L")))
example(np.linalg.det, singular(3))
example(kink, REAL(3), call=lambda x: x * kink(x, x > 9))
for _m, _n in ((3, 2), (2, 3)):
    example(np.linalg.svd, matrix(_m, _n), call=lambda x: _without_signs(*np.linalg.svd(x, full_matrices=False)))
    example(np.linalg.qr, matrix(_m, _n))
example(np.linalg.svd, matrix(2, 2, 2), call=lambda x: _without_signs(*np.linalg.svd(x)))
example(np.linalg.svd, positive(2), call=lambda x: np.linalg.svd(x, compute_uv=False, hermitian=True))
example(packed_svd, matrix(2, 3), call=lambda x: np.square(packed_svd(x, full_matrices=False)))
example(np.linalg.qr, matrix(2, 3), call=lambda x: np.linalg.qr(x, mode="complete"))
example(np.linalg.qr, matrix(3, 2), call=lambda x: np.linalg.qr(x, mode="r"))
example(np.linalg.pinv, matrix(3, 2), call=lambda x: np.linalg.pinv(x, 1e-3))
example(np.linalg.pinv, matrix(2, 3), call=lambda x: np.linalg.pinv(x, rtol=None))
example(np.linalg.pinv, positive(2), call=lambda x: np.linalg.pinv(x, hermitian=True))
example(np.linalg.lstsq, matrix(3, 2), REAL(3), call=lambda a, b: np.linalg.lstsq(a, b)[:2])
example(np.linalg.lstsq, matrix(2, 3), REAL(2, 2), call=lambda a, b: np.linalg.lstsq(a, b, rcond=-1)[::3])
for _upper in (False, True):
    example(np.linalg.cholesky, positive(3), call=lambda x, upper=_upper: np.linalg.cholesky(x, upper=upper))
example(np.linalg.solve, matrix(3, 3), REAL(3))
example(np.linalg.solve, matrix(2, 2, 2), REAL(2, 2))
example(np.linalg.tensorsolve, matrix(4, 4), REAL(2, 2), call=lambda a, b: np.linalg.tensorsolve(a.reshape(2, 2, 4), b))
example(
    *(np.linalg.tensorsolve, matrix(4, 4), REAL(4)),
    call=lambda a, b: np.linalg.tensorsolve(a.reshape(2, 4, 2), b, axes=(0,)),
)
example(np.linalg.tensorinv, matrix(4, 4), call=lambda a: np.linalg.tensorinv(a.reshape(4, 2, 2), ind=1))
