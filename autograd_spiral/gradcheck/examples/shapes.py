"""Examples of joining, splitting, and moving axes."""

from __future__ import annotations

from typing import Any

import numpy
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.gradcheck.examples.table import REAL, example
from autograd_spiral.vocabulary.compositions.arguments import available
from autograd_spiral.vocabulary.rules.shapes import add_windows

np: Any = numpy  # its stubs know nothing of Tensors

example((np.transpose, np.matrix_transpose), REAL(2, 3))
example(np.moveaxis, REAL(2, 3), source=0, destination=1)
example(np.swapaxes, REAL(2, 3), axis1=0, axis2=1)
example((np.expand_dims, np.flip), REAL(2, 3), axis=1)
example(np.reshape, REAL(2, 3), call=lambda f, x: f(x, (3, 2)))
example(np.broadcast_to, REAL(2, 3), shape=(2, 2, 3))
example(np.pad, REAL(2, 3), pad_width=((1, 0), (0, 2)))
example(np.split, REAL(2, 3), indices_or_sections=3, axis=1)
example(np.tile, REAL(2, 3), reps=(2, 2))
example(np.roll, REAL(2, 3), shift=1, axis=1)
example(np.squeeze, REAL(1, 3))
example(np.concatenate, REAL(2, 3), REAL(1, 3), call=lambda f, *xs: f(xs))
example(np.stack, REAL(2, 3), REAL(2, 3), call=lambda f, *xs: f(xs, axis=1))

_joined = (np.hstack, np.vstack, np.dstack, np.column_stack)
example(_joined, REAL(2, 3), REAL(2, 3), call=lambda f, *xs: f(xs))
example((*_joined[:3], np.block), REAL(3), REAL(3), call=lambda f, x, y: f([x, y]))
example(np.column_stack, REAL(2, 3), REAL(2), call=lambda f, *xs: f(xs))
example(np.block, REAL(2, 2), REAL(2), REAL(), call=lambda f, x, y, z: f([[x, x], [y, z, 1.5]]))
example(np.append, REAL(2, 3), REAL(3))
example(np.append, REAL(2, 3), REAL(1, 3), axis=0)
example((np.atleast_1d, np.atleast_2d, np.atleast_3d), REAL(3))
example((np.atleast_1d, np.atleast_2d, np.atleast_3d), REAL(), REAL(2, 3))

example(np.array_split, REAL(7, 2), indices_or_sections=3)
example((np.hsplit, np.vsplit, np.dsplit), REAL(2, 4, 3), indices_or_sections=[1])
example(available("unstack"), REAL(2, 3), axis=1)
example(np.split, REAL(12), indices_or_sections=12)

example((np.flipud, np.fliplr, np.rot90), REAL(2, 3))
example(np.rot90, REAL(2, 2, 3), k=-1, axes=(2, 0))
example(np.rollaxis, REAL(2, 3, 1), axis=2)
example(np.resize, REAL(2, 3), new_shape=(4, 2))
example(np.broadcast_arrays, REAL(2, 1), REAL(3))
example(np.meshgrid, REAL(2), REAL(3))
example(np.meshgrid, REAL(2), REAL(3), sparse=True, indexing="ij")
for _mode in ("edge", "reflect", "symmetric", "wrap"):
    example(np.pad, REAL(2, 3), pad_width=((1, 0), (2, 4)), mode=_mode)

example(sliding_window_view, REAL(4, 5), window_shape=(2, 3))
example(sliding_window_view, REAL(2, 5), window_shape=(2, 2), axis=(1, 1))
example(add_windows, REAL(3, 2), window_shape=(2,), axis=(0,), shape=(4,))
