"""Examples of taking entries by their positions."""

from __future__ import annotations

import operator
from typing import Any

import numpy

from autograd_spiral.gradcheck.examples.table import REAL, below, example, mask
from autograd_spiral.vocabulary.rules.indexing import scatter

np: Any = numpy  # its stubs know nothing of Tensors

example((np.tril, np.triu), REAL(2, 3))

example(np.diagonal, REAL(2, 3), offset=1)
example(np.take, REAL(2, 3), indices=[0, 2, 0], axis=1)
example(np.repeat, REAL(2, 3), repeats=2, axis=0)
example(operator.getitem, REAL(2, 3), call=lambda f, x: f(x, (1, slice(None, None, -2))))
example(operator.getitem, REAL(3, 2), below(3, 4), call=lambda f, x, rows: f(x, (rows, 1)))
example(operator.getitem, REAL(3, 2), mask(3))
example(scatter, REAL(4), below(3, 4), index=("array",), shape=(3,))
example(np.take_along_axis, REAL(2, 3), below(2, 2, 3), axis=0)
for _mode in ("wrap", "clip"):
    example(np.take, REAL(2, 3), indices=[-4, 1, 5], axis=1, mode=_mode)
for _place in (1, [0, 2]):
    example(np.delete, REAL(2, 3), obj=_place, axis=1)
    example(np.insert, REAL(2, 3), REAL(2, 1), call=lambda f, x, y, place: f(x, place, y, axis=1), place=_place)
example(np.delete, REAL(2, 3), obj=[True, False, True], axis=1)
example(np.delete, REAL(2, 3), obj=[0, -1])
example(np.insert, REAL(2, 3), REAL(2), call=lambda f, x, y: f(x, 1, y, axis=1))
example(np.insert, REAL(2, 3), REAL(2), call=lambda f, x, y: f(x, [1, 6], y))
for _k in (0, 1, -2):
    example(np.diag, REAL(3), k=_k)
example(np.diag, REAL(3, 4), k=1)
example(np.diagflat, REAL(2, 2), k=1)
example(np.compress, REAL(2, 3), call=lambda f, x: f([True, False, True], x, axis=1))
example(np.compress, REAL(2, 3), call=lambda f, x: f([False, True], x))
example(np.extract, REAL(2, 3), call=lambda f, x: f(np.array([[True, False, True], [False, True, True]]), x))
