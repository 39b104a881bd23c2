"""Examples of taking entries by their positions."""

from __future__ import annotations

import operator
from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import REAL, Function, below, example, mask
from autograd_spiral.vocabulary.rules.indexing import scatter

np: Any = numpy  # its stubs know nothing of Tensors

for _f in (np.tril, np.triu):
    example(_f, REAL(2, 3))

_further_arguments: dict[Function, tuple[Any, ...]] = {
    np.diagonal: (1,),
    np.take: ([0, 2, 0], 1),
    np.repeat: (2, 0),
    operator.getitem: ((1, slice(None, None, -2)),),
}
for _f, _arguments in _further_arguments.items():
    example(_f, REAL(2, 3), call=lambda x, f=_f, arguments=_arguments: f(x, *arguments))
example(operator.getitem, REAL(3, 2), below(3, 4), call=lambda x, rows: x[rows, 1])
example(operator.getitem, REAL(3, 2), mask(3), call=lambda x, mask: x[mask])
example(scatter, REAL(4), below(3, 4), call=lambda x, rows: scatter(x, rows, index=("array",), shape=(3,)))
example(np.take_along_axis, REAL(2, 3), below(2, 2, 3), call=lambda x, i: np.take_along_axis(x, i, axis=0))
for _mode in ("wrap", "clip"):
    example(np.take, REAL(2, 3), call=lambda x, mode=_mode: np.take(x, [-4, 1, 5], axis=1, mode=mode))
for _place in (1, [0, 2]):
    example(np.delete, REAL(2, 3), call=lambda x, at=_place: np.delete(x, at, axis=1))
    example(np.insert, REAL(2, 3), REAL(2, 1), call=lambda x, y, at=_place: np.insert(x, at, y, axis=1))
example(np.delete, REAL(2, 3), call=lambda x: np.delete(x, [True, False, True], axis=1))
example(np.delete, REAL(2, 3), call=lambda x: np.delete(x, [0, -1]))
example(np.insert, REAL(2, 3), REAL(2), call=lambda x, y: np.insert(x, 1, y, axis=1))
example(np.insert, REAL(2, 3), REAL(2), call=lambda x, y: np.insert(x, [1, 6], y))
for _k in (0, 1, -2):
    example(np.diag, REAL(3), call=lambda x, k=_k: np.diag(x, k))
example(np.diag, REAL(3, 4), call=lambda x: np.diag(x, 1))
example(np.diagflat, REAL(2, 2), call=lambda x: np.diagflat(x, 1))
example(np.compress, REAL(2, 3), call=lambda x: np.compress([True, False, True], x, axis=1))
example(np.compress, REAL(2, 3), call=lambda x: np.compress([False, True], x))
example(np.extract, REAL(2, 3), call=lambda x: np.extract(np.array([[True, False, True], [False, True, True]]), x))
