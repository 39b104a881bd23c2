"""NumPy functions that NumPy itself composes from others: its own Python code runs on Tensors, unchanged."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

from autograd_spiral.engine.table import composes
from autograd_spiral.vocabulary.compositions.arguments import available, operand

_MAKERS = ("array", "asarray", "asanyarray")


@functools.cache
def _passing(module: types.ModuleType) -> Any:
    """Return the names of `module`, with `operand` in place of the functions that turn a Tensor into an array."""
    return types.SimpleNamespace(**{**vars(module), **dict.fromkeys(_MAKERS, operand)})


@functools.cache  # making the function takes longer than calling it
def numpys_own(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with NumPy's own Python code, except that Tensors are not converted to arrays.

    >>> import numpy as np
    >>> numpys_own(np.rot90)(np.array([[1, 2], [3, 4]]))
    array([[2, 4],
           [1, 3]])
    """
    code: Any = inspect.unwrap(function)
    names = {name: _passing(x) if isinstance(x, types.ModuleType) else x for name, x in code.__globals__.items()}
    names.update(dict.fromkeys(_MAKERS, operand))
    own = types.FunctionType(code.__code__, names, code.__name__, code.__defaults__, code.__closure__)
    own.__kwdefaults__ = code.__kwdefaults__
    return own


for _function in available(
    *("shape", "ndim", "size", "common_type", "iscomplexobj", "isrealobj", "isreal", "isposinf", "isneginf"),
    *("moveaxis", "rollaxis", "matrix_transpose", "flip", "flipud", "fliplr", "rot90", "append", "expand_dims"),
    *("hstack", "vstack", "dstack", "column_stack", "split", "hsplit", "vsplit", "dsplit"),
    *("tril", "triu", "amax", "amin", "ptp", "diff", "cumulative_sum", "cumulative_prod", "apply_over_axes"),
    *("outer", "tensordot", "trapezoid", "polyval"),
    *("linalg.cross", "linalg.matmul", "linalg.multi_dot", "linalg.outer", "linalg.tensordot", "linalg.vecdot"),
    *("linalg.diagonal", "linalg.matrix_norm", "linalg.matrix_transpose", "linalg.svdvals", "linalg.trace"),
    "linalg.tensorinv",
):
    if inspect.isfunction(inspect.unwrap(_function)):  # some NumPy versions may have it in C
        composes(_function)(numpys_own(_function))
