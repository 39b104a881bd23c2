"""Examples of joining, splitting, and moving axes."""

from __future__ import annotations

from typing import Any

import numpy
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.gradcheck.examples.table import REAL, Function, example
from autograd_spiral.vocabulary.compositions.arguments import available
from autograd_spiral.vocabulary.rules.shapes import add_windows

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

_joined = (np.hstack, np.vstack, np.dstack, np.column_stack)
for _f in _joined:
    example(_f, REAL(2, 3), REAL(2, 3), call=lambda x, y, f=_f: f([x, y]))
for _f in (*_joined[:3], np.block):
    example(_f, REAL(3), REAL(3), call=lambda x, y, f=_f: f([x, y]))
example(np.column_stack, REAL(2, 3), REAL(2), call=lambda x, y: np.column_stack([x, y]))
example(np.block, REAL(2, 2), REAL(2), REAL(), call=lambda x, y, z: np.block([[x, x], [y, z, 1.5]]))
example(np.append, REAL(2, 3), REAL(3), call=np.append)
example(np.append, REAL(2, 3), REAL(1, 3), call=lambda x, y: np.append(x, y, axis=0))
for _f in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    example(_f, REAL(3))
    example(_f, REAL(), REAL(2, 3))

example(np.array_split, REAL(7, 2), call=lambda x: np.array_split(x, 3))
for _f in (np.hsplit, np.vsplit, np.dsplit):
    example(_f, REAL(2, 4, 3), call=lambda x, f=_f: f(x, [1]))
for _f in available("unstack"):
    example(_f, REAL(2, 3), call=lambda x, f=_f: f(x, axis=1))
example(np.split, REAL(12), call=lambda x: np.split(x, 12))

for _f in (np.flipud, np.fliplr, np.rot90):
    example(_f, REAL(2, 3))
example(np.rot90, REAL(2, 2, 3), call=lambda x: np.rot90(x, -1, (2, 0)))
example(np.rollaxis, REAL(2, 3, 1), call=lambda x: np.rollaxis(x, 2))
example(np.resize, REAL(2, 3), call=lambda x: np.resize(x, (4, 2)))
example(np.broadcast_arrays, REAL(2, 1), REAL(3))
example(np.meshgrid, REAL(2), REAL(3))
example(np.meshgrid, REAL(2), REAL(3), call=lambda x, y: np.meshgrid(x, y, sparse=True, indexing="ij"))
for _mode in ("edge", "reflect", "symmetric", "wrap"):
    example(np.pad, REAL(2, 3), call=lambda x, mode=_mode: np.pad(x, ((1, 0), (2, 4)), mode))

example(sliding_window_view, REAL(4, 5), call=lambda x: sliding_window_view(x, (2, 3)))
example(sliding_window_view, REAL(2, 5), call=lambda x: sliding_window_view(x, (2, 2), axis=(1, 1)))
example(add_windows, REAL(3, 2), call=lambda x: add_windows(x, window_shape=(2,), axis=(0,), shape=(4,)))
