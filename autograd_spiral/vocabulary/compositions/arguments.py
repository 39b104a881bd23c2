"""Helpers for compositions: some convert arguments to the form that compositions expect, others enter compositions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from autograd_spiral.engine.table import composes


def operand(x: Any, dtype: Any = None, *, ndmin: int = 0, **how: Any) -> Any:
    """Return `x` itself if it is an array or a Tensor, else as an array.

    In NumPy's own code, it replaces `np.array`.

    >>> operand([1, 2], ndmin=2)
    array([[1, 2]])
    """
    x = x if isinstance(x, np.ndarray) or hasattr(x, "backward") else np.asarray(x)  # such as a pandas column
    x = x if dtype is None else converted(x, dtype)
    return x if x.ndim >= ndmin else np.reshape(x, (1,) * (ndmin - x.ndim) + x.shape)


def operands(arrays: Iterable[Any]) -> list[Any]:
    """Return `arrays` as arrays, or as Tensors if one of them is a Tensor.

    >>> operands([[1, 2], 3])
    [array([1, 2]), array(3)]
    """
    given = list(arrays)
    tensor = next((type(x) for x in given if hasattr(x, "backward")), None)
    return [np.asarray(x) if tensor is None else x if isinstance(x, tensor) else tensor(x) for x in given]


def stand_in(x: Any) -> Any:
    """Return an array with the shape of `x` that takes no memory, to find out how NumPy changes shapes and axes.

    >>> np.squeeze(stand_in(np.ones((1, 3)))).shape
    (3,)
    """
    return np.ndarray(np.shape(x), np.int8, b"\0", 0, (0,) * np.ndim(x))


def converted(x: Any, dtype: Any) -> Any:
    """Return `x` in `dtype`: `x` itself if it has that dtype already.

    >>> converted(np.ones(2, int), np.float64)
    array([1., 1.])
    """
    return x if x.dtype == dtype else x.astype(dtype)


def floating(x: Any) -> Any:
    """Return `x` in a floating dtype: `x` itself if it has one already.

    >>> floating(np.ones(2, int))
    array([1., 1.])
    """
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def shared(function: Callable[..., Any], composition: Callable[..., Any]) -> None:
    """Enter `composition`, which several functions share, for `function`, with only that function's keywords."""
    ours, theirs = inspect.signature(composition), inspect.signature(function).parameters
    kept = [p for p in ours.parameters.values() if p.kind is not p.KEYWORD_ONLY or p.name in theirs]
    composition.__signature__ = ours.replace(parameters=kept)  # type: ignore[attr-defined]
    composes(function)(composition)


def available(*names: str) -> tuple[Any, ...]:
    """Return NumPy's functions with these names, except those that the installed version of NumPy lacks.

    Use it to enter functions newer than NumPy 2.0, as in `@composes(*available("matvec"))`.

    >>> [function.__name__ for function in available("stack", "linalg.norm", "no_such_function")]
    ['stack', 'norm']
    """
    at: Any = np
    found = (functools.reduce(lambda at, part: getattr(at, part, None), name.split("."), at) for name in names)
    return tuple(function for function in found if function is not None)
