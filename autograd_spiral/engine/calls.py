"""From a call to what answers it: functions that Tensors can take over, and calls in the signature of another function.

Imports numpy, errors and primitives.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from autograd_spiral.engine.messages import name_of
from autograd_spiral.errors import NoRuleError

__all__ = ["SPELLED_OUT", "call_bound", "overridable", "unannotated"]

F = TypeVar("F", bound=Callable[..., Any])

_PLAIN = frozenset((bool, int, float, str, type(None), np.ndarray))  # for sure without an __array_function__ to ask


def overridable(body: F) -> F:
    """`body`, answering NumPy's `__array_function__` protocol as NumPy's own functions do."""

    @functools.wraps(body)
    def function(*args: Any, **kwargs: Any) -> Any:
        for arg in (*args, *kwargs.values()) if kwargs else args:
            kind = type(arg)
            if kind in _PLAIN:
                continue
            if hasattr(kind, "__array_function__") and not issubclass(kind, np.ndarray):
                return arg.__array_function__(function, (kind,), args, kwargs)
        return body(*args, **kwargs)

    return function  # type: ignore[return-value]


SPELLED_OUT = {"out": None, "dtype": None, "where": True}
"""NumPy's defaults, which may be passed though no rule knows their keywords."""


def call_bound(
    original: Callable[..., Any], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call `function` in place of `original`, letting NumPy's defaults through that are spelled out.

    Arguments that it does not take are a NoRuleError that says which it takes.

    >>> call_bound(np.sum, lambda a, axis=None: a[axis], ([1, 2],), {"axis": 0, "out": None})
    1
    """
    try:
        return function(*args, **kwargs)
    except TypeError:
        signature = inspect.signature(function)
        kept = {k: v for k, v in kwargs.items() if not (k in SPELLED_OUT and v is SPELLED_OUT[k])}
        try:
            signature.bind(*args, **kept)
        except TypeError as error:
            name = name_of(original)
            raise NoRuleError(
                f"{name} on a Tensor is called as {name}{unannotated(signature)}: {error}. "
                "To compute without a gradient, pass the array: t.data instead of t."
            ) from None
        if len(kept) == len(kwargs):
            raise
    return function(*args, **kept)


def unannotated(signature: inspect.Signature) -> inspect.Signature:
    """`signature` without its types, as errors show it."""
    empty = inspect.Parameter.empty
    parameters = [p.replace(annotation=empty) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=empty)
