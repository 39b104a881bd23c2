"""Examples of joining, splitting, and moving axes."""

from __future__ import annotations

from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import REAL, Function, example

np: Any = numpy  # its stubs know nothing of Tensors

for _f in (np.transpose, np.matrix_transpose):
    example(_f, REAL(2, 3))

_further_arguments: dict[Function, tuple[Any, ...]] = {
    **dict.fromkeys((np.moveaxis, np.swapaxes), (0, 1)),
    **dict.fromkeys((np.expand_dims, np.flip), (1,)),
    np.reshape: ((3, 2),),
    np.broadcast_to: ((2, 2, 3),),
    np.pad: (((1, 0), (0, 2)),),
    np.split: (3, 1),
    np.tile: ((2, 2),),
    np.roll: (1, 1),
}
for _f, _arguments in _further_arguments.items():
    example(_f, REAL(2, 3), call=lambda x, f=_f, arguments=_arguments: f(x, *arguments))
example(np.squeeze, REAL(1, 3))
example(np.concatenate, REAL(2, 3), REAL(1, 3), call=lambda x, y: np.concatenate([x, y]))
example(np.stack, REAL(2, 3), REAL(2, 3), call=lambda x, y: np.stack([x, y], axis=1))
