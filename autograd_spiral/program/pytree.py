"""Pytrees: arguments and results as flat lists of leaves, and how to rebuild them from leaves."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["LEAF", "flatten", "unflatten"]

LEAF = object()
"""The treedef of a single leaf."""


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Return the leaves of `tree`, in order, and its treedef: the structure of lists, tuples and dicts around them.

    >>> leaves, treedef = flatten({"a": [1, 2], "b": 3})
    >>> leaves, unflatten(treedef, iter("xyz"))
    ([1, 2, 3], {'a': ['x', 'y'], 'b': 'z'})
    """
    leaves: list[Any] = []
    treedef = _treedef(tree, leaves)
    return leaves, treedef


def _treedef(tree: Any, leaves: list[Any]) -> Any:
    """Return the treedef of `tree`, and append its leaves to `leaves`."""
    kind = type(tree)
    if kind is tuple or kind is list or (isinstance(tree, tuple) and hasattr(kind, "_make")):
        return kind, tuple(_treedef(item, leaves) for item in tree)
    if kind is dict or kind is OrderedDict:
        return kind, tuple((key, _treedef(item, leaves)) for key, item in tree.items())
    leaves.append(tree)
    return LEAF


def unflatten(treedef: Any, leaves: Iterator[Any]) -> Any:
    """Return the tree with this treedef and these leaves: the inverse of `flatten`."""
    if treedef is LEAF:
        return next(leaves)
    kind, parts = treedef
    if kind is dict or kind is OrderedDict:
        return kind((key, unflatten(part, leaves)) for key, part in parts)
    build: Callable[[Any], Any] = getattr(kind, "_make", kind)  # of a named tuple
    return build(unflatten(part, leaves) for part in parts)
