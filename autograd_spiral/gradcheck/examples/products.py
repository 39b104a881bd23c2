"""Examples of products."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import REAL, Function, example

np: Any = numpy  # its stubs know nothing of Tensors

_shapes: tuple[tuple[Function, tuple[int, ...], tuple[int, ...]], ...] = (
    *((np.matmul, (2, 3), (3, 4)), (np.matmul, (2, 2, 3), (3, 2)), (np.matmul, (3,), (3, 2))),
    *((np.matmul, (2, 3), (3,)), (np.matmul, (3,), (3,)), (np.dot, (2, 3), (3, 2)), (np.dot, (2, 3), (3,))),
    *((np.dot, (), (3,)), (np.dot, (2, 3), (2, 3, 2)), (np.vdot, (2, 3), (2, 3)), (np.inner, (2, 3), (4, 3))),
    *((np.outer, (2,), (3,)), (np.tensordot, (2, 3, 2), (3, 2, 2))),
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
    example(np.einsum, *(REAL(*shape) for shape in _operands), call=lambda *args, form=_form: np.einsum(form, *args))
