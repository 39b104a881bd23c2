"""Calls: makes functions that Tensors can override, and decides which arguments are accepted, ignored or rejected."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from autograd_spiral.engine.messages import KEYWORDS, name_of, numpys_names, unknown_keyword
from autograd_spiral.errors import NoRuleError

__all__ = ["NUMPY_DEFAULTS", "call_bound", "explains_keywords", "overridable", "unannotated"]

F = TypeVar("F", bound=Callable[..., Any])

_PLAIN = frozenset((bool, int, float, str, type(None), np.ndarray))  # types whose __array_function__ need not be called


def overridable(body: F) -> F:
    """Return `body` as a function that Tensors can override: it follows NumPy's `__array_function__` protocol."""

    @functools.wraps(body)
    def function(*args: Any, **kwargs: Any) -> Any:
        for arg in (*args, *kwargs.values()) if kwargs else args:
            kind = type(arg)
            if kind in _PLAIN:
                continue
            if hasattr(kind, "__array_function__") and not issubclass(kind, np.ndarray):
                return arg.__array_function__(function, (kind,), args, kwargs)
        try:
            return body(*args, **kwargs)
        except TypeError as error:
            unknown = [key for key in kwargs if f"unexpected keyword argument {key!r}" in str(error)]
            remedy = numpys_names(unknown) if "axis" in inspect.signature(body).parameters else ""
            if remedy:
                raise TypeError(f"{error}{remedy}") from None
            raise

    return function  # type: ignore[return-value]


def explains_keywords(function: F) -> F:
    """Decorate `function`: its errors for keywords of other libraries say what to write instead (see `KEYWORDS`).

    >>> KEYWORDS["decay"] = {"gamma": "factor="}
    >>> @explains_keywords
    ... def decay(factor): ...
    >>> decay(gamma=0.9)
    Traceback (most recent call last):
      ...
    TypeError: decay() got an unexpected keyword argument 'gamma': write factor= instead of gamma=
    >>> del KEYWORDS["decay"]
    """

    @functools.wraps(function)
    def explained(*args: Any, **kwargs: Any) -> Any:
        for key in kwargs:
            if key in KEYWORDS.get(function.__name__, ()):
                raise unknown_keyword(function.__name__, key)
        return function(*args, **kwargs)

    return explained  # type: ignore[return-value]


NUMPY_DEFAULTS = {"out": None, "dtype": None, "where": True, "casting": "same_kind"}
"""Keywords that no rule takes, each with its default in NumPy. Passing the default is allowed and has no effect."""


def call_bound(
    original: Callable[..., Any], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call `function` in place of `original`; ignore keywords in `NUMPY_DEFAULTS` that have NumPy's default.

    Raises `NoRuleError`, with the accepted signature, for arguments that `function` does not take.

    >>> call_bound(np.sum, lambda a, axis=None: a[axis], ([1, 2],), {"axis": 0, "out": None})
    1
    """
    try:
        return function(*args, **kwargs)
    except TypeError:
        name, signature = name_of(original), inspect.signature(function)
        kept = {k: v for k, v in kwargs.items() if not (k in NUMPY_DEFAULTS and v is NUMPY_DEFAULTS[k])}
        try:
            signature.bind(*args, **kept)
        except TypeError as error:
            on_arrays = ". To compute without a gradient, pass the array: t.data instead of t." if "." in name else ""
            remedy = numpys_names(kwargs) or on_arrays
            raise NoRuleError(
                f"{name} on a Tensor is called as {name}{unannotated(signature)}: {error}{remedy}"
            ) from None
        if len(kept) == len(kwargs):
            raise
    return function(*args, **kept)


def unannotated(signature: inspect.Signature) -> inspect.Signature:
    """Return `signature` without its types, as error messages show it."""
    empty = inspect.Parameter.empty
    parameters = [p.replace(annotation=empty) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=empty)
