"""Code for indexing with arrays of integers, which gathers the entries into a buffer in C order.

NumPy computes `x[:, i, j]` with the axes of the indices first in memory, so products and reshapes of the result are
slow. `take` along one axis writes in C order. So adjacent axes that are indexed are first merged into one axis.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from autograd_spiral.program.ir import Atom, Equation, Value, dtype_of, shape_of
from autograd_spiral.program.running.buffers import Array
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.kernels.kernel import MANY
from autograd_spiral.vocabulary.signatures import ARRAY

__all__ = ["gathers", "write_gather"]


def gathers(code: Code, equation: Equation) -> bool:
    """Whether `equation` picks entries along adjacent axes, and `write_gather` is faster than indexing."""
    if equation.function is not operator.getitem or ARRAY not in equation.params["index"]:
        return False
    arrays, output = equation.inputs[1:], equation.output
    if output in code.results or output in code.layout.column_major or _first_axis(equation) is None:
        return False
    dtypes = [dtype_of(array) for array in arrays]
    constant = not any(isinstance(array, Value) for array in arrays)
    worth_it = constant or (_first_axis(equation) != 0 and output.size >= 8 * MANY)  # positions take time to compute
    return worth_it and all(dtype is not None and dtype.kind in "iu" for dtype in dtypes)


def write_gather(code: Code, position: int, equation: Equation) -> None:
    """Write the lines that pick the entries."""
    x, *arrays = equation.inputs
    shape, axis = shape_of(x), _first_axis(equation)
    assert axis is not None  # since `gathers` is True
    end = axis + len(arrays)
    merged = (*shape[:axis], math.prod(shape[axis:end]), *shape[end:])
    base, text = code.array(x), code.text(x)
    if base is not None and np.may_share_memory(base.reshape(merged), base):
        text = code.bind(base.reshape(merged))
    elif merged != shape:
        text = f"{text}.reshape({merged})"
    places, out = _places(code, shape, axis, arrays), code.bind(code.layout.buffer(equation.output, position))
    code.lines.append(f"{text}.take({places}, {axis}, {out}, 'clip')")  # all indices are in range: 'clip' saves a copy


def _first_axis(equation: Equation) -> int | None:
    """Return the first of the adjacent axes that arrays index; None unless all other axes are taken in full."""
    index, ndim, count = equation.params["index"], len(shape_of(equation.inputs[0])), len(equation.inputs) - 1
    rest = [slice(None)] * (ndim - sum(item is not Ellipsis for item in index))
    at = index.index(Ellipsis) if Ellipsis in index else len(index)
    items = [*index[:at], *rest, *index[at + 1 :]]
    axis = items.index(ARRAY)
    whole = [slice(None)] * axis + [ARRAY] * count + [slice(None)] * (ndim - axis - count)
    return axis if items == whole else None


def _places(code: Code, shape: tuple[int, ...], axis: int, arrays: list[Atom]) -> str:
    """Return the name of the array of positions of the entries, counted along all indexed axes together."""
    key = "places", shape, axis, tuple(array if isinstance(array, Value) else id(array) for array in arrays)
    if key not in code.shared:
        numbered = functools.partial(_numbered, shape, axis)
        if any(isinstance(array, Value) for array in arrays):
            code.shared[key] = name = f"places{len(code.shared)}"
            code.lines.append(f"{name} = {code.bind(numbered, 'f')}({code.texts(arrays)})")
        else:
            code.shared[key] = code.bind(numbered(*arrays))
    return code.shared[key]


def _numbered(shape: tuple[int, ...], axis: int, *arrays: Any) -> Array:
    """Return the positions that `arrays` index, from `axis` on; raise NumPy's error if one is out of bounds."""
    number: Any = 0
    for i, array in enumerate(arrays, axis):
        if array.size and not (-shape[i] <= array.min() and array.max() < shape[i]):
            np.broadcast_to(0, shape)[(slice(None),) * axis + arrays]
        array = array.astype(np.intp)
        number = number * shape[i] + np.where(array < 0, array + shape[i], array)
    return np.asarray(number)
