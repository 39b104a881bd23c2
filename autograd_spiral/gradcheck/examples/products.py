"""Examples of products."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.elementwise import CHOICES
from autograd_spiral.gradcheck.examples.table import NONZERO, REAL, Domain, Function, example
from autograd_spiral.vocabulary.compositions.arguments import available
from autograd_spiral.vocabulary.compositions.products import OUTER

np: Any = numpy  # its stubs know nothing of Tensors

_shapes: tuple[tuple[Function, tuple[int, ...], tuple[int, ...]], ...] = (
    *((np.matmul, (2, 3), (3, 4)), (np.matmul, (2, 2, 3), (3, 2)), (np.matmul, (3,), (3, 2))),
    *((np.matmul, (2, 3), (3,)), (np.matmul, (3,), (3,)), (np.dot, (2, 3), (3, 2)), (np.dot, (2, 3), (3,))),
    *((np.dot, (), (3,)), (np.dot, (2, 3), (2, 3, 2)), (np.vdot, (2, 3), (2, 3)), (np.inner, (2, 3), (4, 3))),
    *((np.outer, (2,), (3,)), (np.tensordot, (2, 3, 2), (3, 2, 2)), (np.linalg.outer, (2,), (3,))),
    *((np.linalg.matmul, (2, 3), (3, 2)), (np.linalg.tensordot, (2, 3, 2), (3, 2, 2)), (np.kron, (2, 2), (3,))),
    *((np.kron, (2, 1, 2), (2, 3)), (np.cross, (2, 3), (3,)), (np.linalg.cross, (2, 3), (2, 3))),
    *((np.vecdot, (2, 3), (3,)), (np.linalg.vecdot, (2, 1, 3), (2, 3)), (np.polyval, (3,), (2, 2))),
    *((f, (2, 2, 3), (2, 3)) for f in available("matvec")),
    *((f, (2, 3), (3, 2)) for f in available("vecmat")),
)
for _f, _x, _y in _shapes:
    example(_f, REAL(*_x), REAL(*_y))

_forms: dict[str, tuple[tuple[int, ...], ...]] = {
    "ij,jk->ik": ((2, 3), (3, 2)),
    "bij,bj->i": ((2, 3, 2), (2, 2)),
    "ii->i": ((3, 3),),
    "ij,k->j": ((2, 3), (2,)),
    "i,i,i": ((3,), (3,), (3,)),
}
for _form, _operands in _forms.items():
    example(np.einsum, *(REAL(*shape) for shape in _operands), call=lambda f, *xs, form: f(form, *xs), form=_form)
for _how in (True, ["einsum_path", (1, 2), (0, 1)]):
    _three = REAL(2, 3), REAL(3, 2), REAL(2, 2)
    example(np.einsum, *_three, call=lambda f, *xs, optimize: f("ij,jk,kl", *xs, optimize=optimize), optimize=_how)
example(np.einsum, REAL(2, 3), REAL(3, 2), call=lambda f, x, y: f(x, [0, 1], y, [1, 2], [2, 0]))
example(np.einsum, REAL(2, 2, 3), REAL(3), call=lambda f, x, y: f(x, [..., 2], y, [2]))

example(np.vecdot, REAL(3, 2), REAL(3, 1), axis=0)
example(np.cross, REAL(3, 2), REAL(2, 3), axisa=0, axisc=0)
example(np.linalg.multi_dot, REAL(3), REAL(3, 2), REAL(2, 4), REAL(4), call=lambda f, *xs: f(xs))
example(np.linalg.multi_dot, REAL(1, 3), REAL(3, 2), REAL(2, 4), call=lambda f, *xs: f(xs))
for _n in (2, 5):
    example(np.linalg.matrix_power, REAL(2, 2, 2), n=_n)
for _mode in ("full", "same", "valid"):
    example((np.convolve, np.correlate), REAL(3), REAL(4), mode=_mode)
example(np.trapezoid, REAL(2, 3))
example(np.trapezoid, REAL(3, 2), dx=0.5, axis=0)
example(np.trapezoid, REAL(3, 2), REAL(3), axis=0)
example(np.trapezoid, REAL(2, 3), REAL(2, 3))
for _f in OUTER:
    _low = Domain(0.4, 0.9) if _f in (*CHOICES, np.power) else NONZERO  # below the others, so that there are no ties
    example(_f.outer, _low(2), Domain(1, 2, signed=True)(2, 2))
