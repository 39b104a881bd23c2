"""Arguments and results as flat lists: what is in lists, tuples and dictionaries, and how to put it back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["LEAF", "flatten", "unflatten"]

LEAF = object()
"""Stands in a structure for what was taken out."""


def flatten(nested: Any, leaves: list[Any]) -> Any:
    """The structure of `nested`; what is in it is appended to `leaves`, in order."""
    kind = type(nested)
    if kind is tuple or kind is list or (isinstance(nested, tuple) and hasattr(kind, "_make")):
        return kind, tuple(flatten(item, leaves) for item in nested)
    if kind is dict or kind is OrderedDict:
        return kind, tuple((key, flatten(item, leaves)) for key, item in nested.items())
    leaves.append(nested)
    return LEAF


def unflatten(structure: Any, leaves: Iterator[Any]) -> Any:
    """The inverse of `flatten`."""
    if structure is LEAF:
        return next(leaves)
    kind, parts = structure
    if kind is dict or kind is OrderedDict:
        return kind((key, unflatten(part, leaves)) for key, part in parts)
    build: Callable[[Any], Any] = getattr(kind, "_make", kind)  # of a named tuple
    return build(unflatten(part, leaves) for part in parts)
