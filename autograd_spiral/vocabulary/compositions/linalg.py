"""Linear algebra: norms, and the trace."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autograd_spiral.engine.table import composes
from autograd_spiral.errors import NoRuleError


@composes(np.linalg.vector_norm)
def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    if x.dtype.kind != "f":
        return np.linalg.vector_norm(x.astype(float), axis=axis, keepdims=keepdims, ord=ord)
    if not isinstance(ord, int | float) or ord == 0:
        raise NoRuleError(f"a vector norm with ord={ord!r} has no gradient rule: use a number other than 0")
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    if math.isinf(ord) and (ord < 0 or math.prod(x.shape[i] for i in axes)):
        return (np.max if ord > 0 else np.min)(np.absolute(x), axis=axis, keepdims=keepdims)
    return np.sum(np.absolute(x), axis=axis, keepdims=keepdims) if ord in (1, math.inf) else NotImplemented


@composes(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    ord = ord.item() if isinstance(ord, np.number) else ord
    if axis is None and ord is not None and x.ndim not in (1, 2):
        raise ValueError(f"np.linalg.norm with ord={ord!r} needs axis=, one or two axes of shape {x.shape}")
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    if len(axes) == 1 or ord is None or (ord in ("fro", "f") and len(axes) == 2):
        order = ord if len(axes) == 1 and ord is not None else 2
        return np.linalg.vector_norm(x, axis=axes, keepdims=keepdims, ord=order)
    if len(axes) == 2 and ord in (1, -1, math.inf, -math.inf):
        x = x if x.dtype.kind == "f" else x.astype(float)
        summed, searched = axes if abs(ord) == 1 else axes[::-1]
        sums = np.sum(np.absolute(x), axis=summed, keepdims=True)
        out = np.linalg.vector_norm(sums, axis=searched, keepdims=True, ord=math.copysign(math.inf, ord))
        return out if keepdims else np.squeeze(out, axis=axes)
    raise NoRuleError(f"np.linalg.norm with ord={ord!r} over {len(axes)} axes has no gradient rule")


@composes(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1)
